"""Rewriting the log: nothing is lost or done twice, whatever happens at whatever step."""

import errno
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from balas.services.aof.append import AppendOnlyFile
from balas.services.aof.manifest import Manifest
from balas.testing import Client, InProcessServer, check_aof
from persisting import Contents, children_of, contents, failing, finish_child, info_of

LOGGING = {"appendonly": "yes"}
SLOW = {"appendonly": "yes", "rdb-key-save-delay": 30_000}
# What a rewrite and a start ask of the system, and what of it is a moment for a crash.
STEPS = ("open", "rename", "unlink", "fsync", "fdatasync", "ftruncate")

Server = InProcessServer


def aof_of(server: Server) -> AppendOnlyFile:
    aof: AppendOnlyFile = server.engine.services[AppendOnlyFile]
    return aof


def files_of(folder: Path) -> list[str]:
    return sorted(os.listdir(folder / "appendonlydir"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with InProcessServer(LOGGING, directory=tmp_path, bundled=False) as started:
        yield started


# --- all goes well -------------------------------------------------------------------------------


@pytest.mark.parametrize("preamble", ["yes", "no"])
@pytest.mark.parametrize("timestamps", ["yes", "no"])
def test_a_rewrite_makes_the_log_short(tmp_path: Path, preamble: str, timestamps: str) -> None:
    options = {
        **LOGGING,
        "aof-use-rdb-preamble": preamble,
        "aof-timestamp-enabled": timestamps,
    }
    with InProcessServer(options, directory=tmp_path) as server:
        client = server.client()
        for _ in range(100):
            client("INCR", "a")
        client("BF.ADD", "filter", "item")
        server.engine.databases[7].set(b"timed", b"x", 4_000_000_000_000)
        client("BGREWRITEAOF")
        finish_child(server)
        extension = "rdb" if preamble == "yes" else "aof"
        assert files_of(tmp_path) == [
            f"appendonly.aof.2.base.{extension}",
            "appendonly.aof.2.incr.aof",
            "appendonly.aof.manifest",
        ]
        assert info_of(server)["aof_current_size"] < 500
        assert "valid" in check_aof(tmp_path / "appendonlydir/appendonly.aof.manifest")
        before = contents(server.engine)
        server.restart()
        assert contents(server.engine) == before


def test_writes_during_a_rewrite_are_done_once(tmp_path: Path) -> None:
    with InProcessServer(SLOW, directory=tmp_path, bundled=False) as server:
        client = server.client()
        for name in "abcde":
            client("INCR", name)
        client("BGREWRITEAOF")
        for name in "abcdefg":
            client("INCR", name)
        finish_child(server)
        client("INCR", "a")
        before = contents(server.engine)
        server.restart()
        assert contents(server.engine) == before
        assert before[0, b"a"] == (b"3", -1)


def test_a_crash_during_a_rewrite_leaves_the_old_base_and_both_increments(tmp_path: Path) -> None:
    with InProcessServer(SLOW, directory=tmp_path, bundled=False) as server:
        client = server.client()
        client("INCR", "a")
        client("BGREWRITEAOF")
        client("INCR", "a")
        assert [name for name in files_of(tmp_path) if name.endswith(".aof")] == [
            "appendonly.aof.1.incr.aof",
            "appendonly.aof.2.incr.aof",
        ]
        server.restart()
        assert contents(server.engine) == {(0, b"a"): (b"2", -1)}
        server.client()("INCR", "a")
        server.client()("BGREWRITEAOF")
        finish_child(server)
        server.restart()
        assert contents(server.engine) == {(0, b"a"): (b"3", -1)}


def test_rewriting_a_log_that_is_off_makes_a_log_of_a_base_alone(tmp_path: Path) -> None:
    with InProcessServer(directory=tmp_path, bundled=False) as server:
        server.client()("SET", "a", 1)
        server.client()("BGREWRITEAOF")
        finish_child(server)
        assert files_of(tmp_path) == ["appendonly.aof.1.base.rdb", "appendonly.aof.manifest"]
        server.client()("SET", "a", 2)
        server.options["appendonly"] = "yes"
        server.restart()
        assert contents(server.engine) == {(0, b"a"): (b"1", -1)}


def test_inside_a_transaction_a_rewrite_waits_for_its_end(server: Server) -> None:
    client = server.client()
    client.pipeline(["MULTI"], ["INCR", "a"], ["BGREWRITEAOF"], ["INCR", "a"], ["EXEC"])
    assert info_of(server)["aof_rewrite_scheduled"] == 1
    server.advance(200)
    finish_child(server)
    server.restart()
    assert contents(server.engine) == {(0, b"a"): (b"2", -1)}


def test_unneeded_files_can_be_kept_for_tests(tmp_path: Path) -> None:
    options = {**LOGGING, "aof-disable-auto-gc": "yes"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        server.client()("BGREWRITEAOF")
        finish_child(server)
        assert "appendonly.aof.1.base.rdb" in files_of(tmp_path)
        server.options["aof-disable-auto-gc"] = "no"
        server.restart()
        assert "appendonly.aof.1.base.rdb" not in files_of(tmp_path)
        manifest = tmp_path / "appendonlydir/appendonly.aof.manifest"
        assert "type h" not in manifest.read_text()


# --- by itself -----------------------------------------------------------------------------------


def test_a_log_that_has_grown_is_rewritten(tmp_path: Path) -> None:
    options = {**LOGGING, "auto-aof-rewrite-min-size": 1000, "auto-aof-rewrite-percentage": 50}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        client = server.client()
        client("SET", "a", "x" * 500)
        server.advance(200)
        assert children_of(server).current is None
        client("SET", "a", "x" * 500)
        server.advance(200)
        assert "Starting automatic rewriting of AOF on " in server.log
        finish_child(server)
        size = info_of(server)["aof_base_size"]
        assert size == info_of(server)["aof_current_size"] < 300
        client("SET", "a", "y" * (size // 3))
        server.advance(200)
        assert children_of(server).current is None


def test_after_three_failures_automatic_rewrites_wait_longer_and_longer(tmp_path: Path) -> None:
    options = {**LOGGING, "auto-aof-rewrite-min-size": 10, "auto-aof-rewrite-percentage": 1}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fork", failing(errno.EAGAIN, "no room"))
            server.client()("SET", "a", "x" * 500)
            server.advance(10_000)
            assert info_of(server)["aof_rewrites_consecutive_failures"] == 3
            server.advance(61_000)
            assert info_of(server)["aof_rewrites_consecutive_failures"] == 4
            server.advance(100_000)
            assert info_of(server)["aof_rewrites_consecutive_failures"] == 4
            assert info_of(server)["aof_last_bgrewrite_status"] == "err"
        server.advance(21_000)
        finish_child(server)
        assert info_of(server)["aof_rewrites_consecutive_failures"] == 0
        assert info_of(server)["aof_last_bgrewrite_status"] == "ok"


# --- on and off ----------------------------------------------------------------------------------


def test_the_log_can_be_switched_on_while_clients_write(tmp_path: Path) -> None:
    with InProcessServer({"rdb-key-save-delay": 30_000}, directory=tmp_path) as server:
        client = server.client()
        for name in "abc":
            client("INCR", name)
        client("CONFIG", "SET", "appendonly", "yes")
        assert info_of(server)["aof_enabled"] == info_of(server)["aof_rewrite_in_progress"] == 1
        for name in "cde":
            client("INCR", name)
        finish_child(server)
        client("INCR", "a")
        before = contents(server.engine)
        server.options["appendonly"] = "yes"
        server.restart()
        assert contents(server.engine) == before


def test_the_log_can_be_switched_off_and_on(server: Server, tmp_path: Path) -> None:
    client = server.client()
    client("INCR", "a")
    client("CONFIG", "SET", "appendonly", "no")
    assert info_of(server)["aof_enabled"] == 0
    assert server.engine.hold_replies is None
    client("INCR", "a")
    client("CONFIG", "SET", "appendonly", "yes")
    finish_child(server)
    client("INCR", "a")
    assert len(files_of(tmp_path)) == 3
    server.restart()
    assert contents(server.engine) == {(0, b"a"): (b"3", -1)}


def test_switching_off_before_the_first_base_is_complete_leaves_nothing(tmp_path: Path) -> None:
    with InProcessServer({"rdb-key-save-delay": 1_000_000}, directory=tmp_path) as server:
        client = server.client()
        client("SET", "a", 1)
        client("CONFIG", "SET", "appendonly", "yes")
        client("SET", "a", 2)
        client("CONFIG", "SET", "appendonly", "no")
        assert children_of(server).current is None
        assert files_of(tmp_path) == []
        server.advance(1000)
        assert children_of(server).current is None


def test_switching_on_takes_over_from_a_rewrite_that_collects_nothing(tmp_path: Path) -> None:
    with InProcessServer({"rdb-key-save-delay": 50_000}, directory=tmp_path) as server:
        client = server.client()
        client("INCR", "a")
        client("BGREWRITEAOF")
        client("INCR", "a")
        client("CONFIG", "SET", "appendonly", "yes")
        client("INCR", "a")
        finish_child(server)
        server.options["appendonly"] = "yes"
        server.restart()
        assert contents(server.engine) == {(0, b"a"): (b"3", -1)}


def test_switching_on_waits_for_a_snapshot_under_way(tmp_path: Path) -> None:
    with InProcessServer({"rdb-key-save-delay": 50_000}, directory=tmp_path) as server:
        client = server.client()
        client("INCR", "a")
        client("BGSAVE")
        client("CONFIG", "SET", "appendonly", "yes")
        assert info_of(server)["aof_rewrite_scheduled"] == 1
        client("INCR", "a")
        finish_child(server)
        server.advance(200)
        client("INCR", "a")
        finish_child(server)
        server.options["appendonly"] = "yes"
        server.restart()
        assert contents(server.engine) == {(0, b"a"): (b"3", -1)}


def test_switching_on_inside_a_transaction_waits_for_its_end(tmp_path: Path) -> None:
    with InProcessServer(directory=tmp_path, bundled=False) as server:
        switch = ["CONFIG", "SET", "appendonly", "yes"]
        server.client().pipeline(["MULTI"], ["INCR", "a"], switch, ["INCR", "a"], ["EXEC"])
        server.advance(200)
        finish_child(server)
        server.options["appendonly"] = "yes"
        server.restart()
        assert contents(server.engine) == {(0, b"a"): (b"2", -1)}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGUSR1])
def test_the_first_base_is_tried_again_until_it_is_complete(
    tmp_path: Path, how: signal.Signals
) -> None:
    with InProcessServer({"rdb-key-save-delay": 300_000}, directory=tmp_path) as server:
        client = server.client()
        client("INCR", "a")
        client("CONFIG", "SET", "appendonly", "yes")
        client("INCR", "a")
        child = children_of(server).current
        assert child is not None
        os.kill(child.pid, how)
        finish_child(server)
        client("INCR", "a")
        client("CONFIG", "SET", "rdb-key-save-delay", 0)
        server.advance(200)
        client("INCR", "a")
        finish_child(server)
        server.options["appendonly"] = "yes"
        server.restart()
        assert contents(server.engine) == {(0, b"a"): (b"4", -1)}


def test_a_log_that_cannot_be_begun_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with InProcessServer(directory=folder, bundled=False) as server:
        folder.rmdir()
        assert server.client().error("CONFIG", "SET", "appendonly", "yes") == (
            "ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on "
            "AOF. Check server logs."
        )
        assert info_of(server)["aof_enabled"] == 0
        assert server.client()("CONFIG", "GET", "appendonly") == [b"appendonly", b"no"]
        assert server.client()("SET", "a", 1) == b"OK"
        assert server.client().error("BGREWRITEAOF") == (
            "ERR Can't execute an AOF background rewriting. Please check the server logs for more "
            "information."
        )


def test_the_folder_of_a_log_in_use_cannot_be_changed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    options = {**LOGGING, "enable-protected-configs": "yes"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        change = "CONFIG", "SET", "dir", str(tmp_path / "other")
        assert "the append-only file is in use" in server.client().error(*change)
        server.client()("CONFIG", "SET", "appendonly", "no")
        assert server.client()(*change) == b"OK"


def test_a_folder_that_cannot_be_written_to_is_refused_if_anything_is_persisted(
    tmp_path: Path,
) -> None:
    options = {"enable-protected-configs": "yes", "save": "3600 1"}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        refusal = server.client().error("CONFIG", "SET", "dir", "/proc")
        assert refusal.startswith("ERR CONFIG SET failed (possibly related to argument 'dir') - ")
        server.client()("CONFIG", "SET", "save", "")
        assert server.client()("CONFIG", "SET", "dir", "/proc") == b"OK"


# --- failures and crashes at every step ----------------------------------------------------------


def story(server: Server, pause: Callable[[], None] = lambda: None) -> None:
    """Write before, during and after two rewrites and a time without a log.

    Nothing that fails on the way is in the way of what follows.
    """
    client = server.client()

    def write() -> None:
        client("INCR", "a")
        client.pipeline(["MULTI"], ["INCR", "a"], ["INCR", "b"], ["EXEC"])
        pause()

    def rewrite(*command: str) -> None:
        client.send(*command)
        client.read()
        server.advance(100)
        write()
        if children_of(server).current is not None:
            finish_child(server)
        write()

    write()
    rewrite("BGREWRITEAOF")
    rewrite("BGREWRITEAOF")
    client("CONFIG", "SET", "appendonly", "no")
    write()
    rewrite("CONFIG", "SET", "appendonly", "yes")
    if server.client()("CONFIG", "GET", "appendonly")[1] == b"no":
        rewrite("CONFIG", "SET", "appendonly", "yes")
    for _ in range(3):
        if aof_of(server).starting:
            server.advance(200)
            finish_child(server)
    write()


class Crashes:
    """Copies of a server's folder, made before and after every step; and what each must hold."""

    def __init__(self, server: Server, copies: Path) -> None:
        self._server = server
        self._copies = copies
        self._durable: Contents = {}
        self.found: list[tuple[Path, list[Contents]]] = []

    def patch(self, patch: pytest.MonkeyPatch) -> None:
        for step in STEPS:
            patch.setattr(os, step, self._wrapped(getattr(os, step)))

    def look(self) -> None:
        copy = self._copies / str(len(self.found))
        # A child's unfinished file may vanish meanwhile, and means nothing.
        unfinished = shutil.ignore_patterns("temp-[0-9]*", "temp-rewriteaof-*")
        try:
            shutil.copytree(self._server.directory, copy, ignore=unfinished)
        except OSError as error:
            raise AssertionError("the server must not take this for its own trouble") from error
        now = contents(self._server.engine)
        if aof_of(self._server).manifest is not None:
            self._durable = now
            self.found.append((copy, [now]))
        else:
            # Without a log, what it last said counts; or what it says as it is switched on.
            self.found.append((copy, [self._durable, now]))

    def _wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            elsewhere = str(self._copies) in str(arguments)
            if elsewhere or not is_server_itself():
                return function(*arguments, **options)
            with pytest.MonkeyPatch.context() as pause:
                for step in STEPS:
                    pause.setattr(os, step, REAL[step])
                self.look()
            result = function(*arguments, **options)
            with pytest.MonkeyPatch.context() as pause:
                for step in STEPS:
                    pause.setattr(os, step, REAL[step])
                self.look()
            return result

        return call


# How many of the steps are looked at: one in so many.
STRIDES = [4, pytest.param(1, marks=pytest.mark.long)]
PARENT = os.getpid()
REAL = {step: getattr(os, step) for step in STEPS}


def is_server_itself() -> bool:
    """Whether this is neither a child nor the thread that syncs in the background."""
    return os.getpid() == PARENT and threading.current_thread() is threading.main_thread()


@pytest.mark.parametrize("stride", STRIDES)
def test_a_crash_at_any_step_leaves_a_log_that_says_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with InProcessServer(LOGGING, directory=folder, bundled=False) as server:
        crashes = Crashes(server, tmp_path / "copies")
        with monkeypatch.context() as patch:
            crashes.patch(patch)
            story(server, crashes.look)
    assert len(crashes.found) > 50
    for copy, expected in crashes.found[::stride]:
        with InProcessServer(LOGGING, directory=copy, bundled=False) as again:
            assert contents(again.engine) in expected, copy
            again.client()("INCR", "a")
            once_more = contents(again.engine)
            again.restart()
            assert contents(again.engine) == once_more, copy


def prepare_nothing(folder: Path) -> Contents:
    return {}


def prepare_snapshot(folder: Path) -> Contents:
    with InProcessServer(directory=folder, bundled=False) as server:
        server.client()("INCR", "a")
        server.client()("SAVE")
        return contents(server.engine)


def prepare_old_log(folder: Path) -> Contents:
    (folder / "appendonly.aof").write_bytes(b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n")
    return {(0, b"a"): (b"1", -1)}


def prepare_history(folder: Path) -> Contents:
    options = {**LOGGING, "aof-disable-auto-gc": "yes"}
    with InProcessServer(options, directory=folder, bundled=False) as server:
        server.client()("INCR", "a")
        server.client()("BGREWRITEAOF")
        finish_child(server)
        return contents(server.engine)


@pytest.mark.parametrize(
    "prepare", [prepare_nothing, prepare_snapshot, prepare_old_log, prepare_history]
)
def test_a_crash_at_any_step_of_the_start_is_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Path], Contents]
) -> None:
    folder, copies = tmp_path / "data", tmp_path / "copies"
    folder.mkdir()
    expected = prepare(folder)
    found: list[Path] = []

    def copying(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if str(copies) not in str(arguments):
                found.append(copies / str(len(found)))
                with pytest.MonkeyPatch.context() as pause:
                    for step in STEPS:
                        pause.setattr(os, step, REAL[step])
                    shutil.copytree(folder, found[-1])
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for step in STEPS:
            patch.setattr(os, step, copying(REAL[step]))
        with InProcessServer(LOGGING, directory=folder, bundled=False) as server:
            assert contents(server.engine) == expected
    assert len(found) > 3
    for copy in found:
        with InProcessServer(LOGGING, directory=copy, bundled=False) as again:
            assert contents(again.engine) == expected, copy
            again.client()("INCR", "a")
            before = contents(again.engine)
            again.restart()
            assert contents(again.engine) == before, copy


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 60))]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_failure_and_then_a_crash_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = Random(seed)
    folder = tmp_path / "data"
    folder.mkdir()
    with InProcessServer(LOGGING, directory=folder, bundled=False) as server:
        crashes = Crashes(server, tmp_path / "copies")
        with monkeypatch.context() as patch:
            crashes.patch(patch)
            fail_once(patch, chance.choice(("rename", "fsync")), chance.randrange(16))
            story(server, crashes.look)
    for copy, expected in chance.sample(crashes.found, 20):
        with InProcessServer(LOGGING, directory=copy, bundled=False) as again:
            assert contents(again.engine) in expected, copy


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, stride: int
) -> None:
    """The first call of the step in the story fails, then the second, and so on."""
    calls = 1
    at = 0
    while at < calls:
        folder = tmp_path / str(at)
        folder.mkdir()
        with InProcessServer(LOGGING, directory=folder, bundled=False) as server:
            with monkeypatch.context() as patch:
                count = fail_once(patch, step, at)
                story(server)
            calls = count()
            before = contents(server.engine)
            assert aof_of(server).manifest is not None
            server.restart()
            assert contents(server.engine) == before, at
            manifest = Manifest.read(folder / "appendonlydir", "appendonly.aof")
            assert manifest is not None
        at += stride


def fail_once(patch: pytest.MonkeyPatch, step: str, at: int) -> Callable[[], int]:
    """Let one call of the server itself fail; returns what counts the calls."""
    function = getattr(os, step)
    calls = [0]

    def call(*arguments: Any, **options: Any) -> Any:
        if not is_server_itself():
            return function(*arguments, **options)
        calls[0] += 1
        if calls[0] == at + 1:
            raise OSError(errno.EIO, "made to fail")
        return function(*arguments, **options)

    patch.setattr(os, step, call)
    return lambda: calls[0]


def test_a_child_that_fails_leaves_the_log_in_force(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = server.client()
    client("INCR", "a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", in_child(failing(errno.ENOSPC, "No space left on device")))
        client("BGREWRITEAOF")
        client("INCR", "a")
        finish_child(server)
    assert info_of(server)["aof_last_bgrewrite_status"] == "err"
    assert not [name for name in files_of(tmp_path) if name.startswith("temp-")]
    client("INCR", "a")
    before = contents(server.engine)
    server.restart()
    assert contents(server.engine) == before


def in_child(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that takes the place of os.fsync in children only."""

    def call(*arguments: Any) -> Any:
        return (REAL["fsync"] if os.getpid() == PARENT else function)(*arguments)

    return call


def test_a_rewrite_is_not_started_over_records_that_cannot_be_written(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be in the new base, and a second time in the new increment."""
    client: Client = server.client()
    client("INCR", "a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing(errno.ENOSPC, "No space left on device"))
        client("INCR", "a")
        assert client.error("BGREWRITEAOF").startswith("ERR Can't execute an AOF background")
    server.advance(200)
    client("BGREWRITEAOF")
    finish_child(server)
    server.restart()
    assert contents(server.engine) == {(0, b"a"): (b"2", -1)}
