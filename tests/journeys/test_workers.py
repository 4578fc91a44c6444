"""Queues of the Python and Ruby worlds: Celery, RQ, and what Sidekiq sends."""

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from balas.testing import ServerProcess, wait_until

pytestmark = pytest.mark.clients

HERE = Path(__file__).parent
TASKS = 60
TASKS_MAX_S = 60.0


def tasks_for(port: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the tasks, bound to a server."""
    monkeypatch.setenv("JOURNEY_PORT", str(port))
    monkeypatch.syspath_prepend(HERE)
    sys.modules.pop("python_tasks", None)
    return importlib.import_module("python_tasks")


@pytest.mark.filterwarnings("ignore")
def test_celery_does_its_tasks(
    visited: ServerProcess, run_beside: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tasks_for(visited.port, monkeypatch)
    environment = {"JOURNEY_PORT": str(visited.port), "PYTHONPATH": str(HERE)}

    def worker(name: str) -> Any:
        words = ("-A", "python_tasks", "worker", "--pool", "solo", "--loglevel", "INFO")
        mild = ("--without-gossip", "--without-mingle", "--hostname", name)
        return run_beside(sys.executable, "-m", "celery", *words, *mild, **environment)

    for one in (worker("one"), worker("another")):
        one.wait_for("ready.", TASKS_MAX_S)
    results = [tasks.double.delay(number) for number in range(TASKS)]
    retried = tasks.stubborn.delay(1000)
    later = tasks.double.apply_async((500,), countdown=0.3)
    assert [r.get(timeout=TASKS_MAX_S) for r in results] == [n * 2 for n in range(TASKS)]
    assert retried.get(timeout=TASKS_MAX_S) == "at last"
    assert later.get(timeout=TASKS_MAX_S) == 1000
    chord = importlib.import_module("celery").chord
    header = [tasks.double.s(number) for number in range(2000, 2010)]
    assert chord(header)(tasks.total.s()).get(timeout=TASKS_MAX_S) == 2 * sum(range(2000, 2010))
    tasks.app.close()


@pytest.mark.filterwarnings("ignore")
def test_rq_does_its_tasks(
    visited: ServerProcess, run_beside: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rq = importlib.import_module("rq")
    tasks = tasks_for(visited.port, monkeypatch)
    with redis.Redis(port=visited.port) as client:
        queue = rq.Queue("journey", connection=client)
        jobs = [queue.enqueue(tasks.plain, number) for number in range(20)]
        retried = queue.enqueue(tasks.failing, 100, retry=rq.Retry(max=2))
        hopeless = queue.enqueue(tasks.failing, 101)
        last = queue.enqueue(tasks.plain, 200, depends_on=[jobs[-1], retried])
        run_beside(
            *(sys.executable, "-m", "rq.cli", "worker", "--worker-class", "rq.SimpleWorker"),
            *("--url", f"redis://127.0.0.1:{visited.port}", "journey"),
            JOURNEY_PORT=str(visited.port),
            PYTHONPATH=str(HERE),
        )
        wait_until(lambda: last.get_status(refresh=True) == "finished", TASKS_MAX_S, "the tasks")
        assert [job.return_value(refresh=True) for job in jobs] == [n * 2 for n in range(20)]
        assert retried.return_value(refresh=True) == 100
        assert hopeless.get_status(refresh=True) == "failed"
        assert "not yet" in hopeless.latest_result().exc_string
        assert queue.failed_job_registry.count == 1
        assert queue.count == 0


# What Sidekiq sends, call by call: a job is pushed and fetched, fails, is scheduled again by a
# script, and the figures of its dashboard are kept.
FETCH_DUE = """
local job = redis.call("zrange", KEYS[1], "-inf", ARGV[1], "byscore", "limit", 0, 1)
if #job > 0 then redis.call("zrem", KEYS[1], job[1]) return job[1] end
return false
"""


def test_the_calls_of_sidekiq_fit_together(visited: ServerProcess) -> None:
    count = 200
    with redis.Redis(port=visited.port, decode_responses=True, protocol=3) as client:
        fetch_due = client.register_script(FETCH_DUE)

        def push(payloads: list[str]) -> None:
            with client.pipeline() as pipe:
                pipe.sadd("queues", "default")
                pipe.lpush("queue:default", *payloads)
                pipe.execute()

        push([json.dumps({"jid": f"{n:024x}", "class": "Hard", "args": [n]}) for n in range(count)])
        done, failed = 0, 0
        while True:
            fetched = client.brpop(["queue:default"], timeout=0.05)
            if fetched is None:
                due = fetch_due(keys=["retry"], args=[time.time()])
                if due is None and not client.zcard("retry"):
                    break
                if due is not None:
                    push([due])
                continue
            job = json.loads(fetched[1])
            with client.pipeline(transaction=True) as pipe:
                pipe.hset("host:1:abc:work", mapping={job["jid"]: fetched[1]})
                pipe.expire("host:1:abc:work", 60)
                pipe.execute()
            if job["args"][0] % 10 == 0 and not job.get("retry_count"):
                failed += 1
                client.zadd("retry", {json.dumps({**job, "retry_count": 1}): time.time() + 0.05})
                client.incr("stat:failed")
            else:
                done += 1
                client.incr("stat:processed")
            with client.pipeline(transaction=True) as pipe:
                pipe.sadd("processes", "host:1:abc")
                pipe.hset("host:1:abc", mapping={"busy": 0, "beat": time.time()})
                pipe.hdel("host:1:abc:work", job["jid"])
                pipe.execute()
        assert (done, failed) == (count, count // 10)
        assert client.mget("stat:processed", "stat:failed") == [str(count), str(count // 10)]
        assert list(client.hscan_iter("host:1:abc:work")) == []
        assert list(client.sscan_iter("processes")) == ["host:1:abc"]
        assert client.zcard("retry") == client.llen("queue:default") == 0
