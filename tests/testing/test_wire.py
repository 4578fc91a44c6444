"""The test kit's own view of the wire: replies with their types, and quoting."""

import pytest

from balas.testing.wire import (
    NOT_YET,
    ProtocolError,
    Typed,
    TypedReader,
    encode,
    show,
    split_arguments,
)

REPLIES = [
    (b"+OK\r\n", "OK"),
    (b"-ERR no\r\n", "(error) ERR no"),
    (b"!6\r\nERR no\r\n", "(error) ERR no"),
    (b":-12\r\n", "-12"),
    (b"$5\r\na\r\nb\x00\r\n", '"a\\r\\nb\\x00"'),
    (b"$0\r\n\r\n", '""'),
    (b"$-1\r\n", "nil"),
    (b"*-1\r\n", "nil-array"),
    (b"_\r\n", "nil"),
    (b"*3\r\n:1\r\n*0\r\n$1\r\nx\r\n", '[1, [], "x"]'),
    (b"%1\r\n+a\r\n*1\r\n#t\r\n", "{a: [true]}"),
    (b"~2\r\n:1\r\n:2\r\n", "set[1, 2]"),
    (b">2\r\n+message\r\n$2\r\nch\r\n", 'push[message, "ch"]'),
    (b",inf\r\n", "double inf"),
    (
        b"(3492890328409238509324850943850943825024385\r\n",
        f"big {3492890328409238509324850943850943825024385}",
    ),
    (b"=7\r\ntxt:a b\r\n", 'txt"a b"'),
    (b"|1\r\n+ttl\r\n:3\r\n#f\r\n", "false"),
]


@pytest.mark.parametrize(("raw", "shown"), REPLIES)
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_a_reply_is_read_in_any_pieces_and_followed_by_another(
    raw: bytes, shown: str, piece: int
) -> None:
    reader = TypedReader()
    stream = raw + b"+next\r\n"
    replies = []
    for start in range(0, len(stream), piece):
        reader.feed(stream[start : start + piece])
        while (reply := reader.gets()) is not NOT_YET:
            replies.append(show(reply))
    assert replies == [shown, "next"]
    assert not reader.has_data()


def test_the_bytes_of_a_reply_are_told_from_those_of_the_next() -> None:
    reader = TypedReader()
    reader.feed(b"*1\r\n:1\r\n:2\r\n")
    assert reader.gets_raw() == (Typed("*", (Typed(":", 1),)), b"*1\r\n:1\r\n")


@pytest.mark.parametrize("garbage", [b"?x\r\n", b"$1\r\nabc", b"*x\r\n"])
def test_garbage_is_refused(garbage: bytes) -> None:
    reader = TypedReader()
    reader.feed(garbage)
    with pytest.raises((ProtocolError, ValueError)):
        reader.gets()


def test_a_request_takes_text_numbers_and_bytes() -> None:
    assert encode("SET", b"\xff", 1.5) == b"*3\r\n$3\r\nSET\r\n$1\r\n\xff\r\n$3\r\n1.5\r\n"
    with pytest.raises(TypeError):
        encode("SET", None)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("GET  key ", [b"GET", b"key"]),
        (r'SET k "a\x41\n\"\\ b"', [b"SET", b"k", b'aA\n"\\ b']),
        (r"SET k 'it\'s \n'", [b"SET", b"k", rb"it's \n"]),
        ('SET "" é', [b"SET", b"", "é".encode()]),
        ("", []),
    ],
)
def test_a_line_is_split_as_redis_cli_splits_it(line: str, arguments: list[bytes]) -> None:
    assert split_arguments(line) == arguments


@pytest.mark.parametrize("line", ['"open', "'open", '"a"b'])
def test_a_line_with_a_bad_quote_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="quote"):
        split_arguments(line)


def test_a_bulk_is_shown_so_that_it_can_be_typed_in_again() -> None:
    everything = bytes(range(256))
    assert split_arguments(show(Typed("$", everything))) == [everything]
