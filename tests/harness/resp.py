"""A small client of both dialects that keeps every reply's exact type.

A reply is a pair (type, value): ("bulk", b"x"), ("int", 1), ("error", b"ERR ..."), ("nil", b"$"),
("array", [...]), ("map", [(k, v), ...]), ("double", b"1.5"), ... Aggregates hold such pairs.
"""

import socket

AGGREGATES = {b"*": "array", b"~": "set", b">": "push"}
LINES = {b"+": "simple", b"-": "error", b",": "double", b"(": "bignum"}
BLOBS = {b"$": "bulk", b"=": "verbatim", b"!": "bloberror"}


class Closed(Exception):
    """The server closed the connection."""


class Connection:
    """One connection; `call` sends a command and returns its reply."""

    def __init__(self, port, host="127.0.0.1", dialect=2, timeout=30):
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.at = 0
        if dialect != 2:
            self.call("HELLO", dialect)

    def close(self):
        self.socket.close()

    def send(self, *words):
        self.socket.sendall(encode(words))

    def call(self, *words):
        self.send(*words)
        return self.read()

    def text(self, *words):
        """The reply's payload as text, for commands that answer with one string."""
        kind, value = self.call(*words)
        if kind == "error":
            raise RuntimeError(value.decode())
        if kind == "verbatim":
            value = value[4:]
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)

    def info(self, *sections):
        lines = self.text("INFO", *sections).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))

    def _more(self):
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise Closed
        self.buffer = self.buffer[self.at :] + chunk
        self.at = 0

    def _line(self):
        while True:
            end = self.buffer.find(b"\r\n", self.at)
            if end >= 0:
                line = self.buffer[self.at : end]
                self.at = end + 2
                return line
            self._more()

    def _take(self, count):
        while len(self.buffer) - self.at < count + 2:
            self._more()
        data = self.buffer[self.at : self.at + count]
        self.at += count + 2
        return data

    def read(self):
        line = self._line()
        mark, rest = line[:1], line[1:]
        if mark in LINES:
            return LINES[mark], rest
        if mark == b":":
            return "int", int(rest)
        if mark == b"_":
            return "nil", mark
        if mark == b"#":
            return "bool", rest
        if mark in BLOBS:
            return (BLOBS[mark], self._take(int(rest))) if rest != b"-1" else ("nil", mark)
        if mark in AGGREGATES:
            if rest == b"-1":
                return "nil", mark
            return AGGREGATES[mark], [self.read() for _ in range(int(rest))]
        if mark in b"%|" and mark:
            pairs = [(self.read(), self.read()) for _ in range(int(rest))]
            return ("map", pairs) if mark == b"%" else ("attribute", [pairs, self.read()])
        raise ValueError(f"not a reply: {line!r}")


def encode(words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def show(reply, limit=300):
    """A reply in one line, for people."""
    kind, value = reply
    if kind in ("array", "set", "push"):
        text = f"{kind}[{', '.join(show(item, limit) for item in value)}]"
    elif kind == "map":
        text = "map{" + ", ".join(f"{show(k, limit)}: {show(v, limit)}" for k, v in value) + "}"
    else:
        text = f"{kind} {value!r}"
    return text if len(text) <= limit else text[: limit - 3] + "..."
