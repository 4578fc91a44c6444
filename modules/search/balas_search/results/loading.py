"""What documents hold, read from the keyspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from balas_search.evaluation.cursors import Docs
from balas_search.fields.base import BadField
from balas_search.fields.numeric import number_of
from balas_search.fields.spec import NUMERIC, FieldSpec
from balas_search.index.columns import NumericColumn, TextColumn
from balas_search.index.index import Index
from balas_search.results.options import Returned
from balas_search.results.order import number_text

Peek = Callable[[bytes], object]
# What RETURN calls the key of a document.
KEY_NAME = b"__key"
# So many documents are read before time is looked at again.
DOCUMENTS_AT_ONCE = 256
ReadFields = Callable[[bytes, tuple[bytes, ...]], list[bytes | None] | None]


class Loader:
    """Reads documents of one index.

    `peek(key)` is the value of a key, `read(key, names)` are fields of a hash.
    """

    def __init__(
        self,
        index: Index,
        peek: Peek,
        read: ReadFields,
        now_ms: int,
        dialect: int = 1,
        expand: bool = False,
    ) -> None:
        self.index = index
        self.reader = index.reader
        self.peek = peek
        self.read = read
        self.now_ms = now_ms
        self.dialect = dialect
        self.expand = expand
        definition = index.definition
        self.hidden = {
            name
            for name in (
                definition.payload_field,
                definition.score_field,
                definition.language_field,
            )
            if name
        }

    def value(self, key: bytes) -> Any:
        """The document's value; None if there is none of the right kind."""
        found = self.peek(key)
        return found if self.reader.is_document(found) else None

    def whole(self, key: bytes) -> list[tuple[bytes, Any]] | None:
        """All that a document holds."""
        value = self.value(key)
        if value is None:
            return None
        if self.reader.on_json:
            shown = self.reader.shown(value, b"$", self.now_ms, self.dialect, self.expand)
            return [(b"$", shown)]
        pairs = self.reader.whole(value, self.now_ms)
        hidden = self.hidden
        return [pair for pair in pairs if pair[0] not in hidden] if hidden else pairs

    def chosen(
        self, keys: list[bytes], docs: Docs, fields: list[Returned]
    ) -> list[list[tuple[bytes, Any]] | None]:
        """The fields that RETURN asks for, of each of these documents."""
        if self.reader.on_json:
            return [
                self._chosen_of_json(key, doc, fields)
                for key, doc in zip(keys, docs.tolist(), strict=True)
            ]
        specs = [self.index.spec_of(field.name) for field in fields]
        names = tuple(
            field.name if spec is None else spec.identifier
            for field, spec in zip(fields, specs, strict=True)
        )
        labels = [field.label for field in fields]
        special = [field.name == KEY_NAME or field.label in self.hidden for field in fields]
        kept = [None if spec is None else self._kept_numbers(spec, docs) for spec in specs]
        numeric = [spec is not None and spec.kind == NUMERIC for spec in specs]
        found: list[list[tuple[bytes, Any]] | None] = []
        for place, key in enumerate(keys):
            values = self.read(key, names)
            if values is None:
                found.append(None)
                continue
            row: list[tuple[bytes, Any]] = []
            columns = zip(labels, values, kept, numeric, special, names, strict=True)
            for label, value, numbers, is_number, is_special, name in columns:
                shown = None if numbers is None else numbers[place]
                if is_special:
                    shown = key if name == KEY_NAME else None
                elif shown is None:
                    shown = as_number(value) if is_number and value is not None else value
                if shown is not None:
                    row.append((label, shown))
            found.append(row)
        return found

    def _kept_numbers(self, spec: FieldSpec, docs: Docs) -> list[bytes | None] | None:
        """A SORTABLE field's numbers as they are shown; None if it has none."""
        column = self.index.columns.get(spec.name)
        if not isinstance(column, NumericColumn):
            return None
        numbers = column.at(docs).tolist()
        return [number_text(number) if number == number else None for number in numbers]

    def _chosen_of_json(
        self, key: bytes, doc: int, fields: list[Returned]
    ) -> list[tuple[bytes, Any]] | None:
        value = self.value(key)
        if value is None:
            return None
        found: list[tuple[bytes, Any]] = []
        for field in fields:
            if field.name == KEY_NAME:
                found.append((field.label, key))
                continue
            shown = self.field(value, doc, field.name)
            if shown is not None or self._shows_null(value, field.name):
                found.append((field.label, shown))
        return found

    def _shows_null(self, value: Any, name: bytes) -> bool:
        """Whether a JSON document holds something there of which null is shown."""
        if self.dialect > 2 and not self.expand:
            return False
        spec = self.index.spec_of(name)
        path = name if spec is None else spec.identifier
        return bool(self.reader.fields(value, (path,), self.now_ms)[0])

    def field(self, value: Any, doc: int, name: bytes) -> Any:
        """One field of a document, as it is shown; None if it has none."""
        spec = self.index.spec_of(name)
        if spec is None:
            return self.reader.shown(value, name, self.now_ms, self.dialect, self.expand)
        if not self.expand and self._keeps(spec, value):
            kept = self.kept(spec, doc)
            if kept is not None or self.dialect > 2:
                return kept
        shown = self.reader.shown(value, spec.identifier, self.now_ms, self.dialect, self.expand)
        plain = spec.kind == NUMERIC and self.dialect < 3 and isinstance(shown, bytes)
        return as_number(shown) if plain else shown

    def _keeps(self, spec: FieldSpec, value: Any) -> bool:
        """Whether the index may know the field of this document as it is shown: of several values
        that JSON has in one, it keeps one to sort by.
        """
        if spec.name not in self.index.columns:
            return False
        if not self.reader.on_json:
            return True
        held = self.reader.fields(value, (spec.identifier,), self.now_ms)[0]
        return held is not None and len(held) == 1 and not isinstance(held[0], list)

    def kept(self, spec: FieldSpec, doc: int) -> bytes | None:
        """What is shown of a SORTABLE field because the index has it: numbers, and JSON's texts."""
        column = self.index.columns.get(spec.name)
        docs = np.array([doc], np.uint32)
        if isinstance(column, NumericColumn):
            number = float(column.at(docs)[0])
            return None if np.isnan(number) else number_text(number)
        if isinstance(column, TextColumn) and self.reader.on_json and spec.unnormalized:
            return column.at(docs)[0]
        return None

    def column(self, docs: Docs, spec: FieldSpec, check_time: Callable[[], None]) -> list[Any]:
        """A field of many documents: numbers of a NUMERIC field, else bytes; None for none.

        Raises TimeUp, as `check_time` does.
        """
        names = (spec.identifier,)
        found: list[Any] = []
        for place, key in enumerate(self.index.documents.keys_of(docs)):
            if place % DOCUMENTS_AT_ONCE == DOCUMENTS_AT_ONCE - 1:
                check_time()
            value = self.value(key or b"")
            read = None if value is None else self.reader.fields(value, names, self.now_ms)[0]
            found.append(self._converted(read[0], spec) if read else None)
        return found

    def _converted(self, value: Any, spec: FieldSpec) -> Any:
        if spec.kind != NUMERIC:
            return value if isinstance(value, bytes) else None
        try:
            return number_of(value)
        except BadField:
            return None


def as_number(text: bytes) -> bytes:
    """A number as it is shown; what is none stays as it is."""
    try:
        return number_text(number_of(text))
    except BadField:
        return text
