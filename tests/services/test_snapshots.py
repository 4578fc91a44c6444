"""Snapshots: SAVE, BGSAVE and save points, when all goes well and when it does not."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balas.services.disk import why_not_writable
from balas.services.snapshots import MISCONF, Snapshots
from balas.testing import Both, InProcessServer, RealRedis, check_rdb
from persisting import children_of, contents, failing, finish_child, info_of

# Slows a child down so far that it is still at work when it is looked at.
SLOW = {"rdb-key-save-delay": 1_000_000}
KEYS = {
    "number": "12345",
    "negative": "-9223372036854775808",
    "short": "hello",
    "empty": "",
    "compressible": "ab" * 500,
    "long": os.urandom(5000),
}


def snapshots_of(server: InProcessServer) -> Snapshots:
    snapshots: Snapshots = server.engine.services[Snapshots]
    return snapshots


def fill(server: InProcessServer, count: int = 0) -> None:
    with server.client() as client:
        for key, value in KEYS.items():
            client("SET", key, value)
        for number in range(count):
            client("SET", f"key:{number}", number)
    server.engine.databases[3].set(b"other", b"database", 4_000_000_000_000)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcessServer]:
    with InProcessServer(directory=tmp_path, bundled=False) as started:
        yield started


# --- written -------------------------------------------------------------------------------------


def test_a_snapshot_holds_everything(server: InProcessServer, tmp_path: Path) -> None:
    fill(server)
    before = contents(server.engine)
    assert server.client()("SAVE") == b"OK"
    assert "RDB looks OK" in check_rdb(tmp_path / "dump.rdb")
    server.restart()
    assert contents(server.engine) == before
    assert "Done loading RDB, keys loaded: 7, keys expired: 0." in server.log
    assert info_of(server)["rdb_last_load_keys_loaded"] == 7


def test_a_child_writes_what_was_there_at_the_fork(server: InProcessServer) -> None:
    fill(server)
    before = contents(server.engine)
    client = server.client()
    assert client("BGSAVE") == b"Background saving started"
    client("SET", "later", "too late")
    client("SET", "short", "changed")
    finish_child(server)
    assert server.log.endswith("Background saving terminated with success\n")
    assert info_of(server)["rdb_changes_since_last_save"] == 2
    server.restart()
    assert contents(server.engine) == before


@pytest.mark.parametrize("compression", ["yes", "no"])
@pytest.mark.parametrize("checksum", ["yes", "no"])
def test_compression_and_checksum_are_as_configured(
    tmp_path: Path, compression: str, checksum: str
) -> None:
    options = {"rdbcompression": compression, "rdbchecksum": checksum}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        fill(server)
        before = contents(server.engine)
        server.client()("SAVE")
        data = (tmp_path / "dump.rdb").read_bytes()
        assert (b"ab" * 500 in data) == (compression == "no")
        assert (data[-8:] == bytes(8)) == (checksum == "no")
        check_rdb(tmp_path / "dump.rdb")
        server.restart()
        assert contents(server.engine) == before


def test_how_long_keys_were_not_used_is_kept_under_lru(tmp_path: Path) -> None:
    options = {"maxmemory-policy": "allkeys-lru"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        server.client()("SET", "old", "x")
        server.advance(50_000)
        server.client()("SET", "new", "x")
        server.client()("SAVE")
        server.restart()
        db, access = server.engine.databases[0], server.engine.access
        assert access.idle_ms(db.access_bits(b"old")) == 50_000
        assert access.idle_ms(db.access_bits(b"new")) == 0


def test_keys_whose_time_has_come_are_left_out_and_counted(server: InProcessServer) -> None:
    db = server.engine.databases[0]
    db.set(b"soon", b"x", server.clock.now_ms + 1000)
    db.set(b"late", b"x", server.clock.now_ms + 100_000)
    server.client()("SAVE")
    server.clock.advance(2000)
    server.restart()
    assert set(contents(server.engine)) == {(0, b"late")}
    assert "keys loaded: 1, keys expired: 1." in server.log
    assert info_of(server)["rdb_last_load_keys_expired"] == 1


# --- save points ---------------------------------------------------------------------------------


def test_a_save_point_needs_time_and_changes(tmp_path: Path) -> None:
    with InProcessServer({"save": "60 2"}, directory=tmp_path, bundled=False) as server:
        client = server.client()
        client("SET", "a", "1")
        server.advance(61_000)
        assert children_of(server).current is None
        client("SET", "b", "1")
        server.advance(200)
        assert "2 changes in 60 seconds. Saving..." in server.log
        finish_child(server)
        assert (tmp_path / "dump.rdb").exists()
        assert info_of(server)["rdb_changes_since_last_save"] == 0
        client("SET", "c", "1")
        client("SET", "d", "1")
        server.advance(59_000)
        assert children_of(server).current is None
        server.advance(2_000)
        finish_child(server)


def test_the_first_of_several_save_points_is_enough(tmp_path: Path) -> None:
    with InProcessServer({"save": "3600 1 10 5"}, directory=tmp_path, bundled=False) as server:
        for number in range(5):
            server.client()("SET", number, "x")
        server.advance(10_200)
        assert "5 changes in 10 seconds. Saving..." in server.log
        finish_child(server)


def test_after_a_failure_save_points_wait_before_they_try_again(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with InProcessServer({"save": "10 1"}, directory=folder, bundled=False) as server:
        server.client()("SET", "a", "1")
        folder.rmdir()
        server.advance(10_200)
        finish_child(server)
        server.advance(4_900)
        assert children_of(server).current is None
        folder.mkdir()
        server.advance(300)
        finish_child(server)
        assert info_of(server)["rdb_last_bgsave_status"] == "ok"


def test_no_save_points_no_snapshots(server: InProcessServer, tmp_path: Path) -> None:
    server.client()("SET", "a", "1")
    server.advance(400_000)
    assert not (tmp_path / "dump.rdb").exists()


# --- failures ------------------------------------------------------------------------------------


def assert_last_good_one_is_left(server: InProcessServer, folder: Path, data: bytes) -> None:
    assert sorted(os.listdir(folder)) == ["dump.rdb"]
    assert (folder / "dump.rdb").read_bytes() == data
    assert info_of(server)["rdb_last_bgsave_status"] == "err"
    assert info_of(server)["rdb_bgsave_in_progress"] == 0


@pytest.fixture
def saved(server: InProcessServer, tmp_path: Path) -> bytes:
    """The bytes of the last good snapshot."""
    fill(server)
    server.client()("SAVE")
    server.client()("SET", "more", "data")
    return (tmp_path / "dump.rdb").read_bytes()


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_child_that_fails_leaves_the_last_good_snapshot(
    server: InProcessServer,
    saved: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    monkeypatch.setattr(os, step, failing(errno.ENOSPC, "No space left on device"))
    server.client()("BGSAVE")
    finish_child(server)
    assert_last_good_one_is_left(server, tmp_path, saved)
    assert "No space left on device" in server.log.splitlines()[-1]


def test_a_child_that_is_killed_leaves_the_last_good_snapshot(
    server: InProcessServer, saved: bytes, tmp_path: Path
) -> None:
    server.client()("CONFIG", "SET", "rdb-key-save-delay", 1_000_000)
    server.client()("BGSAVE")
    child = children_of(server).current
    assert child is not None
    while not list(tmp_path.glob("temp-*")):
        pass
    os.kill(child.pid, signal.SIGKILL)
    finish_child(server)
    assert_last_good_one_is_left(server, tmp_path, saved)
    assert "Background saving error: terminated by signal 9" in server.log


def test_a_child_nobody_wants_any_more_is_no_failure(
    server: InProcessServer, saved: bytes, tmp_path: Path
) -> None:
    server.client()("CONFIG", "SET", "rdb-key-save-delay", 1_000_000)
    server.client()("BGSAVE")
    while not list(tmp_path.glob("temp-*")):
        pass
    snapshots_of(server).stop()
    assert sorted(os.listdir(tmp_path)) == ["dump.rdb"]
    assert (tmp_path / "dump.rdb").read_bytes() == saved
    assert info_of(server)["rdb_last_bgsave_status"] == "ok"


def test_a_failed_save_leaves_the_last_good_snapshot(
    server: InProcessServer, saved: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO, "Input/output error"))
    assert server.client().error("SAVE") == "ERR"
    assert sorted(os.listdir(tmp_path)) == ["dump.rdb"]
    assert (tmp_path / "dump.rdb").read_bytes() == saved
    assert f"Failed writing {tmp_path}/dump.rdb: Input/output error" in server.log


def test_a_value_that_cannot_be_saved_fails_the_snapshot_only(
    server: InProcessServer, saved: bytes, tmp_path: Path
) -> None:
    def fault(writer: object, after_keys: bool) -> None:
        raise ZeroDivisionError("of a module")

    snapshots_of(server).extras.append(fault)
    assert server.client().error("SAVE") == "ERR"
    assert "ZeroDivisionError: of a module" in server.log
    server.client()("BGSAVE")
    finish_child(server)
    assert_last_good_one_is_left(server, tmp_path, saved)
    assert "Background saving error: ZeroDivisionError: of a module" in server.log


def test_without_memory_for_a_child_bgsave_is_refused(
    server: InProcessServer, saved: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fork", failing(errno.ENOMEM, "Cannot allocate memory"))
    assert server.client().error("BGSAVE") == "ERR"
    assert_last_good_one_is_left(server, tmp_path, saved)
    assert "Can't save in background: fork: Cannot allocate memory" in server.log


def test_writes_are_refused_after_a_failure_until_one_succeeds(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with InProcessServer({"save": "3600 1"}, directory=folder, bundled=False) as server:
        client = server.client()
        folder.rmdir()
        client("SET", "a", "1")
        client("BGSAVE")
        finish_child(server)
        assert client.error("SET", "a", "2") == MISCONF
        assert client.error("PING") == MISCONF
        assert client("GET", "a") == b"1"
        client("MULTI")
        assert client.error("SET", "a", "2") == MISCONF
        assert client.error("EXEC").startswith("EXECABORT")
        client("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        assert client("SET", "a", "2") == b"OK"
        client("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes")
        assert client.error("SET", "a", "3") == MISCONF
        client("CONFIG", "SET", "save", "")
        assert client("SET", "a", "3") == b"OK"
        client("CONFIG", "SET", "save", "3600 1")
        folder.mkdir()
        client("BGSAVE")
        finish_child(server)
        assert client("SET", "a", "4") == b"OK"


def test_a_transaction_that_was_queued_before_the_failure_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with InProcessServer({"save": "3600 1"}, directory=folder, bundled=False) as server:
        writer, reader, other = server.client(), server.client(), server.client()
        for client, command in ((writer, "SET"), (reader, "GET")):
            client("MULTI")
            client(command, "a", *["1"] * (command == "SET"))
        folder.rmdir()
        other("BGSAVE")
        finish_child(server)
        assert " discarded because of: MISCONF" in writer.error("EXEC")
        assert reader("EXEC") == [None]


def test_a_folder_can_be_asked_whether_it_is_writable(tmp_path: Path) -> None:
    assert why_not_writable(str(tmp_path)) is None
    assert os.listdir(tmp_path) == []
    assert why_not_writable(str(tmp_path / "gone")) == "No such file or directory"
    assert why_not_writable("/proc") is not None


# --- replies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_work", ["BGSAVE", "BGREWRITEAOF"])
def test_replies_are_those_of_the_real_server(
    real_servers: Callable[..., RealRedis], at_work: str
) -> None:
    """While no child is at work, and while one is."""
    real_servers()  # Skips the test where there is none.
    with (
        RealRedis(SLOW) as real,
        InProcessServer(SLOW, bundled=False) as server,
        Both(server, real) as both,
    ):
        both("BGSAVE", "now")
        both("BGSAVE", "schedule", "now")
        both("SAVE", "now")
        both("LASTSAVE", "now")
        both("SET", "k", "v")
        both(at_work)
        both("BGSAVE")
        both("BGREWRITEAOF")
        both("MULTI")
        both("SAVE")
        both("EXEC")
        both("MULTI")
        both("BGSAVE")
        both("BGREWRITEAOF")
        both("EXEC")
        both("BGSAVE", "Schedule")
        if at_work == "BGSAVE":
            both("SAVE")
        children_of(server).kill()


def test_lastsave_is_when_the_last_one_succeeded(server: InProcessServer) -> None:
    client = server.client()
    assert client("LASTSAVE") == server.clock.now_ms // 1000
    server.advance(5000)
    assert client("LASTSAVE") == server.clock.now_ms // 1000 - 5
    client("BGSAVE", "SCHEDULE")
    finish_child(server)
    assert client("LASTSAVE") == server.clock.now_ms // 1000


def test_bgsave_is_scheduled_while_a_log_is_rewritten(tmp_path: Path) -> None:
    with InProcessServer(
        {"rdb-key-save-delay": 100_000}, directory=tmp_path, bundled=False
    ) as server:
        client = server.client()
        client("SET", "k", "v")
        client("BGREWRITEAOF")
        assert client.error("BGSAVE").startswith("ERR Another child process is active (AOF?)")
        assert client("BGSAVE", "SCHEDULE") == b"Background saving scheduled"
        client("CONFIG", "SET", "rdb-key-save-delay", 0)
        finish_child(server)
        assert not (tmp_path / "dump.rdb").exists()
        server.advance(200)
        finish_child(server)
        assert (tmp_path / "dump.rdb").exists()


def test_inside_a_transaction_bgsave_waits_for_its_end(
    server: InProcessServer, tmp_path: Path
) -> None:
    client = server.client()
    client("MULTI")
    client("BGSAVE")
    client("SET", "k", "v")
    assert client("EXEC") == [b"Background saving scheduled", b"OK"]
    server.advance(200)
    finish_child(server)
    server.restart()
    assert contents(server.engine) == {(0, b"k"): (b"v", -1)}


def test_info_has_the_fields_of_the_real_server_in_order(
    server: InProcessServer, real_redis: RealRedis
) -> None:
    with real_redis.client() as client:
        real = client("INFO", "persistence").decode().splitlines()[1:]
    assert list(info_of(server)) == [line.partition(":")[0] for line in real]


def test_info_tells_of_the_child(tmp_path: Path) -> None:
    with InProcessServer({"rdb-key-save-delay": 20_000}, directory=tmp_path) as server:
        fill(server, 1000)
        client = server.client()
        client("BGSAVE")
        server.advance(3000)
        while not info_of(server)["current_cow_size"]:
            server.advance(50)
        fields = info_of(server)
        assert fields["rdb_bgsave_in_progress"] == 1
        assert fields["rdb_current_bgsave_time_sec"] >= 3
        assert fields["current_save_keys_total"] == 1007
        assert 0 < fields["current_save_keys_processed"] < 1007
        assert 0 < float(fields["current_fork_perc"]) < 100
        assert fields["current_cow_peak"] >= fields["current_cow_size"] > 0
        children_of(server).kill()
        fields = info_of(server)
        assert fields["current_save_keys_total"] == fields["current_cow_size"] == 0
        assert fields["rdb_current_bgsave_time_sec"] == -1
        assert fields["rdb_last_cow_size"] > 0
        assert fields["rdb_saves"] == 1
