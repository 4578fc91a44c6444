"""What tells how an index is made: in a file, and in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from balas_graph.storage._index import Index, RangeIndex
from balas_graph.storage.texts import Field, TextIndex
from balas_graph.storage.vectors import Space, VectorIndex
from balas_graph.storage.words import Words

Definition = list[Any]


def definition(index: Index) -> Definition:
    """[kind, whether of edges, label, property, settings], as JSON can hold it."""
    settings: dict[str, object] = {}
    if isinstance(index, TextIndex):
        settings = {**asdict(index.field), **asdict(index.words)}
    elif isinstance(index, VectorIndex):
        settings = asdict(index.space)
    return [index.kind, bool(index.edges), index.label, index.key, settings]


def defined(made: Sequence[Any]) -> Index:
    """An empty index as a definition wants it; raises ValueError or TypeError."""
    kind, edges, label, key, settings = made
    place = bool(edges), int(label), int(key)
    if kind == RangeIndex.kind:
        return RangeIndex(*place)
    if kind == VectorIndex.kind:
        return VectorIndex(*place, Space(**settings))
    if kind != TextIndex.kind:
        raise ValueError(f"an index of no kind: {kind}")
    words = Words(str(settings.pop("language")), tuple(settings.pop("stop_words")))
    return TextIndex(*place, Field(**settings), words)
