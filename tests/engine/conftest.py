"""Toy commands and transports for the tests of the engine."""

import asyncio
import sys
from collections.abc import Callable

import pytest

from balas.engine.clock import FakeClock
from balas.engine.context import Context
from balas.protocol.replies import NULL_ARRAY, OK, Reply
from balas.registry import build_specs, command, declarations, integer
from balas.registry.flags import BLOCKING, WRITE
from balas.testing import Client, InProcessServer
from balas.testing.in_process import MemoryTransport
from balas.types.value import Value


class Box(Value):
    """A value that is no string."""

    type_name = "box"

    def memory_usage(self) -> int:
        """Nothing is in it."""
        return 50


class Door:
    """What KNOCK waits for, one future for each."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[bytes]] = []

    def open(self, word: bytes) -> None:
        """Let the first one in."""
        self.waiting.pop(0).set_result(word)


@command("TOY.TAKE", arity=-3, flags=WRITE | BLOCKING)
def take(ctx: Context, *words: bytes) -> Reply:
    """TOY.TAKE key [key ...] timeout_ms

    Take the string away from the first key that has one, or wait for it.
    """
    *keys, timeout = words
    for key in keys:
        value = ctx.write_string(key)
        if value is not None:
            ctx.delete(key)
            ctx.changed(key, "del")
            return [key, value]
    return ctx.block(keys, integer(timeout), NULL_ARRAY)


@command("TOY.OPEN", arity=2, flags=WRITE | BLOCKING)
def open_box(ctx: Context, key: bytes) -> Reply:
    """TOY.OPEN key

    Wait for a box.
    """
    if ctx.read(key, Box) is None:
        return ctx.block([key], 0, kind=Box)
    return OK


@command("TOY.BOX", arity=2, flags=WRITE)
def box(ctx: Context, key: bytes) -> Reply:
    """TOY.BOX key

    Store a box.
    """
    ctx.store(key, Box())
    ctx.changed(key, "box")
    return OK


@command("TOY.DROP", arity=-2, flags=WRITE)
def drop(ctx: Context, *keys: bytes) -> Reply:
    """TOY.DROP key [key ...]

    Delete keys.
    """
    dropped = 0
    for key in keys:
        if ctx.delete(key):
            ctx.changed(key, "del")
            dropped += 1
    return dropped


@command("TOY.CLEAR", arity=1, flags=WRITE)
def clear(ctx: Context) -> Reply:
    """TOY.CLEAR

    Delete all keys of the database.
    """
    ctx.changed_all(ctx.db, ctx.db.flush())
    return OK


@command("TOY.SETEX", arity=4, flags=WRITE)
def setex(ctx: Context, key: bytes, ttl_ms: bytes, value: bytes) -> Reply:
    """TOY.SETEX key ttl_ms value

    Store a string that expires.
    """
    ctx.store(key, value, ctx.now_ms + integer(ttl_ms))
    ctx.changed(key, "set")
    return OK


@command("TOY.KNOCK", arity=3, flags=WRITE)
async def knock(ctx: Context, key: bytes, value: bytes) -> Reply:
    """TOY.KNOCK key value

    Store a string, wait at the door, store what was said there as well.
    """
    ctx.store(key, value)
    ctx.changed(key, "set")
    future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    ctx.service(Door).waiting.append(future)
    word = await future
    ctx.store(key, value + word)
    ctx.changed(key, "append")
    return word


@command("TOY.WORK", arity=2)
def work(ctx: Context, duration_ms: bytes) -> Reply:
    """TOY.WORK duration_ms

    Keep the server busy.
    """
    clock = ctx.engine.clock
    assert isinstance(clock, FakeClock)
    clock.advance(integer(duration_ms))
    return OK


@command("TOY.FAIL", arity=1)
def fail(ctx: Context) -> Reply:
    """TOY.FAIL

    Do what no command should.
    """
    raise RuntimeError("a bug")


@command("TOY.NONSENSE", arity=1)
def nonsense(ctx: Context) -> Reply:
    """TOY.NONSENSE

    Return what is no reply.
    """
    return [1, object()]


class SlowTransport(MemoryTransport):
    """A connection whose far end reads only when it is told to."""

    def __init__(self, server: InProcessServer, high_water: int = 1 << 20) -> None:
        super().__init__(server)
        self.reading = False
        self._engine = server.engine
        self._high_water = high_water
        self._paused = False

    def write(self, data: bytes) -> None:
        """Take what the server sends; it is told when that is much."""
        super().write(data)
        if not self._paused and self.get_write_buffer_size() > self._high_water:
            self._paused = True
            self._engine.congested(self.peer)

    def read_all(self) -> bytes:
        """Read until the server says no more."""
        data = b""
        while self.has_output:
            data += self.receive(0)
            if self._paused:
                self._paused = False
                self._engine.relieved(self.peer)
        return data


@pytest.fixture
def server(balas_server: InProcessServer) -> InProcessServer:
    """A server with the toy commands."""
    balas_server.engine.commands.register(build_specs(declarations(sys.modules[__name__])))
    balas_server.server.provide(Door())
    return balas_server


@pytest.fixture
def connect(server: InProcessServer) -> Callable[..., Client]:
    """Makes clients of the server; a reply that is not there at once is a TimeoutError."""
    return lambda resp=2: server.client(resp=resp, timeout_s=0.05)


@pytest.fixture
def slow(server: InProcessServer) -> Callable[..., tuple[Client, SlowTransport]]:
    """Makes clients that do not read, with their transports."""

    def make(high_water: int = 1 << 20) -> tuple[Client, SlowTransport]:
        transport = SlowTransport(server, high_water)
        return Client(transport), transport

    return make


@pytest.fixture
def door(server: InProcessServer) -> Door:
    """Where TOY.KNOCK waits."""
    found: Door = server.engine.services[Door]
    return found
