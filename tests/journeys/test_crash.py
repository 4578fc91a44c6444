"""A server is killed in the midst of writes: what it has acknowledged is there after a restart."""

import threading
from collections.abc import Callable
from random import Random

import pytest

from balas.testing import BalasProcess, RealRedis, ServerProcess

WRITERS = 4
DURABLE = {"appendonly": "yes", "appendfsync": "always"}
RUNS_LONG = 50


class Writer(threading.Thread):
    """Writes numbered keys over its own connection until the server is gone.

    `acknowledged` is the number of keys, from 0 on, whose writing was confirmed.
    """

    def __init__(self, server: ServerProcess, name: str, chance: Random) -> None:
        super().__init__(name=name)
        self.acknowledged = 0
        self._client = server.client()
        self._chance = chance
        self._sent = 0

    def run(self) -> None:
        try:
            while True:
                batch = range(self._sent, self._sent + self._chance.choice([1, 1, 1, 10, 100]))
                self._sent = batch.stop
                for number in batch:
                    self._client.send("SET", f"{self.name}:{number}", number)
                for _ in batch:
                    assert self._client.read() == b"OK"
                    self.acknowledged += 1
        except ConnectionError:
            self._client.close()


def lost_writes(server: ServerProcess, seed: int) -> list[str]:
    """Kill the server under load, restart it, and list the acknowledged keys that are gone."""
    chance = Random(seed)
    writers = [Writer(server, f"writer-{n}", Random(seed + n)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    enough = chance.randrange(1, 5000)
    while sum(writer.acknowledged for writer in writers) < enough:
        assert all(writer.is_alive() for writer in writers)
    server.kill()
    for writer in writers:
        writer.join(30)
    server.start()
    lost = []
    with server.client() as client:
        for writer in writers:
            keys = [f"{writer.name}:{number}" for number in range(writer.acknowledged)]
            found = client.pipeline(*(["GET", key] for key in keys))
            lost += [k for n, (k, v) in enumerate(zip(keys, found, strict=True)) if v != b"%d" % n]
    return lost


RUNS = [pytest.param(seed, marks=pytest.mark.long) for seed in range(1, RUNS_LONG)]


@pytest.mark.parametrize("seed", [0, *RUNS])
def test_no_acknowledged_write_is_lost(
    balas_process: Callable[..., BalasProcess], seed: int
) -> None:
    assert lost_writes(balas_process(DURABLE), seed) == []


def test_the_test_notices_lost_writes(real_redis: RealRedis) -> None:
    """It finds nothing lost on a real server that logs, and much on one that does not."""
    with RealRedis(DURABLE) as server:
        assert lost_writes(server, 0) == []
    with RealRedis({"appendonly": "no"}) as server:
        assert lost_writes(server, 0)
