"""What a malformed request is answered, compared with the real server byte by byte."""

import pytest

from balas.testing import Client, InProcessServer, RealRedis, encode

LINE_MAX = 64 * 1024

MALFORMED = [
    b"*3\r\n$-1\r\n",
    b"*abc\r\n",
    b"*\r\n",
    b"*1 \r\n",
    b"*01\r\n",
    b"*+1\r\n",
    b"*-0\r\n",
    b"*2147483648\r\n",
    b"*9223372036854775808\r\n",
    b"*1\n$4\r\nPING\r\n",
    b"*1\r$4\r\nPING\r\n",
    b"*1\r\nx4\r\nPING\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n'\r\n",
    b"*1\r\n\xff\r\n",
    b"*1\r\n:4\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$x\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n$-0\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$9999999999999999999999\r\n",
    b"*2\r\n$4\r\nECHO\r\n*1\r\n",
    b'PING "abc\r\n',
    b"PING 'abc\r\n",
    b'PING "a"b\r\n',
    b"x" * (LINE_MAX + 100),
    b"*" + b"1" * (LINE_MAX + 100),
    b"*" + b"1" * 30 + b"\r\n",
    b"*1\r\n$" + b"1" * (LINE_MAX + 100),
    b"*1\r\n" + b"x" * (LINE_MAX + 100),
    # Requests before it are still answered; what comes after it is not.
    encode("PING") + b"*1\r\nx\r\n" + encode("PING"),
    # An attempt to have a web browser talk to the server is not answered at all.
    b"POST / HTTP/1.1\r\nHost: example\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: example\r\n\r\n",
    encode("host:"),
]

ODD_BUT_VALID = [
    b"*-1\r\n",
    b"*0\r\n",
    b"*-5\r\nPING\r\n",
    b"\r\n",
    b"\n",
    b"   \r\n",
    b"PING\n",
    b"PING\r\r\n",
    b"ECHO a\rb\r\n",
    b"$4\r\nPING\r\n",
    b"ECHO 'it\\'s'\r\n",
    b'ECHO "\\xzz\\q\\x41\\a"\r\n',
    b'ECHO ""\r\n',
    b"*1\r\n$0\r\n\r\n",
    b"*1\r\n$4\r\nPINGxx",
    b"*1\rX$4\rYPING\r\n",
    b"\x80abc d\r\n",
    b"x" * 300 + b" " + b"y" * 300 + b" z\r\n",
    encode("NOSUCH", "x" * 100, "y" * 100, "z"),
    encode("no\r\nsuch", "a\r\nb"),
    encode("CLIENT", "no\r\nsuch"),
]

QUIT = encode("QUIT")


def name(data: bytes) -> str:
    return repr(data if len(data) < 40 else data[:20] + b"...")


def said_by_balas(pieces: list[bytes]) -> bytes:
    with InProcessServer(bundled=False) as server, server.client() as client:
        return said_by(client, pieces)


def said_by(client: Client, pieces: list[bytes]) -> bytes:
    """All that a server says to the pieces until it hangs up."""
    for piece in pieces:
        try:
            client.send_raw(piece)
        except ConnectionError:
            break
    return client.read_to_end()


@pytest.mark.parametrize("data", MALFORMED + ODD_BUT_VALID, ids=name)
def test_it_is_answered_as_by_redis(data: bytes, real_redis: RealRedis) -> None:
    if data in ODD_BUT_VALID:
        data += QUIT
    with real_redis.client() as client:
        expected = said_by(client, [data])
    assert said_by_balas([data]) == expected
    if len(data) < 1000:
        assert said_by_balas([bytes([byte]) for byte in data]) == expected
        assert said_by_balas([data + encode("PING") * 3]) == expected


@pytest.mark.parametrize(
    "data",
    [b"*11\r\n", b"*1\r\n$16385\r\n", b"*2\r\n$4\r\nAUTH\r\n$20000\r\n", encode("GET", "k") + QUIT],
    ids=name,
)
def test_a_stranger_is_answered_as_by_redis(data: bytes, real_redis: RealRedis) -> None:
    with real_redis.client() as admin:
        admin("CONFIG", "SET", "requirepass", "secret")
        try:
            with real_redis.client() as stranger:
                expected = said_by(stranger, [data])
        finally:
            admin("CONFIG", "SET", "requirepass", "")
    with InProcessServer({"requirepass": "secret"}, bundled=False) as server:
        assert said_by(server.client(), [data]) == expected


def test_nul_bytes_do_not_make_a_connection_hang() -> None:
    """Differs from Redis, which waits for ever: to C's string functions the line never ends."""
    with InProcessServer(bundled=False) as server, server.client() as client:
        assert client.raw(b"\x00\x01\x02\r\n").startswith(b"-ERR unknown command '\x01\x02'")
        assert client.raw(b"PING\x00\r\n") == b"+PONG\r\n"
