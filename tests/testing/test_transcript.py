"""The transcript runner: what it compares, what it forgives, how it complains."""

import re
from pathlib import Path

import pytest

from balas.testing.clients import Client
from balas.testing.real_server import RealRedis
from balas.testing.transcript import Transcript
from balas.testing.wire import NOT_YET, TypedReader


class CannedTransport:
    """Answers each request with the next of the given replies."""

    def __init__(self, replies: list[bytes]) -> None:
        self._replies = replies
        self._pending = b""

    def send(self, data: bytes) -> None:
        if b"FLUSHALL" not in data:
            self._pending += self._replies.pop(0)
        else:
            self._pending += b"+OK\r\n"

    def receive(self, timeout_s: float) -> bytes:
        data, self._pending = self._pending, b""
        if not data:
            raise TimeoutError("silence")
        return data

    def close(self) -> None:
        self._pending = b""


class CannedServer:
    """A server that replies from a list, whatever it is asked."""

    def __init__(self, *replies: bytes) -> None:
        self.replies = list(replies)
        self.slept_ms = 0

    def client(self, *, resp: int = 2, typed: bool = False, timeout_s: float = 10.0) -> Client:
        return Client(CannedTransport(self.replies), resp=resp, typed=typed, timeout_s=timeout_s)

    def sleep_ms(self, duration_ms: int) -> None:
        self.slept_ms += duration_ms


def differs(script: str, balas: bytes, real: bytes) -> bool:
    """Whether one command with these two replies is complained of."""
    transcript = Transcript.parse(script)
    try:
        transcript.check(CannedServer(balas), CannedServer(real))
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize(
    ("directive", "balas", "real"),
    [
        ("", b"+OK\r\n", b"+OK\r\n"),
        ("@sorted", b"*2\r\n:1\r\n:2\r\n", b"*2\r\n:2\r\n:1\r\n"),
        ("@sorted deep", b"*1\r\n*2\r\n:1\r\n:2\r\n", b"*1\r\n*2\r\n:2\r\n:1\r\n"),
        ("@pairs", b"*4\r\n+a\r\n:1\r\n+b\r\n:2\r\n", b"*4\r\n+b\r\n:2\r\n+a\r\n:1\r\n"),
        ("@pairs", b"%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", b"%2\r\n+b\r\n:2\r\n+a\r\n:1\r\n"),
        ("@approx 2", b":99\r\n", b":100\r\n"),
        ("@approx 0.1", b"*1\r\n$4\r\n1.50\r\n", b"*1\r\n$3\r\n1.6\r\n"),
        ("@error-code", b"-ERR one\r\n", b"-ERR two\r\n"),
        ("@shape", b"*2\r\n$1\r\na\r\n:1\r\n", b"*2\r\n$2\r\nbb\r\n:2\r\n"),
        ("@ignore", b"+OK\r\n", b":1\r\n"),
    ],
)
def test_a_directive_forgives_what_it_says(directive: str, balas: bytes, real: bytes) -> None:
    assert not differs(f"{directive}\nANY", balas, real)
    if directive:
        assert differs("ANY", balas, real)


@pytest.mark.parametrize(
    ("directive", "balas", "real"),
    [
        ("", b"+a\r\n", b"$1\r\na\r\n"),
        ("", b"$-1\r\n", b"*-1\r\n"),
        ("@sorted", b"*1\r\n:1\r\n", b"*2\r\n:1\r\n:1\r\n"),
        ("@sorted", b"*1\r\n*2\r\n:1\r\n:2\r\n", b"*1\r\n*2\r\n:2\r\n:1\r\n"),
        ("@pairs", b"*4\r\n+a\r\n:1\r\n+b\r\n:2\r\n", b"*4\r\n+a\r\n:2\r\n+b\r\n:1\r\n"),
        ("@approx 2", b":97\r\n", b":100\r\n"),
        ("@approx 2", b"$1\r\na\r\n", b"$1\r\nb\r\n"),
        ("@error-code", b"-ERR one\r\n", b"-WRONGTYPE one\r\n"),
        ("@shape", b"*1\r\n:1\r\n", b"*2\r\n:1\r\n:2\r\n"),
        ("@shape", b"$-1\r\n", b"$1\r\na\r\n"),
    ],
)
def test_a_directive_forgives_no_more(directive: str, balas: bytes, real: bytes) -> None:
    assert differs(f"{directive}\nANY", balas, real)


def test_a_directive_applies_to_one_command_only() -> None:
    transcript = Transcript.parse("@ignore\nONE\nTWO")
    with pytest.raises(AssertionError, match="transcript:3: TWO") as caught:
        transcript.check(CannedServer(b":1\r\n", b":2\r\n"), CannedServer(b":3\r\n", b":4\r\n"))
    assert "ONE" not in str(caught.value)


def test_a_difference_names_the_line_and_shows_both_replies() -> None:
    transcript = Transcript.parse("# first\nGET k", "strings.txt")
    with pytest.raises(AssertionError) as caught:
        transcript.check(CannedServer(b"$-1\r\n"), CannedServer(b"$1\r\nv\r\n"))
    assert str(caught.value) == 'strings.txt:2: GET k\n    real   "v"\n    balas  nil'


def test_a_long_difference_shows_the_elements_that_differ() -> None:
    def reply(last: bytes) -> bytes:
        return b"*31\r\n" + b"".join(b"+same-%d\r\n" % i for i in range(30)) + last

    transcript = Transcript.parse("ANY")
    with pytest.raises(AssertionError) as caught:
        transcript.check(CannedServer(reply(b":2\r\n")), CannedServer(reply(b":1\r\n")))
    assert re.findall(r"^ {4}([-+] .*)$", str(caught.value), re.M)[1:] == ["-   1", "+   2"]


def test_an_expectation_is_checked_without_a_real_server() -> None:
    transcript = Transcript.parse("GET k\n=> 1")
    transcript.check(CannedServer(b":1\r\n"))
    with pytest.raises(AssertionError, match="expected 1"):
        transcript.check(CannedServer(b":2\r\n"))


def test_an_expectation_the_real_server_does_not_meet_is_a_fault_of_the_transcript() -> None:
    transcript = Transcript.parse("GET k\n=> 1")
    with pytest.raises(AssertionError, match="the transcript expects 1"):
        transcript.check(CannedServer(b":2\r\n"), CannedServer(b":2\r\n"))


def test_a_step_for_balas_alone_is_held_to_its_expectation() -> None:
    transcript = Transcript.parse("@skip-real our own\nBALAS\n=> OK\nPING")
    transcript.check(CannedServer(b"+OK\r\n", b"+PONG\r\n"), CannedServer(b"+PONG\r\n"))
    with pytest.raises(AssertionError, match="expected OK"):
        transcript.check(CannedServer(b"+NO\r\n", b"+PONG\r\n"), CannedServer(b"+PONG\r\n"))


def test_time_passes_on_both_servers() -> None:
    balas, real = CannedServer(), CannedServer()
    Transcript.parse("@sleep 20\n@sleep 5").check(balas, real)
    assert (balas.slept_ms, real.slept_ms) == (25, 25)


@pytest.mark.parametrize(
    "script",
    [
        "@nonsense",
        "@sorted",
        "@sorted shallow\nGET k",
        "=> 1",
        "@client b\n=> 1",
        "@skip-real\nGET k\n=> 1",
        "@skip-real why\nGET k",
        '"open',
        "@ignore\nGET k\n=> 1",
    ],
)
def test_a_faulty_transcript_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="transcript"):
        Transcript.parse(script)


EVERY_DIRECTIVE = r"""
SET k "a\x00b"
=> OK
GET k
=> "a\x00b"
@approx 1
OBJECT IDLETIME k
@resp 3
HGETALL none
=> {}
@client b
@send BLPOP queue 0
@blocked 1
@client a
RPUSH queue one
=> 1
@client b
@read
=> ["queue", "one"]
@resp 3
SUBSCRIBE_NOT_A_COMMAND
=> (error) ERR unknown command 'SUBSCRIBE_NOT_A_COMMAND', with args beginning with:
@send SUBSCRIBE channel
@push
=> push["subscribe", "channel", 1]
@client a
PUBLISH channel hello
=> 1
@client b
@push
=> push["message", "channel", "hello"]
@config maxmemory-samples 7
@client a
@resp 3
CONFIG GET maxmemory-samples
=> {"maxmemory-samples": "7"}
SET short v PX 20
@sleep 30
GET short
=> nil
@raw "*1\r\n$4\r\nPING\r\n"
=> PONG
@raw "*3\r\n$-1\r\n"
=> (error) ERR Protocol error: invalid bulk length
@closed
"""


def test_every_directive_works_on_the_real_server(real_redis: RealRedis) -> None:
    Transcript.parse(EVERY_DIRECTIVE).check(real_redis, real_redis)
    with real_redis.client() as client:
        assert client("CONFIG", "GET", "maxmemory-samples")[1] == b"5"


def test_a_transcript_is_loaded_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ping.txt"
    path.write_text("PING\n=> PONG\n")
    transcript = Transcript.load(path)
    assert transcript.name == "ping.txt"
    assert [step.line for step in transcript.steps] == [1]


def test_silence_is_reported_with_the_line() -> None:
    with pytest.raises(AssertionError, match=r"transcript:1: @read"):
        Transcript.parse("@read").check(CannedServer())


def test_reader_sentinel_is_no_reply() -> None:
    assert TypedReader().gets() is NOT_YET
