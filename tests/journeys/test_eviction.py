"""A cache under pressure, beside a real Redis of the same size: who keeps the right keys?"""

import random
from bisect import bisect
from collections.abc import Callable
from itertools import accumulate

import pytest

from balas.testing import BalasProcess, Client, RealRedis, ServerProcess

KEYS = 50_000
CAPACITY = 5_000
REQUESTS = 400_000
BATCH = 200
VALUE = b"v" * 100

pytestmark = pytest.mark.long


class Zipf:
    """Draws keys so that the n-th most popular comes with a probability like 1 / n."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._sums = list(accumulate(1 / n for n in range(1, KEYS + 1)))

    def draw(self) -> bytes:
        return b"key:%d" % bisect(self._sums, self._chance.random() * self._sums[-1])


def fill_to_capacity(client: Client) -> None:
    """Load as many keys as the cache is to hold, and make what that takes the limit."""
    for start in range(0, CAPACITY, BATCH):
        client.pipeline(*(("SET", b"first:%d" % n, VALUE) for n in range(start, start + BATCH)))
    client("CONFIG", "SET", "maxmemory", str(used(client)))


def used(client: Client) -> int:
    text: bytes = client("INFO", "memory")
    return int(text.split(b"used_memory:")[1].split(b"\r\n")[0])


def hit_ratio(server: ServerProcess, seed: int) -> tuple[float, int]:
    """The share of requests that the cache could answer once it was warm, and its keys."""
    keys = Zipf(seed)
    hits = 0
    with server.client() as client:
        fill_to_capacity(client)
        for number in range(0, REQUESTS, BATCH):
            wanted = [keys.draw() for _ in range(BATCH)]
            found = client.pipeline(*(("GET", key) for key in wanted))
            missing = {key for key, value in zip(wanted, found, strict=True) if value is None}
            client.pipeline(*(("SET", key, VALUE) for key in missing))
            if number >= REQUESTS // 2:
                hits += BATCH - sum(value is None for value in found)
        return hits / (REQUESTS // 2), client("DBSIZE")


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_cache_hits_as_often_as_redis_s(
    balas_process: Callable[..., BalasProcess], policy: str
) -> None:
    options = {"maxmemory-policy": policy, "save": ""}
    seed = random.randrange(1000)
    ours, our_keys = hit_ratio(balas_process(options), seed)
    with RealRedis(options) as redis:
        theirs, their_keys = hit_ratio(redis, seed)
    report = f"seed {seed}: {ours:.4f} with {our_keys} keys, Redis {theirs:.4f} with {their_keys}"
    print(policy, report)
    assert our_keys > 0.9 * CAPACITY
    assert ours > theirs - 0.02, report
