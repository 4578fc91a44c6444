"""Whatever bytes arrive, the server answers in its protocol or hangs up, and others go on."""

from hypothesis import given
from hypothesis import strategies as st

from balas.testing import Client, InProcessServer, encode
from balas.testing.in_process import MemoryTransport
from balas.testing.wire import NOT_YET, TypedReader

WORDS = st.sampled_from([b"SET", b"GET", b"INCR", b"PING", b"MULTI", b"EXEC", b"k", b"1", b""])
REQUESTS = st.lists(WORDS | st.binary(max_size=20), min_size=1, max_size=5).map(
    lambda argv: encode(*argv)
)
FRAGMENTS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b'"', b"'", b" ", b"\x00", b"*", b"$", b"-"),
        *(b"*3\r\n", b"*-1\r\n", b"*0\r\n", b"*1\r\n$0\r\n\r\n", b"*1048577\r\n"),
        *(b"$3\r\n", b"$-1\r\n", b"$9999999999\r\n"),
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Some requests with a few bytes changed, cut out or put in."""
    data = bytearray(b"".join(draw(st.lists(REQUESTS, min_size=1, max_size=6))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 4))] = draw(FRAGMENTS | st.binary(max_size=3))
    return bytes(data)


INPUT = st.lists(damaged() | REQUESTS | FRAGMENTS | st.binary(max_size=50), max_size=8)


@given(chunks=INPUT)
def test_any_bytes_are_answered_in_the_protocol(chunks: list[bytes]) -> None:
    with InProcessServer() as server:
        bystander = server.client()
        transport = MemoryTransport(server)
        reader = TypedReader()
        for chunk in chunks:
            if not transport.closed:
                transport.send(chunk)
        if transport.has_output:
            reader.feed(transport.receive(0))
        while (reply := reader.gets()) is not NOT_YET:
            assert not (reply.is_error and b"internal error" in reply.value), reply
        assert not reader.has_data(), "the last reply is not complete"
        assert bystander("PING") == b"PONG"


@given(requests=st.lists(REQUESTS, min_size=1, max_size=8), cuts=st.data())
def test_requests_in_pieces_are_answered_as_in_one(
    requests: list[bytes], cuts: st.DataObject
) -> None:
    stream = b"".join(requests)
    points = sorted(cuts.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[a:b] for a, b in zip([0, *points], [*points, len(stream)], strict=True)]
    assert output(pieces) == output([stream])


def output(pieces: list[bytes]) -> bytes:
    """All that a fresh server says to these pieces, and to a PING at the end."""
    with InProcessServer() as server:
        transport = MemoryTransport(server)
        for piece in pieces:
            Client(transport).send_raw(piece)
        transport.send(b"PING\r\n")
        return transport.receive(0)
