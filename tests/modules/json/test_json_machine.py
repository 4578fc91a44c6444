"""Random documents, paths and commands to Balas and the real module, which must do the same.

After every command the reply is compared and the document that it left.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from balas.testing import InProcessServer, RealRedis, Typed
from balas_json.value import JsonValue

# One letter each and few items: the real module takes "/a" for the parent of "/ab", and "/1" for
# that of "/10", and then leaves some of what JSON.DEL selects.
NAMES = ["a", "b", "c", "d"]
EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "0"))

numbers = (
    st.integers(-1000, 1000)
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([0.0, -0.0, 1.5, 2.0, 0.1, 1e15, 1e16, 1e-7, 12.25, 1e100, -3.5e-5])
    | st.decimals(-1000, 1000, places=3).map(float)
)
strings = st.text(max_size=10) | st.sampled_from(["", "a", "abcdefg", "abcdefgh", 'q"\\\n\t\x01'])
scalars = st.none() | st.booleans() | numbers | strings
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(st.integers(-200, 70000), max_size=6)
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=20,
)
texts = documents.map(lambda value: json.dumps(value, ensure_ascii=False))

indexes = st.integers(-3, 4)
comparisons = st.builds(
    "{}{}{}".format,
    st.sampled_from(["@", "@.a", "@.b", "@[0]", "@.a.b", "$.a", "@.*"]),
    st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
    st.sampled_from(["1", "2", "1.5", '"a"', "true", "null", "@.c", "$.b", "@", "false"]),
)
conditions = st.recursive(
    comparisons | st.sampled_from(["@.a", "@", '@.b=~"a"', "$.c", "@.d[0]"]),
    lambda inner: st.builds("({}{}{})".format, inner, st.sampled_from([" && ", "||", "&&"]), inner),
    max_leaves=3,
)
steps = (
    st.sampled_from(NAMES).map(".{}".format)
    | st.sampled_from(NAMES).map('["{}"]'.format)
    | indexes.map("[{}]".format)
    | st.sampled_from([".*", "[*]", "..*", "[0:2]", "[-2:]", "[::2]", "[1:3]", '["a","b"]'])
    | st.sampled_from(NAMES).map("..{}".format)
    | st.sampled_from(["[0,1]", "[1,-1]", "..[0]", '..["b","c"]'])
    | conditions.map("[?({})]".format)
)
paths = st.lists(steps, max_size=3).map(lambda chosen: "$" + "".join(chosen))
legacy_steps = st.sampled_from(NAMES).map(".{}".format) | indexes.map("[{}]".format)
legacy_paths = st.builds(
    "".join, st.tuples(st.sampled_from(NAMES).map(".{}".format), legacy_steps)
) | st.sampled_from([".", ".a", "a", "b.c", "..a", "..*", ".*"])
any_paths = paths | legacy_paths

READERS = ["GET", "TYPE", "STRLEN", "ARRLEN", "OBJLEN", "OBJKEYS", "RESP", "MGET"]
WRITERS = {
    "SET": st.tuples(texts) | st.tuples(texts, st.sampled_from(["NX", "XX"])),
    "MERGE": st.tuples(texts),
    "DEL": st.just(()),
    "CLEAR": st.just(()),
    "TOGGLE": st.just(()),
    "NUMINCRBY": st.tuples(st.sampled_from(["1", "-7", "0.5", "2.25", "9223372036854775807"])),
    "NUMMULTBY": st.tuples(st.sampled_from(["2", "-1", "0.5", "0", "3.0"])),
    "STRAPPEND": st.tuples(strings.map(json.dumps)),
    "ARRAPPEND": st.tuples(texts) | st.tuples(texts, texts),
    "ARRPOP": st.just(()) | st.tuples(st.integers(-3, 5).map(str)),
    "ARRINDEX": st.tuples(scalars.map(json.dumps)),
    "ARRTRIM": st.tuples(st.integers(-3, 3).map(str), st.integers(-3, 5).map(str)),
    "ARRINSERT": st.tuples(st.integers(-2, 2).map(str), texts),
}
writes = st.sampled_from(sorted(WRITERS)).flatmap(
    lambda name: st.tuples(st.just(name), any_paths, WRITERS[name])
)
# Where the real module leaves a job half done, or dies.
NO_NESTING = {"ARRINSERT", "ARRTRIM", "MERGE"}
BRANCHING = ("..", "*", "?", ",", ":")


class Documents(RuleBasedStateMachine):
    """The same commands to both servers, which a fixture has started."""

    def __init__(self, balas: InProcessServer, real: RealRedis, resp: int) -> None:
        super().__init__()
        self._server = balas
        self._pair = [server.client(resp=resp, typed=True) for server in (balas, real)]

    def teardown(self) -> None:
        for client in self._pair:
            client.close()

    @initialize(text=texts)
    def begin(self, text: str) -> None:
        for client in self._pair:
            client("FLUSHALL")
        self._both("JSON.SET", "k", "$", text)

    @rule(text=texts)
    def store(self, text: str) -> None:
        self._both("JSON.SET", "k", "$", text)

    @rule(name=st.sampled_from(READERS), path=any_paths)
    def read(self, name: str, path: str) -> None:
        self._both("JSON." + name, "k", path)

    @rule(write=writes)
    def write(self, write: tuple[str, str, tuple[str, ...]]) -> None:
        name, path, rest = write
        if "?" in path:
            return  # the real one loses the place of members of objects
        if name in NO_NESTING and any(mark in path for mark in BRANCHING):
            return
        if name == "ARRPOP" and rest and any(mark in path for mark in BRANCHING):
            return  # the real one goes on by indexes that are others now
        if name == "SET" and ".." in path:
            return  # ends the real one where one match lies in another
        if name == "DEL" and path.count("[") and "," in path:
            return  # one item twice, say by [1,-1], is not removed at all
        before = self._pair[0]("JSON.GET", "k")
        reply = self._both("JSON." + name, "k", path, *rest)
        if reply.is_error and b"not a number" in reply.value:
            for client in self._pair:  # the real one has changed some numbers, perhaps
                client("JSON.SET", "k", "$", before.value)
        self._both("JSON.GET", "k")
        self._check()

    @rule()
    def dump(self) -> None:
        """What one saves, the other loads."""
        ours, theirs = (client("DUMP", "k") for client in self._pair)
        if ours.value is None:
            return
        for client, payload in zip(self._pair, (theirs, ours), strict=True):
            assert client("RESTORE", "k", 0, payload.value, "REPLACE").value == b"OK"
        self._both("JSON.GET", "k")

    def _both(self, *argv: str) -> Typed:
        ours, theirs = (client(*argv) for client in self._pair)
        same = (ours.is_error and theirs.is_error) or ours == theirs
        assert same, f"{argv}\n  real  {theirs}\n  balas {ours}"
        reply: Typed = ours
        return reply

    def _check(self) -> None:
        value: Any = self._server.engine.databases[0].get(b"k")
        if isinstance(value, JsonValue):
            value.document.check_invariants()


@pytest.fixture(scope="module")
def machine() -> Iterator[Callable[[int], Documents]]:
    """Makes machines that share two servers."""
    with RealRedis(modules=["json"]) as real, InProcessServer() as balas:
        yield lambda resp: Documents(balas, real, resp)


@pytest.mark.oracle
@pytest.mark.parametrize("resp", [2, 3])
def test_random_commands_do_the_same(resp: int, machine: Callable[[int], Documents]) -> None:
    run_machine(
        lambda: machine(resp),
        settings=settings(
            stateful_step_count=30,
            max_examples=EXAMPLES or 60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
