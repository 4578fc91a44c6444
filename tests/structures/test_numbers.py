"""Numbers as text: the strict integers, the doubles and the long doubles of Redis."""

import math
import random
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.errors import ReplyError
from balas.structures import grisu, numbers
from balas.testing.real_server import RealRedis

CANONICAL = re.compile(rb"0|-?[1-9][0-9]*")

near_integers = st.one_of(
    st.integers(-(2**64), 2**64).map(lambda n: b"%d" % n),
    st.text("0123456789+- ", max_size=22).map(str.encode),
    st.binary(max_size=3),
)


def short(text: bytes) -> str:
    return ascii(text[:30])


@given(near_integers)
def test_integers_are_canonical_or_refused(text: bytes) -> None:
    value = int(text) if CANONICAL.fullmatch(text) else None
    if value is not None and not -(2**63) <= value < 2**63:
        value = None
    assert numbers.parse_int(text) == value


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 0, 9, 10, -1, 10**18, -(10**18)])
def test_integers_at_the_limits(value: int) -> None:
    assert numbers.parse_int(b"%d" % value) == value


NO_INTEGERS = [b"", b"-", b"+1", b" 1", b"1 ", b"01", b"-0", b"-01", b"1\x00", b"0x1", b"1.0"]
NO_INTEGERS += [b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616", b"9" * 30]


@pytest.mark.parametrize("text", NO_INTEGERS)
def test_other_integers_are_refused(text: bytes) -> None:
    assert numbers.parse_int(text) is None


# Each text of a double with what ZADD makes of it; None is "not a valid float".
DOUBLES = {
    b"5.0e3": 5000.0,
    b"0x10": 16.0,
    b"0X1p3": 8.0,
    b"-0x1.8p1": -3.0,
    b"0x1e5": 485.0,
    b"inf": math.inf,
    b"+inf": math.inf,
    b"-INFINITY": -math.inf,
    b".5": 0.5,
    b"5.": 5.0,
    b"+1": 1.0,
    b"-.5": -0.5,
    b"007": 7.0,
    b"1E5": 1e5,
    b"4e-324": 5e-324,
    b"0x1.8p-1075": 5e-324,
    b"0e99999999999999999999": 0.0,
    b"0" * 6000 + b"1.5": 1.5,
    b"123456789012345678901234567890": 123456789012345678901234567890.0,
    b"9007199254740993": 9007199254740992.0,
    b"nan": None,
    b"-nan": None,
    b"nan(1)": None,
    b"infin": None,
    b"": None,
    b".": None,
    b"-": None,
    b"-.": None,
    b"+-1": None,
    b"1e": None,
    b"1e+": None,
    b"e5": None,
    b" 1": None,
    b"1 ": None,
    b"\t1": None,
    b"1\x00": None,
    b"1.5.2": None,
    b"1,5": None,
    b"1_0": None,
    b"0x": None,
    b"0x.p1": None,
    b"1e400": None,
    b"-1e400": None,
    b"2e-324": None,
    b"1e-400": None,
    b"0x1p-1075": None,
    b"1" * 400: None,
}


@pytest.mark.parametrize("text", DOUBLES, ids=short)
def test_doubles_are_read(text: bytes) -> None:
    assert numbers.parse_float(text) == DOUBLES[text]


def test_doubles_are_read_as_redis_reads_them(real_redis: RealRedis) -> None:
    with real_redis.client() as client:
        for text, value in DOUBLES.items():
            client("DEL", "z")
            if value is None:
                assert client.error("ZADD", "z", text, "m") == "ERR value is not a valid float"
            else:
                client("ZADD", "z", text, "m")
                assert client("ZSCORE", "z", "m") == numbers.format_double(value)


@given(st.floats(allow_nan=False))
def test_doubles_come_back(value: float) -> None:
    assert numbers.parse_float(numbers.format_double(value)) == value
    assert numbers.parse_float(repr(value).encode()) == value


decimals = st.tuples(
    st.sampled_from(["", "-"]),
    st.text("0123456789", max_size=17),
    st.sampled_from(["", "."]),
    st.text("0123456789", max_size=17),
)


@given(decimals.map("".join))
def test_plain_decimals_are_read_to_the_last_bit(text: str) -> None:
    expected = float(text) if any(c.isdigit() for c in text) else None
    assert numbers.parse_float(text.encode()) == expected


TEXT_OF = {
    0.0: b"0",
    1.0: b"1",
    -1.5: b"-1.5",
    0.1 + 0.2: b"0.30000000000000004",
    1e-5: b"0.00001",
    1e-6: b"0.000001",
    1e-7: b"1e-7",
    0.0012345: b"0.0012345",
    0.00012345: b"1.2345e-4",
    123456.789: b"123456.789",
    1e18: b"1000000000000000000",
    1e19: b"1e+19",
    1.5e22: b"1.5e+22",
    123456789012345680000.0: b"123456789012345680000",
    # Not the shortest digits, but Redis's.
    1e23: b"99999999999999990000000",
    1.5e300: b"1.5e+300",
    5e-324: b"5e-324",
    1.7976931348623157e308: b"1.7976931348623157e+308",
    2.0**62: b"4611686018427387904",
    2.0**62 + 1024: b"4611686018427389000",
    -(2.0**63): b"-9223372036854776000",
    math.inf: b"inf",
    -math.inf: b"-inf",
}


@pytest.mark.parametrize("value", TEXT_OF)
def test_doubles_are_written(value: float) -> None:
    assert numbers.format_double(value) == TEXT_OF[value]


def test_the_sign_of_zero_and_nan() -> None:
    assert numbers.format_double(-0.0) == b"-0"
    assert numbers.format_double(math.nan) == b"nan"
    assert numbers.format_double(-math.nan) == b"nan"


@given(st.floats(min_value=5e-324, allow_infinity=False))
def test_digits_are_few_and_exact(value: float) -> None:
    digits, exponent = grisu.digits(value)
    assert digits.isdigit()
    assert 1 <= len(digits) <= 17
    assert float(f"{digits.decode()}e{exponent}") == value


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_digits_are_of_finite_doubles_above_zero(value: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        grisu.digits(value)


def some_doubles(seed: int) -> list[float]:
    """Doubles of every binary exponent: the ends of its range and two in between."""
    chance = random.Random(seed)
    found = []
    for exponent in range(2047):
        for mantissa in (0, 2**52 - 1, chance.getrandbits(52), chance.getrandbits(52)):
            bits = (chance.getrandbits(1) << 63) | (exponent << 52) | mantissa
            found.append(struct.unpack("<d", struct.pack("<Q", bits))[0])
    return [value for value in found if value != 0]


def test_doubles_are_written_as_redis_writes_them(real_redis: RealRedis) -> None:
    values = [*TEXT_OF, *some_doubles(1)]
    with real_redis.client() as client:
        for start in range(0, len(values), 1000):
            part = values[start : start + 1000]
            client.pipeline(*(("ZADD", "z", repr(value), repr(value)) for value in part))
            scores = client.pipeline(*(("ZSCORE", "z", repr(value)) for value in part))
            for value, score in zip(part, scores, strict=True):
                assert numbers.format_double(value) == score, repr(value)


SUMS = [
    (b"10.50", b"0.1", b"10.6"),
    (b"5.0e3", b"2.0e2", b"5200"),
    (b"0", b"0x10", b"16"),
    (b"0", b"0x1p100", b"1267650600228229401496703205376"),
    (b"0", b"1e-400", b"0"),
    (b"-1e-30", b"0", b"0"),
    (b"3", b"-3", b"0"),
    (b"0.1", b"0.2", b"0.3"),
    (b"1", b"-0.00000000000000001", b"0.99999999999999999"),
    (b"17179869184.5", b"1", b"17179869185.5"),
]
NO_LONG_DOUBLES = [b"", b" 1", b"1 ", b"\n1", b"nan", b"1e4933", b"1e-5000", b"1\x00", b"abc"]
NO_LONG_DOUBLES += [b"0" * 5120, b"1" * 5000]


@pytest.mark.parametrize(("current", "by", "result"), SUMS)
def test_increment(current: bytes, by: bytes, result: bytes) -> None:
    assert numbers.increment_float(current, by) == result


def test_ten_tenths_are_one() -> None:
    total = b"0"
    for _ in range(10):
        total = numbers.increment_float(total, b"0.1")
    assert total == b"1"


@pytest.mark.parametrize("text", NO_LONG_DOUBLES, ids=short)
def test_increment_of_what_is_no_number(text: bytes) -> None:
    assert not numbers.is_long_double(text)
    with pytest.raises(ValueError, match="current"):
        numbers.increment_float(text, b"1")
    with pytest.raises(ValueError, match="increment"):
        numbers.increment_float(b"1", text)


@pytest.mark.parametrize(
    ("current", "by"), [(b"1", b"inf"), (b"-inf", b"1"), (b"inf", b"-inf"), (b"1e4932", b"1e4932")]
)
def test_increment_beyond_all_bounds(current: bytes, by: bytes) -> None:
    with pytest.raises(OverflowError):
        numbers.increment_float(current, by)


def test_infinities_are_numbers_but_not_finite() -> None:
    assert numbers.is_long_double(b"-inf")
    assert not numbers.is_finite_long_double(b"-inf")
    assert numbers.is_finite_long_double(b"1e4932")
    assert not numbers.is_finite_long_double(b"nan")


def increment_reply(current: bytes, by: bytes) -> bytes | str:
    """What INCRBYFLOAT replies, by our arithmetic."""
    try:
        return numbers.increment_float(current, by)
    except ValueError:
        return "ERR value is not a valid float"
    except OverflowError:
        return "ERR increment would produce NaN or Infinity"


def test_increments_agree_with_redis(real_redis: RealRedis) -> None:
    chance = random.Random(3)
    texts = [text for pair in SUMS for text in pair[:2]] + NO_LONG_DOUBLES + list(DOUBLES)
    texts += ["".join(chance.choices("0123456789.-e", k=6)).encode() for _ in range(300)]
    texts += [f"{chance.uniform(-1e9, 1e9):.{chance.randint(0, 20)}f}".encode() for _ in range(300)]
    pairs = [(current, chance.choice(texts)) for current in texts]
    with real_redis.client() as client:
        client.pipeline(*(("SET", f"k{i}", current) for i, (current, _) in enumerate(pairs)))
        replies = client.pipeline(
            *(("INCRBYFLOAT", f"k{i}", by) for i, (_, by) in enumerate(pairs))
        )
    for (current, by), reply in zip(pairs, replies, strict=True):
        actual = reply.text if isinstance(reply, ReplyError) else reply
        assert increment_reply(current, by) == actual, (current, by)
