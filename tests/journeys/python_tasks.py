"""Tasks for workers of Celery and RQ; the variable JOURNEY_PORT holds the server's port."""

import os
import time

import redis
from celery import Celery

PORT = int(os.environ.get("JOURNEY_PORT", "6379"))
URL = f"redis://127.0.0.1:{PORT}/0"
RUNS = "journey:runs"

app = Celery("journey", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)


def count(number: int) -> int:
    """Note that a task ran; returns how many times it has."""
    with redis.Redis(port=PORT) as client:
        return int(client.hincrby(RUNS, str(number), 1))


@app.task
def double(number: int) -> int:
    """A task that takes a moment."""
    count(number)
    time.sleep(0.005)
    return number * 2


@app.task(bind=True, max_retries=3)
def stubborn(self, number: int) -> str:
    """Fails twice, then is done."""
    if count(number) < 3:
        raise self.retry(countdown=0.05)
    return "at last"


@app.task
def total(numbers: list[int]) -> int:
    """The end of a chord."""
    return sum(numbers)


def plain(number: int) -> int:
    """A task of RQ."""
    count(number)
    return number * 2


def failing(number: int) -> int:
    """Fails the first time."""
    if count(number) < 2:
        raise ValueError("not yet")
    return number
