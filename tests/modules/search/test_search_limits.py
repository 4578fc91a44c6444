"""Limits that hold: the time a query may take, wherever it is spent, and the number of cursors.

The clock of queries is a fake: it stands still for so many looks, then jumps ahead. So each test
says at which point of a query its time is over.
"""

from typing import Any

import pytest

from balas.testing import InProcessServer
from balas_search.commands.common import module_class
from balas_search.results import deadline
from balas_search.vectors import rows

TIME_IS_UP = "Timeout limit was reached"
COUNT = 3000


class Clock:
    """Tells that no time has passed at the first `still` looks, and an age from then on."""

    def __init__(self) -> None:
        self.looks = 0
        self.still = 0

    def stop_after(self, looks: int) -> None:
        """Begin anew, with so many looks at which no time has passed."""
        self.looks, self.still = 0, looks

    def __call__(self) -> float:
        self.looks += 1
        return 0.0 if self.looks <= self.still else 1e6


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of queries, a fake."""
    made = Clock()
    monkeypatch.setattr(deadline, "now_s", made)
    return made


@pytest.fixture(scope="module")
def server() -> Any:
    """A server with an index of so many documents."""
    with InProcessServer() as made:
        client = made.client()
        schema = ("t", "TEXT", "s", "TEXT", "SORTABLE", "n", "NUMERIC", "g", "TAG")
        vector = ("v", "VECTOR", "FLAT", 6, "TYPE", "FLOAT32", "DIM", 1, "DISTANCE_METRIC", "L2")
        half = ("h", "VECTOR", "FLAT", 6, "TYPE", "FLOAT16", "DIM", 1, "DISTANCE_METRIC", "L2")
        client("FT.CREATE", "i", "SCHEMA", *schema, *vector, *half)
        for number in range(COUNT):
            text = f"hello w{number} x{number % 7}"
            fields = ("t", text, "s", f"s{number}", "n", number, "g", f"g{number}")
            client("HSET", f"d{number}", *fields, "v", b"\x00\x00\x80\x3f", "h", b"\x00\x3c")
        yield made


KNN = ("*=>[KNN 5 @v $q]", "PARAMS", 2, "q", b"\x00\x00\x80\x3f", "DIALECT", 2)
# Queries, and how often they look at the clock at least.
SEARCHES = {
    "sort": (("hello", "SORTBY", "n", "NOCONTENT"), 3),
    "sort by a text that is read": (("hello", "SORTBY", "t", "LIMIT", 0, 20), 3),
    "rows": (("@n:[0 3000]", "LIMIT", 0, COUNT), 10),
    "rows of one word": (("hello", "LIMIT", 0, COUNT), 10),
    "highlight": (("hello x1", "HIGHLIGHT", "LIMIT", 0, COUNT), 4),
    "prefix": (("w1*", "NOCONTENT"), 3),
    "infix": (("*11*", "NOCONTENT"), 4),
    "wildcard": (("w'w?1*'", "NOCONTENT", "DIALECT", 2), 4),
    "fuzzy": (("%w77%", "NOCONTENT"), 4),
    "tags": (("@g:{*11*}", "NOCONTENT", "DIALECT", 2), 4),
    "union": (("|".join(f"w{number}" for number in range(50)), "NOCONTENT"), 50),
    "nearest": (KNN, 3),
    "sort by several": (("hello", "SORTBY", "n", "DESC", "SORTBY", "s", "NOCONTENT"), 5),
    "words and their distances": (("hello|x1|x2|x3", "NOCONTENT"), 8),
    "scores": (("hello x1|x2", "SCORER", "BM25STD", "NOCONTENT"), 5),
    "optional words": (("hello ~x1", "NOCONTENT"), 5),
    "phrase": (('"hello x1"', "NOCONTENT"), 6),
    "words near to each other": (("hello x1", "SLOP", 3, "NOCONTENT"), 7),
}
HYBRID = ("SEARCH", "hello", "VSIM", "@v", "$q", "PARAMS", 2, "q", b"\x00\x00\x80\x3f")
AGGREGATIONS = {
    "load": (("*", "LOAD", 1, "@t"), 7),
    "group": (("*", "GROUPBY", 1, "@s"), 3),
    "group what is read": (("*", "GROUPBY", 1, "@t"), 7),
    "apply": (("*", "APPLY", "upper(@s)", "AS", "u", "LIMIT", 0, COUNT), 4),
    "filter": (("*", "FILTER", "startswith(@s, 's1')", "LIMIT", 0, COUNT), 4),
    "sort": (("*", "SORTBY", 1, "@t"), 7),
    "sort by several": (("*", "SORTBY", 4, "@n", "DESC", "@s", "ASC"), 6),
    "sort many": (("*", "SORTBY", 1, "@n", "LIMIT", 1500, 10), 6),
    "compute": (("*", "LOAD", 1, "@n", "APPLY", "@n * 2", "AS", "m", "SORTBY", 1, "@m"), 6),
    "two properties": (("*", "GROUPBY", 2, "@s", "@n", "REDUCE", "COUNT", 0), 6),
    "scores": (("hello", "ADDSCORES", "SORTBY", 1, "@__score"), 5),
}
# Reducers, and how often they look at the clock at least, beyond the grouping.
REDUCERS = {
    ("SUM", "@n"): 1,
    ("AVG", "@s"): 2,
    ("MIN", "@n"): 1,
    ("MAX", "@n"): 1,
    ("STDDEV", "@n"): 1,
    ("QUANTILE", "@n", "0.5"): 2,
    ("COUNT_DISTINCT", "@s"): 2,
    ("COUNT_DISTINCTISH", "@s"): 3,
    ("HLL", "@n"): 3,
    ("TOLIST", "@s"): 2,
    ("FIRST_VALUE", "@n", "BY", "@s"): 2,
    ("RANDOM_SAMPLE", "@n", "10"): 2,
}


def check(
    server: InProcessServer, clock: Clock, ask: tuple[Any, ...], least: int, warns: Any
) -> None:
    """Whichever look finds the time over, the reply says so, by a warning or an error."""
    client = server.client(resp=3)
    client("FT.CONFIG", "SET", "ON_TIMEOUT", "return")
    forget(server)
    clock.stop_after(10**6)
    assert not warns(client(*ask))
    # The first look, or the first two, tell when the query begins.
    looks = clock.looks
    assert looks >= least
    for still in range(2, looks):
        forget(server)
        clock.stop_after(still)
        assert warns(client(*ask)), still
    client("FT.CONFIG", "SET", "ON_TIMEOUT", "fail")
    for still in range(2, looks):
        forget(server)
        clock.stop_after(still)
        assert client.error(*ask) == TIME_IS_UP, still
    client("FT.CONFIG", "SET", "ON_TIMEOUT", "return")


def forget(server: InProcessServer) -> None:
    """Have fields read anew that were kept."""
    server.engine.services[module_class()].indexes.by_name[b"i"].read_columns.clear()


def warned(reply: Any) -> bool:
    return reply[b"warning"] == [TIME_IS_UP.encode()]


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_keeps_to_its_time(name: str, server: InProcessServer, clock: Clock) -> None:
    query, least = SEARCHES[name]
    ask = ("FT.SEARCH", "i", *query, "TIMEOUT", 100)
    check(server, clock, ask, least, warned)
    # Without a limit nobody looks at the clock.
    clock.stop_after(0)
    server.client(resp=3)(*ask[:-1], 0)
    assert clock.looks == 0


VECTORS = {
    "KNN": ("*=>[KNN 5 @v $q]", 0),
    "KNN of what a filter leaves": ("@n:[0 2000]=>[KNN 5 @v $q]", 0),
    "KNN of another type": ("*=>[KNN 5 @h $q]", 1),
    "within a radius": ("@v:[VECTOR_RANGE 1 $q]", 0),
}


@pytest.mark.parametrize("name", VECTORS)
def test_comparing_vectors_keeps_to_its_time(
    name: str, server: InProcessServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, half = VECTORS[name]
    blob = b"\x00\x3c" if half else b"\x00\x00\x80\x3f"
    ask = ("FT.SEARCH", "i", text, "PARAMS", 2, "q", blob, "DIALECT", 2, "NOCONTENT")
    monkeypatch.setattr(rows, "NUMBERS", 10**6)
    monkeypatch.setattr(rows, "BLOCK", 10**6)
    clock.stop_after(10**6)
    server.client(resp=3)(*ask, "TIMEOUT", 100)
    few = clock.looks
    # Vectors are looked at in many parts, with a look at the clock behind each but the last.
    monkeypatch.setattr(rows, "NUMBERS", 100)
    monkeypatch.setattr(rows, "BLOCK", 100)
    check(server, clock, (*ask, "TIMEOUT", 100), few + 19, warned)


@pytest.mark.parametrize("name", AGGREGATIONS)
def test_an_aggregation_keeps_to_its_time(name: str, server: InProcessServer, clock: Clock) -> None:
    steps, least = AGGREGATIONS[name]
    ask = ("FT.AGGREGATE", "i", *steps, "TIMEOUT", 100)
    check(server, clock, ask, least, warned)


@pytest.mark.parametrize("reducer", REDUCERS, ids="-".join)
def test_a_reducer_keeps_to_its_time(
    reducer: tuple[str, ...], server: InProcessServer, clock: Clock
) -> None:
    group = ("FT.AGGREGATE", "i", "*", "GROUPBY", 0)
    clock.stop_after(10**6)
    server.client(resp=3)(*group, "TIMEOUT", 100)
    few = clock.looks
    reduce = ("REDUCE", reducer[0], len(reducer) - 1, *reducer[1:], "AS", "r", "TIMEOUT", 100)
    check(server, clock, (*group, *reduce), few + REDUCERS[reducer], warned)


def test_what_there_is_no_time_for_is_done_for_the_first_documents(
    server: InProcessServer, clock: Clock
) -> None:
    client = server.client(resp=3)
    count = ("REDUCE", "COUNT", 0, "AS", "c")
    ask = ("FT.AGGREGATE", "i", "*", "GROUPBY", 0, *count, "TIMEOUT", 100)
    clock.stop_after(10**6)
    (whole,) = client(*ask)[b"results"]
    assert whole[b"extra_attributes"] == {b"c": str(COUNT).encode()}
    clock.stop_after(clock.looks - 1)
    reply = client(*ask)
    (part,) = reply[b"results"]
    assert part[b"extra_attributes"] == {b"c": b"1024"}
    assert warned(reply)
    # A sort puts the first of them in order, and totals are those of all that match.
    ask = ("FT.SEARCH", "i", "*", "SORTBY", "n", "DESC", "LIMIT", 0, 1, "NOCONTENT", "TIMEOUT", 100)
    clock.stop_after(10**6)
    assert client(*ask)[b"results"][0][b"id"] == b"d2999"
    clock.stop_after(2)
    reply = client(*ask)
    assert warned(reply)
    assert reply[b"total_results"] == COUNT
    assert reply[b"results"][0][b"id"] == b"d1023"


def test_a_hybrid_search_keeps_to_its_time(server: InProcessServer, clock: Clock) -> None:
    def told(reply: Any) -> bool:
        return reply[b"warnings"] == [TIME_IS_UP.encode()]

    ask = ("FT.HYBRID", "i", *HYBRID, "TIMEOUT", 100)
    check(server, clock, ask, 5, told)


@pytest.mark.parametrize("kind", ["SEARCH", "AGGREGATE"])
def test_a_profile_tells_that_time_is_up(kind: str, server: InProcessServer, clock: Clock) -> None:
    client = server.client(resp=3)
    ask = ("FT.PROFILE", "i", kind, "QUERY", "w1*", "TIMEOUT", 100)
    clock.stop_after(10**6)
    assert client(*ask)[b"profile"][b"Warning"] == b"None"
    clock.stop_after(2)
    reply = client(*ask)
    assert reply[b"profile"][b"Warning"] == TIME_IS_UP.encode()
    assert reply[b"results"] == []
    old = server.client()
    clock.stop_after(2)
    assert [b"Warning", TIME_IS_UP.encode()] in old(*ask)[1]
    # A report is no error, whatever queries do.
    client("FT.CONFIG", "SET", "ON_TIMEOUT", "fail")
    clock.stop_after(2)
    assert client(*ask)[b"profile"][b"Warning"] == TIME_IS_UP.encode()
    client("FT.CONFIG", "SET", "ON_TIMEOUT", "return")


def test_a_page_of_a_cursor_keeps_to_its_time(server: InProcessServer, clock: Clock) -> None:
    client = server.client(resp=3)
    forget(server)
    clock.stop_after(10**6)
    ask = ("FT.AGGREGATE", "i", "*", "LOAD", 1, "@t", "WITHCURSOR", "COUNT", 10)
    _, number = client(*ask)
    clock.stop_after(1)
    page, _ = client("FT.CURSOR", "READ", "i", number, "COUNT", 2000)
    assert page[b"warning"] == [TIME_IS_UP.encode()]
    assert 0 < len(page[b"results"]) < 2000


def test_an_index_has_so_many_cursors(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    for name in "ij":
        client("FT.CREATE", name, "SCHEMA", "n", "NUMERIC")
    for number in range(4):
        client("HSET", f"d{number}", "n", number)
    ask = ("FT.AGGREGATE", "i", "*", "WITHCURSOR", "COUNT", 1, "MAXIDLE")
    numbers = [client(*ask, 1000 + 1000 * (at > 0))[1] for at in range(128)]
    full = "Too many cursors allocated for index"
    assert full in client.error(*ask, 1000)
    # Each index has its own, and one that is given up, or idle for too long, makes room.
    client("FT.AGGREGATE", "j", "*", "WITHCURSOR", "COUNT", 1)
    client("FT.CURSOR", "DEL", "i", numbers[1])
    client(*ask, 2000)
    assert full in client.error(*ask, 1000)
    balas_server.advance(1001)
    client(*ask, 2000)
    assert client.error("FT.CURSOR", "READ", "i", numbers[0]) == "Cursor not found"
    assert full in client.error(*ask, 1000)
    stats = client("FT.INFO", "i")
    told = stats[stats.index(b"cursor_stats") + 1]
    assert told[told.index(b"index_total") + 1] == 128


def test_a_prefix_stands_for_so_many_terms(server: InProcessServer) -> None:
    client = server.client()
    for setting in (1, 50, 200):
        client("FT.CONFIG", "SET", "MAXEXPANSIONS", setting)
        for query in ("w1*", "*11*", "w'w1*'", "%w111%", "%%w11%%", "@g:{g1*}", "@g:{w'*11*'}"):
            total = client("FT.SEARCH", "i", query, "LIMIT", 0, 0, "DIALECT", 2)[0]
            assert 1 <= total <= setting, (query, setting)
            if setting == 1:
                assert total == 1
