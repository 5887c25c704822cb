"""Arguments for the commands of the differential run, drawn from one seeded generator."""

import hashlib

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
# Values as Redis 8.0 dumps them, one of every layout, and some that are damaged.
PAYLOADS = [
    b'\x00\xc190\x0c\x00V\xe2\xde\xe7i\xd6\x96\xf0',
    b'\x00\x04text\x0c\x00\xb7\x85\x12\xad0\x9f;x',
    b'\x00\xc3\n@P\x02aba\xe0B\x01\x01ab\x0c\x00_\xebk\xceK\xf4:\x0c',
    b'\x12\x01\x02\x10\x10\x00\x00\x00\x03\x00\x81a\x02\x01\x01\x82bb\x03\xff\x0c\x00\x14|\xc7\xd0D\xb7\x00\xd4',
    b'\x0b\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00,\x01\x0c\x00.f\x86N\x81\xbf\xb7\xe3',
    b'\x14\x0f\x0f\x00\x00\x00\x03\x00\x81a\x02\x81b\x02\x01\x01\xff\x0c\x00\x8c\x12V\xf2\xd02z\xa4',
    b'\x11\x1d\x1d\x00\x00\x00\x06\x00\x81c\x02\x84-inf\x05\x81a\x02\x01\x01\x81b\x02\x832.5\x04\xff\x0c\x00\xf2\xe4\x07[\x1b5\xact',
    b'\x10\x14\x14\x00\x00\x00\x04\x00\x81a\x02\x01\x01\x81b\x02\x83two\x04\xff\x0c\x00\xcf^\x81\xe5\x1b\xc8\xf5[',
    b'\x19\x00\xd8\xc3,\xbb\x03\x00\x00\x1d\x1d\x00\x00\x00\x06\x00\x81a\x02\x01\x01\xf4\x00\xd8\xc3,\xbb\x03\x00\x00\t\x81b\x02\x02\x01\x00\x01\xff\x0c\x00E\xa4y\\\x93\x9a\x9c\x04',
    b'\x15\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01..\x00\x00\x00\x11\x00\x02\x01\x00\x01\x01\x01\x81f\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81v\x02\x04\x01\x00\x01\x01\x01\xdf\xff\x02\x01\x01\x81g\x02\x81w\x02\x06\x01\xff\x02\x02\x00\x01\x01\x00\x00\x02\x01\x02g1\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01~\xb2\xc9\xfd\xa1\x01\x00\x00\x01\x01\x02c1~\xb2\xc9\xfd\xa1\x01\x00\x00~\xb2\xc9\xfd\xa1\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x0c\x00\x1d\r\x1c\xea\xde\xc7\x91\xed',
    b'\x02\x03\x01c\x01a\x01b\x0c\x00\x1em\xf60l\xa4\xf7\x8a',
    b'\x05\x02\x01b\x00\x00\x00\x00\x00\x00\x00@\x01a\x00\x00\x00\x00\x00\x00\xf0?\x0c\x00\xb0_\xaa\xd24\xbe\x96\x9d',
    b'\x04\x02\x01a\xc0\x01\x01b\xc0\x02\x0c\x00\xdcb\x0eV\x11\x8d\xc3\x15',
    b"\x12\x04\x02\n\n\x00\x00\x00\x01\x00\x81a\x02\xff\x01\xc3@oc(\x01yy\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\x0b\x00\x01yy\x02\xc3@MS\x99\n\x99\x13\x00\x00\x02\x00\x81b\x02\xf0\x88 \t\x00z\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xee\x00\x02'\x8d\xff\x02\xc3>O\xab\x08\xab\x0f\x00\x00\x01\x00\xef\xa0w\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\xff\x00\xe0\x1e\x00\x02\x1f\xa2\xff\x0c\x00\xbc\xedho\xf7\xcd\xcf\xd7",
    b'\x00\xc190\x0c\x00V\xe2\xde\xe7i\xd6\x96\x00',
    b'\x0b\x0e\x02\x00\x00\x00\x03\x00\x00',
    b'',
    b'\x00\x04textc\x00\xb7\x85\x12\xad0\x9f;x',
]  # fmt: skip


class Draw:
    """Draws arguments from one seeded generator. `short_ttl` tells that a key is about to go."""

    def __init__(self, rng):
        self.rng = rng
        self.short_ttl = False

    def __call__(self, name):
        return getattr(self, f"d_{name}")() if hasattr(self, f"d_{name}") else name

    def d_key(self):
        return f"k{self.rng.randrange(10)}"

    def d_restorettl(self):
        # Redis lets a duration that ends behind all time overflow, and the key is gone.
        return self.rng.choice([self.apart(1000), "0", "0", "-1", "x"])

    def d_payload(self):
        return self.rng.choice(PAYLOADS)

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
