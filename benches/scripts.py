#!/usr/bin/env python3
"""What a script costs beyond its commands: ochre, Redis 8.0 and Valkey 9.1 side by side.

  benches/scripts.py                          every case, one request at a time and 16, three rounds
  benches/scripts.py --cases get --pipelines 16 --rounds 5

The server runs on core 0, valkey-benchmark on core 1. Each case calls a script by EVALSHA; `GET`
and `nothing` are there to compare with. `us CPU` is the run time of all the server's threads per
request, and `beyond` what it has more than the server's own GET: the call's overhead. The last
columns divide rate and overhead by the best of the peers (overhead: below 1 is better).
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))
from harness import resp, servers  # noqa: E402

SERVER_CORE, LOAD_CORE = 0, 1
CONF = "protected-mode no\nsave \"\"\n"
CASES = {
    "GET": None,
    "nothing": "return 1",
    "get": "return redis.call('get', KEYS[1])",
    "set": "return redis.call('set', KEYS[1], ARGV[1])",
    "limiter": "local n = redis.call('incr', KEYS[1]) if n == 1 then "
    "redis.call('pexpire', KEYS[1], ARGV[1]) end return n",
    "two": "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])",
    "loop": "local s = 0 for i = 1, 100 do s = s + i end return s",
}


def cpu_seconds(pid):
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def run(server, words, pipeline, requests):
    """Requests per second and microseconds of the server's CPU per request."""
    tool = servers.peers_dir() / "bin" / "valkey9-benchmark"
    line = [tool, "-p", server.port, "-c", 50, "-P", pipeline, "-n", requests, "-q", *words]
    before = cpu_seconds(server.pid)
    done = subprocess.run([str(word) for word in line], capture_output=True, text=True, check=True)
    used = cpu_seconds(server.pid) - before
    return float(re.findall(r"([0-9.]+) requests per second", done.stdout)[-1]), used / requests * 1e6


def measure(name, cases, pipelines, options):
    found = {}
    with servers.Server(name, conf=CONF, prefix=("taskset", "-c", str(SERVER_CORE))) as server:
        client = resp.Connection(server.port)
        client.call("SET", "key", "x" * 32)
        for case in cases:
            words = ["GET", "key"]
            if CASES[case] is not None:
                sha = client.text("SCRIPT", "LOAD", CASES[case])
                words = ["EVALSHA", sha, 1, "counter" if case == "limiter" else "key", "1000"]
            for pipeline in pipelines:
                requests = options.requests * (1 if pipeline == 1 else 4)
                run(server, words, pipeline, requests // 10)
                found[case, pipeline] = run(server, words, pipeline, requests)
    return found


def main():
    parser = argparse.ArgumentParser(description="cost of scripts side by side")
    parser.add_argument("--servers", default="ochre,redis8,valkey9")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--pipelines", default="1,16")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    names = options.servers.split(",")
    cases = list(dict.fromkeys(["GET", *options.cases.split(",")]))
    pipelines = [int(depth) for depth in options.pipelines.split(",")]
    rounds = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            rounds[name].append(measure(name, cases, pipelines, options))
    print(f"{'case':8} {'P':>3} {'server':8} {'calls/s':>10} {'us CPU':>8} {'beyond':>8}   rate, overhead")
    for pipeline in pipelines:
        for case in cases:
            median = {}
            for name in names:
                of = lambda which, at: statistics.median(r[which, pipeline][at] for r in rounds[name])
                median[name] = of(case, 0), of(case, 1), of(case, 1) - of("GET", 1)
            peers = [median[name] for name in names if name in servers.PEERS]
            for name in names:
                rate, cpu, beyond = median[name]
                ratio = ""
                if peers and name not in servers.PEERS:
                    ratio = f"{rate / max(p[0] for p in peers):.2f}x"
                    if case != "GET":
                        ratio += f" {beyond / min(p[2] for p in peers):.2f}x"
                print(f"{case:8} {pipeline:3} {name:8} {rate:10.0f} {cpu:8.2f} {beyond:8.2f}   {ratio}", flush=True)


if __name__ == "__main__":
    main()
