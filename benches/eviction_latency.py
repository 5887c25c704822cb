#!/usr/bin/env python3
"""What eviction does to the others: GET latencies while writers keep the server at `maxmemory`.

  benches/eviction_latency.py                               all servers, 400 MB of 1 KB values
  benches/eviction_latency.py --servers ochre --megabytes 1000 --policy allkeys-lfu

The server is filled to `maxmemory`. Writers then set new keys as fast as they can while another
client sends GETs one by one, about five thousand a second: percentiles in milliseconds, first
without writers, then beside them, then while `maxmemory` is halved under them; with it the time
until memory is within the new bound. Servers get one processor, the clients the other, where the
client that is measured comes before the writers. In brackets stands what the machine did meanwhile:
the same percentile, and the maximum, of the delays of a real-time thread on the server's processor
that only sleeps. What the server can be blamed for is what lies above that.
"""

import argparse
import gc
import multiprocessing
import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))
sys.path.insert(0, str(PROJECT / "benches"))
from harness import resp, servers  # noqa: E402
from long_reads import LOAD_CORE, SERVER_CORE, latencies  # noqa: E402

VALUE = "v" * 1000


class Writer(multiprocessing.Process):
    """Sets keys that are not there, sixteen at a time."""

    def __init__(self, port, number):
        super().__init__()
        self.link, self.number = resp.Connection(port, timeout=60), number
        self.ends = multiprocessing.Event()

    def run(self):
        at = 0
        while not self.ends.is_set():
            batch = [resp.encode(("SET", f"w{self.number}:{at + n}", VALUE)) for n in range(16)]
            at += 16
            self.link.socket.sendall(b"".join(batch))
            for _ in batch:
                self.link.read()


class Halver(multiprocessing.Process):
    """Halves the bound after two seconds, and waits until memory is within it."""

    def __init__(self, port, bound):
        super().__init__()
        self.link, self.bound = resp.Connection(port, timeout=60), bound
        self.taken = multiprocessing.SimpleQueue()

    def run(self):
        time.sleep(2)
        begun = time.perf_counter()
        self.link.call("CONFIG", "SET", "maxmemory", self.bound)
        while int(self.link.info("memory")["used_memory"]) > self.bound * 1.03:
            time.sleep(0.02)
        self.taken.put(time.perf_counter() - begun)


def precede_others(core):
    """Comes before all that is not real-time on a processor, where that is allowed."""
    os.sched_setaffinity(0, {core})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(50))
    except OSError:
        pass  # then the turns of others show up as delays


class Control(multiprocessing.Process):
    """Sleeps again and again on the server's processor: how late it wakes is the machine's doing."""

    REST = 0.0005

    def __init__(self):
        super().__init__()
        self.ends, self.taken = multiprocessing.Event(), multiprocessing.SimpleQueue()

    def run(self):
        precede_others(SERVER_CORE)
        gc.disable()
        clock, found = time.perf_counter, []
        while not self.ends.is_set():
            started = clock()
            time.sleep(self.REST)
            found.append(clock() - started - self.REST)
        self.taken.put(sorted(found))


def measure(port, seconds):
    """Latencies of GETs, and the control's delays in that time."""
    control = Control()
    control.start()
    found = latencies(port, seconds)
    control.ends.set()
    delays = control.taken.get()
    control.join()
    return found, delays


def fill(server, megabytes):
    link = resp.Connection(server.port, timeout=300)
    for start in range(0, megabytes * 1024, 1000):
        link.socket.sendall(b"".join(resp.encode(("SET", f"key:{n}", VALUE)) for n in range(start, start + 1000)))
        for _ in range(1000):
            link.read()
    link.close()


def show(name, what, measured, more=""):
    found, delays = measured
    at = lambda times, share: times[min(int(len(times) * share), len(times) - 1)] * 1e3
    print(
        f"{name:8} {what:18} {len(found):7} {at(found, 0.5):8.3f} {at(found, 0.99):8.3f}"
        f" {at(found, 0.999):8.3f} ({at(delays, 0.999):6.3f}) {at(found, 1):8.2f} ({at(delays, 1):5.2f}) {more}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description="latency beside eviction")
    parser.add_argument("--servers", default="ochre,redis8,valkey9")
    parser.add_argument("--megabytes", type=int, default=400)
    parser.add_argument("--policy", default="allkeys-lru")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    precede_others(LOAD_CORE)
    gc.disable()
    print(f"{'server':8} {'beside':18} {'GETs':>7} {'p50 ms':>8} {'p99':>8} {'p99.9':>8} (idle)   {'max':>8} (idle)")
    for name in options.servers.split(","):
        bound = options.megabytes << 20
        conf = f"protected-mode no\nmaxmemory {bound}\nmaxmemory-policy {options.policy}\n"
        with servers.Server(name, conf=conf, prefix=("taskset", "-c", str(SERVER_CORE))) as server:
            fill(server, options.megabytes)
            show(name, "nothing", measure(server.port, options.seconds / 2))
            writers = [Writer(server.port, number) for number in range(options.writers)]
            for writer in writers:
                writer.start()
            show(name, "writers", measure(server.port, options.seconds))
            halver = Halver(server.port, bound // 2)
            halver.start()
            time.sleep(0.5)  # a process that begins has the processor to itself for a while
            found = measure(server.port, options.seconds)
            halver.join()
            show(name, "maxmemory halved", found, f"within the bound after {halver.taken.get() * 1e3:.0f} ms")
            for writer in writers:
                writer.ends.set()
                writer.join()


if __name__ == "__main__":
    main()
