"""WATCH, EXEC, and in which order a change is told to whom."""

from collections.abc import Callable

import pytest

from balas.testing import Client, InProcessServer

Connect = Callable[..., Client]


def aborted(client: Client) -> bool:
    """Whether a transaction does nothing because of what happened to watched keys."""
    client("MULTI")
    client("PING")
    return client("EXEC") is None


#: What another client does to the watched key "k", which holds a string, and whether it counts.
DEEDS = [
    (("SET", "k", "1"), True),
    (("TOY.DROP", "k"), True),
    (("TOY.SETEX", "k", "1000", "1"), True),
    (("GET", "k"), False),
    (("SET", "other", "1"), False),
    (("SWAPDB", "0", "1"), True),
    (("SWAPDB", "1", "2"), False),
    (("TOY.CLEAR",), True),
]


@pytest.mark.parametrize(("deed", "counts"), DEEDS)
def test_watching_a_key(deed: tuple[str, ...], counts: bool, connect: Connect) -> None:
    client, other = connect(), connect()
    client("SET", "k", "0")
    client("WATCH", "k", "j")
    other(*deed)
    assert aborted(client) == counts
    assert not aborted(client), "EXEC forgets the watched keys"


@pytest.mark.parametrize(
    ("deed", "counts"),
    [(("SET", "k", "1"), True), (("TOY.CLEAR",), False), (("SWAPDB", "0", "1"), False)],
)
def test_watching_a_key_that_is_not_there(
    deed: tuple[str, ...], counts: bool, connect: Connect
) -> None:
    client, other = connect(), connect()
    client("WATCH", "k")
    other(*deed)
    assert aborted(client) == counts


def test_a_swap_that_brings_the_key_counts(connect: Connect) -> None:
    client, other = connect(), connect()
    other.pipeline(("SELECT", "1"), ("SET", "k", "1"), ("SELECT", "0"))
    client("WATCH", "k")
    other("SWAPDB", "0", "1")
    assert aborted(client)


def test_a_key_that_expires_has_changed(server: InProcessServer, connect: Connect) -> None:
    client, other = connect(), connect()
    client("TOY.SETEX", "k", "100", "1")
    client("WATCH", "k")
    server.advance(101)
    assert aborted(client), "even if nobody has looked at it since"
    client("TOY.SETEX", "k", "100", "1")
    client("WATCH", "k")
    server.advance(101)
    other("GET", "k")
    assert aborted(client)


def test_a_key_that_had_expired_may_go(server: InProcessServer, connect: Connect) -> None:
    client, other = connect(), connect()
    server.engine.changes.expires_keys = False
    client("TOY.SETEX", "k", "100", "1")
    server.advance(101)
    client("WATCH", "k")
    server.engine.changes.expires_keys = True
    assert other("GET", "k") is None
    assert not aborted(client)
    client("WATCH", "k")
    other("SET", "k", "1")
    assert aborted(client), "but not come back"


@pytest.mark.parametrize("ending", ["UNWATCH", "DISCARD", "RESET", "EXEC"])
def test_what_ends_watching(ending: str, server: InProcessServer, connect: Connect) -> None:
    client, other = connect(), connect()
    client("WATCH", "a", "b")
    if ending in ("DISCARD", "EXEC"):
        client("MULTI")
    client(ending)
    assert server.engine.changes.watched == {}
    other("SET", "a", "1")
    assert not aborted(client)


def test_one_that_has_lost_watches_no_further(server: InProcessServer, connect: Connect) -> None:
    client, other = connect(), connect()
    client("WATCH", "a", "b")
    other("SET", "a", "1")
    client("WATCH", "c")
    assert server.engine.changes.watched == {}
    assert aborted(client)


def test_a_client_that_goes_watches_nothing(server: InProcessServer, connect: Connect) -> None:
    client = connect()
    client("WATCH", "a", "b")
    client.close()
    assert server.engine.changes.watched == {}
    assert not server.engine.changes.watched


def test_a_transaction_is_one_unit_of_the_log(server: InProcessServer, connect: Connect) -> None:
    units: list[list[tuple[int, tuple[bytes, ...]]]] = []
    server.engine.changes.add_sink(lambda records: units.append(list(records)))
    connect().pipeline(
        ("MULTI",), ("SET", "a", "1"), ("SELECT", "3"), ("GET", "a"), ("INCR", "b"), ("EXEC",)
    )
    assert units == [[(0, (b"SET", b"a", b"1")), (3, (b"INCR", b"b"))]]


def test_a_failed_command_in_a_transaction_is_not_recorded(
    server: InProcessServer, connect: Connect
) -> None:
    units: list[list[tuple[int, tuple[bytes, ...]]]] = []
    server.engine.changes.add_sink(lambda records: units.append(list(records)))
    client = connect()
    client("SET", "a", "text")
    client.pipeline(("MULTI",), ("INCR", "a"), ("SET", "b", "1"), ("EXEC",))
    assert units[1:] == [[(0, (b"SET", b"b", b"1"))]]


def test_listeners_hear_after_each_command_of_a_transaction(
    server: InProcessServer, connect: Connect
) -> None:
    heard: list[list[tuple[int, bytes, str]]] = []
    server.engine.changes.add_listener(lambda changes: heard.append(list(changes)))
    client = connect()
    client.pipeline(("MULTI",), ("MSET", "a", "1", "b", "2"), ("INCR", "a"), ("EXEC",))
    assert heard == [[(0, b"a", "set"), (0, b"b", "set")], [(0, b"a", "incrby")]]


def test_the_reply_of_a_command_is_not_changed_by_the_next(connect: Connect) -> None:
    client = connect()
    client("SET", "k", "x" * 1000)
    replies = client.pipeline(("MULTI",), ("GET", "k"), ("SET", "k", "y"), ("GET", "k"), ("EXEC",))
    assert replies[-1] == [b"x" * 1000, b"OK", b"y"]


def test_a_command_whose_module_has_gone_is_unknown(
    server: InProcessServer, connect: Connect
) -> None:
    client = connect()
    client.pipeline(("MULTI",), ("TOY.DROP", "k"), ("PING",))
    commands = server.engine.commands
    commands.unregister([spec for spec in commands if spec.name == "toy.drop"])
    replies = client("EXEC")
    assert str(replies[0]).startswith("ERR unknown command 'TOY.DROP'")
    assert replies[1] == b"PONG"
