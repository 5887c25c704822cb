#!/usr/bin/env python3
"""Saving and loading, ochre beside Redis 8.0 and Valkey 9.1 on one machine.

  benches/persistence.py                           every row, three rounds
  benches/persistence.py --rows save,load --rounds 5
  benches/persistence.py --rows bgsave --keys 2000000

save, load    a million keys, mixed: half of them strings of 10 to 100 bytes, the rest hashes,
              lists, sets and sorted sets of some elements, as many with a deadline as without;
              seconds that SAVE takes a client, and seconds that the server says loading took.
bgsave        strings of 64 bytes, --keys of them; SETs of random ones at 20,000/s meanwhile. A
              prober asks PING two thousand times a second from a process of its own: the slowest
              and the 99.9th percentile in milliseconds, before the save and during it. Then the
              seconds it takes, and the memory that it costs: the peak of all the processes'
              proportional sets above what it was before. MiB.
log           microseconds per SET of a random one of a million keys, 64 bytes: at pipeline 16 without a
              log and with one synced every second, and what share of the speed that leaves; with 50
              clients and no pipeline when every reply waits for the sync.
reset         SNAPSHOT SAVE with a million keys, a thousand of them changed, SNAPSHOT RESTORE: the
              milliseconds that each takes a client. No peer has it.

Servers take turns within each round, each in a fresh process; a figure is the median over the
rounds. Servers may use both cores; the load is on core 1. The last column divides by the best of
the peers.
"""

import argparse
import random
import re
import statistics
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))
import side_by_side  # noqa: E402
from side_by_side import Prober, benchmark, request, send  # noqa: E402
from harness import resp, servers  # noqa: E402

MILLION = 1_000_000
CONF = "appendonly no\nprotected-mode no\nenable-debug-command yes\n"


class Measured(servers.Server):
    """A server on whatever core there is."""

    load, fill = side_by_side.Measured.load, side_by_side.Measured.fill

    def __init__(self, name, conf=""):
        super().__init__(name, conf=CONF + conf)
        self.link = resp.Connection(self.port, timeout=300)


def mixed(count):
    """Commands that make so many keys, always the same ones."""
    rng = random.Random(11)
    words = [b"alpha", b"beta", b"gamma", b"delta", b"epsilon", b"zeta", b"eta", b"theta"]

    def text(size):
        out = bytearray()
        while len(out) < size:
            out += rng.choice(words) + b"%d " % rng.randrange(10_000)
        return bytes(out[:size])

    for n in range(count):
        key, kind = b"key:%08d" % n, n % 10
        if kind < 5:
            yield request("SET", key, text(rng.randrange(10, 100)), *(["EX", 1_000_000] if n % 2 else []))
        elif kind < 7:
            yield request("HSET", key, *(w for at in range(5) for w in (b"field%d" % at, text(12))))
        elif kind == 7:
            yield request("RPUSH", key, *(text(10) for _ in range(8)))
        elif kind == 8:
            yield request("SADD", key, *(rng.randrange(100_000) for _ in range(8)))
        else:
            yield request("ZADD", key, *(w for at in range(6) for w in (rng.randrange(1000), b"member%d" % at)))


def timed(server, *words):
    begun = time.perf_counter()
    reply = server.link.call(*words)
    if reply[0] == "error":
        raise RuntimeError(f"{server.name} refused {words}: {reply[1]!r}")
    return time.perf_counter() - begun


def save_and_load(name, options):
    with Measured(name) as server:
        send(server, mixed(options.count))
        saved = timed(server, "SAVE")
        with Measured(name, f"dir {server.dir}\n") as other:
            begun = time.monotonic()
            while other.link.call("PING")[0] == "error" and time.monotonic() - begun < 60:
                time.sleep(0.01)
            found = re.search(r"DB loaded from disk: ([\d.]+) seconds", other.log.read_text(errors="replace"))
            size = (server.dir / "dump.rdb").stat().st_size / (1 << 20)
            return {"save s": saved, "load s": float(found[1]), "file MiB": size}


def proportional_bytes(pid):
    """Memory of a process and its children, what they share counted once."""
    total = 0
    children = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        for process in [pid, *map(int, children.read_text().split())]:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += int(re.search(r"\nPss:\s+(\d+) kB", rollup)[1]) * 1024
    except (OSError, TypeError):
        return 0  # a child has just gone
    return total


def wait_for_save(server, look=lambda pid: 0):
    """Seconds that a save takes, and the largest figure that was seen meanwhile."""
    begun, largest = time.monotonic(), 0
    timed(server, "BGSAVE")
    while b"rdb_bgsave_in_progress:1" in server.link.call("INFO", "persistence")[1]:
        largest = max(largest, look(server.pid))
        time.sleep(0.05)
    return time.monotonic() - begun, largest


def bgsave(name, options):
    with Measured(name) as server:
        server.fill(options.keys, bytes(range(32, 96)))
        stop = threading.Event()

        def write():
            words = ["-n", 20_000 * 600, "-c", 20, "-r", options.keys, "--rps", 20_000, "-d", 64, "SET", "key:__rand_int__", "x" * 64]
            try:
                benchmark(server, *words)
            except RuntimeError:
                if not stop.is_set():
                    raise

        load = threading.Thread(target=write, daemon=True)
        load.start()
        time.sleep(2)
        quiet = Prober(server.port)
        time.sleep(5)
        quiet = quiet.finish()
        prober = Prober(server.port)
        time.sleep(0.2)
        took, _ = wait_for_save(server)
        time.sleep(0.5)
        during = prober.finish()
        # A second one, since looking at a process's memory holds it up.
        before = proportional_bytes(server.pid)
        _, peak = wait_for_save(server, proportional_bytes)
        stop.set()
        server.process.kill()
        load.join()
        return {
            "quiet p99.9": quiet[0], "quiet worst": quiet[1], "p99.9 ms": during[0], "worst ms": during[1],
            "bgsave s": took, "more MiB": (peak - before) / (1 << 20),
        }


def reset(name, options):
    if name != "ochre":
        return {}
    with Measured(name) as server:
        server.link.call("DEBUG", "POPULATE", options.count)
        taken = timed(server, "SNAPSHOT", "SAVE", "base")
        rng, times = random.Random(5), []
        for _ in range(5):
            send(server, (request("SET", b"key:%d" % rng.randrange(options.count), b"changed") for _ in range(1000)))
            times.append(timed(server, "SNAPSHOT", "RESTORE", "base"))
        return {"take ms": taken * 1e3, "return ms": statistics.median(times) * 1e3}


def micros_per_set(name, conf, requests, *words):
    with Measured(name, conf) as server:
        line = ["--csv", "-r", MILLION, *words, "SET", "key:__rand_int__", "x" * 64]
        benchmark(server, "-n", requests // 10, *line)
        said = benchmark(server, "-n", requests, *line)
        return 1e6 / float(re.findall(r'^"[^"]*","([\d.]+)"', said, re.MULTILINE)[-1])


def log(name, options):
    pipelined = (4 * options.count, "-c", 50, "-P", 16)
    quiet = micros_per_set(name, "", *pipelined)
    second = micros_per_set(name, "appendonly yes\nappendfsync everysec\n", *pipelined)
    always = micros_per_set(
        name, "appendonly yes\nappendfsync always\n", options.count // 5, "-c", 50
    )
    return {"no log us": quiet, "everysec us": second, "share left": quiet / second, "always us": always}


ROWS = {"save": save_and_load, "bgsave": bgsave, "log": log, "reset": reset}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="save,bgsave,log,reset")
    parser.add_argument("--servers", default="ochre,redis8,valkey9")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=MILLION, help="keys of save, load and reset")
    parser.add_argument("--keys", type=int, default=8 * MILLION, help="keys of bgsave")
    options = parser.parse_args()
    names = options.servers.split(",")
    for row in options.rows.replace("load", "save").split(","):
        found = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                found[name].append(ROWS[row](name, options))
        print(f"\n{row:<14}" + "".join(f"{name:>12}" for name in names) + f"{'of the best':>14}")
        for column in found[names[0]][0]:
            medians = {
                name: statistics.median(figures[column] for figures in rounds)
                for name, rounds in found.items() if column in rounds[0]
            }
            peers = [median for name, median in medians.items() if name != "ochre"]
            ratio = f"{medians['ochre'] / min(peers):13.2f}x" if peers and "ochre" in medians and min(peers) else ""
            cells = "".join(f"{medians[name]:12.3f}" if name in medians else " " * 12 for name in names)
            print(f"{column:<14}{cells}{ratio}", flush=True)


if __name__ == "__main__":
    main()
