"""The writer: every reply value in both protocols, read back by another implementation."""

import math
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.errors import ReplyError
from balas.protocol.replies import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    QUEUED,
    BigNumber,
    Encoded,
    Pairs,
    Push,
    Replies,
    Reply,
    SetReply,
    Status,
    Verbatim,
)
from balas.protocol.writer import ReplyWriter, encode

#: A value, its RESP2 and its RESP3.
VALUES: list[tuple[Any, bytes, bytes]] = [
    (b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
    (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
    (bytearray(b"ab"), b"$2\r\nab\r\n", b"$2\r\nab\r\n"),
    (memoryview(b"ab"), b"$2\r\nab\r\n", b"$2\r\nab\r\n"),
    ("é", b"$2\r\n\xc3\xa9\r\n", b"$2\r\n\xc3\xa9\r\n"),
    ("\udcff", b"$1\r\n\xff\r\n", b"$1\r\n\xff\r\n"),
    (0, b":0\r\n", b":0\r\n"),
    (-(2**63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
    (2**63 - 1, b":9223372036854775807\r\n", b":9223372036854775807\r\n"),
    (2**63, b"$19\r\n9223372036854775808\r\n", b"(9223372036854775808\r\n"),
    (BigNumber(12), b"$2\r\n12\r\n", b"(12\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (False, b":0\r\n", b"#f\r\n"),
    (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
    (3.0, b"$1\r\n3\r\n", b",3\r\n"),
    (0.1, b"$3\r\n0.1\r\n", b",0.1\r\n"),
    (math.inf, b"$3\r\ninf\r\n", b",inf\r\n"),
    (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
    (math.nan, b"$3\r\nnan\r\n", b",nan\r\n"),
    (None, b"$-1\r\n", b"_\r\n"),
    (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    (OK, b"+OK\r\n", b"+OK\r\n"),
    (QUEUED, b"+QUEUED\r\n", b"+QUEUED\r\n"),
    (Status("hi"), b"+hi\r\n", b"+hi\r\n"),
    ([], b"*0\r\n", b"*0\r\n"),
    (
        [1, [b"a", None]],
        b"*2\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n",
        b"*2\r\n:1\r\n*2\r\n$1\r\na\r\n_\r\n",
    ),
    ((1, 2), b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:1\r\n:2\r\n"),
    ({b"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
    (Pairs([(1, 2), (1, 3)]), b"*4\r\n:1\r\n:2\r\n:1\r\n:3\r\n", b"%2\r\n:1\r\n:2\r\n:1\r\n:3\r\n"),
    ({b"a"}, b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
    (frozenset([1]), b"*1\r\n:1\r\n", b"~1\r\n:1\r\n"),
    (SetReply([[1], [1]]), b"*2\r\n*1\r\n:1\r\n*1\r\n:1\r\n", b"~2\r\n*1\r\n:1\r\n*1\r\n:1\r\n"),
    (Push([b"m"]), b"*1\r\n$1\r\nm\r\n", b">1\r\n$1\r\nm\r\n"),
    (Replies([1, OK]), b":1\r\n+OK\r\n", b":1\r\n+OK\r\n"),
    (Replies([]), b"", b""),
    (Encoded(b"*1\r\n:5\r\n"), b"*1\r\n:5\r\n", b"*1\r\n:5\r\n"),
    ([1, Encoded(b"+a\r\n")], b"*2\r\n:1\r\n+a\r\n", b"*2\r\n:1\r\n+a\r\n"),
    (Verbatim("text"), b"$4\r\ntext\r\n", b"=8\r\ntxt:text\r\n"),
    (Verbatim(b"x", "mkd"), b"$1\r\nx\r\n", b"=5\r\nmkd:x\r\n"),
    (ReplyError("ERR a\r\nb"), b"-ERR a  b\r\n", b"-ERR a  b\r\n"),
    (NO_REPLY, b"", b""),
]


def test_every_value_in_both_protocols() -> None:
    for value, resp2, resp3 in VALUES:
        assert encode(value, 2) == resp2, value
        assert encode(value, 3) == resp3, value


@pytest.mark.parametrize("value", [object(), [1, object()], {b"a": lambda: 0}, 1j])
def test_what_is_no_reply_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="is no reply value"):
        encode(value, 2)


def test_a_reply_that_failed_half_way_can_be_taken_back() -> None:
    writer = ReplyWriter()
    writer.reply(1)
    mark = writer.size
    with pytest.raises(TypeError):
        writer.reply([1, 2, object()])
    writer.truncate(mark)
    writer.reply(2)
    assert writer.take() == b":1\r\n:2\r\n"
    assert writer.take() == b""


def test_an_array_can_be_written_element_by_element() -> None:
    writer = ReplyWriter()
    writer.array(2)
    writer.reply(None)
    writer.reply([])
    assert writer.take() == b"*2\r\n$-1\r\n*0\r\n"


def test_the_buffer_is_kept_while_small_and_given_up_when_large_or_idle() -> None:
    writer = ReplyWriter()
    writer.reply(b"x")
    writer.release()
    assert writer.size == 7, "what is written is not given up"
    writer.take()
    kept = writer.capacity
    assert 0 < kept <= 64 * 1024
    writer.reply(b"x" * 1_000_000)
    assert writer.capacity >= 1_000_000
    writer.take()
    assert writer.capacity == 0
    writer.reply(b"x")
    writer.take()
    writer.release()
    assert writer.capacity == 0


SIMPLE: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=50)
)
NESTED = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.binary(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values=st.lists(NESTED, max_size=5))
def test_hiredis_reads_what_was_written(values: list[Reply]) -> None:
    reader = hiredis.Reader(notEnoughData=Ellipsis)
    for value in values:
        reader.feed(encode(value, 3))
    for value in values:
        assert reader.gets() == value
    assert reader.gets() is Ellipsis


@given(value=NESTED)
def test_resp2_says_the_same_with_fewer_types(value: Reply) -> None:
    reader = hiredis.Reader()
    reader.feed(encode(value, 2))
    assert reader.gets() == flattened(value)


def flattened(value: Reply) -> Any:
    """The value as RESP2 shows it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return encode(value, 3)[1:-2]
    if isinstance(value, list):
        return [flattened(item) for item in value]
    if isinstance(value, dict):
        return [flattened(item) for pair in value.items() for item in pair]
    return value
