"""Where documents come from: what a value of the keyspace holds under the names of a schema."""

from __future__ import annotations

from typing import Any, Protocol

from balas.api import ReplyError

HASH_TYPE = "hash"
JSON_TYPE = "ReJSON-RL"


class HashLike(Protocol):
    """What is used of the core's hash."""

    def get_all(self, names: tuple[bytes, ...], now_ms: int) -> list[bytes | None]:
        """The values of these fields, None where there is none."""

    def flat(self, now_ms: int) -> list[bytes]:
        """Fields and values in turn, in the hash's own order."""


class JsonLike(Protocol):
    """What is used of a JSON document, which is another module's value."""

    def path(self, text: bytes) -> Any:
        """A path for the other two; raises ReplyError."""

    def select(self, path: Any) -> list[Any]:
        """What a path selects, as replies."""

    def texts(self, path: Any) -> list[bytes]:
        """What a path selects, as JSON."""


class DocumentReader:
    """Reads the documents of one index: hashes, or JSON."""

    def __init__(self, on_json: bool) -> None:
        self.on_json = on_json
        self._type = JSON_TYPE if on_json else HASH_TYPE
        self._paths: dict[bytes, Any] = {}

    def is_document(self, value: object) -> bool:
        """Whether a value is of the kind that the index holds."""
        return getattr(value, "type_name", None) == self._type

    def fields(self, value: Any, names: tuple[bytes, ...], now_ms: int) -> list[list[Any] | None]:
        """What a document holds under these names, each a hash field or a JSON path.

        A list for each: of one item for a hash, of all that a path selects for JSON. None where
        there is nothing.
        """
        if not self.on_json:
            source: HashLike = value
            found = source.get_all(names, now_ms)
            return [None if item is None else [item] for item in found]
        return [self._selected(value, name) or None for name in names]

    def _selected(self, value: JsonLike, name: bytes) -> list[Any]:
        path = self._path(value, name)
        return [] if path is None else value.select(path)

    def _path(self, value: JsonLike, name: bytes) -> Any:
        """A path, once it was compiled; None if it is none."""
        if name not in self._paths:
            try:
                self._paths[name] = value.path(name)
            except ReplyError:
                self._paths[name] = None
        return self._paths[name]

    def whole(self, value: HashLike, now_ms: int) -> list[tuple[bytes, Any]]:
        """All fields of a hash."""
        flat = value.flat(now_ms)
        return list(zip(flat[::2], flat[1::2], strict=True))

    def shown(self, value: Any, name: bytes, now_ms: int, dialect: int, expand: bool) -> Any:
        """What a document holds under a name, as it is shown; None if there is nothing.

        Of JSON that is, up to dialect 2, the first match, a string as it is; then all matches, as
        JSON; and with `expand` all matches, as replies.
        """
        if not self.on_json:
            source: HashLike = value
            return source.get_all((name,), now_ms)[0]
        path = self._path(value, name)
        if path is None:
            return None
        selected = value.select(path)
        if not selected:
            return None
        if expand:
            return [without_booleans(item) for item in selected]
        if dialect >= 3:
            return b"[" + b",".join(value.texts(path)) + b"]"
        if isinstance(selected[0], bytes) or selected[0] is None:
            return selected[0]
        return value.texts(path)[0]


def without_booleans(item: Any) -> Any:
    """A reply with 1 for true and 0 for false."""
    if isinstance(item, bool):
        return int(item)
    if isinstance(item, list):
        return [without_booleans(inner) for inner in item]
    if isinstance(item, dict):
        return {name: without_booleans(inner) for name, inner in item.items()}
    return item
