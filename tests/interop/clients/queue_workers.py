"""Workers of job queues, unchanged, and what Sidekiq says: queue_workers.py PORT."""

import json
import os
import subprocess
import sys
import threading
import time

PORT = int(sys.argv[1])
os.environ["OCHRE_PORT"] = str(PORT)
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import redis  # noqa: E402
from celery import chain, chord, group  # noqa: E402
from rq import Queue, SimpleWorker  # noqa: E402

import celery_tasks as tasks  # noqa: E402
from rq_jobs import give_up, multiply  # noqa: E402


def celery():
    line = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "-P", "solo", "-l", "ERROR"]
    line += ["--without-gossip", "--without-mingle"]
    worker = subprocess.Popen(line, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert tasks.add.delay(2, 3).get(timeout=20) == 5
        assert chain(tasks.add.s(1, 2), tasks.add.s(4))().get(timeout=10) == 7
        assert group(tasks.add.s(n, n) for n in range(8))().get(timeout=10) == [2 * n for n in range(8)]
        assert chord((tasks.add.s(n, 1) for n in range(5)), tasks.total.s())().get(timeout=10) == 15
        assert tasks.flaky.delay().get(timeout=10) == 2
        started = time.monotonic()
        assert tasks.add.apply_async((1, 1), countdown=0.5).get(timeout=10) == 2
        assert time.monotonic() - started > 0.4
        failed = tasks.fail.delay()
        assert isinstance(failed.get(timeout=10, propagate=False), KeyError) and failed.state == "FAILURE"
        answered = tasks.app.control.ping(timeout=1)
        assert len(answered) == 1, answered
        r = redis.Redis(port=PORT, db=1)
        assert r.hlen("unacked") == 0 and r.llen("celery") == 0
    finally:
        worker.terminate()
        worker.communicate(timeout=20)


def rq():
    link = redis.Redis(port=PORT, db=3)
    queue = Queue("numbers", connection=link)
    first = queue.enqueue(multiply, 6, 7)
    second = queue.enqueue(multiply, 2, 2, depends_on=first)
    failed = queue.enqueue(give_up)
    cancelled = queue.enqueue(multiply, 0, 0)
    cancelled.cancel()
    assert SimpleWorker([queue], connection=link).work(burst=True, logging_level="ERROR")
    assert first.return_value() == 42 and second.return_value() == 4
    assert failed.is_failed and failed.id in queue.failed_job_registry
    assert "on purpose" in failed.latest_result().exc_string
    assert cancelled.is_canceled and queue.count == 0
    assert first.id in queue.finished_job_registry


def sidekiq():
    """The commands that Sidekiq's client, fetcher, poller and heartbeat send."""
    r = redis.Redis(port=PORT, db=4, decode_responses=True)
    queues, done, ends = ["queue:critical", "queue:default"], [], threading.Event()
    zpopbyscore = r.register_script(
        "local jobs = redis.call('zrange', KEYS[1], '-inf', ARGV[1], 'byscore', 'limit', 0, 1) "
        "if jobs[1] then redis.call('zrem', KEYS[1], jobs[1]) return jobs[1] end"
    )

    def push(queue, number):
        pipe = r.pipeline()
        pipe.sadd("queues", queue)
        pipe.lpush(f"queue:{queue}", json.dumps({"class": "Job", "args": [number], "queue": queue}))
        pipe.execute()

    def processor(name):
        own = redis.Redis(port=PORT, db=4, decode_responses=True)
        while not ends.is_set():
            found = own.brpop(queues, timeout=0.5)
            if found:
                done.append((name, found[0], json.loads(found[1])["args"][0]))
                pipe = own.pipeline()
                pipe.incrby("stat:processed", 1)
                pipe.hset(name, mapping={"busy": 0, "beat": time.time()})
                pipe.expire(name, 60)
                pipe.sadd("processes", name)
                pipe.execute()

    workers = [threading.Thread(target=processor, args=(f"host:{n}",)) for n in range(4)]
    for worker in workers:
        worker.start()
    for number in range(200):
        push("critical" if number % 3 == 0 else "default", number)
    r.zadd("schedule", {json.dumps({"args": [1000 + n], "queue": "default"}): time.time() + 0.2 for n in range(5)})
    until = time.monotonic() + 10
    while len(done) < 205 and time.monotonic() < until:
        while job := zpopbyscore(["schedule"], [time.time()]):
            push("default", json.loads(job)["args"][0])
        time.sleep(0.05)
    ends.set()
    for worker in workers:
        worker.join()
    assert sorted(number for _, _, number in done) == [*range(200), *range(1000, 1005)]
    assert r.get("stat:processed") == "205" and r.smembers("queues") == {"critical", "default"}
    assert r.smembers("processes") == {name for name, _, _ in done}


def main():
    failed = False
    for case in (celery, rq, sidekiq):
        try:
            case()
            print(f"ok {case.__name__}")
        except Exception as error:  # noqa: BLE001 - any failure is the case's
            at = error.__traceback__
            while at.tb_next and at.tb_next.tb_frame.f_code.co_filename == __file__:
                at = at.tb_next
            print(f"FAIL {case.__name__}: line {at.tb_lineno}: {type(error).__name__}: {error}")
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
