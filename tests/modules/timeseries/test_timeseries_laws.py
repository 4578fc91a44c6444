"""What every value has to obey, and what damaged data does."""

import random
import struct
from collections.abc import Callable

import pytest

from balas.services.rdb.format import dump_open, dump_seal
from balas.testing import InProcessServer, check_laws
from balas_timeseries.series import Series


def make(labels: int = 2, samples: int = 300) -> Series:
    series = Series(labels=[(b"label%d" % n, b"value") for n in range(labels)])
    for n in range(samples):
        series.samples.put(n * 1000, n % 17 / 10)
    return series


def make_varied() -> Series:
    series = Series(86_400_000, 128, "max", [(b"a", b"b")], (5, 0.5), True)
    for n in range(100):
        series.samples.put(n * n, struct.unpack("<d", bytes([n, 7, 1, n, 3, 9, 2, 64]))[0])
    return series


@pytest.mark.parametrize("build", [make, make_varied, lambda: make(0, 3000)])
def test_a_series_obeys_the_laws_of_values(
    balas_server: InProcessServer, build: Callable[[], Series]
) -> None:
    check_laws(balas_server, build, lambda series: series.samples.put(10**9, 5))


def with_a_rule(server: InProcessServer) -> bytes:
    client = server.client()
    client("TS.CREATE", "s", "LABELS", "a", "b", "c", "d", "CHUNK_SIZE", 64)
    client("TS.CREATE", "d")
    client("TS.CREATERULE", "s", "d", "AGGREGATION", "std.p", 10, 3)
    for at in range(0, 200, 3):
        client("TS.ADD", "s", at, at / 7 if at % 2 else at)
    payload: bytes = client("DUMP", "s")
    return payload


def test_every_cut_of_a_dump_is_refused(balas_server: InProcessServer) -> None:
    payload = with_a_rule(balas_server)
    client = balas_server.client()
    for length in range(len(payload)):
        assert client.error("RESTORE", "t", 0, payload[:length]).startswith("ERR")


def test_damage_is_refused_or_harmless(balas_server: InProcessServer) -> None:
    """The checksum would find it; so it is made anew, as an attacker would."""
    payload = with_a_rule(balas_server)
    client = balas_server.client()
    body = dump_open(payload)
    chance = random.Random(8)
    restored = 0
    for _ in range(600):
        damaged = bytearray(body)
        for _ in range(chance.choice([1, 1, 1, 2, 8])):
            damaged[chance.randrange(1, len(damaged))] = chance.randrange(256)
        client.send("RESTORE", "t", 0, dump_seal(bytes(damaged)), "REPLACE")
        if client.read() == b"OK":
            restored += 1
            client.pipeline(
                ["TS.RANGE", "t", "-", "+", "AGGREGATION", "avg", 100],
                ["TS.INFO", "t", "DEBUG"],
                ["TS.GET", "t"],
                ["TS.DEL", "t", 30, 40],
                ["TS.ADD", "t", 41, 1],
                ["TS.ADD", "t", "*", 1],
                ["DUMP", "t"],
                ["TS.QUERYINDEX", "a=b"],
            )
    assert restored
    assert client("ECHO", "x") == b"x"
