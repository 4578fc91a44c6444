"""DUMP and RESTORE: what a transcript cannot say."""

from __future__ import annotations

from typing import Any

import pytest

from balas.testing import Client, InProcessServer


@pytest.fixture
def records(balas_server: InProcessServer) -> list[tuple[bytes, ...]]:
    """What the log gets."""
    found: list[tuple[bytes, ...]] = []

    def take(records: list[tuple[int, tuple[bytes, ...]]]) -> None:
        found.extend(argv for _, argv in records)

    sink: Any = take
    balas_server.engine.changes.add_sink(sink)
    return found


def test_the_log_gets_the_moment_of_expiry(
    balas_server: InProcessServer, client: Client, records: list[tuple[bytes, ...]]
) -> None:
    client("SET", "k", "v")
    payload = client("DUMP", "k")
    records.clear()
    client("RESTORE", "copy", 5000, payload, "IDLETIME", 7)
    client("RESTORE", "copy", 0, payload, "REPLACE")
    client("RESTORE", "copy", 1, payload, "REPLACE", "ABSTTL")
    client("RESTORE", "copy", 1, payload, "REPLACE", "ABSTTL")
    at = b"%d" % (balas_server.clock.now_ms + 5000)
    assert records == [
        (b"RESTORE", b"copy", at, payload, b"ABSTTL", b"IDLETIME", b"7"),
        (b"RESTORE", b"copy", b"0", payload, b"REPLACE"),
        (b"DEL", b"copy"),
    ]


def test_idle_time_counts_under_lru_and_frequency_under_lfu(client: Client) -> None:
    client("SET", "k", "v")
    payload = client("DUMP", "k")
    client("RESTORE", "a", 0, payload, "IDLETIME", 100)
    assert client("OBJECT", "IDLETIME", "a") == 100
    client("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    client("RESTORE", "b", 0, payload, "FREQ", 77)
    assert client("OBJECT", "FREQ", "b") == 77


def test_values_of_modules_travel_even_without_their_module(client: Client) -> None:
    client("BF.ADD", "f", "x")
    payload = client("DUMP", "f")
    client("RESTORE", "g", 0, payload)
    assert client("BF.EXISTS", "g", "x") == 1
    client("MODULE", "UNLOAD", "bf", "SETASIDE")
    assert client("DUMP", "f") == payload
    client("RESTORE", "h", 0, payload)
    assert client("MODULE", "ORPHANS") == [b"MBbloom--", 3]
    client("MODULE", "LOAD", "bf")
    assert client("BF.EXISTS", "h", "x") == 1


def test_a_payload_cut_or_changed_anywhere_is_refused(client: Client) -> None:
    client("BF.ADD", "f", "x")
    payload = client("DUMP", "f")
    for cut in range(len(payload)):
        text = "ERR DUMP payload version or checksum are wrong"
        assert client.error("RESTORE", "k", 0, payload[:cut]) == text
    assert client("EXISTS", "k") == 0
