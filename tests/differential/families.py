"""Commands by family, in the notation that grammar.py explains."""

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
    "payloads": """
        RESTORE key 0 payload
        RESTORE key 0 payload REPLACE
        RESTORE key restorettl payload {[REPLACE] [ABSTTL] [IDLETIME small|FREQ small]}
        RESTORE key atms payload REPLACE ABSTTL
        RESTORE key restorettl value|payload [other] [other]
        RESTORE [key] [restorettl] [payload]
        DUMP key
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
        RPUSH key longvalue longvalue value... longvalue
        CONFIG SET list-compress-depth (0|1|2|x)
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
FRAGILE = {"WAIT", "SPOP", "LSET", "BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BLMPOP", "SETBIT", "SETRANGE", "BITFIELD", "DEBUG", "CLIENT", "CONFIG", "HELLO", "AUTH", "RESET", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT", "HGETEX", "HSETEX", "RESTORE"}
