"""HyperLogLogs beside the real server: the very bytes must be equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.structures import hyperloglog
from balas.testing import Both

ELEMENTS = st.lists(st.integers(0, 3000).map(str), max_size=60)
KEYS = st.sampled_from(["h1", "h2", "h3"])
STEPS = st.lists(
    st.tuples(st.just("PFADD"), KEYS, ELEMENTS)
    | st.tuples(st.sampled_from(["PFMERGE", "PFCOUNT"]), KEYS, st.lists(KEYS, max_size=3))
    | st.tuples(st.just("PFDEBUG"), st.just("TODENSE"), KEYS.map(lambda key: [key])),
    max_size=8,
)


@given(steps=STEPS, sparse_bytes=st.sampled_from([100, 3000]))
def test_random_commands_give_the_same_bytes(
    both: Both, steps: list[tuple[str, str, list[str]]], sparse_bytes: int
) -> None:
    both("CONFIG", "SET", "hll-sparse-max-bytes", sparse_bytes)
    both("DEL", "h1", "h2", "h3")
    for name, key, words in steps:
        both(name, key, *words)
        for one in ("h1", "h2", "h3"):
            both("GET", one)
    both("CONFIG", "SET", "hll-sparse-max-bytes", 3000)


@pytest.mark.parametrize("encoding", ["sparse", "dense"])
def test_growing_from_one_to_many(both: Both, encoding: str) -> None:
    if encoding == "dense":
        both("PFADD", "h")
        both("PFDEBUG", "TODENSE", "h")
    for start in range(0, 6000, 500):
        both("PFADD", "h", *range(start, start + 500))
        both("PFCOUNT", "h")
        both("PFDEBUG", "ENCODING", "h")
    both("GET", "h")
    both("PFDEBUG", "GETREG", "h")


def test_a_cached_estimate_is_forgotten_by_all_that_change(both: Both) -> None:
    for words in (["a", "b"], ["c"], ["a"]):
        both("PFADD", "h", *words)
        both("PFCOUNT", "h")
        both("PFCOUNT", "h")
        both("GET", "h")
    both("PFADD", "other", "x", "y")
    both("PFMERGE", "h", "other")
    both("GET", "h")
    both("PFCOUNT", "h")
    both("GET", "h")


def test_pfdebug_simd_understands_on_and_off(both: Both) -> None:
    # What Redis answers to other words are two replies to one command.
    for word in ("OFF", "on", "On"):
        both("PFDEBUG", "SIMD", word)


@given(data=st.binary(max_size=40))
def test_damaged_strings_are_refused(both: Both, data: bytes) -> None:
    both("SET", "h", b"HYLL\x01\0\0\0" + bytes(8) + data)
    both("PFCOUNT", "h")
    both("PFADD", "good", "a")
    both("PFCOUNT", "h", "good")
    both("PFMERGE", "good", "h")


@pytest.mark.parametrize("look", ["PFADD k a", "PFADD k", "PFCOUNT k", "PFCOUNT k k", "PFMERGE k"])
@pytest.mark.parametrize("counted", [False, True])
def test_who_looks_at_one_makes_it_raw(both: Both, look: str, counted: bool) -> None:
    text = hyperloglog.new()
    hyperloglog.add(text, b"a", 3000)
    if counted:
        hyperloglog.cache(text, 1)
    both("SET", "k", bytes(text))
    both("OBJECT", "ENCODING", "k")
    both(*look.split())
    both("OBJECT", "ENCODING", "k")
