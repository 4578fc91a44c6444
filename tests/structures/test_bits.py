"""Bits: counting, finding and combining agree with the plain way, fields with the real server."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.structures import bits
from balas.testing.real_server import RealRedis

texts = st.one_of(
    st.binary(max_size=40),
    st.builds(
        lambda n, fill, at, byte: (fill * n)[:at] + byte + (fill * n)[at:],
        st.integers(0, 200),
        st.sampled_from([b"\0", b"\xff"]),
        st.integers(0, 200),
        st.binary(max_size=2),
    ),
)
OPERATIONS = ["AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE"]


def digits(data: bytes | bytearray) -> str:
    return "".join(f"{byte:08b}" for byte in data)


@given(texts, st.integers(0, 900), st.integers(0, 900))
def test_ranges_are_counted_and_searched(data: bytes, first: int, last: int) -> None:
    text = digits(data)
    assert bits.count(data, first, last) == text[first : last + 1].count("1")
    for bit in (False, True):
        expected = text.find(str(int(bit)), first, last + 1)
        assert bits.find(data, bit, first, last) == expected


def naive_combine(operation: str, inputs: list[bytes]) -> bytes:
    size = len(inputs[0]) if operation == "NOT" else max(map(len, inputs))
    made = bytearray()
    for i in range(size):
        first, *others = [data[i] if i < len(data) else 0 for data in inputs]
        some = once = twice = 0
        every = first
        odd = first
        for byte in others:
            some |= byte
            every &= byte
            odd ^= byte
        for byte in (first, *others):
            twice |= once & byte
            once |= byte
        made.append(
            {
                "AND": every,
                "OR": first | some,
                "XOR": odd,
                "NOT": ~first & 255,
                "DIFF": first & ~some,
                "DIFF1": some & ~first,
                "ANDOR": first & some,
                "ONE": once & ~twice,
            }[operation]
        )
    return bytes(made)


@given(st.sampled_from(OPERATIONS), st.lists(texts, min_size=1, max_size=5))
def test_strings_are_combined(operation: str, inputs: list[bytes]) -> None:
    assert bits.combine(operation, inputs) == naive_combine(operation, inputs)


def test_nothing_cannot_be_combined() -> None:
    with pytest.raises(ValueError, match="nothing"):
        bits.combine("AND", [])


@given(
    st.binary(min_size=20, max_size=20),
    st.integers(0, 90),
    st.integers(1, 64),
    st.integers(-(2**63), 2**64 - 1),
)
def test_fields_are_read_and_written(data: bytes, offset: int, width: int, value: int) -> None:
    target = bytearray(data)
    bits.set_field(target, offset, width, value)
    low = value % (1 << width)
    text = digits(data)
    assert digits(target) == text[:offset] + f"{low:0{width}b}" + text[offset + width :]
    assert bits.get_field(target, offset, width, False) == low
    as_signed = low - (1 << width) if low >> (width - 1) else low
    assert bits.get_field(target, offset, width, True) == as_signed


def test_beyond_the_data_there_are_zeros_and_nothing_is_written() -> None:
    assert bits.get_field(b"\xff", 4, 8, False) == 0xF0
    assert bits.get_field(b"", 0, 64, True) == 0
    assert bits.get_field(b"\xff", 2**40, 8, False) == 0
    with pytest.raises(IndexError):
        bits.set_field(bytearray(1), 4, 8, 1)
    for width in (0, 65):
        with pytest.raises(ValueError, match="64 bits"):
            bits.get_field(b"\xff", 0, width, False)


def test_fields_overflow_as_those_of_redis(real_redis: RealRedis) -> None:
    chance = random.Random(3)
    ours = bytearray(32)
    with real_redis.client() as client:
        client("SET", "k", bytes(32))
        for _ in range(2500):
            signed = chance.random() < 0.5
            width = chance.choice([1, 2, 8, 31, 32, 63, chance.randint(1, 63)] + [64] * signed)
            offset = chance.choice([0, 3, 64, chance.randrange(150)])
            mode = chance.choice(["WRAP", "SAT", "FAIL"])
            number = chance.choice([-1, 1, 0]) * chance.randrange(2 ** chance.randint(1, 63))
            kind = f"{'i' if signed else 'u'}{width}"
            verb = chance.choice(["SET", "INCRBY"])
            theirs = client("BITFIELD", "k", "OVERFLOW", mode, verb, kind, offset, number)
            old = bits.get_field(ours, offset, width, signed)
            pair = (number, 0) if verb == "SET" else (old, number)
            value, overflow = bits.add_field(*pair, width, signed, mode)
            if overflow and mode == "FAIL":
                assert theirs == [None], (verb, kind, old, number)
                continue
            bits.set_field(ours, offset, width, value)
            assert theirs == [old if verb == "SET" else value], (mode, verb, kind, old, number)
        assert client("GET", "k") == bytes(ours)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_strings_are_combined_as_by_redis(real_redis: RealRedis, operation: str) -> None:
    chance = random.Random(8)
    with real_redis.client() as client:
        for n in range(1, 6):
            inputs = [chance.randbytes(chance.choice([0, 1, 7, 8, 40, 300])) for _ in range(n)]
            if operation == "NOT":
                inputs = inputs[:1]
            if n == 1 and operation.startswith(("DIFF", "ANDOR")):
                continue
            names = [f"k{i}" for i in range(len(inputs))]
            for name, data in zip(names, inputs, strict=True):
                client("SET", name, data)
            client("BITOP", operation, "out", *names)
            assert (client("GET", "out") or b"") == bits.combine(operation, inputs)
