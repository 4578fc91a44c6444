"""Clients of the Node world: ioredis, node-redis and BullMQ. The stories themselves are in js/."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from balas.testing import ServerProcess, wait_until

pytestmark = pytest.mark.clients

JOBS = int(os.environ.get("BALAS_JOURNEY_JOBS", "10000"))
JOBS_MAX_S = 300.0


@pytest.mark.parametrize("script", ["ioredis.js", "node_redis.js", "bullmq_features.js"])
def test_a_client_finds_everything_it_calls(
    script: str, visited: ServerProcess, told: Callable[..., None]
) -> None:
    told(script, visited.port)


def test_no_job_is_lost_when_a_worker_is_killed(
    visited: ServerProcess, node: Callable[..., Any]
) -> None:
    """Jobs with delays, priorities and retries; half way one of the workers crashes."""
    survivor = node("bullmq_worker.js", visited.port, "survivor")
    victim = node("bullmq_worker.js", visited.port, "victim")
    for worker in (survivor, victim):
        worker.wait_for("ready")
    producer = node("bullmq_producer.js", visited.port, JOBS)
    with visited.client() as client:

        def completed() -> int:
            return int(client("ZCARD", "bull:journey:completed"))

        wait_until(lambda: completed() > JOBS // 3, JOBS_MAX_S, "a third of the jobs")
        victim.kill()
        assert producer.process.wait(JOBS_MAX_S) == 0, producer.printed
        wait_until(lambda: completed() == JOBS, JOBS_MAX_S, "all jobs")
        left = {
            name: client(command, f"bull:journey:{name}")
            for command, names in (
                ("LLEN", ("wait", "active", "paused")),
                ("ZCARD", ("delayed", "prioritized", "failed", "waiting-children")),
            )
            for name in names
        }
        assert not any(left.values()), left
        runs = client("HVALS", "journey:runs")
        assert len(runs) == JOBS
        assert sum(map(int, runs)) >= JOBS + len(range(3, JOBS, 10)), "those that failed once"
        for number in (1, JOBS // 2, JOBS):
            data = client("HMGET", f"bull:journey:{number}", "data", "returnvalue")
            assert data == [b'{"number":%d}' % (number - 1), b"%d" % (2 * (number - 1))]
