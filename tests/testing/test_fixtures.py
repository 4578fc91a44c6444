"""The fixtures that authors of modules and of applications get."""

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
