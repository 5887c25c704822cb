#!/usr/bin/env python3
"""ochre, Redis 8.0 and Valkey 9.1 measured side by side on one machine.

  benches/side_by_side.py                              every row, three rounds
  benches/side_by_side.py --list                       the rows
  benches/side_by_side.py --rows 'get.*,rss.*' --rounds 5
  benches/side_by_side.py --servers ochre,valkey9 --scale 0.2    a fifth of the requests

The server runs on core 0, the load on core 1 (valkey-benchmark, 50 clients, 16-byte keys and
values, 1M random keys unless the row says otherwise). Servers take turns within each round, each
in a fresh process; a row's figure is the median over the rounds. `us CPU` is the run time of all
the server's threads over the requests: trust it before requests/s, which the load generator and
the machine's other work bound too. On a machine that does other work, --realtime keeps it out of
the pauses (rows growth.* and expiry.*). The last column divides by the best of the peers.
"""

import argparse
import csv
import fnmatch
import gc
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))
from harness import resp, servers  # noqa: E402

SERVER_CORE, LOAD_CORE = "0", "1"
CONF = "save \"\"\nmaxclients 20000\nappendonly no\nprotected-mode no\n"
MILLION = 1_000_000


# --- the server under measurement ---------------------------------------------------------------


class Measured(servers.Server):
    """A server pinned to its core, with the figures the kernel keeps of it."""

    realtime = False

    def __init__(self, name):
        first_in_line = ("chrt", "--fifo", "10") if self.realtime else ()
        super().__init__(name, conf=CONF, prefix=(*first_in_line, "taskset", "-c", SERVER_CORE))
        self.link = resp.Connection(self.port, timeout=120)

    def cpu_seconds(self):
        total = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def rss(self):
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) * 1024

    def load(self, commands, reply=b"+OK\r\n"):
        """Sends an iterable of encoded commands as fast as they are taken."""
        link = resp.Connection(self.port, timeout=120).socket
        batch, waiting = [], 0

        def settle(count):
            left = count * len(reply)
            while left:
                chunk = link.recv(min(left, 1 << 20))
                if not chunk or b"-" in chunk:
                    raise RuntimeError(f"{self.name} refused the data: {chunk[:200]!r}")
                left -= len(chunk)

        for command in commands:
            batch.append(command)
            if len(batch) == 2000:
                link.sendall(b"".join(batch))
                settle(waiting)
                batch, waiting = [], 2000
        link.sendall(b"".join(batch))
        settle(waiting + len(batch))
        link.close()

    def fill(self, count, value, tail=b"", words=3):
        """`count` keys of 16 bytes, as the benchmark's __rand_int__ spells them."""
        data = b"$%d\r\n%s\r\n%s" % (len(value), value, tail)
        self.load(b"*%d\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n%s" % (words, n, data) for n in range(count))


def benchmark(server, *words, timeout=600):
    """Runs the load generator on its core; its standard output."""
    program = servers.peers_dir() / "bin" / "valkey9-benchmark"
    first_in_line = ["chrt", "--fifo", "5"] if Measured.realtime else []
    line = [*first_in_line, "taskset", "-c", LOAD_CORE, program, "-p", str(server.port), *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=timeout)
    if done.returncode or "rror" in done.stdout + done.stderr:
        raise RuntimeError(f"load on {server.name}: {done.stdout[-400:]}{done.stderr[-400:]}")
    return done.stdout


# --- rows ---------------------------------------------------------------------------------------


class Load:
    """A row of requests: CPU and requests/s. `words` follow -n, -c, -P and -r.

    With many clients the CPU is that of the requests alone: a run that is just long enough for all
    to come and go is taken off. The requests/s are those of the whole run."""

    columns = ("us CPU", "k req/s")

    def __init__(self, name, data, words, requests, pipeline=1, clients=50, space=MILLION):
        self.name, self.data, self.words = name, data, words
        self.requests, self.pipeline, self.clients, self.space = requests, pipeline, clients, space

    def run(self, server, scale):
        count = max(int(self.requests * scale), self.clients * self.pipeline * 20)
        options = ["--csv", "-c", self.clients, "-P", self.pipeline, "-r", self.space]
        benchmark(server, *options, "-n", count // 10, *self.words)  # warms both up
        fewer = self.clients * 5 if self.clients > 50 else 0  # what as many take to come and go
        extra = self.spend(server, [*options, "-n", fewer])[0] if fewer else 0
        spent, out = self.spend(server, [*options, "-n", count])
        rows = [row for row in csv.reader(out.splitlines()) if row and row[0] != "test"]
        return (spent - extra) / (count - fewer) * 1e6, float(rows[-1][1]) / 1000

    def spend(self, server, options):
        before = server.cpu_seconds()
        out = benchmark(server, *options, *self.words)
        return server.cpu_seconds() - before, out


class Figure:
    """A row measured by a function of (server, scale) that returns its columns."""

    def __init__(self, name, data, columns, work):
        self.name, self.data, self.columns, self.work = name, data, columns, work

    def run(self, server, scale):
        return self.work(server, scale)


def rss_per_key(command, reply=b"+OK\r\n", most=2 * MILLION):
    """Bytes per key, the keys set by `command(n)`."""

    def work(server, scale):
        count = max(most // 2, int(most * scale))  # fewer would weigh the fixed costs
        time.sleep(0.3)
        before = server.rss()
        server.load((command(n) for n in range(count)), reply)
        time.sleep(1.5)  # a table that grows in steps comes to rest
        return ((server.rss() - before) / count,)

    return work


def set_value(n):
    return b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$32\r\n%032x\r\n" % (n, n * 0x9E3779B97F4A7C15)


def set_with_ttl(n):
    at = 4102444800 + n % 100_000
    return b"*5\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$32\r\n%032x\r\n$4\r\nEXAT\r\n$10\r\n%010d\r\n" % (n, n * 0x9E3779B97F4A7C15, at)


def set_integer(n):
    return b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$9\r\n%09d\r\n" % (n, 100_000_000 + n)


def request(*words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def word(n):
    """16 bytes that no integer fits."""
    return b"%016x" % (n * 0x9E3779B97F4A7C15 % (1 << 64) | 0xA << 60)


def small_hash(n):
    return request("HSET", "key:%012d" % n, *(w for at in range(5) for w in ("field:%d" % at, word(5 * n + at))))


def small_list(n):
    return request("RPUSH", "key:%012d" % n, *(word(8 * n + at) for at in range(8)))


def small_set(n):
    return request("SADD", "key:%012d" % n, *(word(8 * n + at) for at in range(8)))


def small_integers(n):
    return request("SADD", "key:%012d" % n, *(1_000_000 + 997 * n % 1_000_000 + at for at in range(8)))


def small_sorted_set(n):
    return request("ZADD", "key:%012d" % n, *(w for at in range(5) for w in (100_000_000 + 7 * n + at, b"m" + word(5 * n + at))))


def sorted_set_of_200(n):
    return request("ZADD", "key:%012d" % n, *(w for at in range(200) for w in (100_000_000 + 7 * n + at, b"m" + word(200 * n + at))))


def rss_per_element(command, element, count=4 * MILLION):
    """Bytes per element of one large collection, of which `element(n)` gives the words."""

    def work(server, scale):
        time.sleep(0.3)
        before = server.rss()
        total = fill_large(server, command, element, max(MILLION, int(count * scale)))
        time.sleep(1.5)
        return ((server.rss() - before) / total,)

    return work


def fill_large(server, command, element, count, at_once=500):
    for start in range(0, count, at_once):
        words = [w for n in range(start, start + at_once) for w in element(n)]
        reply = server.link.call(*command, *words)
        if reply[0] == "error":
            raise RuntimeError(f"{server.name} refused the data: {reply[1]!r}")
    return -(-count // at_once) * at_once


def send(server, lines):
    """Sends encoded requests, whatever they reply as long as it is no error."""
    while batch := [line for _, line in zip(range(1000), lines)]:
        server.link.socket.sendall(b"".join(batch))
        for _ in batch:
            if server.link.read()[0] == "error":
                raise RuntimeError(f"{server.name} refused the data")


def rss_per_entry(server, scale):
    """Bytes per entry of one large stream: two short fields each."""
    count = max(MILLION, int(2 * MILLION * scale))
    time.sleep(0.3)
    before = server.rss()
    send(server, (request("XADD", "large", "%015d-0" % (n + 1), "sensor", n % 1000, "value", b"%08x" % (n * 2654435761 % (1 << 32))) for n in range(count)))
    time.sleep(1.5)
    return ((server.rss() - before) / count,)


def fill_collections(server, scale):
    """Collections of 100,000 elements, some of a million to take from, and 50,000 hashes of 20 fields."""
    some, many = 100_000, 1_200_000
    fill_large(server, ["RPUSH", "list"], lambda n: (VALUE,), many)
    fill_large(server, ["SADD", "set"], lambda n: (b"element:%012d" % n,), some)
    fill_large(server, ["SADD", "bag"], lambda n: (b"element:%012d" % n,), many)
    fill_large(server, ["HSET", "hash"], lambda n: (b"element:%012d" % n, VALUE), some)
    fill_large(server, ["ZADD", "sorted"], lambda n: (n * 7919 % 1_000_003, b"element:%012d" % n), some)
    fill_large(server, ["ZADD", "queue"], lambda n: (n * 7919 % 1_000_003, b"element:%012d" % n), many)
    rng = random.Random(7)
    fill_large(server, ["GEOADD", "places"], lambda n: (rng.uniform(13, 16), rng.uniform(36, 39), b"place:%d" % n), 100_000)
    send(server, (request("HSET", "hash:%012d" % n, *(w for at in range(20) for w in ("field:%d" % at, VALUE))) for n in range(50_000)))
    send(server, (request("XADD", "stream", "*", "field", VALUE) for _ in range(100_000)))


PROBE = """
import gc, os, socket, sys, time
port, core = int(sys.argv[1]), int(sys.argv[2])
os.sched_setaffinity(0, {core})
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
except OSError:
    pass  # without the right to it the load generator's turns show up as pauses
gc.disable()
os.set_blocking(0, False)
link = socket.create_connection(("127.0.0.1", port))
link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
took, clock = [], time.perf_counter_ns
stop = False
while not stop:
    begun = clock()
    link.sendall(b"PING\\r\\n")
    link.recv(64)
    took.append(clock() - begun)
    time.sleep(0.0004)
    try:
        stop = os.read(0, 1) is not None
    except BlockingIOError:
        pass
took.sort()
print(took[int(len(took) * 0.999)], took[-1])
"""


class Prober:
    """Asks PING two thousand times a second from a process of its own, first in line on its core."""

    def __init__(self, port):
        line = [sys.executable, "-c", PROBE, str(port), LOAD_CORE]
        self.process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def finish(self):
        """(p99.9, maximum) in milliseconds."""
        out, _ = self.process.communicate(b"x", timeout=60)
        p999, worst = map(int, out.split())
        return p999 / 1e6, worst / 1e6


def growth(server, scale):
    """The pauses a quiet client sees while 10M keys come in at 200k/s, and before: the machine's own."""
    count = int(10 * MILLION * scale)
    quiet = Prober(server.port)
    time.sleep(3)
    floor = quiet.finish()
    prober = Prober(server.port)
    options = ["-n", count, "-c", 10, "-P", 16, "-r", count, "--sequential", "--rps", 200_000, "-d", 16]
    benchmark(server, "--csv", "-t", "set", *options)
    pauses = prober.finish()
    size = server.link.call("DBSIZE")[1]
    if size < count * 0.99:
        raise RuntimeError(f"{size} keys of {count} arrived")
    return *pauses, *floor


def percentile(out, wanted):
    """The latency of valkey-benchmark's own table at the first percentile not below `wanted`."""
    rows = re.findall(r"^([\d.]+)% <= ([\d.]+) milliseconds", out.split("Cumulative")[0], re.MULTILINE)
    return next(float(ms) for percent, ms in rows if float(percent) >= wanted)


def load_expiring(server, count, spread_ms, lead_s):
    """`count` keys that go within `spread_ms` milliseconds; the moment (ms) at which the first does."""
    rng = random.Random(7)
    start = int((time.time() + lead_s) * 1000)
    when = [start + rng.randrange(spread_ms) for _ in range(count)]
    server.load(
        b"*5\r\n$3\r\nSET\r\n$16\r\nttl:%012d\r\n$16\r\n0123456789abcdef\r\n$4\r\nPXAT\r\n$13\r\n%d\r\n" % (n, at)
        for n, at in enumerate(when)
    )
    if time.time() * 1000 > start:
        raise RuntimeError("the keys took longer to load than they were given")
    return start


def expiring_others(server, scale):
    """p99.9 of GETs at 20k/s while 500k keys expire within one second."""
    server.fill(100_000, b"0123456789abcdef")
    start = load_expiring(server, int(500_000 * scale), 1000, 6 * max(scale, 0.5))
    time.sleep(max(0, start / 1000 - time.time() - 0.3))
    out = benchmark(server, "-t", "get", "-n", 40_000, "-c", 50, "-r", 100_000, "--rps", 20_000)
    return (percentile(out, 99.9), percentile(out, 100))


def expiring_last(server, scale):
    """How long after the last of 1M deadlines, spread over 5 s, DBSIZE is 0."""
    spread = 5000
    start = load_expiring(server, int(MILLION * scale), spread, 10 * max(scale, 0.5))
    last = (start + spread) / 1000
    time.sleep(max(0, last - time.time()))
    while server.link.call("DBSIZE")[1] > 0:
        if time.time() > last + 30:
            return (30_000.0,)
        time.sleep(0.0005)
    return ((time.time() - last) * 1000,)


def idle(server, _scale):
    """CPU of a server with 1,000 clients that say nothing."""
    clients = [resp.Connection(server.port) for _ in range(1000)]
    for client in clients:
        client.call("PING")
    time.sleep(1)
    before = server.cpu_seconds()
    time.sleep(5)
    percent = (server.cpu_seconds() - before) / 5 * 100
    for client in clients:
        client.close()
    return (percent,)


def start(server, _scale):
    """From the start of the process to the first answered PING, and its memory then."""
    return server.started_in * 1000, server.rss() / (1 << 20)


VALUE = b"0123456789abcdef"
DATASETS = {
    "empty": lambda server, scale: None,
    "10k": lambda server, scale: server.fill(10_000, VALUE),
    "1m": lambda server, scale: server.fill(MILLION, VALUE),
    "10m": lambda server, scale: server.fill(10 * MILLION, VALUE),
    "numbers": lambda server, scale: server.fill(MILLION, b"100"),
    "collections": fill_collections,
    "16k": lambda server, scale: server.fill(10_000, b"x" * 16384),
}


ELEMENT = "element:__rand_int__"
# Name, words, requests, range of the random numbers. What takes away stays below what is there.
COLLECTION_LOADS = [
    ("lpush.16", "LPUSH list 0123456789abcdef", MILLION, MILLION),
    ("rpop.16", "RPOP list", MILLION, MILLION),
    ("lrange100.16", "LRANGE list 0 99", 200_000, MILLION),
    ("sadd.16", f"SADD set {ELEMENT}", 2 * MILLION, 100_000),
    ("spop.16", "SPOP bag", MILLION, MILLION),
    ("hset.16", f"HSET hash {ELEMENT} 0123456789abcdef", 2 * MILLION, 100_000),
    ("hget.16", f"HGET hash {ELEMENT}", 2 * MILLION, 100_000),
    ("hgetall20.16", "HGETALL hash:__rand_int__", 400_000, 50_000),
    ("pfadd.16", f"PFADD sketch {ELEMENT}", 2 * MILLION, MILLION),
    ("setbit.16", "SETBIT bits:__rand_int__ 7 1", 2 * MILLION, MILLION),
    ("zadd.16", f"ZADD sorted __rand_int__ {ELEMENT}", MILLION, 100_000),
    ("zrank.16", f"ZRANK sorted {ELEMENT}", MILLION, 100_000),
    ("zrange100.16", "ZRANGE sorted 50000 50099", 200_000, MILLION),
    ("zpopmin.16", "ZPOPMIN queue", MILLION, MILLION),
    ("xadd.16", "XADD stream * field 0123456789abcdef", MILLION, MILLION),
    ("xrange100.16", "XRANGE stream - + COUNT 100", 100_000, MILLION),
    ("geosearch.16", "GEOSEARCH places FROMLONLAT 14.5 37.5 BYRADIUS 10 km ASC", 50_000, MILLION),
]
SMALL_COLLECTIONS = [
    ("hash5", small_hash, b":5\r\n"),
    ("list8", small_list, b":8\r\n"),
    ("set8", small_set, b":8\r\n"),
    ("ints8", small_integers, b":8\r\n"),
    ("zset5", small_sorted_set, b":5\r\n"),
]
LARGE_COLLECTIONS = [
    ("bigzset", ["ZADD", "large"], lambda n: (n * 7919 % 1_000_003, b"m" + word(n))),
    ("bighash", ["HSET", "large"], lambda n: (b"field:%010d" % n, word(n))),
    ("bigset", ["SADD", "large"], lambda n: (word(n),)),
    ("biglist", ["RPUSH", "large"], lambda n: (word(n),)),
]


def all_rows():
    get, put = ["GET", "key:__rand_int__"], ["SET", "key:__rand_int__", "0123456789abcdef"]
    incr = ["INCR", "key:__rand_int__"]
    mget = ["MGET"] + ["key:__rand_int__"] * 10
    mset = ["MSET"] + ["key:__rand_int__", "0123456789abcdef"] * 10
    rows = []
    for name, data, words in (("get", "1m", get), ("set", "1m", put), ("incr", "numbers", incr)):
        for pipeline, requests in ((1, 300_000), (16, 3 * MILLION), (64, 5 * MILLION)):
            rows.append(Load(f"{name}.{pipeline}", data, words, requests, pipeline))
    rows.append(Load("mget10.16", "1m", mget, MILLION, 16))
    rows.append(Load("mset10.16", "1m", mset, 600_000, 16))
    rows.append(Load("get16k.16", "16k", get, 400_000, 16, space=10_000))
    rows.append(Load("keys.10k", "10k", get, 3 * MILLION, 16, space=10_000))
    rows.append(Load("keys.1m", "1m", get, 3 * MILLION, 16))
    rows.append(Load("keys.10m", "10m", get, 3 * MILLION, 16, space=10 * MILLION))
    rows.append(Load("clients.100", "1m", get, 400_000, clients=100))
    rows.append(Load("clients.10000", "1m", get, 400_000, clients=10_000))
    for name, words, requests, space in COLLECTION_LOADS:
        rows.append(Load(name, "collections", words.split(), requests, 16, space=space))
    rows.append(Figure("rss.value", "empty", ("B per key",), rss_per_key(set_value)))
    rows.append(Figure("rss.ttl", "empty", ("B per key",), rss_per_key(set_with_ttl)))
    rows.append(Figure("rss.integer", "empty", ("B per key",), rss_per_key(set_integer)))
    for name, command, reply in SMALL_COLLECTIONS:
        rows.append(Figure(f"rss.{name}", "empty", ("B per key",), rss_per_key(command, reply, MILLION)))
    rows.append(Figure("rss.zset200", "empty", ("B per key",), rss_per_key(sorted_set_of_200, b":200\r\n", 40_000)))
    for name, command, element in LARGE_COLLECTIONS:
        rows.append(Figure(f"rss.{name}", "empty", ("B each",), rss_per_element(command, element)))
    rows.append(Figure("rss.bigstream", "empty", ("B each",), rss_per_entry))
    rows.append(Figure("growth.10m", "empty", ("p99.9 ms", "max ms", "idle p99.9 ms", "idle max ms"), growth))
    rows.append(Figure("expiry.500k", "empty", ("p99.9 ms", "max ms"), expiring_others))
    rows.append(Figure("expiry.1m", "empty", ("ms after last",), expiring_last))
    rows.append(Figure("idle.1000", "empty", ("% CPU",), idle))
    rows.append(Figure("start", "empty", ("ms to PING", "MiB RSS"), start))
    return rows


# --- rounds and the table -----------------------------------------------------------------------


def groups(rows):
    """Rows that can share a process: those on one data set. Each row on `empty` stands alone."""
    shared = {}
    for row in rows:
        shared.setdefault(row.name if row.data == "empty" else row.data, []).append(row)
    return list(shared.values())


def measure(rows, names, rounds, scale):
    """results[row][server] = list of column tuples, one per round."""
    results = {row.name: {name: [] for name in names} for row in rows}
    for number in range(rounds):
        for group in groups(rows):
            for name in names if number % 2 == 0 else reversed(names):
                with Measured(name) as server:
                    DATASETS[group[0].data](server, scale)
                    for row in group:
                        try:
                            figures = row.run(server, scale)
                        except (RuntimeError, OSError, subprocess.TimeoutExpired, resp.Closed) as error:
                            print(f"{row.name}: {name}: {error}", file=sys.stderr)
                            continue
                        results[row.name][name].append(figures)
                        shown = ", ".join(f"{v:.3g} {c}" for v, c in zip(figures, row.columns))
                        print(f"round {number + 1}  {row.name:14} {name:8} {shown}", flush=True)
    return results


def table(rows, names, results):
    head = f"{'row':14} {'figure':14}" + "".join(f"{name:>12}" for name in names) + "   ours/best peer"
    print(f"\n{head}\n{'-' * len(head)}")
    for row in rows:
        for column, title in enumerate(row.columns):
            medians = {}
            for name in names:
                values = [figures[column] for figures in results[row.name][name]]
                if values:
                    medians[name] = statistics.median(values)
            cells = "".join(f"{medians[n]:12.3f}" if n in medians else f"{'-':>12}" for n in names)
            print(f"{row.name:14} {title:14}{cells}   {ratio(medians, title)}")


def ratio(medians, title):
    peers = {name: value for name, value in medians.items() if name in servers.PEERS}
    ours = next((value for name, value in medians.items() if name not in servers.PEERS), None)
    if ours is None or not peers:
        return ""
    best = (max if "req/s" in title else min)(peers, key=peers.get)
    return f"{ours / peers[best]:.2f}x {best}" if peers[best] else f"- {best}"


def main():
    parser = argparse.ArgumentParser(description="ochre and its peers, side by side")
    parser.add_argument("--rows", default="*", help="names or patterns, separated by commas")
    parser.add_argument("--servers", default="ochre,redis8,valkey9")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies requests and keys of the rows")
    parser.add_argument("--realtime", action="store_true", help="server and load before all else on their cores (needs root)")
    parser.add_argument("--json", help="also writes every round's figures to this file")
    parser.add_argument("--list", action="store_true", help="prints the rows and stops")
    options = parser.parse_args()
    wanted = options.rows.split(",")
    rows = [row for row in all_rows() if any(fnmatch.fnmatch(row.name, pattern) for pattern in wanted)]
    if options.list:
        print("\n".join(f"{row.name:14} {', '.join(row.columns)}" for row in rows))
        return
    if not rows:
        sys.exit("no such row; --list names them")
    servers.bring("valkey9")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    if os.cpu_count() >= 2:
        os.sched_setaffinity(0, {int(LOAD_CORE)})
    gc.disable()
    Measured.realtime = options.realtime
    names = options.servers.split(",")
    results = measure(rows, names, options.rounds, options.scale)
    table(rows, names, results)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
