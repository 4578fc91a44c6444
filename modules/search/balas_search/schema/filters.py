"""The condition of FT.CREATE ... FILTER: which documents an index takes in.

It is written in the language of FT.AGGREGATE. Where it has no value, because a document lacks a
field that it asks for or has a text where a number is meant, the document is taken in.
"""

from __future__ import annotations

from collections.abc import Mapping

from balas_search.aggregate.errors import RowError
from balas_search.aggregate.expressions import parse_expression
from balas_search.aggregate.scalar import value_of
from balas_search.aggregate.values import ABSENT, truth

Values = Mapping[str, bytes]


class Filter:
    """A condition on documents. `fields` are those it asks for; raises ReplyError."""

    def __init__(self, text: bytes) -> None:
        parsed = parse_expression(text)
        self._root = parsed.root
        self.fields = [
            name.decode("utf-8", "replace") for name in parsed.properties if name != b"__key"
        ]

    def accepts(self, values: Values) -> bool:
        """Whether a document with these fields is taken in."""

        def get(name: bytes) -> object:
            return values.get(name.decode("utf-8", "replace"), ABSENT)

        try:
            return bool(truth(value_of(self._root, get)))
        except RowError:
            return True
