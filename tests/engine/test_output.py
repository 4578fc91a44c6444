"""Clients that do not read, or send much: nobody else suffers, and memory stays bounded."""

from collections.abc import Callable
from typing import Any

import pytest

from balas.engine.client import Suspended
from balas.testing import Client, InProcessServer, encode

Connect = Callable[..., Client]
#: Makes clients that do not read, with their transports.
Slow = Callable[..., tuple[Client, Any]]

BIG = "x" * 300_000


def test_a_client_that_does_not_read_is_served_no_further(
    server: InProcessServer, connect: Connect, slow: Slow
) -> None:
    other = connect()
    other("SET", "k", BIG)
    client, transport = slow()
    client.send_raw(encode("GET", "k") * 20 + encode("INCR", "served"))
    held = transport.get_write_buffer_size()
    assert 1_000_000 < held < 2_000_000
    assert transport.peer.suspended == Suspended.CONGESTED
    assert other("GET", "served") is None
    said = transport.read_all()
    assert len(said) == 20 * (len(BIG) + len("$300000\r\n\r\n")) + len(":1\r\n")
    assert other("GET", "served") == b"1"


def test_what_it_sends_meanwhile_is_kept(connect: Connect, slow: Slow) -> None:
    connect()("SET", "k", BIG)
    client, transport = slow()
    for _ in range(5):
        client.send_raw(encode("GET", "k") * 4)
    client.send_raw(b"*2\r\n$4\r\nECHO\r\n$5\r\nhe")
    assert transport.peer.backlog_size > 0
    transport.read_all()
    client.send_raw(b"llo\r\n")
    assert transport.read_all() == b"$5\r\nhello\r\n"


def test_it_may_send_all_before_it_reads(connect: Connect, slow: Slow) -> None:
    """As pipelines of client libraries do: if the server stopped reading, both would wait."""
    connect()("SET", "k", "x" * 1000)
    client, transport = slow()
    for _ in range(100):
        client.send_raw(encode("GET", "k") * 100)
    assert transport.get_write_buffer_size() < 2_000_000
    assert transport.read_all() == b"$1000\r\n%b\r\n" % (b"x" * 1000) * 10_000


def test_but_not_more_than_the_limit_on_input(
    server: InProcessServer, connect: Connect, slow: Slow
) -> None:
    other = connect()
    other("SET", "k", BIG)
    other("CONFIG", "SET", "client-query-buffer-limit", "1mb")
    client, transport = slow()
    client.send_raw(encode("GET", "k") * 20)
    client.send_raw(b"x" * 900_000)
    assert not transport.closed
    client.send_raw(b"x" * 200_000)
    assert transport.closed
    assert server.engine.stats.query_limit_disconnections == 1


def test_half_a_request_counts_as_input(server: InProcessServer, connect: Connect) -> None:
    client, other = connect(), connect()
    other("CONFIG", "SET", "client-query-buffer-limit", "1mb")
    client.send_raw(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n")
    for _ in range(10):
        client.send_raw(b"x" * 100_000)
    client.send_raw(b"x" * 100_000)
    with pytest.raises(ConnectionError):
        client.send_raw(b"x")
    assert server.engine.stats.query_limit_disconnections == 1
    assert '(qbuf initial bytes: "xxx' in server.log


def test_so_does_what_a_transaction_queues(server: InProcessServer, connect: Connect) -> None:
    client, other = connect(), connect()
    other("CONFIG", "SET", "client-query-buffer-limit", "1mb")
    client("MULTI")
    assert client("SET", "k", "x" * 900_000) == b"QUEUED"
    client.send("SET", "k", "x" * 200_000)
    assert client.read_to_end() == b""
    assert other("GET", "k") is None


# The limits on output.


def limit(client: Client, text: str) -> None:
    client("CONFIG", "SET", "client-output-buffer-limit", text)


def test_a_reply_above_the_limit_ends_the_connection(
    server: InProcessServer, connect: Connect
) -> None:
    client, other = connect(), connect()
    limit(other, "normal 100000 0 0")
    client("SET", "k", "x" * 50_000)
    assert client("GET", "k") == b"x" * 50_000
    client.send_raw(encode("GET", "k") * 3)
    assert client.read_to_end() == b""
    assert server.engine.stats.output_limit_disconnections == 1
    assert "closed ASAP for overcoming of output buffer limits" in server.log
    assert other("PING") == b"PONG"


def test_a_subscriber_that_does_not_read_is_cut_off(
    server: InProcessServer, connect: Connect, slow: Slow
) -> None:
    publisher = connect()
    limit(publisher, "pubsub 400000 0 0")
    client, transport = slow(high_water=100_000)
    client.send("SUBSCRIBE", "c")
    received = [publisher("PUBLISH", "c", "x" * 1000) for _ in range(1000)]
    assert 380 <= sum(received) <= 400
    assert received[-1] == 0
    assert transport.closed
    assert server.engine.stats.output_limit_disconnections == 1


def test_many_messages_in_one_batch_are_not_piled_up(
    server: InProcessServer, connect: Connect, slow: Slow
) -> None:
    publisher = connect()
    limit(publisher, "pubsub 400000 0 0")
    client, transport = slow(high_water=100_000)
    client.send("SUBSCRIBE", "c")
    received = publisher.pipeline(*[("PUBLISH", "c", "x" * 1000)] * 2000)
    assert sum(received) < 600
    assert transport.closed


def test_a_soft_limit_may_be_passed_for_some_time(
    server: InProcessServer, connect: Connect, slow: Slow
) -> None:
    publisher = connect()
    limit(publisher, "pubsub 0 200000 10")
    client, transport = slow(high_water=100_000)
    client.send("SUBSCRIBE", "c")
    for _ in range(300):
        publisher("PUBLISH", "c", "x" * 1000)
    server.advance(9_000)
    assert publisher("PUBLISH", "c", "still there") == 1
    transport.read_all()
    for _ in range(300):
        publisher("PUBLISH", "c", "x" * 1000)
    server.advance(10_000)
    assert publisher("PUBLISH", "c", "still there") == 1
    server.advance(3_000)
    assert transport.closed, "time was counted anew after the client had read"


def test_without_a_limit_a_subscriber_may_fall_behind(connect: Connect, slow: Slow) -> None:
    publisher = connect()
    limit(publisher, "pubsub 0 0 0")
    client, transport = slow(high_water=100_000)
    client.send("SUBSCRIBE", "c")
    for _ in range(1000):
        assert publisher("PUBLISH", "c", "x" * 1000) == 1
    assert not transport.closed
    assert len(transport.read_all()) > 1_000_000


def test_a_stranger_that_does_not_read_is_cut_off_soon(slow: Slow, connect: Connect) -> None:
    connect()("CONFIG", "SET", "requirepass", "secret")
    client, transport = slow()
    client.send_raw(encode("PING") * 400)
    assert not transport.closed
    client.send_raw(encode("PING") * 400)
    assert transport.closed


# Endings.


def test_quit_sends_everything_first_and_runs_nothing_after(connect: Connect) -> None:
    client = connect()
    client.send_raw(
        encode("SET", "k", BIG) + encode("GET", "k") * 2 + encode("QUIT") + encode("SET", "k", 1)
    )
    said = client.read_to_end()
    assert said.startswith(b"+OK\r\n$300000\r\n")
    assert said.endswith(b"x\r\n+OK\r\n")
    assert len(connect()("GET", "k")) == 300_000


def test_what_was_sent_by_one_that_never_read_and_went_is_still_done(
    connect: Connect, slow: Slow, server: InProcessServer
) -> None:
    other = connect()
    other("SET", "k", BIG)
    client, transport = slow()
    client.send_raw(encode("GET", "k") * 5 + encode("INCR", "done") * 3)
    client.send_raw(encode("INCR", "done") * 4)
    assert other("GET", "done") is None
    server.engine.leave(transport.peer)
    assert other("GET", "done") == b"7"
    assert transport.peer.id not in server.engine.clients


def test_but_nothing_of_one_that_waited(server: InProcessServer, connect: Connect) -> None:
    client, other = connect(), connect()
    client.send_raw(encode("TOY.TAKE", "a", "0") + encode("INCR", "done"))
    server.engine.leave(next(iter(server.engine.clients.values())))
    assert other("GET", "done") is None
    assert len(server.engine.clients) == 1


def test_a_client_can_end_another_in_the_middle_of_a_batch(connect: Connect) -> None:
    one, other = connect(), connect()
    number = other("CLIENT", "ID")
    replies = one.pipeline(("PING",), ("CLIENT", "KILL", "ID", number), ("PING",))
    assert replies == [b"PONG", 1, b"PONG"]
    assert other.read_to_end() == b""


def test_one_that_ends_itself_hears_of_it_and_nothing_more(connect: Connect) -> None:
    client, other = connect(), connect()
    client.send_raw(b"CLIENT KILL TYPE normal SKIPME no\r\nSET k 1\r\n")
    assert client.read_to_end() == b":2\r\n"
    assert other.read_to_end() == b""
    assert connect()("GET", "k") is None


# Taking turns.


class Turns:
    """Stands in for the event loop: what is put off is done when the test says so."""

    def __init__(self, server: InProcessServer) -> None:
        self.put_off: list[Callable[[], object]] = []
        server.engine.call_soon = self.put_off.append

    def next(self) -> None:
        """One turn of the loop."""
        due, self.put_off[:] = list(self.put_off), []
        for action in due:
            action()


def test_one_that_sends_much_lets_others_have_their_turn(
    server: InProcessServer, connect: Connect
) -> None:
    turns = Turns(server)
    busy, other = connect(), connect()
    # A batch is 64 requests, and it is after a batch that the clock is looked at.
    busy.send_raw(encode("TOY.WORK", "1") * 64 + encode("INCR", "k") * 64 + encode("PING"))
    assert other("GET", "k") is None
    busy.send("ECHO", "later")
    turns.next()
    assert other("GET", "k") == b"64"
    replies = [busy.read() for _ in range(130)]
    assert replies[-2:] == [b"PONG", b"later"]
    assert turns.put_off == []


def test_one_whose_socket_holds_more_than_was_read_gives_way_at_once(
    server: InProcessServer, connect: Connect
) -> None:
    turns = Turns(server)
    busy, other = connect(), connect()
    busy.send_raw(encode("INCR", "k") * 10_000)
    busy.send("INCR", "k")
    assert other("GET", "k") == b"10000"
    turns.next()
    server.run_loop()
    assert other("GET", "k") == b"10001"


def test_one_that_goes_while_it_rests_is_still_served(
    server: InProcessServer, connect: Connect
) -> None:
    turns = Turns(server)
    busy, other = connect(), connect()
    busy.send_raw(encode("TOY.WORK", "1") * 64 + encode("INCR", "k") * 64)
    server.engine.leave(next(iter(server.engine.clients.values())))
    assert other("GET", "k") is None
    turns.next()
    assert other("GET", "k") == b"64"
    assert len(server.engine.clients) == 1


def test_one_that_is_killed_while_it_rests_is_not(
    server: InProcessServer, connect: Connect
) -> None:
    turns = Turns(server)
    busy, other = connect(), connect()
    busy.send_raw(encode("TOY.WORK", "1") * 64 + encode("INCR", "k") * 64)
    assert other("CLIENT", "KILL", "TYPE", "normal") == 1
    turns.next()
    assert other("GET", "k") is None


# Mistakes of commands.


def test_an_exception_is_an_error_reply_and_a_line_in_the_log(
    server: InProcessServer, connect: Connect
) -> None:
    client = connect()
    assert client.error("TOY.FAIL") == "ERR internal error in 'toy.fail': RuntimeError: a bug"
    assert "Traceback" in server.log
    assert client("PING") == b"PONG"


def test_what_is_no_reply_leaves_the_stream_whole(connect: Connect) -> None:
    client = connect()
    assert "is no reply value" in client.error("TOY.NONSENSE")
    replies = client.pipeline(("MULTI",), ("TOY.NONSENSE",), ("TOY.FAIL",), ("PING",), ("EXEC",))
    first, second, third = replies[-1]
    assert "is no reply value" in str(first)
    assert "a bug" in str(second)
    assert third == b"PONG"
