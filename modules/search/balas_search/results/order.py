"""Which of the documents found come first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.aggregate.columns import Check, Numbers, Texts, unlimited
from balas_search.evaluation.cursors import Docs
from balas_search.fields.spec import NUMERIC, FieldSpec
from balas_search.index.columns import NumericColumn, TextColumn
from balas_search.index.index import Index

# A field of documents that was read from them: one value each, None for none.
Loaded = Numbers | Texts | list[Any]
# So few are sorted rather than parted first.
SORTED_AT_ONCE = 500
# So many keys are sorted, or parted, before time is looked at again.
KEYS_AT_ONCE = 32768
PARTED_AT_ONCE = 262144


def first_places(
    keys: NDArray[np.float64], count: int, check_time: Check = unlimited
) -> NDArray[np.int64]:
    """The places of the `count` lowest keys, in order; equal ones in the order they stand in.

    NaN comes last. Raises TimeUp, as `check_time` does.
    """
    total = len(keys)
    if count <= 0:
        return np.empty(0, np.int64)
    if count >= total // 2 or total <= SORTED_AT_ONCE:
        return sorted_in_parts(keys, check_time)[:count]
    bound = lowest(keys, count, check_time)
    if np.isnan(bound):
        return sorted_in_parts(keys, check_time)[:count]
    below = np.flatnonzero(keys < bound)
    equal = np.flatnonzero(keys == bound)[: count - len(below)]
    places = np.sort(np.concatenate([below, equal]))
    return places[np.argsort(keys[places], kind="stable")]


def lowest(keys: NDArray[np.float64], count: int, check_time: Check) -> float:
    """The last of the `count` lowest keys, of which there are as many; raises TimeUp."""
    size = max(PARTED_AT_ONCE, 4 * count)
    found = keys[:size]
    if len(keys) > size:
        parts = []
        for begin in range(0, len(keys), size):
            check_time()
            part = keys[begin : begin + size]
            parts.append(part if len(part) <= count else np.partition(part, count - 1)[:count])
        found = np.concatenate(parts)
    return float(np.partition(found, count - 1)[count - 1])


def sorted_in_parts(keys: NDArray[Any], check_time: Check) -> NDArray[np.int64]:
    """The places of all keys in order, as a stable sort has them; raises TimeUp.

    Many keys are dealt out first, by bounds that a sample of them gives, and then sorted a heap
    after the other. Equal keys lie in one heap, which is quick to sort if it holds nothing else.
    """
    total = len(keys)
    if total <= 2 * KEYS_AT_ONCE:
        check_time()
        return np.argsort(keys, kind="stable")
    heaps = min(total // KEYS_AT_ONCE + 1, 256)
    sample = np.sort(keys[:: total // (heaps * 32)])
    bounds = sample[32 : len(sample) : 32]
    heap_of = np.empty(total, np.uint16)
    for begin in range(0, total, KEYS_AT_ONCE):
        check_time()
        part = keys[begin : begin + KEYS_AT_ONCE]
        heap_of[begin : begin + KEYS_AT_ONCE] = np.searchsorted(bounds, part, side="right")
    found = []
    for heap in range(len(bounds) + 1):
        check_time()
        places = np.flatnonzero(heap_of == heap)
        values = keys[places]
        if len(places) > KEYS_AT_ONCE and (values == values[0]).all():
            found.append(places)
        else:
            found.append(places[np.argsort(values, kind="stable")])
    return np.concatenate(found)


def by_score(
    scores: NDArray[np.float64], offset: int, count: int, check_time: Check = unlimited
) -> NDArray[np.int64]:
    """Places by score, the highest first, then by id; what is no number counts as nothing.

    Raises TimeUp.
    """
    keys = -scores
    unknown = np.isnan(keys)
    if unknown.any():
        keys[unknown] = 0.0
    return first_places(keys, offset + count, check_time)[offset:]


def by_keys(
    keys: NDArray[np.float64],
    descending: bool,
    offset: int,
    count: int,
    check_time: Check = unlimited,
) -> NDArray[np.int64]:
    """Places by sort key, then by id, both in the same direction; those without come last.

    Raises TimeUp.
    """
    check_time()
    if not descending:
        return first_places(keys, offset + count, check_time)[offset:]
    return len(keys) - 1 - first_places(-keys[::-1], offset + count, check_time)[offset:]


class SortColumn:
    """What documents are sorted by: a SORTABLE field's column, or what the documents hold."""

    def __init__(self, index: Index, spec: FieldSpec, docs: Docs, loaded: Loaded | None) -> None:
        self.docs = docs
        self.loaded = loaded
        self.column = index.columns.get(spec.name)
        self.numeric = spec.kind == NUMERIC
        if loaded is not None:
            self.keys = loaded_keys(loaded, self.numeric)
        else:
            assert self.column is not None
            self.keys = self.column.sort_keys(docs)

    def shown(self, place: int) -> bytes | None:
        """The sort key of a document, as WITHSORTKEYS shows it."""
        value: Any
        if self.loaded is not None:
            value = value_at(self.loaded, place)
        elif isinstance(self.column, NumericColumn):
            value = float(self.keys[place])
            value = None if np.isnan(value) else value
        else:
            assert isinstance(self.column, TextColumn)
            value = self.column.at(self.docs[place : place + 1])[0]
        if value is None:
            return None
        return b"#" + number_text(value, 17) if self.numeric else b"$" + value


def value_at(loaded: Loaded, place: int) -> Any:
    """A value that was read; None if there is none."""
    if isinstance(loaded, Texts):
        code = int(loaded.codes[place])
        return loaded.texts[code] if code >= 0 else None
    if isinstance(loaded, Numbers):
        value = float(loaded.data[place])
        return None if np.isnan(value) else value
    return loaded[place]


def loaded_keys(loaded: Loaded, numeric: bool) -> NDArray[np.float64]:
    """Numbers in the order of values that were read from documents; NaN for none."""
    if isinstance(loaded, Numbers):
        return loaded.data
    if isinstance(loaded, Texts):
        rank = ranks_of(loaded.texts)
        # The last is for codes below 0, which stand for no text.
        ranks = np.array([*(rank[text] for text in loaded.texts), np.nan])
        return ranks[np.where(loaded.codes < 0, len(loaded.texts), loaded.codes)]
    if numeric:
        return np.array([np.nan if value is None else value for value in loaded], float)
    rank = ranks_of([text for text in loaded if text is not None])
    return np.array([np.nan if text is None else rank[text] for text in loaded], float)


def ranks_of(texts: Iterable[bytes]) -> dict[bytes, int]:
    """The texts with their places in order."""
    return {text: at for at, text in enumerate(sorted(set(texts)))}


def number_text(value: float, digits: int = 12) -> bytes:
    """A number as RediSearch prints it."""
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return b"%d" % int(value)
    return f"{value:.{digits}g}".encode()
