"""Values of modules to and from the RDB format, orphans among them.

What stands behind a key of the kind MODULE: the id of the type (name and version), the items that
the value's own `rdb_save` wrote, their end. Faults in a module's code come out as `BadData` that
names the type: the file is not to blame, but the loader can only tell where it stopped.
"""

from __future__ import annotations

from balas.engine.faults import FAULTS
from balas.errors import BadData, NotUnderstood
from balas.services.rdb.format import ValueKind, dump_open, dump_seal, module_type_id
from balas.services.rdb.format import module_type_name as split_module_id
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter
from balas.types.orphan import Orphan
from balas.types.registry import TypeRegistry
from balas.types.value import Value


class CannotSave(Exception):
    """A module's value whose `rdb_save` raised something, which is the cause; names the type."""

    def __init__(self, type_name: str, cause: BaseException) -> None:
        super().__init__(f"type '{type_name}' could not save a value: {cause!r}")
        self.type_name = type_name


def save_module_value(writer: RdbWriter, value: Value) -> None:
    """Write a module's value behind its key: id, items, end. Raises OSError, CannotSave."""
    if isinstance(value, Orphan):
        writer.write_raw(value.body)
        return
    items = writer.begin_module_value(module_type_id(value.type_name, value.rdb_version))
    try:
        value.rdb_save(items)
    except OSError:
        raise  # of the writer: a full disk is not the module's fault
    except FAULTS as error:
        raise CannotSave(value.type_name, error) from error
    items.end()


def load_module_value(reader: RdbReader, types: TypeRegistry) -> Value:
    """Read what `save_module_value` wrote; an `Orphan` if nobody has the type, or who has it does
    not understand this version of it. Raises BadData.
    """
    module_id = reader.read_length()
    name, version = split_module_id(module_id)
    kind = types.by_name(name)
    if kind is not None:
        begin = reader.position
        try:
            return _load(reader, kind, version)
        except NotUnderstood:
            # Only who has read nothing has left the value whole.
            if reader.position != begin:
                raise
    writer = RdbWriter()
    writer.write_byte(ValueKind.MODULE)
    writer.write_length(module_id)
    writer.write_raw(reader.capture_module_value())
    return Orphan(name, version, dump_seal(writer.take()), types.orphans)


def pack(value: Value) -> bytes:
    """The DUMP payload of a module's value.

    Example:
        >>> def same(one: Value, other: Value) -> bool:
        ...     return dump_payload(one) == dump_payload(other)
    """
    if isinstance(value, Orphan):
        return value.payload
    writer = RdbWriter()
    writer.write_byte(ValueKind.MODULE)
    save_module_value(writer, value)
    return dump_seal(writer.take())


def unpack(payload: bytes, types: TypeRegistry) -> Value:
    """A module's value from its DUMP payload. Raises BadData."""
    reader = RdbReader(dump_open(payload))
    if reader.read_byte() != ValueKind.MODULE:
        raise BadData("this payload holds no module's value")
    return load_module_value(reader, types)


def set_aside(value: Value, types: TypeRegistry) -> Orphan:
    """The orphan that a module's value becomes when its module goes."""
    return Orphan(value.type_name, value.rdb_version, pack(value), types.orphans)


def convert(payload: bytes, kind: type[Value]) -> Value:
    """A value of this very type from its DUMP payload, whoever has its name now.

    Raises BadData, NotUnderstood among them.
    """
    types = TypeRegistry()
    types.register(kind)
    value = unpack(payload, types)
    if isinstance(value, Orphan):
        raise NotUnderstood(f"version {value.rdb_version} of type '{value.type_name}' is unknown")
    return value


def _load(reader: RdbReader, kind: type[Value], version: int) -> Value:
    """Have a type read its own items; what it raises becomes BadData."""
    items = reader.begin_module_value()
    try:
        value = kind.rdb_load(items, version)
    except BadData as error:
        raise type(error)(f"type '{kind.type_name}': {error}") from error
    except FAULTS as error:
        raise BadData(
            f"type '{kind.type_name}' could not load a value at offset {reader.position}: {error!r}"
        ) from error
    if not isinstance(value, kind):
        raise BadData(f"type '{kind.type_name}' loaded a {type(value).__name__} instead of itself")
    items.end()
    return value
