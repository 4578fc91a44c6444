"""Random commands of two clients to Balas and a real server, which must do the same.

After every command the reply, the events, the records for the log and the counters are compared, at
the end all that the two hold. TTLs, transactions, WATCH, several databases and keys whose time
comes are part of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from balas.testing import InProcessServer, RealRedis
from balas.testing.transcript import Comparison
from grammar import DATABASES, GRAMMAR, KEY, OTHER_KEY, requests
from observation import EXACT, BalasObserver, RealObserver
from type_grammar import TYPE_GRAMMAR

CLIENT = st.integers(0, 1)
EVERYTHING = {**GRAMMAR, **TYPE_GRAMMAR}
# A key that lives for 1 ms is dead after this time on both servers.
DEAD_MS = 4


class Commands(RuleBasedStateMachine):
    """The same commands to both servers, which a fixture has started."""

    def __init__(self, balas: InProcessServer, real: RealRedis, resp: int) -> None:
        super().__init__()
        self._server = balas
        self._balas = BalasObserver(balas, resp, clients=2)
        self._real = RealObserver(real, resp, clients=2)
        self._queueing = [False, False]
        self._differed = False
        self._durations = count(2000, 10)

    def teardown(self) -> None:
        try:
            if not self._differed:
                self._compare_contents()
        finally:
            self._balas.close()
            self._real.close()

    @initialize()
    def empty(self) -> None:
        for observer in (self._real, self._balas):
            observer("FLUSHALL")

    @rule(request=requests(), client=CLIENT)
    def command(self, request: tuple[str, tuple[bytes, ...]], client: int) -> None:
        self._run(request, client)

    def _run(self, request: tuple[str, tuple[bytes, ...]], client: int) -> None:
        name, argv = request
        grammar_rule = EVERYTHING[name]
        if self._queueing[client] and not grammar_rule.steady:
            return
        if name == "SWAPDB" and len(set(argv)) < len(argv):
            return  # of one database with itself: a change and a record to the real server
        comparison = EXACT if self._queueing[client] else grammar_rule.comparison
        self._both(*self._without_ties(name, argv), client=client, comparison=comparison)

    @rule(request=requests("collections"), client=CLIENT)
    def command_on_a_collection(self, request: tuple[str, tuple[bytes, ...]], client: int) -> None:
        self._run(request, client)

    @rule(client=CLIENT)
    def reload(self, client: int) -> None:
        """Through a snapshot and back."""
        if not any(self._queueing):
            for observer in (self._real, self._balas):
                observer("DEBUG", "RELOAD", client=client)

    @rule(key=KEY, client=CLIENT, way=st.sampled_from(["SET", "PEXPIRE", "GETEX"]))
    def let_expire(self, key: bytes, client: int, way: str) -> None:
        if self._queueing[client]:
            return
        match way:
            case "SET":
                self._both("SET", key, "gone", "PX", "1", client=client)
            case "PEXPIRE":
                self._both("PEXPIRE", key, "1", client=client)
            case "GETEX":
                self._both("GETEX", key, "PX", "1", client=client)
        time.sleep(DEAD_MS / 1000)

    @rule(client=CLIENT)
    def make_filter(self, client: int) -> None:
        """Make a value that is no string."""
        if not self._queueing[client]:
            self._both("DEL", OTHER_KEY, client=client)
            self._both("BF.RESERVE", OTHER_KEY, "0.01", "100", client=client)

    @rule(client=CLIENT, index=st.sampled_from(DATABASES))
    def select(self, client: int, index: int) -> None:
        self._both("SELECT", index, client=client)

    @rule(client=CLIENT)
    def multi(self, client: int) -> None:
        self._both("MULTI", client=client)
        self._queueing[client] = True

    @rule(client=CLIENT, word=st.sampled_from(["EXEC", "EXEC", "DISCARD"]))
    def end(self, client: int, word: str) -> None:
        self._both(word, client=client)
        self._queueing[client] = False

    @rule(client=CLIENT, key=KEY)
    def watch(self, client: int, key: bytes) -> None:
        if not self._queueing[client]:
            self._both("WATCH", key, client=client)

    @rule(client=CLIENT)
    def unwatch(self, client: int) -> None:
        self._both("UNWATCH", client=client)

    @invariant()
    def tables_and_account_agree(self) -> None:
        for index in DATABASES:
            self._server.engine.databases[index].check_invariants()

    def _both(
        self, *argv: bytes | str | int, client: int = 0, comparison: Comparison = EXACT
    ) -> None:
        theirs = self._real(*argv, client=client)
        ours = self._balas(*argv, client=client)
        # The order of a table is nobody's promise.
        in_order = argv[0] not in ("SCAN", b"SCAN")
        self._differed = not ours.same_as(theirs, comparison, in_order=in_order)
        assert not self._differed, f"{argv}\n  real  {theirs}\n  balas {ours}"

    def _without_ties(self, name: str, argv: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Replace a duration: GT and LT of equal ones depend on who is faster."""
        if name in ("EXPIRE", "PEXPIRE") and len(argv) > 2 and argv[2] in (b"1000", b"100000"):
            unit = 1 if name == "EXPIRE" else 1000
            return (*argv[:2], b"%d" % (next(self._durations) * unit), *argv[3:])
        return argv

    def _compare_contents(self) -> None:
        for client in (0, 1):
            if self._queueing[client]:
                self._both("DISCARD", client=client)
        for index in DATABASES:
            self._both("SELECT", index)
            self._both("KEYS", "*", comparison=GRAMMAR["KEYS"].comparison)
            for key in self._server.engine.databases[index].all_keys():
                self._compare_digests(key)
                self._both("OBJECT", "ENCODING", key)
                self._both("PTTL", key, comparison=GRAMMAR["PTTL"].comparison)

    def _compare_digests(self, key: bytes) -> None:
        """The value of a key, whatever its type; but a Bloom filter has no digest there."""
        if self._real("TYPE", key).reply.value != b"MBbloom--":
            ours, theirs = (
                observer("DEBUG", "DIGEST-VALUE", key).reply
                for observer in (self._balas, self._real)
            )
            assert ours == theirs, f"the values of {key!r} differ"


@pytest.fixture(scope="module")
def machine() -> Iterator[Callable[[int], Commands]]:
    """Makes machines that share two servers."""
    with (
        RealRedis(RealObserver.OPTIONS, modules=["bloom"]) as real,
        InProcessServer({"enable-debug-command": "yes"}, now_ms=int(time.time() * 1000)) as balas,
    ):
        yield lambda resp: Commands(balas, real, resp)


@pytest.mark.parametrize("resp", [2, 3])
def test_random_commands_do_the_same(resp: int, machine: Callable[[int], Commands]) -> None:
    run_machine(lambda: machine(resp), settings=settings(stateful_step_count=40, max_examples=20))


@pytest.mark.long
@pytest.mark.parametrize("resp", [2, 3])
def test_many_random_commands_do_the_same(resp: int, machine: Callable[[int], Commands]) -> None:
    run_machine(lambda: machine(resp), settings=settings(stateful_step_count=100))
