"""TEXT: full text. The terms of all text fields stand together in the index; see `analysis`."""

from __future__ import annotations

from typing import Any

from balas_search.fields.base import BadField, Docs, FieldIndex
from balas_search.fields.tag import folded


class TextIndex(FieldIndex):
    """Takes the texts of one field as they are; the index's TextWriter does the rest."""

    def prepare(self, values: list[Any]) -> list[bytes]:
        """The texts."""
        for value in values:
            if not isinstance(value, bytes | bytearray):
                raise BadField("Could not add a value to a TEXT field")
        return values

    def add(self, doc: int, prepared: list[bytes]) -> int:
        """Nothing: the writer has added the terms."""
        return 0

    def sort_value(self, prepared: list[bytes], values: list[Any]) -> bytes | None:
        """The text, in lower case unless it is to be kept as it is."""
        if not prepared:
            return None
        return prepared[0] if self.spec.unnormalized else folded(prepared[0])

    def renumber(self, new_ids: Docs) -> None:
        """Nothing is kept here."""

    def memory(self) -> int:
        """Nothing is kept here."""
        return 0
