"""What documents hold, read from the keyspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from balas_search.evaluation.cursors import Docs
from balas_search.fields.base import BadField
from balas_search.fields.numeric import number_of
from balas_search.fields.spec import NUMERIC, FieldSpec
from balas_search.index.columns import NumericColumn
from balas_search.index.documents import is_document, read_all, read_fields
from balas_search.index.index import Index
from balas_search.results.options import Returned
from balas_search.results.order import number_text

Peek = Callable[[bytes], object]


class Loader:
    """Reads documents of one index. `peek(key)` is the value of a key."""

    def __init__(self, index: Index, peek: Peek, now_ms: int) -> None:
        self.index = index
        self.peek = peek
        self.now_ms = now_ms
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
        return found if is_document(found, self.index.definition.on_json) else None

    def whole(self, key: bytes) -> list[tuple[bytes, Any]] | None:
        """All fields of a document."""
        value = self.value(key)
        if value is None:
            return None
        return [pair for pair in read_all(value, self.now_ms) if pair[0] not in self.hidden]

    def chosen(
        self, key: bytes, doc: int, fields: list[Returned]
    ) -> list[tuple[bytes, Any]] | None:
        """The fields that RETURN asks for."""
        value = self.value(key)
        if value is None:
            return None
        specs = [self.index.spec_of(field.name) for field in fields]
        names = tuple(
            field.name if spec is None else spec.identifier
            for field, spec in zip(fields, specs, strict=True)
        )
        values = read_fields(value, names, self.now_ms)
        found = []
        for field, spec, read in zip(fields, specs, values, strict=True):
            shown = self._sorted_number(spec, doc) or (read[0] if read else None)
            if shown is not None:
                found.append((field.label, shown))
        return found

    def _sorted_number(self, spec: FieldSpec | None, doc: int) -> bytes | None:
        """The number of a SORTABLE field, which is printed in its own way."""
        if spec is None or not spec.sortable or spec.kind != NUMERIC:
            return None
        column = self.index.columns[spec.name]
        assert isinstance(column, NumericColumn)
        value = float(column.at(np.array([doc], np.uint32))[0])
        return None if np.isnan(value) else number_text(value)

    def column(self, docs: Docs, spec: FieldSpec) -> list[Any]:
        """A field of many documents: numbers of a NUMERIC field, else bytes; None for none."""
        keys = self.index.documents.keys
        names = (spec.identifier,)
        found: list[Any] = []
        for doc in docs.tolist():
            value = self.value(keys[doc] or b"")
            read = None if value is None else read_fields(value, names, self.now_ms)[0]
            found.append(self._converted(read[0], spec) if read else None)
        return found

    def _converted(self, value: Any, spec: FieldSpec) -> Any:
        if spec.kind != NUMERIC:
            return value
        try:
            return number_of(value)
        except BadField:
            return None
