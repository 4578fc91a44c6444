"""Doors: listening sockets from which the event loop's readiness takes connections.

Plain ones are here; those for TLS are `balas.handshake`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

from balas.services.log import Log

# How long nobody is accepted when the process has no file descriptor left.
REST_S: Final = 0.1


class Door:
    """One listening socket. `meet` gets each peer and its address.

    At most `at_once` are accepted in a row, so that those who come do not keep others waiting.
    `closed` says that nobody is any more.
    """

    def __init__(
        self,
        listening: socket.socket,
        meet: Callable[[socket.socket, Any], None],
        at_once: Callable[[], int],
        log: Log,
    ) -> None:
        self._listening = listening
        self._meet = meet
        self._at_once = at_once
        self._log = log
        self._loop = asyncio.get_running_loop()
        self.closed = False
        self._open()

    def close(self) -> None:
        """Take nobody in any more."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._listening)
        self._listening.close()

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
            peer.setblocking(False)
            self._meet(peer, address)
