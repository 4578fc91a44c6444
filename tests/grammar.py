"""What random commands look like: for each command its arguments, and how its replies compare.

Few keys and small values make sure that commands meet each other's work. Mistakes are part of the
grammar: where a number belongs there mostly is one. A new command joins by a line in GRAMMAR.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from balas.testing.transcript import Comparison

Words = st.SearchStrategy[list[bytes]]

# The last one leaves its value little room beside it: whether a string is "embstr" depends on that.
STRING_KEY = st.sampled_from([b"a", b"b", b"c", b"a key of some thirty-three bytes..."])
# This one may hold a value of another type, which not every real server can copy.
OTHER_KEY = b"other"
KEY = STRING_KEY | st.just(OTHER_KEY)
DATABASES = range(3)
VALUE = st.sampled_from(
    [b"", b"x", b"hello world", b"\x00\xff", b"twenty-six bytes of a value", b"0123456789" * 10]
    + [b"%d" % size + b"." * size for size in (30, 33, 40, 44, 300)]
)
INTEGER = st.sampled_from([b"0", b"1", b"-1", b"7", b"-20", b"1000", b"9223372036854775807"])
FLOAT = st.sampled_from([b"0", b"1.5", b"-2.25", b"3e2", b"0.1", b"nan", b"1e400", b"x"])
NUMBER = INTEGER | INTEGER | INTEGER | VALUE | st.sampled_from([b"+1", b" 1", b"1.0", b"abc"])
INDEX = st.sampled_from([b"0", b"1", b"5", b"-1", b"-3", b"-100", b"100", b"280", b"x"])
STORED = VALUE | INTEGER | FLOAT
# Nothing expires by the way: time is not the same on both sides. The machine has a step for that.
SECONDS = st.sampled_from(
    [b"1000", b"100000", b"1000000", b"-1", b"0", b"x", b"9223372036854775807"]
)
MOMENT = st.sampled_from([b"33177117420", b"33177117421", b"1", b"0", b"-5", b"x"])
MOMENT_MS = st.sampled_from([b"33177117420000", b"33177117420001", b"1", b"0", b"-5", b"x"])
DATABASE = st.sampled_from([b"0", b"1", b"2", b"99", b"-1", b"x"])
PATTERN = st.sampled_from([b"*", b"[ab]", b"?", b"[^a]", b"\\a", b"a*", b""])


def word(*words: str) -> st.SearchStrategy[bytes]:
    """One of some words, in either case."""
    return st.sampled_from([w.encode() for w in words] + [w.lower().encode() for w in words])


def some(*parts: st.SearchStrategy[bytes]) -> Words:
    """The parts together, or nothing."""
    return st.just([]) | st.tuples(*parts).map(list)


EXPIRY = (
    some(word("EX", "PX"), SECONDS)
    | some(word("EXAT"), MOMENT)
    | some(word("PXAT"), MOMENT_MS)
    | some(word("KEEPTTL"))
)
PAIRS = st.lists(st.tuples(KEY, STORED), min_size=1, max_size=3).map(
    lambda pairs: [word for pair in pairs for word in pair]
)
SOME_KEYS = st.lists(KEY, min_size=1, max_size=3)
CONDITION = some(word("NX", "XX", "GT", "LT")) | some(word("XX"), word("GT", "LT"))


@dataclass(frozen=True)
class Rule:
    """The arguments of a command, and how its replies are compared.

    `steady` commands answer the same whenever they are asked, so that their replies may stand among
    others in that of EXEC.
    """

    arguments: tuple[st.SearchStrategy[bytes] | Words, ...]
    ways: str = ""
    delta: float = 0.0

    @property
    def steady(self) -> bool:
        return not self.ways and not self.delta

    @property
    def comparison(self) -> Comparison:
        return Comparison(frozenset(self.ways.split()), self.delta)


def rule(*arguments: st.SearchStrategy[bytes] | Words, ways: str = "", delta: float = 0.0) -> Rule:
    return Rule(arguments, ways, delta)


GRAMMAR = {
    "APPEND": rule(KEY, STORED),
    "COPY": rule(STRING_KEY, KEY, some(word("DB"), DATABASE), some(word("REPLACE"))),
    "DECR": rule(KEY),
    "DECRBY": rule(KEY, NUMBER),
    "DEL": rule(SOME_KEYS),
    "EXISTS": rule(SOME_KEYS),
    "EXPIRE": rule(KEY, SECONDS, CONDITION),
    "EXPIREAT": rule(KEY, MOMENT, CONDITION),
    "EXPIRETIME": rule(KEY, delta=2),
    "FLUSHDB": rule(),
    "GET": rule(KEY),
    "GETDEL": rule(KEY),
    "GETEX": rule(KEY, EXPIRY | some(word("PERSIST"))),
    "GETRANGE": rule(KEY, INDEX, INDEX),
    "GETSET": rule(KEY, STORED),
    "INCR": rule(KEY),
    "INCRBY": rule(KEY, NUMBER),
    "INCRBYFLOAT": rule(KEY, FLOAT | NUMBER),
    "KEYS": rule(PATTERN, ways="sorted"),
    "LCS": rule(
        KEY,
        KEY,
        some(word("LEN", "IDX")),
        some(word("WITHMATCHLEN")),
        some(word("MINMATCHLEN"), INDEX),
    ),
    "MGET": rule(SOME_KEYS),
    "MOVE": rule(KEY, DATABASE),
    "MSET": rule(PAIRS),
    "MSETNX": rule(PAIRS),
    "OBJECT ENCODING": rule(KEY),
    # Not OBJECT REFCOUNT: within a transaction Redis counts the queued arguments, too, that share
    # the value. What it says otherwise is in a transcript.
    "PERSIST": rule(KEY),
    "PEXPIRE": rule(KEY, SECONDS, CONDITION),
    "PEXPIREAT": rule(KEY, MOMENT_MS, CONDITION),
    "PEXPIRETIME": rule(KEY, delta=2000),
    "PSETEX": rule(KEY, SECONDS, STORED),
    "PTTL": rule(KEY, delta=2000),
    "RENAME": rule(STRING_KEY, KEY),
    "RENAMENX": rule(STRING_KEY, KEY),
    "SCAN": rule(
        st.just(b"0"),
        st.just([b"COUNT", b"1000"]),
        some(word("MATCH"), PATTERN),
        some(word("TYPE"), word("STRING", "LIST")),
        ways="sorted deep",
    ),
    "SET": rule(KEY, STORED, some(word("NX", "XX")), some(word("GET")), EXPIRY),
    "SETEX": rule(KEY, SECONDS, STORED),
    "SETNX": rule(KEY, STORED),
    "SETRANGE": rule(KEY, INDEX, VALUE),
    "STRLEN": rule(KEY),
    "SUBSTR": rule(KEY, INDEX, INDEX),
    "SWAPDB": rule(DATABASE, DATABASE),
    "TOUCH": rule(SOME_KEYS),
    "TTL": rule(KEY, delta=2),
    "TYPE": rule(KEY),
    "UNLINK": rule(SOME_KEYS),
}


# By name, for a strategy shows its arguments, and a grammar is long. type_grammar adds its own.
GRAMMARS: dict[str, dict[str, Rule]] = {"keys and strings": GRAMMAR}


@st.composite
def requests(draw: st.DrawFn, grammar: str = "keys and strings") -> tuple[str, tuple[bytes, ...]]:
    """A command of a grammar with arguments; now and then one too few or too many."""
    rules = GRAMMARS[grammar]
    name = draw(st.sampled_from(sorted(rules)))
    argv = [part.encode() for part in name.split()]
    for strategy in rules[name].arguments:
        drawn = draw(strategy)
        argv += drawn if isinstance(drawn, list) else [drawn]
    match draw(st.integers(0, 30)):
        case 0 if len(argv) > 1:
            argv.pop()
        case 1:
            argv.append(draw(STORED))
    return name, tuple(argv)
