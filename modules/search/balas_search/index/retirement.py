"""Frees what an index held that was dropped: step by step, for all at once takes long.

Millions of terms and postings are as many small objects. Nobody can find the index any more
when this begins: cursors know it by its name, and say that it was dropped.
"""

from __future__ import annotations

from collections.abc import Iterator

from balas_search.index.emptying import emptied
from balas_search.index.index import Index


def emptying(index: Index) -> Iterator[None]:
    """Free what an index holds; each step frees a little of it."""
    yield from emptied(index.documents.payloads)
    yield from index.terms.emptied()
    yield from index.vocabulary.emptied()
    for name in list(index.fields):
        field = index.fields.pop(name)
        yield from field.emptied()
        field.close()
        del field
        yield
    for columns in (index.columns, index.read_columns):
        while columns:
            columns.popitem()
            yield
