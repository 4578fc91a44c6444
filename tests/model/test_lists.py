"""Random commands on lists to Balas and a real server: replies, events, records and counters agree.

Few keys, two of which are often of one list's length, and nodes of four elements, so that lists go
to and fro between their encodings.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balas.testing import InProcessServer, RealRedis
from grammar import Rule, rule, some, word
from observation import BalasObserver, RealObserver

KEY = st.sampled_from([b"a", b"a", b"b", b"b", b"c"])
ELEMENT = st.sampled_from(
    [b"1", b"2", b"3", b"-70000", b"x", b"y", b"", b"1.5", b"z" * 70, b"z" * 300]
)
ELEMENTS = st.lists(ELEMENT, min_size=1, max_size=6)
INDEX = st.sampled_from([b"0", b"1", b"2", b"3", b"5", b"-1", b"-2", b"-4", b"-100", b"100", b"x"])
COUNT = st.sampled_from([b"0", b"1", b"2", b"3", b"-1", b"-2", b"10", b"x"])
END = word("LEFT", "RIGHT")
TIMEOUT = st.just(b"0.001")
KEYS = st.sampled_from([[b"1", b"a"], [b"2", b"b", b"a"], [b"2", b"c", b"b"], [b"0", b"a"]])
PATTERN = st.sampled_from([b"w_*", b"#", b"nosort", b"h_*->f", b"a*"])

GRAMMAR: dict[str, Rule] = {
    "LPUSH": rule(KEY, ELEMENTS),
    "RPUSH": rule(KEY, ELEMENTS),
    "LPUSHX": rule(KEY, ELEMENTS),
    "RPUSHX": rule(KEY, ELEMENTS),
    "LPOP": rule(KEY, some(COUNT)),
    "RPOP": rule(KEY, some(COUNT)),
    "LLEN": rule(KEY),
    "LINDEX": rule(KEY, INDEX),
    "LSET": rule(KEY, INDEX, ELEMENT),
    "LINSERT": rule(KEY, word("BEFORE", "AFTER"), ELEMENT, ELEMENT),
    "LRANGE": rule(KEY, INDEX, INDEX),
    "LTRIM": rule(KEY, INDEX, INDEX),
    "LREM": rule(KEY, COUNT, ELEMENT),
    "LPOS": rule(
        KEY,
        ELEMENT,
        some(word("RANK"), COUNT),
        some(word("COUNT"), COUNT),
        some(word("MAXLEN"), COUNT),
    ),
    "LMOVE": rule(KEY, KEY, END, END),
    "RPOPLPUSH": rule(KEY, KEY),
    "LMPOP": rule(KEYS, END, some(word("COUNT"), COUNT)),
    "BLPOP": rule(KEY, KEY, TIMEOUT),
    "BRPOP": rule(KEY, KEY, TIMEOUT),
    "BLMOVE": rule(KEY, KEY, END, END, TIMEOUT),
    "BRPOPLPUSH": rule(KEY, KEY, TIMEOUT),
    "BLMPOP": rule(TIMEOUT, KEYS, END, some(word("COUNT"), COUNT)),
    "SORT": rule(
        KEY,
        some(word("ALPHA")),
        some(word("DESC", "ASC")),
        some(word("LIMIT"), INDEX, COUNT),
        some(word("BY"), PATTERN),
        some(word("GET"), PATTERN),
        some(word("STORE"), KEY),
    ),
    "DEL": rule(KEY),
    "SET": rule(KEY, ELEMENT),
    "COPY": rule(KEY, KEY),
    "OBJECT ENCODING": rule(KEY),
}


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, ...]:
    """A command with its arguments."""
    # What adds comes often, so that there is something to take.
    name = draw(
        st.sampled_from(["RPUSH", "LPUSH", "OBJECT ENCODING"]) | st.sampled_from([*GRAMMAR])
    )
    argv = [part.encode() for part in name.split()]
    for strategy in GRAMMAR[name].arguments:
        drawn = draw(strategy)
        argv += drawn if isinstance(drawn, list) else [drawn]
    return tuple(argv)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[InProcessServer, RealRedis]]:
    """Two servers with small nodes."""
    options = {"list-max-listpack-size": "4"}
    with (
        RealRedis({**RealObserver.OPTIONS, **options}) as real,
        InProcessServer(options, now_ms=int(time.time() * 1000)) as balas,
    ):
        yield balas, real


def unordered(argv: tuple[bytes, ...]) -> bool:
    """Whether texts of other keys order what is equal by them: nobody promises how."""
    words = [word.upper() for word in argv]
    return words[0] == b"SORT" and b"ALPHA" in words and b"BY" in words and b"LIMIT" in words


@pytest.mark.parametrize("resp", [2, 3])
def test_random_commands_on_lists_do_the_same(
    resp: int, servers: tuple[InProcessServer, RealRedis]
) -> None:
    balas, real = BalasObserver(servers[0], resp), RealObserver(servers[1], resp)

    @settings(max_examples=max(settings().max_examples // 2, 1))
    @given(st.lists(requests().filter(lambda argv: not unordered(argv)), max_size=50))
    def play(commands: list[tuple[bytes, ...]]) -> None:
        begin = [("FLUSHALL",), ("MSET", "w_1", "3", "w_2", "2", "w_3", "1", "w_x", "0")]
        for argv in [*begin, *commands, ("SORT", "a", "ALPHA")]:
            theirs, ours = real(*argv), balas(*argv)
            assert ours.same_as(theirs), f"{argv}\n  real  {theirs}\n  balas {ours}"
        for db in servers[0].engine.databases:
            db.check_invariants()

    try:
        play()
    finally:
        balas.close()
        real.close()
