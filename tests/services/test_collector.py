"""The garbage collector sees little at a time, and what ends does not need it."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from balas.services.collector import Heap, IdleCollection
from balas.services.log import Log
from balas.testing import Client, InProcessServer, wait_until
from bench.watched import WatchedBalas

# Keeps far more containers than one collection may see, and says what the largest one saw.
MAKE_MANY = """
import gc
from balas.services import collector
sizes = []
def note(phase, info):
    if phase == "start" and info["generation"] == 2:
        sizes.append(sum(gc.get_count()[:1]) + len(gc.get_objects(1)) + len(gc.get_objects(2)))
gc.callbacks.append(note)
gc.collect()
collector.engage()
kept = [[number] for number in range(300_000)]
print(max(sizes), gc.get_freeze_count())
circle = []
circle.append(circle)
del circle
gc.freeze()
print(collector.collect_all(), collector.collect_all())
"""


def test_a_full_collection_sees_only_what_is_new() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAKE_MANY], capture_output=True, text=True, timeout=60, check=True
    )
    largest, frozen, garbage, again = map(int, done.stdout.split())
    assert 1000 < largest < 20_000
    assert frozen > 280_000
    # What has been frozen is found by a collection of all, once.
    assert (garbage, again) == (1, 0)


class CountedHeap(Heap):
    """A heap that says what it is told to, and how often it was collected."""

    def __init__(self) -> None:
        self.full = 0
        self.objects = 50_000
        self.collected = self.counted = 0

    def full_collections(self) -> int:
        return self.full

    def frozen(self) -> int:
        self.counted += 1
        return self.objects

    def collect(self) -> int:
        self.collected += 1
        self.full += 1
        return 0


@pytest.fixture
def heap(balas_server: InProcessServer) -> CountedHeap:
    heap = CountedHeap()
    IdleCollection(balas_server.engine, balas_server.engine.services[Log], heap)
    return heap


def test_old_garbage_is_looked_for_when_it_is_quiet(
    balas_server: InProcessServer, heap: CountedHeap
) -> None:
    client = balas_server.client()
    balas_server.advance(300_000)
    assert (heap.collected, heap.counted) == (0, 0), "nothing was frozen"
    heap.full += 1
    for _ in range(100):
        client("PING")
        balas_server.advance(900)
    assert heap.collected == 0, "it was never quiet for a second"
    balas_server.advance(3000)
    assert heap.collected == 1
    heap.full += 3
    balas_server.advance(50_000)
    assert heap.collected == 1, "a minute has not passed"
    balas_server.advance(20_000)
    assert heap.collected == 2


def test_it_is_not_looked_for_if_that_would_take_long(
    balas_server: InProcessServer, heap: CountedHeap
) -> None:
    heap.objects = 1_000_000
    for _ in range(20):
        heap.full += 1
        balas_server.advance(70_000)
    assert heap.collected == 0
    assert heap.counted == 1, "nor is counted again and again"


Story = Callable[[WatchedBalas, Client], None]


def connections(server: WatchedBalas, client: Client) -> None:
    others = [server.client() for _ in range(200)]
    for number, other in enumerate(others):
        other("HELLO", "3" if number % 2 else "2")
        for command in ("MULTI", "SET k v", "EXEC", "WATCH k", "CLIENT TRACKING on"):
            other(*command.split())
        other.send(*(("BLPOP", "nothing", "0") if number % 3 else ("SUBSCRIBE", "channel")))
    wait_until(lambda: b"blocked_clients:133" in client("INFO", "clients"))
    client("MEMORY", "PURGE")
    for other in others:
        other.close()
    wait_until(lambda: b"connected_clients:1\r" in client("INFO", "clients"))


def scripts(server: WatchedBalas, client: Client) -> None:
    for number in range(100):
        client("EVAL", f"local f = function() return {number} end return f()", 0)
    client("MEMORY", "PURGE")
    client("SCRIPT", "FLUSH", "SYNC")


def documents(server: WatchedBalas, client: Client) -> None:
    for number in range(100):
        client("JSON.SET", f"d:{number}", "$", '{"a": [1, {"b": [2, 3]}], "c": {}}')
        client("JSON.GET", f"d:{number}", f"$..[?(@.b[0] == {number})]")
        client("TS.ADD", f"t:{number}", "1", "1", "LABELS", "a", "b")
    client("MEMORY", "PURGE")
    client("FLUSHALL", "SYNC")


def indexes(server: WatchedBalas, client: Client) -> None:
    for number in range(5):
        fields = ("t", "TEXT", "n", "NUMERIC", "g", "TAG")
        client("FT.CREATE", "i", "SCHEMA", *fields)
        for document in range(20):
            client("HSET", f"h:{document}", "t", "some words", "n", document, "g", "tag")
        client("FT.SEARCH", "i", f"words @n:[{number} 9]")
        client("FT.AGGREGATE", "i", "*", "GROUPBY", "1", "@g", "REDUCE", "COUNT", "0")
        client("MEMORY", "PURGE")
        client("FT.DROPINDEX", "i", "DD")


def graphs(server: WatchedBalas, client: Client) -> None:
    client("GRAPH.QUERY", "g", "UNWIND range(1, 50) AS x CREATE (:N {v: x})-[:R]->(:M)")
    for number in range(60):
        client("GRAPH.QUERY", "g", f"MATCH (a:N)-[:R]->(b) WHERE a.v = {number} RETURN b")
        client("MEMORY", "PURGE") if number % 20 == 0 else None
    client("GRAPH.DELETE", "g")


@pytest.mark.parametrize("story", [connections, scripts, documents, indexes, graphs])
def test_what_has_ended_leaves_no_circles(watched: WatchedBalas, story: Story) -> None:
    with watched.client() as client:
        client("MEMORY", "PURGE")
        before = len(watched.collections())
        story(watched, client)
        client("MEMORY", "PURGE")
        client("PING")
        found = watched.collections()[before:]
        assert any(one.generation == 2 for one in found)
        assert sum(one.garbage for one in found) == 0


@pytest.fixture(scope="module")
def watched() -> Iterator[WatchedBalas]:
    with WatchedBalas() as server:
        yield server
