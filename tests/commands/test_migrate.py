"""MIGRATE: keys go from Balas to a real Redis and back, with Redis's replies on the way."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from balas.errors import ReplyError
from balas.testing import BalasProcess, Client, RealRedis

PASSWORD = "secret"


class Pair:
    """A server that keys leave and one that they go to."""

    def __init__(self, stack: ExitStack, source: Any, target: Any) -> None:
        self.source: Client = stack.enter_context(stack.enter_context(source).client())
        self.host = stack.enter_context(target)
        self.target: Client = stack.enter_context(self.host.client())

    def migrate(self, key: str, database: int, *options: Any) -> Any:
        try:
            return self.source(
                "MIGRATE", "127.0.0.1", self.host.port, key, database, 2000, *options
            )
        except ReplyError as error:
            return str(error)


@pytest.fixture(params=["balas to redis", "redis to balas", "redis to redis"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The last one shows that what the tests expect is what Redis does."""
    source, _, target = request.param.split()
    kinds = {"balas": BalasProcess, "redis": RealRedis}
    with ExitStack() as stack:
        yield Pair(stack, kinds[source](), kinds[target]())


@pytest.mark.oracle
def test_migrate(pair: Pair) -> None:
    source, target = pair.source, pair.target
    source("SET", "plain", "value")
    source("SET", "timed", 12345, "EX", 1000)
    assert pair.migrate("plain", 0) == b"OK"
    assert (source("EXISTS", "plain"), target("GET", "plain")) == (0, b"value")
    assert pair.migrate("timed", 3, "COPY") == b"OK"
    assert source("EXISTS", "timed") == 1
    target("SELECT", 3)
    assert 990 < target("TTL", "timed") <= 1000
    busy = "ERR Target instance replied with error: BUSYKEY Target key name already exists."
    assert pair.migrate("timed", 3) == busy
    assert pair.migrate("timed", 3, "REPLACE") == b"OK"
    assert pair.migrate("timed", 3, "REPLACE") == b"NOKEY"
    assert b"migrate_cached_sockets:1" in source("INFO", "stats")


@pytest.mark.oracle
def test_several_keys_go_as_far_as_they_can(pair: Pair) -> None:
    source, target = pair.source, pair.target
    for name in ("a", "b", "c"):
        source("SET", name, name)
    target("SET", "b", "there")
    options = ("KEYS", "a", "b", "missing", "c")
    assert "BUSYKEY" in pair.migrate("", 0, *options)
    assert (source("KEYS", "*"), target("MGET", "a", "b", "c")) == ([b"b"], [b"a", b"there", b"c"])
    assert pair.migrate("b", 0, *options) == (
        "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
    )


@pytest.mark.oracle
def test_refusals(pair: Pair) -> None:
    pair.source("SET", "k", "v")
    index = "ERR Target instance replied with error: ERR DB index is out of range"
    assert pair.migrate("k", 99) == index
    pair.target("CONFIG", "SET", "requirepass", PASSWORD)
    pair.target("CLIENT", "KILL", "SKIPME", "YES")
    assert "NOAUTH" in pair.migrate("k", 5)
    assert "WRONGPASS" in pair.migrate("k", 5, "AUTH", "wrong")
    assert pair.migrate("k", 5, "COPY", "AUTH", PASSWORD) == b"OK"
    assert pair.migrate("k", 6, "AUTH2", "default", PASSWORD) == b"OK"
    assert pair.source("EXISTS", "k") == 0
    pair.source("SET", "k", "v")
    for options in (("FOO",), ("AUTH",), ("AUTH2", "x")):
        assert pair.migrate("k", 0, *options) == "ERR syntax error"
    with pytest.raises(ReplyError, match="IOERR error or timeout writing to target instance"):
        pair.source("MIGRATE", "127.0.0.1", 1, "k", 0, 100)
    assert pair.source("GET", "k") == b"v"


@pytest.mark.oracle
def test_a_target_that_came_again_is_found(pair: Pair) -> None:
    """The connection that was kept is broken: another one is made."""
    pair.source("SET", "a", 1)
    pair.source("SET", "b", 2)
    assert pair.migrate("a", 0) == b"OK"
    pair.target("CLIENT", "KILL", "SKIPME", "YES")
    assert pair.migrate("b", 0) == b"OK"
    assert pair.target("MGET", "a", "b") == [b"1", b"2"]
