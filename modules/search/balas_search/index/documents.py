"""Where documents come from: what a value of the keyspace holds under the names of a schema."""

from __future__ import annotations

from typing import Any, Protocol

JSON_TYPE = "ReJSON-RL"


class HashLike(Protocol):
    """What is used of the core's hash."""

    def get_all(self, names: tuple[bytes, ...], now_ms: int) -> list[bytes | None]:
        """The values of these fields, None where there is none."""

    def flat(self, now_ms: int) -> list[bytes]:
        """Fields and values in turn, in the hash's own order."""


def is_document(value: object, on_json: bool) -> bool:
    """Whether a value is of the kind that an index holds."""
    return getattr(value, "type_name", None) == (JSON_TYPE if on_json else "hash")


def read_fields(value: Any, names: tuple[bytes, ...], now_ms: int) -> list[list[Any] | None]:
    """What a document holds under these names: for each a list, or None."""
    source: HashLike = value
    return [None if found is None else [found] for found in source.get_all(names, now_ms)]


def read_all(value: Any, now_ms: int) -> list[tuple[bytes, bytes]]:
    """All fields of a hash."""
    source: HashLike = value
    flat = source.flat(now_ms)
    return list(zip(flat[::2], flat[1::2], strict=True))
