"""CRC-64 against the textbook: one bit at a time."""

from hypothesis import given
from hypothesis import strategies as st

from balas.structures.crc64 import crc64

POLYNOMIAL = 0xAD93D23594C935A9
REVERSED = int(f"{POLYNOMIAL:064b}"[::-1], 2)


def bitwise(crc: int, data: bytes) -> int:
    """The same sum, from the definition."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (REVERSED if crc & 1 else 0)
    return crc


def test_check_value() -> None:
    assert crc64(0, b"123456789") == 0xE9C6D914C4B8D9CA


def test_nothing_changes_nothing() -> None:
    assert crc64(0x1234, b"") == 0x1234


def test_takes_any_buffer() -> None:
    data = bytearray(b"xx123456789")
    assert crc64(0, memoryview(data)[2:]) == 0xE9C6D914C4B8D9CA


@given(st.binary(max_size=70))
def test_agrees_with_the_definition(data: bytes) -> None:
    assert crc64(0, data) == bitwise(0, data)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_parts_may_be_fed_in_turn(head: bytes, tail: bytes) -> None:
    assert crc64(crc64(0, head), tail) == crc64(0, head + tail)
