"""Which queries the compiled ranking can do: those of words alone, each with its alternatives."""

from __future__ import annotations

from balas_search.evaluation.cursors import (
    Cursor,
    GroupCursor,
    IntersectionCursor,
    TermCursor,
    UnionCursor,
)
from balas_search.evaluation.scorers import idf_of
from balas_search.postings.ranking import Part, Ranking


def ranking_of(cursor: Cursor) -> Ranking | None:
    """The ranking of a query by TFIDF; None if there is more in it than words."""
    if isinstance(cursor, TermCursor):
        part = part_of(cursor)
        return None if part is None else Ranking([part], False)
    if not isinstance(cursor, GroupCursor) or cursor.weight != 1.0 or not cursor.children:
        return None
    if isinstance(cursor, UnionCursor):
        if cursor.alone is not None:
            return None
        if cursor.first_only:
            part = part_of(cursor)
            return None if part is None else Ranking([part], len(cursor.children) > 1)
    elif not isinstance(cursor, IntersectionCursor):
        return None
    parts = []
    for child in cursor.children:
        part = part_of(child)
        if part is None:
            return None
        parts.append(part)
    return Ranking(parts, len(parts) > 1)


def part_of(cursor: Cursor) -> Part | None:
    """A word with its alternatives; None if it is something else."""
    if isinstance(cursor, TermCursor):
        if cursor.weight != 1.0:
            return None
        return Part([(cursor.posting, cursor.mask, idf_of(cursor))])
    if not isinstance(cursor, UnionCursor) or cursor.weight != 1.0:
        return None
    leaves = []
    for child in cursor.children:
        # What has no positions counts all the same as an alternative, when distances are measured.
        if (
            not isinstance(child, TermCursor)
            or child.weight != 1.0
            or not child.posting.offsets_bytes()
        ):
            return None
        leaves.append((child.posting, child.mask, idf_of(child)))
    return Part(leaves, cursor.first_only, cursor.alone)
