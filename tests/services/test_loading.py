"""Loading: what is refused with its reason, what is forgiven, what is told meanwhile."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.engine.dispatch import Engine
from balas.errors import BadData
from balas.services.loading import LoadFailed, Loading
from balas.services.rdb.dataset import DatasetReader
from balas.services.rdb.format import module_type_id
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter
from balas.testing import InProcessServer
from balas.types.registry import TypeRegistry
from persisting import Refused, contents, flipped, info_of, reason_of, unchanged

NOW_MS = 1_700_000_000_000
STRING = 0


def file_of(*write: Callable[[RdbWriter], None], checksum: bool = True) -> bytes:
    """The bytes of an RDB file with these items."""
    out = RdbWriter(checksum=checksum)
    out.write_header()
    for one in write:
        one(out)
    out.write_end()
    return out.take()


def string(key: bytes, value: bytes, expire_ms: int = -1) -> Callable[[RdbWriter], None]:
    def write(out: RdbWriter) -> None:
        out.write_entry(STRING, key, expire_ms=expire_ms)
        out.write_string(value)

    return write


def load(data: bytes, databases: int = 16, checksum: bool = True) -> Engine:
    """An engine that has loaded these bytes. Raises BadData."""
    engine = Engine(databases)
    reader = RdbReader(data, checksum=checksum)
    reader.read_header()
    for _ in DatasetReader(reader, engine.databases, TypeRegistry(), NOW_MS).steps():
        pass
    for db in engine.databases:
        db.check_invariants()
    return engine


@pytest.fixture(scope="module")
def small_file() -> bytes:
    """A snapshot with every kind of item that a server without collections writes."""
    with InProcessServer({"maxmemory-policy": "allkeys-lfu"}) as server:
        client = server.client()
        for key, value in (("n", 7), ("text", "hello"), ("big", "ab" * 100), ("b", -70000)):
            client("SET", key, value)
        client("BF.ADD", "filter", "item")
        server.engine.databases[5].set(b"timed", b"x" * 70, 4_000_000_000_000)
        client("SAVE")
        return (server.directory / "dump.rdb").read_bytes()


# --- damage --------------------------------------------------------------------------------------


def test_the_small_file_itself_is_fine(small_file: bytes) -> None:
    assert len(contents(load(small_file))) == 6


def test_every_truncation_is_refused_with_the_offset_of_the_end(small_file: bytes) -> None:
    for size in range(len(small_file)):
        with pytest.raises(BadData) as refusal:
            load(small_file[:size])
        assert f"at offset {size}" in str(refusal.value)


@given(seed=st.integers(0, 1 << 32))
def test_a_flip_is_refused_with_an_offset_or_changes_nothing(small_file: bytes, seed: int) -> None:
    damaged = flipped(small_file, Random(seed))
    reason = reason_of(lambda: load(damaged))
    if reason is None:
        # The version, or a byte of a sum that says that there is none.
        assert contents(load(damaged)) == contents(load(small_file))
    else:
        assert "at offset " in reason


@given(seed=st.integers(0, 1 << 32))
def test_flips_without_a_checksum_do_no_harm(small_file: bytes, seed: int) -> None:
    chance = Random(seed)
    damaged = small_file[:-8] + bytes(8)
    for _ in range(chance.choice([1, 1, 3])):
        damaged = flipped(damaged, chance)
    reason = reason_of(lambda: load(damaged, checksum=False))
    assert reason is None or "at offset " in reason


@given(data=st.binary(max_size=80))
def test_no_bytes_crash_the_loader(data: bytes) -> None:
    reason = reason_of(lambda: load(b"REDIS0012" + data))
    assert reason is None or "at offset " in reason


def test_a_key_that_comes_twice_is_refused() -> None:
    with pytest.raises(BadData, match="key b'k' a second time in database 0 at offset 23"):
        load(file_of(string(b"k", b"one"), string(b"k", b"two")))


def test_a_database_that_the_server_has_not_is_refused() -> None:
    data = file_of(lambda out: out.write_select_db(4), string(b"k", b"v"))
    assert contents(load(data, databases=5)) == {(4, b"k"): (b"v", -1)}
    with pytest.raises(BadData, match="database 4 in a file for a server with 4 databases"):
        load(data, databases=4)


@pytest.mark.parametrize("claim", [0, 1, 10**6, 10**9, 2**63, 2**64 - 1])
def test_wrong_sizes_of_tables_do_no_harm(claim: int) -> None:
    keys = [string(b"key:%d" % number, b"v", 4_000_000_000_000) for number in range(50)]
    data = file_of(lambda out: out.write_resize_db(claim, claim), *keys)
    assert len(contents(load(data))) == 50


def test_an_expiry_time_before_1970_has_come() -> None:
    assert contents(load(file_of(string(b"k", b"v", -12345)))) == {}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (b"\xf3", "unknown opcode 243"),
        (b"\x7fkey", "unexpected end of data"),
        (b"\x7f\x01k\x00", "unknown kind of value 127"),
        (b"\xf7\x80\x00\x00\x00\x01\x00\x00", "a module's remark without its place"),
    ],
)
def test_what_nobody_knows_is_refused(item: bytes, reason: str) -> None:
    data = file_of(lambda out: out.write_raw(item))
    with pytest.raises(BadData, match=reason):
        load(data)


def test_times_in_seconds_of_old_servers_are_read() -> None:
    item = b"\xfd" + struct.pack("<I", 2_000_000_000)
    data = file_of(lambda out: out.write_raw(item), string(b"k", b"v"))
    assert contents(load(data)) == {(0, b"k"): (b"v", 2_000_000_000_000)}


# --- a server that is not to start ---------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 5, 9, 40, -1])
def test_a_truncated_snapshot_stops_the_start_and_stays(
    tmp_path: Path, small_file: bytes, size: int
) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(small_file[:size])
    with unchanged(tmp_path):
        refused = Refused({"save": "3600 1"}, tmp_path)
    assert refused.reason.startswith(f"Fatal error loading the DB: {path}: ")
    assert f"at offset {len(small_file[:size])}. Exiting." in refused.reason


def test_a_wrong_checksum_stops_the_start(tmp_path: Path, small_file: bytes) -> None:
    at = small_file.index(b"hello")
    path = tmp_path / "dump.rdb"
    path.write_bytes(small_file[:at] + b"jello" + small_file[at + 5 :])
    assert "wrong checksum" in Refused({}, tmp_path).reason
    with InProcessServer({"rdbchecksum": "no"}, directory=tmp_path) as server:
        assert server.client()("GET", "text") == b"jello"


def test_a_folder_in_place_of_the_snapshot_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").mkdir()
    assert f"{tmp_path}/dump.rdb: Is a directory" in Refused({}, tmp_path).reason


@pytest.mark.parametrize("options", [{"save": "3600 1"}, {"appendonly": "yes"}])
def test_a_folder_that_cannot_be_written_to_stops_the_start(options: dict[str, str]) -> None:
    reason = Refused(options, Path("/proc")).reason
    assert reason.startswith("Can't write to /proc (dir, set by the default), where data are to be")
    assert reason.endswith(" Exiting.")


def test_where_nothing_is_persisted_the_folder_does_not_matter() -> None:
    with InProcessServer({"dbfilename": "none.rdb"}, directory=Path("/proc"), bundled=False) as up:
        assert "Persistence: off, all data are lost at the end" in up.log


# --- told ----------------------------------------------------------------------------------------


def test_the_log_says_what_is_persisted(tmp_path: Path) -> None:
    options = {"save": "3600 1 300 100", "appendonly": "yes", "appendfsync": "always"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        assert (
            f"Persistence: snapshots to {tmp_path}/dump.rdb after 3600 s if 1 change, 300 s if 100 "
            f"changes; append-only file in {tmp_path}/appendonlydir, forced to disk before each "
            "reply\n"
        ) in server.log


def loading_of(server: InProcessServer) -> Loading:
    loading: Loading = server.engine.services[Loading]
    return loading


@pytest.fixture
def under_way(tmp_path: Path) -> Iterator[InProcessServer]:
    """A server that has loaded a part of its data."""
    options = {"loading-process-events-interval-bytes": 1024}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        for number in range(1000):
            server.client()("SET", f"key:{number}", "x" * 20)
        server.client()("SAVE")
        for db in server.engine.databases:
            db.flush()
        steps = loading_of(server).steps()
        for _ in range(10):
            next(steps)
            server.clock.advance(1000)
        yield server
        assert list(steps)
        assert len(server.engine.databases[0]) == 1000


def test_clients_are_told_while_loading(under_way: InProcessServer) -> None:
    client = under_way.client()
    for command in (["PING"], ["GET", "key:1"], ["SET", "a", "b"], ["BGSAVE"]):
        assert client.error(*command) == "LOADING Redis is loading the dataset in memory"
    assert client("LASTSAVE") == NOW_MS // 1000


def test_info_tells_how_far_loading_is(under_way: InProcessServer) -> None:
    fields = info_of(under_way)
    assert fields["loading"] == 1
    assert fields["loading_start_time"] == NOW_MS // 1000
    size = (under_way.directory / "dump.rdb").stat().st_size
    assert fields["loading_total_bytes"] == size
    assert 9 * 1024 < fields["loading_loaded_bytes"] < 14 * 1024
    loaded = fields["loading_loaded_bytes"]
    assert fields["loading_loaded_perc"] == f"{100 * loaded / size:.2f}"
    assert fields["loading_rdb_used_mem"] > 50_000
    assert fields["loading_eta_seconds"] == pytest.approx(9 * (size - loaded) / loaded, abs=2)


def test_the_log_tells_how_far_loading_is(under_way: InProcessServer) -> None:
    assert under_way.log.count("Loading the DB: ") == 1


def test_a_server_that_has_loaded_says_nothing_of_it(tmp_path: Path) -> None:
    with InProcessServer(directory=tmp_path, bundled=False) as server:
        assert info_of(server)["loading"] == 0
        assert not [name for name in info_of(server) if name.startswith("loading_")]


# --- again ---------------------------------------------------------------------------------------


def test_reload_brings_back_what_was_saved(tmp_path: Path) -> None:
    with InProcessServer(directory=tmp_path) as server:
        client = server.client()
        client("SET", "a", "1")
        client("BF.ADD", "filter", "item")
        before = contents(server.engine)
        client("SAVE")
        client("SET", "a", "2")
        client("SET", "b", "2")
        loading_of(server).reload()
        assert contents(server.engine) == before
        assert client("PING") == b"PONG"


def test_reload_can_add_to_what_there_is(tmp_path: Path) -> None:
    with InProcessServer(directory=tmp_path, bundled=False) as server:
        client = server.client()
        client("SET", "a", "1")
        client("SAVE")
        client("SET", "b", "2")
        with pytest.raises(LoadFailed, match=r"dump\.rdb: key b'a' a second time"):
            loading_of(server).reload(flush=False)
        client("SET", "a", "2")
        loading_of(server).reload(flush=False, replace=True)
        assert client("MGET", "a", "b") == [b"1", b"2"]


def test_reload_breaks_watches(tmp_path: Path) -> None:
    with InProcessServer(directory=tmp_path, bundled=False) as server:
        client = server.client()
        client("SET", "a", "1")
        client("SAVE")
        client("WATCH", "a")
        loading_of(server).reload()
        client("MULTI")
        assert client("EXEC") is None


def test_who_asked_for_it_is_told_after_every_load(tmp_path: Path) -> None:
    told = []
    with InProcessServer(directory=tmp_path, bundled=False) as server:
        loading_of(server).on_loaded.append(lambda: told.append(loading_of(server).active))
        server.client()("SAVE")
        loading_of(server).reload()
    assert told == [False]


def test_what_modules_keep_beside_the_keys_comes_back(tmp_path: Path) -> None:
    """Also for a module that is not there: it is kept, and saved again."""

    def remark(out: RdbWriter) -> None:
        items = out.begin_module_aux(module_type_id("someaux-1", 3), True)
        items.save_unsigned(42)
        items.end()

    (tmp_path / "dump.rdb").write_bytes(file_of(string(b"k", b"v"), remark))
    with InProcessServer(directory=tmp_path) as server:
        for _ in range(2):
            server.client()("SAVE")
            server.restart()
        server.client()("SAVE")
    with (tmp_path / "dump.rdb").open("rb", buffering=0) as file:
        engine, reader = Engine(), RdbReader(file)
        reader.read_header()
        dataset = DatasetReader(reader, engine.databases, TypeRegistry(), NOW_MS)
        assert list(dataset.steps()) == []
    assert dataset.module_aux == [(module_type_id("someaux-1", 3), True, b"\x02\x2a\x00")]
