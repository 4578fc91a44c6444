"""CLIENT PAUSE."""

from collections.abc import Callable

import pytest

from balas.testing import Client, InProcessServer

Connect = Callable[..., Client]


def answered(client: Client) -> bool:
    """Whether the server has something to say to a client; what it is, is thrown away."""
    try:
        client.read()
    except TimeoutError:
        return False
    return True


def test_while_all_are_paused_nobody_is_answered(server: InProcessServer, connect: Connect) -> None:
    admin, other = connect(), connect()
    admin("CLIENT", "PAUSE", "1000")
    for client in (admin, other):
        client.send("PING")
    server.advance(999)
    assert not answered(admin)
    assert not answered(other)
    server.advance(1)
    assert admin.read() == other.read() == b"PONG"


def test_not_even_the_end_of_the_pause_can_be_asked_for(connect: Connect) -> None:
    admin = connect()
    admin("CLIENT", "PAUSE", "1000", "ALL")
    admin.send("CLIENT", "UNPAUSE")
    assert not answered(admin)


def test_while_writes_are_paused_reads_go_on(server: InProcessServer, connect: Connect) -> None:
    admin, other = connect(), connect()
    other("SET", "k", "1")
    admin("CLIENT", "PAUSE", "1000", "WRITE")
    assert other("GET", "k") == b"1"
    other.send("SET", "k", "2")
    other.send("GET", "k")
    assert not answered(other)
    assert admin("GET", "k") == b"1"
    assert admin("CLIENT", "UNPAUSE") == b"OK"
    assert [other.read(), other.read()] == [b"OK", b"2"]


def test_publishing_counts_as_writing(connect: Connect) -> None:
    admin, other = connect(), connect()
    admin("CLIENT", "PAUSE", "1000", "WRITE")
    other.send("PUBLISH", "c", "m")
    assert not answered(other)
    admin("CLIENT", "UNPAUSE")
    assert other.read() == 0


def test_a_transaction_is_paused_if_it_writes(connect: Connect) -> None:
    admin, reader, writer = connect(), connect(), connect()
    reader.pipeline(("MULTI",), ("GET", "k"))
    writer.pipeline(("MULTI",), ("GET", "k"), ("SET", "k", "1"))
    admin("CLIENT", "PAUSE", "1000", "WRITE")
    assert reader("EXEC") == [None]
    writer.send("EXEC")
    assert not answered(writer)
    admin("CLIENT", "UNPAUSE")
    assert writer.read() == [None, b"OK"]


def test_requests_keep_their_order(connect: Connect) -> None:
    admin, other = connect(), connect()
    admin("CLIENT", "PAUSE", "1000", "WRITE")
    other.send_raw(b"INCR k\r\nGET k\r\nINCR k\r\n")
    other.send("GET", "k")
    admin("CLIENT", "UNPAUSE")
    assert [other.read() for _ in range(4)] == [1, b"1", 2, b"2"]


@pytest.mark.parametrize(
    ("second", "writes_only", "until_ms"),
    [
        (("500", "WRITE"), False, 1000),
        (("2000", "WRITE"), False, 2000),
        (("2000", "ALL"), False, 2000),
        (("500", "ALL"), False, 1000),
    ],
)
def test_a_second_pause_can_only_add(
    second: tuple[str, ...],
    writes_only: bool,
    until_ms: int,
    server: InProcessServer,
    connect: Connect,
) -> None:
    pause = server.engine.pause
    pause.start(1000, writes_only=False)
    pause.start(int(second[0]), writes_only=second[1] == "WRITE")
    assert pause.writes_only == writes_only
    server.advance(until_ms - 1)
    assert pause.active
    server.advance(1)
    assert not pause.active


def test_pauses_for_two_reasons_end_one_by_one(server: InProcessServer) -> None:
    pause = server.engine.pause
    pause.start(None, writes_only=True, reason="other")
    pause.start(1000, writes_only=False)
    assert not pause.writes_only
    server.advance(1000)
    assert pause.active
    assert pause.writes_only
    pause.end()
    assert pause.active
    pause.end("other")
    assert not pause.active


def test_nothing_expires_while_writes_are_paused(server: InProcessServer, connect: Connect) -> None:
    admin, other = connect(), connect()
    other("TOY.SETEX", "k", "100", "1")
    admin("CLIENT", "PAUSE", "1000", "WRITE")
    server.advance(500)
    assert other("GET", "k") is None
    assert len(server.engine.databases[0]) == 1
    server.advance(500)
    assert other("GET", "k") is None
    assert len(server.engine.databases[0]) == 0


def test_a_client_that_goes_is_not_waited_for(server: InProcessServer, connect: Connect) -> None:
    admin, other = connect(), connect()
    admin("CLIENT", "PAUSE", "1000", "WRITE")
    other.send("SET", "k", "1")
    assert len(server.engine.pause.waiting) == 1
    other.close()
    assert server.engine.pause.waiting == {}
    server.advance(1000)
    assert admin("GET", "k") is None


def test_a_refusal_does_not_wait(connect: Connect) -> None:
    admin, other = connect(), connect()
    admin("CLIENT", "PAUSE", "1000")
    assert "unknown command" in other.error("NOSUCH")
    assert "wrong number of arguments" in other.error("GET")
