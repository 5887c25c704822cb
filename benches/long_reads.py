#!/usr/bin/env python3
"""What one client's long reads do to the others: GET latencies while KEYS and SMEMBERS run.

  benches/long_reads.py                              5M keys, a set of 5M members, all servers
  benches/long_reads.py --servers ochre --keys 10000000 --seconds 20

One client asks for KEYS *, SMEMBERS, SORT and SUNION in turn and reads all of each reply; another
sends GETs one by one. Printed are percentiles of the GETs in milliseconds, without the long reads
and beside each of them, and how long a long read took. Servers get one processor and the two
clients the other, workers included: what is shown is the order in which the processor is lent.
With `--free` nobody is pinned. Where it is allowed, who measures has the load's processor before the
reader has it (SCHED_FIFO): otherwise the time until it gets it back would be taken for the server's.
"""

import argparse
import gc
import multiprocessing
import os
import socket
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))
from harness import resp, servers  # noqa: E402

SERVER_CORE, LOAD_CORE = 0, 1
CONF = "protected-mode no\nsave \"\"\nenable-debug-command yes\nclient-output-buffer-limit normal 0 0 0\n"
READS = {
    "KEYS": ("KEYS", "*"),
    "SMEMBERS": ("SMEMBERS", "members"),
    "SUNION": ("SUNION", "members", "others"),
    "LRANGE": ("LRANGE", "list", "0", "-1"),
    "SORT": ("SORT", "list", "ALPHA"),
}


def fill(server, keys, members):
    client = resp.Connection(server.port, timeout=300)
    client.call("DEBUG", "POPULATE", keys, "key", 32)
    for name, command in (("members", "SADD"), ("others", "SADD"), ("list", "RPUSH")):
        count = members if name == "members" else members // 5
        for start in range(0, count, 1000):
            client.call(command, name, *(f"member:{n}" for n in range(start, min(start + 1000, count))))
    client.close()


class Reader(multiprocessing.Process):
    """Asks for the same again and again, and reads the reply to its last byte."""

    def __init__(self, port, words):
        super().__init__()
        self.request = resp.encode(words)
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.ends = multiprocessing.Event()
        self.times = multiprocessing.SimpleQueue()

    def run(self):
        marker = resp.encode(("ECHO", "the-end"))
        buffer = bytearray(1 << 20)
        while not self.ends.is_set():
            started = time.perf_counter()
            self.socket.sendall(self.request + marker)
            tail = b""
            while not tail.endswith(b"the-end\r\n"):
                count = self.socket.recv_into(buffer)
                tail = tail[-20:] + bytes(buffer[max(0, count - 20) : count])
            self.times.put(time.perf_counter() - started)


def take_precedence():
    """From now on this process goes before all others on its processor, if it may."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        print("(who measures waits for the processor like others do)")


def latencies(port, seconds):
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request, found = resp.encode(("GET", "key:77")), []
    clock = time.perf_counter
    until = clock() + seconds
    while (started := clock()) < until:
        link.sendall(request)
        link.recv(4096)
        found.append(clock() - started)
        time.sleep(0.0002)
    return sorted(found)


def show(name, what, found, times):
    at = lambda share: found[min(int(len(found) * share), len(found) - 1)] * 1e3
    took = f"{sum(times) / len(times):8.2f}" if times else "       -"
    line = f"{name:8} {what:9} {len(found):7} {at(0.5):8.3f} {at(0.99):8.3f} {at(0.999):8.3f} {found[-1] * 1e3:8.2f} {took}"
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description="latency beside long reads")
    parser.add_argument("--servers", default="ochre,redis8,valkey9")
    parser.add_argument("--keys", type=int, default=5_000_000)
    parser.add_argument("--members", type=int, default=5_000_000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--reads", default=",".join(READS))
    parser.add_argument("--free", action="store_true")
    options = parser.parse_args()
    if not options.free:
        os.sched_setaffinity(0, {LOAD_CORE})
    gc.disable()
    take_precedence()
    print(f"{'server':8} {'beside':9} {'GETs':>7} {'p50 ms':>8} {'p99':>8} {'p99.9':>8} {'max':>8} {'read s':>8}")
    for name in options.servers.split(","):
        prefix = () if options.free else ("taskset", "-c", str(SERVER_CORE))
        with servers.Server(name, conf=CONF, prefix=prefix) as server:
            fill(server, options.keys, options.members)
            show(name, "nothing", latencies(server.port, options.seconds / 2), [])
            for what in options.reads.split(","):
                reader = Reader(server.port, READS[what])
                reader.start()
                found = latencies(server.port, options.seconds)
                reader.ends.set()
                times = []
                while reader.is_alive() or not reader.times.empty():
                    times.append(reader.times.get())
                    reader.join(0.05)
                show(name, what, found, times)


if __name__ == "__main__":
    main()
