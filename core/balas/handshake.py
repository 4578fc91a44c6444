"""Those who come through the port for TLS: they shake hands first, then are clients like others.

A handshake costs milliseconds and may fail in many ways. Each is a task of its own, so one that
fails, stands still or never begins is its own peer's concern alone. The sockets are accepted here,
not by the event loop's own server: that one keeps the reasons of failures to itself.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ssl import SSLContext
from typing import Final

from balas.connection import Connection
from balas.services.log import Log
from balas.services.tls import told

# How long a peer may take to shake hands, and to say goodbye.
HANDSHAKE_MAX_S: Final = 30.0
GOODBYE_MAX_S: Final = 5.0
# How long nobody is accepted when the process has no file descriptor left.
REST_S: Final = 0.1


class Door:
    """One listening socket for TLS, from which the event loop's readiness takes connections.

    `admit` is asked for the context that the next peer is met with, or None to hang up on it;
    `welcome` makes the connection of one that has shaken hands. At most `at_once` are accepted in
    a row, because their handshakes keep others waiting. `closed` says that nobody is any more.
    """

    def __init__(
        self,
        listening: socket.socket,
        admit: Callable[[], SSLContext | None],
        welcome: Callable[[], Connection],
        at_once: Callable[[], int],
        log: Log,
    ) -> None:
        self._listening = listening
        self._admit = admit
        self._welcome = welcome
        self._at_once = at_once
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = False
        self._open()

    @property
    def handshakes(self) -> int:
        """How many peers are in the midst of it."""
        return len(self._tasks)

    def close(self) -> None:
        """Take nobody in any more, and forget who has not shaken hands."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for task in self._tasks:
            task.cancel()

    def _open(self) -> None:
        if not self.closed:
            self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(self._at_once()):
            try:
                peer, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._log.warning(f"Accepting client connection: {error.strerror}")
                self._loop.remove_reader(self._listening)
                self._loop.call_later(REST_S, self._open)
                return
            context = self._admit()
            if context is None:
                peer.close()
                continue
            task = self._loop.create_task(self._shake(peer, address, context))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _shake(
        self, peer: socket.socket, address: tuple[str, int], context: SSLContext
    ) -> None:
        own = peer.getsockname()
        try:
            await self._loop.connect_accepted_socket(
                self._welcome,
                peer,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_MAX_S,
                ssl_shutdown_timeout=GOODBYE_MAX_S,
            )
        except OSError as error:
            peer.close()
            self._log.warning(
                f"Error accepting a client connection: {told(error)} "
                f"(addr={address[0]}:{address[1]} laddr={own[0]}:{own[1]})"
            )
