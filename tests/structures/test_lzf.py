"""LZF: what is compressed comes back, and hostile data are refused without harm."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.structures import lzf


def naive_decompress(data: bytes) -> bytes | None:
    """The format, spelled out; None for data that break off or copy from before the start."""
    out = bytearray()
    rest = list(data)
    try:
        while rest:
            head = rest.pop(0)
            if head < 32:
                out += bytes(rest.pop(0) for _ in range(head + 1))
                continue
            length = head >> 5
            if length == 7:
                length += rest.pop(0)
            distance = (head & 31) * 256 + rest.pop(0) + 1
            if distance > len(out):
                return None
            for _ in range(length + 2):
                out.append(out[-distance])
    except (IndexError, RuntimeError):
        return None
    return bytes(out)


# Texts with repetitions at all distances and lengths, and some without any.
texts = st.one_of(
    st.binary(max_size=300),
    st.text("ab", max_size=600).map(str.encode),
    st.lists(st.sampled_from([b"key:", b"value", b"\x00" * 40, b"x"]), max_size=60).map(b"".join),
)


@given(texts)
def test_comes_back(text: bytes) -> None:
    packed = lzf.compress(text)
    if packed is None:
        return
    assert len(packed) <= len(text) - 4
    assert naive_decompress(packed) == text
    assert lzf.decompress(packed, len(text)) == text


@pytest.mark.parametrize("size", [21, 264, 265, 266, 1000, 8191, 8192, 8193, 70000])
def test_runs_of_one_byte_become_short(size: int) -> None:
    packed = lzf.compress(b"x" * size)
    assert packed is not None
    assert len(packed) <= 5 + 3 * (size // 264 + 1)
    assert lzf.decompress(packed, size) == b"x" * size


@pytest.mark.parametrize("distance", [16, 255, 256, 257, 8190, 8191, 8192, 8193])
def test_repetitions_at_the_limits_of_the_window(distance: int) -> None:
    noise = random.Random(distance).randbytes(distance)
    text = noise + noise + noise
    packed = lzf.compress(text)
    if distance <= 8192:
        assert packed is not None
        assert len(packed) < len(text) * 3 // 4 + 8
    if packed is not None:
        assert lzf.decompress(packed, len(text)) == text


@pytest.mark.parametrize("text", [b"", b"a", b"aaaa", b"aaaaa", bytes(range(256))])
def test_what_does_not_shrink_is_left(text: bytes) -> None:
    assert lzf.compress(text) is None


def test_noise_is_left_but_order_behind_it_is_found() -> None:
    noise = random.Random(1).randbytes(100_000)
    assert lzf.compress(noise) is None
    text = noise + b"balas " * 20_000
    packed = lzf.compress(text)
    assert packed is not None
    assert len(packed) < 110_000
    assert lzf.decompress(packed, len(text)) == text


@given(st.binary(min_size=1, max_size=40), st.integers(0, 400))
def test_any_bytes_are_decoded_or_refused(data: bytes, size: int) -> None:
    expected = naive_decompress(data)
    if expected is not None and len(expected) == size:
        assert lzf.decompress(data, size) == expected
    else:
        with pytest.raises(ValueError, match="LZF"):
            lzf.decompress(data, size)


@given(st.binary(min_size=1, max_size=40))
def test_any_good_bytes_are_decoded(data: bytes) -> None:
    expected = naive_decompress(data)
    if expected is not None:
        assert lzf.decompress(data, len(expected)) == expected
        with pytest.raises(ValueError, match="LZF"):
            lzf.decompress(data, len(expected) + 1)


@pytest.mark.parametrize("size", [-1, 0, 1 << 40, (1 << 63) - 1])
def test_no_room_is_made_for_impossible_sizes(size: int) -> None:
    with pytest.raises(ValueError, match="impossible size"):
        lzf.decompress(b"\x00a", size)


@given(texts, st.integers(0, 10_000), st.integers(0, 255))
def test_one_flipped_byte_does_no_harm(text: bytes, place: int, byte: int) -> None:
    packed = bytearray(lzf.compress(text) or b"\x00a")
    packed[place % len(packed)] = byte
    expected = naive_decompress(bytes(packed))
    try:
        result = lzf.decompress(packed, len(text))
    except ValueError:
        result = None
    assert result == (expected if expected and len(expected) == len(text) else None)
