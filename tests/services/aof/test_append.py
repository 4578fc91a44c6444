"""The append-only file while a server runs: what is in it, and when replies may leave."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from balas.engine.dispatch import Engine
from balas.services.aof.append import AppendOnlyFile, LogLost
from balas.services.aof.decode import RecordReader
from balas.testing import InProcessServer
from persisting import contents, failing, finish_child, info_of

FULL = failing(errno.ENOSPC, "No space left on device")
MISCONF = "MISCONF Errors writing to the AOF file: No space left on device"


def aof_of(server: InProcessServer) -> AppendOnlyFile:
    aof: AppendOnlyFile = server.engine.services[AppendOnlyFile]
    return aof


def increment_of(server: InProcessServer) -> Path:
    """The file that is appended to."""
    manifest = aof_of(server).manifest
    assert manifest is not None
    return manifest.path_of(manifest.increments[-1])


def logged(server: InProcessServer) -> list[bytes]:
    """The records in the log since the last base, each as one line."""
    reader = RecordReader(increment_of(server).read_bytes())
    lines = []
    while (argv := reader.next_record()) is not None:
        lines.append(b" ".join(argv))
    assert not reader.cut_off
    return lines


class Turns:
    """An event loop of which the test decides when a turn is over."""

    def __init__(self, engine: Engine) -> None:
        self._actions: list[Callable[[], object]] = []
        engine.call_soon = self._actions.append

    def end(self) -> None:
        """End this turn: do what was put off until then."""
        actions = self._actions[:]
        self._actions.clear()
        for action in actions:
            action()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[InProcessServer]:
    with InProcessServer({"appendonly": "yes"}, directory=tmp_path, bundled=False) as started:
        yield started


# --- what is logged ------------------------------------------------------------------------------


def test_writes_are_logged_and_come_back(server: InProcessServer) -> None:
    client = server.client()
    client("SET", "a", "1")
    client("GET", "a")
    client("INCR", "a")
    assert logged(server) == [b"SELECT 0", b"SET a 1", b"INCR a"]
    before = contents(server.engine)
    server.restart()
    assert contents(server.engine) == before == {(0, b"a"): (b"2", -1)}


def test_a_refused_write_is_not_logged(server: InProcessServer) -> None:
    client = server.client()
    client("SET", "a", "text")
    client.error("INCR", "a")
    assert logged(server) == [b"SELECT 0", b"SET a text"]


def test_a_transaction_is_logged_as_one(server: InProcessServer) -> None:
    client = server.client()
    client.pipeline(["MULTI"], ["SET", "a", 1], ["GET", "a"], ["INCR", "a"], ["EXEC"])
    client.pipeline(["MULTI"], ["SET", "b", 1], ["EXEC"])
    client.pipeline(["MULTI"], ["GET", "b"], ["EXEC"])
    assert logged(server) == [b"SELECT 0", b"MULTI", b"SET a 1", b"INCR a", b"EXEC", b"SET b 1"]


def test_a_key_whose_time_comes_is_deleted_in_the_log(server: InProcessServer) -> None:
    server.engine.databases[0].set(b"k", b"v", server.clock.now_ms + 10)
    server.clock.advance(11)
    assert server.client()("GET", "k") is None
    assert logged(server) in ([b"SELECT 0", b"DEL k"], [b"SELECT 0", b"UNLINK k"])


def test_after_a_restart_the_database_is_selected_again(server: InProcessServer) -> None:
    server.client()("SET", "a", 1)
    server.restart()
    server.client()("SET", "b", 1)
    assert logged(server) == [b"SELECT 0", b"SET a 1", b"SELECT 0", b"SET b 1"]


def test_times_are_noted_if_wanted(tmp_path: Path) -> None:
    options = {"appendonly": "yes", "aof-timestamp-enabled": "yes"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        client = server.client()
        client("SET", "a", 1)
        client("SET", "b", 1)
        server.advance(1000)
        client("SET", "c", 1)
        client("CONFIG", "SET", "aof-timestamp-enabled", "no")
        server.advance(1000)
        client("SET", "d", 1)
        notes = [line for line in increment_of(server).read_bytes().split() if b"#" in line]
        assert notes == [b"#TS:1700000000", b"#TS:1700000001"]
        before = contents(server.engine)
        server.restart()
        assert contents(server.engine) == before


def test_without_a_log_nothing_is_encoded(tmp_path: Path) -> None:
    with InProcessServer(directory=tmp_path, bundled=False) as server:
        server.client()("SET", "a", 1)
        assert not server.engine.changes.sinks
        assert server.engine.hold_replies is None
        assert os.listdir(tmp_path) == []


# --- when replies leave --------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["always", "everysec", "no"])
def test_replies_wait_until_the_write_is_in_the_log(tmp_path: Path, policy: str) -> None:
    options = {"appendonly": "yes", "appendfsync": policy}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        turns = Turns(server.engine)
        writer, reader, early = server.client(), server.client(), server.client()
        assert early("GET", "a") is None
        writer.send("SET", "a", 1)
        writer.send("GET", "a")
        reader.send("GET", "a")
        assert not writer.transport.has_output
        assert not reader.transport.has_output
        assert logged(server) == []
        turns.end()
        assert logged(server) == [b"SELECT 0", b"SET a 1"]
        assert [writer.read(), writer.read(), reader.read()] == [b"OK", b"1", b"1"]
        assert early("GET", "a") == b"1"


def test_one_sync_serves_all_clients_of_a_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"appendonly": "yes", "appendfsync": "always"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        turns = Turns(server.engine)
        calls: list[str] = []
        monkeypatch.setattr(os, "fdatasync", lambda fd: calls.append("sync"))
        write = os.write
        monkeypatch.setattr(os, "write", lambda fd, data: calls.append("write") or write(fd, data))
        clients = [server.client() for _ in range(20)]
        for number, client in enumerate(clients):
            client.send("SET", number, number)
            client.send("INCR", number)
        turns.end()
        assert calls == ["write", "sync"]
        for number, client in enumerate(clients):
            assert [client.read(), client.read()] == [b"OK", number + 1]


def test_messages_wait_behind_the_write_they_tell_of(tmp_path: Path) -> None:
    options = {"appendonly": "yes", "notify-keyspace-events": "E$"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        turns = Turns(server.engine)
        listener, writer = server.client(), server.client()
        listener("SUBSCRIBE", "__keyevent@0__:set")
        writer.send("SET", "a", 1)
        assert not listener.transport.has_output
        turns.end()
        assert listener.read()[2] == b"a"
        assert writer.read() == b"OK"


def test_a_client_that_goes_leaves_no_reply_behind(tmp_path: Path) -> None:
    with InProcessServer({"appendonly": "yes"}, directory=tmp_path, bundled=False) as server:
        turns = Turns(server.engine)
        client = server.client()
        client.send("SET", "a", 1)
        client.close()
        turns.end()
        assert not server.engine.held
        assert logged(server) == [b"SELECT 0", b"SET a 1"]


def test_everysec_syncs_once_a_second_if_there_is_something(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)

    def pass_second() -> int:
        server.advance(1100)
        while aof_of(server).writer.syncing:
            pass
        return len(synced)

    client = server.client()
    for _ in range(10):
        client("SET", "a", 1)
    assert synced == []
    assert pass_second() == 1
    assert pass_second() == 1
    client("SET", "a", 1)
    assert pass_second() == 2


def test_a_sync_that_takes_long_is_not_started_twice(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, written = os.pipe()
    monkeypatch.setattr(os, "fdatasync", lambda fd: os.read(gate, 1))
    for _ in range(3):
        server.client()("SET", "a", 1)
        server.advance(1100)
    assert info_of(server)["aof_pending_bio_fsync"] == 1
    assert info_of(server)["aof_delayed_fsync"] == 2
    os.write(written, b"..")
    monkeypatch.undo()
    os.close(written)


def test_policy_no_never_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"appendonly": "yes", "appendfsync": "no"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", failing(errno.EIO))
            server.client()("SET", "a", 1)
            server.advance(5000)
        assert info_of(server)["aof_last_write_status"] == "ok"


def test_no_appendfsync_on_rewrite_spares_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "yes",
        "rdb-key-save-delay": 100_000,
    }
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        client = server.client()
        synced: list[int] = []
        monkeypatch.setattr(os, "fdatasync", synced.append)
        client("SET", "a", 1)
        assert len(synced) == 1
        client("BGSAVE")
        client("SET", "b", 1)
        assert len(synced) == 1
        finish_child(server)
        client("SET", "c", 1)
        assert len(synced) == 2


def test_changing_to_always_syncs_at_once(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    client = server.client()
    client("SET", "a", 1)
    client("CONFIG", "SET", "appendfsync", "always")
    assert len(synced) == 1


# --- errors --------------------------------------------------------------------------------------


def test_a_full_disk_refuses_writes_until_there_is_room(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = server.client()
    client("SET", "a", 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", FULL)
        client("INCR", "a")
        assert client.error("INCR", "a") == MISCONF
        assert client.error("PING") == MISCONF
        assert client("GET", "a") == b"2"
        assert info_of(server)["aof_last_write_status"] == "err"
        assert info_of(server)["aof_buffer_length"] > 0
        server.advance(200)
        assert client.error("INCR", "a") == MISCONF
    server.advance(200)
    assert client("INCR", "a") == 3
    assert "AOF write error looks solved. The server can write again." in server.log
    assert server.log.count("Error writing to the AOF file: No space left on device") == 1
    assert logged(server) == [b"SELECT 0", b"SET a 1", b"INCR a", b"INCR a"]


def partly(count: int) -> Callable[[int, Any], int]:
    """A function like os.write that has room for so many bytes more."""
    write = os.write
    room = [count]

    def write_some(descriptor: int, data: Any) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = write(descriptor, bytes(data)[: room[0]])
        room[0] -= taken
        return taken

    return write_some


@pytest.mark.parametrize("undo_fails", [False, True])
def test_half_a_record_is_taken_back_or_completed(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch, undo_fails: bool
) -> None:
    client = server.client()
    client("SET", "a", 1)
    size = increment_of(server).stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", partly(7))
        if undo_fails:
            patch.setattr(os, "ftruncate", failing(errno.EIO))
        client("SET", "b", "value")
        assert increment_of(server).stat().st_size == size + 7 * undo_fails
        server.advance(500)
    server.advance(200)
    client("SET", "c", 1)
    assert logged(server) == [b"SELECT 0", b"SET a 1", b"SET b value", b"SET c 1"]
    assert info_of(server)["aof_current_size"] == sum(
        path.stat().st_size for path in increment_of(server).parent.glob("*.[0-9].*")
    )


@pytest.mark.parametrize("step", ["write", "fdatasync"])
def test_under_always_a_write_that_cannot_be_logged_ends_the_server_unanswered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    options = {"appendonly": "yes", "appendfsync": "always"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        turns, lost = Turns(server.engine), []
        aof_of(server).on_lost = lambda: lost.append(True)
        client, other = server.client(), server.client()
        with monkeypatch.context() as patch:
            patch.setattr(os, step, FULL)
            client.send("SET", "a", 1)
            turns.end()
            other.send("GET", "a")
            other.send("SET", "b", 1)
            turns.end()
        server.advance(1000)
        assert lost == [True]
        assert not client.transport.has_output
        assert not other.transport.has_output
        assert "Can't recover from AOF " in server.log
        assert "No space left on device. Exiting..." in server.log
    assert not client.transport.has_output


def test_a_lost_log_is_never_passed_over_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"appendonly": "yes", "appendfsync": "always"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        client = server.client()
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", FULL)
            with pytest.raises(LogLost):
                client("SET", "a", 1)


def test_a_sync_that_fails_in_the_background_refuses_writes_until_one_succeeds(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pass_second() -> None:
        server.advance(1100)
        while aof_of(server).writer.syncing:
            pass
        server.advance(100)

    client = server.client()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", FULL)
        client("SET", "a", 1)
        pass_second()
        assert client.error("SET", "a", 2) == MISCONF
        assert info_of(server)["aof_last_write_status"] == "err"
        assert "Fail to fsync the AOF file: No space left on device" in server.log
        pass_second()
        assert client.error("SET", "a", 2) == MISCONF
    pass_second()
    assert client("SET", "a", 2) == b"OK"
    assert info_of(server)["aof_last_write_status"] == "ok"


def test_what_could_not_be_written_is_written_at_the_end(
    server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", FULL)
        server.client()("SET", "a", 1)
    server.restart()
    assert contents(server.engine) == {(0, b"a"): (b"1", -1)}
