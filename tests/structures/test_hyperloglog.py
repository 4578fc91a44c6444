"""HyperLogLog: the same bytes and estimates as Redis, estimates near the truth, damage refused."""

import random
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.structures import hyperloglog
from balas.testing.real_server import RealRedis

SPARSE_BYTES_MAX = 3000


def seen(*elements: bytes, sparse_bytes_max: int = SPARSE_BYTES_MAX) -> bytearray:
    data = hyperloglog.new()
    for element in elements:
        hyperloglog.add(data, element, sparse_bytes_max)
    return data


def numbered(count: int, name: str = "e") -> list[bytes]:
    return [f"{name}:{n}".encode() for n in range(count)]


def test_strings_have_the_bytes_of_redis(real_redis: RealRedis) -> None:
    chance = random.Random(4)
    with real_redis.client() as client:
        for sparse_bytes_max in (100, 0, 16000, SPARSE_BYTES_MAX):
            client("CONFIG", "SET", "hll-sparse-max-bytes", sparse_bytes_max)
            client("DEL", "k")
            data = hyperloglog.new()
            for step in range(60):
                elements = [
                    chance.randbytes(chance.randint(0, 20)) for _ in range(1 + step * step // 8)
                ]
                changed = [hyperloglog.add(data, e, sparse_bytes_max) for e in elements]
                assert client("PFADD", "k", *elements) == int(any(changed))
                if any(changed):
                    hyperloglog.forget_cached(data)
                assert client("GET", "k") == bytes(data)
                assert client("PFDEBUG", "ENCODING", "k") == hyperloglog.encoding(data).encode()
                hyperloglog.cache(data, hyperloglog.count(data))
                assert client("PFCOUNT", "k") == hyperloglog.cached(data)
                assert client("GET", "k") == bytes(data)
                if hyperloglog.encoding(data) == "sparse":
                    assert client("PFDEBUG", "DECODE", "k") == hyperloglog.decode(data)
            assert client("PFDEBUG", "GETREG", "k") == list(hyperloglog.registers(data))


@pytest.mark.parametrize("sizes", [(10, 20), (5, 5000), (20_000, 3), (300, 300), (0, 0)])
def test_merging_gives_the_bytes_of_redis(real_redis: RealRedis, sizes: tuple[int, int]) -> None:
    ours = [seen(*numbered(size, f"s{i}")) for i, size in enumerate(sizes)]
    merged = bytearray(hyperloglog.REGISTERS)
    for data in ours:
        hyperloglog.fold(data, merged)
    target = hyperloglog.new()
    if any(hyperloglog.encoding(data) == "dense" for data in ours):
        assert hyperloglog.to_dense(target)
    hyperloglog.raise_registers(target, merged, SPARSE_BYTES_MAX)
    hyperloglog.forget_cached(target)
    with real_redis.client() as client:
        for i, size in enumerate(sizes):
            client("PFADD", f"s{i}", *numbered(size, f"s{i}"))
        assert client("PFCOUNT", "s0", "s1") == hyperloglog.count_registers(merged)
        client("PFMERGE", "target", "s0", "s1")
        assert client("GET", "target") == bytes(target)
        assert client("PFCOUNT", "target") == hyperloglog.count(target)


def test_estimates_of_many_are_those_of_redis(real_redis: RealRedis) -> None:
    data = hyperloglog.new()
    with real_redis.client() as client:
        for start in range(0, 200_000, 10_000):
            elements = [b"%d" % n for n in range(start, start + 10_000)]
            client("PFADD", "k", *elements)
            for element in elements:
                hyperloglog.add(data, element, SPARSE_BYTES_MAX)
            estimate = hyperloglog.count(data)
            assert client("PFCOUNT", "k") == estimate
            assert abs(estimate - start - 10_000) < 0.03 * (start + 10_000)


@given(st.lists(st.binary(max_size=10), max_size=400), st.integers(0, 600))
def test_both_encodings_hold_the_same(elements: list[bytes], sparse_bytes_max: int) -> None:
    data = seen(*elements, sparse_bytes_max=sparse_bytes_max)
    dense = hyperloglog.new()
    hyperloglog.to_dense(dense)
    for element in elements:
        hyperloglog.add(dense, element, 0)
    assert hyperloglog.registers(data) == hyperloglog.registers(dense)
    assert hyperloglog.count(data) == hyperloglog.count(dense)
    assert abs(hyperloglog.count(data) - len(set(elements))) <= 2 + len(elements) // 20
    hyperloglog.to_dense(data)
    assert data == dense


def test_a_new_string_has_seen_nothing() -> None:
    data = hyperloglog.new()
    assert hyperloglog.is_hyperloglog(data)
    assert hyperloglog.cached(data) == hyperloglog.count(data) == 0
    hyperloglog.forget_cached(data)
    assert hyperloglog.cached(data) is None
    hyperloglog.cache(data, 2**40)
    assert hyperloglog.cached(data) == 2**40


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HYLL",
        b"HYLL\1" + bytes(10),
        b"HYLX\1" + bytes(20),
        b"HYLL\2" + bytes(20),
        b"HYLL\0" + bytes(20),
    ],
)
def test_other_strings_are_none(data: bytes) -> None:
    assert not hyperloglog.is_hyperloglog(data)


@given(st.binary(max_size=30), st.integers(0, 16383))
def test_damaged_runs_are_refused(runs: bytes, index: int) -> None:
    data = bytearray(b"HYLL\1" + bytes(11) + runs)
    assert hyperloglog.is_hyperloglog(data)
    covered, at = 0, 0
    while at < len(runs):
        first = runs[at]
        if first & 0xC0 == 0x40:
            if at + 1 == len(runs):
                covered = -1
                break
            covered += ((first & 0x3F) << 8 | runs[at + 1]) + 1
            at += 2
        else:
            covered += (first & 3 if first & 0x80 else first & 0x3F) + 1
            at += 1
    if covered == 16384:
        assert len(hyperloglog.registers(data)) == 16384
    else:
        with pytest.raises(ValueError, match="corrupt"):
            hyperloglog.count(data)
        with pytest.raises(ValueError, match="corrupt"):
            hyperloglog.to_dense(data)
        assert bytes(data[16:]) == runs
    for n in range(20):
        with suppress(ValueError):
            hyperloglog.add(data, b"%d:%d" % (index, n), 40)
