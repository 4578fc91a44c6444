"""CLIENT LIST and INFO's numbers of clients, and clients that have been idle."""

import re

import pytest

from balas.services.clients import Clients
from balas.services.log import VERBOSE
from balas.testing import Client, InProcessServer, RealRedis, encode


def fields(line: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in line.split())


def listing(client: Client, *options: str) -> dict[int, dict[str, str]]:
    """What CLIENT LIST says, by the numbers of clients."""
    lines = client("CLIENT", "LIST", *options).decode().splitlines()
    return {int(found["id"]): found for found in map(fields, lines)}


def test_a_line_has_redis_s_fields_in_redis_s_order(
    balas_server: InProcessServer, real_redis: RealRedis
) -> None:
    ours = balas_server.client()("CLIENT", "INFO").decode()
    with real_redis.client() as client:
        theirs = client("CLIENT", "INFO").decode()
    assert list(fields(ours)) == list(fields(theirs))
    assert ours.endswith("\n") == theirs.endswith("\n")
    for name in ("name", "db", "sub", "multi", "watch", "flags", "redir", "resp", "cmd", "user"):
        assert fields(ours)[name] == fields(theirs)[name], name


def test_what_a_line_says(balas_server: InProcessServer) -> None:
    admin, client, listener = (balas_server.client() for _ in range(3))
    client("SELECT", "2")
    client("CLIENT", "SETNAME", "me")
    client("CLIENT", "SETINFO", "LIB-NAME", "lib")
    client("CLIENT", "SETINFO", "LIB-VER", "1.0")
    client("CLIENT", "NO-EVICT", "on")
    client("CLIENT", "NO-TOUCH", "on")
    client("WATCH", "a", "b")
    client("MULTI")
    client("SET", "a", "123")
    listener("SUBSCRIBE", "c")
    listener("PSUBSCRIBE", "p")
    balas_server.advance(5000)
    admin("PING")
    found = listing(admin)
    assert list(found) == [1, 2, 3]
    mine = found[2]
    expected = {
        "addr": "127.0.0.1:40002",
        "laddr": "127.0.0.1:6379",
        "name": "me",
        "age": "5",
        "idle": "5",
        "flags": "xeT",
        "db": "2",
        "multi": "1",
        "watch": "2",
        "cmd": "set",
        "resp": "2",
        "lib-name": "lib",
        "lib-ver": "1.0",
        "user": "default",
        "multi-mem": "7",
    }
    assert {name: mine[name] for name in expected} == expected
    assert found[1]["idle"] == "0"
    assert (found[3]["flags"], found[3]["sub"], found[3]["psub"]) == ("P", "1", "1")
    assert list(listing(admin, "TYPE", "pubsub")) == [3]
    assert list(listing(admin, "TYPE", "normal")) == [1, 2]
    assert list(listing(admin, "ID", "3", "99", "1")) == [3, 1]
    admin("SET", "a", "1")
    assert listing(admin)[2]["flags"] == "xeT"
    admin("SELECT", "2")
    admin("SET", "a", "1")
    assert listing(admin)[2]["flags"] == "xdeT"


def test_traffic_is_counted(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    request = encode("ECHO", "x" * 1000)
    client.raw(request)
    line = fields(client("CLIENT", "INFO").decode())
    assert int(line["tot-net-in"]) == len(request) + len(encode("CLIENT", "INFO"))
    assert int(line["tot-net-out"]) == len("$1000\r\n\r\n") + 1000
    assert line["tot-cmds"] == "1"
    stats = balas_server.engine.stats
    assert stats.connections == 1
    assert stats.input_bytes == int(line["tot-net-in"])
    assert stats.commands == 2


def test_the_numbers_for_info(balas_server: InProcessServer) -> None:
    clients: Clients = balas_server.engine.services[Clients]
    one, two = balas_server.client(), balas_server.client()
    one("WATCH", "a")
    two("SUBSCRIBE", "c")
    assert (clients.connected, clients.subscribed, clients.watching) == (2, 1, 1)
    assert clients.waiting_with_timeout == 0
    one.close()
    assert (clients.connected, clients.watching) == (1, 0)


@pytest.mark.parametrize(
    ("filters", "killed"),
    [
        (("ID", "2"), [2]),
        (("ADDR", "127.0.0.1:40003"), [3]),
        (("LADDR", "127.0.0.1:6379"), [2, 3, 4]),
        (("TYPE", "pubsub"), [4]),
        (("TYPE", "normal"), [2, 3]),
        (("USER", "default"), [2, 3, 4]),
        (("USER", "default", "TYPE", "pubsub"), [4]),
        (("MAXAGE", "10"), [2]),
        (("MAXAGE", "11"), []),
        (("ID", "2", "TYPE", "pubsub"), []),
        (("SKIPME", "yes"), [2, 3, 4]),
        (("ID", "1"), []),
        (("ID", "1", "SKIPME", "no"), [1]),
    ],
)
def test_kill_filters(
    filters: tuple[str, ...], killed: list[int], balas_server: InProcessServer
) -> None:
    admin, _ = balas_server.client(), balas_server.client()
    balas_server.advance(10_000)
    balas_server.client()
    balas_server.client()("SUBSCRIBE", "c")
    admin("PING")
    balas_server.engine.clients[1].created_ms = balas_server.clock.now_ms
    assert admin("CLIENT", "KILL", *filters) == len(killed)
    assert sorted({1, 2, 3, 4} - set(balas_server.engine.clients)) == killed


def test_kill_in_the_old_form(balas_server: InProcessServer) -> None:
    admin, other = balas_server.client(), balas_server.client()
    assert admin("CLIENT", "KILL", "127.0.0.1:40002") == b"OK"
    assert other.read_to_end() == b""
    assert admin("CLIENT", "KILL", "127.0.0.1:40001") == b"OK"
    assert admin.read_to_end() == b""


def test_an_idle_client_is_closed_unless_it_waits_or_listens(
    balas_server: InProcessServer,
) -> None:
    admin, idle, waiting, listener = (balas_server.client() for _ in range(4))
    balas_server.server.log.level = VERBOSE
    admin("CONFIG", "SET", "timeout", "10")
    idle("PING")
    listener("SUBSCRIBE", "c")
    balas_server.engine.clients[3].blocked = object()
    balas_server.advance(9_000)
    admin("PING")
    balas_server.advance(3_000)
    assert list(balas_server.engine.clients) == [1, 3, 4]
    assert "Closing idle client" in balas_server.log
    balas_server.engine.clients[3].blocked = None
    balas_server.advance(3_000)
    assert list(balas_server.engine.clients) == [1, 4]
    waiting.close()


def test_buffers_of_idle_clients_are_given_up(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    # Replies that are copied into the buffer; longer ones are not.
    client.pipeline(*[("ECHO", "x" * 15_000)] * 7)
    peer = balas_server.engine.clients[1]
    assert peer.memory > 100_000
    balas_server.advance(5_000)
    assert peer.memory < 12_000
    assert client("ECHO", "again") == b"again"


def test_many_clients_are_looked_at_in_parts(balas_server: InProcessServer) -> None:
    clients = [balas_server.client() for _ in range(1200)]
    clients[0]("CONFIG", "SET", "timeout", "5")
    balas_server.advance(7_000)
    assert len(balas_server.engine.clients) == 0


def test_an_attack_is_logged_once_a_minute(balas_server: InProcessServer) -> None:
    pattern = "Possible SECURITY ATTACK detected.*Connection from 127.0.0.1:4000[123] aborted."
    for _ in range(2):
        balas_server.client().send_raw(b"POST / HTTP/1.1\r\n")
    assert len(re.findall(pattern, balas_server.log)) == 1
    balas_server.advance(61_000)
    balas_server.client().send_raw(b"Host: example\r\n")
    assert len(re.findall(pattern, balas_server.log)) == 2
