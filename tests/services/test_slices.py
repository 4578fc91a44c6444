"""How much is done in one piece while clients wait, counted: the clock moves when it is read.

Whatever takes its turn beside the requests has to look at the clock again and again, and to end
when its time is up. Here each look costs a tenth of a slice, so that a slice is about ten steps,
however fast the machine. A kind of work that does not look, or does much between two looks, is told
by how few slices it needs.
"""

from collections.abc import Callable, Iterator

import pytest

from balas.engine.clock import FakeClock
from balas.services import cycles
from balas.services.cycles import Cycles
from balas.testing import Client, InProcessServer

LOOK_NS = 100_000
LOOKS = cycles.SLICE_NS // LOOK_NS
# Between one slice and the next others are served.
TURN_MS = 3


class TickingClock(FakeClock):
    """A clock that every look at moves by a tenth of a slice, as far as durations go."""

    looks = 0

    def monotonic_ns(self) -> int:
        self.looks += 1
        return super().monotonic_ns() + self.looks * LOOK_NS


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock(1_700_000_000_000)


@pytest.fixture
def server(clock: TickingClock) -> Iterator[InProcessServer]:
    with InProcessServer({"enable-debug-command": "yes"}, clock=clock) as server:
        yield server


@pytest.fixture
def client(server: InProcessServer) -> Client:
    return server.client()


def turns_until(server: InProcessServer, clock: TickingClock, count: int) -> int:
    """Let the work beside the requests go on; the most looks at the clock in any of the turns."""
    most = 0
    for _ in range(count):
        before = clock.looks
        server.advance(TURN_MS)
        most = max(most, clock.looks - before)
    return most


def pending(server: InProcessServer) -> int:
    return server.engine.services[Cycles].pending_objects


def turns_while(server: InProcessServer, is_going_on: Callable[[], object]) -> int:
    """How many turns it takes until something is over."""
    turns = 0
    while is_going_on() and turns < 20_000:
        server.advance(TURN_MS)
        turns += 1
    return turns


def test_no_turn_takes_longer_than_a_slice_or_two(
    server: InProcessServer, clock: TickingClock, client: Client
) -> None:
    """Everything at once: keys and fields expire, tables move, values and a database are freed."""
    client("DEBUG", "POPULATE", 3000)
    client("FLUSHALL", "ASYNC")
    client("SADD", "set", *range(30_000))
    client("UNLINK", "set")
    for number in range(3000):
        client("SET", f"k{number}", "v", "PX", 50)
        client("HSET", f"h{number}", "f", "v")
        client("HPEXPIRE", f"h{number}", 50, "FIELDS", 1, "f")
    assert pending(server) > 0
    # A slice; what begins in its last moment; and the timers that look at the clock once.
    assert turns_until(server, clock, 100) <= 4 * LOOKS


def test_a_big_value_is_freed_in_as_many_slices_as_it_has_parts(
    server: InProcessServer, client: Client
) -> None:
    client("SADD", "set", *(f"member:{number}" for number in range(60_000)))
    client("UNLINK", "set")
    turns = turns_while(server, lambda: pending(server))
    assert turns >= 60_000 // (cycles.FREE_EFFORT_MAX * LOOKS)


def test_a_database_is_freed_in_as_many_slices_as_it_has_keys(
    server: InProcessServer, client: Client
) -> None:
    client("DEBUG", "POPULATE", 60_000)
    client("FLUSHALL", "ASYNC")
    turns = turns_while(server, lambda: pending(server))
    assert turns >= 60_000 // (cycles.FREE_EFFORT_MAX * LOOKS)


def test_keys_that_expire_at_once_go_a_few_in_each_slice(
    server: InProcessServer, client: Client
) -> None:
    client.pipeline(*(("SET", f"k{number}", "v", "PX", 50) for number in range(10_000)))
    server.advance(60)
    left = len(server.engine.databases[0])
    turns = 0
    while left > 2000:
        server.advance(TURN_MS)
        now_left = len(server.engine.databases[0])
        # Two buckets a look, of a dozen entries each, and a look may find links.
        assert left - now_left <= 40 * LOOKS
        left = now_left
        turns += 1
    assert turns > 20


def test_a_table_moves_a_few_buckets_in_each_slice(server: InProcessServer, client: Client) -> None:
    db = server.engine.databases[0]
    count = 100_000
    client("DEBUG", "POPULATE", count)
    while not db.rehashing:
        count += 1000
        client("DEBUG", "POPULATE", count)
    turns = turns_while(server, lambda: db.rehashing)
    assert turns >= count // 6 // 2 // (cycles.REHASH_BUCKETS * LOOKS) // 2


def test_no_command_waits_for_much_eviction(server: InProcessServer, client: Client) -> None:
    """Small values with big sets among them: a command evicts for half a millisecond at most."""
    client("CONFIG", "SET", "lazyfree-lazy-eviction", "yes")
    client("DEBUG", "POPULATE", 10_000, "key", 100)
    for number in range(5):
        client("SADD", f"set{number}", *range(5000))
    client("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    limit = server.engine.account.total // 2
    client("CONFIG", "SET", "maxmemory", limit)
    most = 0
    for number in range(200):
        before = server.engine.stats.evicted_keys
        client("SET", f"new{number}", "x" * 100)
        most = max(most, server.engine.stats.evicted_keys - before)
    # 500 microseconds are five looks, of which there is one in sixteen keys; then twice as many,
    # for the rest goes on after the command.
    assert 0 < most <= 2 * 16 * 6
    server.advance(2000)
    # What the client costs has been counted in by now.
    client("PING")
    server.advance(100)
    assert server.engine.account.total <= limit
