"""What the differential run sends: one line per command, by family.

A line is the command's grammar:
  WORD       itself                      name       a drawn argument, see draw.py
  [ ... ]    there or not                a|b|c      one of them (inside brackets or parentheses)
  ( ... )    a group                     x...       one to four times
  { ... }    the items inside, each there or not, in any order

To cover a new family, add its lines to families.py and its argument names to draw.py.
"""

import random
import re

from draw import ODD, Draw
from families import FAMILIES, FRAGILE

TOKEN = re.compile(r"\.\.\.|[\[\](){}|]|[^\s\[\](){}|.]+")


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
