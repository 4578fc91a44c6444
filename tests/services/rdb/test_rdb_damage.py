"""Damaged files: every cut and any flip gives `BadData` with an offset, and no harm."""

import io
import random
import re
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.errors import BadData
from balas.services.rdb.format import Opcode, ValueKind, module_type_id
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter

MODULE_ID = module_type_id("testtype1", 3)


def small_file() -> bytes:
    """A file that has every form of string and of item."""
    writer = RdbWriter()
    writer.write_header()
    writer.write_aux(b"redis-ver", b"8.2.3")
    writer.write_function(b"#!lua name=lib\n")
    writer.write_select_db(300)
    writer.write_resize_db(5, 70_000)
    for text in (
        b"12",
        b"-3000",
        b"1000000",
        b"plain",
        b"ab" * 300,
        random.Random(1).randbytes(90),
    ):
        writer.write_entry(ValueKind.STRING, b"key", expire_ms=1_900_000_000_000, idle_s=5000)
        writer.write_string(text)
    writer.write_entry(ValueKind.MODULE, b"value", frequency=9)
    items = writer.begin_module_value(MODULE_ID)
    items.save_unsigned(2**63)
    items.save_signed(-1)
    items.save_double(1.5)
    items.save_float(0.5)
    items.save_string(b"text" * 30)
    items.end()
    writer.write_end()
    return writer.take()


FILE = small_file()


def walk(reader: RdbReader, *, capture: bool) -> None:
    """Read a file as a loader would; capture values of modules, or load what `small_file` saved."""
    reader.read_header()
    while True:
        kind = reader.read_entry_header()[0]
        if kind == Opcode.END:
            reader.read_end()
            return
        if kind == Opcode.SELECT_DB:
            reader.read_length()
        elif kind == Opcode.RESIZE_DB:
            reader.read_length()
            reader.read_length()
        elif kind == Opcode.FUNCTION:
            reader.read_string()
        elif kind in (Opcode.AUX, ValueKind.STRING):
            reader.read_string()
            reader.read_string()
        elif kind == ValueKind.MODULE:
            reader.read_string()
            reader.read_length()
            walk_module(reader, capture=capture)
        else:
            raise BadData(f"unknown kind {kind} at offset {reader.position}")


def walk_module(reader: RdbReader, *, capture: bool) -> None:
    if capture:
        reader.capture_module_value()
        return
    items = reader.begin_module_value()
    items.load_unsigned()
    items.load_signed()
    items.load_double()
    items.load_float()
    items.load_string()
    items.end()


def sources(data: bytes) -> list[RdbReader]:
    return [RdbReader(data), RdbReader(io.BytesIO(data).getbuffer()), in_chunks(data)]


class Chunked:
    """A file without a buffer of its own."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def readinto(self, room: memoryview) -> int:
        return self.file.readinto(room)


def in_chunks(data: bytes, chunk_bytes: int = 32) -> RdbReader:
    return RdbReader(Chunked(data), chunk_bytes=chunk_bytes)


def test_the_file_itself_is_good() -> None:
    for reader in sources(FILE):
        walk(reader, capture=False)
    for reader in sources(FILE):
        walk(reader, capture=True)


@pytest.mark.parametrize("capture", [True, False])
def test_every_cut_is_found_where_it_is(capture: bool) -> None:
    for size in range(len(FILE)):
        for reader in sources(FILE[:size]):
            with pytest.raises(BadData, match=rf"unexpected end of data at offset {size}$"):
                walk(reader, capture=capture)


@pytest.mark.parametrize("capture", [True, False])
def test_every_flipped_bit_is_found(capture: bool) -> None:
    # But for the version: with an older one, the file would have no checksum.
    for place in (n for n in range(len(FILE) * 8) if n // 8 not in range(5, 9)):
        damaged = bytearray(FILE)
        damaged[place // 8] ^= 1 << (place % 8)
        for reader in (RdbReader(damaged), in_chunks(bytes(damaged))):
            with pytest.raises(BadData, match=r"at offset \d+$") as caught:
                walk(reader, capture=capture)
            offset = re.search(r"\d+$", str(caught.value))
            assert offset is not None
            assert int(offset[0]) <= len(FILE)


def complaint(reader: RdbReader, *, capture: bool) -> str:
    """What is wrong with a file, or nothing; any exception but `BadData` fails the test."""
    try:
        walk(reader, capture=capture)
    except BadData as error:
        return str(error)
    return ""


@given(st.binary(max_size=100), st.booleans())
def test_any_bytes_are_refused_without_harm(data: bytes, capture: bool) -> None:
    for reader in (RdbReader(b"REDIS0012" + data), in_chunks(b"REDIS0012" + data)):
        message = complaint(reader, capture=capture)
        assert not message or "at offset" in message


@given(st.data())
def test_many_flips_do_no_harm(data: st.DataObject) -> None:
    damaged = bytearray(FILE)
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(9, len(FILE) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    for reader in (RdbReader(damaged, checksum=False), in_chunks(bytes(damaged))):
        complaint(reader, capture=data.draw(st.booleans()))


def claim(size: int) -> bytes:
    """A string that says it is this long, and ends."""
    return b"\x81" + size.to_bytes(8, "big") + b"not that long"


CLAIMS = {
    "plain": claim(1 << 34),
    "beyond 63 bits": claim(2**64 - 1),
    "compressed": b"\xc3" + claim(1 << 34)[:9] + claim(1 << 35),
    "to be decompressed": b"\xc3\x05" + claim(1 << 34),
    "beyond 63 bits, compressed": b"\xc3" + claim(2**64 - 1)[:9] + claim(2**64 - 1),
}


def pass_string_and_more(reader: RdbReader) -> None:
    """What is stepped over is not decompressed, so that only the end of its bytes can be wrong."""
    reader.pass_string()
    reader.read_raw(100)


@pytest.mark.parametrize("data", CLAIMS.values(), ids=CLAIMS)
def test_no_room_is_made_for_what_is_merely_claimed(data: bytes) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for reader in (RdbReader(data), in_chunks(data), in_chunks(data, 1 << 17)):
        with pytest.raises(BadData, match="at offset"):
            reader.read_string()
    for reader in (RdbReader(data), in_chunks(data)):
        with pytest.raises(BadData, match="at offset"):
            pass_string_and_more(reader)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 32 * 1024


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xc4", "unknown string encoding 4 at offset 1"),
        (b"\xff", "unknown string encoding 63 at offset 1"),
        (b"\x82", "unknown length encoding 130 at offset 1"),
        (b"\xbf", "unknown length encoding 191 at offset 1"),
        (b"\xc3\x02\x05\x09a", "corrupt compressed string at offset 5"),
        (b"\xc3\x02\x00\x00a", "impossible size of a compressed string at offset 3"),
        (b"\xc3\xc0", "a string where a length should be at offset 2"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, message: str) -> None:
    for reader in sources(data):
        with pytest.raises(BadData, match=message):
            reader.read_string()


def test_a_reader_of_a_file_that_fails_says_so() -> None:
    class Broken:
        def readinto(self, room: memoryview) -> int:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        RdbReader(Broken()).read_header()
