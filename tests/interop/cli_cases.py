"""redis-cli in its modes: one-shot, pipe, scan, bigkeys, latency, stat, monitor and hints."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time

from harness import servers

PIPED = 1_000_000


def clis():
    """The redis-cli of 7.0 (or the machine's) and the one of 8.0."""
    servers.bring("redis8")
    return [servers.tool("cli"), str(servers.peers_dir() / "bin" / "redis8-cli")]


def run(target, *words, cli=None, text=None, timeout=60, status=0):
    line = [cli or servers.tool("cli"), "-p", str(target.port), *words]
    done = subprocess.run(line, input=text, capture_output=True, text=not isinstance(text, bytes), timeout=timeout)
    if status is not None and done.returncode != status:
        raise AssertionError(f"redis-cli {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def bounded(target, seconds, *words):
    """What a mode that never ends shows in a terminal within some seconds."""
    terminal = Terminal(servers.tool("cli"), "-p", str(target.port), *words)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        terminal.read(0.1)
    terminal.close()
    return terminal.text.decode()


def expect(actual, wanted):
    if actual != wanted:
        raise AssertionError(f"got {actual!r}, want {wanted!r}")


def one_shot(target):
    """one-shot commands, databases, stdin, repetition, exit status"""
    for cli in clis():
        target.call("FLUSHALL")
        expect(run(target, "SET", "greeting", "hello world", cli=cli), "OK\n")
        expect(run(target, "GET", "greeting", cli=cli), "hello world\n")
        expect(run(target, "--no-raw", "GET", "greeting", cli=cli), '"hello world"\n')
        expect(run(target, "--no-raw", "MGET", "greeting", "none", cli=cli), '1) "hello world"\n2) (nil)\n')
        expect(run(target, "--csv", "MGET", "greeting", "none", cli=cli), '"hello world",NULL\n')
        expect(run(target, "-3", "--no-raw", "GET", "none", cli=cli), "(nil)\n")
        expect(run(target, "-n", "3", "SET", "third", "x", cli=cli), "OK\n")
        expect(run(target, "-n", "3", "DBSIZE", cli=cli), "1\n")
        expect(run(target, "-x", "SET", "piped", cli=cli, text="from stdin"), "OK\n")
        expect(run(target, "GET", "piped", cli=cli), "from stdin\n")
        expect(run(target, "-r", "3", "INCR", "counter", cli=cli), "1\n2\n3\n")
        run(target, "-e", "INCR", "greeting", cli=cli, status=1)
        expect(run(target, "-u", f"redis://127.0.0.1:{target.port}/3", "GET", "third", cli=cli), "x\n")
        expect(run(target, cli=cli, text="SET a 1\nINCR a\nGET a\n"), "OK\n2\n2\n")


def json_output(target):
    """RESP3 replies as JSON"""
    cli = clis()[1]
    target.call("SET", "k", "v")
    expect(json.loads(run(target, "--json", "MGET", "k", "none", cli=cli)), ["v", None])
    pairs = json.loads(run(target, "--json", "CONFIG", "GET", "maxmemory", cli=cli))
    expect(pairs, {"maxmemory": "0"})


def mass_insertion(target):
    """--pipe inserts a million commands"""
    parts = []
    for n in range(PIPED):
        key, value = b"key:%d" % n, b"value:%d" % n
        parts.append(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(value), value))
    data = b"".join(parts)
    started = time.monotonic()
    shown = run(target, "--pipe", text=data, timeout=120).decode()
    seconds = time.monotonic() - started
    if f"errors: 0, replies: {PIPED}" not in shown:
        raise AssertionError(shown)
    expect(target.call("DBSIZE"), ("int", PIPED))
    expect(target.call("GET", "key:999999"), ("bulk", b"value:999999"))
    return f"{seconds:.1f} s"


def pipe_counts_errors(target):
    """--pipe counts the errors among the replies"""
    shown = run(target, "--pipe", text=b"SET a x\r\nINCR a\r\nNOSUCH\r\nSET b 1\r\n", status=1).decode()
    if "errors: 2, replies: 4" not in shown:
        raise AssertionError(shown)


def scan(target):
    """--scan lists every key that matches"""
    link = target.connect()
    for n in range(3000):
        link.send("SET", f"{'user' if n % 3 else 'job'}:{n}", n)
    for _ in range(3000):
        link.read()
    for cli in clis():
        expect(len(set(run(target, "--scan", cli=cli).split())), 3000)
        expect(len(set(run(target, "--scan", "--pattern", "job:*", cli=cli).split())), 1000)


def bigkeys(target):
    """--bigkeys and --memkeys find the largest string"""
    target.call("SET", "large", "x" * 100_000)
    for n in range(500):
        target.call("SET", f"small:{n}", "y" * (n % 50))
    for cli in clis():
        shown = run(target, "--bigkeys", cli=cli)
        if not re.search(r'Biggest string found\s+["\']*large["\']* has 100000 bytes', shown):
            raise AssertionError(shown)
        shown = run(target, "--memkeys", cli=cli)
        if not re.search(r'Biggest string found\s+["\']*large["\']* has 1\d{5} bytes', shown):
            raise AssertionError(shown)


def latency(target):
    """--latency and --latency-history measure for a bounded time"""
    words = run(target, "--latency", "--raw").split()
    low, high, average, samples = int(words[0]), int(words[1]), float(words[2]), int(words[3])
    if not (0 <= low <= average <= high and samples > 20):
        raise AssertionError(words)
    shown = bounded(target, 2.5, "--latency-history", "-i", "1")
    if len(re.findall(r"avg: [\d.]+ .*seconds range", shown)) < 2:
        raise AssertionError(shown)
    return f"{samples} samples, {average} ms on average"


def stat(target):
    """--stat prints keys, memory, clients and requests"""
    for n in range(20):
        target.call("SET", n, n)
    shown = bounded(target, 1.5, "--stat", "-i", "0.2")
    rows = re.findall(r"^(\d+)\s+(\d[\d.]*[KMGB]*)\s+(\d+)\s+(\d+)\s+(\d+) \(\+(\d+)\)\s+(\d+)", shown, re.MULTILINE)
    if len(rows) < 3 or rows[-1][0] != "20":
        raise AssertionError(shown)


def monitor(target):
    """MONITOR shows another client's commands"""
    process = subprocess.Popen(
        [servers.tool("cli"), "-p", str(target.port), "MONITOR"], stdout=subprocess.PIPE, text=True
    )
    try:
        expect(process.stdout.readline(), "OK\n")
        target.call("SET", "watched", "a\nb")
        line = process.stdout.readline()
    finally:
        process.kill()
    if not re.fullmatch(r'\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "SET" "watched" "a\\nb"\n', line):
        raise AssertionError(repr(line))


class Terminal:
    """redis-cli in a terminal of its own."""

    def __init__(self, *line):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", COLUMNS="200")
            os.execv(line[0], line)
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.text = b""

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, pattern, seconds=5):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if re.search(pattern, self.text):
                return
            self.read(0.1)
        raise AssertionError(f"no {pattern!r} in {self.text[-800:]!r}")

    def read(self, seconds):
        if select.select([self.fd], [], [], seconds)[0]:
            self.text += os.read(self.fd, 65536)

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def hints(target):
    """interactive hints and HELP come from COMMAND DOCS"""
    docs = target.connect(3).call("COMMAND", "DOCS", "GETEX")[1][0][1][1]
    summary = next(value[1] for name, value in docs if name[1] == b"summary")
    before = docs_calls(target)
    terminal = Terminal(clis()[1], "-p", str(target.port))
    try:
        terminal.wait_for(rb"\d> ")
        terminal.type("getex ")
        terminal.wait_for(rb"getex .*key \[EX seconds.*PERSIST\]")
        terminal.type("\x15help getex\r")
        # The next prompt too: what is typed before the line editor is back may be lost.
        shown = b"summary:.*" + re.escape(summary.rstrip(b".")[:30])
        terminal.wait_for(rb"(?s)" + shown + rb".*\d> ")
        terminal.type("set answer 42\r")
        terminal.wait_for(b"OK")
    finally:
        terminal.close()
    expect(target.call("GET", "answer"), ("bulk", b"42"))
    if docs_calls(target) <= before:
        raise AssertionError("redis-cli did not get an answer to COMMAND DOCS")


def docs_calls(target):
    line = target.connect().info("commandstats").get("cmdstat_command|docs", "calls=0")
    if "failed_calls=0" not in line and "failed_calls" in line:
        raise AssertionError(line)
    return int(re.search(r"calls=(\d+)", line)[1])


def eval_file(target):
    """--eval runs a script from a file"""
    file = target.server.dir / "script.lua"
    file.write_text("return redis.call('SET', KEYS[1], ARGV[1])")
    expect(run(target, "--eval", str(file), "key", ",", "value"), "OK\n")


eval_file.needs = ["EVAL"]


def rdb_download(target):
    """--rdb downloads a snapshot that redis-check-rdb accepts"""
    target.call("SET", "k", "v")
    file = target.server.dir / "downloaded.rdb"
    run(target, "--rdb", str(file))
    check = servers.peers_dir() / "bin" / "redis8-check-rdb"
    subprocess.run([check, file], check=True, capture_output=True)


rdb_download.needs = ["SYNC"]

CASES = [
    one_shot, json_output, mass_insertion, pipe_counts_errors, scan, bigkeys, latency, stat, monitor, hints,
    eval_file, rdb_download,
]  # fmt: skip
