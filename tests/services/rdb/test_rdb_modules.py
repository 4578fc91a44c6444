"""Values of modules: their items, their ids, and values kept for a module that is not there."""

import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.errors import BadData
from balas.services.rdb.format import (
    MODULE_NAME_CHARACTERS,
    Opcode,
    ValueKind,
    dump_open,
    dump_seal,
    module_type_id,
    module_type_name,
)
from balas.services.rdb.reader import ModuleReader, RdbReader
from balas.services.rdb.writer import ModuleWriter, RdbWriter
from balas.types.streams import LoadStream, SaveStream

ID = module_type_id("testtype1", 1023)

names = st.text(MODULE_NAME_CHARACTERS.decode(), min_size=9, max_size=9)
items = st.lists(
    st.one_of(
        st.tuples(st.just("unsigned"), st.integers(0, 2**64 - 1)),
        st.tuples(st.just("signed"), st.integers(-(2**63), 2**63 - 1)),
        st.tuples(st.just("double"), st.floats(allow_nan=False)),
        st.tuples(st.just("float"), st.floats(width=32, allow_nan=False)),
        st.tuples(st.just("string"), st.binary(max_size=100)),
    ),
    max_size=10,
)


def save(out: ModuleWriter, content: list[tuple[str, object]]) -> None:
    for kind, value in content:
        getattr(out, f"save_{kind}")(value)
    out.end()


def load(source: ModuleReader, content: list[tuple[str, object]]) -> list[tuple[str, object]]:
    found = [(kind, getattr(source, f"load_{kind}")()) for kind, _ in content]
    source.end()
    return found


@given(items)
def test_items_come_back(content: list[tuple[str, object]]) -> None:
    writer = RdbWriter()
    save(writer.begin_module_value(ID), content)
    data = writer.take()
    for source in (data, io.BytesIO(data).getbuffer()):
        reader = RdbReader(source)
        assert reader.read_length() == ID
        assert load(reader.begin_module_value(), content) == content
        assert reader.position == len(data)


def test_the_compiled_streams_are_the_streams_of_values() -> None:
    writer = RdbWriter()
    out: SaveStream = writer.begin_module_value(ID)
    out.save_double(math.pi)
    reader = RdbReader(writer.take())
    reader.read_length()
    source: LoadStream = reader.begin_module_value()
    assert source.load_double() == math.pi


@pytest.mark.parametrize(
    ("kind", "value"),
    [("unsigned", -1), ("unsigned", 2**64), ("signed", 2**63), ("signed", -(2**63) - 1)],
)
def test_numbers_out_of_range_are_refused(kind: str, value: int) -> None:
    out = RdbWriter().begin_module_value(ID)
    with pytest.raises(OverflowError):
        getattr(out, f"save_{kind}")(value)


SAVED = {"unsigned": 0, "signed": 0, "double": 0.0, "float": -1.0, "string": b""}


@pytest.mark.parametrize("saved", SAVED)
@pytest.mark.parametrize("asked", SAVED)
def test_asking_for_another_kind_is_found_out(saved: str, asked: str) -> None:
    writer = RdbWriter()
    save(writer.begin_module_value(ID), [(saved, SAVED[saved])])
    reader = RdbReader(writer.take())
    reader.read_length()
    load_asked = getattr(reader.begin_module_value(), f"load_{asked}")
    if asked == saved:
        assert load_asked() == SAVED[saved]
    else:
        with pytest.raises(BadData, match=rf"{saved}.* where .* should have an? {asked}"):
            load_asked()


def test_items_too_many_and_too_few() -> None:
    writer = RdbWriter()
    save(writer.begin_module_value(ID), [("signed", 1)])
    data = writer.take()[9:]
    with pytest.raises(BadData, match=r"a signed number where .* should have its end at offset 1"):
        RdbReader(data).begin_module_value().end()
    source = RdbReader(data).begin_module_value()
    source.load_signed()
    with pytest.raises(BadData, match=r"its end where .* should have a string at offset 3"):
        source.load_string()
    with pytest.raises(BadData, match="an unknown item"):
        RdbReader(b"\x06").begin_module_value().load_double()


# Values whose module is not there


class Chunked:
    """A file without a buffer of its own."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def readinto(self, room: memoryview) -> int:
        return self.file.readinto(room)


@given(items)
def test_a_captured_value_is_the_same_when_written_back(content: list[tuple[str, object]]) -> None:
    writer = RdbWriter()
    writer.write_string(b"before" * 9)
    save(writer.begin_module_value(ID), content)
    writer.write_string(b"after")
    data = writer.take()
    for reader in (RdbReader(data), RdbReader(Chunked(data), chunk_bytes=32)):
        reader.read_string()
        reader.read_length()
        kept = reader.capture_module_value()
        assert reader.read_string() == b"after"

        again = RdbWriter()
        again.write_string(b"before" * 9)
        again.write_length(ID)
        again.write_raw(kept)
        again.write_string(b"after")
        assert again.take() == data


def test_a_long_value_is_captured_from_a_file() -> None:
    content: list[tuple[str, object]] = [("string", bytes([n % 251]) * 70_000) for n in range(9)]
    writer = RdbWriter(compress=False)
    writer.write_header()
    writer.write_entry(ValueKind.MODULE, b"key")
    save(writer.begin_module_value(ID), content)
    writer.write_end()
    reader = RdbReader(Chunked(writer.take()))
    reader.read_header()
    assert reader.read_entry_header()[0] == ValueKind.MODULE
    assert reader.read_string() == b"key"
    assert reader.read_length() == ID
    kept = reader.capture_module_value()
    # What was captured is still part of the sum.
    assert reader.read_entry_header()[0] == Opcode.END
    reader.read_end()
    assert load(RdbReader(kept).begin_module_value(), content) == content


def test_an_unknown_item_ends_the_capture() -> None:
    reader = RdbReader(b"\x01\x05\x07\x00")
    with pytest.raises(BadData, match=r"unknown item 7 .* at offset 3"):
        reader.capture_module_value()


@pytest.mark.parametrize("after_keys", [True, False])
def test_what_a_module_keeps_beside_its_values(after_keys: bool) -> None:
    writer = RdbWriter()
    save(writer.begin_module_aux(ID, after_keys), [("string", b"settings")])
    data = writer.take()
    reader = RdbReader(data)
    assert reader.read_entry_header()[0] == Opcode.MODULE_AUX
    assert reader.read_length() == ID
    source = reader.begin_module_value()
    assert source.load_unsigned() == (2 if after_keys else 1)
    assert source.load_string() == b"settings"
    source.end()

    reader = RdbReader(data)
    reader.read_entry_header()
    reader.read_length()
    assert data.endswith(reader.capture_module_value())
    assert reader.position == len(data)


# Ids


def test_a_known_id() -> None:
    """RedisBloom's filter: nine characters of six bits, then ten bits of version."""
    assert module_type_id("MBbloom--", 4) == 0x3016E5A289BEF804
    assert module_type_name(0x3016E5A289BEF804) == ("MBbloom--", 4)


@given(names, st.integers(0, 1023))
def test_ids_tell_name_and_version(name: str, version: int) -> None:
    assert module_type_name(module_type_id(name, version)) == (name, version)


NO_TYPES = [("short", 0), ("toolong---", 0), ("has space", 0), ("has.dots.", 0), ("ümlaut---", 0)]
NO_TYPES += [("testtype1", 1024), ("testtype1", -1)]


@pytest.mark.parametrize(("name", "version"), NO_TYPES)
def test_other_names_and_versions_are_refused(name: str, version: int) -> None:
    with pytest.raises(ValueError, match="a module type's"):
        module_type_id(name, version)


# DUMP payloads


@given(st.binary(min_size=1, max_size=50))
def test_a_sealed_value_is_opened(body: bytes) -> None:
    assert dump_open(dump_seal(body)) == body


def test_a_known_seal() -> None:
    """What Redis 8.2 gives for DUMP of the string 1."""
    assert dump_seal(b"\x00\xc0\x01").hex() == "00c0010c00ed0ed3762b2b8fb5"


@given(st.binary(min_size=1, max_size=30), st.data())
def test_a_broken_seal_is_refused(body: bytes, data: st.DataObject) -> None:
    payload = bytearray(dump_seal(body))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadData, match="DUMP payload"):
        dump_open(bytes(payload))
    with pytest.raises(BadData, match="DUMP payload"):
        dump_open(dump_seal(body)[:-1])


@pytest.mark.parametrize("payload", [b"", b"\x00", dump_seal(b"")], ids=["", "0", "no value"])
def test_a_payload_too_short_is_refused(payload: bytes) -> None:
    with pytest.raises(BadData, match="too short"):
        dump_open(payload)
