"""The items of the RDB format: the reader reads what the writer writes, in memory and in files."""

import errno
import io
import math
import os
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.errors import BadData
from balas.services.rdb.format import Opcode, ValueKind
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter

# The first and last value of every way to write a length, with the bytes it takes.
LENGTHS = {0: 1, 63: 1, 64: 2, 16383: 2, 16384: 5, 2**32 - 1: 5, 2**32: 9, 2**64 - 1: 9}
# Likewise for integers that are written as such.
INTEGERS = {0: 2, 127: 2, -128: 2, 128: 3, -129: 3, 32767: 3, -32768: 3, 32768: 5, -32769: 5}
INTEGERS |= {2**31 - 1: 5, -(2**31): 5, 2**31: 11, -(2**31) - 1: 12, -(2**63): 21, 2**63 - 1: 20}


def readers(data: bytes, chunk_bytes: int = 32) -> list[RdbReader]:
    """The same data in memory, and as a file that is read in small and in large chunks."""
    sources = [Whole(data), OneByte(data)]
    small = RdbReader(Whole(data), chunk_bytes=chunk_bytes)
    return [RdbReader(data), small, *(RdbReader(source) for source in sources)]


class Whole:
    """A file without a buffer of its own that gives all it has at once."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def readinto(self, room: memoryview) -> int:
        return self.file.readinto(room)


class OneByte(Whole):
    """A file that gives a byte at a time, as a slow pipe may."""

    def readinto(self, room: memoryview) -> int:
        return self.file.readinto(room[:1])


@pytest.mark.parametrize("value", LENGTHS)
def test_lengths(value: int) -> None:
    writer = RdbWriter()
    writer.write_length(value)
    data = writer.take()
    assert len(data) == LENGTHS[value]
    assert [reader.read_length() for reader in readers(data)] == [value] * 4


@given(st.integers(0, 2**64 - 1))
def test_any_length(value: int) -> None:
    writer = RdbWriter()
    writer.write_length(value)
    assert RdbReader(writer.take()).read_length() == value


@pytest.mark.parametrize("value", INTEGERS)
def test_strings_that_are_integers(value: int) -> None:
    as_int, as_text = RdbWriter(), RdbWriter()
    as_int.write_string(value)
    as_text.write_string(b"%d" % value)
    data = as_int.take()
    assert data == as_text.take()
    assert len(data) == INTEGERS[value]
    assert [reader.read_string() for reader in readers(data)] == [b"%d" % value] * 4


@pytest.mark.parametrize("text", [b"007", b"-0", b"+1", b" 1", b"1 ", b"", b"-", b"2147483648"])
def test_strings_that_only_look_like_integers(text: bytes) -> None:
    writer = RdbWriter()
    writer.write_string(text)
    data = writer.take()
    assert data == bytes([len(text)]) + text
    assert RdbReader(data).read_string() == text


SIZES = [0, 1, 20, 21, 63, 64, 4000, 16384, 131072, 131073, 1 << 20, (3 << 20) + 1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("compress", [True, False])
def test_long_strings(size: int, compress: bool) -> None:
    noise = random.Random(size).randbytes(size)
    order = (b"balas" * (size // 5 + 1))[:size]
    writer = RdbWriter(compress=compress)
    for text in (noise, order, bytearray(noise), memoryview(order)):
        writer.write_string(text)
    data = writer.take()
    assert (len(data) < 4 * size) == (compress and size > 20)
    for reader in (
        RdbReader(data),
        RdbReader(Whole(data)),
        RdbReader(Whole(data), chunk_bytes=4096),
    ):
        assert [reader.read_string() for _ in range(4)] == [noise, order, noise, order]
        assert reader.position == len(data)


@given(st.lists(st.binary(max_size=200), max_size=8))
def test_any_strings_in_small_chunks(texts: list[bytes]) -> None:
    writer = RdbWriter()
    for text in texts:
        writer.write_string(text)
    for reader in readers(writer.take()):
        assert [reader.read_string() for _ in texts] == texts


def test_strings_are_stepped_over() -> None:
    texts = [b"1", b"300", b"70000", b"plain", b"x" * 500, random.Random(2).randbytes(500)]
    writer = RdbWriter()
    for text in texts:
        writer.write_string(text)
        writer.write_string(b"here")
    data = writer.take()
    for reader in readers(data):
        for _ in texts:
            reader.pass_string()
            assert reader.read_string() == b"here"
        assert reader.position == len(data)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, math.inf, -math.inf, 5e-324, math.nan])
def test_doubles(value: float) -> None:
    writer = RdbWriter()
    writer.write_double(value)
    for reader in readers(writer.take()):
        assert struct.pack("<d", reader.read_double()) == struct.pack("<d", value)


def test_doubles_as_text() -> None:
    data = b"\x031.5\xfe\xff\x04-3e2\xfd"
    for reader in readers(data):
        assert [reader.read_text_double() for _ in range(4)] == [1.5, math.inf, -math.inf, -300]
        assert math.isnan(reader.read_text_double())
    with pytest.raises(BadData, match=r"no number: b'x1' at offset 3"):
        RdbReader(b"\x02x1").read_text_double()


ATTRIBUTES = [
    {},
    {"expire_ms": 1_700_000_000_000},
    {"expire_ms": 0},
    {"expire_ms": -5},
    {"idle_s": 0},
    {"idle_s": 100_000},
    {"frequency": 0},
    {"frequency": 255, "expire_ms": 2**62},
]


@pytest.mark.parametrize("attributes", ATTRIBUTES, ids=str)
def test_what_stands_before_a_key(attributes: dict[str, int]) -> None:
    writer = RdbWriter()
    writer.write_entry(ValueKind.SORTED_SET, b"key", **attributes)
    expected = (
        ValueKind.SORTED_SET,
        attributes.get("expire_ms", -1),
        attributes.get("idle_s", -1),
        attributes.get("frequency", -1),
    )
    for reader in readers(writer.take()):
        assert reader.read_entry_header() == expected
        assert reader.read_string() == b"key"


def test_an_expiry_in_seconds_and_sizes_of_slots() -> None:
    data = b"\xf4\x01\x02\x03\xfd" + struct.pack("<i", 1_700_000_000) + b"\x00"
    assert RdbReader(data).read_entry_header() == (0, 1_700_000_000_000, -1, -1)


def write_file(writer: RdbWriter) -> None:
    """A file with one of everything."""
    writer.write_header()
    writer.write_aux(b"redis-ver", b"8.2.3")
    writer.write_aux(b"used-mem", 123456789)
    writer.write_function(b"#!lua name=lib\n")
    writer.write_select_db(3)
    writer.write_resize_db(2, 1)
    writer.write_entry(ValueKind.STRING, b"greeting", expire_ms=1_900_000_000_000)
    writer.write_string(b"hello")
    writer.write_entry(ValueKind.STRING, b"noise", frequency=7)
    writer.write_string(random.Random(4).randbytes(300))
    writer.write_end()


def read_file(reader: RdbReader) -> list[object]:
    """Everything in such a file, in order."""
    found: list[object] = [reader.read_header()]
    while True:
        header = reader.read_entry_header()
        found.append(header)
        kind = header[0]
        if kind == Opcode.AUX or kind == ValueKind.STRING:
            found += [reader.read_string(), reader.read_string()]
        elif kind == Opcode.FUNCTION:
            found.append(reader.read_string())
        elif kind == Opcode.SELECT_DB:
            found.append(reader.read_length())
        elif kind == Opcode.RESIZE_DB:
            found += [reader.read_length(), reader.read_length()]
        elif kind == Opcode.END:
            reader.read_end()
            return found
        else:
            raise BadData(f"kind {kind}")


def whole_file() -> bytes:
    writer = RdbWriter()
    write_file(writer)
    return writer.take()


def test_a_whole_file() -> None:
    data = whole_file()
    assert data.startswith(b"REDIS0012\xfa\tredis-ver\x058.2.3")
    for reader in readers(data):
        found = read_file(reader)
        assert found[:4] == [12, (250, -1, -1, -1), b"redis-ver", b"8.2.3"]
        assert found[5:9] == [b"used-mem", b"123456789", (245, -1, -1, -1), b"#!lua name=lib\n"]
        assert found[-7:-4] == [(0, 1_900_000_000_000, -1, -1), b"greeting", b"hello"]
        assert found[-4] == (0, -1, -1, 7)
        assert reader.version == 12
        assert reader.position == len(data)


def test_what_follows_the_end_is_left_alone() -> None:
    data = whole_file()
    for reader in readers(data + b"*1\r\n$4\r\nPING\r\n"):
        read_file(reader)
        assert reader.position == len(data)
        assert reader.read_raw(4) == b"*1\r\n"


def test_without_checksum() -> None:
    writer = RdbWriter(checksum=False)
    write_file(writer)
    data = writer.take()
    assert data.endswith(b"\xff" + bytes(8))
    read_file(RdbReader(data))


def test_a_wrong_checksum_is_found_unless_nobody_looks() -> None:
    data = whole_file()
    wrong = data[:-1] + bytes([data[-1] ^ 1])
    for reader in readers(wrong):
        with pytest.raises(BadData, match=f"wrong checksum: .* at offset {len(data)}"):
            read_file(reader)
    read_file(RdbReader(wrong, checksum=False))


def test_files_before_version_5_have_no_checksum() -> None:
    reader = RdbReader(b"REDIS0003\xff")
    assert read_file(reader) == [3, (255, -1, -1, -1)]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"REDIX0012", "wrong signature at offset 0"),
        (b"REDIS00x2", "wrong signature"),
        (b"REDIS0000", "cannot handle RDB version 0 at offset 5"),
        (b"REDIS0013", "cannot handle RDB version 13"),
        (b"REDIS", "unexpected end of data at offset 5"),
    ],
)
def test_other_files_are_refused(head: bytes, message: str) -> None:
    with pytest.raises(BadData, match=message):
        RdbReader(head).read_header()


# Where the bytes go


def test_a_descriptor_gets_everything(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    texts = [random.Random(n).randbytes(n * 1000) for n in range(40)] + [b"x" * 500_000]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    writer = RdbWriter(descriptor, compress=False, sync_bytes=100_000)
    writer.write_header()
    for text in texts:
        writer.write_entry(ValueKind.STRING, b"key")
        writer.write_string(text)
    writer.write_end()
    os.close(descriptor)
    assert writer.written == path.stat().st_size
    with path.open("rb", buffering=0) as file:
        found = read_file(RdbReader(file))
    assert found[3:-1:3] == texts


def test_a_callable_gets_large_chunks() -> None:
    chunks: list[bytes] = []
    writer = RdbWriter(chunks.append, compress=False)
    writer.write_header()
    for number in range(30_000):
        writer.write_entry(ValueKind.STRING, b"key:%d" % number)
        writer.write_string(b"a value of some length")
    assert writer.written > sum(map(len, chunks))
    writer.write_end()
    assert all(len(chunk) >= 65536 for chunk in chunks[:-1])
    assert writer.written == sum(map(len, chunks))
    assert len(read_file(RdbReader(b"".join(chunks)))) == 30_000 * 3 + 2
    with pytest.raises(ValueError, match="keeps nothing"):
        writer.take()


def test_a_full_disk_is_reported() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        writer = RdbWriter(descriptor)
        with pytest.raises(OSError, match="No space left") as caught:
            write_file(writer)
        assert caught.value.errno == errno.ENOSPC
    finally:
        os.close(descriptor)


def test_a_closed_descriptor_is_reported() -> None:
    out, into = os.pipe()
    os.close(into)
    os.close(out)
    with pytest.raises(OSError, match="Bad file descriptor"):
        write_file(RdbWriter(into))


def test_an_error_of_the_callable_comes_through() -> None:
    def refuse(chunk: bytes) -> None:
        raise ConnectionResetError(f"{len(chunk)} bytes not wanted")

    with pytest.raises(ConnectionResetError):
        write_file(RdbWriter(refuse))


def test_taking_in_parts() -> None:
    writer = RdbWriter()
    writer.write_header()
    head = writer.take()
    assert head == b"REDIS0012"
    assert writer.take() == b""
    writer.write_end()
    assert writer.written == 18
    assert read_file(RdbReader(head + writer.take())) == [12, (255, -1, -1, -1)]


@pytest.mark.parametrize("value", [-1, 2**64])
def test_lengths_beyond_64_bits_are_refused(value: int) -> None:
    with pytest.raises(OverflowError):
        RdbWriter().write_length(value)
