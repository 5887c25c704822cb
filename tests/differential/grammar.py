"""What the differential run sends: one line per command, by family.

A line is the command's grammar:
  WORD       itself                      name       a drawn argument, see `DRAW`
  [ ... ]    there or not                a|b|c      one of them (inside brackets or parentheses)
  ( ... )    a group                     x...       one to four times
  { ... }    the items inside, each there or not, in any order

To cover a new family, add its lines to FAMILIES and its argument names to DRAW.
"""

import hashlib
import random
import re

FAMILIES = {
    "transactions": """
        WATCH key...
        UNWATCH
        EXEC
        DISCARD
    """,
    "messages": """
        PUBLISH key value
        SPUBLISH key value
        PUBSUB CHANNELS|SHARDCHANNELS [pattern]
        PUBSUB NUMSUB|SHARDNUMSUB [key...]
        PUBSUB NUMPAT
    """,
    "strings": """
        SET key value
        SET key value {[NX|XX] [GET] [EX ttl|PX ttlms|EXAT at|PXAT atms|KEEPTTL]}
        SET key number
        GET key
        GETEX key [EX ttl|PX ttlms|EXAT at|PXAT atms|PERSIST]
        GETDEL key
        GETSET key value
        GETRANGE key index index
        SUBSTR key index index
        SETRANGE key offset value
        APPEND key value
        STRLEN key
        INCR key
        DECR key
        INCRBY key number
        DECRBY key number
        INCRBYFLOAT key float
        MGET key...
        MSET (key value)...
        MSETNX (key value)...
        SETNX key value
        SETEX key ttl value
        PSETEX key ttlms value
        LCS key key {[LEN] [IDX] [MINMATCHLEN small] [WITHMATCHLEN]}
    """,
    "bits": """
        SETBIT key bitoffset bit
        GETBIT key bitoffset
        BITCOUNT key
        BITCOUNT key index index [BYTE|BIT]
        BITPOS key bit
        BITPOS key bit index [index [BYTE|BIT]]
        BITOP AND|OR|XOR key key...
        BITOP NOT key key
        BITFIELD key (GET bittype bitoffset|SET bittype bitoffset number|INCRBY bittype bitoffset number|OVERFLOW (WRAP|SAT|FAIL))...
        BITFIELD_RO key (GET bittype bitoffset)...
    """,
    "sorted_sets": """
        ZADD zkey (score member)...
        ZADD zkey {[NX|XX] [GT|LT] [CH]} (score member)...
        ZADD zkey {[NX] [XX] [GT] [LT] [CH] [INCR]} score member
        ZINCRBY zkey score member
        ZREM zkey member...
        ZCARD zkey
        ZSCORE zkey member
        ZMSCORE zkey member...
        ZRANK zkey member [WITHSCORE]
        ZREVRANK zkey member [WITHSCORE]
        ZCOUNT zkey bound bound
        ZLEXCOUNT lkey lex lex
        ZADD lkey (0 member)...
        ZREM lkey member...
        ZRANGE zkey index index {[REV] [WITHSCORES]}
        ZRANGE zkey bound bound {BYSCORE [REV] [WITHSCORES] [LIMIT smallint smallint]}
        ZRANGE lkey lex lex {BYLEX [REV] [LIMIT smallint smallint]}
        ZRANGE zkey index index {[REV] [WITHSCORES] [BYSCORE|BYLEX] [LIMIT smallint smallint]}
        ZRANGESTORE zkey zkey index index [REV]
        ZRANGESTORE zkey zkey bound bound {BYSCORE [REV] [LIMIT smallint smallint]}
        ZRANGESTORE lkey lkey lex lex {BYLEX [REV] [LIMIT smallint smallint]}
        ZREVRANGE zkey index index [WITHSCORES]
        ZRANGEBYSCORE zkey bound bound {[WITHSCORES] [LIMIT smallint smallint]}
        ZREVRANGEBYSCORE zkey bound bound {[WITHSCORES] [LIMIT smallint smallint]}
        ZRANGEBYLEX lkey lex lex [LIMIT smallint smallint]
        ZREVRANGEBYLEX lkey lex lex [LIMIT smallint smallint]
        ZREMRANGEBYRANK zkey index index
        ZREMRANGEBYSCORE zkey bound bound
        ZREMRANGEBYLEX lkey lex lex
        ZPOPMIN zkey [smallint]
        ZPOPMAX zkey [smallint]
        ZMPOP (1 zkey|2 zkey zkey|small zkey) MIN|MAX [COUNT smallint]
        BZPOPMIN zkey bigset soon
        BZPOPMAX zkey bigset soon
        BZMPOP soon 2 zkey bigset MIN|MAX [COUNT smallint]
        ZRANDMEMBER zone
        ZRANDMEMBER zone (1|-3|0|x) [WITHSCORES]
        ZSCAN zkey 0 {[MATCH pattern] [COUNT big]}
        ZUNION (1 zkey|2 zkey zkey|3 zkey key zkey|small zkey) {[WEIGHTS score score] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]}
        ZINTER (1 zkey|2 zkey zkey|3 zkey key zkey|small zkey) {[WEIGHTS score score] [AGGREGATE (SUM|MIN|MAX)] [WITHSCORES]}
        ZDIFF (1 zkey|2 zkey zkey|3 zkey key zkey|small zkey) [WITHSCORES]
        ZUNIONSTORE zkey (1 zkey|2 zkey zkey|small zkey) {[WEIGHTS score score] [AGGREGATE (SUM|MIN|MAX)]}
        ZINTERSTORE zkey (1 zkey|2 zkey zkey|small zkey) {[WEIGHTS score score] [AGGREGATE (SUM|MIN|MAX)]}
        ZDIFFSTORE zkey (1 zkey|2 zkey zkey|small zkey)
        ZINTERCARD (1 zkey|2 zkey zkey|small zkey) [LIMIT small]
        ZADD zone 1 only
        ZADD bigset (score bigmember)... (score bigmember)... (score bigmember)...
        ZINCRBY bigset score bigmember
        ZREM bigset bigmember...
        ZRANK bigset bigmember [WITHSCORE]
        ZRANGE bigset bound bound {BYSCORE [REV] [WITHSCORES] LIMIT smallint smallint}
        ZRANGE bigset index index {[REV] [WITHSCORES]}
        ZREMRANGEBYRANK bigset index index
        ZPOPMIN bigset smallint
        ZUNIONSTORE zkey 2 bigset zkey
        OBJECT ENCODING zkey
        OBJECT ENCODING bigset
        DEL zkey
    """,
    "geo": """
        GEOADD gkey {[NX|XX] [CH]} (lon lat place)...
        GEOPOS gkey place...
        GEODIST gkey place place [unit]
        GEOHASH gkey place...
        GEOSEARCH gkey {(FROMLONLAT lon lat|FROMMEMBER place) (BYRADIUS length unit|BYBOX length length unit) ASC|DESC [COUNT small] [WITHDIST] [WITHHASH] [WITHCOORD]}
        GEOSEARCH gkey {(FROMLONLAT lon lat|FROMMEMBER place) (BYRADIUS length unit|BYBOX length length unit) [COUNT small [ANY]] [WITHDIST] [WITHHASH] [WITHCOORD]}
        GEOSEARCHSTORE gkey gkey {(FROMLONLAT lon lat|FROMMEMBER place) (BYRADIUS length unit|BYBOX length length unit) [COUNT small]}
        GEOSEARCHSTORE zkey gkey {(FROMLONLAT lon lat|FROMMEMBER place) (BYRADIUS length unit|BYBOX length length unit) [COUNT small] STOREDIST}
        GEORADIUS gkey lon lat length unit {[ASC|DESC] [COUNT small [ANY]] [WITHDIST] [WITHHASH] [WITHCOORD] [STORE gkey]}
        GEORADIUS_RO gkey lon lat length unit {[ASC|DESC] [COUNT small] [WITHDIST]}
        GEORADIUSBYMEMBER gkey place length unit {[ASC|DESC] [COUNT small] [WITHDIST] [STOREDIST zkey]}
        GEORADIUSBYMEMBER_RO gkey place length unit {[COUNT small [ANY]] [WITHHASH]}
        ZREM gkey place
    """,
    "streams": """
        XADD key newid (value value)...
        XADD key newid f value
        XADD key newid f value g value
        XADD key {[NOMKSTREAM] [(MAXLEN [=|~] slen|MINID [=|~] sid) [LIMIT slen]]} newid f value
        XLEN key
        XDEL key sid...
        XTRIM key (MAXLEN [=|~] slen|MINID [=|~] sid) [LIMIT slen]
        XRANGE key idbound idbound [COUNT small]
        XREVRANGE key idbound idbound [COUNT small]
        XREAD {[COUNT small]} STREAMS key since
        XREAD {[COUNT small]} STREAMS key key since since
        XREAD [BLOCK 1] STREAMS key $
        XSETID key newid [ENTRIESADDED slen] [MAXDELETEDID sid]
        XGROUP CREATE key group (sid|$|0) {[MKSTREAM] [ENTRIESREAD (0|-1|x)]}
        XGROUP CREATE key group (0|$) MKSTREAM
        XGROUP SETID key group (sid|$) [ENTRIESREAD (0|-1|x)]
        XGROUP CREATECONSUMER key group consumer
        XGROUP DELCONSUMER key group consumer
        XGROUP DESTROY key group
        XREADGROUP GROUP group consumer {[COUNT small] [NOACK]} STREAMS key (>|sid)
        XREADGROUP GROUP group consumer {[COUNT small] [NOACK]} STREAMS key >
        XREADGROUP GROUP group consumer STREAMS key key (>|sid) (>|sid)
        XACK key group sid...
        XPENDING key group
        XPENDING key group [IDLE (0|-1|9000000|x)] idbound idbound small [consumer]
        XCLAIM key group consumer (0|0|9000000|x) sid... {[IDLE (0|9000000)] [TIME (0|-1)] [RETRYCOUNT small] [FORCE] [JUSTID] [LASTID sid]}
        XAUTOCLAIM key group consumer (0|0|9000000|x) (0|idbound) {[COUNT small] [JUSTID]}
        XINFO STREAM key [FULL [COUNT small]]
        XINFO GROUPS key
        XINFO CONSUMERS key group
        XINFO other key
        CONFIG SET stream-node-max-entries (2|5|100|0)
        CONFIG SET stream-node-max-bytes (0|100|4096)
    """,
    "keys": """
        DEL key...
        UNLINK key...
        EXISTS key...
        TYPE key
        TOUCH key...
        COPY key key {[DB db] [REPLACE]}
        RENAME key key
        RENAMENX key key
        MOVE key db
        SWAPDB db db
        SELECT db
        DBSIZE
        KEYS pattern
        RANDOMKEY
        SCAN 0 {[MATCH pattern] [COUNT big] [TYPE type]}
        OBJECT ENCODING key
        OBJECT REFCOUNT key
        OBJECT HELP
        FLUSHDB [ASYNC|SYNC]
    """,
    "lists": """
        LPUSH key value...
        RPUSH key value...
        RPUSH key (small|value)...
        LPUSHX key value...
        RPUSHX key value...
        LPOP key [count]
        RPOP key [count]
        LLEN key
        LINDEX key index
        LRANGE key index index
        LSET key position value
        LINSERT key (BEFORE|AFTER|other) element element
        LREM key index element
        LTRIM key index index
        LPOS key element {[RANK index] [COUNT count] [MAXLEN count]}
        LMOVE key key (LEFT|RIGHT|other) (LEFT|RIGHT)
        RPOPLPUSH key key
        LMPOP (1 key|2 key key|count key) (LEFT|RIGHT|other) [COUNT count]
        BLPOP key... timeout
        BRPOP key... timeout
        BLMOVE key key (LEFT|RIGHT) (LEFT|RIGHT) timeout
        BRPOPLPUSH key key timeout
        BLMPOP timeout (1 key|2 key key|count key) (LEFT|RIGHT) [COUNT count]
        RPUSH key number...
        SORT sortkey {[LIMIT index index] [GET sortpattern] [ASC|DESC] [ALPHA] [STORE key]}
        SORT sortkey {BY bypattern [LIMIT index index] [GET sortpattern] [ASC|DESC] [STORE key]}
        SORT sortkey {BY nosort LIMIT index index [GET sortpattern] [ASC|DESC] STORE key}
        SORT_RO sortkey {[LIMIT index index] [GET sortpattern] [GET sortpattern] [ASC|DESC] [ALPHA]}
    """,
    "sets": """
        SADD key member...
        SADD key member...
        SADD key member...
        SADD key number...
        SREM key member...
        SISMEMBER key member
        SMISMEMBER key member...
        SCARD key
        SMEMBERS key
        SMOVE key key member
        SPOP key (0|1000|-1|x)
        SRANDMEMBER key [0|1000|-1000|2|-3|x]
        SINTER key...
        SUNION key...
        SDIFF key...
        SINTERSTORE key key...
        SUNIONSTORE key key...
        SDIFFSTORE key key...
        SINTERCARD count key... [LIMIT small]
        SSCAN key 0 {[MATCH pattern] [COUNT big]}
    """,
    "hashes": """
        HSET hkey (field value)...
        HSET hkey (field value)... (field value)...
        HSET hkey field number
        HSETNX hkey field value
        HMSET hkey (field value)...
        HGET hkey field
        HMGET hkey field...
        HGETALL hkey
        HKEYS hkey
        HVALS hkey
        HLEN hkey
        HSTRLEN hkey field
        HEXISTS hkey field
        HDEL hkey field...
        HINCRBY hkey field number
        HINCRBYFLOAT hkey field float
        HRANDFIELD hkey [0|1000|-1000|2|-3|x [WITHVALUES]]
        HSCAN hkey 0 {[MATCH pattern] [COUNT big] [NOVALUES]}
        HEXPIRE hkey later [NX|XX|GT|LT] fields
        HPEXPIRE hkey laterms [NX|XX|GT|LT] fields
        HEXPIREAT hkey hat [NX|XX|GT|LT] fields
        HPEXPIREAT hkey hatms [NX|XX|GT|LT] fields
        HEXPIRE hkey later {[NX] [XX] [GT] [LT]} fields
        HTTL hkey fields
        HPTTL hkey fields
        HEXPIRETIME hkey fields
        HPEXPIRETIME hkey fields
        HPERSIST hkey fields
        HGETEX hkey [EX later|PX laterms|EXAT hat|PXAT hatms|PERSIST] fields
        HSETEX hkey {[FNX|FXX] [EX later|PX laterms|EXAT hat|PXAT hatms|KEEPTTL]} fieldvalues
        HSETEX hkey [EX later|PX laterms] [FNX|FXX|NX] fieldvalues
        HGETDEL hkey fields
        OBJECT ENCODING hkey
        HSET bighash (bigfield value)... (bigfield value)... (bigfield value)...
        HDEL bighash bigfield...
        HPEXPIREAT bighash hatms FIELDS 2 bigfield bigfield
        HGET bighash bigfield
        HSET wordy field longvalue
        DEL hkey
        CONFIG SET hash-max-listpack-entries (2|8|128|512)
        CONFIG SET hash-max-listpack-value (4|64)
    """,
    "sketches": """
        PFADD key member...
        PFADD key value...
        PFADD key
        PFCOUNT key
        PFCOUNT key...
        PFMERGE key key...
        PFDEBUG (ENCODING|DECODE|TODENSE|GETREG|other) key
        GET key
    """,
    "expiry": """
        EXPIRE key ttl [NX|XX|GT|LT]
        PEXPIRE key ttlms [NX|XX|GT|LT]
        EXPIREAT key at [NX|XX|GT|LT]
        PEXPIREAT key atms [NX|XX|GT|LT]
        EXPIRE key ttl {[NX] [XX] [GT] [LT]}
        TTL key
        PTTL key
        EXPIRETIME key
        PEXPIRETIME key
        PERSIST key
    """,
    "scripts": """
        EVAL script 1 key value
        EVAL script 1 key number value
        EVAL script 2 key key value number
        EVAL script 0 value
        EVAL script (x|-1|3) key
        EVAL_RO script 1 key value
        EVALSHA sha 1 key value
        EVALSHA sha 2 key key number value
        EVALSHA_RO sha 1 key value
        SCRIPT LOAD script
        SCRIPT EXISTS sha...
        SCRIPT FLUSH [SYNC|ASYNC|other]
        SCRIPT KILL
        SCRIPT other
        EVAL other 0
        GET key
        TTL key
    """,
    "server": """
        PING [value]
        ECHO value
        TIME
        WAIT 0 0
        CLIENT SETNAME name
        CLIENT GETNAME
        CLIENT SETINFO (LIB-NAME|LIB-VER|other) name
        CLIENT ID
        CLIENT NO-EVICT (ON|OFF|other)
        CLIENT NO-TOUCH (ON|OFF|other)
        CLIENT GETREDIR
        CLIENT TRACKINGINFO
        CLIENT KILL (other|ID (0|-1|x|999999999)|TYPE type|ADDR other|ADDR)
        CLIENT UNBLOCK (999999999|-1|x) [TIMEOUT|ERROR|other]
        CLIENT PAUSE other
        CLIENT REPLY other
        CLIENT LIST (TYPE type|TYPE other|ID (0|-1|x|999999999)|other)
        CLIENT other
        COMMAND GETKEYS (GET key|MSET (key value)...|SET key value|BITOP AND key key...|PING|other)
        COMMAND GETKEYSANDFLAGS (GET key|MSET (key value)...|SET key value|RENAME key key|LCS key key|COPY key key)
        COMMAND INFO (get|set|append|other)...
        COMMAND LIST FILTERBY (ACLCAT other|other)
        CONFIG GET (maxmemory|maxmemory-policy|proto-max-bulk-len|databases|timeout|other|hz hz)
        CONFIG SET other value
        CONFIG SET (maxmemory|timeout|hz|maxmemory-samples|slowlog-max-len) other
        CONFIG other
        CONFIG HELP
        HELLO [(2|3|4|other) [SETNAME name|AUTH name value|other]]
        AUTH value [value]
        ACL WHOAMI
        ACL CAT other
        SLOWLOG (LEN|RESET|HELP|GET other|other)
        LATENCY (LATEST|HELP|HISTORY other|RESET other|other)
        MEMORY (USAGE key [SAMPLES small]|HELP|other)
        OBJECT other [key]
        DEBUG (NOSUCH|SLEEP|SET-ACTIVE-EXPIRE x)
        RESET
        ROLE
        other [value]...
    """,
}

# Commands whose own arguments a mutation could turn into harm (sizes, sleeps, closing).
FRAGILE = {"WAIT", "SPOP", "LSET", "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "SETBIT", "SETRANGE", "BITFIELD", "DEBUG", "CLIENT", "CONFIG", "HELLO", "AUTH", "RESET", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT", "HGETEX", "HSETEX"}

ODD = [
    b"", b"-1", b"0", b"1", b"2", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808",
    b"18446744073709551616", b"abc", b"1.5", b" 1", b"1 ", b"+1", b"01", b"0x10", b"nan", b"inf", b"-inf",
    b"-0", b"1e3", b"\x00", b"\xff\xfe", b"NX", b"GET", b"x" * 300, b"a\r\nb", b"*", b"'",
]  # fmt: skip
# Scripts whose replies depend on keys and arguments alone.
SCRIPTS = [
    "return redis.call('get', KEYS[1])",
    "return redis.call('set', KEYS[1], ARGV[1])",
    "return redis.pcall('incrby', KEYS[1], ARGV[1])",
    "return redis.call('incr', KEYS[1]) + 0.7",
    "redis.call('set', KEYS[1], ARGV[1]) return redis.call('strlen', KEYS[1])",
    "local t = redis.call('type', KEYS[1]) return t.ok .. '!'",
    "return {redis.call('exists', KEYS[1]), redis.call('type', KEYS[1]), KEYS, ARGV, false, 'behind'}",
    "local r = redis.pcall('lpush', KEYS[1], ARGV[1]) if type(r) == 'table' then return r.err end return r",
    "local ok, e = pcall(redis.call, 'append', KEYS[1]) return {tostring(ok), type(e)}",
    "redis.call('del', KEYS[1]) redis.call('rpush', KEYS[1], unpack(ARGV)) return redis.call('lrange', KEYS[1], 0, -1)",
    "redis.call('setex', KEYS[1], 100, ARGV[1] or '') return redis.call('ttl', KEYS[1])",
    "return redis.error_reply(ARGV[1])",
    "return redis.status_reply(ARGV[1] or 'fine')",
    "return {ok = ARGV[1]}",
    "return {err = 'MINE ' .. tostring(ARGV[1])}",
    "error('plain ' .. tostring(ARGV[1]))",
    "error({err = 'TABLE error'})",
    "return redis.call('nosuch', ARGV[1])",
    "return redis.call()",
    "return redis.call('get', {})",
    "return redis.call('subscribe', 'x')",
    "return tonumber(ARGV[1])",
    "return tostring(tonumber(ARGV[1] or 'x'))",
    "return #ARGV[1] + #KEYS",
    "return string.format('%5s|%-8s|%q|%d', ARGV[1], 'ab', ARGV[1], 7)",
    "return {string.find(ARGV[1], '[%a]+'), string.gsub(ARGV[1], '%w', '.')}",
    "return {string.byte(ARGV[1], 1, 5)}",
    "return string.rep(ARGV[1], 3, ',')",
    "return table.concat({1, 2.5, ARGV[1]}, ';')",
    "local t = {} for i = 1, 10 do t[i] = i * i end table.sort(t, function(a, b) return a > b end) return t",
    "return cjson.encode({ARGV[1], 1, 2.5, true, cjson.null})",
    "return cjson.encode(cjson.decode('[1,2.25,\"x\",null,[],[[]]]'))",
    "local ok, v = pcall(cjson.decode, ARGV[1]) return {tostring(ok), ok and type(v) or 'bad'}",
    "return cmsgpack.pack(ARGV[1], 1, -1, 1.5, {1, 2}, true)",
    "return {cmsgpack.unpack(cmsgpack.pack(ARGV[1], 300, -300))}",
    "return struct.pack('>I2hs', 7, -2, ARGV[1])",
    "return {struct.unpack('<i4', 'abcdefgh')}",
    "return {bit.band(tonumber(ARGV[1]) or 255, 15), bit.tohex(tonumber(ARGV[1]) or 1), bit.bnot(0)}",
    "return redis.sha1hex(ARGV[1])",
    "redis.setresp(3) return redis.call('hgetall', KEYS[1])",
    "redis.setresp(3) return redis.call('get', 'nosuchkey')",
    "return {1, nil, 3}",
    "return {{1, {2, {3}}}, {}}",
    "return {double = 1.25}",
    "return {map = {a = 1}}",
    "return -0.5",
    "return 2 ^ 53 + 1",
    "return 1 / 0",
    "return nosuchglobal",
    "nosuchglobal = 1",
    "return os.time()",
    "return redis.acl_check_cmd('get', 'x')",
    "#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)",
    "#!lua flags=allow-oom\nreturn redis.call('get', KEYS[1])",
    "#!lua flags=bogus\nreturn 1",
    "#!lua\nreturn #ARGV",
    "return",
    "this is no Lua",
]
TYPES = ["string", "list", "set", "zset", "hash", "stream", "nosuchtype", "normal", "pubsub"]
PATTERNS = ["*", "k*", "k[0-3]", "k[^0-3]", "?1", "nosuch", "\\k1", "k[3-0]", "k[", "**1", "[k]?", ""]
TOKEN = re.compile(r"\.\.\.|[\[\](){}|]|[^\s\[\](){}|.]+")


class Draw:
    """Draws arguments from one seeded generator. `short_ttl` tells that a key is about to go."""

    def __init__(self, rng):
        self.rng = rng
        self.short_ttl = False

    def __call__(self, name):
        return getattr(self, f"d_{name}")() if hasattr(self, f"d_{name}") else name

    def d_key(self):
        return f"k{self.rng.randrange(10)}"

    def d_script(self):
        return self.rng.choice(SCRIPTS)

    def d_sha(self):
        sha = hashlib.sha1(self.rng.choice(SCRIPTS).encode()).hexdigest()
        return self.rng.choice([sha, sha, sha, sha.upper(), sha[1:], "f" * 40])

    def d_value(self):
        pick = self.rng.random()
        if pick < 0.25:
            return str(self.rng.randint(-100, 100))
        if pick < 0.35:
            return self.rng.choice(ODD)
        if pick < 0.45:
            return bytes(self.rng.randrange(256) for _ in range(self.rng.randrange(20)))
        if pick < 0.5:
            return "abcdef"[: self.rng.randrange(1, 7)] * self.rng.randrange(1, 30)
        return "".join(self.rng.choice("abcd") for _ in range(self.rng.randrange(60)))

    def d_number(self):
        if self.rng.random() < 0.15:
            return str(self.rng.choice([1, -1]) * (2 ** self.rng.choice([31, 32, 62, 63]) - self.rng.randrange(3)))
        return str(self.rng.randint(-300, 300))

    def d_float(self):
        pick = self.rng.random()
        if pick < 0.5:
            return f"{self.rng.uniform(-100, 100):.{self.rng.randrange(6)}f}"
        if pick < 0.8:
            return f"{self.rng.uniform(-10, 10):.{self.rng.randrange(17)}e}"
        return self.rng.choice(["1e400", "nan", "inf", "-inf", "0x1p3", ".5", "5.", "1e17", "1e-17", "3.0", "-0", "abc", ""])

    def d_index(self):
        if self.rng.random() < 0.1:
            return self.rng.choice(["9223372036854775807", "-9223372036854775808", "9223372036854775808", "x", ""])
        return str(self.rng.randint(-40, 40))

    def d_position(self):
        """Redis 8.0 takes the largest numbers for small ones."""
        return self.rng.choice(["x", ""]) if self.rng.random() < 0.1 else str(self.rng.randint(-40, 40))

    def d_offset(self):
        return self.rng.choice(["536870912", "9223372036854775807", "-1", "x"]) if self.rng.random() < 0.08 else str(self.rng.randrange(70))

    def d_bitoffset(self):
        if self.rng.random() < 0.08:
            return self.rng.choice(["4294967296", "-1", "x", "#x", "9223372036854775807", "#-1"])
        return ("#" if self.rng.random() < 0.2 else "") + str(self.rng.randrange(120))

    def d_bittype(self):
        if self.rng.random() < 0.08:
            return self.rng.choice(["u64", "i65", "u0", "i0", "x8", "u", "8", ""])
        return self.rng.choice("ui") + str(self.rng.randint(1, 63))

    def d_bit(self):
        return self.rng.choice(["0", "1", "0", "1", "0", "1", "2", "-1", "x"])

    def d_sortpattern(self):
        return self.rng.choice(["#", "k*", "k*", "*", "k*->f", "k*->", "k->*", "**", "nosuch*"])

    def d_bypattern(self):
        """With a `*`: without, a set comes in the order of its table, which is each server's own."""
        return self.rng.choice(["k*", "k*", "*", "k*->f", "k*->", "**", "nosuch*"])

    def d_sortkey(self):
        """Seldom a sorted set: Redis converts a small one for good, and takes negative offsets otherwise then."""
        return self.rng.choice(["k3", "k4", "k7", "k8", "k9"])

    def d_element(self):
        return self.rng.choice(["0", "1", "2", "4", "-1", "x", "a", "b", "c", "d", ""])

    def d_count(self):
        return self.rng.choice(["0", "1", "1", "2", "3", "5", "100", "-1", "x", "9223372036854775808"])

    def d_timeout(self):
        """So short that who waits does not hold the run up."""
        return self.rng.choice(["0.001", "0.001", "0.002", "-1", "x", "", "inf", "nan", "1e30", "-inf", "0.0001"])

    def d_ttl(self):
        return self.rng.choice([*(self.apart() for _ in range(4)), "0", "-1", "9223372036854775807", "9223372036854775", "x", "1.5"])

    def d_ttlms(self):
        if self.rng.random() < 0.25:
            self.short_ttl = True
            return str(self.rng.randint(1, 5))
        return self.rng.choice([self.apart(1000), self.apart(1000), "0", "-1", "9223372036854775807", "x"])

    def d_at(self):
        return self.moment(1)

    def d_atms(self):
        return self.moment(1000)

    def moment(self, unit):
        """A moment of the next century, one gone by, or none at all."""
        at = self.rng.choice([4102444800, 4102444800 + self.rng.randrange(9), 1700000000, 1, 0, -1, 9223372036854775807])
        self.short_ttl |= at < 1800000000
        return str(at * unit if at < 1 << 40 else at)

    def d_small(self):
        return self.rng.choice(["0", "1", "2", "4", "-1", "x"])

    def d_big(self):
        return self.rng.choice(["1000", "1000", "10000", "0", "-1", "x"])

    def d_zkey(self):
        return f"k{self.rng.randrange(3)}" if self.rng.random() < 0.9 else self.rng.choice(["k5", "k6"])

    def d_lkey(self):
        # Apart from all other commands: where scores differ, ranges by bytes are not specified.
        return f"lex{self.rng.randrange(2)}"

    def d_soon(self):
        return "0.001"

    def d_bigset(self):
        return "k5"

    def d_zone(self):
        return "k6"

    def d_gkey(self):
        return f"k{self.rng.randrange(7, 10)}"

    def d_score(self):
        pick = self.rng.random()
        if pick < 0.6:
            return str(self.rng.randint(-5, 5))
        if pick < 0.8:
            return f"{self.rng.uniform(-10, 10):.{self.rng.randrange(1, 4)}f}"
        if pick < 0.9:
            return self.rng.choice(["inf", "-inf", "+inf", "-0", "1e20", "5e-324", "1e300", "9007199254740993"])
        return self.d_float()

    def d_member(self):
        pick = self.rng.random()
        if pick < 0.05:
            return "m" * self.rng.choice([63, 64, 65])
        return self.rng.choice("abcdefgh") if pick < 0.6 else str(self.rng.randrange(40))

    def d_bigmember(self):
        return f"member:{self.rng.randrange(600)}"

    def d_bound(self):
        return self.rng.choice(["", "", "", "("]) + self.rng.choice([self.d_score(), self.d_score(), "-inf", "+inf"])

    def d_lex(self):
        pick = self.rng.random()
        if pick < 0.3:
            return self.rng.choice("-+")
        return self.rng.choice(["[", "(", "[", "(", "", "x"] if pick < 0.4 else "[(") + self.d_member()

    def d_smallint(self):
        return self.rng.choice(["0", "1", "2", "3", "5", "10", "-1", "-2", "x"])

    def d_hkey(self):
        return f"k{self.rng.randrange(3)}" if self.rng.random() < 0.9 else self.d_key()

    def d_bighash(self):
        return "k3"

    def d_wordy(self):
        return "k4"

    def d_field(self):
        pick = self.rng.random()
        if pick < 0.05:
            return "f" * self.rng.choice([63, 64, 65])
        return self.rng.choice("abcdefgh") if pick < 0.7 else str(self.rng.randrange(20))

    def d_bigfield(self):
        return f"field:{self.rng.randrange(600)}"

    def d_longvalue(self):
        return "v" * self.rng.choice([60, 64, 65, 300, 5000])

    def d_fields(self):
        """FIELDS with its count, which is wrong now and then."""
        count = self.rng.choice([1, 1, 2, 3])
        named = self.rng.choice(["-1", "0", "x", "1", "2", "9223372036854775808"]) if self.rng.random() < 0.06 else str(count)
        if self.rng.random() < 0.03:
            return self.rng.choice([[], ["FIELDS"], ["FIELD", "1", "a"], ["FIELDS", "1"], ["a"]])
        return ["FIELDS", named, *(self.d_field() for _ in range(count))]

    def d_fieldvalues(self):
        words = self.d_fields()
        return words[:2] + [w for field in words[2:] for w in (field, self.d_value())]

    def apart(self, unit=1):
        """A long time, none the same as another: GT and LT would depend on the millisecond."""
        self.rng.times_drawn = getattr(self.rng, "times_drawn", 0) + 1
        return str((1000 + self.rng.times_drawn * 7919 % 100_003 * 10) * unit)

    def d_later(self):
        return self.rng.choice([self.apart(), self.apart(), self.apart(), "0", "-1", "x", "9223372036854775807", "70368744177663", "1.5"])

    def d_laterms(self):
        return self.rng.choice([self.apart(1000), self.apart(1000), self.apart(1000), "0", "-1", "x", "9223372036854775807", "70368744177663"])

    def d_hat(self):
        return str(self.hash_moment(1))

    def d_hatms(self):
        return str(self.hash_moment(1000))

    def hash_moment(self, unit):
        at = self.rng.choice([4102444800, 4102444800 + self.rng.randrange(9), 1700000000, 1, 0, -1, 1 << 62])
        return at * unit if at < 1 << 40 else at

    def d_lon(self):
        return f"{self.rng.uniform(-180, 180):.6f}" if self.rng.random() < 0.3 else f"{self.rng.uniform(13, 16):.6f}"

    def d_lat(self):
        return f"{self.rng.uniform(-86, 86):.6f}" if self.rng.random() < 0.3 else f"{self.rng.uniform(36, 39):.6f}"

    def d_place(self):
        return f"place{self.rng.randrange(25)}"

    def d_length(self):
        return self.rng.choice(["1", "10", "50.5", "200", "1000", "5000", "20000", "0", "-1", "x"])

    def d_unit(self):
        return self.rng.choice(["m", "km", "mi", "ft", "KM", "parsec"])

    def d_db(self):
        return self.rng.choice(["0", "0", "1", "2", "15", "16", "-1", "x", "99999999999"])

    def clock(self, step=0):
        """Milliseconds of the streams' entries: they go on from command to command."""
        self.rng.stream_clock = getattr(self.rng, "stream_clock", 0) + step
        return self.rng.stream_clock

    def d_newid(self):
        now = self.clock(self.rng.randrange(3))
        pick = self.rng.random()
        if pick < 0.02:
            return self.rng.choice(["18446744073709551615-18446744073709551615", "0-0", "-", "+", "x", "0", "1-", "007", "$"])
        if pick < 0.3:
            return f"{now}-*"
        return f"{now}-{self.rng.randrange(4)}" if pick < 0.7 else str(now)

    def d_sid(self):
        if self.rng.random() < 0.04:
            return self.rng.choice(["18446744073709551615-18446744073709551615", "0-0", "-", "+", "x", "1-*", ">"])
        ms = max(0, self.clock() - int(self.rng.expovariate(0.05)))
        return str(ms) if self.rng.random() < 0.4 else f"{ms}-{self.rng.randrange(4)}"

    def d_idbound(self):
        pick = self.rng.random()
        return "-+"[int(pick * 4)] if pick < 0.5 else ("(" if pick < 0.7 else "") + self.d_sid()

    def d_since(self):
        return self.rng.choice(["0", "$", "+"]) if self.rng.random() < 0.3 else self.d_sid()

    def d_slen(self):
        return self.rng.choice(["-1", "x", "9223372036854775807"]) if self.rng.random() < 0.04 else str(self.rng.randrange(30))

    def d_group(self):
        return f"g{self.rng.randrange(3)}"

    def d_consumer(self):
        return f"c{self.rng.randrange(3)}"

    def d_type(self):
        return self.rng.choice(TYPES)

    def d_pattern(self):
        return self.rng.choice(PATTERNS)

    def d_name(self):
        return self.rng.choice(["app", "", "two words", "a\nb", "x" * 40, "default"])

    def d_other(self):
        return self.rng.choice(["nosuch", "FOO", "-1", "0", "help", "", "9223372036854775808", "a b", "on", "é", "*"])


def parse(line):
    """A grammar line as a tree: ("word"|"seq"|"any"|"maybe"|"shuffle"|"repeat", ...)."""
    tokens = TOKEN.findall(line)

    def sequence(closing):
        choices, items = [], []
        while tokens and tokens[0] != closing:
            token = tokens.pop(0)
            if token == "|":
                choices.append(items)
                items = []
                continue
            if token in "[({":
                inner = sequence({"[": "]", "(": ")", "{": "}"}[token])
                tokens.pop(0)
                item = {"[": ("maybe", inner), "(": inner, "{": ("shuffle", inner)}[token]
            else:
                item = ("word", token)
            if tokens and tokens[0] == "...":
                tokens.pop(0)
                item = ("repeat", item)
            items.append(item)
        if not choices:
            return ("seq", items)
        if closing is None:  # at top level `A|B rest` chooses between words
            return top_level(choices + [items])
        return ("any", [("seq", choice) for choice in choices + [items]])

    return sequence(None)


def top_level(choices):
    head, words, tail = choices[0][:-1], [choices[0][-1]], choices[-1][1:]
    words += [choice[0] for choice in choices[1:]]
    return ("seq", [*head, ("any", words), *tail])


def write(tree, draw, out):
    kind, body = tree
    rng = draw.rng
    if kind == "word":
        drawn = draw(body)
        out += drawn if isinstance(drawn, list) else [drawn]
    elif kind == "seq":
        for item in body:
            write(item, draw, out)
    elif kind == "any":
        write(rng.choice(body), draw, out)
    elif kind == "maybe":
        if rng.random() < 0.5:
            write(body, draw, out)
    elif kind == "repeat":
        for _ in range(rng.choice([1, 1, 2, 3, 4])):
            write(body, draw, out)
    elif kind == "shuffle":
        items = list(body[1])
        rng.shuffle(items)
        for item in items:
            write(item, draw, out)


class Stream:
    """An endless stream of commands: lists of bytes. `families` picks the grammar lines."""

    def __init__(self, seed, families):
        self.rng = random.Random(seed)
        self.lines = []
        for family in families:
            lines = [line.strip() for line in FAMILIES[family].splitlines() if line.strip()]
            weight = 1 if family == "server" else 3
            self.lines += [parse(line) for line in lines for _ in range(weight)]

    def next(self):
        """(words, short): `short` when a key may expire within milliseconds."""
        draw = Draw(self.rng)
        words = []
        write(self.rng.choice(self.lines), draw, words)
        words = [w if isinstance(w, bytes) else w.encode() for w in words]
        name = words[0].decode("latin-1").upper()
        keeps_scores = name == "ZADD" and words[1].startswith(b"lex")
        if self.rng.random() < 0.08 and name not in FRAGILE and not keeps_scores:
            spoilt = self.spoil(words)
            # An entry named by the clock is another one on each side.
            words = words if name == "XADD" and b"*" in spoilt else spoilt
        if self.rng.random() < 0.1:
            words[0] = words[0].lower()
        return words, draw.short_ttl

    def spoil(self, words):
        words = list(words)
        at = self.rng.randrange(1, len(words)) if len(words) > 1 else 0
        how = self.rng.randrange(5)
        if how == 0 and len(words) > 1:
            del words[at]
        elif how == 1:
            words.insert(max(at, 1), self.rng.choice(ODD))
        elif how == 2 and at:
            words[at] = self.rng.choice(ODD)
        elif how == 3:
            words.append(words[at])
        else:
            words = words[:at] or words
        return words
