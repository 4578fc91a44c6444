"""Our files and payloads in the real Redis, and its own in ours."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from balas.services.rdb.format import (
    Opcode,
    ValueKind,
    dump_open,
    dump_seal,
    module_type_id,
    module_type_name,
)
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter
from balas.testing.real_server import RealRedis, check_rdb

LATER_MS = 4_000_000_000_000
NOISE = random.Random(8).randbytes(70_000)

# Kind, expiry and value of each (database, key). The value of a module is its id in eight bytes and
# its items as they stand in the file.
Keys = dict[tuple[int, bytes], tuple[int, int, bytes]]

# Every form of a string, and the limits between them.
STRINGS = [b"", b"a", b"0", b"-1", b"007", b"127", b"128", b"-129", b"32768", b"2147483647"]
STRINGS += [b"2147483648", b"-9223372036854775808", b"x" * 20, b"x" * 21, b"ab" * 9000, NOISE]
STRINGS += [NOISE[:63], NOISE[:64], NOISE[:16383], NOISE[:16384], NOISE * 20]
STRINGS += [b"\x00" * 100_000, b"the quick brown fox jumps over the lazy dog, the quick brown fox"]


@contextmanager
def redis_on(folder: Path, *modules: str, **options: Any) -> Iterator[RealRedis]:
    """A real server that loads `dump.rdb` of this folder."""
    with RealRedis(
        {"dbfilename": "dump.rdb", **options}, modules=modules, directory=folder
    ) as redis:
        yield redis


def read_keys(path: Path) -> Keys:
    """All keys of a file of strings and module values."""
    found: Keys = {}
    database = 0
    with path.open("rb", buffering=0) as file:
        reader = RdbReader(file)
        reader.read_header()
        while True:
            kind, expire_ms, _, _ = reader.read_entry_header()
            if kind == Opcode.END:
                reader.read_end()
                return found
            if kind == Opcode.SELECT_DB:
                database = reader.read_length()
            elif kind == Opcode.RESIZE_DB:
                reader.read_length()
                reader.read_length()
            elif kind == Opcode.AUX:
                reader.read_string()
                reader.read_string()
            elif kind == Opcode.FUNCTION:
                found[database, b"<function>"] = (kind, -1, reader.read_string())
            elif kind == Opcode.MODULE_AUX:
                reader.read_length()
                reader.capture_module_value()
            else:
                key = reader.read_string()
                found[database, key] = (kind, expire_ms, read_value(reader, kind))


def read_value(reader: RdbReader, kind: int) -> bytes:
    if kind == ValueKind.STRING:
        return reader.read_string()
    assert kind == ValueKind.MODULE
    return reader.read_length().to_bytes(8, "big") + reader.capture_module_value()


def write_keys(path: Path, keys: Keys, *, compress: bool = True) -> None:
    """The reverse of `read_keys`."""
    with path.open("wb", buffering=0) as file:
        writer = RdbWriter(file.fileno(), compress=compress)
        writer.write_header()
        writer.write_aux(b"redis-ver", b"8.2.3")
        writer.write_aux(b"redis-bits", 64)
        selected = -1
        for (database, key), (kind, expire_ms, value) in sorted(keys.items()):
            if database != selected:
                selected = database
                size = sum(owner == database for owner, _ in keys)
                writer.write_select_db(database)
                writer.write_resize_db(size, 0)
            writer.write_entry(kind, key, expire_ms=expire_ms)
            if kind == ValueKind.MODULE:
                writer.write_length(int.from_bytes(value[:8], "big"))
                writer.write_raw(value[8:])
            else:
                writer.write_string(value)
        writer.write_end()


def some_keys() -> Keys:
    keys = {
        (database, b"key:%d" % number): (0, LATER_MS + number if number % 2 else -1, value)
        for database in (0, 3)
        for number, value in enumerate(STRINGS)
    }
    keys[0, b"12345"] = (0, -1, b"a key that is a number")
    keys[3, b"long key " * 30] = (0, LATER_MS, b"1")
    return keys


@pytest.mark.parametrize("compress", [True, False])
def test_redis_loads_our_file(real_redis: RealRedis, tmp_path: Path, compress: bool) -> None:
    keys = some_keys()
    write_keys(tmp_path / "dump.rdb", keys, compress=compress)
    report = check_rdb(tmp_path / "dump.rdb")
    assert f"{len(keys)} keys read" in report
    with redis_on(tmp_path) as redis, redis.client() as client:
        for (database, key), (_, expire_ms, value) in keys.items():
            client("SELECT", database)
            assert client("GET", key) == value
            assert client("PEXPIRETIME", key) == expire_ms
        assert client("DBSIZE") == sum(database == 3 for database, _ in keys)


@pytest.mark.parametrize("compression", ["yes", "no"])
def test_we_load_the_file_of_redis(real_redis: RealRedis, tmp_path: Path, compression: str) -> None:
    keys = some_keys()
    code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
    with redis_on(tmp_path, rdbcompression=compression) as redis, redis.client() as client:
        for (database, key), (_, expire_ms, value) in keys.items():
            client("SELECT", database)
            client("SET", key, value)
            if expire_ms != -1:
                client("PEXPIREAT", key, expire_ms)
        client("FUNCTION", "LOAD", code)
        client("SAVE")
    keys[0, b"<function>"] = (Opcode.FUNCTION, -1, code.encode())
    assert read_keys(tmp_path / "dump.rdb") == keys


def test_attributes_travel_both_ways(real_redis: RealRedis, tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    with path.open("wb", buffering=0) as file:
        writer = RdbWriter(file.fileno())
        writer.write_header()
        writer.write_select_db(0)
        writer.write_entry(ValueKind.STRING, b"k", frequency=200)
        writer.write_string(b"v")
        writer.write_end()
    policy = {"maxmemory-policy": "allkeys-lfu"}
    with redis_on(tmp_path, **policy) as redis, redis.client() as client:
        assert client("OBJECT", "FREQ", "k") == 200
        client("SAVE")
    reader = RdbReader(path.read_bytes())
    reader.read_header()
    while (header := reader.read_entry_header())[0] != ValueKind.STRING:
        if header[0] == Opcode.SELECT_DB:
            reader.read_length()
        else:
            assert header[0] in (Opcode.AUX, Opcode.RESIZE_DB)
            for _ in range(2):
                (reader.read_string if header[0] == Opcode.AUX else reader.read_length)()
    assert header == (0, -1, -1, 200)


@pytest.mark.parametrize("value", STRINGS, ids=lambda value: ascii(value[:12]) + str(len(value)))
def test_payloads_travel_both_ways(real_redis: RealRedis, value: bytes) -> None:
    writer = RdbWriter()
    writer.write_byte(ValueKind.STRING)
    writer.write_string(value)
    with real_redis.client() as client:
        client("RESTORE", "ours", 0, dump_seal(writer.take()))
        assert client("GET", "ours") == value
        client("SET", "theirs", value)
        reader = RdbReader(dump_open(client("DUMP", "theirs")))
    assert reader.read_byte() == ValueKind.STRING
    assert reader.read_string() == value


def test_a_value_of_a_real_module_survives_as_it_is(real_redis: RealRedis, tmp_path: Path) -> None:
    """Whoever lacks the module writes back what it read; the module finds its values again."""
    path = tmp_path / "dump.rdb"
    members = [b"member:%d" % number for number in range(500)]
    with redis_on(tmp_path, "bloom") as redis, redis.client() as client:
        client("BF.MADD", "filter", *members)
        client("CF.RESERVE", "cuckoo", 1000)
        client("TOPK.RESERVE", "top", 3, 50, 4, "0.9")
        client("TOPK.ADD", "top", *members)
        top = client("TOPK.LIST", "top")
        client("SET", "plain", "string")
        client("SAVE")
    keys = read_keys(path)
    kinds = {key: module_type_name(int.from_bytes(keys[0, key][2][:8], "big")) for _, key in keys}
    del kinds[b"plain"]
    assert kinds == {
        b"filter": ("MBbloom--", 4),
        b"cuckoo": ("MBbloomCF", 4),
        b"top": ("TopK-TYPE", 0),
    }
    write_keys(path, keys)
    with redis_on(tmp_path, "bloom") as redis, redis.client() as client:
        assert client("BF.MEXISTS", "filter", *members) == [1] * 500
        assert client("TOPK.LIST", "top") == top
        assert client("CF.ADD", "cuckoo", "a") == 1


def test_a_real_filter_is_a_row_of_items(real_redis: RealRedis, tmp_path: Path) -> None:
    with redis_on(tmp_path, "bloom") as redis, redis.client() as client:
        client("BF.RESERVE", "filter", "0.01", 100)
        client("BF.ADD", "filter", "one")
        reader = RdbReader(dump_open(client("DUMP", "filter")))
    assert reader.read_byte() == ValueKind.MODULE
    assert reader.read_length() == module_type_id("MBbloom--", 4)
    items = reader.begin_module_value()
    assert items.load_unsigned() == 1, "items in it"
    assert items.load_unsigned() == 1, "layers"
