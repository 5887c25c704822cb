"""Tasks of the Celery worker that queue_workers.py starts; the port comes from the environment."""

import os

from celery import Celery

URL = f"redis://127.0.0.1:{os.environ['OCHRE_PORT']}"
app = Celery("tasks", broker=f"{URL}/1", backend=f"{URL}/2")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"socket_timeout": 20},
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    result_expires=60,
)


@app.task
def add(one, other):
    return one + other


@app.task
def total(numbers):
    return sum(numbers)


@app.task(bind=True, max_retries=2, default_retry_delay=0)
def flaky(self):
    if self.request.retries < 2:
        raise self.retry(exc=ValueError("not yet"), countdown=0)
    return self.request.retries


@app.task
def fail():
    raise KeyError("on purpose")
