"""Which commands count as a use of a key, for eviction: OBJECT FREQ and OBJECT IDLETIME."""

from collections.abc import Iterator

import pytest

from balas.testing import Both, Client, InProcessServer, RealRedis

# With these every use counts, so that the counter is the number of uses.
COUNTING = {"maxmemory-policy": "allkeys-lfu", "lfu-log-factor": "0", "lfu-decay-time": "0"}

LINES = [
    "GET k",
    "GETEX k",
    "GETEX k EX 100",
    "GETEX k PERSIST",
    "MGET k k",
    "STRLEN k",
    "GETRANGE k 0 1",
    "LCS k j",
    "EXISTS k",
    "TYPE k",
    "TTL k",
    "EXPIRETIME k",
    "OBJECT ENCODING k",
    "OBJECT FREQ k",
    "WATCH k",
    "KEYS *",
    "SCAN 0 COUNT 100",
    "TOUCH k k",
    "SET k 6",
    "SET k 6 EX 100",
    "SET k 6 KEEPTTL",
    "SET k 6 NX",
    "SETNX k 1",
    "SETEX k 100 1",
    "MSET k 1",
    "MSETNX k 1",
    "INCR k",
    "DECRBY k 3",
    "INCRBYFLOAT k 1",
    "APPEND k x",
    "SETRANGE k 0 x",
    "SETRANGE k 0 ''",
    "EXPIRE k 100",
    "EXPIRE k 100 XX",
    "PERSIST k",
    "RENAME k j",
    "RENAME k new",
    "RENAMENX k j",
    "COPY k j",
    "COPY k new",
    "COPY k j REPLACE",
    "MOVE k 1",
]


@pytest.fixture
def counting(balas_server: InProcessServer, real_redis: RealRedis) -> Iterator[Both]:
    """Both servers, with counters that tell the number of uses."""
    with Both(balas_server, real_redis) as both, real_redis.client() as admin:
        before = {name: admin("CONFIG", "GET", name)[1] for name in COUNTING}
        for name, value in COUNTING.items():
            both("CONFIG", "SET", name, value)
        yield both
        for name, value in before.items():
            admin("CONFIG", "SET", name, value)


@pytest.mark.parametrize("no_touch", [False, True])
@pytest.mark.parametrize("line", LINES)
def test_a_use_is_counted_as_in_redis(line: str, no_touch: bool, counting: Both) -> None:
    counting("MSET", "k", "5", "j", "5")
    counting("MGET", "k", "k", "j")
    if no_touch:
        counting("CLIENT", "NO-TOUCH", "ON")
    counting(*line.replace("''", "").split(" "), ways="sorted deep")
    for key in ("k", "j", "new"):
        counting("OBJECT", "FREQ", key)
    counting("SELECT", "1")
    counting("OBJECT", "FREQ", "k")


def test_idle_time_passes_until_a_key_is_used(
    client: Client, balas_server: InProcessServer
) -> None:
    client("SET", "k", "v")
    balas_server.advance(5400)
    assert client("OBJECT", "IDLETIME", "k") == 5
    client("EXISTS", "k")
    assert client("OBJECT", "IDLETIME", "k") == 5
    client("GET", "k")
    assert client("OBJECT", "IDLETIME", "k") == 0


def test_touch_counts_even_for_a_client_that_asked_not_to(
    client: Client, balas_server: InProcessServer
) -> None:
    client("SET", "k", "v")
    client("CLIENT", "NO-TOUCH", "ON")
    balas_server.advance(5400)
    client("GET", "k")
    assert client("OBJECT", "IDLETIME", "k") == 5
    client("TOUCH", "k")
    assert client("OBJECT", "IDLETIME", "k") == 0
