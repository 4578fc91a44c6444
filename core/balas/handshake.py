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
from balas.doors import Door
from balas.services.log import Log
from balas.services.tls import told

# How long a peer may take to shake hands, and to say goodbye.
HANDSHAKE_MAX_S: Final = 30.0
GOODBYE_MAX_S: Final = 5.0


class TlsDoor(Door):
    """One listening socket for TLS.

    `admit` is asked for the context that the next peer is met with, or None to hang up on it;
    `welcome` makes the connection of one that has shaken hands. The others are as for any door:
    handshakes keep others waiting.
    """

    def __init__(
        self,
        listening: socket.socket,
        admit: Callable[[], SSLContext | None],
        welcome: Callable[[], Connection],
        at_once: Callable[[], int],
        log: Log,
    ) -> None:
        self._admit = admit
        self._welcome = welcome
        self._tasks: set[asyncio.Task[None]] = set()
        super().__init__(listening, self._shake_hands, at_once, log)

    @property
    def handshakes(self) -> int:
        """How many peers are in the midst of it."""
        return len(self._tasks)

    def close(self) -> None:
        """Take nobody in any more, and forget who has not shaken hands."""
        super().close()
        for task in self._tasks:
            task.cancel()

    def _shake_hands(self, peer: socket.socket, address: tuple[str, int]) -> None:
        context = self._admit()
        if context is None:
            peer.close()
            return
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
