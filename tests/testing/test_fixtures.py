"""The fixtures that authors of modules and of applications get."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import redis

from balas.testing import Client, InProcessServer
from balas.testing.checks import Clock
from host.author import Author


@pytest.fixture
def balas_server() -> Any:
    """Without the bundled modules: these tests are about none of them."""
    with InProcessServer(bundled=False) as server:
        yield server


def test_the_clock_moves_when_it_is_told_to(balas_client: Client, balas_clock: Clock) -> None:
    before = balas_clock.now_ms
    balas_client("SET", "k", "v", "PX", 100)
    balas_clock.advance(101)
    assert balas_clock.now_ms == before + 101
    assert balas_client("GET", "k") is None


def test_what_is_propagated(propagates: Callable[..., list[list[bytes]]]) -> None:
    assert propagates("SADD", "s", "a") == [[b"SADD", b"s", b"a"]]
    assert propagates("SADD", "s", "a") == []
    assert propagates("SPOP", "s") == [[b"SREM", b"s", b"a"]]


def test_values_survive(
    balas_server: InProcessServer, balas_client: Client, survives_reload: Callable[..., None]
) -> None:
    author = Author(balas_server)
    path = author.tally()
    balas_client("MODULE", "LOAD", str(path))
    balas_client("TALLY.ADD", "t", 4)
    balas_client("PEXPIRE", "t", 5000)
    survives_reload("t")
    with pytest.raises(AssertionError, match="no such keys"):
        survives_reload("nothing")
    author.tally(("source.load_signed()", "source.load_signed() * 2"))
    with pytest.raises(AssertionError, match="does not survive a reload of modules"):
        survives_reload("t")


def test_a_real_server_for_programs_under_test(balas_url: str) -> None:
    with redis.Redis.from_url(balas_url) as client:
        client.set("k", "v")
        assert client.get("k") == b"v"


def test_what_a_start_costs_is_printed() -> None:
    """`pytest -s` shows it; a busy machine must not fail it, so only the order of size is asked."""
    costs_s = []
    for bundled in (True, True, False):
        began_s = time.process_time()
        InProcessServer(bundled=bundled).close()
        costs_s.append(time.process_time() - began_s)
    first_s, again_s, bare_s = costs_s
    print(f"\nfirst {first_s:.3f} s, again {again_s:.3f} s, without modules {bare_s:.3f} s of CPU")
    assert bare_s < 3
