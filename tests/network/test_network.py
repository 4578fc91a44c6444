"""Real sockets: what is listened on, who is let in, and how it ends."""

import os
import signal
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from balas.network import PROTECTED, Network
from balas.services.system import StartRefused
from balas.testing import BalasProcess, Client, InProcessServer, encode, wait_until
from balas.testing.clients import SocketTransport
from balas.testing.server_process import free_port


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BalasProcess]:
    """One server for all tests here that leave no trace."""
    path = tmp_path_factory.mktemp("sockets") / "balas.sock"
    options = {"bind": "* -::*", "unixsocket": path, "unixsocketperm": "700", "bare": "yes"}
    with BalasProcess(options) as server:
        yield server


def connect(host: str, port: int) -> Client:
    return Client(SocketTransport(host, port))


def refused(host: str, port: int) -> bool:
    try:
        with connect(host, port):
            return False
    except ConnectionRefusedError:
        return True


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def outside_address() -> str | None:
    """An address of this machine that is not the loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # Nothing is sent.
        except OSError:
            return None
        found = str(probe.getsockname()[0])
    return None if found.startswith("127.") else found


# What is listened on.


def test_both_kinds_of_socket_are_ready(running: BalasProcess) -> None:
    for kind in ("tcp", "unix"):
        assert f"Ready to accept connections {kind}" in running.log


def test_ipv4(running: BalasProcess) -> None:
    with connect("127.0.0.1", running.port) as client:
        info = client("CLIENT", "INFO").decode()
        own = client.transport.socket.getsockname()  # type: ignore[attr-defined]
        assert f" addr=127.0.0.1:{own[1]} laddr=127.0.0.1:{running.port} " in info
        assert " flags=N " in info


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6(running: BalasProcess) -> None:
    with connect("::1", running.port) as client:
        info = client("CLIENT", "INFO").decode()
        assert f" laddr=[::1]:{running.port} " in info


def test_unix_socket(running: BalasProcess) -> None:
    path = running.options["unixsocket"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    with Client(SocketTransport(path=str(path))) as client:
        info = client("CLIENT", "INFO").decode()
    assert f" addr={path}:0 laddr={path}:0 " in info
    assert " flags=U " in info


def test_connections_are_set_up_as_by_redis(running: BalasProcess) -> None:
    with connect("127.0.0.1", running.port) as client:
        client("PING")
        number = client.transport.socket.getsockname()[1]  # type: ignore[attr-defined]
        assert keep_alive_s(running.port, number) in range(200, 301)
        client("CONFIG", "SET", "tcp-keepalive", "0")
        with connect("127.0.0.1", running.port) as other:
            other("PING")
            number = other.transport.socket.getsockname()[1]  # type: ignore[attr-defined]
            assert keep_alive_s(running.port, number) is None
        client("CONFIG", "SET", "tcp-keepalive", "300")


def keep_alive_s(port: int, peer_port: int) -> int | None:
    """Seconds to the next keep-alive probe of the server's end of a connection, from Linux."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(f":{port:04X}") and words[2].endswith(f":{peer_port:04X}"):
            kind, ticks = words[5].split(":")
            return int(ticks, 16) // os.sysconf("SC_CLK_TCK") if kind == "02" else None
    raise AssertionError("the connection is not in /proc/net/tcp")


def test_the_port_can_be_changed(running: BalasProcess) -> None:
    with running.client() as client, socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        busy, other = taken.getsockname()[1], free_port()
        assert client.error("CONFIG", "SET", "port", busy) == (
            "ERR CONFIG SET failed (possibly related to argument 'port') - "
            "Unable to listen on this port. Check server logs."
        )
        assert f"listening socket *:{busy}: bind: Address already in use" in running.log
        with running.client() as again:
            assert again("PING") == b"PONG"
        assert client("CONFIG", "SET", "port", other) == b"OK"
        assert refused("127.0.0.1", running.port)
        with connect("127.0.0.1", other) as again:
            assert again("PING") == b"PONG"
        client("CONFIG", "SET", "port", "0")
        assert refused("127.0.0.1", other)
        assert client("CONFIG", "SET", "port", running.port) == b"OK"
        with running.client() as again:
            assert again("PING") == b"PONG"


def test_the_addresses_can_be_changed(running: BalasProcess) -> None:
    nowhere = "203.0.113.77"
    with running.client() as client:
        assert client("CONFIG", "SET", "bind", "127.0.0.1") == b"OK"
        assert client.error("CONFIG", "SET", "bind", f"127.0.0.1 {nowhere}") == (
            "ERR CONFIG SET failed (possibly related to argument 'bind') - "
            "Failed to bind to specified addresses."
        )
        assert client("CONFIG", "GET", "bind") == [b"bind", b"127.0.0.1"]
        with running.client() as again:
            assert again("PING") == b"PONG"
        assert client("CONFIG", "SET", "bind", f"127.0.0.1 -{nowhere}") == b"OK"
        with running.client() as again:
            assert again("PING") == b"PONG"
        assert client("CONFIG", "SET", "bind", "") == b"OK"
        assert refused("127.0.0.1", running.port)
        assert client("CONFIG", "SET", "bind", "* -::*") == b"OK"
        with running.client() as again:
            assert again("PING") == b"PONG"


# Who is let in.


def test_too_many_clients(running: BalasProcess) -> None:
    with running.client() as client:
        rejected = stats(client, "rejected_connections")
        client("CONFIG", "SET", "maxclients", "2")
        with running.client() as second, running.client() as third:
            assert second("PING") == b"PONG"
            assert third.read_to_end() == b"-ERR max number of clients reached\r\n"
        client("CONFIG", "SET", "maxclients", "10000")
        assert stats(client, "rejected_connections") == rejected + 1
        with running.client() as again:
            assert again("PING") == b"PONG"


def stats(client: Client, name: str) -> int:
    for line in client("INFO", "everything").decode().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.partition(":")[2])
    raise AssertionError(f"INFO has no {name}")


@pytest.mark.skipif(outside_address() is None, reason="this machine has the loopback only")
def test_strangers_from_outside_are_sent_away(running: BalasProcess) -> None:
    address = str(outside_address())
    with connect(address, running.port) as stranger:
        assert stranger.read_to_end() == PROTECTED
    with running.client() as client:
        client("CONFIG", "SET", "requirepass", "secret")
        with connect(address, running.port) as stranger:
            assert stranger.error("PING") == "NOAUTH Authentication required."
        client("CONFIG", "SET", "requirepass", "", "protected-mode", "no")
        with connect(address, running.port) as stranger:
            assert stranger("PING") == b"PONG"
        client("CONFIG", "SET", "protected-mode", "yes")


@pytest.mark.parametrize(
    ("host", "welcome"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), (None, True), ("10.0.0.1", False)],
)
def test_who_counts_as_a_stranger(
    host: str | None, welcome: bool, balas_server: InProcessServer
) -> None:
    assert (Network(balas_server.server)._refusal(host) is None) == welcome


# Bad behaviour.


def test_requests_in_all_kinds_of_pieces(running: BalasProcess) -> None:
    with running.client() as client:
        for byte in encode("ECHO", "slowly"):
            client.send_raw(bytes([byte]))
        assert client.read() == b"slowly"
        count = 20_000
        client.send_raw(encode("ECHO", "x" * 20) * count)
        assert [client.read() for _ in range(count)] == [b"x" * 20] * count


@pytest.mark.parametrize(
    "beginning",
    [b"*", b"*3\r\n$3\r\nSE", b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\nxxx", b"SET k", b"\x00"],
)
def test_hanging_up_in_the_middle(beginning: bytes, running: BalasProcess) -> None:
    with running.client() as client:
        client("FLUSHALL")
        before = connected(client)
        with running.client() as other:
            other.send_raw(beginning)
            wait_until(lambda: connected(client) == before + 1)
        wait_until(lambda: connected(client) == before)
        assert client("GET", "k") is None


def connected(client: Client) -> int:
    return len(client("CLIENT", "LIST").splitlines())


def test_what_came_before_the_end_is_answered(running: BalasProcess) -> None:
    """As with ``printf 'PING\\r\\nPING\\r\\n' | nc``."""
    with running.client() as client:
        client.send_raw(b"PING\r\n" * 1000)
        client.transport.socket.shutdown(socket.SHUT_WR)  # type: ignore[attr-defined]
        assert client.read_to_end() == b"+PONG\r\n" * 1000


def test_a_slow_reader_holds_nobody_up(running: BalasProcess) -> None:
    count, size = 100, 1_000_000
    with running.client() as client, running.client() as slow:
        client("SET", "big", "x" * size)
        before = running.rss_bytes()
        slow.send_raw(encode("GET", "big") * count + encode("INCR", "done"))
        for _ in range(200):
            assert client("PING") == b"PONG"
        assert client("GET", "done") is None
        assert running.rss_bytes() - before < 20_000_000
        taken = 0
        while taken < count * (size + len("$1000000\r\n\r\n")):
            taken += len(slow.transport.receive(10))
        assert client("GET", "done") == b"1"
        client("FLUSHALL")


def test_one_who_never_reads_may_still_write(running: BalasProcess) -> None:
    count = 300_000
    with running.client() as client:
        client("FLUSHALL")
        with running.client() as writer:
            client("SET", "big", "x" * 20_000_000)
            requests = encode("INCR", "n") * count
            writer.send_raw(encode("GET", "big") + requests)
            writer.transport.socket.shutdown(socket.SHUT_WR)  # type: ignore[attr-defined]
            wait_until(lambda: int(line_of(client, "get")["qbuf"]) > len(requests) - 10_000)
            assert client("GET", "n") is None
        wait_until(lambda: client("GET", "n") == b"%d" % count)
        client("FLUSHALL")


def line_of(client: Client, command: str) -> dict[str, str]:
    """The fields of CLIENT LIST for the client whose last command this is."""
    for line in client("CLIENT", "LIST").decode().splitlines():
        if f" cmd={command} " in line:
            return dict(word.split("=", 1) for word in line.split())
    return {"qbuf": "0"}


def test_a_reply_above_the_limit(running: BalasProcess) -> None:
    with running.client() as client:
        client("SET", "big", "x" * 3_000_000)
        client("CONFIG", "SET", "client-output-buffer-limit", "normal 2mb 0 0")
        with running.client() as greedy:
            greedy.send("GET", "big")
            assert greedy.read_to_end() == b""
        client("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")
        assert "for overcoming of output buffer limits" in running.log
        client("FLUSHALL")


def test_a_subscriber_that_does_not_read(running: BalasProcess) -> None:
    with running.client() as client, running.client() as deaf:
        client("CONFIG", "SET", "client-output-buffer-limit", "pubsub 2mb 0 0")
        deaf("SUBSCRIBE", "c")
        message = "x" * 100_000
        deadline = time.monotonic() + 20
        while client("PUBLISH", "c", message) and time.monotonic() < deadline:
            pass
        assert client("PUBSUB", "NUMSUB", "c") == [b"c", 0]
        client("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60")


def test_many_idle_connections_are_cheap(running: BalasProcess) -> None:
    count = 500
    with running.client() as client:
        before = running.rss_bytes()
        others = [running.client() for _ in range(count)]
        for other in others:
            other("PING")
        assert connected(client) >= count
        assert (running.rss_bytes() - before) / count < 12 * 1024
        for other in others:
            other.close()
        wait_until(lambda: connected(client) < count)


@pytest.mark.long
def test_ten_thousand_idle_connections(balas_process: type[BalasProcess]) -> None:
    count = 10_000
    server = balas_process({"maxclients": count + 100})
    before = server.rss_bytes()
    others = [server.client() for _ in range(count)]
    with server.client() as client:
        for other in others:
            other("PING")
        assert connected(client) == count + 1
        assert (server.rss_bytes() - before) / count < 12 * 1024
        start = time.monotonic()
        for _ in range(1000):
            client("PING")
        assert time.monotonic() - start < 5
    for other in others:
        other.close()


# Time.


def test_timers_are_punctual(running: BalasProcess) -> None:
    with running.client() as client, running.client() as other:
        late_ms = []
        for _ in range(10):
            client("CLIENT", "PAUSE", "20", "WRITE")
            start = time.monotonic()
            other("SET", "k", "1")
            late_ms.append((time.monotonic() - start) * 1000 - 20)
        assert min(late_ms) > -10
        assert sorted(late_ms)[5] < 10


# The beginning and the end.


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"bind": "203.0.113.77"}, "203.0.113.77:{port}: bind: Cannot assign requested address"),
        ({"bind": "127.0.0.1 203.0.113.77"}, "Failed listening on port {port} (tcp), aborting."),
        (
            {"bind": "no.such.host.invalid"},
            "no.such.host.invalid:{port}: Name or service not known",
        ),
        ({"bind": "-203.0.113.77"}, "Configured to not listen anywhere, exiting."),
        ({"bind": ""}, "Configured to not listen anywhere, exiting."),
        ({"port": "0"}, "Configured to not listen anywhere, exiting."),
        (
            {"unixsocket": "none/balas.sock"},
            "Failed opening Unix socket: bind: No such file or directory",
        ),
    ],
)
def test_where_it_cannot_listen_it_does_not_start(options: dict[str, str], reason: str) -> None:
    port = free_port()
    with InProcessServer({"port": port, **options}, bundled=False) as server:
        with pytest.raises(StartRefused):
            Network(server.server).open()
        assert reason.format(port=port) in server.log


def test_a_port_in_use(running: BalasProcess) -> None:
    server = BalasProcess({"bare": "yes"}, port=running.port)
    server.start(wait=False)
    try:
        assert server.wait_for_exit() == 1
        assert f"Failed listening on port {running.port} (tcp), aborting." in server.log
    finally:
        server.close()


def test_the_end_is_in_order(tmp_path: Path) -> None:
    path = tmp_path / "balas.sock"
    server = BalasProcess({"unixsocket": path, "bare": "yes"})
    with server, server.client() as client:
        client("SUBSCRIBE", "c")
        server.signal(signal.SIGTERM)
        assert client.read_to_end() == b""
        assert server.wait_for_exit() == 0
        assert not path.exists()
        assert "Removing the unix socket file." in server.log
        assert "now ready to exit, bye bye..." in server.log


def test_a_socket_file_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "balas.sock"
    with BalasProcess({"unixsocket": path, "bare": "yes"}) as server:
        server.kill()
        assert path.exists()
        server.start()
        with Client(SocketTransport(path=str(path))) as client:
            assert client("PING") == b"PONG"


def test_shutdown_from_a_client() -> None:
    with BalasProcess({"bare": "yes"}) as server, server.client() as client:
        client.send("SHUTDOWN", "NOSAVE")
        assert client.read_to_end() == b""
        assert server.wait_for_exit() == 0
        assert "User requested shutdown..." in server.log
