"""A server is killed in the midst of writes: what it has acknowledged is there after a restart.

The moment of the crash is decided by chance, from the number that is the test's parameter. Each
kill is a life of the same data: the next life begins with what the last one has left, so a log that
was cut off, taken over and cut off again is tested, too. `BALAS_KILLS` is how many there are.
"""

import os
import threading
import time
from collections.abc import Callable
from random import Random

import pytest

from balas.testing import BalasProcess, Client, RealRedis, ServerProcess, wait_until

WRITERS = 4
DURABLE = {"appendonly": "yes", "appendfsync": "always"}
# Kills of the long run, and how many of them one set of data sees.
KILLS = int(os.environ.get("BALAS_KILLS", "500"))
LIVES = 10


class Writer(threading.Thread):
    """Writes over its own connection until the server is gone, in pipelines of all sizes.

    Number n of its writes is, in turn, a SET of a key of its own, an INCR of its counter, and a
    transaction that sets two keys. `acknowledged` is how many of them, from the first on, were
    confirmed, `sent` how many may have happened.
    """

    def __init__(self, server: ServerProcess, name: str, chance: Random) -> None:
        super().__init__(name=name, daemon=True)
        self.acknowledged = 0
        self.sent = 0
        self._client = server.client()
        self._chance = chance

    def run(self) -> None:
        try:
            while True:
                batch = range(self.sent, self.sent + self._chance.choice([1, 1, 1, 10, 100]))
                self.sent = batch.stop
                for number in batch:
                    for command in self.commands(number):
                        self._client.send(*command)
                for number in batch:
                    replies = [self._client.read() for _ in self.commands(number)]
                    assert not isinstance(replies[-1], Exception), replies
                    self.acknowledged += 1
        except ConnectionError:
            self._client.close()

    def commands(self, number: int) -> list[tuple[object, ...]]:
        """The commands of one write, the last of which confirms it."""
        if number % 3 == 0:
            return [("SET", f"{self.name}:{number}", number)]
        if number % 3 == 1:
            return [("INCR", f"{self.name}:counter")]
        pair = [("SET", f"{self.name}:{number}:{half}", number) for half in "ab"]
        return [("MULTI",), *pair, ("EXEC",)]

    def lost(self, server: ServerProcess) -> list[str]:
        """What is not there although it was acknowledged, or is there only in part."""
        with server.client() as client:
            keys = [f"{self.name}:{n}" for n in range(0, self.acknowledged, 3)]
            found = client.pipeline(*(["GET", key] for key in keys))
            lost = [k for k, v in zip(keys, found, strict=True) if v != k.split(":")[1].encode()]
            counted = int(client("GET", f"{self.name}:counter") or 0)
            counts = [len(range(1, count, 3)) for count in (self.acknowledged, self.sent)]
            if not counts[0] <= counted <= counts[1]:
                lost.append(f"{self.name}:counter is {counted}, not between {counts}")
            numbers = range(2, self.sent, 3)
            pairs = [[f"{self.name}:{n}:a", f"{self.name}:{n}:b"] for n in numbers]
            found = client.pipeline(*(["MGET", *pair] for pair in pairs))
            for number, pair in zip(numbers, found, strict=True):
                whole = pair == [b"%d" % number] * 2
                if not whole and (number < self.acknowledged or pair != [None, None]):
                    lost.append(f"{self.name}:{number} is {pair}")
        return lost


class ModuleWriter(Writer):
    """Writes values of the bundled modules: in turn a document, a hash that an index `words` holds,
    an item of a filter, a sample of a series, and a node of a graph.
    """

    def commands(self, number: int) -> list[tuple[object, ...]]:
        return [
            (
                ("JSON.SET", f"{self.name}:document:{number}", "$", f'{{"number":{number}}}'),
                ("HSET", f"{self.name}:hash:{number}", "writer", self.tag, "number", number),
                ("BF.ADD", f"{self.name}:filter", number),
                ("TS.ADD", f"{self.name}:series", number, number),
                ("GRAPH.QUERY", f"{self.name}:graph", f"CREATE (:Node {{number: {number}}})"),
            )[number % 5]
        ]

    @property
    def tag(self) -> str:
        """The name as one word of a tag field."""
        return self.name.replace("-", "_")

    def lost(self, server: ServerProcess) -> list[str]:
        done = range(self.acknowledged)
        with server.client() as client:
            series = f"{self.name}:series"
            samples = client("TS.RANGE", series, "-", "+") if client("EXISTS", series) else []
            stored = {
                "document": client.pipeline(
                    *(["JSON.GET", f"{self.name}:document:{n}", "$.number"] for n in done[::5])
                )
                == [b"[%d]" % n for n in done[::5]],
                "filter": all(
                    client.pipeline(*(["BF.EXISTS", f"{self.name}:filter", n] for n in done[2::5]))
                ),
                "series": self.holds([sample[0] for sample in samples], 3),
                "graph": self.holds(self.nodes(client), 4),
                "hash": self.holds(self.found(client), 1),
            }
        return [f"{self.name}'s {kind}" for kind, whole in stored.items() if not whole]

    def holds(self, numbers: list[int], remainder: int) -> bool:
        """Whether these are the numbers that were acknowledged, and some that were on their way."""
        acknowledged, sent = range(self.acknowledged)[remainder::5], range(self.sent)[remainder::5]
        return numbers == list(sent[: len(numbers)]) and len(numbers) >= len(acknowledged)

    def nodes(self, client: Client) -> list[int]:
        if not client("EXISTS", f"{self.name}:graph"):
            return []
        query = "MATCH (n:Node) RETURN n.number ORDER BY n.number"
        return [row[0] for row in client("GRAPH.QUERY", f"{self.name}:graph", query)[1]]

    def found(self, client: Client) -> list[int]:
        """What the index has of this writer's hashes, once it is complete."""

        def complete() -> bool:
            fields = client("FT.INFO", "words")
            return not int(dict(zip(fields[::2], fields[1::2], strict=True))[b"indexing"])

        wait_until(complete)
        query = ["words", f"@writer:{{{self.tag}}}", "SORTBY", "number", "RETURN", 1, "number"]
        rows = client("FT.SEARCH", *query, "LIMIT", 0, 1_000_000)[2::2]
        return [int(fields[1]) for fields in rows]


class Rewriter(threading.Thread):
    """Has the log rewritten again and again until the server is gone."""

    def __init__(self, server: ServerProcess, chance: Random) -> None:
        super().__init__(name="rewriter", daemon=True)
        self._client = server.client()
        self._chance = chance

    def run(self) -> None:
        try:
            while True:
                self._client.send("BGREWRITEAOF")
                self._client.read()
                time.sleep(self._chance.uniform(0, 0.02))
        except ConnectionError:
            self._client.close()


def writers_of(kind: type[Writer], server: ServerProcess, seed: int, life: int) -> list[Writer]:
    return [kind(server, f"writer-{life}-{n}", Random(seed + n)) for n in range(WRITERS)]


def lost_writes(
    server: ServerProcess,
    seed: int,
    kind: type[Writer] = Writer,
    *,
    rewrites: bool = False,
    lives: int = 1,
) -> list[str]:
    """Kill the server under load and restart it, again and again, and list what it has lost of the
    writes that were acknowledged in any of its lives.
    """
    lived: list[Writer] = []
    for life in range(lives):
        chance = Random(seed + 1000 * life)
        writers = writers_of(kind, server, seed + 1000 * life, life)
        live_and_die(server, writers, chance, rewrites=rewrites)
        lived += writers
        server.start()
        lost = [text for writer in lived for text in writer.lost(server)]
        if lost:
            return lost
    return []


def live_and_die(
    server: ServerProcess, writers: list[Writer], chance: Random, *, rewrites: bool
) -> None:
    """Let the writers write until chance kills the server."""
    threads = [*writers, *([Rewriter(server, chance)] if rewrites else [])]
    for thread in threads:
        thread.start()
    enough = chance.randrange(1, 5000)
    while sum(writer.acknowledged for writer in writers) < enough:
        assert all(writer.is_alive() for writer in writers)
        time.sleep(0.0002)
    time.sleep(chance.uniform(0, 0.005))
    server.kill()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


# Of each of the four kinds of lives a quarter: plain, with rewrites, under other policies, with
# values of modules.
SEEDS = [pytest.param(seed, marks=pytest.mark.long) for seed in range(1, KILLS // (4 * LIVES) + 2)]


@pytest.mark.parametrize("seed", [0, *SEEDS])
def test_no_acknowledged_write_is_lost(
    balas_process: Callable[..., BalasProcess], seed: int
) -> None:
    server = balas_process(DURABLE)
    assert lost_writes(server, seed, lives=LIVES if seed else 2) == []


@pytest.mark.parametrize("seed", [0, *SEEDS])
def test_no_acknowledged_write_is_lost_while_the_log_is_rewritten(
    balas_process: Callable[..., BalasProcess], seed: int
) -> None:
    preamble = "no" if seed % 4 == 3 else "yes"
    options = {"rdb-key-save-delay": 10, "aof-use-rdb-preamble": preamble}
    server = balas_process({**DURABLE, **options, "aof-timestamp-enabled": "yes"})
    assert lost_writes(server, seed, rewrites=True, lives=LIVES if seed else 2) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_process_that_is_killed_loses_nothing_under_any_policy(
    balas_process: Callable[..., BalasProcess], seed: int
) -> None:
    """Only a machine that stops would: what was written is the system's to bring to disk."""
    server = balas_process({**DURABLE, "appendfsync": ("everysec", "no")[seed % 2]})
    assert lost_writes(server, seed, rewrites=seed % 3 == 0, lives=LIVES) == []


@pytest.mark.parametrize("seed", [0, *SEEDS])
def test_no_acknowledged_write_to_a_module_is_lost(
    balas_process: Callable[..., BalasProcess], seed: int
) -> None:
    server = balas_process(DURABLE)
    with server.client() as client:
        fields = ["writer", "TAG", "number", "NUMERIC", "SORTABLE"]
        client("FT.CREATE", "words", "PREFIX", 1, "writer", "SCHEMA", *fields)
    lives = LIVES if seed else 2
    assert lost_writes(server, seed, ModuleWriter, rewrites=seed % 2 == 1, lives=lives) == []


def test_the_test_notices_lost_writes(real_redis: RealRedis) -> None:
    """It finds nothing lost on a real server that logs, and much on one that does not."""
    with RealRedis(DURABLE) as server:
        assert lost_writes(server, 0) == []
    with RealRedis({"appendonly": "no"}) as server:
        assert lost_writes(server, 0)
