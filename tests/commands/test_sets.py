"""Sets beside the real server: encodings, files, digests, what chance leaves in the log."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balas.testing import Both, InProcessServer, RealRedis
from observation import BalasObserver

NUMBERS = st.integers(-3, 8).map(lambda n: b"%d" % n)
MEMBERS = NUMBERS | st.sampled_from([b"a", b"b", b"cc", b"too long", b"70000", b"007", b""])
KEYS = st.sampled_from([b"k1", b"k2", b"k3"])
MANY_KEYS = st.lists(KEYS, min_size=1, max_size=3)

SADD = st.tuples(st.just(b"SADD"), KEYS, st.lists(MEMBERS, min_size=1, max_size=7))
SREM = st.tuples(st.just(b"SREM"), KEYS, st.lists(MEMBERS, min_size=1, max_size=4))
SMOVE = st.tuples(st.just(b"SMOVE"), KEYS, KEYS, MEMBERS)
STORES = st.tuples(
    st.sampled_from([b"SINTERSTORE", b"SUNIONSTORE", b"SDIFFSTORE"]), KEYS, MANY_KEYS
)
READS = st.tuples(
    st.sampled_from([b"SINTER", b"SUNION", b"SDIFF"]),
    MANY_KEYS,
)
COMMANDS = st.lists(SADD | SADD | SREM | SMOVE | STORES | READS, min_size=1, max_size=25)


@pytest.fixture(scope="module")
def pair(real_redis_for_sets: RealRedis) -> Iterator[Both]:
    options = {"enable-debug-command": "yes"}
    with InProcessServer(options) as balas, Both(balas, real_redis_for_sets) as pair:
        for name, value in (
            ("set-max-intset-entries", 5),
            ("set-max-listpack-entries", 4),
            ("set-max-listpack-value", 6),
            # Payloads are compared, and not every text is worth compressing to both.
            ("rdbcompression", "no"),
        ):
            pair("CONFIG", "SET", name, value)
        yield pair


@pytest.fixture(scope="module")
def real_redis_for_sets() -> Iterator[RealRedis]:
    with RealRedis() as server:
        yield server


def flat(command: tuple[Any, ...]) -> list[bytes]:
    words: list[bytes] = []
    for word in command:
        words += word if isinstance(word, list) else [word]
    return words


@given(commands=COMMANDS)
def test_random_commands_give_what_redis_gives(pair: Both, commands: list[tuple[Any, ...]]) -> None:
    pair("FLUSHALL")
    # What was once in a table has come out of it in the order of its server.
    in_order = True
    for command in commands:
        words = flat(command)
        pair(*words, ways="sorted" if words[0] in (b"SINTER", b"SUNION", b"SDIFF") else "")
        in_order = compare_keys(pair, in_order)
    pair("DEBUG", "DIGEST")
    pair("DEBUG", "RELOAD")
    pair("DEBUG", "DIGEST")
    compare_keys(pair, in_order)


def compare_keys(pair: Both, in_order: bool) -> bool:
    """Compare all keys, byte for byte where order counts; whether it still counts."""
    encodings = {key: pair("OBJECT", "ENCODING", key).value for key in (b"k1", b"k2", b"k3")}
    in_order = in_order and b"hashtable" not in encodings.values()
    for key, encoding in encodings.items():
        exactly = in_order or encoding == b"intset"
        pair("SMEMBERS", key, ways="" if exactly else "sorted")
        if exactly:
            pair("DUMP", key)
    return in_order


SIZES = {
    "intset": [b"%d" % n for n in range(-50, 300)],
    "listpack": [b"member:%d" % n for n in range(100)],
    "hashtable": [b"element:%d" % n for n in range(700)],
    "compressed": [b"the same again and again and again %d" % n for n in range(100)],
}


@pytest.mark.parametrize("members", SIZES.values(), ids=SIZES)
def test_payloads_go_both_ways(
    members: list[bytes], both: Both, balas_server: InProcessServer, real_redis: RealRedis
) -> None:
    both("SADD", "k", *members)
    with balas_server.client() as ours, real_redis.client() as theirs:
        ours("RESTORE", "from real", 0, theirs("DUMP", "k"))
        theirs("RESTORE", "from balas", 0, ours("DUMP", "k"))
        for client, key in ((ours, "from real"), (theirs, "from balas")):
            assert sorted(client("SMEMBERS", key)) == sorted(members)
            assert client("OBJECT", "ENCODING", key) == client("OBJECT", "ENCODING", "k")


@pytest.mark.parametrize("kind", SIZES)
def test_popping_leaves_what_it_leaves_in_redis(kind: str, both: Both) -> None:
    members = SIZES[kind]
    for count in (1, 5, len(members) // 2, len(members) - 9, len(members) - 1, len(members)):
        both("DEL", "k")
        both("SADD", "k", *members)
        both("SPOP", "k", count, ways="shape")
        both("SCARD", "k")
        both("OBJECT", "ENCODING", "k")
        both("SADD", "k", "more", "1000000")
        both("OBJECT", "ENCODING", "k")


@pytest.fixture
def observer() -> Iterator[BalasObserver]:
    with InProcessServer(now_ms=int(time.time() * 1000)) as server:
        observer = BalasObserver(server)
        yield observer
        observer.close()


def test_spop_goes_into_the_log_as_what_was_popped(observer: BalasObserver) -> None:
    observer("SADD", "k", *range(5000))
    seen = observer("SPOP", "k")
    popped = seen.reply.value
    assert seen.records == ((0, (b"SREM", b"k", popped)),)
    assert seen.events == ((0, b"k", "spop"),)
    seen = observer("SPOP", "k", 2500)
    names = [argv[:2] for _, argv in seen.records]
    assert names == [(b"SREM", b"k")] * 3
    assert [len(argv) - 2 for _, argv in seen.records] == [1024, 1024, 452]
    recorded = [member for _, argv in seen.records for member in argv[2:]]
    assert recorded == [item.value for item in seen.reply.value]
    assert dict(seen.counters)["dirty"] == 2500
    observer.configure(b"lazyfree-lazy-server-del", b"yes")
    seen = observer("SPOP", "k", 10_000)
    assert seen.records == ((0, (b"UNLINK", b"k")),)
    assert seen.events == ((0, b"k", "spop"), (0, b"k", "del"))
    observer("SADD", "k", "only")
    seen = observer("SPOP", "k")
    assert seen.records == ((0, (b"SREM", b"k", b"only")),)
    assert seen.events == ((0, b"k", "spop"), (0, b"k", "del"))


@settings(max_examples=5)
@given(seed=st.integers(0, 1000))
def test_draws_are_about_even(seed: int) -> None:
    with InProcessServer(seed=seed, bundled=False) as server, server.client() as client:
        for kind, members in SIZES.items():
            client("SADD", kind, *members)
            drawn = client("SRANDMEMBER", kind, -20 * len(members))
            counts = [drawn.count(member) for member in set(members)]
            assert min(counts) >= 1
            assert max(counts) <= 60
