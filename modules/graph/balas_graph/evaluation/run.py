"""What one run of a query knows and counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from balas_graph.errors import QueryError
from balas_graph.evaluation.guards import memory_bytes
from balas_graph.evaluation.registry import Registry
from balas_graph.storage.graph import Graph

if TYPE_CHECKING:
    from balas_graph.evaluation.compiler import Compiler
    from balas_graph.execution.access import Wanted

Row = dict[str, object]
T = TypeVar("T")

# More rows than this between two clauses are refused: about a gigabyte.
ROWS_MAX = 5_000_000
# The clock is read once in so many steps: reading it costs about as much as one.
STEPS_PER_LOOK = 256
# The memory is looked at less often, and only where there are many rows or long lists.
STEPS_PER_WEIGHING = 16 * STEPS_PER_LOOK
HEAVY_MIN = 1000
# Of items that take well below a microsecond each.
SLICE_ITEMS = 1 << 16
# About what a row takes.
ROW_BYTES = 232


@dataclass(slots=True)
class Statistics:
    """What a query has changed."""

    labels_added: int = 0
    labels_removed: int = 0
    nodes_created: int = 0
    nodes_deleted: int = 0
    properties_set: int = 0
    properties_removed: int = 0
    relationships_created: int = 0
    relationships_deleted: int = 0
    indices_created: int = 0
    indices_deleted: int = 0


@dataclass(slots=True)
class Run:
    """A query on its way: its graph, parameters, clock, chance and statistics."""

    graph: Graph
    registry: Registry
    compiler: Compiler
    parameters: dict[str, object]
    now_ms: int
    rng: Random
    deadline_s: float | None = None
    statistics: Statistics = field(default_factory=Statistics)
    rows_max: int = ROWS_MAX
    steps: int = 0
    # What the process had when it was first looked at; 0 before.
    memory_bytes: int = 0
    # Where LOAD CSV finds its files.
    import_folder: str = ""
    # What indexes can be asked about names, by WHERE.
    hints: dict[str, tuple[Wanted, ...]] = field(default_factory=dict)

    def heavy(self, items: int) -> None:
        """Count a list that has been made; a long one is a reason to look at the memory."""
        if items < HEAVY_MIN:
            self.step(items)
            return
        self.look(items)
        self.weigh()

    def weigh(self) -> None:
        """Raise if the process has grown too much since the query was weighed first."""
        now_bytes = memory_bytes()
        if not self.memory_bytes:
            self.memory_bytes = now_bytes
        elif now_bytes - self.memory_bytes > self.rows_max * ROW_BYTES:
            raise QueryError("Query's mem consumption exceeded capacity")

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """The items one after the other, each a step."""
        for item in items:
            self.step()
            yield item

    def slices(self, count: int) -> Iterator[slice]:
        """Slices of so many items, with a look before each; for loops that are short and many."""
        for start in range(0, count, SLICE_ITEMS):
            self.look(count)
            yield slice(start, start + SLICE_ITEMS)

    def look(self, rows: int) -> None:
        """Raise if time or room is used up; for loops that call this now and then."""
        self.steps -= self.steps % STEPS_PER_LOOK + 1
        self.step(rows)

    def step(self, rows: int = 0) -> None:
        """Count a step of a loop; raise if time or room is used up."""
        self.steps += 1
        if rows > self.rows_max:
            raise QueryError("Query's mem consumption exceeded capacity")
        if not self.steps % STEPS_PER_LOOK:
            if self.deadline_s is not None and perf_counter() > self.deadline_s:
                raise QueryError("Query timed out")
            if not self.steps % STEPS_PER_WEIGHING and rows > HEAVY_MIN:
                self.weigh()
