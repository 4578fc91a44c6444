"""Frees what an index held that was dropped: step by step, for all at once takes long.

Millions of terms and postings are as many small objects. Nobody can find the index any more
when this begins: cursors know it by its name, and say that it was dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from balas_search.fields.tag import TagIndex
from balas_search.index.index import Index

# So many entries go in one step.
STEP = 256


def emptying(index: Index) -> Iterator[None]:
    """Free what an index holds; each step frees a little of it."""
    yield from emptied(index.documents.payloads)
    yield from emptied(index.terms)
    yield from shortened(index.vocabulary.in_any_order())
    for name in list(index.fields):
        field = index.fields.pop(name)
        if isinstance(field, TagIndex):
            yield from emptied(field.values)
            yield from shortened(field.vocabulary.in_any_order())
        field.close()
        del field
        yield
    for name in list(index.columns):
        del index.columns[name]
        yield


def emptied(entries: dict[Any, Any]) -> Iterator[None]:
    """Take all entries out of a dict."""
    while entries:
        for _ in range(min(STEP, len(entries))):
            entries.popitem()
        yield


def shortened(entries: list[Any]) -> Iterator[None]:
    """Take all entries out of a list, from its end."""
    while entries:
        del entries[-STEP:]
        yield
