"""Values of every type and encoding, on both sides of every threshold, and how each is read."""

import random
from dataclasses import dataclass, field

WIDE = [
    ("hash-max-listpack-entries", "128"), ("hash-max-listpack-value", "64"), ("zset-max-listpack-entries", "128"),
    ("zset-max-listpack-value", "64"), ("set-max-intset-entries", "512"), ("list-max-listpack-size", "-2"),
    ("stream-node-max-entries", "10"),
]  # fmt: skip
NARROW = [
    ("hash-max-listpack-entries", "2"), ("zset-max-listpack-entries", "2"), ("set-max-intset-entries", "2"),
    ("list-max-listpack-size", "3"), ("stream-node-max-entries", "2"),
]  # fmt: skip
# Small encodings stay what they are when a file is loaded.
CONFIG_AT_LOAD = ["--list-max-listpack-size", "3", "--hash-max-listpack-entries", "128"]


@dataclass
class Value:
    """A key, the commands that make it, and directives that must hold meanwhile."""

    name: str
    commands: list
    config: list = field(default_factory=lambda: WIDE)
    is_timed: bool = False
    # Made by commands that only ochre has; others take it without the deadlines of its members.
    is_ours: bool = False
    # Had deadlines, and has none: made where fields have deadlines, taken everywhere.
    is_persisted: bool = False

    @property
    def key(self):
        return self.name


def texts(count, longest=12, seed=1):
    """Different texts of every form: integers of every width, short, long, compressible, binary."""
    rng = random.Random(seed)
    forms = [
        lambda n: b"%d" % n, lambda n: b"-%d" % (n + 1), lambda n: b"%d" % (n * 7919 + 40000),
        lambda n: b"%d" % (n + 5_000_000_000), lambda n: b"%d" % (n - 2**63 + 1), lambda n: b"m%d" % n,
        lambda n: b"%d-" % n + b"ab" * longest, lambda n: b"0%d" % n,
        lambda n: b"%d\0\xff" % n + rng.randbytes(longest), lambda n: b"%d.5" % n,
    ]  # fmt: skip
    return [forms[n % len(forms)](n) for n in range(count)]


def strings():
    samples = [
        b"", b"0", b"-1", b"127", b"-128", b"128", b"32767", b"-32769", b"2147483647", b"-2147483648",
        b"2147483648", b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"007", b"+1", b"1.5",
        b"short", b"x" * 20, b"x" * 21, b"ab" * 5000, bytes(range(256)) * 3, b"a" * 1_000_000,
        random.Random(3).randbytes(70_000),
    ]  # fmt: skip
    for number, text in enumerate(samples):
        yield Value(f"string:{number}", [["SET", f"string:{number}", text]])
    yield Value("string:timed", [["SET", "string:timed", "x", "PXAT", "2000000000000"]])
    yield Value("string:hll", [["PFADD", "string:hll", *texts(500)]])


def lists():
    for count, longest, config in ((1, 5, WIDE), (9, 5, WIDE), (40, 5, NARROW), (2000, 9, WIDE), (30, 3000, WIDE)):
        key = f"list:{count}:{longest}"
        yield Value(key, [["RPUSH", key, *texts(count, longest)]], config)
    large = random.Random(5).randbytes(20_000)
    yield Value("list:large", [["RPUSH", "list:large", b"a", large, b"b" * 100_000, b"c"]])


def sets():
    for name, members, config in (
        ("ints16", range(-5, 40), WIDE), ("ints32", [1, 70_000, -70_000], WIDE), ("ints64", [1, 2**62, -(2**63)], WIDE),
        ("one", [7], WIDE), ("manyints", range(1000), WIDE), ("narrow", range(5), NARROW),
        ("pack", texts(20), WIDE), ("table", texts(400), WIDE), ("long", texts(9, 200), WIDE),
        ("mixed", [1, 2, b"x"], WIDE),
    ):  # fmt: skip
        yield Value(f"set:{name}", [["SADD", f"set:{name}", *members]], config)
        key = f"set:{name}:timed"
        timed = members_timed("SPEXPIREAT", key, list(members)[::2])
        yield Value(key, [["SADD", key, *members], timed], config, is_ours=True)


def members_timed(command, key, members):
    return [command, key, "2000000000123", "MEMBERS", str(len(members)), *members]


def hashes():
    for name, count, longest, config in (
        ("pack", 9, 5, WIDE), ("one", 1, 5, WIDE), ("table", 9, 5, NARROW), ("many", 600, 9, WIDE), ("long", 5, 500, WIDE),
    ):  # fmt: skip
        words = texts(2 * count, longest)
        yield Value(f"hash:{name}", [["HSET", f"hash:{name}", *words]], config)
        timed = [
            ["HPEXPIREAT", f"hash:{name}:timed", str(2_000_000_000_000 - number), "FIELDS", "1", words[2 * number]]
            for number in range(0, count, 2)
        ]
        key = f"hash:{name}:timed"
        yield Value(key, [["HSET", key, *words], *timed], config, is_timed=True)
    key = "hash:persisted"
    yield Value(key, [["HSET", key, "f", "v"], ["HPEXPIREAT", key, "2000000000000", "FIELDS", "1", "f"],
                      ["HPERSIST", key, "FIELDS", "1", "f"]], is_persisted=True)  # fmt: skip


def number(text):
    """A score: servers print the same one with more digits or fewer."""
    return float(text)


def sorted_sets():
    scores = [b"0", b"-0", b"1", b"-1", b"1.5", b"inf", b"-inf", b"3.3333333333333335", b"1e300", b"5e-324", b"9007199254740993"]
    for name, count, longest, config in (
        ("pack", 11, 5, WIDE), ("one", 1, 5, WIDE), ("list", 11, 5, NARROW), ("many", 700, 9, WIDE), ("long", 5, 200, WIDE),
    ):  # fmt: skip
        words = [word for n, text in enumerate(texts(count, longest)) for word in (scores[n % len(scores)], text)]
        yield Value(f"zset:{name}", [["ZADD", f"zset:{name}", *words]], config)
        key = f"zset:{name}:timed"
        timed = members_timed("ZPEXPIREAT", key, words[1::4])
        yield Value(key, [["ZADD", key, *words], timed], config, is_ours=True)
    equal = [word for text in texts(300) for word in (b"1", text)]
    yield Value("zset:equal", [["ZADD", "zset:equal", *equal]])


def streams():
    for name, count, config in (("small", 5, WIDE), ("nodes", 55, WIDE), ("many", 500, NARROW)):
        key = f"stream:{name}"
        add = [["XADD", key, f"{n // 3 + 1}-{n % 3}", "name", text, b"f%d" % (n % 2), "x"] for n, text in enumerate(texts(count), 1)]
        yield Value(key, add, config)
        less = [["XDEL", key + ":deleted", f"{n // 3 + 1}-{n % 3}"] for n in range(1, count, 4)]
        deleted = [[word if word != key else key + ":deleted" for word in words] for words in add]
        yield Value(key + ":deleted", deleted + less, config)
        group = key + ":group"
        deleted = [[word if word != key else group for word in words] for words in add]
        reads = [
            ["XGROUP", "CREATE", group, "g", "0"], ["XGROUP", "CREATE", group, "h", "$"],
            ["XREADGROUP", "GROUP", "g", "one", "COUNT", "3", "STREAMS", group, ">"],
            ["XREADGROUP", "GROUP", "g", "two", "COUNT", "1", "STREAMS", group, ">"],
            ["XGROUP", "CREATECONSUMER", group, "g", "idle"], ["XACK", group, "g", "1-1"],
        ]  # fmt: skip
        yield Value(group, deleted + reads, config)
    empty = "stream:empty"
    yield Value(empty, [["XADD", empty, "5-1", "a", "b"], ["XDEL", empty, "5-1"]])
    yield Value("stream:made", [["XGROUP", "CREATE", "stream:made", "g", "$", "MKSTREAM"]])


def all_values():
    for family in (strings, lists, sets, hashes, sorted_sets, streams):
        yield from family()


def plain(reply):
    """A reply without its kinds."""
    kind, value = reply
    if kind in ("array", "set", "push"):
        return [plain(item) for item in value]
    if kind == "map":
        return [item for pair in value for item in map(plain, pair)]
    return value


def pairs(flat):
    return {flat[n]: flat[n + 1] for n in range(0, len(flat), 2)}


def view(link, key):
    """What reading commands tell about a key."""
    ask = lambda *words: plain(link.call(*words))  # noqa: E731
    kind = ask("TYPE", key)
    seen = {"type": kind, "deadline": ask("PEXPIRETIME", key)}
    if kind == b"string":
        seen["value"] = ask("GET", key)
    elif kind == b"list":
        seen["value"] = ask("LRANGE", key, "0", "-1")
    elif kind == b"set":
        seen["value"] = sorted(ask("SMEMBERS", key))
        seen["count"] = ask("SCARD", key)
        seen["ends"] = ends(link, "SPEXPIRETIME", key, seen["value"])
    elif kind == b"hash":
        value = pairs(ask("HGETALL", key))
        seen["value"] = value
        times = link.call("HPEXPIRETIME", key, "FIELDS", str(len(value)), *value)
        seen["deadlines"] = [-1] * len(value) if times[0] == "error" else plain(times)
        if -1 != max(seen["deadlines"], default=-1):
            seen["deadlines"] = dict(zip(value, seen["deadlines"]))
        else:
            seen["deadlines"] = None
    elif kind == b"zset":
        flat = ask("ZRANGE", key, "0", "-1", "WITHSCORES")
        seen["value"] = [(flat[n], number(flat[n + 1])) for n in range(0, len(flat), 2)]
        seen["ends"] = ends(link, "ZPEXPIRETIME", key, flat[::2])
        seen["ranks"] = [ask("ZRANK", key, member) for member in flat[:20:2]]
    elif kind == b"stream":
        seen |= stream_view(ask, key)
    return seen


def ends(link, command, key, members):
    """When members go; None where nobody knows."""
    kind, times = link.call(command, key, "MEMBERS", str(len(members)), *members)
    return None if kind == "error" else plain((kind, times))


def stream_view(ask, key):
    info = pairs(ask("XINFO", "STREAM", key))
    names = (b"length", b"last-generated-id", b"max-deleted-entry-id", b"entries-added", b"recorded-first-entry-id")
    seen = {"value": ask("XRANGE", key, "-", "+"), "counters": {name: info[name] for name in names}, "groups": []}
    for group in map(pairs, ask("XINFO", "GROUPS", key)):
        name = group[b"name"]
        pending = [[item[0], item[1], item[3]] for item in ask("XPENDING", key, name, "-", "+", "1000")]
        consumers = [(one[b"name"], one[b"pending"]) for one in map(pairs, ask("XINFO", "CONSUMERS", key, name))]
        seen["groups"].append((group, pending, sorted(consumers)))
    return seen
