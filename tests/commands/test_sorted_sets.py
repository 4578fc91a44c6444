"""Sorted sets and places beside the real server: random commands, digests, files, odd numbers."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.testing import Both, InProcessServer, RealRedis

KEYS = st.sampled_from([b"k1", b"k2", b"k3"])
MANY_KEYS = st.lists(KEYS, min_size=1, max_size=3)
MEMBERS = st.sampled_from(
    [b"a", b"b", b"cc", b"", b"7", b"-12", b"007", b"too long", b"12345678901234567890"]
)
SCORES = st.sampled_from(
    [b"0", b"1", b"-1", b"2.5", b"0.1", b"1e9", b"1e17", b"inf", b"-inf", b"3", b"1e-7", b"-0.0"]
)
ENDS = SCORES | SCORES.map(lambda score: b"(" + score)
RANKS = st.integers(-5, 5)
AGGREGATES = st.sampled_from([b"SUM", b"MIN", b"MAX"])

ZADD = st.tuples(
    st.just(b"ZADD"),
    KEYS,
    st.lists(st.sampled_from([b"NX", b"XX", b"GT", b"LT", b"CH"]), max_size=2, unique=True),
    st.lists(st.tuples(SCORES, MEMBERS), min_size=1, max_size=6).map(
        lambda pairs: [word for pair in pairs for word in pair]
    ),
)
CHANGES = (
    st.tuples(st.just(b"ZINCRBY"), KEYS, SCORES, MEMBERS)
    | st.tuples(st.just(b"ZREM"), KEYS, st.lists(MEMBERS, min_size=1, max_size=3))
    | st.tuples(st.sampled_from([b"ZPOPMIN", b"ZPOPMAX"]), KEYS, st.integers(0, 3))
    | st.tuples(st.just(b"ZREMRANGEBYRANK"), KEYS, RANKS, RANKS)
    | st.tuples(st.just(b"ZREMRANGEBYSCORE"), KEYS, ENDS, ENDS)
    | st.tuples(st.just(b"ZRANGESTORE"), KEYS, KEYS, RANKS, RANKS)
)
MIXES = st.tuples(
    st.sampled_from([b"ZUNION", b"ZINTER"]),
    MANY_KEYS.map(lambda keys: [len(keys), *keys]),
    st.just(b"AGGREGATE"),
    AGGREGATES,
    st.just(b"WITHSCORES"),
) | st.tuples(
    st.sampled_from([b"ZUNIONSTORE", b"ZINTERSTORE", b"ZDIFFSTORE"]),
    KEYS,
    MANY_KEYS.map(lambda keys: [len(keys), *keys]),
)
READS = (
    st.tuples(
        st.sampled_from([b"ZRANGE", b"ZREVRANGE"]), KEYS, RANKS, RANKS, st.just(b"WITHSCORES")
    )
    | st.tuples(st.just(b"ZRANGEBYSCORE"), KEYS, ENDS, ENDS, st.just(b"LIMIT"), RANKS, RANKS)
    | st.tuples(st.just(b"ZREVRANGEBYSCORE"), KEYS, ENDS, ENDS, st.just(b"LIMIT"), RANKS, RANKS)
    | st.tuples(st.just(b"ZCOUNT"), KEYS, ENDS, ENDS)
    | st.tuples(st.sampled_from([b"ZRANK", b"ZREVRANK"]), KEYS, MEMBERS)
)
COMMANDS = st.lists(ZADD | ZADD | CHANGES | MIXES | READS, min_size=1, max_size=25)


@pytest.fixture(scope="module")
def pair() -> Iterator[Both]:
    options = {"enable-debug-command": "yes"}
    with InProcessServer(options) as balas, RealRedis() as real, Both(balas, real) as pair:
        for name, value in (
            ("zset-max-listpack-entries", 5),
            ("zset-max-listpack-value", 9),
            ("rdbcompression", "no"),
        ):
            pair("CONFIG", "SET", name, value)
        yield pair


def flat(command: tuple[Any, ...]) -> list[Any]:
    words: list[Any] = []
    for word in command:
        words += word if isinstance(word, list) else [word]
    return words


@given(commands=COMMANDS)
def test_random_commands_give_what_redis_gives(pair: Both, commands: list[tuple[Any, ...]]) -> None:
    pair("FLUSHALL")
    for command in commands:
        pair(*flat(command))
    for key in (b"k1", b"k2", b"k3"):
        pair("ZRANGE", key, 0, -1, "WITHSCORES")
        pair("DEBUG", "DIGEST-VALUE", key)
        if pair("OBJECT", "ENCODING", key).value == b"listpack":
            pair("DUMP", key)


ODD_NUMBERS = (
    "1e400 -1e400 1e-400 +1 Infinity -infinity INF nan 1. 0x 1e 1e+ --1 1_0 (inf (+inf ( (( - + . "
    "infinit 1d 0X1 -0x1 1E5 .5 00012"
)
ODD_BLANKS = ("", " 1", "1 ", "\t1", "1\n", "inf ", "1\0", "( 1")


@pytest.mark.parametrize("text", [*ODD_NUMBERS.split(), *ODD_BLANKS])
def test_numbers_are_read_as_by_redis(text: str, pair: Both) -> None:
    pair("FLUSHALL")
    pair("ZADD", "z", 1, "a", 2, "b", "inf", "c")
    pair("ZCOUNT", "z", text, "inf")
    pair("ZCOUNT", "z", "-inf", text)
    pair("ZADD", "z", text, "m")
    pair("ZINCRBY", "y", text, "m")
    pair("ZUNION", 1, "z", "WEIGHTS", text, "WITHSCORES")
    pair("GEOADD", "g", text, 1, "m")
    pair("GEOSEARCH", "g", "FROMLONLAT", 1, 1, "BYRADIUS", text, "km")


def test_scores_of_all_sizes_are_kept_and_summed_up_alike(pair: Both) -> None:
    chance = random.Random(3)
    pair("FLUSHALL")
    for count in (5, 60, 300):
        for key in ("k1", "k2", "k3"):
            words: list[object] = []
            for _ in range(count):
                words += (repr(random_score(chance)), f"m{chance.randrange(1000)}")
            pair("ZADD", key, *words)
            pair("ZRANGE", key, 0, -1, "WITHSCORES")
            pair("DEBUG", "DIGEST-VALUE", key)
        pair("ZUNIONSTORE", "u", 3, "k1", "k2", "k3")
        pair("ZINTER", 3, "k1", "k2", "u", "WITHSCORES")
        pair("DEBUG", "DIGEST")


def random_score(chance: random.Random) -> float:
    return chance.choice(
        [
            chance.random() * 1e6,
            float(chance.randrange(-50, 50)),
            chance.random() * 1e-9,
            chance.random() * 10.0 ** chance.randrange(300),
            float(chance.randrange(2**63)),
        ]
    )


def test_random_places_are_found_as_by_redis(pair: Both) -> None:
    chance = random.Random(4)
    pair("FLUSHALL")
    for number in range(150):
        pair("GEOADD", "g", chance.uniform(-180, 180), chance.uniform(-85, 85), f"far {number}")
        pair("GEOADD", "g", chance.uniform(10, 20), chance.uniform(40, 45), f"near {number}")
    for number in range(60):
        centre = (chance.uniform(-180, 180), chance.uniform(-85, 85))
        if number % 2:
            centre = (chance.uniform(10, 20), chance.uniform(40, 45))
        shape: list[object] = ["BYRADIUS", 10 ** chance.uniform(0, 4)]
        if number % 3 == 0:
            shape = ["BYBOX", 10 ** chance.uniform(0, 4), 10 ** chance.uniform(0, 4)]
        shape.append(chance.choice(["m", "km", "mi", "ft"]))
        around = ("GEOSEARCH", "g", "FROMLONLAT", *centre, *shape)
        pair(*around, "WITHDIST", "WITHCOORD", "WITHHASH")
        pair(*around, "DESC", "WITHDIST")
        pair(*around, "COUNT", 7, "ANY")
        pair("GEOSEARCHSTORE", "d", "g", "FROMMEMBER", f"near {number}", *shape, "STOREDIST")
        pair("ZRANGE", "d", 0, -1, "WITHSCORES")
        pair("GEODIST", "g", f"far {number}", f"near {number}", shape[-1])
        pair("GEOHASH", "g", f"far {number}")
