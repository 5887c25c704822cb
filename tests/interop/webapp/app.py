"""A small Django application on its framework's own Redis cache and on django-ratelimit.

Nothing here knows of ochre: the cache is django.core.cache.backends.redis at $CACHE_URL, the
sessions live in it, and the limiter counts in it. $RENDERS names a file that grows by one byte
for each page that was really rendered.
"""

import os
import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application

settings.configure(
    SECRET_KEY="interop",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    CACHES={"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["CACHE_URL"]}},
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    INSTALLED_APPS=["django.contrib.sessions", "django_ratelimit"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware", "django_ratelimit.middleware.RatelimitMiddleware"],
    RATELIMIT_VIEW=f"{__name__}.too_many",
    USE_TZ=True,
)
application = get_wsgi_application()

from django.core.cache import cache  # noqa: E402 - needs the settings above
from django.http import HttpResponse, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.cache import cache_page  # noqa: E402
from django_ratelimit.decorators import ratelimit  # noqa: E402


@cache_page(300)
def page(_request, number):
    fd = os.open(os.environ["RENDERS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, b"r")
    os.close(fd)
    time.sleep(0.01)
    return HttpResponse(f"<h1>page {number}</h1>" + "lorem ipsum " * 400)


@ratelimit(key="header:x-user", rate="100/h", block=True)
def limited(_request):
    return HttpResponse("served")


def too_many(_request, _exception):
    return HttpResponse("slow down", status=429)


def counter(_request):
    cache.add("hits", 0, timeout=None)
    return JsonResponse({"hits": cache.incr("hits")})


def visits(request):
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})


def backend(_request):
    """Every operation of the cache's interface that needs no transaction."""
    cache.set("typed", {"list": [1, 2.5, None], "text": "é"}, timeout=100)
    assert cache.get("typed") == {"list": [1, 2.5, None], "text": "é"}
    assert cache.get("absent", "default") == "default" and cache.has_key("typed")
    assert cache.add("typed", 1) is False and cache.touch("typed", 50) and "typed" in cache
    cache.set("number", 41)
    assert cache.incr("number") == 42 and cache.decr("number", 2) == 40
    assert cache.get_many(["typed", "number", "absent"]).keys() == {"typed", "number"}
    assert cache.get_or_set("made", lambda: "once", 100) == "once"
    cache.set("gone", 1, timeout=0)
    assert cache.get("gone") is None
    cache.delete_many(["typed", "number"])
    assert cache.delete("made") and not cache.delete("made")
    return HttpResponse("fine")


def transactional(_request):
    """set_many, which the backend sends as a transaction."""
    cache.set_many({"one": 1, "two": 2}, timeout=100)
    assert cache.get_many(["one", "two"]) == {"one": 1, "two": 2}
    return HttpResponse("fine")


urlpatterns = [
    path("page/<int:number>", page),
    path("limited", limited),
    path("counter", counter),
    path("visits", visits),
    path("backend", backend),
    path("transactional", transactional),
]
