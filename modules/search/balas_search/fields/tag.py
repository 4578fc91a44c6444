"""TAG: words and phrases that are found as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from balas_search.evaluation.cursors import Cursor, SetCursor, TermCursor
from balas_search.evaluation.evaluation import NO_DOCS, affixed, matching
from balas_search.fields.base import BadField, Docs, FieldIndex
from balas_search.fields.spec import FieldSpec
from balas_search.index.vocabulary import Vocabulary
from balas_search.postings.termtable import MOVED_AT_ONCE, TermTable
from balas_search.query.lexer import unescaped
from balas_search.query.tree import Affix, Branch, Node, Pattern, Tag, Token

if TYPE_CHECKING:
    from balas_search.evaluation.evaluation import Evaluation


# The postings of a tag know no text fields: all their documents have the first bit.
ANY_FIELD = 1
# What `?` stands for in a pattern.
BYTE = b"."


class TagIndex(FieldIndex):
    """The values of one field, each with its documents."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self.values = TermTable()
        self.vocabulary = Vocabulary()

    def prepare(self, values: list[Any]) -> list[bytes]:
        """The tags, each once."""
        found: dict[bytes, None] = {}
        for value in values:
            if isinstance(value, bool):
                value = b"true" if value else b"false"
            if not isinstance(value, bytes | bytearray):
                raise BadField("Could not add a value to a TAG field")
            found.update(dict.fromkeys(self.split(bytes(value))))
        return list(found)

    def split(self, value: bytes) -> list[bytes]:
        """A value's tags, trimmed, and in lower case if case does not matter."""
        if not self.spec.case_sensitive:
            value = folded(value)
        parts = value.split(self.spec.separator) if self.spec.separator != b"\0" else [value]
        found = [part.strip(b" \t\n\r\f\v") for part in parts]
        if self.spec.index_empty and not value:
            return [b""]
        return [part for part in found if part]

    def add(self, doc: int, prepared: list[bytes]) -> int:
        """Add a document's tags."""
        for value in prepared:
            if self.values.add_doc(value, doc):
                self.vocabulary.add(value)
        return min(len(prepared), 1)

    def sort_value(self, prepared: list[bytes], values: list[Any]) -> bytes | None:
        """The whole value."""
        if not values or not isinstance(values[0], bytes):
            return None
        value = values[0]
        return value if self.spec.case_sensitive or self.spec.unnormalized else folded(value)

    def normalized(self, value: bytes) -> bytes:
        """A value as it is looked for."""
        return value if self.spec.case_sensitive else folded(value)

    def cursor(self, node: Any, evaluation: Evaluation) -> Cursor:
        """Any of the values."""
        if not isinstance(node, Tag):
            return super().cursor(node, evaluation)
        found = [self._value(child, node.weight, evaluation) for child in node.children]
        return evaluation.any_of(found, node.weight, node)

    def _value(self, node: Node, weight: float, evaluation: Evaluation) -> Cursor:
        at_most = evaluation.limits.expansions_max
        if isinstance(node, Affix):
            text = self.normalized(unescaped(node.text))
            if len(text) < evaluation.limits.prefix_min:
                return SetCursor(NO_DOCS)
            looked_for = Affix(text=text, prefix=node.prefix, suffix=node.suffix)
            found = affixed(self.vocabulary, looked_for, at_most, evaluation.check_time)
        elif isinstance(node, Pattern):
            pattern = self.normalized(node.text)
            found = matching(self.vocabulary, pattern, at_most, BYTE, evaluation.check_time)
        else:
            words = node.children if isinstance(node, Branch) else [node]
            text = b" ".join(unescaped(word.text) for word in words if isinstance(word, Token))
            found = [self.normalized(text)]
        total = len(evaluation.index.documents)
        several = node if isinstance(node, Affix | Pattern) else None
        postings = [self.values.get(value) for value in found]
        return evaluation.any_of(
            [
                TermCursor(posting, ANY_FIELD, weight, total)
                for posting in postings
                if posting is not None
            ],
            1.0,
            several,
        )

    def renumber(self, new_ids: Docs) -> None:
        """Move to new ids."""
        self.values.renumber(new_ids)

    def settled(self) -> Iterator[None]:
        """Move what was not asked for meanwhile; values without documents go."""
        return self.values.settled(self.vocabulary.forget, MOVED_AT_ONCE)

    def emptied(self) -> Iterator[None]:
        """Free what is held, in steps."""
        yield from self.values.emptied()
        yield from self.vocabulary.emptied()

    def memory(self) -> int:
        """Bytes it takes."""
        return self.values.posting_bytes


def folded(value: bytes) -> bytes:
    """In lower case, if it is text."""
    if value.isascii():
        return value.lower()
    try:
        return value.decode().lower().encode()
    except UnicodeDecodeError:
        return value.lower()
