"""Glob patterns against a recursive twin and against the real server."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.structures.glob import match
from balas.testing.real_server import RealRedis

# Everything that means something in a pattern, and bytes on both sides of the sign.
ALPHABET = b"aAbBz-]^[\\*?\x00\x7f\x80\xff"


def signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def naive_set(pattern: bytes, byte: int) -> tuple[bool, bytes]:
    """Whether the set that opens `pattern` (after its bracket) holds the byte; what follows it."""
    negated = pattern[:1] == b"^"
    rest = pattern[1:] if negated else pattern
    found = False
    while rest and rest[:1] != b"]":
        if rest[:1] == b"\\" and len(rest) >= 2:
            found |= rest[1] == byte
            rest = rest[2:]
        elif rest[1:2] == b"-" and len(rest) >= 3:
            ends = sorted([signed(rest[0]), signed(rest[2])])
            found |= ends[0] <= signed(byte) <= ends[1]
            rest = rest[3:]
        else:
            found |= rest[0] == byte
            rest = rest[1:]
    return found != negated, rest[1:]


def naive(pattern: bytes, text: bytes) -> bool:
    """The definition, tried everywhere."""
    if not pattern or not text:
        return not pattern and not text
    if pattern[:1] == b"*":
        rest = pattern.lstrip(b"*")
        return not rest or any(naive(rest, text[i:]) for i in range(len(text)))
    if pattern[:1] == b"[":
        good, rest = naive_set(pattern[1:], text[0])
    elif pattern[:1] == b"?":
        good, rest = True, pattern[1:]
    else:
        if pattern[:1] == b"\\" and len(pattern) >= 2:
            pattern = pattern[1:]
        good, rest = pattern[0] == text[0], pattern[1:]
    if good and len(text) == 1:
        return not rest.strip(b"*")
    return good and naive(rest, text[1:])


CASES = {
    b"*": [b"a", b"anything"],
    b"h?llo": [b"hello", b"h\xffllo"],
    b"h[ae]llo": [b"hello", b"hallo"],
    b"h[^e]llo": [b"hallo", b"hbllo"],
    b"h[a-c]llo": [b"hbllo"],
    b"h[c-a]llo": [b"hbllo"],
    b"a\\*b": [b"a*b"],
    b"a\\": [b"a\\"],
    b"[\\]]": [b"]"],
    b"[a-": [b"a", b"-"],
    b"[a-]": [b"]", b"_", b"a"],
    b"[^": [b"a"],
    b"[a-\xff]": [b"\xff", b"\x00", b"A", b"a"],
    b"a*b*c": [b"abc", b"axxbxxc", b"abcbc"],
    b"ab**": [b"ab", b"abc"],
}
MISSES = {
    b"*": [b""],
    b"**": [b""],
    b"h?llo": [b"hllo", b"heello"],
    b"h[^e]llo": [b"hello"],
    b"a\\*b": [b"axb"],
    b"[]": [b"]", b"a"],
    b"[]a]": [b"]", b"a", b"]a"],
    b"[": [b"["],
    b"[a-\xff]": [b"b", b"z", b"\x80"],
    b"a*b*c": [b"abcb", b"ac"],
    b"": [b"a"],
}


@pytest.mark.parametrize("pattern", CASES)
def test_matches(pattern: bytes) -> None:
    assert [text for text in CASES[pattern] if not match(pattern, text)] == []


@pytest.mark.parametrize("pattern", MISSES)
def test_does_not_match(pattern: bytes) -> None:
    assert [text for text in MISSES[pattern] if match(pattern, text)] == []


def test_the_empty_text_matches_the_empty_pattern_alone() -> None:
    assert match(b"", b"")
    assert not match(b"*", b"")


def test_letters_of_both_cases_are_equal_on_request() -> None:
    assert not match(b"MAX*", b"maxmemory")
    assert match(b"MAX*", b"maxmemory", nocase=True)
    assert match(b"[A-C]x", b"bX", nocase=True)
    assert match(b"[abc]", b"B", nocase=True)
    # An escaped byte in a set is compared as it is.
    assert not match(b"[\\a]", b"A", nocase=True)
    assert not match(b"\xc0", b"\xe0", nocase=True)


patterns = st.lists(st.sampled_from(list(ALPHABET)), max_size=9).map(bytes)


@given(patterns, patterns)
def test_agrees_with_the_definition(pattern: bytes, text: bytes) -> None:
    assert match(pattern, text) == naive(pattern, text)


def test_many_stars_cost_little() -> None:
    assert not match(b"a*" * 400 + b"b", b"a" * 20_000)
    assert match(b"*?" * 900, b"a" * 20_000)


def test_too_many_stars_never_match() -> None:
    assert match(b"*a" * 1000, b"a" * 1001)
    assert not match(b"*a" * 1001, b"a" * 1001)
    assert match(b"*a" * 1000 + b"*", b"a" * 1001)


def test_agrees_with_redis(real_redis: RealRedis) -> None:
    chance = random.Random(7)
    keys = {b"", *(bytes(chance.choices(ALPHABET, k=chance.randint(1, 4))) for _ in range(200))}
    asked = [*CASES, *MISSES, b"*a" * 1001, b"?*", b"*?"]
    asked += [bytes(chance.choices(ALPHABET, k=chance.randint(1, 8))) for _ in range(1500)]
    # KEYS answers "*" without matching anything.
    asked = [pattern for pattern in asked if pattern != b"*"]
    with real_redis.client() as client:
        client("MSET", *(part for key in keys for part in (key, "1")))
        replies = client.pipeline(*(("KEYS", pattern) for pattern in asked))
    for pattern, found in zip(asked, replies, strict=True):
        assert set(found) == {key for key in keys if match(pattern, key)}, pattern


def test_cases_agree_with_redis(real_redis: RealRedis) -> None:
    asked = [b"MAX*", b"[M]ax*", b"[A-M]*", b"[Z-a]*", b"[\\M]ax*", b"*MEM?R[xyY]*", b"[^M-Z]*"]
    with real_redis.client() as client:
        names = client("CONFIG", "GET", "*")[::2]
        replies = client.pipeline(*(("CONFIG", "GET", pattern) for pattern in asked))
    for pattern, reply in zip(asked, replies, strict=True):
        assert set(reply[::2]) == {name for name in names if match(pattern, name, nocase=True)}
