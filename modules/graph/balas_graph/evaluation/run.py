"""What one run of a query knows and counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING

from balas_graph.errors import QueryError
from balas_graph.evaluation.registry import Registry
from balas_graph.storage.graph import Graph

if TYPE_CHECKING:
    from balas_graph.evaluation.compiler import Compiler
    from balas_graph.execution.access import Wanted

Row = dict[str, object]

# More rows than this between two clauses are refused: about a gigabyte.
ROWS_MAX = 5_000_000
# The clock is read once in so many steps: reading it costs about as much as one.
STEPS_PER_LOOK = 256


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
    # Where LOAD CSV finds its files.
    import_folder: str = ""
    # What indexes can be asked about names, by WHERE.
    hints: dict[str, tuple[Wanted, ...]] = field(default_factory=dict)

    def look(self, rows: int) -> None:
        """Raise if time or room is used up; for loops that call this now and then."""
        self.steps -= self.steps % STEPS_PER_LOOK + 1
        self.step(rows)

    def step(self, rows: int = 0) -> None:
        """Count a step of a loop; raise if time or room is used up."""
        self.steps += 1
        if rows > self.rows_max:
            raise QueryError("Query's mem consumption exceeded capacity")
        if (
            self.deadline_s is not None
            and not self.steps % STEPS_PER_LOOK
            and perf_counter() > self.deadline_s
        ):
            raise QueryError("Query timed out")
