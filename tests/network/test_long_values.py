"""Values too long to be copied about: they come and go in whatever pieces, and nothing is lost."""

import random
from collections.abc import Iterator

import pytest

from balas.testing import BalasProcess, Client, wait_until
from balas.testing.clients import encode

LENGTHS = (16_383, 16_384, 32_767, 32_768, 32_900, 100_000, 262_144, 1_048_570, 3_000_000)


@pytest.fixture(scope="module")
def server() -> Iterator[BalasProcess]:
    with BalasProcess({"lazyfree-lazy-user-del": "yes"}) as server:
        yield server


@pytest.fixture
def client(server: BalasProcess) -> Iterator[Client]:
    with server.client() as client:
        client("FLUSHALL")
        yield client


def text(length: int) -> bytes:
    """A value in which a byte in the wrong place is seen."""
    return (b"%d|" % length * (length // 2))[:length]


def memory(server: BalasProcess) -> int:
    with open(f"/proc/{server.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize("length", LENGTHS)
def test_a_value_of_any_length_comes_back(client: Client, length: int) -> None:
    assert client("SET", "k", text(length)) == b"OK"
    assert client("STRLEN", "k") == length
    assert client("GET", "k") == text(length)
    assert client("GETRANGE", "k", -3, -1) == text(length)[-3:]


def test_long_and_short_requests_in_pieces_of_any_size(client: Client) -> None:
    chance = random.Random(5)
    for _ in range(12):
        lengths = [chance.choice((1, 50, 5000, *LENGTHS[:-1])) for _ in range(10)]
        requests, replies = b"", []
        for number, length in enumerate(lengths):
            requests += encode("SET", f"k{number}", text(length))
            requests += encode("GET", f"k{number}") + encode("ECHO", "between")
            replies += [b"OK", text(length), b"between"]
        at = 0
        while at < len(requests):
            size = chance.choice((1, 7, 1000, 20_000, 65_536, 500_000))
            client.send_raw(requests[at : at + size])
            at += size
        assert [client.read() for _ in replies] == replies


def test_replies_are_not_held_back_until_more_comes(client: Client) -> None:
    """A request whose end is the end of what was sent is answered, and so is one before half."""
    request = encode("SET", "k", text(200_000))
    for _ in range(20):
        client.send_raw(request)
        assert client.read(5) == b"OK"
        client.send_raw(request + request[:150_000])
        assert client.read(5) == b"OK"
        client.send_raw(request[150_000:])
        assert client.read(5) == b"OK"


def test_whole_documents_and_lists_of_long_values(client: Client) -> None:
    long = [text(length) for length in LENGTHS]
    assert client("RPUSH", "list", *long) == len(long)
    assert client("LRANGE", "list", 0, -1) == long
    client("MULTI")
    for number, value in enumerate(long):
        client("SET", f"k{number}", value)
    client("MGET", "k0", "k5", "k8")
    assert client("EXEC")[-1] == [long[0], long[5], long[8]]


def test_a_client_that_wants_no_replies_gets_none(client: Client) -> None:
    client("SET", "k", text(100_000))
    client.send("GET", "k")
    client.send("CLIENT", "REPLY", "OFF")
    client.send("GET", "k")
    client.send("CLIENT", "REPLY", "ON")
    client.send("PING")
    assert [client.read() for _ in range(3)] == [text(100_000), b"OK", b"PONG"]


def test_two_who_send_long_values_at_once(server: BalasProcess, client: Client) -> None:
    request = encode("SET", "a", text(300_000))
    with server.client() as other:
        for at in range(0, len(request), 50_000):
            client.send_raw(request[at : at + 50_000])
            other.send_raw(request[at : at + 50_000].replace(b"$1\r\na", b"$1\r\nb"))
        assert client.read() == other.read() == b"OK"
    assert client("MGET", "a", "b") == [text(300_000)] * 2


def test_who_hangs_up_in_the_midst_leaves_nothing(server: BalasProcess, client: Client) -> None:
    client("SET", "k", "before")
    for _ in range(20):
        with server.client() as other:
            other.send_raw(encode("SET", "k", text(3_000_000))[:2_000_000])
    assert client("GET", "k") == b"before"
    wait_until(lambda: b"connected_clients:1\r\n" in client("INFO", "clients"))


@pytest.mark.parametrize("length", [200_000, 900_000, 5_000_000])
@pytest.mark.parametrize("way", ["DEL", "UNLINK", "FLUSHALL", "SET short"])
def test_the_memory_of_deleted_values_goes_back_to_the_system(
    server: BalasProcess, client: Client, length: int, way: str
) -> None:
    count = 60_000_000 // length
    client("MEMORY", "PURGE")
    before = memory(server)
    names = [f"k{number}" for number in range(count)]
    for name in names:
        client("SET", name, text(length))
    assert memory(server) - before > 40_000_000
    if way == "FLUSHALL":
        client("FLUSHALL")
    elif way == "SET short":
        client("MSET", *(word for name in names for word in (name, "x")))
    else:
        client("CONFIG", "SET", "lazyfree-lazy-user-del", "no")
        client(way, *names)
    wait_until(lambda: b"lazyfree_pending_objects:0\r\n" in client("INFO", "memory"))
    assert memory(server) - before < 15_000_000
