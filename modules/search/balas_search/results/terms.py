"""The terms of a query, in its cursors."""

from __future__ import annotations

from collections.abc import Iterator

from balas_search.evaluation.cursors import Cursor, GroupCursor, OptionalCursor, TermCursor


def terms_of(cursor: Cursor) -> Iterator[TermCursor]:
    """All terms that a query looked for."""
    if isinstance(cursor, TermCursor):
        yield cursor
    elif isinstance(cursor, GroupCursor):
        for child in cursor.children:
            yield from terms_of(child)
    elif isinstance(cursor, OptionalCursor):
        yield from terms_of(cursor.child)
