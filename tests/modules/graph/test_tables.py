"""Tables of openCypher: in each two lines a query and its rows, or that it is refused.

`@graph` begins with a query what the graph of the following scenarios holds. Behind `=>` stand the
rows, with "; " between them and " | " between values, in any order unless the query has an ORDER
BY; `=!` is a refusal, before the query runs or while it does.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from balas_graph.errors import QueryError

HERE = Path(__file__).parent
spec = importlib.util.spec_from_file_location("conformance", HERE / "test_conformance.py")
assert spec is not None
assert spec.loader is not None
conformance = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conformance)


def scenarios(path: Path) -> Iterator[tuple[str, str, str]]:
    """What is in the graph, a query, and the line of what comes of it."""
    setup = query = ""
    for line in path.read_text().splitlines():
        if line.startswith("@graph"):
            setup = line.removeprefix("@graph").strip()
        elif line.startswith(("=>", "=!")):
            yield setup, query, line
        elif line and not line.startswith("#"):
            query = line


def outcome(setup: str, query: str) -> list[str] | None:
    """The rows of a query; None if it is refused."""
    try:
        return list(conformance.run(conformance.filled(setup), query)[0])
    except QueryError:
        return None


@pytest.mark.parametrize("path", sorted((HERE / "tables").glob("*.txt")), ids=lambda p: p.stem)
def test_every_scenario_of_a_table(path: Path) -> None:
    wrong = []
    for setup, query, line in scenarios(path):
        found = outcome(setup, query)
        rows = line.removeprefix("=>").strip()
        wanted = None if line == "=!" else rows.split("; ") if rows else []
        if "ORDER BY" not in query and found is not None and wanted is not None:
            found, wanted = sorted(found), sorted(wanted)
        if found != wanted:
            wrong.append((query, wanted, found))
    assert not wrong


def test_a_table_that_is_wrong_is_told() -> None:
    assert outcome("", "RETURN 1 AS x") == ["1"]
    assert outcome("", "RETURN x") is None
