"""Ziplists and zipmaps are read as older servers wrote them, and damage is refused."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.structures.ziplist import elements_of
from balas.structures.zipmap import pairs_of
from structures.ziplists import Item, ziplist, zipmap

EDGES = [0, 12, 13, -1, 127, 128, -128, -129, 2**15 - 1, 2**15, -(2**15) - 1, 2**23 - 1, 2**23]
EDGES += [-(2**23) - 1, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)]
texts = st.one_of(
    st.binary(max_size=70), st.sampled_from([b"x" * 63, b"y" * 64, b"z" * 253, b"w" * 20000])
)
items = st.lists(st.one_of(texts, st.sampled_from(EDGES)), max_size=12)


@given(items)
def test_ziplist_elements(found: list[Item]) -> None:
    assert elements_of(ziplist(found)) == [
        b"%d" % item if isinstance(item, int) else item for item in found
    ]


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=6), st.integers(0, 5))
def test_zipmap_pairs(pairs: list[tuple[bytes, bytes]], unused: int) -> None:
    assert pairs_of(zipmap(pairs, unused)) == pairs


def test_counts_that_cannot_be_told() -> None:
    assert len(elements_of(ziplist(range(70000), count=65535))) == 70000
    pairs = [(b"%d" % i, b"v") for i in range(300)]
    assert pairs_of(zipmap(pairs)) == pairs


@pytest.mark.parametrize(
    "damaged",
    [
        ziplist([b"a"], count=2),
        ziplist([b"a"]) + b"\xff",
        ziplist([b"a"])[:-1] + b"\xfe",
        b"\x0c" + ziplist([b"a"])[1:],
        ziplist([b"a", b"b"]).replace(b"\x03\x01b", b"\x02\x01b"),
        ziplist([b"a"]).replace(b"\x01a", b"\x3fa"),
        ziplist([5]).replace(b"\xf6", b"\xc1"),
    ],
)
def test_damaged_ziplist(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="corrupt ziplist"):
        elements_of(damaged)


@pytest.mark.parametrize(
    "damaged", [b"", b"\xff", b"\x00\xff", b"\x02\x01a\x01\x00b\xff", b"\x01\x01a\xff"]
)
def test_damaged_zipmap(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="corrupt zipmap"):
        pairs_of(damaged)


@pytest.mark.parametrize(
    ("whole", "read"),
    [
        (ziplist([b"a" * 70, 5, b"", -1, b"c" * 300, 2**40]), elements_of),
        (zipmap([(b"a", b"1"), (b"b" * 260, b""), (b"", b"c" * 300)], 3), pairs_of),
    ],
)
def test_every_damage_is_survived(whole: bytes, read: Callable[[bytes], object]) -> None:
    """Cut anywhere it is refused; with bytes changed it is refused, or read as something else."""
    chance = random.Random(1)
    for end in range(len(whole)):
        with pytest.raises(ValueError, match="corrupt"):
            read(whole[:end])
    for _ in range(2000):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(whole))] = chance.choice((0, 1, 253, 254, 255, 128, 64))
        try:
            read(bytes(damaged))
        except ValueError:
            continue
