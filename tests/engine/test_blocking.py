"""Commands that wait for keys."""

from collections.abc import Callable

import pytest

from balas.testing import Client, InProcessServer

Connect = Callable[..., Client]


def silent(client: Client) -> bool:
    """Whether the server has nothing to say to a client."""
    try:
        client.read()
    except TimeoutError:
        return True
    return False


def test_a_client_waits_until_a_key_changes(connect: Connect) -> None:
    waiting, other = connect(), connect()
    waiting.send("TOY.TAKE", "a", "b", "0")
    assert silent(waiting)
    assert other("SET", "c", "1") == b"OK"
    assert silent(waiting)
    other("SET", "b", "2")
    assert waiting.read() == [b"b", b"2"]
    assert other("GET", "b") is None


def test_waiting_ends_when_time_is_up(server: InProcessServer, connect: Connect) -> None:
    waiting = connect()
    waiting.send("TOY.TAKE", "a", "100")
    server.advance(99)
    assert silent(waiting)
    server.advance(1)
    assert waiting.read() is None
    assert server.engine.blocking.clients == {}
    assert server.engine.changes.waiting == {}


def test_first_come_first_served(connect: Connect) -> None:
    first, second, third, other = (connect() for _ in range(4))
    for client in (first, second, third):
        client.send("TOY.TAKE", "a", "0")
    other("SET", "a", "1")
    assert first.read() == [b"a", b"1"]
    other("SET", "a", "2")
    assert second.read() == [b"a", b"2"]
    assert silent(third)


def test_requests_after_a_waiting_one_wait_with_it(connect: Connect) -> None:
    waiting, other = connect(), connect()
    waiting.send("TOY.TAKE", "a", "0")
    waiting.send("PING")
    waiting.send_raw(b"*2\r\n$4\r\nECHO\r\n$2\r\nh")
    assert silent(waiting)
    other("SET", "a", "1")
    assert waiting.read() == [b"a", b"1"]
    assert waiting.read() == b"PONG"
    waiting.send_raw(b"i\r\n")
    assert waiting.read() == b"hi"


def test_requests_of_one_batch_wait_as_well(connect: Connect) -> None:
    waiting, other = connect(), connect()
    waiting.send_raw(b"TOY.TAKE a 0\r\nSET b 1\r\nTOY.TAKE c 0\r\nPING\r\n")
    assert other("GET", "b") is None
    other("SET", "a", "1")
    assert [waiting.read(), waiting.read()] == [[b"a", b"1"], b"OK"]
    assert silent(waiting)
    other("SET", "c", "2")
    assert [waiting.read(), waiting.read()] == [[b"c", b"2"], b"PONG"]


def test_one_that_was_served_can_serve_the_next(connect: Connect) -> None:
    clients = [connect() for _ in range(5)]
    for i, client in enumerate(clients):
        client.send("TOY.TAKE", f"k{i}", "0")
        client.send("SET", f"k{i + 1}", "x")
    other = connect()
    other("SET", "k0", "x")
    for i, client in enumerate(clients):
        assert client.read() == [b"k%d" % i, b"x"]
        assert client.read() == b"OK"
    assert other("GET", "k5") == b"x"


def test_nobody_is_served_in_the_middle_of_a_transaction(connect: Connect) -> None:
    waiting, other = connect(), connect()
    waiting.send("TOY.TAKE", "a", "0")
    commands = ("MULTI",), ("SET", "a", "1"), ("SET", "a", "2"), ("EXEC",)
    assert other.pipeline(*commands)[-1] == [b"OK", b"OK"]
    assert waiting.read() == [b"a", b"2"]
    waiting.send("TOY.TAKE", "a", "0")
    other.pipeline(("MULTI",), ("SET", "a", "1"), ("TOY.DROP", "a"), ("EXEC",))
    assert silent(waiting)


def test_inside_a_transaction_nobody_waits(connect: Connect) -> None:
    client = connect()
    replies = client.pipeline(("MULTI",), ("TOY.TAKE", "a", "0"), ("PING",), ("EXEC",))
    assert replies[-1] == [None, b"PONG"]


def test_a_value_of_another_type_wakes_nobody(connect: Connect) -> None:
    waiting, other = connect(), connect()
    waiting.send("TOY.OPEN", "a")
    other("SET", "a", "string")
    assert silent(waiting)
    other("TOY.DROP", "a")
    assert silent(waiting)
    other("TOY.BOX", "a")
    assert waiting.read() == b"OK"


def test_a_command_that_fails_when_it_is_run_again_has_its_error_as_reply(
    server: InProcessServer, connect: Connect
) -> None:
    waiting, other = connect(), connect()
    waiting.send("TOY.TAKE", "a", "0")
    other("TOY.BOX", "a")
    assert str(waiting.read()).startswith("WRONGTYPE")
    assert server.engine.blocking.clients == {}
    assert server.engine.stats.errors == {"WRONGTYPE": 1}


def test_swapped_databases_serve_those_who_wait(connect: Connect) -> None:
    waiting, other = connect(), connect()
    waiting.send("TOY.TAKE", "a", "0")
    other("SELECT", "1")
    other("SET", "a", "1")
    assert silent(waiting)
    other("SWAPDB", "0", "1")
    assert waiting.read() == [b"a", b"1"]


def test_waiting_can_be_ended_by_others(connect: Connect) -> None:
    waiting, other = connect(), connect()
    number = waiting("CLIENT", "ID")
    waiting.send("TOY.TAKE", "a", "0")
    assert other("CLIENT", "UNBLOCK", number) == 1
    assert waiting.read() is None
    waiting.send("TOY.TAKE", "a", "0")
    assert other("CLIENT", "UNBLOCK", number, "ERROR") == 1
    assert str(waiting.read()) == "UNBLOCKED client unblocked via CLIENT UNBLOCK"
    assert other("CLIENT", "UNBLOCK", number) == 0
    assert waiting("PING") == b"PONG"


@pytest.mark.parametrize("how", ["it hangs up", "it is killed"])
def test_a_client_that_goes_waits_no_more(
    how: str, server: InProcessServer, connect: Connect
) -> None:
    waiting, other = connect(), connect()
    number = waiting("CLIENT", "ID")
    waiting.send("TOY.TAKE", "a", "b", "1000")
    if how == "it hangs up":
        waiting.close()
    else:
        assert other("CLIENT", "KILL", "ID", number) == 1
    other("SET", "a", "1")
    assert other("GET", "a") == b"1"
    assert server.engine.changes.waiting == {}
    server.advance(2000)


def test_waiting_leaves_nothing_behind_in_the_timers(
    server: InProcessServer, connect: Connect
) -> None:
    waiting, other = connect(), connect()
    before = len(server.engine.timers)
    for _ in range(500):
        waiting.send("TOY.TAKE", "a", "3600000")
        other("SET", "a", "1")
        waiting.read()
    assert len(server.engine.timers) == before
    assert len(server.engine.timers._heap) < 200


def test_a_client_that_sends_too_much_while_it_waits_is_disconnected(
    server: InProcessServer, connect: Connect
) -> None:
    waiting, other = connect(), connect()
    other("CONFIG", "SET", "client-query-buffer-limit", "1mb")
    waiting.send("TOY.TAKE", "a", "0")
    waiting.send_raw(b"x" * 500_000)
    assert silent(waiting)
    waiting.send_raw(b"x" * 600_000)
    assert waiting.read_to_end() == b""
    assert server.engine.stats.query_limit_disconnections == 1
    assert "reached max query buffer length: id=1 " in server.log


def test_what_a_woken_command_did_is_recorded(server: InProcessServer, connect: Connect) -> None:
    records: list[tuple[int, tuple[bytes, ...]]] = []
    server.engine.changes.add_sink(records.extend)
    waiting, other = connect(), connect()
    waiting.send("TOY.TAKE", "a", "0")
    assert records == []
    other("SET", "a", "1")
    assert records == [(0, (b"SET", b"a", b"1")), (0, (b"TOY.TAKE", b"a", b"0"))]


def test_the_command_of_one_that_waits_may_come_back_with_other_code(
    server: InProcessServer, connect: Connect
) -> None:
    commands = server.engine.commands
    waiting, other = connect(), connect()
    waiting.send("TOY.TAKE", "a", "0")
    commands.unregister([spec for spec in commands if spec.name == "toy.take"])
    other("SET", "a", "1")
    assert str(waiting.read()).startswith("ERR unknown command 'TOY.TAKE'")
    assert waiting("GET", "a") == b"1"


def test_no_reply_is_sent_to_a_client_that_wants_none(connect: Connect) -> None:
    waiting, other = connect(), connect()
    waiting.send_raw(b"CLIENT REPLY SKIP\r\nTOY.TAKE a 0\r\nECHO x\r\n")
    other("SET", "a", "1")
    assert waiting.read() == b"x"
