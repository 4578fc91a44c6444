"""Commands that are `async def`: the client waits, the server does not."""

from collections.abc import Callable
from typing import Any

from balas.testing import Client, InProcessServer

Connect = Callable[..., Client]


def begin(server: InProcessServer, client: Client, key: str) -> None:
    """Have TOY.KNOCK run up to the door."""
    client.send("TOY.KNOCK", key, "v")
    server.run_loop()


def test_others_are_served_between_its_steps(
    server: InProcessServer, connect: Connect, door: Any
) -> None:
    client, other = connect(), connect()
    begin(server, client, "k")
    client.send("PING")
    assert other("GET", "k") == b"v"
    assert other("SET", "k", "in between") == b"OK"
    door.open(b"+word")
    server.run_loop()
    assert [client.read(), client.read()] == [b"+word", b"PONG"]
    assert other("GET", "k") == b"v+word"


def test_each_step_is_a_unit_of_its_own(
    server: InProcessServer, connect: Connect, door: Any
) -> None:
    units: list[list[tuple[int, tuple[bytes, ...]]]] = []
    server.engine.changes.add_sink(lambda records: units.append(list(records)))
    client, other = connect(), connect()
    begin(server, client, "k")
    other("SET", "a", "1")
    door.open(b"word")
    server.run_loop()
    argv = (b"TOY.KNOCK", b"k", b"v")
    assert units == [[(0, argv)], [(0, (b"SET", b"a", b"1"))], [(0, argv)]]


def test_each_step_wakes_those_who_wait_for_its_keys(
    server: InProcessServer, connect: Connect, door: Any
) -> None:
    client, waiting = connect(), connect()
    waiting.send("TOY.TAKE", "k", "0")
    begin(server, client, "k")
    assert waiting.read() == [b"k", b"v"]
    waiting.send("TOY.TAKE", "k", "0")
    door.open(b"word")
    server.run_loop()
    assert waiting.read() == [b"k", b"vword"]


def test_several_are_under_way_at_once(
    server: InProcessServer, connect: Connect, door: Any
) -> None:
    first, second = connect(), connect()
    begin(server, first, "a")
    begin(server, second, "b")
    assert len(server.engine.awaited) == 2
    for _ in range(2):
        door.open(b"word")
    server.run_loop()
    assert first.read() == second.read() == b"word"
    assert server.engine.awaited == {}


def test_an_error_is_the_reply(server: InProcessServer, connect: Connect, door: Any) -> None:
    client = connect()
    begin(server, client, "k")
    door.waiting.pop().set_exception(ValueError("nobody home"))
    server.run_loop()
    assert str(client.read()) == "ERR internal error in 'toy.knock': ValueError: nobody home"
    assert "Traceback" in server.log


def test_one_whose_client_has_gone_still_ends(
    server: InProcessServer, connect: Connect, door: Any
) -> None:
    client, other = connect(), connect()
    begin(server, client, "k")
    client.close()
    door.open(b"word")
    server.run_loop()
    assert other("GET", "k") == b"vword"
    assert server.engine.awaited == {}


def test_it_cannot_run_inside_another_command(connect: Connect) -> None:
    client = connect()
    (reply,) = client.pipeline(("MULTI",), ("TOY.KNOCK", "k", "v"), ("EXEC",))[-1]
    assert str(reply) == "ERR 'toy.knock' takes time and cannot run inside another command"


def test_client_list_shows_it_as_blocked(
    server: InProcessServer, connect: Connect, door: Any
) -> None:
    client, other = connect(), connect()
    begin(server, client, "k")
    line = other("CLIENT", "LIST").decode().splitlines()[0]
    assert " flags=b " in line
    assert " cmd=toy.knock " in line
    door.open(b"")
    server.run_loop()
