"""When two replies count as the same.

Everything must be equal, type and bytes, except what these rules relax: replies that are random,
timed, or unordered by nature. Differences accepted for a reason stand in accepted.txt.
"""

import hashlib
import re
from dataclasses import dataclass

import draw
from harness import resp

TTL_SLACK = {"TTL": 1, "PTTL": 2500, "EXPIRETIME": 1, "PEXPIRETIME": 2500}
FIELD_TTL_SLACK = {"HTTL": 1, "HPTTL": 2500, "HEXPIRETIME": 1, "HPEXPIRETIME": 2500}
# Commands of which only the reply's type is compared (their content is the server's own).
SHAPE_ONLY = {
    "RANDOMKEY", "SRANDMEMBER", "ZRANDMEMBER", "HRANDFIELD", "COMMAND", "COMMAND COUNT", "COMMAND LIST", "TIME", "CLIENT ID", "MEMORY USAGE", "MEMORY DOCTOR", "MEMORY STATS", "LOLWUT", "INFO", "CLIENT INFO",
    "CLIENT LIST", "DUMP", "SLOWLOG GET", "SLOWLOG LEN", "LATENCY LATEST", "LATENCY DOCTOR", "LATENCY HISTOGRAM", "DEBUG JMAP",
}  # fmt: skip
UNORDERED = {"KEYS", "CONFIG GET", "ACL CAT", "SMEMBERS", "SPOP", "SINTER", "SUNION", "SDIFF", "HGETALL", "HKEYS", "HVALS"}
# Redis copies arguments into errors as C strings, which end at the first NUL.
AFTER_NUL = re.compile(rb"\x00[^']*")
HELP = re.compile(rb"^HELP$", re.IGNORECASE)
READERS = {
    # The form of a string is left out: what BITOP and INCRBYFLOAT write is packed again by ochre
    # (int, embstr) where Redis keeps it raw. unit/type/string checks the forms that clients rely on.
    b"string": [["GET"]],
    b"list": [["LRANGE", None, "0", "-1"], ["OBJECT", "ENCODING"]],
    b"set": [["SMEMBERS"], ["OBJECT", "ENCODING"]],
    # Nor is a sorted set's: Redis converts one for good when SORT reads it. The stream itself asks
    # for the encoding of keys that SORT never gets.
    b"zset": [["ZRANGE", None, "0", "-1", "WITHSCORES"]],
    b"hash": [["HGETALL"], ["OBJECT", "ENCODING"], ["HPEXPIRETIME", None, "FIELDS", "8", *"abcdefgh"]],
    b"stream": [["XRANGE", None, "-", "+"], ["XINFO", "STREAM", None, "FULL", "COUNT", "0"]],
}


def readers(kind, key):
    """The commands that show a key's whole value."""
    lines = []
    for words in READERS.get(kind, []):
        lines.append([key if w is None else w for w in words] if None in words else [*words, key])
    return lines


def name_of(words):
    first = bytes(words[0]).decode("latin-1").upper()
    second = bytes(words[1]).decode("latin-1").upper() if len(words) > 1 else ""
    return first, f"{first} {second}"


def same(words, a, b):
    if a == b:
        return True
    name, full = name_of(words)
    if a[0] == b[0] == "error" and name.startswith(("EVAL", "FCALL")):
        # What scripts raise is text here: bytes that are none are replaced.
        return plain(a[1]) == plain(b[1])
    if a[0] == b[0] == "closed":
        # Whether who reads sees an end or a reset is a matter of what was still on its way.
        return True
    if name.startswith("EVAL") and asks_in_table_order(words):
        return a[0] == b[0] and ordered(a) == ordered(b)
    if a[0] == b[0] == "error":
        return any(AFTER_NUL.sub(b"", one) == other for one, other in ((a[1], b[1]), (b[1], a[1])))
    if a[0] == "error" or b[0] == "error" or a[0] == "closed" or b[0] == "closed":
        return False
    if len(words) > 1 and isinstance(words[1], bytes) and HELP.match(words[1]):
        return a[0] == b[0]
    if name in TTL_SLACK:
        return a[0] == b[0] == "int" and close(a[1], b[1], TTL_SLACK[name])
    if name in FIELD_TTL_SLACK:
        return all_close(a, b, FIELD_TTL_SLACK[name])
    whole_table = words[1:] in ([], [b"INFO"]) if name == "COMMAND" else name in SHAPE_ONLY
    if full in SHAPE_ONLY or whole_table or b"*" in words[2:]:
        return shape(a) == shape(b)
    if name in UNORDERED or full in UNORDERED:
        return a[0] == b[0] and ordered(a) == ordered(b)
    if name in ("XINFO", "XPENDING"):
        return timeless(a, name) == timeless(b, name)
    if name in ("SCAN", "SSCAN", "HSCAN", "ZSCAN") and a[0] == b[0] == "array":
        return same_scan(words, a, b)
    if name == "HELLO":
        return same_hello(a, b)
    if full == "COMMAND INFO":
        return ordered(without_notes(a)) == ordered(without_notes(b))
    if name == "LOOK":
        return same_look(a, b)
    return False


def asks_in_table_order(words):
    """Whether a script answers what is in the order of each server's own table."""
    asked = bytes(words[1]).lower() if len(words) > 1 else b""
    scripts = [script.encode() for script in draw.SCRIPTS if "hgetall" in script]
    return any(asked in (script.lower(), hashlib.sha1(script).hexdigest().encode()) for script in scripts)


def plain(text):
    return re.sub(r"[^ -~]+", "?", AFTER_NUL.sub(b"", text).decode("utf-8", "replace"))


def same_in_order(words, a, b, queue):
    """The same, where EXEC answers for the commands in `queue`, which is kept up to date."""
    if a == b == ("simple", b"QUEUED"):
        queue.append(words)
        return True
    name = name_of(words)[0]
    queued = list(queue)
    if name in ("EXEC", "DISCARD", "RESET") or "closed" in (a[0], b[0]):
        queue.clear()
    if name == "EXEC" and a[0] == b[0] == "array" and len(a[1]) == len(b[1]) == len(queued):
        return all(same(*each) for each in zip(queued, a[1], b[1]))
    return same(words, a, b)


def close(a, b, slack):
    return a == b or (a > 0 and b > 0 and abs(a - b) <= slack)


def all_close(a, b, slack):
    """Whether these are arrays of moments or durations that are near each other."""
    if a[0] != "array" or b[0] != "array" or len(a[1]) != len(b[1]):
        return a == b
    return all(x == y or x[0] == y[0] == "int" and close(x[1], y[1], slack) for x, y in zip(a[1], b[1]))


def shape(reply):
    kind, value = reply
    if kind == "nil":
        return "nil"
    return kind if kind in ("array", "map", "set") else (kind,)


def ordered(reply):
    """The reply with every aggregate sorted: equal for equal multisets."""
    kind, value = reply
    if kind in ("array", "set", "push"):
        return (kind, sorted((ordered(item) for item in value), key=repr))
    if kind == "map":
        return (kind, sorted(((ordered(k), ordered(v)) for k, v in value), key=repr))
    return reply


def without_notes(reply):
    """Key specifications without their `notes`, which every server words for itself."""
    kind, value = reply
    if kind == "map":
        return (kind, [(k, without_notes(v)) for k, v in value if k[1] != b"notes"])
    if kind not in ("array", "set"):
        return reply
    if value and value[0] == ("bulk", b"notes"):
        value = value[2:]
    return (kind, [without_notes(item) for item in value])


# What is about times, about Redis's radix tree, or newer than Redis 8.0.
TIMES = {b"idle", b"inactive", b"seen-time", b"active-time"}
BEYOND = {
    b"radix-tree-nodes", b"idmp-duration", b"idmp-maxsize", b"pids-tracked", b"iids-tracked", b"iids-added", b"iids-duplicates",
    b"nacked-count",
}  # fmt: skip
MOMENT_MIN = 10**11


def timeless(reply, name):
    """What XINFO and XPENDING tell, without times: only whether there are any."""
    kind, value = reply
    if kind == "int" and value > MOMENT_MIN:
        return (kind, "moment")
    if kind == "map":
        kind, value = "array", [item for pair in value for item in pair]
    if kind != "array":
        return reply
    kept, at = [], 0
    while at < len(value):
        item, at = value[at], at + 1
        word = item[1] if item[0] == "bulk" and at < len(value) and name == "XINFO" else None
        if word in BEYOND:
            at += 1
        elif word in TIMES:
            kept += [item, value[at][1] >= 0]
            at += 1
        else:
            kept.append(timeless(item, name))
    if name == "XPENDING" and len(value) == 4 and value[2][0] == value[3][0] == "int":
        kept[2] = "idle"
    return (kind, kept)


def same_scan(words, a, b):
    """A scan is compared when both went through in one call; cursors are the server's own."""
    if a[0] != "array" or b[0] != "array":
        return False
    done = words[1 if words[0].upper() == b"SCAN" else 2] == b"0" and a[1][0] == b[1][0] == ("bulk", b"0")
    return not done or ordered(a[1][1]) == ordered(b[1][1])


def same_hello(a, b):
    """The fields' names in order, and the values but those of the server itself."""

    def fields(reply):
        kind, value = reply
        pairs = value if kind == "map" else list(zip(value[::2], value[1::2]))
        return kind, [(k, None if k[1] in (b"version", b"id", b"modules") else v) for k, v in pairs]

    return fields(a) == fields(b)


def same_look(a, b):
    if len(a[1]) != len(b[1]):
        return False
    for (_, one), (_, other) in zip(a[1], b[1]):
        if len(one) != len(other) or not all(map(same_shown, one[:-1], other[:-1])):
            return False
        if not close(one[-1][1], other[-1][1], 2500):
            return False
    return True


def same_shown(a, b):
    return ordered_look(a) == ordered_look(b) or all_close(a, b, 2500)


def ordered_look(reply):
    if reply[0] in ("array", "map") and len(reply[1]) > 2 and reply[1][0] == ("bulk", b"length"):
        return timeless(reply, "XINFO")
    return ordered(reply)


@dataclass
class Accepted:
    """One line of accepted.txt."""

    left: str
    right: str
    command: re.Pattern
    reason: str
    used: int = 0


def load_accepted(path, left, right):
    """Lines `left<TAB>right<TAB>regexp over "command => right's reply (left: its own)"<TAB>reason`."""
    rules = []
    for line in path.read_text().splitlines() if path.exists() else []:
        if line.strip() and not line.startswith("#"):
            one, other, pattern, reason = line.split("\t")
            if (one, other) == (left, right):
                rules.append(Accepted(one, other, re.compile(pattern, re.IGNORECASE | re.DOTALL), reason))
    return rules


def since_watch(script):
    """The commands behind the last WATCH."""
    names = []
    for step in reversed([step for step in script if step[0] == "send"]):
        name = step[2][0].decode("latin-1").upper()
        if name == "WATCH":
            break
        names.append(name)
    return names[::-1]


def accepted(rules, script, ours, theirs):
    """The rule that allows the script's last step to differ so."""
    if script[-1][0] != "send":
        return None
    words = script[-1][2]
    line = b" ".join(words).decode("latin-1")
    if words[0].upper() == b"EXEC":
        line += f" after {' '.join(since_watch(script[:-1]))}"
    line += f" => {resp.show(theirs, 200)} (left: {resp.show(ours, 200)})"
    for rule in rules:
        if rule.command.match(line):
            rule.used += 1
            return rule
    return None
