"""What is kept between queries must not be seen: plans, fields that were read, the short way."""

import math
import random
import struct

import pytest

from balas.testing import InProcessServer
from balas.testing.clients import Client
from balas_search.aggregate import aggregation

WORDS = "run running runs hello house housing big bigger quick fox".split(" ")  # noqa: SIM905


def filled(server: InProcessServer, count: int = 200) -> Client:
    client = server.client()
    chance = random.Random(11)
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT", "u", "TEXT", "n", "NUMERIC", "g", "TAG")
    for number in range(count):
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 9)))
        title = chance.choice(WORDS)
        client("HSET", f"d{number}", "t", text, "u", title, "n", number % 10, "g", f"g{number % 3}")
    return client


def test_keys_alone_come_in_the_order_of_scores(balas_server: InProcessServer) -> None:
    client = filled(balas_server)
    for number in range(0, 60, 7):
        client("DEL", f"d{number}")
    for query in (*WORDS, "@t:run", "@u:housing", "nothing"):
        for page in ((0, 10), (5, 20), (0, 200), (150, 100), (0, 0)):
            limit = ("LIMIT", *page)
            for _ in range(2):
                keys = client("FT.SEARCH", "i", query, "NOCONTENT", *limit)
                scored = client("FT.SEARCH", "i", query, "NOCONTENT", "WITHSCORES", *limit)
                assert keys == [scored[0], *scored[1::2]], (query, page)


def test_plans_follow_the_schema_and_the_synonyms(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT")
    client("HSET", "d1", "t", "car", "x", "red")
    client("HSET", "d2", "t", "auto", "x", "blue")
    for _ in range(2):
        assert client("FT.SEARCH", "i", "car", "NOCONTENT") == [1, b"d1"]
        assert client("FT.SEARCH", "i", "@x:{red}", "NOCONTENT", "DIALECT", 2) == [0]
    client("FT.SYNUPDATE", "i", "wheels", "car", "auto")
    client("FT.ALTER", "i", "SCHEMA", "ADD", "x", "TAG")
    balas_server.advance(100)
    assert sorted(client("FT.SEARCH", "i", "car", "NOCONTENT")[1:]) == [b"d1", b"d2"]
    assert client("FT.SEARCH", "i", "@x:{red}", "NOCONTENT", "DIALECT", 2) == [1, b"d1"]


def test_plans_follow_the_settings(balas_server: InProcessServer) -> None:
    client = filled(balas_server)
    query = ("FT.SEARCH", "i", "@t:run hello", "NOCONTENT", "LIMIT", 0, 0)
    first = client(*query)
    client("CONFIG", "SET", "search-default-dialect", 2)
    assert client(*query) == client(*query, "DIALECT", 2) != first
    client("CONFIG", "SET", "search-max-search-results", 5)
    assert client.error("FT.SEARCH", "i", "run", "LIMIT", 0, 6) == "LIMIT exceeds maximum of 5"


def test_parameters_are_part_of_a_plan(balas_server: InProcessServer) -> None:
    client = filled(balas_server)
    query = ("FT.SEARCH", "i", "@n:[$a $a]", "NOCONTENT", "LIMIT", 0, 0, "DIALECT", 2, "PARAMS", 2)
    assert client(*query, "a", 3) == [20]
    assert client(*query, "a", 77) == [0]
    assert client(*query, "a", 3) == [20]


def test_fields_that_were_read_follow_the_documents(balas_server: InProcessServer) -> None:
    client = filled(balas_server, 1500)
    count = ("FT.AGGREGATE", "i", "*", "GROUPBY", 1, "@g", "REDUCE", "COUNT", 0, "AS", "c")

    def groups() -> dict[bytes, int]:
        rows = client(*count)[1:]
        return {row[1]: int(row[3]) for row in rows}

    assert groups() == {b"g0": 500, b"g1": 500, b"g2": 500}
    assert groups() == {b"g0": 500, b"g1": 500, b"g2": 500}
    client("HSET", "d0", "g", "other")
    client("HDEL", "d3", "g")
    client("DEL", "d1")
    client("HSET", "new", "t", "x", "g", "g2")
    client("PEXPIRE", "d2", 10)
    balas_server.advance(1000)
    assert groups() == {b"other": 1, None: 1, b"g0": 498, b"g1": 499, b"g2": 500}
    # After a while nobody needs them; and documents get new ids when many are gone.
    balas_server.advance(70_000)
    for number in range(4, 1400):
        client("DEL", f"d{number}")
    balas_server.advance(2000)
    assert sum(groups().values()) == len(client("KEYS", "*"))


def test_several_fields_to_sort_by(balas_server: InProcessServer) -> None:
    client = filled(balas_server, 100)
    sort = ("SORTBY", "g", "DESC", "SORTBY", "n", "SORTBY", "t", "DESC")
    found = client("FT.SEARCH", "i", "*", *sort, "RETURN", 3, "g", "n", "t", "LIMIT", 0, 100)[2::2]
    rows = [dict(zip(row[::2], row[1::2], strict=True)) for row in found]
    keys = [(row[b"g"], -int(row[b"n"]), row[b"t"]) for row in rows]
    assert keys == sorted(keys, reverse=True)
    part = client("FT.SEARCH", "i", "*", *sort, "RETURN", 3, "g", "n", "t", "LIMIT", 7, 5)[2::2]
    assert part == found[7:12]


def test_totals_are_true(balas_server: InProcessServer) -> None:
    client = filled(balas_server, 60)
    ask = ("FT.AGGREGATE", "i", "*", "LOAD", 1, "@n")
    assert client(*ask, "LIMIT", 0, 2)[0] == 60
    assert client(*ask, "FILTER", "@n < 3", "LIMIT", 0, 2)[0] == 18
    assert client(*ask, "SORTBY", 1, "@n", "LIMIT", 4, 2)[0] == 60
    assert client(*ask, "GROUPBY", 1, "@n", "LIMIT", 0, 2)[0] == 10


def test_aggregations_keep_to_their_time(
    balas_server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = filled(balas_server, 1600)
    three = balas_server.client(resp=3)
    monkeypatch.setattr(aggregation, "late_check", lambda ms: lambda: True)
    ask = ("FT.AGGREGATE", "i", "*", "GROUPBY", 1, "@g", "REDUCE", "COUNT", 0, "AS", "c")
    # What could be read in time is returned, and the next query goes on from there.
    for read in (511, 1022, 1533):
        reply = three(*ask)
        rows = [row[b"extra_attributes"] for row in reply[b"results"]]
        assert sum(int(row[b"c"]) for row in rows) == read
        assert reply[b"warning"] == [b"Timeout limit was reached"]
    # Once all is read there is no time to group it: the first rows are, all the same.
    reply = three(*ask)
    rows = [row[b"extra_attributes"] for row in reply[b"results"]]
    assert sum(int(row[b"c"]) for row in rows) == 1024
    assert reply[b"warning"] == [b"Timeout limit was reached"]
    client("CONFIG", "SET", "search-on-timeout", "fail")
    load = ("FT.AGGREGATE", "i", "*", "LOAD", 1, "@t", "APPLY", "upper(@t)", "AS", "v")
    assert client.error(*load) == "Timeout limit was reached"


def test_cursors_expire_and_have_a_limit(balas_server: InProcessServer) -> None:
    client = filled(balas_server, 20)
    ask = ("FT.AGGREGATE", "i", "*", "LOAD", 1, "@n", "WITHCURSOR", "COUNT", 3)
    _, short = client(*ask, "MAXIDLE", 1000)
    _, long = client(*ask)
    balas_server.advance(900)
    assert client("FT.CURSOR", "READ", "i", short)[1] == short
    balas_server.advance(1100)
    assert client.error("FT.CURSOR", "READ", "i", short) == "Cursor not found"
    assert client("FT.CURSOR", "READ", "i", long)[1] == long
    assert client("FT.CURSOR", "DEL", "i", long) == b"OK"
    numbers = [client(*ask)[1] for _ in range(128)]
    assert client.error(*ask) == "Too many cursors allocated for index"
    client("DEL", "d3", "d4", "d5")
    rows = client("FT.CURSOR", "READ", "i", numbers[0], "COUNT", 100)
    assert len(rows[0]) == 1 + 14
    assert rows[1] == 0
    client("FT.DROPINDEX", "i")
    dropped = "The index was dropped while the cursor was idle"
    assert client.error("FT.CURSOR", "READ", "i", numbers[1]) == dropped
    assert client.error("FT.CURSOR", "READ", "i", numbers[1]) == "Cursor not found"


def test_scores_are_bent_or_shares_of_the_best(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT")
    for number, text in enumerate(["hello", "hello hello world", "world", "hello to a long world"]):
        client("HSET", f"d{number}", "t", text)

    def scores(scorer: str) -> list[float]:
        shown = ["WITHSCORES", "NOCONTENT", "SCORER", scorer]
        return [float(score) for score in client("FT.SEARCH", "i", "hello", *shown)[2::2]]

    plain = scores("BM25STD")
    assert len(plain) == 3
    assert scores("BM25STD.TANH") == pytest.approx([math.tanh(score / 4) for score in plain])
    assert scores("BM25STD.NORM") == pytest.approx([score / plain[0] for score in plain])
    client("CONFIG", "SET", "search-bm25std-tanh-factor", "1")
    assert scores("BM25STD.TANH") == pytest.approx([math.tanh(score) for score in plain])


def test_another_vector_takes_the_plan_of_the_last(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    vector = ("v", "VECTOR", "HNSW", 6, "TYPE", "FLOAT32", "DIM", 2, "DISTANCE_METRIC", "L2")
    client("FT.CREATE", "i", "SCHEMA", *vector, "n", "NUMERIC", "t", "TEXT")
    for number in range(9):
        client("HSET", f"d{number}", "v", blob(number), "n", number, "t", blob(number))

    def found(query: str, *rest: object) -> list[bytes]:
        reply = client("FT.SEARCH", "i", query, "NOCONTENT", *rest, "DIALECT", 2)
        return sorted(reply[1:])

    for number in range(9):
        here = blob(number)
        assert found("*=>[KNN 1 @v $b]", "PARAMS", 2, "b", here) == [b"d%d" % number]
        below = f"@n:[0 {number // 3}]=>[KNN 1 @v $b]"
        assert found(below, "PARAMS", 2, "b", here) == [b"d%d" % (number // 3)]
        # Of several parameters any may be another one, and so may a number that is a parameter.
        two = ("PARAMS", 4, "b", here, "k", number % 2 + 1)
        assert len(found("*=>[KNN $k @v $b]", *two)) == number % 2 + 1
        # What looks like parameters, but is not.
        named = ("RETURN", 4, "PARAMS", 2, "b", here, "PARAMS", 2, "b", blob(4))
        assert found("*=>[KNN 1 @v $b]", *named) == [b"d4"]
        # Options, settings and the schema count as ever.
        limit = ("LIMIT", 0, number % 2)
        assert len(found("*=>[KNN 1 @v $b]", "PARAMS", 2, "b", here, *limit)) == number % 2
    wrong = ("*=>[KNN 1 @v $b]", "NOCONTENT", "PARAMS", 2, "b", "short", "DIALECT", 2)
    assert "blob size (5)" in client.error("FT.SEARCH", "i", *wrong)
    absent = ("*=>[KNN 1 @v $b]", "NOCONTENT", "PARAMS", 2, "c", blob(1), "DIALECT", 2)
    assert "parameter" in client.error("FT.SEARCH", "i", *absent)
    again = ("FT.SEARCH", "i", "*=>[KNN 1 @v $b]", "NOCONTENT", "PARAMS", 2, "b", blob(1))
    assert client(*again, "DIALECT", 2)[1:] == [b"d1"]
    client("FT.ALTER", "i", "SCHEMA", "ADD", "__v_score", "NUMERIC")
    assert "already exists in schema" in client.error(*again, "DIALECT", 2)


def blob(number: int) -> bytes:
    """A vector of two numbers."""
    return struct.pack("<2f", number, 1.0)
