"""Random graphs and patterns, matched by Balas and by a twin that tries everything.

The twin knows no plan, no index and no column: it walks every way from every node. The real
module is asked what both understand alike: patterns of one edge, where it cannot matter that it
walks an edge twice, with filters and aggregates.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balas.testing import Client, InProcessServer, RealRedis

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "60"))
QUIET = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
LABELS, TYPES = ("A", "B"), ("R", "S")
small = st.integers(0, 2)


@dataclass
class World:
    """Nodes as (labels, value of n), edges as (source, type, target, value of w)."""

    nodes: list[tuple[frozenset[str], int]]
    edges: list[tuple[int, str, int, int]] = field(default_factory=list)

    def made(self) -> str:
        """The query that creates it."""
        nodes = [
            f"(n{place}{''.join(':' + label for label in sorted(labels))} {{i: {place}, n: {n}}})"
            for place, (labels, n) in enumerate(self.nodes)
        ]
        edges = [
            f"(n{source})-[:{kind} {{w: {w}}}]->(n{target})"
            for source, kind, target, w in self.edges
        ]
        return "CREATE " + ", ".join(nodes + edges)


@dataclass(frozen=True)
class Hop:
    """An edge of a pattern: its types, direction (1, -1, 0), length and value of w."""

    types: tuple[str, ...]
    direction: int
    length: tuple[int, int] | None
    w: int | None

    def text(self) -> str:
        """The hop as openCypher writes it."""
        inner = (":" + "|".join(self.types)) if self.types else ""
        inner += f"*{self.length[0]}..{self.length[1]}" if self.length else ""
        inner += f" {{w: {self.w}}}" if self.w is not None else ""
        left, right = ("<-", "-") if self.direction < 0 else ("-", "->" if self.direction else "-")
        return f"{left}[{inner}]{right}"


@dataclass(frozen=True)
class Spot:
    """A node of a pattern: its name, label and value of n."""

    name: str
    label: str | None
    n: int | None

    def text(self) -> str:
        """The node as openCypher writes it."""
        label = f":{self.label}" if self.label else ""
        return f"({self.name}{label}" + (f" {{n: {self.n}}})" if self.n is not None else ")")


@st.composite
def worlds(draw: st.DrawFn, parallel: bool = True) -> World:
    """A graph of up to five nodes and six edges, parallel ones and loops among them or not."""
    labels = st.frozensets(st.sampled_from(LABELS))
    nodes = draw(st.lists(st.tuples(labels, small), min_size=1, max_size=5))
    place = st.integers(0, len(nodes) - 1)
    edge = st.tuples(place, st.sampled_from(TYPES), place, small)
    edges = draw(st.lists(edge, max_size=6))
    if not parallel:
        alone = {frozenset((source, target)): (source, kind, target, w)
                 for source, kind, target, w in edges if source != target}  # fmt: skip
        edges = list(alone.values())
    return World(nodes, edges)


@st.composite
def patterns(draw: st.DrawFn, most: int = 3) -> tuple[list[Spot], list[Hop]]:
    """A path of up to three hops; names may come twice."""
    count = draw(st.integers(0 if most > 1 else 1, most))
    names = "abcd" if most == 1 else draw(st.sampled_from(["abcd", "abca", "abab", "aabc"]))
    label = st.none() | st.sampled_from(LABELS)
    value = st.none() | small
    spots = [Spot(names[at], draw(label), draw(value)) for at in range(count + 1)]
    length = st.none() | st.sampled_from([(0, 1), (1, 2), (2, 2), (0, 3)])
    hops = [
        Hop(
            draw(st.sampled_from([(), ("R",), ("S",), ("R", "S")])),
            draw(st.sampled_from([1, -1, 0])),
            draw(length) if most > 1 else None,
            draw(st.none() | st.none() | small),
        )
        for _ in range(count)
    ]
    return spots, hops


def fits(world: World, spot: Spot, node: int) -> bool:
    """Whether a node can stand at a spot."""
    labels, n = world.nodes[node]
    return spot.label in (None, *labels) and spot.n in (None, n)


def steps(world: World, hop: Hop, node: int, used: frozenset[int]) -> Iterator[tuple[int, int]]:
    """The edges that a hop can take from a node, and where they lead."""
    for number, (source, kind, target, w) in enumerate(world.edges):
        if number in used or (hop.types and kind not in hop.types) or hop.w not in (None, w):
            continue
        if source == node and hop.direction >= 0:
            yield number, target
        if target == node and hop.direction <= 0 and not (hop.direction == 0 and source == target):
            yield number, source


def walks(
    world: World, hop: Hop, node: int, used: frozenset[int], depth: int = 0
) -> Iterator[tuple[int, frozenset[int]]]:
    """The ends of a hop of any length, with the edges that are used up."""
    low, high = hop.length or (1, 1)
    if depth >= low:
        yield node, used
    if depth < high:
        for number, end in steps(world, hop, node, used):
            yield from walks(world, hop, end, used | {number}, depth + 1)


def naive(world: World, spots: list[Spot], hops: list[Hop]) -> list[tuple[int, ...]]:
    """Every binding of the spots, by trying everything."""
    found: list[tuple[int, ...]] = []

    def go(nodes: tuple[int, ...], used: frozenset[int]) -> None:
        at = len(nodes) - 1
        same = [place for place in range(at) if spots[place].name == spots[at].name]
        if not fits(world, spots[at], nodes[at]) or any(nodes[p] != nodes[at] for p in same):
            return
        if at == len(hops):
            found.append(nodes)
            return
        for end, taken in walks(world, hops[at], nodes[at], used):
            go((*nodes, end), taken)

    for node in range(len(world.nodes)):
        go((node,), frozenset())
    return sorted(found)


def text_of(spots: list[Spot], hops: list[Hop]) -> str:
    """A pattern as openCypher writes it."""
    return spots[0].text() + "".join(
        hop.text() + spot.text() for hop, spot in zip(hops, spots[1:], strict=True)
    )


def asked(client: Client, query: str) -> list[tuple[object, ...]]:
    """The rows of a query, in order."""
    return sorted(tuple(row) for row in client("GRAPH.RO_QUERY", "g", query)[1])


@QUIET
@given(world=worlds(), pattern=patterns())
def test_patterns_are_found_as_the_twin_finds_them(
    graph: Client, world: World, pattern: tuple[list[Spot], list[Hop]]
) -> None:
    spots, hops = pattern
    graph("DEL", "g")
    graph("GRAPH.QUERY", "g", world.made())
    expected = naive(world, spots, hops)
    names = ", ".join(f"{spot.name}.i" for spot in spots)
    # A WITH keeps the pattern from the columns; both ways have to agree.
    columns = ", ".join(f"{spot.name}.i AS c{at}" for at, spot in enumerate(spots))
    text = text_of(spots, hops)
    assert asked(graph, f"MATCH {text} RETURN {columns}") == expected, text
    assert asked(graph, f"WITH 1 AS one MATCH {text} RETURN {columns}") == expected, text
    assert asked(graph, f"MATCH {text} RETURN count(*), count({names.split(', ')[0]})") == [
        (len(expected), len(expected))
    ], text
    holds = {nodes[0] for nodes in expected}
    first = spots[0].name
    exists = f"MATCH ({first}) WHERE EXISTS {{ MATCH {text} }} RETURN {first}.i"
    assert asked(graph, exists) == sorted((node,) for node in holds), text
    counted = f"MATCH ({first}) RETURN {first}.i, COUNT {{ MATCH {text} }}"
    counts = [(node, sum(found[0] == node for found in expected))
              for node in range(len(world.nodes))]  # fmt: skip
    assert asked(graph, counted) == counts, text


TAILS = (
    "RETURN a.i, b.i",
    "RETURN a.n, count(*), toInteger(sum(b.n)), min(b.i), max(b.i)",
    "WHERE a.n < b.n OR b:A RETURN a.i, b.i",
    "RETURN DISTINCT b.n % 2, a.n + b.n",
    "WITH a, count(b) AS c WHERE c > 1 RETURN a.i, c",
    "WITH a.n AS n, collect(b.i) AS l UNWIND l AS x RETURN n, x",
    "OPTIONAL MATCH (b)-[:R]->(c:A) RETURN a.i, b.i, c.i",
    "RETURN a.i, CASE WHEN a.n = b.n THEN 'same' ELSE toString(b.n) END",
)


@pytest.mark.oracle
def test_single_hops_are_found_as_the_real_module_finds_them(
    real_servers: Callable[..., RealRedis],
) -> None:
    with (
        InProcessServer({"loadmodule": "balas_graph:Graphs"}, bundled=False) as server,
        closing(real_servers("graph").client(resp=2)) as real,
    ):
        ours = server.client(resp=2)

        @QUIET
        @given(world=worlds(parallel=False), pattern=patterns(1), tail=st.sampled_from(TAILS))
        def same(world: World, pattern: tuple[list[Spot], list[Hop]], tail: str) -> None:
            query = f"MATCH {text_of(*pattern)} {tail}"
            answers = []
            for client in (ours, real):
                client("DEL", "g")
                client("GRAPH.QUERY", "g", world.made())
                found = client("GRAPH.RO_QUERY", "g", query)[1]
                answers.append(sorted(map(repr, found)))
            assert answers[0] == answers[1], (world.made(), query)

        same()
