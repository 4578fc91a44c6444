"""The value at a key: a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

from balas.api import (
    BadData,
    Digest,
    LoadStream,
    NotUnderstood,
    ReplyError,
    SaveStream,
    Value,
)
from balas_json._document import Document, parsed
from balas_json._paths import Path, compiled

# What this object takes, with the garbage collector's part.
VALUE_BYTES = 48
# A document is freed in steps of this much or more.
SHED_BYTES = 1024


class JsonValue(Value):
    """A JSON document as a value, saved as RedisJSON saves it: as its text."""

    __slots__ = ("document",)

    type_name = "ReJSON-RL"
    rdb_version = 3

    def __init__(self, document: Document) -> None:
        self.document = document

    def memory_usage(self) -> int:
        """The document, and the objects that hold it."""
        return self.document.memory + VALUE_BYTES

    def free_effort(self) -> int:
        """One for every kilobyte or so."""
        return self.document.memory // SHED_BYTES

    def free_step(self, effort: int) -> bool:
        """Give up some values, or some memory; True while there are more."""
        return self.document.shed(effort)

    def copy(self) -> Self:
        """An equal document."""
        return type(self)(self.document.copy())

    def digest(self, digest: Digest) -> None:
        """The text counts."""
        digest.add(self.document.text())

    def rdb_save(self, out: SaveStream) -> None:
        """Write the text."""
        out.save_string(self.document.text())

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Read the text; in version 2 it may be followed by the name of an index of old."""
        if version not in (2, 3):
            raise NotUnderstood(f"JSON document of a version not known: {version}")
        text = source.load_string()
        if version == 2 and source.load_unsigned():
            source.load_string()
            source.load_string()
        try:
            return cls(parsed(text, "", True))
        except ReplyError as error:
            raise BadData(f"JSON document: {error.text}") from error

    @staticmethod
    def path(text: bytes) -> Path:
        """A path for `select` and `texts`, which other modules call: they follow this value's
        changes and have no other way to what it holds. Raises ReplyError.
        """
        return compiled(text)

    def select(self, path: Path) -> list[Any]:
        """What a path selects, as replies."""
        return self.document.values(path, None)

    def texts(self, path: Path) -> list[bytes]:
        """What a path selects, as JSON."""
        return self.document.texts(path)

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """One JSON.SET, and one more for every part that is nested too deep for a text."""
        for path, text in self.document.pieces():
            yield b"JSON.SET", key, path, text
