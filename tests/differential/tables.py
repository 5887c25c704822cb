"""Compares what two servers say of themselves: COMMAND INFO, COMMAND DOCS and CONFIG GET."""

import compare

IGNORED_DOCS = {b"summary", b"complexity", b"history", b"since", b"doc_flags", b"module", b"deprecated_since", b"replaced_by"}


def flat_map(reply):
    kind, value = reply
    if kind == "map":
        return {k[1]: v for k, v in value}
    return {k[1]: v for k, v in zip(value[::2], value[1::2])}


def compare_tables(left, right):
    """Prints every entry that differs among those both have; the number of differences, at most 1."""
    bad = 0
    for title, ours, theirs in (
        ("COMMAND INFO", infos(left), infos(right)),
        ("COMMAND DOCS", docs(left), docs(right)),
        ("CONFIG GET", configs(left), configs(right)),
    ):
        missing = sorted(theirs.keys() - ours.keys())
        extra = sorted(ours.keys() - theirs.keys())
        differ = [n for n in sorted(ours.keys() & theirs.keys()) if ours[n] != theirs[n]]
        print(f"\n{title}: {len(ours)} and {len(theirs)} entries, {len(differ)} differ")
        print(f"  only right: {' '.join(n.decode() for n in missing)}")
        print(f"  only left:  {' '.join(n.decode() for n in extra)}")
        for name in differ:
            print(f"  {name.decode()}:\n    left  {ours[name]}\n    right {theirs[name]}")
        bad += len(differ)
    return int(bad > 0)


def infos(link):
    table = {}

    def add(entry):
        fields = entry[1]
        name = fields[0][1]
        table[name] = [compare.ordered(compare.without_notes(f)) if f[0] != "int" else f for f in fields[1:9]]
        for sub in fields[9][1]:
            add(sub)

    for entry in link.call("COMMAND")[1]:
        add(entry)
    return table


def docs(link):
    table = {}

    def add(name, entry):
        fields = flat_map(entry)
        for sub, body in flat_map(fields.pop(b"subcommands", ("array", []))).items():
            add(sub, body)
        table[name] = {k: v for k, v in fields.items() if k not in IGNORED_DOCS}

    for name, entry in flat_map(link.call("COMMAND", "DOCS")).items():
        add(name, entry)
    return table


def configs(link):
    own = (b"port", b"dir", b"bind")
    return {k: v for k, v in flat_map(link.call("CONFIG", "GET", "*")).items() if k not in own}
