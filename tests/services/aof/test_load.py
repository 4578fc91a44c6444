"""Loading the log: whole, cut off by a crash, damaged, incomplete, or of an older server."""

from pathlib import Path
from random import Random
from shutil import copytree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.services.aof.append import AppendOnlyFile
from balas.services.aof.load import BadLog, LogReplay
from balas.services.loading import Loading
from balas.services.log import Log
from balas.services.rdb.format import dump_seal
from balas.testing import InProcessServer
from persisting import Contents, Refused, contents, finish_child, flipped, info_of, unchanged

LOGGING = {"appendonly": "yes"}
FOLDER = "appendonlydir"
INCREMENT = f"{FOLDER}/appendonly.aof.1.incr.aof"
MANIFEST = f"{FOLDER}/appendonly.aof.manifest"


def record(*words: str) -> bytes:
    parts = [f"${len(word)}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode("latin-1")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, Contents]]]:
    """The folder of a server with a log, and what there was at each size of its increment."""
    folder = tmp_path_factory.mktemp("recorded")
    states: list[tuple[int, Contents]] = []
    with InProcessServer(LOGGING, directory=folder, bundled=False) as server:
        client = server.client()

        def note() -> None:
            states.append(((folder / INCREMENT).stat().st_size, contents(server.engine)))

        note()
        for number in range(3):
            client("SET", f"key:{number}", f"*1\r\n{number}")
            note()
            client.pipeline(["MULTI"], ["INCR", "a"], ["INCR", "b"], ["SET", "a", 7], ["EXEC"])
            note()
            client("INCR", "a")
            note()
    return folder, states


Recorded = tuple[Path, list[tuple[int, Contents]]]


def restarted(folder: Path, increment: bytes, **options: str) -> InProcessServer:
    """A server on a copy of the folder, with another increment."""
    copy = folder.parent / f"{folder.name}-{len(list(folder.parent.iterdir()))}"
    copytree(folder, copy)
    (copy / INCREMENT).write_bytes(increment)
    return InProcessServer({**LOGGING, **options}, directory=copy, bundled=False)


# --- cut off -------------------------------------------------------------------------------------


def refusal_of(replay: LogReplay) -> str | None:
    """Replay a file to its end; why it is refused, or None."""
    try:
        for _ in replay.steps():
            pass
    except BadLog as error:
        return str(error)
    return None


def test_every_truncation_loads_to_what_there_was(recorded: Recorded, tmp_path: Path) -> None:
    folder, states = recorded
    data = (folder / INCREMENT).read_bytes()
    path = tmp_path / "increment"
    with InProcessServer(bundled=False) as server:
        engine = server.engine
        for size in range(len(data) + 1):
            path.write_bytes(data[:size])
            for db in engine.databases:
                db.flush()
            one = LogReplay(engine, Log(bytearray().extend), path)
            assert list(one.steps()) == []
            good, expected = max((s for s in states if s[0] <= size), key=lambda state: state[0])
            assert contents(engine) == expected, size
            # A SELECT may be whole before the first unit is.
            assert one.good_bytes == good or (good == 0 and one.good_bytes == 23)
            assert one.truncated == (one.good_bytes != size)


def test_the_end_that_a_crash_left_is_cut_off_with_a_warning(recorded: Recorded) -> None:
    folder, states = recorded
    data = (folder / INCREMENT).read_bytes()
    good, expected = states[4]
    with restarted(folder, data[: good + 30]) as server:
        assert contents(server.engine) == expected
        path = server.directory / INCREMENT
        assert path.stat().st_size == good
        assert "!!! Warning: short read while loading the AOF file" in server.log
        assert (
            f"Truncating the AOF {path.name} at offset {good}: its last 30 bytes go" in server.log
        )
        server.client()("SET", "more", "data")
        before = contents(server.engine)
        server.restart()
        assert contents(server.engine) == before
        assert server.log.count("!!! Warning") == 1


def test_a_transaction_without_its_end_is_undone(recorded: Recorded) -> None:
    folder, states = recorded
    data = (folder / INCREMENT).read_bytes()
    good, expected = states[4]
    end = data.index(record("EXEC"), good)
    with restarted(folder, data[:end]) as server:
        assert contents(server.engine) == expected
        assert "Revert incomplete MULTI/EXEC transaction from AOF file" in server.log
        assert (server.directory / INCREMENT).stat().st_size == good


def test_without_aof_load_truncated_the_start_is_refused(recorded: Recorded) -> None:
    folder, states = recorded
    copy = folder.parent / "refused"
    copytree(folder, copy)
    path = copy / INCREMENT
    path.write_bytes(path.read_bytes()[: states[5][0] + 3])
    with unchanged(copy):
        reason = Refused({**LOGGING, "aof-load-truncated": "no"}, copy).reason
    assert f"Unexpected end of file reading the append only file {path} at offset" in reason
    assert f"at offset {states[5][0]}, and aof-load-truncated is off" in reason


def test_only_the_last_file_may_be_cut_off(recorded: Recorded) -> None:
    folder, states = recorded
    copy = folder.parent / "two-increments"
    copytree(folder, copy)
    path = copy / INCREMENT
    path.write_bytes(path.read_bytes()[: states[5][0] + 3])
    (copy / FOLDER / "appendonly.aof.2.incr.aof").write_bytes(b"")
    with (copy / MANIFEST).open("a") as manifest:
        manifest.write("file appendonly.aof.2.incr.aof seq 2 type i\n")
    with unchanged(copy):
        assert "and it is not the last file of the log" in Refused(LOGGING, copy).reason


# --- damaged -------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1 << 32))
def test_a_flip_is_refused_or_changes_one_value(
    recorded: Recorded, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """The start is refused with file and offset, unless the flip is in a name or a value."""
    folder, _ = recorded
    data = (folder / INCREMENT).read_bytes()
    damaged = flipped(data, Random(seed))
    path = tmp_path_factory.mktemp("flipped") / "increment"
    path.write_bytes(damaged)
    with InProcessServer(bundled=False) as server:
        one = LogReplay(server.engine, Log(bytearray().extend), path)
        refusal = refusal_of(one)
        assert "Traceback" not in server.log
    if refusal is not None:
        assert str(path) in refusal
        assert " offset " in refusal
        return
    # What is cut off is never more than the unit that the flip is in.
    at = next(i for i, (a, b) in enumerate(zip(data, damaged, strict=True)) if a != b)
    assert not one.truncated or at >= one.good_bytes


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (b"hello\r\n", "expected '*', found b'h' at offset {at}"),
        (b"\0" * 4096, "expected '*', found b'\\x00' at offset {at}"),
        (record("NOSUCH", "a"), "ERR unknown command 'NOSUCH'"),
        (record("SET", "a"), "ERR wrong number of arguments for 'set' command at offset {at}"),
        (record("EXEC"), "EXEC out of place at offset {at}"),
        (record("MULTI") * 2, "MULTI out of place at offset {behind}"),
        (record("MULTI") + record("NOSUCH") + record("EXEC"), "unknown command 'NOSUCH'"),
    ],
)
def test_a_damaged_log_stops_the_start_and_stays(
    recorded: Recorded, tmp_path: Path, damage: bytes, reason: str
) -> None:
    folder, _ = recorded
    copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / INCREMENT
    data = path.read_bytes()
    path.write_bytes(data + damage + record("SET", "k", "v"))
    with unchanged(tmp_path):
        refused = Refused(LOGGING, tmp_path / "copy")
    text = refused.reason
    assert text.startswith(
        f"Fatal error loading the DB: Bad file format reading the append only file {path}: "
    )
    assert reason.format(at=len(data), behind=len(data) + len(record("MULTI"))) in text
    assert "Traceback" not in refused.log


@pytest.mark.parametrize("size", [5, 60, -1])
def test_a_damaged_base_stops_the_start(recorded: Recorded, tmp_path: Path, size: int) -> None:
    folder, _ = recorded
    copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / FOLDER / "appendonly.aof.1.base.rdb"
    path.write_bytes(path.read_bytes()[:size])
    with unchanged(tmp_path):
        reason = Refused(LOGGING, tmp_path / "copy").reason
    assert f"{path}: unexpected end of data at offset {path.stat().st_size}" in reason


def test_a_file_that_is_missing_stops_the_start(recorded: Recorded, tmp_path: Path) -> None:
    folder, _ = recorded
    copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / INCREMENT
    path.unlink()
    assert Refused(LOGGING, tmp_path / "copy").reason == (
        f"Fatal error loading the DB: The AOF file {path} named in the manifest does not exist. "
        "Exiting."
    )


def test_a_bad_manifest_stops_the_start(recorded: Recorded, tmp_path: Path) -> None:
    folder, _ = recorded
    copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / MANIFEST
    path.write_text(path.read_text() + "file x seq 1 type i\n")
    with unchanged(tmp_path):
        reason = Refused(LOGGING, tmp_path / "copy").reason
    assert f"{path}, line 3: 'file x seq 1 type i': found a non-monotonic sequence" in reason


def test_records_that_no_manifest_names_stop_the_start(recorded: Recorded, tmp_path: Path) -> None:
    folder, _ = recorded
    copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / MANIFEST).unlink()
    with unchanged(tmp_path):
        reason = Refused(LOGGING, tmp_path / "copy").reason
    assert (
        f"{tmp_path}/copy/{INCREMENT} is there, but no manifest appendonly.aof.manifest" in reason
    )


def test_a_base_that_no_manifest_names_is_left_alone(recorded: Recorded, tmp_path: Path) -> None:
    """A crash while the very first log was made leaves one."""
    folder, _ = recorded
    copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / MANIFEST).unlink()
    (tmp_path / "copy" / INCREMENT).unlink()
    base = tmp_path / "copy" / FOLDER / "appendonly.aof.1.base.rdb"
    data = base.read_bytes()
    with InProcessServer(LOGGING, directory=tmp_path / "copy", bundled=False) as server:
        assert f"{base} is left from a log without a manifest" in server.log
        assert base.read_bytes() == data
        server.client()("SET", "a", 1)
        server.restart()
        assert contents(server.engine) == {(0, b"a"): (b"1", -1)}


def test_a_command_that_is_refused_is_told(recorded: Recorded) -> None:
    folder, _ = recorded
    data = (folder / INCREMENT).read_bytes()
    wrong = record("SET", "text", "x") + record("INCR", "text") * 2
    with restarted(folder, data + wrong) as server:
        at = len(data) + len(record("SET", "text", "x"))
        assert f"('incr', at offset {at}) was refused: ERR value is not an integer" in server.log
        assert "2 commands of the append only file" in server.log


# --- time ----------------------------------------------------------------------------------------


def test_no_time_comes_while_a_log_is_replayed(recorded: Recorded) -> None:
    """A key whose time is over now was there when the commands behind it were logged."""
    folder, _ = recorded
    past = str(1_600_000_000_000)
    lines = record("SELECT", "0") + record("SET", "a", "5", "PXAT", past) + record("INCR", "a")
    with restarted(folder, lines) as server:
        assert contents(server.engine) == {(0, b"a"): (b"6", int(past))}
        assert server.client()("GET", "a") is None


@pytest.mark.parametrize("setting", ["SET", "PEXPIREAT", "GETEX", "RESTORE"])
def test_a_key_may_outlive_a_time_that_has_passed_since(recorded: Recorded, setting: str) -> None:
    """It did not expire then, for it was made permanent before."""
    folder, _ = recorded
    past = "1600000000000"
    payload = dump_seal(b"\x00\xc0\x05").decode("latin-1")
    lines = {
        "SET": record("SET", "k", "5", "PXAT", past),
        "PEXPIREAT": record("SET", "k", "5") + record("PEXPIREAT", "k", past),
        "GETEX": record("SET", "k", "5") + record("GETEX", "k", "PXAT", past),
        "RESTORE": record("RESTORE", "k", past, payload, "ABSTTL"),
    }[setting]
    with restarted(folder, record("SELECT", "0") + lines + record("PERSIST", "k")) as server:
        assert contents(server.engine) == {(0, b"k"): (b"5", -1)}


def test_expired_keys_of_a_base_are_loaded(tmp_path: Path) -> None:
    """For the increments behind it may tell of them."""
    with InProcessServer(LOGGING, directory=tmp_path, bundled=False) as server:
        server.engine.databases[0].set(b"k", b"1", server.clock.now_ms + 1000)
        server.client()("BGREWRITEAOF")
        finish_child(server)
        server.client()("INCR", "k")
        server.clock.advance(5000)
        server.restart()
        assert contents(server.engine) == {(0, b"k"): (b"2", server.clock.now_ms - 4000)}


def test_what_was_replayed_is_not_logged_or_counted_again(recorded: Recorded) -> None:
    folder, states = recorded
    data = (folder / INCREMENT).read_bytes()
    with restarted(folder, data) as server:
        assert (server.directory / INCREMENT).read_bytes() == data
        assert server.engine.stats.commands == 0
        loading: Loading = server.engine.services[Loading]
        loading.reload_log()
        assert contents(server.engine) == states[-1][1]
        assert (server.directory / INCREMENT).read_bytes() == data
        server.client()("SET", "a", "b")
        assert (server.directory / INCREMENT).read_bytes().startswith(data)
        assert (server.directory / INCREMENT).stat().st_size > len(data)


# --- older servers, and the first time ---------------------------------------------------------


OLD = record("SELECT", "0") + record("SET", "old", "log")


@pytest.mark.parametrize("crash", [False, True])
def test_the_single_file_of_old_servers_is_adopted(tmp_path: Path, crash: bool) -> None:
    (tmp_path / "appendonly.aof").write_bytes(OLD)
    if crash:  # after the manifest was written and before the file was moved
        (tmp_path / FOLDER).mkdir()
        (tmp_path / MANIFEST).write_text("file appendonly.aof seq 1 type b\n")
    with InProcessServer(LOGGING, directory=tmp_path, bundled=False) as server:
        assert contents(server.engine) == {(0, b"old"): (b"log", -1)}
        assert "Successfully migrated an old-style AOF" in server.log
        assert not (tmp_path / "appendonly.aof").exists()
        server.client()("SET", "new", "log")
        server.restart()
        assert server.client()("MGET", "old", "new") == [b"log", b"log"]


def test_an_old_file_with_a_snapshot_in_front_is_adopted(tmp_path: Path) -> None:
    with InProcessServer(directory=tmp_path, bundled=False) as server:
        server.client()("SET", "saved", "x")
        server.client()("SAVE")
    snapshot = (tmp_path / "dump.rdb").read_bytes()
    (tmp_path / "appendonly.aof").write_bytes(snapshot + OLD)
    with InProcessServer(LOGGING, directory=tmp_path, bundled=False) as server:
        assert set(contents(server.engine)) == {(0, b"saved"), (0, b"old")}


def test_a_log_that_is_switched_on_later_begins_with_the_snapshot(tmp_path: Path) -> None:
    with InProcessServer(directory=tmp_path, bundled=False) as server:
        server.client()("SET", "saved", "x")
        server.client()("SAVE")
        server.options["appendonly"] = "yes"
        server.restart()
        assert contents(server.engine) == {(0, b"saved"): (b"x", -1)}
        (tmp_path / "dump.rdb").unlink()
        server.restart()
        assert contents(server.engine) == {(0, b"saved"): (b"x", -1)}


def test_a_log_wins_over_a_snapshot(tmp_path: Path) -> None:
    with InProcessServer(LOGGING, directory=tmp_path, bundled=False) as server:
        server.client()("SET", "a", "logged")
        server.client()("SAVE")
        server.client()("SET", "a", "logged later")
        server.restart()
        assert server.client()("GET", "a") == b"logged later"


def test_other_names_are_used_if_wanted(tmp_path: Path) -> None:
    options = {**LOGGING, "appenddirname": "my log", "appendfilename": 'the "one"'}
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        server.client()("SET", "a", 1)
        assert sorted(path.name for path in (tmp_path / "my log").iterdir()) == [
            'the "one".1.base.rdb',
            'the "one".1.incr.aof',
            'the "one".manifest',
        ]
        server.restart()
        assert server.client()("GET", "a") == b"1"


def test_sizes_are_those_of_the_files(recorded: Recorded) -> None:
    folder, _ = recorded
    data = (folder / INCREMENT).read_bytes()
    base = (folder / FOLDER / "appendonly.aof.1.base.rdb").stat().st_size
    with restarted(folder, data) as server:
        assert info_of(server)["aof_base_size"] == base
        assert info_of(server)["aof_current_size"] == base + len(data)
        aof: AppendOnlyFile = server.engine.services[AppendOnlyFile]
        assert aof.enabled
