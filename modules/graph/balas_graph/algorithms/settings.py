"""The map that algorithms take, and the part of the graph it chooses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing

from balas_graph.errors import QueryError
from balas_graph.evaluation.run import Run

Ids = np.typing.NDArray[np.int32]
Mask = np.typing.NDArray[np.uint8]


class Settings:
    """What an algorithm is asked for: labels, types, and settings of its own."""

    def __init__(self, run: Run, name: str, given: object, *own: str) -> None:
        if given is not None and not isinstance(given, dict):
            raise QueryError(f"invalid argument to algo.{name}")
        self.given: dict[str, object] = given or {}
        self.name = name
        self.run = run
        if not set(self.given) <= {"nodeLabels", "relationshipTypes", *own}:
            raise QueryError(f"{name} configuration contains unknown key")
        self.labels = self.names("nodeLabels")
        self.types = self.names("relationshipTypes")

    def names(self, key: str) -> list[str] | None:
        """A list of names, or None."""
        value = self.given.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise QueryError(f"{self.name} configuration, '{key}' should be an array of strings")
        return value

    def positive(self, key: str, default: int) -> int:
        """A number above 0."""
        value = self.given.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise QueryError(f"{self.name} configuration, '{key}' should be a positive integer")
        return value

    def nodes(self) -> Ids:
        """The ids of the nodes that take part."""
        return chosen_nodes(self.run, self.labels)

    def mask(self) -> Mask:
        """Which sets of labels take part."""
        return label_mask(self.run, self.labels)

    def type_ids(self) -> list[int] | None:
        """The ids of the types that take part; None for all."""
        return type_ids(self.run, self.types)


def label_mask(run: Run, names: Sequence[str] | None) -> Mask:
    """Which sets of labels have one of some labels; all if there are no names."""
    store = run.graph.store
    mask = np.full(len(store.label_sets), names is None, np.uint8)
    for name in names or ():
        mask |= store.label_mask(run.graph.labels.get(name))
    return mask


def chosen_nodes(run: Run, names: Sequence[str] | None) -> Ids:
    """The ids of the nodes with one of some labels; of all if there are no names."""
    ids = run.graph.store.nodes_with(-1)
    return ids if names is None else ids[run.graph.store.having(ids, label_mask(run, names))]


def type_ids(run: Run, names: Sequence[str] | None) -> list[int] | None:
    """The ids of types; None for all."""
    return None if names is None else [run.graph.types.get(name) for name in names]


class Scores:
    """What an algorithm yields: nodes, and a number for each; as rows or as columns."""

    def __init__(self, run: Run, nodes: Ids, values: np.typing.NDArray[np.generic]) -> None:
        self.run = run
        self.nodes = nodes
        self.values = values

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        store = self.run.graph.store
        pairs = zip(self.nodes.tolist(), self.values.tolist(), strict=True)
        return ((store.node(id), value) for id, value in self.run.each(pairs))
