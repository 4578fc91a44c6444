"""Sockets and the event loop: opens the doors, drives the timers, and ends in order.

All data is owned by the thread that runs the loop; nothing here touches it but through the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import uvloop

from balas.connection import Connection
from balas.server import Server
from balas.services.process import Process


class Network:
    """The listening sockets of one server, and its event loop."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.engine = server.engine
        self.connections: set[Connection] = set()
        self._listeners: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()

    async def start(self) -> None:
        """Open the configured sockets."""
        loop = asyncio.get_running_loop()
        self.engine.spawn = self.spawn
        self.engine.call_soon = loop.call_soon
        self.engine.timers.wake_at = self.wake_at
        for host in self.server.config.get("bind"):
            listener = await loop.create_server(
                lambda: Connection(self.engine, self), host, self.server.config.get("port")
            )
            self._listeners.append(listener)
        self.wake_at(self.engine.timers.next_due_ms or 0)

    def opened(self, connection: Connection, transport: asyncio.Transport) -> None:
        """A client has connected."""
        self.connections.add(connection)

    def lost(self, connection: Connection) -> None:
        """A client has gone."""
        self.connections.discard(connection)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside the requests."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def wake_at(self, due_ms: int) -> None:
        """Run the timers at this time; called by the engine when one becomes the earliest."""
        loop = asyncio.get_running_loop()
        if self._wake is not None:
            self._wake.cancel()
        delay = max(0, due_ms - self.engine.clock.refresh()) / 1000
        self._wake = loop.call_later(delay, self._run_timers)

    def _run_timers(self) -> None:
        self._wake = None
        self.engine.timers.run_due()
        self.engine.finish_unit()
        due_ms = self.engine.timers.next_due_ms
        if due_ms is not None:
            self.wake_at(due_ms)

    async def serve(self) -> None:
        """Serve until `stop` is called."""
        await self._stopped.wait()

    def stop(self) -> None:
        """End `serve`."""
        self._stopped.set()


def run(server: Server) -> int:
    """Serve until the server is told to end; returns the exit code."""

    async def main() -> None:
        network = Network(server)
        await network.start()
        server.log.notice("Server initialized")
        for _ in server.start_steps():
            await asyncio.sleep(0)
        process = server.engine.services.get(Process)
        if process is not None:
            process.attach(asyncio.get_running_loop(), lambda options: network.stop())
            process.ready()
        server.log.notice("Ready to accept connections tcp")
        await network.serve()

    uvloop.run(main())
    return 0
