"""Pages of hashes: RESP2 has a way of its own to them, and must show what RESP3 shows."""

import random

import pytest

from balas.testing import InProcessServer
from balas.testing.clients import Client

SEED = 23
COUNT = 600
QUERIES = [
    ["word"],
    ["word", "LIMIT", 3, 7],
    ["word other"],
    ["word|other", "LIMIT", 0, COUNT],
    ["word", "LIMIT", 0, COUNT],
    ["@n:[1 3]", "SORTBY", "n"],
    ["@n:[1 3]", "SORTBY", "m", "DESC", "LIMIT", 0, 50],
    ["*", "SORTBY", "u", "LIMIT", 10, 300],
    ["*", "LIMIT", 5, 5],
    ["nothing"],
    ["word", "LIMIT", 0, 0],
    ["-word", "INKEYS", 3, "d1", "d2", "d3"],
]
RETURNED = [
    [],
    ["RETURN", 2, "n", "t"],
    ["RETURN", 1, "absent"],
    ["RETURN", 3, "__key", "m", "x"],
    ["RETURN", 8, "n", "AS", "number", "t", "AS", "n", "m", "m"],
    ["RETURN", 3, "n", "AS", "__score"],
    ["RETURN", 2, "__score", "t"],
]


def filled(server: InProcessServer) -> Client:
    client = server.client()
    chance = random.Random(SEED)
    schema = ["t", "TEXT", "u", "TEXT", "SORTABLE", "n", "NUMERIC", "m", "NUMERIC", "SORTABLE"]
    client("FT.CREATE", "i", "SCORE_FIELD", "__score", "SCHEMA", *schema)
    for number in range(COUNT):
        fields = {
            "t": " ".join(chance.choices(["word", "other", "third"], k=3)),
            "u": chance.choice(["Abc", "abd", "x y"]),
            "n": chance.choice(["1", "2.50", "1e3", "3"]),
            "m": chance.choice(["7", "0.1", "1e20", "-0", "1e15", "inf", " 4"]),
            "x": chance.choice(["", "12.0"]),
            "__score": "0.5",
        }
        names = chance.sample(list(fields), chance.randint(2, len(fields)))
        client("HSET", f"d{number}", *[part for name in names for part in (name, fields[name])])
    return client


@pytest.mark.parametrize("returned", RETURNED, ids=lambda value: " ".join(map(str, value)))
def test_both_protocols_show_the_same_rows(
    balas_server: InProcessServer, returned: list[object]
) -> None:
    client = filled(balas_server)
    newer = balas_server.client(resp=3)
    shown = 0
    for query in QUERIES:
        for _ in range(2):
            flat = client("FT.SEARCH", "i", *query, *returned)
            rows = newer("FT.SEARCH", "i", *query, *returned)
            expected = [rows[b"total_results"]]
            for row in rows[b"results"]:
                attributes = row[b"extra_attributes"]
                expected.append(row[b"id"])
                expected.append([part for pair in attributes.items() for part in pair])
            assert flat == expected, (SEED, query, returned)
            shown += len(rows[b"results"])
    assert shown > 2 * COUNT


def test_a_field_is_gone_from_pages_when_its_time_is_over(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT", "n", "NUMERIC", "SORTABLE")
    client("HSET", "d1", "t", "word", "n", "1.0")
    client("HSET", "d2", "t", "word", "n", "2")
    client("HEXPIRE", "d2", "100", "FIELDS", "1", "n")
    balas_server.advance(50_000)
    rows = client("FT.SEARCH", "i", "word", "SORTBY", "n", "RETURN", 1, "n")
    assert rows == [2, b"d1", [b"n", b"1"], b"d2", [b"n", b"2"]]
    balas_server.advance(51_000)
    assert client("FT.SEARCH", "i", "word", "SORTBY", "t", "RETURN", 1, "n")[3:] == [b"d2", []]
