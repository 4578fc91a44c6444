"""The parser: requests whole, in pieces, followed by others, and its memory."""

from hypothesis import given
from hypothesis import strategies as st

from balas.protocol.parser import ParserSettings, RequestParser, split_words
from balas.testing import encode

PING = encode("PING")

#: What arrives, the requests in it, and the error that ends it.
Case = tuple[bytes, list[list[bytes]], str | None]

CASES: list[Case] = [
    (PING, [[b"PING"]], None),
    (encode("SET", "k", b"\r\n\x00\xff"), [[b"SET", b"k", b"\r\n\x00\xff"]], None),
    (encode("ECHO", ""), [[b"ECHO", b""]], None),
    (b"*1\r\n$0\r\n\r\n", [[b""]], None),
    # Requests without arguments are ignored.
    (b"*0\r\n", [], None),
    (b"*-1\r\n", [], None),
    (b"*-2147483648\r\n", [], None),
    # The bytes where CR LF ought to stand after an argument are skipped unseen.
    (b"*1\r\n$4\r\nPINGxy", [[b"PING"]], None),
    (b"*1\rX$4\rYPING\r\n", [[b"PING"]], None),
    # Inline.
    (b"PING\r\n", [[b"PING"]], None),
    (b"PING\n", [[b"PING"]], None),
    (b"PING\r\r\n", [[b"PING"]], None),
    (b"\r\n", [], None),
    (b"  \t \r\n", [], None),
    (b"SET k 'a b' \"\\x41\\n\\q\"\r\n", [[b"SET", b"k", b"a b", b"A\nq"]], None),
    (b"$4\r\n", [[b"$4"]], None),
    # Errors.
    (b"*x\r\n", [], "invalid multibulk length"),
    (b"*\r\n", [], "invalid multibulk length"),
    (b"*01\r\n", [], "invalid multibulk length"),
    (b"*+1\r\n", [], "invalid multibulk length"),
    (b"* 1\r\n", [], "invalid multibulk length"),
    (b"*1 \r\n", [], "invalid multibulk length"),
    (b"*-0\r\n", [], "invalid multibulk length"),
    (b"*1\n$4\r\n", [], "invalid multibulk length"),
    (b"*2147483648\r\n", [], "invalid multibulk length"),
    (b"*9223372036854775808\r\n", [], "invalid multibulk length"),
    (b"*1\r\nx4\r\n", [], "expected '$', got 'x'"),
    (b"*1\r\n\xff\r\n", [], "expected '$', got '\udcff'"),
    (b"*1\r\n\r\n", [], "expected '$', got '\r'"),
    (b"*2\r\n$1\r\na\r\n*1\r\n", [], "expected '$', got '*'"),
    (b"*1\r\n$x\r\n", [], "invalid bulk length"),
    (b"*1\r\n$\r\n", [], "invalid bulk length"),
    (b"*1\r\n$-1\r\n", [], "invalid bulk length"),
    (b"*1\r\n$04\r\n", [], "invalid bulk length"),
    (b"*1\r\n$536870913\r\n", [], "invalid bulk length"),
    (b'PING "open\r\n', [], "unbalanced quotes in request"),
    (b"PING 'open\r\n", [], "unbalanced quotes in request"),
    (b'PING "a"b\r\n', [], "unbalanced quotes in request"),
]

#: Lines that never end: the error comes when they are too long.
ENDLESS = [
    (b"*", b"1", "too big mbulk count string"),
    (b"*1\r\n$", b"1", "too big bulk count string"),
    (b"*1\r\nx", b"x", "too big bulk count string"),
    (b"x", b"x", "too big inline request"),
]


def parser(*, authenticated: bool = True) -> RequestParser:
    made = RequestParser(ParserSettings())
    made.authenticated = authenticated
    return made


def parsed(
    pieces: list[bytes], *, authenticated: bool = True
) -> tuple[list[list[bytes]], str | None]:
    """The requests in these pieces, fed one after the other up to an error."""
    ours = parser(authenticated=authenticated)
    requests = []
    for piece in pieces:
        if ours.error is None:
            requests += ours.parse(piece)
    return requests, ours.error


def pieces_of(data: bytes, size: int = 1) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def test_a_request_whole() -> None:
    for data, requests, error in CASES:
        assert parsed([data]) == (requests, error), data


def test_a_request_byte_by_byte() -> None:
    for data, requests, error in CASES:
        assert parsed(pieces_of(data)) == (requests, error), data


def test_a_request_between_others() -> None:
    for data, requests, error in CASES:
        after = [] if error else [[b"PING"]]
        assert parsed([PING + data + PING]) == ([[b"PING"], *requests, *after], error), data


def test_a_line_that_does_not_end() -> None:
    for start, more, error in ENDLESS:
        assert parsed([start + more * 60_000]) == ([], None), start
        assert parsed([start + more * 66_000]) == ([], error), start
        assert parsed([start, *[more * 3_000] * 30]) == ([], error), start


def test_a_stranger_may_say_little() -> None:
    def error_of(data: bytes) -> str | None:
        return parsed([data], authenticated=False)[1]

    assert error_of(b"*10\r\n") is None
    assert error_of(b"*11\r\n") == "unauthenticated multibulk length"
    assert error_of(b"*1\r\n$16384\r\n") is None
    assert error_of(b"*1\r\n$16385\r\n") == "unauthenticated bulk length"
    assert error_of(b"*2\r\n$4\r\nAUTH\r\n$20000\r\n") == "unauthenticated bulk length"


def test_the_limit_of_an_argument_can_be_changed() -> None:
    settings = ParserSettings(max_bulk=1000)
    ours = RequestParser(settings)
    assert ours.parse(b"*1\r\n$1000\r\n") == []
    settings.max_bulk = 10
    assert ours.parse(b"x" * 1000 + b"\r\n*1\r\n$11\r\n") == [[b"x" * 1000]]
    assert ours.error == "invalid bulk length"


def test_what_is_announced_costs_nothing() -> None:
    ours = parser()
    ours.parse(b"*2147483647\r\n$536870912\r\n")
    assert ours.error is None
    assert ours.memory < 4096


def test_memory_grows_with_what_arrives_and_is_given_back() -> None:
    ours = parser()
    ours.parse(b"*2\r\n$4\r\nECHO\r\n$1000000\r\n")
    for _ in range(10):
        ours.parse(b"x" * 50_000)
    assert ours.buffered >= 500_000
    assert ours.memory < 1_600_000
    (request,) = ours.parse(b"x" * 500_000 + b"\r\n")
    assert request == [b"ECHO", b"x" * 1_000_000]
    assert ours.memory < 100_000
    ours.parse(b"")
    ours.release()
    assert ours.memory == 0
    assert ours.parse(PING) == [[b"PING"]]


def test_the_middle_of_a_request_is_told_from_its_end() -> None:
    ours = parser()
    seen = []
    for piece in (b"*1\r\n", b"$4\r\n", b"PING", b"\r\n", b"PI", b"NG\r\n"):
        ours.parse(piece)
        seen.append(ours.incomplete)
    assert seen == [True, True, True, False, True, False]


def test_an_unfinished_request_survives_giving_memory_back() -> None:
    ours = parser()
    assert ours.parse(b"*2\r\n$4\r\nECHO\r\n$5\r\nab") == []
    ours.release()
    assert ours.peek(3) == b"ab"
    assert ours.parse(b"cde\r\n") == [[b"ECHO", b"abcde"]]


REQUESTS = st.lists(st.lists(st.binary(max_size=30), min_size=1, max_size=4), max_size=200)


@given(requests=REQUESTS, cuts=st.lists(st.integers(0, 10_000), max_size=20))
def test_any_requests_in_any_pieces(requests: list[list[bytes]], cuts: list[int]) -> None:
    stream = b"".join(encode(*request) for request in requests)
    points = sorted(cut % (len(stream) + 1) for cut in cuts)
    pieces = [stream[a:b] for a, b in zip([0, *points], [*points, len(stream)], strict=True)]
    assert parsed(pieces) == (requests, None)


@given(data=st.binary(max_size=300) | st.text("*$0123\r\n'\"x ", max_size=200).map(str.encode))
def test_any_bytes_in_pieces_as_in_one(data: bytes) -> None:
    assert parsed([data]) == parsed(pieces_of(data)) == parsed(pieces_of(data, 7))


@given(words=st.lists(st.binary(min_size=1, max_size=10), max_size=5))
def test_quoted_words_come_back(words: list[bytes]) -> None:
    quoted = [b'"' + b"".join(b"\\x%02x" % byte for byte in word) + b'"' for word in words]
    assert split_words(b" ".join(quoted)) == words
