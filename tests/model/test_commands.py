"""Random commands to Balas and a real server: they must answer alike and end up with equal data.

The commands are drawn from GRAMMAR, as far as Balas has them; a new command joins by a line there.
Few keys and small values make sure that commands meet each other's work.
"""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.testing import Both, InProcessServer, RealRedis

KEY = st.sampled_from([b"a", b"b", b"c"])
VALUE = st.sampled_from([b"", b"x", b"hello world", b"\x00\xff", b"0123456789" * 10])
INTEGER = st.sampled_from([b"0", b"1", b"-1", b"7", b"-20", b"1000", b"9223372036854775807"])
FLOAT = st.sampled_from([b"0", b"1.5", b"-2.25", b"3e2", b"0.1", b"nan", b"1e400", b"x"])
# Where a number belongs there is one, mostly.
NUMBER = INTEGER | INTEGER | INTEGER | VALUE | st.sampled_from([b"+1", b" 1", b"1.0", b"abc"])
INDEX = st.sampled_from([b"0", b"1", b"5", b"-1", b"-3", b"-100", b"100", b"x"])
STORED = VALUE | INTEGER | FLOAT
# Nothing expires in the course of a test: time is not the same on both sides.
SECONDS = st.sampled_from([b"1000", b"100000", b"-1", b"0", b"x", b"9223372036854775807"])
MOMENT = st.sampled_from([b"33177117420", b"1", b"0", b"-5", b"x"])


def word(*words: str) -> st.SearchStrategy[bytes]:
    """One of some words, in either case."""
    return st.sampled_from([w.encode() for w in words] + [w.lower().encode() for w in words])


def some(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    """The parts together, or nothing."""
    return st.just([]) | st.tuples(*parts).map(list)


EXPIRY = (
    some(word("EX", "PX"), SECONDS) | some(word("EXAT", "PXAT"), MOMENT) | some(word("KEEPTTL"))
)
PAIRS = st.lists(st.tuples(KEY, STORED), min_size=1, max_size=3).map(
    lambda pairs: [word for pair in pairs for word in pair]
)
KEYS = st.lists(KEY, min_size=1, max_size=3)
CONDITION = some(word("NX", "XX", "GT", "LT"))


@dataclass(frozen=True)
class Rule:
    """The arguments of a command, and how its replies are compared."""

    arguments: tuple[st.SearchStrategy[bytes] | st.SearchStrategy[list[bytes]], ...]
    ways: str = ""
    delta: float = 0.0


def rule(*arguments: st.SearchStrategy, ways: str = "", delta: float = 0.0) -> Rule:
    return Rule(arguments, ways, delta)


GRAMMAR = {
    "APPEND": rule(KEY, STORED),
    "COPY": rule(KEY, KEY, some(word("REPLACE"))),
    "DECR": rule(KEY),
    "DECRBY": rule(KEY, NUMBER),
    "DEL": rule(KEYS),
    "EXISTS": rule(KEYS),
    "EXPIRE": rule(KEY, SECONDS, CONDITION),
    "EXPIREAT": rule(KEY, MOMENT, CONDITION),
    # The clocks of the two servers differ; TTL compares what is left.
    "EXPIRETIME": rule(KEY, ways="shape"),
    "GET": rule(KEY),
    "GETDEL": rule(KEY),
    "GETEX": rule(KEY, EXPIRY | some(word("PERSIST"))),
    "GETRANGE": rule(KEY, INDEX, INDEX),
    "GETSET": rule(KEY, STORED),
    "INCR": rule(KEY),
    "INCRBY": rule(KEY, NUMBER),
    "INCRBYFLOAT": rule(KEY, FLOAT | NUMBER),
    "KEYS": rule(st.sampled_from([b"*", b"[ab]", b"?", b"[^a]", b"\\a"]), ways="sorted"),
    "LCS": rule(KEY, KEY, some(word("LEN", "IDX")), some(word("WITHMATCHLEN"))),
    "MGET": rule(KEYS),
    "MSET": rule(PAIRS),
    "MSETNX": rule(PAIRS),
    "OBJECT ENCODING": rule(KEY),
    "OBJECT REFCOUNT": rule(KEY, ways="shape"),
    "PERSIST": rule(KEY),
    "PEXPIRE": rule(KEY, SECONDS, CONDITION),
    "PEXPIREAT": rule(KEY, MOMENT, CONDITION),
    "PSETEX": rule(KEY, SECONDS, STORED),
    "PTTL": rule(KEY, delta=2000),
    "RANDOMKEY": rule(ways="ignore"),
    "RENAME": rule(KEY, KEY),
    "RENAMENX": rule(KEY, KEY),
    "SET": rule(KEY, STORED, some(word("NX", "XX")), some(word("GET")), EXPIRY),
    "SETEX": rule(KEY, SECONDS, STORED),
    "SETNX": rule(KEY, STORED),
    "SETRANGE": rule(KEY, INDEX, VALUE),
    "STRLEN": rule(KEY),
    "TOUCH": rule(KEYS),
    "TTL": rule(KEY, delta=2),
    "TYPE": rule(KEY),
    "UNLINK": rule(KEYS),
}


def commands_of(server: InProcessServer) -> list[str]:
    """The names in GRAMMAR that the server has."""
    table = server.engine.commands
    return [name for name in GRAMMAR if table.by_full_name(name.replace(" ", "|")) is not None]


@st.composite
def requests(draw: st.DrawFn, names: list[str]) -> tuple[str, list[bytes]]:
    """A command of the grammar with arguments; now and then one too few or too many."""
    name = draw(st.sampled_from(names))
    argv = [part.encode() for part in name.split()]
    for strategy in GRAMMAR[name].arguments:
        drawn = draw(strategy)
        argv += drawn if isinstance(drawn, list) else [drawn]
    match draw(st.integers(0, 30)):
        case 0:
            argv.pop()
        case 1:
            argv.append(draw(STORED))
    return name, argv or [name.encode()]


@pytest.mark.parametrize("resp", [2, 3])
@given(data=st.data())
def test_random_commands_are_answered_alike(
    data: st.DataObject, resp: int, real_redis: RealRedis
) -> None:
    with InProcessServer() as balas:
        steps = data.draw(st.lists(requests(commands_of(balas)), min_size=1, max_size=30))
        with real_redis.client() as client:
            client("FLUSHALL")
        with Both(balas, real_redis, resp) as both:
            for name, argv in steps:
                both(*argv, ways=GRAMMAR[name].ways, delta=GRAMMAR[name].delta)
            same_data(both)


def same_data(both: Both) -> None:
    """Compare what both hold, key by key."""
    for key in (b"a", b"b", b"c"):
        for name in ("GET", "PTTL", "OBJECT ENCODING"):
            if name == "GET" or name in commands_of(both.balas):
                both(*name.split(), key, delta=GRAMMAR[name].delta)
