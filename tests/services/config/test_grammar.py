"""Quoting, units and numbers of redis.conf."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.services.config.grammar import (
    UnbalancedQuotes,
    decode,
    encode,
    format_memory,
    parse_integer,
    parse_memory,
    quote,
    split_arguments,
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  port\t6379 ", ["port", "6379"]),
        ('save ""', ["save", ""]),
        (r'a "b c" "d\"e" "\x41\n\\"', ["a", "b c", 'd"e', "A\n\\"]),
        (r"'it\'s' 'no \n'", ["it's", r"no \n"]),
        ('pre"fix"', ["prefix"]),
        (r'"\xc3\xa9"', ["é"]),
        (r'"\xzz"', ["xzz"]),
    ],
)
def test_a_line_becomes_words(line: str, words: list[str]) -> None:
    assert split_arguments(line) == words


@pytest.mark.parametrize("line", ['"open', "'open", '"a"b', "'a'b", '"a\\"', "x 'y"])
def test_quotes_must_close_at_the_end_of_a_word(line: str) -> None:
    with pytest.raises(UnbalancedQuotes):
        split_arguments(line)


@given(st.binary())
def test_what_is_quoted_reads_back(data: bytes) -> None:
    text = decode(data)
    written = quote(text)
    assert written.isascii()
    assert written.isprintable()
    assert split_arguments(written) == [text]
    assert encode(text) == data


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("", 0),
        ("kb", 0),
        ("007", 7),
        ("1b", 1),
        ("1k", 1000),
        ("1KB", 1024),
        ("2m", 2_000_000),
        ("2Mb", 2 << 20),
        ("3g", 3_000_000_000),
        ("3gb", 3 << 30),
        ("1.5", None),
        ("-1", None),
        ("1 kb", None),
        ("1t", None),
        ("٣", None),
    ],
)
def test_sizes_have_units(text: str, size: int | None) -> None:
    assert parse_memory(text) == size


@given(st.integers(0, 2**63 - 1) | st.integers(0, 2**33).map(lambda number: number << 30))
def test_a_written_size_reads_back(size: int) -> None:
    assert parse_memory(format_memory(size)) == size


def test_a_size_is_written_with_the_largest_exact_unit() -> None:
    assert [format_memory(size) for size in (0, 1000, 1536, 1 << 20, 3 << 29)] == [
        "0",
        "1000",
        "1536",
        "1mb",
        "1536mb",
    ]


@pytest.mark.parametrize("text", ["", "+5", "05", "-0", " 5", "5 ", "1.0", "0x10", "٣", str(2**63)])
def test_an_integer_has_one_spelling(text: str) -> None:
    assert parse_integer(text) is None


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_64_bit_integer_is_read(number: int) -> None:
    assert parse_integer(str(number)) == number
