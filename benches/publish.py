#!/usr/bin/env python3
"""Publish throughput of ochre, Redis 8.0 and Valkey 9.1 side by side on one machine.

  benches/publish.py                               1, 50 and 1,000 listeners, three rounds
  benches/publish.py --listeners 50 --size 10000   larger messages to 50 listeners
  benches/publish.py --publishers 1 --pipeline 1   one publisher that waits for each reply

The server runs on core 0, publishers (valkey-benchmark) and listeners on core 1. Listeners read in
large steps, so that they cost little; every message is counted. Servers take turns within each
round, each in a fresh process; a figure is the median over the rounds. `heard/s` counts the messages
until the last listener has the last of them; `us CPU` is the run time of all the server's threads
per PUBLISH by then: trust it before the rates, which the load bounds too. The last columns divide
by the best of the peers (CPU: above 1 is better).
"""

import argparse
import os
import re
import select
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))
from harness import resp, servers  # noqa: E402

SERVER_CORE, LOAD_CORE = 0, 1
CONF = "maxclients 20000\nprotected-mode no\nclient-output-buffer-limit pubsub 0 0 0\n"
STEP_BYTES = 1 << 16
LOST_SECONDS = 2
DELIVERIES = 600_000


class Listeners:
    """Connections that listen to one channel and count the bytes they get."""

    def __init__(self, port, count):
        self.received = 0
        self.poll = select.epoll()
        self.sockets = {}
        for _ in range(count):
            listener = socket.create_connection(("127.0.0.1", port))
            listener.sendall(b"SUBSCRIBE channel\r\n")
            confirmed = b""
            while not confirmed.endswith(b":1\r\n"):
                confirmed += listener.recv(1000)
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * STEP_BYTES)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, STEP_BYTES)
            self.poll.register(listener, select.EPOLLIN)
            self.sockets[listener.fileno()] = listener
        self.ends = False
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while not self.ends:
            for number, _ in self.poll.poll(0.005):
                self.received += len(self.sockets[number].recv(4 * STEP_BYTES))

    def finish(self, expected):
        """Reads what is left, and tells whether all has come."""
        self.ends = True
        self.thread.join()
        for listener in self.sockets.values():
            listener.settimeout(5)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        for listener in self.sockets.values():
            listener.setblocking(False)
        heard_at = time.perf_counter()
        while self.received < expected and time.perf_counter() < heard_at + LOST_SECONDS:
            for listener in self.sockets.values():
                try:
                    self.received += len(listener.recv(4 * STEP_BYTES))
                    heard_at = time.perf_counter()
                except BlockingIOError:
                    pass
        return self.received == expected

    def close(self):
        for listener in self.sockets.values():
            listener.close()


def cpu_seconds(pid):
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure(name, count, options):
    """PUBLISH/s, messages heard by all per second, microseconds of the server's CPU per PUBLISH."""
    requests = min(options.most, max(DELIVERIES // count, options.least))
    with servers.Server(name, conf=CONF, prefix=("taskset", "-c", str(SERVER_CORE))) as server:
        listeners = Listeners(server.port, count)
        tool = servers.peers_dir() / "bin" / "valkey9-benchmark"
        line = [tool, "-p", server.port, "-c", options.publishers, "-P", options.pipeline, "-n", requests]
        line += ["-q", "PUBLISH", "channel", "x" * options.size]
        before, started = cpu_seconds(server.pid), time.perf_counter()
        done = subprocess.run([str(word) for word in line], capture_output=True, text=True, check=True)
        rate = float(re.findall(r"([0-9.]+) requests per second", done.stdout)[-1])
        figures = resp.Connection(server.port).info("commandstats")
        sent = int(figures["cmdstat_publish"].split(",")[0].split("=")[1])
        frame = len(f"*3\r\n$7\r\nmessage\r\n$7\r\nchannel\r\n${options.size}\r\n\r\n") + options.size
        if not listeners.finish(sent * count * frame):
            sys.exit(f"{name} lost messages to {count} listeners")
        took = time.perf_counter() - started
        used = cpu_seconds(server.pid) - before
        listeners.close()
    return rate, sent / took, used / sent * 1e6


def main():
    parser = argparse.ArgumentParser(description="publish throughput side by side")
    parser.add_argument("--servers", default="ochre,redis8,valkey9")
    parser.add_argument("--listeners", default="1,50,1000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--publishers", type=int, default=50)
    parser.add_argument("--pipeline", type=int, default=1)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--most", type=int, default=200_000, help="requests of one run at most")
    parser.add_argument("--least", type=int, default=2_000, help="requests of one run at least")
    options = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    names = options.servers.split(",")
    head = f"{'listeners':>9} {'server':8} {'PUBLISH/s':>12} {'heard/s':>12} {'us CPU':>9}"
    print(head, "  rates, CPU against the best peer")
    for count in map(int, options.listeners.split(",")):
        found = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                found[name].append(measure(name, count, options))
        medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in found.items()}
        peers = [medians[name] for name in names if name in servers.PEERS]
        for name in names:
            rate, heard, cpu = medians[name]
            ratio = ""
            if peers and name not in servers.PEERS:
                best = [max(column) for column in zip(*peers)]
                ratio = f"{rate / best[0]:.2f}x {heard / best[1]:.2f}x {min(p[2] for p in peers) / cpu:.2f}x"
            print(f"{count:9} {name:8} {rate:12.0f} {heard:12.0f} {cpu:9.2f}   {ratio}", flush=True)


if __name__ == "__main__":
    main()
