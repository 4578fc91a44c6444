"""MONITOR: what is shown, to whom, and what never is."""

import re

import pytest

from balas.testing import Client, InProcessServer, RealRedis

LINE = re.compile(rb"\d+\.\d{6} \[(\d+) ([\d.]+):\d+\] (.*)")


def shown(server: InProcessServer | RealRedis, *commands: tuple[str | bytes, ...]) -> list[bytes]:
    """What a monitor sees of these commands of another client: database and words."""
    with server.client() as monitor, server.client() as client:
        assert monitor("MONITOR") == b"OK"
        for argv in commands:
            client.pipeline(argv)
        client("ECHO", "end")
        found: list[bytes] = []
        while True:
            match = LINE.fullmatch(monitor.read())
            assert match is not None
            assert match[2] == b"127.0.0.1"
            if match[3] == b'"ECHO" "end"':
                return found
            found.append(match[1] + b" " + match[3])


COMMANDS: list[tuple[str | bytes, ...]] = [
    ("SET", "k", b'a\x00b"c\\\r\n\t\x07\x08\xc3\xa9 ~'),
    ("get", "k"),
    ("GET",),
    ("NOTHING", "x"),
    ("INCR", "k"),
    ("SELECT", "3"),
    ("SET", "", ""),
    ("MULTI",),
    ("SET", "a", "1"),
    ("GET", "a"),
    ("EXEC",),
    ("MULTI",),
    ("SET", "a", "1"),
    ("DISCARD",),
    ("AUTH", "secret"),
    ("AUTH", "somebody", "secret"),
    ("HELLO", "2", "AUTH", "somebody", "secret"),
    ("CONFIG", "GET", "hz"),
    ("CONFIG", "SET", "masterauth", "secret"),
    ("SLOWLOG", "LEN"),
    ("DBSIZE",),
    ("CLIENT", "SETNAME", "me"),
    ("WATCH", "a"),
    ("COMMAND", "COUNT"),
    ("SUBSCRIBE", "c"),
    ("UNSUBSCRIBE", "c"),
]


def test_a_monitor_sees_what_redis_shows(
    balas_server: InProcessServer, real_redis: RealRedis
) -> None:
    assert shown(balas_server, *COMMANDS) == shown(real_redis, *COMMANDS)


def test_a_monitor_sees_its_own_commands_after_their_replies(client: Client) -> None:
    assert client("MONITOR") == b"OK"
    assert client("PING") == b"PONG"
    assert client.read().endswith(b'"PING"')
    assert client("MONITOR") == b"OK", "it watches already"


def test_nobody_watches_any_more_after_reset_and_after_the_end(
    balas_server: InProcessServer,
) -> None:
    first, second, worker = (balas_server.client() for _ in range(3))
    first("MONITOR")
    second("MONITOR")
    first("RESET")
    while b'"RESET"' not in second.read():
        pass
    worker("PING")
    assert second.read().endswith(b'"PING"')
    with pytest.raises(TimeoutError):
        first.read()
    second.close()
    worker("PING")
    assert balas_server.engine.slow_ns > 10**6, "commands are measured as before"


def test_a_monitor_in_resp3_gets_the_same_lines(balas_server: InProcessServer) -> None:
    monitor, client = balas_server.client(resp=3), balas_server.client()
    monitor("MONITOR")
    client("PING")
    assert monitor.read().endswith(b'"PING"')
