"""The benchmark programs of Redis 7.0, Redis 8.0 and Valkey 9.1, run through against the server."""

import csv
import subprocess

from harness import servers

FIRST = "ping_inline,ping_mbulk,set,get,incr,mset"


def run(target, peer, *words):
    servers.bring(peer)
    line = [servers.peers_dir() / "bin" / f"{peer}-benchmark", "-p", str(target.port), "--csv", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    if done.returncode or "rror" in done.stdout + done.stderr:
        raise AssertionError(f"{peer}-benchmark: {done.stdout}{done.stderr}")
    rows = [row for row in csv.reader(done.stdout.splitlines()) if len(row) > 2 and row[0] != "test"]
    slow = [row for row in rows if float(row[1]) <= 0]
    if not rows or slow:
        raise AssertionError(done.stdout)
    return {row[0]: float(row[1]) for row in rows}


def check(target, peer, tests, *words):
    rates = run(target, peer, "-t", tests, *words)
    wanted = len(tests.split(","))
    if len(rates) < wanted:
        raise AssertionError(f"{len(rates)} of {wanted} tests ran: {rates}")
    errors = [line for line in target.connect().info("errorstats")]
    if errors:
        raise AssertionError(f"the server answered with errors: {errors}")
    return ", ".join(f"{name.split(' ')[0]} {rate / 1000:.0f}k/s" for name, rate in rates.items())


def redis7(target):
    """redis-benchmark 7.0, the default tests that need strings only"""
    return check(target, "redis7", FIRST, "-n", "20000", "-r", "10000")


def redis8_pipelined(target):
    """redis-benchmark 8.0, pipeline of 16, RESP3"""
    return check(target, "redis8", FIRST, "-n", "50000", "-P", "16", "-r", "10000", "-3")


def valkey9_threads(target):
    """valkey-benchmark 9.1, two threads, 1 KiB values, pipeline of 64"""
    return check(target, "valkey9", "set,get", "-n", "100000", "-P", "64", "-d", "1024", "--threads", "2")


def many_clients(target):
    """redis-benchmark 7.0, 500 clients without keep-alive"""
    return check(target, "redis7", "set,get", "-n", "5000", "-c", "500", "-k", "0")


def collections(target):
    """redis-benchmark 7.0, every default test"""
    tests = "lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100"
    return check(target, "redis7", tests, "-n", "10000", "-r", "1000")


collections.needs = ["LPUSH", "SADD", "HSET", "ZADD"]
CASES = [redis7, redis8_pipelined, valkey9_threads, many_clients, collections]
