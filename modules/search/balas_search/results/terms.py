"""The terms of a query, in its cursors."""

from __future__ import annotations

from collections.abc import Iterator

from balas_search.evaluation.cursors import (
    Cursor,
    Docs,
    Flags,
    GroupCursor,
    OptionalCursor,
    TermCursor,
    UnionCursor,
)


def terms_of(cursor: Cursor) -> Iterator[TermCursor]:
    """All terms that a query looked for."""
    if isinstance(cursor, TermCursor):
        yield cursor
    elif isinstance(cursor, GroupCursor):
        for child in cursor.children:
            yield from terms_of(child)
    elif isinstance(cursor, OptionalCursor):
        yield from terms_of(cursor.child)


def terms_matched(cursor: Cursor, docs: Docs, among: Flags) -> Iterator[tuple[TermCursor, Flags]]:
    """The terms of a query, each with the documents that match by it: flags for `docs` (sorted).

    `among` are those of `docs` that match what `cursor` is a part of.
    """
    if isinstance(cursor, OptionalCursor):
        yield from terms_matched(cursor.child, docs, among)
    elif isinstance(cursor, TermCursor | GroupCursor):
        there = among & cursor.present(docs).astype(bool)
        if isinstance(cursor, TermCursor):
            yield cursor, there
        else:
            for child in cursor.children:
                yield from terms_matched(child, docs, there)
                if isinstance(cursor, UnionCursor) and cursor.first_only:
                    there = there & ~child.present(docs).astype(bool)
