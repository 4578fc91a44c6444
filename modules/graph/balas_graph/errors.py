"""What can go wrong in a query: when it is read, and when it runs."""

from __future__ import annotations

from balas.api import ReplyError


class QueryError(ReplyError):
    """A query that cannot go on; its changes are undone."""


class SyntaxMistake(QueryError):
    """A text that is no query, with the place where that shows."""

    def __init__(self, message: str, text: str, position: int) -> None:
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1) + 1
        start = max(0, position - 40)
        context = " ".join(text[start : position + 40].splitlines())
        super().__init__(
            f"errMsg: {message} line: {line}, column: {column}, offset: {position} "
            f"errCtx: {context} errCtxOffset: {position - start}"
        )


class MeaningMistake(QueryError):
    """A text that reads as a query, but makes no sense."""


def type_mismatch(expected: str, was: str) -> QueryError:
    """The error for a value of a type that does not fit."""
    return QueryError(f"Type mismatch: expected {expected} but was {was}")
