"""DUMP payloads: one value, in the form in which an RDB file holds it, sealed."""

from __future__ import annotations

from typing import Any

from balas.errors import BadData
from balas.services.rdb.format import ValueKind, dump_seal
from balas.services.rdb.module_values import load_module_value, pack
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter
from balas.types.limits import Limits
from balas.types.registry import TypeRegistry
from balas.types.value import Value

# A value as `ctx.read_any` gives it.
Stored = bytes | bytearray | Value


def dump(value: Stored, *, compress: bool = True) -> bytes:
    """The payload of a value."""
    # Values of the core take the writer itself, modules' values a stream of items.
    writer: Any = RdbWriter(compress=compress)
    if not isinstance(value, Value):
        writer.write_byte(ValueKind.STRING)
        writer.write_string(value)
    elif value.rdb_kind is None:
        return pack(value)
    else:
        writer.write_byte(value.rdb_kind)
        value.rdb_save(writer)
    return dump_seal(writer.take())


def restore(body: bytes, types: TypeRegistry, limits: Limits, now_ms: int) -> Stored:
    """The value of an opened payload (`dump_open`). Raises BadData.

    What is kept compact is up to `limits`; parts whose time has come by `now_ms` may be left out.
    """
    reader: Any = RdbReader(body, limits=limits, now_ms=now_ms)
    kind = reader.read_byte()
    if kind == ValueKind.STRING:
        return bytes(reader.read_string())
    if kind == ValueKind.MODULE:
        return load_module_value(reader, types)
    found = types.by_kind(kind)
    value = None if found is None else found.rdb_load(reader, kind)
    if value is None:
        raise BadData(f"unknown kind of value {kind}, or an empty one")
    return value
