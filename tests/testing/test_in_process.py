"""The in-process server: time that moves when told to, and connections without a socket."""

import asyncio
import sys

import pytest

from balas.engine.context import Context
from balas.registry import build_specs, command, declarations
from balas.testing import Client, InProcessServer
from balas.testing.in_process import START_MS, MemoryTransport


@command("TEST.SLOWLY", arity=1, group="test")
async def slowly(ctx: Context) -> str:
    """TEST.SLOWLY

    Reply after an await.
    """
    await asyncio.sleep(0.001)
    return "done"


@pytest.fixture
def extended(balas_server: InProcessServer) -> InProcessServer:
    """A server that has TEST.SLOWLY, too."""
    here = sys.modules[__name__]
    balas_server.engine.commands.register(build_specs(list(declarations(here))))
    return balas_server


def test_a_reply_is_there_at_once(client: Client) -> None:
    assert client("SET", "k", "v") == b"OK"
    assert client.pipeline(["GET", "k"], ["INCR", "n"], ["INCR", "n"]) == [b"v", 1, 2]
    assert client.raw(b"GET k\r\nGET none\r\n", replies=2) == b"$1\r\nv\r\n$-1\r\n"


def test_nothing_is_waited_for(client: Client) -> None:
    with pytest.raises(TimeoutError, match="time stands still"):
        client.read()


def test_time_moves_only_when_told_to(balas_server: InProcessServer) -> None:
    assert balas_server.clock.now_ms == START_MS
    moments: list[int] = []
    timers = balas_server.engine.timers
    timers.at(START_MS + 70, lambda: moments.append(balas_server.clock.now_ms))
    timers.at(START_MS + 30, lambda: moments.append(balas_server.clock.now_ms))
    balas_server.advance(69)
    assert moments == [START_MS + 30]
    balas_server.advance(1)
    assert moments == [START_MS + 30, START_MS + 70]


def test_two_servers_never_meet() -> None:
    with InProcessServer() as one, InProcessServer() as other:
        one.client()("SET", "k", "v")
        assert other.client()("GET", "k") is None
        one.advance(1000)
        assert other.clock.now_ms == START_MS


def test_a_restart_forgets_what_was_not_saved(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("SET", "k", "v")
    balas_server.restart()
    with pytest.raises(ConnectionError):
        client("GET", "k")
    assert balas_server.client()("GET", "k") is None


def test_an_async_command_is_waited_for(extended: InProcessServer) -> None:
    client = extended.client()
    assert client.pipeline(["TEST.SLOWLY"], ["GET", "none"]) == [b"done", None]


def test_a_client_that_does_not_read_counts_as_buffered(balas_server: InProcessServer) -> None:
    transport = MemoryTransport(balas_server)
    transport.reading = False
    Client(transport).send("PING")
    assert transport.get_write_buffer_size() == len(b"+PONG\r\n")
    assert transport.receive(0) == b"+PONG\r\n"


def test_input_waits_while_reading_is_paused(balas_server: InProcessServer) -> None:
    transport = MemoryTransport(balas_server)
    transport.pause_reading()
    transport.send(b"PING\r\n")
    with pytest.raises(TimeoutError):
        transport.receive(0)
    transport.resume_reading()
    assert transport.receive(0) == b"+PONG\r\n"
