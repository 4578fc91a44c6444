"""Bitmaps and bit fields beside the real server, with random bits and ranges."""

from hypothesis import given
from hypothesis import strategies as st

from balas.testing import Both

TEXTS = st.binary(max_size=20) | st.sampled_from([b"\xff" * 9, b"\0" * 9, b"\xff" * 300, b""])
PLACES = st.integers(-180, 180)
UNITS = st.sampled_from([(), (b"BYTE",), (b"BIT",)])
OPERATIONS = ("AND", "OR", "XOR", "DIFF", "DIFF1", "ANDOR", "ONE")


@given(text=TEXTS, start=PLACES, end=PLACES, unit=UNITS, bit=st.integers(0, 1))
def test_counts_and_places(
    both: Both, text: bytes, start: int, end: int, unit: tuple[bytes, ...], bit: int
) -> None:
    both("SET", "k", text)
    both("BITCOUNT", "k")
    both("BITCOUNT", "k", start, end, *unit)
    both("BITPOS", "k", bit)
    both("BITPOS", "k", bit, start)
    both("BITPOS", "k", bit, start, end, *unit)
    both("GETBIT", "k", abs(start))


@given(texts=st.lists(TEXTS, min_size=2, max_size=5), missing=st.booleans())
def test_combinations(both: Both, texts: list[bytes], missing: bool) -> None:
    keys = [f"k{i}" for i in range(len(texts))]
    for key, text in zip(keys, texts, strict=True):
        both("SET", key, text)
    if missing:
        both("DEL", keys[1])
    for operation in OPERATIONS:
        both("BITOP", operation, "r", *keys)
        both("GET", "r")
    both("BITOP", "NOT", "r", keys[0])
    both("GET", "r")


@given(
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 1)), min_size=1, max_size=12)
)
def test_bits_set_one_by_one(both: Both, changes: list[tuple[int, int]]) -> None:
    both("DEL", "k")
    for place, bit in changes:
        both("SETBIT", "k", place, bit)
        both("STRLEN", "k")
    both("GET", "k")
    both("OBJECT", "ENCODING", "k")


WIDTHS = st.integers(1, 64)
VALUES = st.integers(-(2**63), 2**63 - 1) | st.integers(-300, 300)


@st.composite
def subcommands(draw: st.DrawFn) -> list[object]:
    """One subcommand of BITFIELD, perhaps with what comes of an overflow."""
    width = draw(WIDTHS)
    kind = "i" if width == 64 or draw(st.booleans()) else "u"
    words: list[object] = []
    if draw(st.booleans()):
        words += ["OVERFLOW", draw(st.sampled_from(["WRAP", "SAT", "FAIL"]))]
    name = draw(st.sampled_from(["GET", "SET", "INCRBY"]))
    offset = draw(st.integers(0, 200).map(str) | st.integers(0, 5).map("#{}".format))
    words += [name, f"{kind}{width}", offset]
    return words if name == "GET" else [*words, draw(VALUES)]


@given(text=TEXTS, parts=st.lists(subcommands(), min_size=1, max_size=6))
def test_fields(both: Both, text: bytes, parts: list[list[object]]) -> None:
    both("SET", "k", text)
    both("BITFIELD", "k", *(word for part in parts for word in part))
    both("GET", "k")
    both("BITFIELD_RO", "k", *(w for p in parts if p[0] == "GET" for w in p))


def test_offsets_at_the_end_of_what_is_allowed(both: Both) -> None:
    both("CONFIG", "SET", "proto-max-bulk-len", 1024 * 1024)
    try:
        last = 1024 * 1024 * 8 - 1
        for command in (
            ("SETBIT", "k", last, 1),
            ("SETBIT", "k", last + 1, 1),
            ("GETBIT", "k", last),
            ("GETBIT", "k", last + 1),
            ("BITFIELD", "k", "GET", "u8", last),
            ("BITFIELD", "k", "SET", "u8", last, 255),
            ("BITFIELD", "k", "SET", "u8", last + 1, 255),
            ("BITFIELD", "k", "GET", "u8", f"#{last // 8}"),
            ("BITFIELD", "k", "GET", "u8", f"#{last // 8 + 1}"),
            ("STRLEN", "k"),
            ("BITCOUNT", "k"),
            ("BITPOS", "k", 1),
        ):
            both(*command)
    finally:
        both("CONFIG", "SET", "proto-max-bulk-len", 512 * 1024 * 1024)


def test_a_long_bitmap_is_changed_where_it_is(both: Both) -> None:
    both("SETBIT", "k", 8 * 100_000, 1)
    both("EXPIRE", "k", 1000)
    for place in (5, 800_000, 799_999, 900_000):
        both("SETBIT", "k", place, 1)
        both("BITFIELD", "k", "INCRBY", "u16", place, 77)
    both("TTL", "k", delta=1)
    both("BITCOUNT", "k")
    both("BITOP", "NOT", "k", "k")
    both("BITCOUNT", "k")
    both("COPY", "k", "copy")
    both("SETBIT", "k", 5, 0)
    both("GETBIT", "copy", 5)
