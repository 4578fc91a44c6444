"""The slow log and the latency monitor, on a clock that moves when it is told to."""

from collections.abc import Iterator

import pytest

from balas.testing import Client, InProcessServer, RealRedis


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    with InProcessServer({"enable-debug-command": "yes"}) as server:
        yield server


def test_what_takes_as_long_as_the_threshold_is_logged(server: InProcessServer) -> None:
    client = server.client()
    client("CLIENT", "SETNAME", "sleeper")
    client("CONFIG", "SET", "slowlog-log-slower-than", "5000")
    client("DEBUG", "SLEEP", "0.004")
    client("DEBUG", "SLEEP", "0.005")
    client("DEBUG", "SLEEP", "0.007")
    last, first = client("SLOWLOG", "GET")
    assert first[0] + 1 == last[0]
    assert first[1] == server.clock.now_ms // 1000
    assert (first[2], last[2]) == (5000, 7000)
    assert last[3] == [b"DEBUG", b"SLEEP", b"0.007"]
    assert last[4:] == [b"127.0.0.1:40001", b"sleeper"]


def test_commands_that_fail_and_those_of_a_transaction_are_logged(server: InProcessServer) -> None:
    client = server.client()
    client("CONFIG", "SET", "slowlog-log-slower-than", "0")
    client("SLOWLOG", "RESET")
    client("SET", "k", "word")
    client.error("INCR", "k")
    client("MULTI")
    client("GET", "k")
    client("EXEC")
    client.error("GET")
    names = [entry[3][0] for entry in reversed(client("SLOWLOG", "GET", "-1"))]
    assert names == [b"SLOWLOG", b"SET", b"INCR", b"MULTI", b"GET"]


def test_the_log_keeps_the_latest_and_their_numbers(server: InProcessServer) -> None:
    client = server.client()
    client("CONFIG", "SET", "slowlog-max-len", "3", "slowlog-log-slower-than", "0")
    for number in range(5):
        client("ECHO", str(number))
    client("CONFIG", "SET", "slowlog-log-slower-than", "-1")
    assert client("SLOWLOG", "LEN") == 3
    numbers = [entry[0] for entry in client("SLOWLOG", "GET")]
    assert numbers == sorted(numbers, reverse=True)
    assert len(client("SLOWLOG", "GET", "2")) == 2


SHOWN = [
    ("SET", "k", "x" * 129),
    ("SET", "k", "x" * 128),
    ("SET", "k", b"\x00\xff" * 100),
    ("MSET", *(word for number in range(40) for word in (f"k{number}", "v"))),
    ("MSET", *(word for number in range(15) for word in (f"k{number}", "v")), "last"),
    ("AUTH", "secret"),
    ("AUTH", "somebody", "secret"),
    ("HELLO", "2", "AUTH", "somebody", "secret", "SETNAME", "x"),
    ("HELLO", "2"),
    ("CONFIG", "SET", "maxmemory", "0", "RequirePass", ""),
    ("CONFIG", "SET", "masterauth", "secret"),
    ("CONFIG", "GET", "requirepass"),
]


@pytest.mark.parametrize("argv", SHOWN, ids=lambda argv: " ".join(map(str, argv[:3]))[:30])
def test_arguments_are_shortened_and_redacted_as_by_redis(
    server: InProcessServer, real_redis: RealRedis, argv: tuple[str, ...]
) -> None:
    logged = []
    with real_redis.client() as real:
        for client in (server.client(), real):
            client("CONFIG", "SET", "slowlog-log-slower-than", "0")
            client.pipeline(argv)
            client("CONFIG", "SET", "slowlog-log-slower-than", "10000")
            logged.append(client("SLOWLOG", "GET", "2")[1][3])
    assert logged[0] == logged[1]


# The latency monitor.


def sleep(client: Client, *durations_ms: int) -> None:
    for duration_ms in durations_ms:
        client("DEBUG", "SLEEP", str(duration_ms / 1000))


def test_spikes_are_remembered_by_second(server: InProcessServer) -> None:
    client = server.client()
    client("CONFIG", "SET", "latency-monitor-threshold", "10")
    began_s = server.clock.now_ms // 1000
    sleep(client, 9, 10, 30, 20)
    server.advance(1000)
    sleep(client, 12)
    assert client("LATENCY", "HISTORY", "command") == [[began_s, 30], [began_s + 1, 12]]
    assert client("LATENCY", "LATEST") == [[b"command", began_s + 1, 12, 30]]
    graph = client("LATENCY", "GRAPH", "command").decode()
    assert graph.startswith("command - high 30 ms, low 12 ms (all time high 30 ms)\n")
    assert (
        "command: 4 latency spikes, average 18 ms, worst 30 ms"
        in client("LATENCY", "DOCTOR").decode()
    )
    assert client("LATENCY", "RESET", "fork", "command") == 1
    assert client("LATENCY", "LATEST") == []


def test_only_the_last_spikes_are_kept(server: InProcessServer) -> None:
    client = server.client()
    client("CONFIG", "SET", "latency-monitor-threshold", "1")
    for _ in range(170):
        sleep(client, 2)
        server.advance(1000)
    assert len(client("LATENCY", "HISTORY", "command")) == 160
    assert len(client("LATENCY", "GRAPH", "command").split(b"\n")[1]) == 80


def test_without_a_threshold_nothing_is_a_spike(server: InProcessServer) -> None:
    client = server.client()
    sleep(client, 500)
    assert client("LATENCY", "LATEST") == []
    assert b"off" in client("LATENCY", "DOCTOR")
    client("CONFIG", "SET", "latency-monitor-threshold", "100")
    assert b"No spikes" in client("LATENCY", "DOCTOR")


def test_the_histogram_counts_up(server: InProcessServer) -> None:
    client = server.client()
    sleep(client, 1, 1, 5, 100)
    name, (_, calls, _, histogram) = client("LATENCY", "HISTOGRAM", "DEBUG")
    assert (name, calls) == (b"debug", 4)
    # The bounds are Redis's: 1024 ns and its doubles, to two digits.
    assert histogram == [1056, 2, 8454, 3, 135274, 4] or histogram == [1056, 2, 8454, 3, 135266, 4]


def test_the_histogram_of_a_container_is_that_of_its_subcommands(server: InProcessServer) -> None:
    client = server.client()
    client("CONFIG", "GET", "nothing")
    names = client("LATENCY", "HISTOGRAM", "config", "nothing")[::2]
    assert names == [b"config|get"]
