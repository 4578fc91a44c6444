from pathlib import Path

import pytest

MODULE = str(Path(__file__).parent.parent / "balas_throttle")


@pytest.fixture
def balas_bundled():
    """Without the modules that come with Balas: these tests need none, and start faster."""
    return False


@pytest.fixture
def client(balas_server):
    client = balas_server.client()
    client("MODULE", "LOAD", MODULE)
    return client


def test_a_burst_passes_and_then_no_more(client):
    replies = [client("CL.THROTTLE", "u", 2, 1, 10) for _ in range(4)]
    assert replies == [[0, 3, 2, -1, 10], [0, 3, 1, -1, 20], [0, 3, 0, -1, 30], [1, 3, 0, 10, 30]]


def test_who_waits_as_long_as_told_is_let_in(client, balas_clock):
    for _ in range(3):
        client("CL.THROTTLE", "u", 2, 1, 10)
    balas_clock.advance(9_000)
    assert client("CL.THROTTLE", "u", 2, 1, 10)[0] == 1
    balas_clock.advance(1_000)
    assert client("CL.THROTTLE", "u", 2, 1, 10)[0] == 0


def test_the_key_goes_by_itself(client, balas_clock):
    client("CL.THROTTLE", "u", 2, 1, 10)
    balas_clock.advance(10_001)
    assert client("EXISTS", "u") == 0


def test_more_than_the_limit_at_once_never_passes(client):
    assert client("CL.THROTTLE", "u", 2, 1, 10, 4) == [1, 3, 3, -1, 0]
    assert client("CL.THROTTLE", "u", 2, 1, 10, 3) == [0, 3, 0, -1, 30]
    assert client("CL.THROTTLE", "u", 2, 1, 10, 0)[0] == 0


def test_replicas_are_told_the_outcome(client, propagates):
    (record,) = propagates("CL.THROTTLE", "u", 2, 1, 10)
    assert record[:2] == [b"SET", b"u"]
    assert propagates("CL.THROTTLE", "u", 2, 1, 10, 9) == []


def test_mistakes_are_told(client):
    assert client.error("CL.THROTTLE", "u", -1, 1, 10) == (
        "ERR max_burst must be an integer of at least 0"
    )
    client("SET", "text", "hello")
    assert client.error("CL.THROTTLE", "text", 1, 1, 10) == (
        "ERR this key was not made by CL.THROTTLE"
    )
    client("LPUSH", "list", "a")
    assert client.error("CL.THROTTLE", "list", 1, 1, 10).startswith("WRONGTYPE")
