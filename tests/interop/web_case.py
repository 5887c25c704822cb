"""The Django application of webapp/ under gunicorn, its cache on the server, driven by ab."""

import contextlib
import http.cookiejar
import json
import os
import re
import subprocess
import time
import urllib.request
from pathlib import Path

from harness import servers

HERE = Path(__file__).resolve().parent
PAGES, REQUESTS = 5, 1000
WORKERS, THREADS = 2, 4


class App:
    """gunicorn with the application; `get` fetches a path, `load` drives it with ab."""

    def __init__(self, python, target):
        self.port = servers.free_port()
        self.renders = target.server.dir / "renders"
        self.renders.touch()
        self.log = target.server.dir / "gunicorn.log"
        env = {**os.environ, "CACHE_URL": f"redis://127.0.0.1:{target.port}/1", "RENDERS": str(self.renders)}
        line = [python, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers", str(WORKERS)]
        line += ["--threads", str(THREADS), "--no-control-socket", "app:application"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(line, cwd=HERE / "webapp", env=env, stdout=log, stderr=log)
        for _ in range(200):
            with contextlib.suppress(OSError):
                if self.get("backend") == "fine":
                    return
            time.sleep(0.1)
        self.stop()
        raise AssertionError(f"the application did not start: {self.log.read_text()[-2000:]}")

    def get(self, path, opener=urllib.request.build_opener()):
        with opener.open(f"http://127.0.0.1:{self.port}/{path}", timeout=10) as answer:
            return answer.read().decode()

    def load(self, path, requests, *options):
        """(completed, failed, not 2xx, requests/s)"""
        line = ["ab", "-q", "-n", str(requests), "-c", "16", *options, f"http://127.0.0.1:{self.port}/{path}"]
        shown = subprocess.run(line, capture_output=True, text=True, timeout=120).stdout

        def figure(label):
            found = re.search(rf"{label}:\s+([\d.]+)", shown)
            return float(found[1]) if found else 0

        if not figure("Complete requests"):
            raise AssertionError(f"ab: {shown}")
        answer = [figure(label) for label in ("Complete requests", "Failed requests", "Non-2xx responses")]
        return [int(n) for n in answer] + [figure("Requests per second")]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def failed_commands(target):
    """The commands that failed, but for those with which a client asks what the server knows."""
    table = target.connect().info("commandstats")
    bad = {k: v for k, v in table.items() if not re.search(r"rejected_calls=0,failed_calls=0", v)}
    return {k: v for k, v in bad.items() if not k.startswith(("cmdstat_client", "cmdstat_hello"))}


def cases(python):
    """The web cases; each starts the application anew."""

    def with_app(work):
        def case(target):
            app = App(python, target)
            try:
                shown = work(app, target)
                errors = failed_commands(target)
                assert not errors, f"the server answered with errors: {errors}"
                return shown
            except Exception as error:
                raise AssertionError(f"{error}\n{app.log.read_text()[-1500:]}") from error
            finally:
                app.stop()

        case.__doc__ = work.__doc__
        case.needs = getattr(work, "needs", ())
        return case

    return [with_app(work) for work in (cached_pages, rate_limit, atomic_counter, sessions, transaction)]


def cached_pages(app, target):
    """Django's page cache serves thousands of requests from a few renderings"""
    before = int(target.connect().info("stats")["keyspace_hits"])
    rates = []
    for number in range(PAGES):
        completed, failed, refused, rate = app.load(f"page/{number}", REQUESTS)
        assert (completed, failed, refused) == (REQUESTS, 0, 0), (completed, failed, refused)
        rates.append(rate)
    renders = app.renders.stat().st_size
    hits = int(target.connect().info("stats")["keyspace_hits"]) - before
    assert PAGES <= renders <= PAGES * WORKERS * THREADS, f"{renders} renderings"
    assert hits >= 2 * (PAGES * REQUESTS - renders) * 0.99, f"{hits} hits"
    return f"{PAGES * REQUESTS} requests, {renders} renderings, {hits} hits, {sum(rates) / PAGES:.0f} requests/s"


def rate_limit(app, _target):
    """django-ratelimit lets exactly 100 an hour through and answers 429 to the rest"""
    for user, requests in (("ann", 300), ("bob", 150), ("cy", 60)):
        completed, _failed, refused, _rate = app.load("limited", requests, "-H", f"X-User: {user}")
        assert completed == requests and refused == max(0, requests - 100), (user, completed, refused)
    request = urllib.request.Request(f"http://127.0.0.1:{app.port}/limited", headers={"X-User": "ann"})
    try:
        urllib.request.urlopen(request, timeout=5)
        raise AssertionError("ann was served once more")
    except urllib.error.HTTPError as error:
        assert error.code == 429, error.code


def atomic_counter(app, _target):
    """cache.incr counts every concurrent request"""
    completed, _failed, refused, _rate = app.load("counter", 2000)  # bodies differ in length
    assert (completed, refused) == (2000, 0), (completed, refused)
    assert json.loads(app.get("counter"))["hits"] == 2001


def sessions(app, _target):
    """sessions live in the cache across requests and workers"""
    openers = [
        urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())) for _ in range(20)
    ]
    for visit in range(1, 11):
        for opener in openers:
            assert json.loads(app.get("visits", opener))["visits"] == visit


def transaction(app, _target):
    """cache.set_many"""
    assert app.get("transactional") == "fine"


transaction.needs = ["MULTI"]
