"""LOAD CSV."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from balas.testing import Client, InProcessServer


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    folder = tmp_path / "import"
    folder.mkdir()
    (tmp_path / "secret.csv").write_text("a\n")
    (folder / "t.csv").write_text('name,age\n"x ""q"" y",\n\nAnn, 30 \n')
    (folder / "s.csv").write_text("a;b\n1;2\n")
    (folder / "uneven.csv").write_text("a,b\n1\n")
    options = {
        "loadmodule": "balas_graph:Graphs",
        "graph-import-folder": str(folder),
        "appendonly": "yes",
    }
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        yield server.client(resp=2)


def rows(client: Client, query: str) -> list[list[object]]:
    """The rows of a query."""
    found: list[list[object]] = client("GRAPH.QUERY", "g", query)[1]
    return found


def test_lines_become_lists_or_maps(client: Client) -> None:
    assert rows(client, "LOAD CSV FROM 'file://t.csv' AS row RETURN row") == [
        [b"[name, age]"], [b'[x "q" y, NULL]'], [b"[Ann, 30]"],
    ]  # fmt: skip
    query = "LOAD CSV WITH HEADERS FROM 'file:///t.csv' AS row RETURN row.name, toInteger(row.age)"
    assert rows(client, query) == [[b'x "q" y', None], [b"Ann", 30]]
    query = "LOAD CSV FROM 'file://s.csv' AS row FIELDTERMINATOR ';' RETURN row[1]"
    assert rows(client, query) == [[b"b"], [b"2"]]
    query = "UNWIND ['s', 't'] AS f LOAD CSV FROM 'file://' + f + '.csv' AS row RETURN count(row)"
    assert rows(client, query) == [[5]]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'file://../secret.csv'", "Error opening"),
        ("'file:///../../secret.csv'", "Error opening"),
        ("'file://nope.csv'", "Error opening"),
        ("'file://uneven.csv'", "unexpected length"),
        ("'t.csv'", "Unsupported URI"),
        ("1", "must be a string"),
        ("'file://t.csv' AS row FIELDTERMINATOR ';;' RETURN 1 //", "one character"),
    ],
)
def test_refusals(client: Client, source: str, expected: str) -> None:
    query = f"LOAD CSV FROM {source}" + ("" if " AS " in source else " AS row RETURN row")
    assert expected in client.error("GRAPH.QUERY", "g", query)


def test_what_was_loaded_outlives_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x\n1\n2\n")
    options = {
        "loadmodule": "balas_graph:Graphs",
        "graph-import-folder": str(tmp_path),
        "appendonly": "yes",
    }
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        query = "LOAD CSV WITH HEADERS FROM 'file://t.csv' AS row CREATE ({x: row.x})"
        server.client()("GRAPH.QUERY", "g", query)
        (tmp_path / "t.csv").unlink()
        server.restart()
        found = rows(server.client(resp=2), "MATCH (n) RETURN n.x ORDER BY n.x")
        assert found == [[b"1"], [b"2"]]


def test_without_a_folder_nothing_is_read(graph: Client) -> None:
    query = "LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row"
    assert "graph-import-folder" in graph.error("GRAPH.QUERY", "g", query)
