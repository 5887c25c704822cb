"""redis-py, blocking and asyncio, against a server: python_client.py PORT DIALECT."""

import asyncio
import os
import sys
import threading
import time

import redis
import redis.asyncio

PORT, DIALECT = int(sys.argv[1]), int(sys.argv[2])
COMMANDS = set(os.environ["OCHRE_COMMANDS"].split())
SOCKET = os.path.join(os.path.dirname(os.environ["OCHRE_LOG"]), "socket")


def connect(**options):
    return redis.Redis(port=PORT, protocol=DIALECT, **{"decode_responses": True, **options})


def strings():
    r = connect()
    assert r.set("s", "value") is True
    assert r.get("s") == "value"
    assert r.set("s", "other", nx=True) is None
    assert r.set("s", "third", get=True) == "value"
    assert r.append("s", "!") == 6 and r.strlen("s") == 6
    assert r.getrange("s", 0, 2) == "thi" and r.setrange("s", 0, "T") == 6
    assert r.getex("s", ex=100) == "Third!" and 0 < r.ttl("s") <= 100
    assert r.getdel("s") == "Third!" and r.get("s") is None
    assert r.mset({"a": 1, "b": 2}) and r.mget("a", "none", "b") == ["1", None, "2"]
    assert r.msetnx({"a": 1, "c": 1}) is False
    assert r.incr("n", 5) == 5 and r.decr("n") == 4 and r.incrbyfloat("n", 0.5) == 4.5
    assert r.lcs("a", "b") in ("", b"")
    assert r.setex("t", 50, "x") and r.psetex("t", 50000, "x") and r.setnx("t", "y") is False


def bits():
    r = connect()
    assert r.setbit("bits", 7, 1) == 0 and r.getbit("bits", 7) == 1
    assert r.bitcount("bits") == 1 and r.bitpos("bits", 1) == 7
    r.set("other", "\x0f")
    assert r.bitop("OR", "both", "bits", "other") == 1
    assert r.bitfield("bits").set("u8", 0, 200).incrby("u8", 0, 10, "SAT").execute() == [1, 210]


def keys():
    r = connect()
    r.flushdb()
    r.mset({f"key:{n}": n for n in range(500)})
    assert set(r.scan_iter("key:*", count=50)) == {f"key:{n}" for n in range(500)}
    assert set(r.scan_iter(_type="string")) == set(r.keys())
    assert r.dbsize() == 500 and r.exists("key:1", "key:1", "none") == 2
    assert r.rename("key:1", "renamed") and r.type("renamed") == "string" and r.type("none") == "none"
    assert r.copy("renamed", "copied") and r.touch("renamed", "copied") == 2
    assert r.unlink("renamed", "copied", "none") == 2 and r.delete("key:2") == 1
    assert r.randomkey().startswith("key:")
    assert r.object("encoding", "key:3") == "int"
    assert r.move("key:3", 5) and r.exists("key:3") == 0


def expiry():
    r = connect()
    r.set("e", 1, px=60)
    r.set("f", 1)
    assert r.pttl("e") > 0 and r.ttl("f") == -1 and r.ttl("none") == -2
    assert r.expire("f", 100) and r.expire("f", 50, gt=True) is False and r.persist("f")
    assert r.expireat("f", int(time.time()) + 100) and abs(r.expiretime("f") - time.time()) < 102
    time.sleep(0.08)
    assert r.get("e") is None


def binary():
    r = connect(decode_responses=False)
    blob = bytes(range(256)) * 4
    assert r.set(blob, blob) and r.get(blob) == blob
    large = os.urandom(1 << 20) * 12
    assert r.set("large", large) and r.get("large") == large


def pipelines():
    r = connect()
    pipe = r.pipeline(transaction=False)
    for n in range(5000):
        pipe.set(f"p{n}", n)
        pipe.get(f"p{n}")
    replies = pipe.execute()
    assert replies[1::2] == [str(n) for n in range(5000)]
    pipe = r.pipeline(transaction=False)
    pipe.set("w", "x").incr("w").get("w")
    replies = pipe.execute(raise_on_error=False)
    assert replies[0] is True and isinstance(replies[1], redis.ResponseError) and replies[2] == "x"


def transactions():
    r = connect()
    pipe = r.pipeline()
    assert pipe.set("t", 1).incr("t").execute() == [True, 2]
    with r.pipeline() as pipe:
        pipe.watch("t")
        r.set("t", "changed")
        pipe.multi()
        pipe.set("t", "mine")
        try:
            pipe.execute()
            raise AssertionError("the watched key changed, yet EXEC ran")
        except redis.WatchError:
            pass


def server():
    r = connect(client_name="interop")
    assert r.ping() and r.echo("x") == "x" and r.client_getname() == "interop"
    info = r.info()
    assert info["redis_version"] and info["tcp_port"] == PORT and info["used_memory"] > 0
    assert r.info("commandstats")["cmdstat_ping"]["calls"] >= 1
    assert r.config_get("maxmem*")["maxmemory"] == "0"
    assert r.config_set("maxmemory-samples", 7) and r.config_get("maxmemory-samples") == {"maxmemory-samples": "7"}
    mine = [c for c in r.client_list() if c["name"] == "interop"]
    assert mine and mine[0]["lib-name"].startswith("redis-py") and mine[0]["resp"] == str(DIALECT)
    assert r.client_info()["id"] == mine[0]["id"] or int(r.client_info()["id"]) == int(mine[0]["id"])
    assert abs(r.time()[0] - time.time()) < 5
    assert r.command_count() > 50 and r.slowlog_get() is not None and r.memory_usage("none") is None
    assert r.role()[0] in ("master", b"master")


def errors():
    r = connect()
    r.set("word", "abc")
    for call in (lambda: r.incr("word"), lambda: r.execute_command("NOSUCH"), lambda: r.execute_command("GET")):
        try:
            call()
        except redis.ResponseError:
            continue
        raise AssertionError("no error")
    assert r.get("word") == "abc"


def reconnects():
    r = connect()
    r.set("before", 1)
    other = connect()
    for client in other.client_list(_type="normal"):
        if client["id"] != str(other.client_id()):
            other.client_kill_filter(_id=client["id"])
    assert r.get("before") == "1"


def threads():
    r = connect(max_connections=30)
    r.delete("shared")

    def work():
        for _ in range(200):
            r.incr("shared")

    workers = [threading.Thread(target=work) for _ in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert r.get("shared") == "4000"


def urls_and_sockets():
    by_url = redis.from_url(f"redis://127.0.0.1:{PORT}/7?protocol={DIALECT}")
    assert by_url.set("here", 1) and connect(db=7).get("here") == "1" and connect().get("here") is None
    by_socket = redis.Redis(unix_socket_path=SOCKET, protocol=DIALECT)
    assert by_socket.ping()


def passwords():
    r = connect()
    r.config_set("requirepass", "secret")
    try:
        assert connect(password="secret").ping()
        assert connect(username="default", password="secret").ping()
        for wrong in ({}, {"password": "wrong"}):
            try:
                connect(**wrong).ping()
            except redis.AuthenticationError:
                continue
            raise AssertionError("let in without the password")
    finally:
        connect(password="secret").config_set("requirepass", "")


def locks():
    r = connect()
    with r.lock("lock", timeout=5):
        assert r.lock("lock", timeout=5).acquire(blocking=False) is False
    assert r.lock("lock", timeout=5).acquire(blocking=False)


def scripts():
    r = connect()
    r.script_flush()
    double = r.register_script("return redis.call('GET', KEYS[1]) * tonumber(ARGV[1])")
    r.set("half", 21)
    assert double(keys=["half"], args=[2]) == 42
    assert r.script_exists(double.sha, "0" * 40) == [True, False]
    pipe = r.pipeline()
    pipe.incr("half")
    double(keys=["half"], args=[3], client=pipe)
    assert pipe.execute() == [22, 66]
    try:
        r.eval("return redis.call('INCR')", 0)
    except redis.ResponseError as error:
        assert "Wrong number of args calling Redis command from script" in str(error), error
    else:
        raise AssertionError("an error inside was not raised")


def functions():
    r = connect()
    r.function_flush()
    code = "#!lua name=interop\nredis.register_function('twice', function(k, a) return a[1] * 2 end)"
    assert r.function_load(code) == "interop"
    assert r.fcall("twice", 0, 21) == 42
    dump = connect(decode_responses=False).function_dump()
    assert r.function_delete("interop")
    assert r.function_restore(dump) and r.fcall("twice", 0, 4) == 8


def rate_limits():
    from limits import parse, storage, strategies

    connect().flushdb()
    store = storage.storage_from_string(f"redis://127.0.0.1:{PORT}")
    for kind in (strategies.FixedWindowRateLimiter, strategies.MovingWindowRateLimiter):
        limiter = kind(store)
        limit = parse("3/minute")
        hits = [limiter.hit(limit, kind.__name__) for _ in range(5)]
        assert hits == [True] * 3 + [False] * 2, hits
        assert limiter.get_window_stats(limit, kind.__name__).remaining == 0


def messages():
    r = connect()
    listener = r.pubsub()
    listener.subscribe("news")
    assert listener.get_message(timeout=2)["type"] == "subscribe"
    assert r.publish("news", "hello") == 1
    assert listener.get_message(timeout=2)["data"] == "hello"


def subscribers_in_threads():
    r = connect()
    listener = r.pubsub(ignore_subscribe_messages=True)
    got = []
    listener.subscribe(**{"plain": lambda message: got.append(message["data"])})
    listener.psubscribe(**{"any.*": lambda message: got.append((message["channel"], message["data"]))})
    thread = listener.run_in_thread(sleep_time=0.01, daemon=True)
    until(lambda: r.pubsub_numsub("plain")[0][1] == 1 and r.pubsub_numpat() == 1)
    for n in range(300):
        assert r.publish("plain", n) == 1
    assert r.publish("any.one", "x") == 1 and r.publish("other", "x") == 0
    until(lambda: len(got) == 301)
    assert got == [*map(str, range(300)), ("any.one", "x")]
    thread.stop()
    thread.join()
    listener.close()


def until(holds):
    end = time.time() + 5
    while not holds():
        assert time.time() < end, "waited in vain"
        time.sleep(0.01)


def client_side_caching():
    if DIALECT != 3:
        return
    from redis.cache import CacheConfig

    caching = connect(cache_config=CacheConfig(max_size=100), single_connection_client=True)
    other = connect()
    other.mset({"cached": 1, "kept": 1})
    assert caching.get("cached") == "1" and caching.get("kept") == "1" and len(caching.get_cache().collection) == 2
    calls = lambda: other.info("commandstats")["cmdstat_get"]["calls"]  # noqa: E731
    before = calls()
    assert caching.get("cached") == "1" and calls() == before
    other.set("cached", 2)
    time.sleep(0.05)
    assert caching.get("cached") == "2" and caching.get("kept") == "1" and calls() == before + 1
    other.flushall()
    time.sleep(0.05)
    assert caching.get("kept") is None
    caching.close()


def asyncio_client():
    async def work():
        r = redis.asyncio.Redis(port=PORT, protocol=DIALECT, decode_responses=True)
        await r.flushdb()
        assert await r.set("a", 1, ex=100) and await r.get("a") == "1" and 0 < await r.ttl("a") <= 100
        await asyncio.gather(*(r.incr("many") for _ in range(80)))
        assert await r.get("many") == "80"
        pipe = r.pipeline(transaction=False)
        for n in range(1000):
            pipe.set(f"k{n}", n)
        assert all(await pipe.execute())
        assert len([key async for key in r.scan_iter("k*", count=100)]) == 1000
        assert (await r.info("server"))["tcp_port"] == PORT
        await r.aclose()

    asyncio.run(work())


CASES = [
    (strings, []), (bits, []), (keys, []), (expiry, []), (binary, []), (pipelines, []), (transactions, ["multi", "watch"]),
    (server, []), (errors, []), (reconnects, []), (threads, []), (urls_and_sockets, []), (passwords, []),
    (locks, ["evalsha"]), (scripts, ["evalsha"]), (functions, ["fcall"]), (rate_limits, ["evalsha", "lrange"]),
    (messages, ["subscribe"]),
    (subscribers_in_threads, ["psubscribe"]), (client_side_caching, ["ssubscribe"]), (asyncio_client, []),
]  # fmt: skip


def main():
    failed = False
    for case, needs in CASES:
        name = case.__name__.replace("_", " ")
        missing = [command for command in needs if command not in COMMANDS]
        if missing:
            print(f"skip {name}: needs {' '.join(missing).upper()}")
            continue
        try:
            case()
            print(f"ok {name}")
        except Exception as error:  # noqa: BLE001 - any failure is the case's
            at = error.__traceback__
            while at.tb_next and at.tb_next.tb_frame.f_code.co_filename == __file__:
                at = at.tb_next
            print(f"FAIL {name}: line {at.tb_lineno}: {type(error).__name__}: {error}")
            failed = True
    sys.exit(failed)


main()
