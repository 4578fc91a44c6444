"""Values whose module is not there: kept byte for byte, and brought to life by it."""

from __future__ import annotations

from typing import Self

import pytest

from balas.errors import BadData
from balas.services.rdb.module_values import (
    CannotSave,
    convert,
    load_module_value,
    pack,
    save_module_value,
    set_aside,
    unpack,
)
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter
from balas.types.digest import Digest
from balas.types.orphan import Orphan
from balas.types.registry import TypeRegistry
from balas.types.streams import LoadStream, SaveStream
from balas.types.value import Value


class Note(Value):
    """A text and some numbers, in every kind of item."""

    type_name = "test-note"
    rdb_version = 3

    def __init__(self, text: bytes, number: int, share: float) -> None:
        self.text = text
        self.number = number
        self.share = share

    def rdb_save(self, out: SaveStream) -> None:
        out.save_string(self.text)
        out.save_signed(self.number)
        out.save_unsigned(abs(self.number))
        out.save_double(self.share)
        out.save_float(self.share)

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        assert version == 3
        text, number = source.load_string(), source.load_signed()
        source.load_unsigned()
        share = source.load_double()
        source.load_float()
        return cls(text, number, share)


class Broken(Note):
    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        raise ZeroDivisionError("no share")


class Short(Note):
    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        return cls(source.load_string(), 0, 0.0)


class Confused(Note):
    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        return 5  # type: ignore[return-value]  # as wrong code would


NOTE = Note(b"compress me " * 40, -(2**63), 0.1)


def types_of(*kinds: type[Value]) -> TypeRegistry:
    types = TypeRegistry()
    for kind in kinds:
        types.register(kind)
    return types


def orphan() -> Orphan:
    found = unpack(pack(NOTE), types_of())
    assert isinstance(found, Orphan)
    return found


def saved(value: Value) -> bytes:
    writer = RdbWriter()
    save_module_value(writer, value)
    return writer.take()


def digest_of(value: Value) -> str:
    digest = Digest()
    value.digest(digest)
    return digest.hex()


def test_a_value_nobody_knows_becomes_an_orphan_with_its_name_and_version() -> None:
    assert (orphan().type_name, orphan().rdb_version) == ("test-note", 3)
    assert orphan().encoding() == "raw"


def test_an_orphan_is_saved_byte_for_byte() -> None:
    assert saved(orphan()) == saved(NOTE)
    assert pack(orphan()) == pack(NOTE)


def test_an_orphan_comes_alive_with_its_type() -> None:
    note = unpack(pack(orphan()), types_of(Note))
    assert isinstance(note, Note)
    assert (note.text, note.number, note.share) == (NOTE.text, NOTE.number, NOTE.share)


def test_loading_an_orphan_stops_at_its_end() -> None:
    reader = RdbReader(saved(NOTE) + b"rest")
    load_module_value(reader, types_of())
    assert reader.read_raw(4) == b"rest"


def test_a_copy_of_an_orphan_is_equal_and_saved_the_same() -> None:
    assert digest_of(orphan().copy()) == digest_of(orphan())
    assert saved(orphan().copy()) == saved(orphan())


def test_the_log_records_an_orphan_as_a_restore_of_its_payload() -> None:
    assert list(orphan().aof_rewrite(b"k")) == [(b"RESTORE", b"k", b"0", pack(NOTE))]


def test_orphans_are_counted_while_they_live() -> None:
    types = types_of()
    first = unpack(pack(NOTE), types)
    second = first.copy()
    assert types.orphans["test-note"] == 2
    del first
    assert types.orphans["test-note"] == 1
    del second
    assert types.orphans["test-note"] == 0


def test_a_value_that_is_set_aside_comes_back_the_same() -> None:
    types = types_of()
    aside = set_aside(NOTE, types)
    assert types.orphans["test-note"] == 1
    assert pack(convert(aside.payload, Note)) == pack(NOTE)


def test_the_memory_of_an_orphan_covers_its_bytes() -> None:
    assert len(pack(NOTE)) < orphan().memory_usage() < len(pack(NOTE)) + 200


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Broken, "type 'test-note' could not load a value at offset .* ZeroDivisionError"),
        (Short, "a signed number where a module's value should have its end at offset"),
        (Confused, "loaded a int instead of itself"),
    ],
)
def test_a_type_that_cannot_load_its_value_is_named(kind: type[Value], reason: str) -> None:
    with pytest.raises(BadData, match=reason):
        unpack(pack(NOTE), types_of(kind))


def test_a_type_that_cannot_save_its_value_is_named() -> None:
    with pytest.raises(CannotSave, match="type 'test-note' could not save a value: TypeError"):
        pack(Note(b"", 5, b"no float"))  # type: ignore[arg-type]  # as wrong code would


def test_a_full_disk_is_nobody_s_fault() -> None:
    def full(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        save_module_value(RdbWriter(full, compress=False), Note(b"a" * 1_000_000, 5, 0.5))


def test_a_cut_or_changed_payload_is_refused() -> None:
    payload = pack(NOTE)
    for cut in range(len(payload)):
        with pytest.raises(BadData):
            unpack(payload[:cut], types_of(Note))
    with pytest.raises(BadData, match="checksum"):
        unpack(payload[:20] + b"?" + payload[21:], types_of(Note))
