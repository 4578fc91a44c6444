"""Sockets and the event loop: opens the doors, drives the timers, and ends in order.

All data is owned by the thread that runs the loop; nothing here touches it but through the engine.

Redis lets options change what it listens on while it runs, so sockets are opened here at once and
handed to the loop afterwards: a change that cannot be is refused before anything is lost.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Callable, Coroutine
from contextlib import suppress
from ssl import SSLContext
from typing import Any, Final

import uvloop

from balas.connection import Connection
from balas.doors import Door
from balas.errors import ReplyError
from balas.handshake import TlsDoor
from balas.server import Server
from balas.services.acl.users import Acl
from balas.services.clients import Clients
from balas.services.config.store import Config
from balas.services.log import VERBOSE
from balas.services.process import Process
from balas.services.shutdown import ShutdownFailed
from balas.services.system import StartRefused
from balas.services.tls import TLS_OPTIONS, BadTls, make_context
from balas.sockets import SocketConnection, Sockets

# Above this a transport says so, and its client runs nothing further until it has read.
HIGH_WATER: Final = 1 << 20
# How long clients may take to read their last replies when the server ends.
CLOSING_MAX_S: Final = 1.0
# An address that is marked as optional may fail with this, ...
NOT_HERE: Final = errno.EADDRNOTAVAIL
# ... and any may with these: the system has no such protocol.
NO_PROTOCOL: Final = frozenset(
    (
        errno.ENOPROTOOPT,
        errno.EPROTONOSUPPORT,
        errno.ESOCKTNOSUPPORT,
        errno.EPFNOSUPPORT,
        errno.EAFNOSUPPORT,
    )
)
SOMAXCONN_FILE: Final = "/proc/sys/net/core/somaxconn"

TOO_MANY: Final = b"-ERR max number of clients reached\r\n"
PROTECTED: Final = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password "
    b"is set for the default user. In this mode connections are only accepted from the loopback "
    b"interface. If you want to connect from external computers to Redis you may adopt one of the "
    b"following solutions: 1) Just disable protected mode sending the command 'CONFIG SET "
    b"protected-mode no' from the loopback interface by connecting to Redis from the same host the "
    b"server is running, however MAKE SURE Redis is not publicly accessible from internet if you "
    b"do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just "
    b"disable the protected mode by editing the Redis configuration file, and setting the "
    b"protected mode option to 'no', and then restarting the server. 3) If you started the server "
    b"manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an "
    b"authentication password for the default user. NOTE: You only need to do one of the above "
    b"things in order for the server to start accepting connections from the outside.\r\n"
)


class CannotListen(Exception):
    """A socket that cannot be opened, with the reason.

    `number` is the errno if there is one, `port` tells which it was to be.
    """

    def __init__(self, message: str, number: int | None = None) -> None:
        super().__init__(message)
        self.number = number
        self.port = ""


class Listener:
    """One listening socket. `kind` is "tcp", "unix" or "tls"; `place` the address or the path."""

    def __init__(self, kind: str, place: str, listening: socket.socket) -> None:
        self.kind = kind
        self.place = place
        self._socket = listening
        self._door: Door | None = None
        self._closed = False

    def accept(self, network: Network) -> None:
        """Let the event loop take connections from the socket."""
        if not self.is_closed():
            make = network.tls_door if self.kind == "tls" else network.plain_door
            self._door = make(self._socket)

    def is_closed(self) -> bool:
        """Whether nobody is taken in here any more."""
        return self._closed

    def keep_alive(self, silence_s: int) -> None:
        """Have the peers of connections to come probed after so many seconds of silence."""
        if self.kind != "unix":
            set_keep_alive(self._socket, silence_s)

    def close(self) -> None:
        """Listen no more; connections stay."""
        self._closed = True
        if self._door is not None:
            self._door.close()
        else:
            self._socket.close()


class Network:
    """The listening sockets of one server, its connections, and its event loop."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.engine = server.engine
        self.config = server.config
        self.log = server.log
        self.connections: set[Connection | SocketConnection] = set()
        self._auth: Acl = self.engine.services[Acl]
        self._clients: Clients = self.engine.services[Clients]
        self._listeners: list[Listener] = []
        self._listening_on: tuple[Any, ...] | None = None
        self._tls: SSLContext | None = None
        self._tls_doors: list[TlsDoor] = []
        self._sockets: Sockets | None = None
        self._accepting = False
        self._high_water = HIGH_WATER
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()
        self._exit_code = 0

    @property
    def kinds(self) -> list[str]:
        """What is listened on: "tcp", "unix", "tls"."""
        return list(dict.fromkeys(listener.kind for listener in self._listeners))

    # Opening.

    def open(self) -> None:
        """Open the configured sockets; StartRefused, with the reason logged, if that cannot be."""
        config = self.config
        self._warn_of_small_backlog()
        try:
            self._tls = make_context(config) if config.get("tls-port") else None
        except BadTls as error:
            self.log.warning(str(error))
            self.log.warning("Failed to configure TLS. Check logs for more info.")
            raise StartRefused from None
        try:
            self._open_tcp()
        except CannotListen as error:
            self.log.warning(f"Failed listening on port {error.port}, aborting.")
            raise StartRefused from None
        path = config.path("unixsocket")
        if path:
            try:
                self._listeners.append(open_unix(path, config))
            except OSError as error:
                self.log.warning(f"Failed opening Unix socket: bind: {error.strerror}")
                self._close_listeners()
                raise StartRefused from None
        if not self._listeners:
            self.log.warning("Configured to not listen anywhere, exiting.")
            raise StartRefused
        config.on_change((*TLS_OPTIONS, "tls-port"), self._follow_tls)
        config.on_change(("port", "tls-port"), self._follow_port)
        config.on_change("bind", self._follow_bind)
        config.on_change("tcp-keepalive", self._follow_keep_alive)
        config.on_change("client-output-buffer-limit", self._follow_limits)

    async def start(self) -> None:
        """Drive the engine's timers and coroutines, and take connections."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        self.engine.spawn = self.spawn
        self.engine.call_soon = loop.call_soon
        self.engine.timers.wake_at = self.wake_at
        self.server.aof.on_lost = lambda: self.stop(1)
        self.server.modules.watchdog.attend(loop)
        self._follow_limits(self.config)
        self.wake_at(self.engine.timers.next_due_ms or 0)
        self._sockets = Sockets(self.engine, self, loop)
        for listener in self._listeners:
            listener.accept(self)
        self._accepting = True

    def _open_tcp(self) -> None:
        """Open sockets for every address of `bind`; raises CannotListen and leaves none open."""
        self._listening_on = self._wanted()
        port, tls_port, addresses = self._listening_on
        opened: list[Listener] = []
        wanted = [("tcp", port, address) for address in addresses if port]
        wanted += [("tls", tls_port, address) for address in addresses if tls_port]
        for kind, port, address in wanted:
            host = address.removeprefix("-")
            try:
                opened.append(self._listener(kind, host, port))
            except CannotListen as error:
                self.log.warning(
                    f"Warning: Could not create server TCP listening socket {host}:{port}: {error}"
                )
                optional = host != address and error.number == NOT_HERE
                if not optional and error.number not in NO_PROTOCOL:
                    for listener in opened:
                        listener.close()
                    error.port = f"{port} ({kind})"
                    raise
        self._listeners += opened
        if self._accepting:
            for listener in opened:
                listener.accept(self)

    def _wanted(self) -> tuple[Any, ...]:
        """The port, the port for TLS and the addresses that the options say."""
        return tuple(self.config.get(name) for name in ("port", "tls-port", "bind"))

    def _listener(self, kind: str, host: str, port: int) -> Listener:
        listening = open_tcp(host, port, self.config.get("tcp-backlog"))
        set_keep_alive(listening, self.config.get("tcp-keepalive"))
        return Listener(kind, host, listening)

    def _follow_tls(self, config: Config) -> None:
        """Who connects from now on is met as the options say now."""
        try:
            self._tls = make_context(config) if config.get("tls-port") else None
        except BadTls as error:
            self.log.warning(str(error))
            raise ReplyError("ERR Unable to update TLS configuration. Check server logs.") from None

    def _follow_port(self, config: Config) -> None:
        self._listen_again(config, "ERR Unable to listen on this port. Check server logs.")

    def _follow_bind(self, config: Config) -> None:
        self._listen_again(config, "ERR Failed to bind to specified addresses.")

    def _listen_again(self, config: Config, refusal: str) -> None:
        """Listen on what the options say now. They come back here if that is refused."""
        if self._listening_on == self._wanted():
            return
        for listener in self._listeners:
            if listener.kind != "unix":
                listener.close()
        self._listeners = [listener for listener in self._listeners if listener.kind == "unix"]
        try:
            self._open_tcp()
        except CannotListen:
            raise ReplyError(refusal) from None

    def _follow_keep_alive(self, config: Config) -> None:
        for listener in self._listeners:
            listener.keep_alive(config.get("tcp-keepalive"))

    def _warn_of_small_backlog(self) -> None:
        wanted = self.config.get("tcp-backlog")
        try:
            with open(SOMAXCONN_FILE, encoding="ascii") as file:
                limit = int(file.read())
        except OSError:
            return  # Not every system says it.
        if 0 < limit < wanted:
            self.log.warning(
                f"WARNING: The TCP backlog setting of {wanted} cannot be enforced because "
                f"{SOMAXCONN_FILE} is set to the lower value of {limit}."
            )

    # Connections.

    def connection(self) -> Connection:
        """What the event loop makes for each who connects by TLS."""
        return Connection(self.engine, self)

    def plain_door(self, listening: socket.socket) -> Door:
        """What takes connections from a socket."""
        assert self._sockets is not None
        return Door(
            listening,
            self._sockets.welcome,
            lambda: int(self.config.get("max-new-connections-per-cycle")),
            self.log,
        )

    def tls_door(self, listening: socket.socket) -> TlsDoor:
        """What takes connections from a socket for TLS."""
        door = TlsDoor(
            listening,
            self._admit,
            self.connection,
            lambda: int(self.config.get("max-new-tls-connections-per-cycle")),
            self.log,
        )
        self._tls_doors = [*(one for one in self._tls_doors if not one.closed), door]
        return door

    def _admit(self) -> SSLContext | None:
        """The context for one more peer; None if there are too many. They cannot be told why."""
        count = len(self.connections) + sum(door.handshakes for door in self._tls_doors)
        if count >= self.config.get("maxclients"):
            self.engine.stats.rejected_connections += 1
            return None
        return self._tls

    def opened(self, connection: Connection | SocketConnection) -> None:
        """Somebody has connected: let them in, or say why not and hang up."""
        transport = connection.transport
        sock = transport.get_extra_info("socket")
        is_unix = sock.family == socket.AF_UNIX
        peer = None if is_unix else transport.get_extra_info("peername")
        if self.log.wants(VERBOSE):
            self.log.verbose(
                f"Accepted {peer[0]}:{peer[1]}"
                if peer
                else f"Accepted connection to {self.config.path('unixsocket')}"
            )
        refusal = self._refusal(peer[0] if peer else None)
        self.connections.add(connection)
        if refusal is not None:
            self.engine.stats.rejected_connections += 1
            transport.write(refusal)
            transport.close()
            return
        transport.set_write_buffer_limits(self._high_water)
        client = connection.client = self.engine.connect(transport)
        client.descriptor = sock.fileno()
        if peer:
            client.address = shown(peer)
            client.local_address = shown(transport.get_extra_info("sockname"))
        else:
            client.address = client.local_address = f"{self.config.path('unixsocket')}:0"

    def _refusal(self, host: str | None) -> bytes | None:
        """What to say to a peer that may not come in; a unix socket has no host."""
        if len(self.connections) >= self.config.get("maxclients"):
            return TOO_MANY
        is_local = host is None or host == "::1" or host.startswith("127.")
        if not is_local and self.config.get("protected-mode") and self._auth.is_open:
            return PROTECTED
        return None

    def lost(self, connection: Connection | SocketConnection) -> None:
        """Somebody has gone."""
        self.connections.discard(connection)
        client = connection.client
        if client is None:
            return
        if not client.closed and not client.closing and self.log.wants(VERBOSE):
            self.log.verbose(f"Client closed connection {self._clients.describe(client)}")
        self.engine.leave(client)

    def _follow_limits(self, config: Config) -> None:
        """A transport has to tell of unread output before the lowest limit of it is reached."""
        self._high_water = min(HIGH_WATER, self.engine.output_limit_least)
        for connection in self.connections:
            if connection.client is not None and not connection.transport.is_closing():
                connection.transport.set_write_buffer_limits(self._high_water)

    # The event loop.

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
        delay_ms = max(0, due_ms - self.engine.clock.refresh())
        self._wake = loop.call_later(delay_ms / 1000, self._run_timers)

    def _run_timers(self) -> None:
        self._wake = None
        self.engine.timers.run_due()
        self.engine.finish_unit()
        due_ms = self.engine.timers.next_due_ms
        if due_ms is not None:
            self.wake_at(due_ms)

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something raised where nobody catches it: it belongs in our log."""
        error = context.get("exception")
        if error is None:
            self.log.warning(str(context["message"]))
        else:
            self.log.exception(str(context["message"]), error)

    async def serve(self) -> int:
        """Serve until `stop` is called; returns the exit code."""
        await self._stopped.wait()
        return self._exit_code

    def stop(self, exit_code: int = 0) -> None:
        """End `serve`."""
        self._exit_code = exit_code
        self._stopped.set()

    # Closing.

    async def close(self) -> None:
        """Take no more connections, let clients read what they were told, and hang up."""
        self._accepting = False
        self._close_listeners()
        for connection in list(self.connections):
            if connection.client is not None:
                self.engine.send(connection.client)
            connection.transport.close()
        await self._wait_for_readers()
        for connection in list(self.connections):
            connection.transport.abort()
        if self._sockets is not None:
            self._sockets.close()
        if self._wake is not None:
            self._wake.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
            if listener.kind == "unix":
                self.log.notice("Removing the unix socket file.")
                with suppress(FileNotFoundError):
                    os.unlink(listener.place)
        self._listeners = []

    async def _wait_for_readers(self) -> None:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + CLOSING_MAX_S
        while self.connections and loop.time() < end_s:
            await asyncio.sleep(0.001)


def open_tcp(host: str, port: int, backlog: int) -> socket.socket:
    """A listening socket on an address ("*" and "::*" for all of a family), or CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.getaddrinfo(
            {"*": None, "::*": "::"}.get(host, host),
            port,
            family,
            socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE,
        )
    except socket.gaierror as error:
        raise CannotListen(str(error.strerror)) from None
    step = "socket"
    listening = None
    try:
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setblocking(False)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Connections inherit it.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = "bind"
        listening.bind(found[0][4])
        step = "listen"
        listening.listen(backlog)
    except OSError as error:
        if listening is not None:
            listening.close()
        raise CannotListen(f"{step}: {error.strerror}", error.errno) from None
    return listening


def open_unix(path: str, config: Config) -> Listener:
    """A listening socket at a path, in place of one that was left behind; may raise OSError."""
    with suppress(OSError):
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.setblocking(False)
        listening.bind(path)
        if config.get("unixsocketperm"):
            os.chmod(path, config.get("unixsocketperm"))
        listening.listen(config.get("tcp-backlog"))
    except OSError:
        listening.close()
        raise
    return Listener("unix", path, listening)


def set_keep_alive(listening: socket.socket, silence_s: int) -> None:
    """Have peers probed after so many seconds of silence, 0 for never; connections inherit it."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, bool(silence_s))
    if silence_s:
        between_s = max(silence_s // 3, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, silence_s)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, between_s)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def shown(address: tuple[Any, ...]) -> str:
    """An address as CLIENT LIST shows it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def run(server: Server) -> int:
    """Serve until the server is told to end; returns the exit code. May raise StartRefused."""

    async def main() -> int:
        network = Network(server)
        network.open()
        try:
            await network.start()
            server.log.notice("Server initialized")
            for _ in server.start_steps():
                await asyncio.sleep(0)
            server.shutdown.stop = network.stop
            process = server.engine.services.get(Process)
            if process is not None:
                process.attach(asyncio.get_running_loop(), ends_on_signal(server, process))
                process.ready()
            for kind in network.kinds:
                server.log.notice(f"Ready to accept connections {kind}")
            return await network.serve()
        finally:
            try:
                server.stop()
            finally:
                await network.close()

    return uvloop.run(main())


def ends_on_signal(server: Server, process: Process) -> Callable[[frozenset[str]], None]:
    """What a signal does: end the server, or let it go on if that fails."""

    def end(words: frozenset[str]) -> None:
        try:
            server.shutdown.run(words)
        except ShutdownFailed:
            process.shutdown_failed()

    return end
