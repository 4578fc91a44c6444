"""Persistence of a server in a process of its own: full disks, children, refused starts."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balas.testing import BalasProcess, Client, StartupError, wait_until

Start = Callable[..., BalasProcess]

LOGGING = {"appendonly": "yes"}
ALWAYS = {"appendonly": "yes", "appendfsync": "always"}
INCREMENT = "appendonlydir/appendonly.aof.1.incr.aof"


def limit_files(server: BalasProcess, size: int) -> None:
    """Let the server write to no file beyond this size: its disk is full."""
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))


def is_refused(client: Client, *argv: object) -> bool:
    client.send(*argv)
    return str(client.read()).startswith("MISCONF")


def write_to_the_end(client: Client) -> int:
    """Write one key after the other until the server is gone; how many it has acknowledged."""
    acknowledged = 0
    try:
        while True:
            client("SET", f"key:{acknowledged}", "x" * 50)
            acknowledged += 1
    except ConnectionError:
        return acknowledged


def persistence(client: Client) -> dict[str, str]:
    lines = client("INFO", "persistence").decode().splitlines()[1:]
    return dict(line.split(":", 1) for line in lines)


def children_of(server: BalasProcess) -> list[int]:
    path = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def has_ended(pid: int) -> bool:
    """Whether a process is gone, but perhaps for the entry that nobody has taken note of."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


# --- full disks ----------------------------------------------------------------------------------


def test_a_full_disk_refuses_writes_until_there_is_room(balas_process: Start) -> None:
    server = balas_process(LOGGING)
    with server.client() as client:
        limit_files(server, 1000)
        written = 0
        while not is_refused(client, "SET", f"key:{written}", "x" * 50):
            written += 1
        assert 5 < written < 20
        assert client("GET", "key:0") == b"x" * 50
        assert persistence(client)["aof_last_write_status"] == "err"
        limit_files(server, resource.RLIM_INFINITY)
        wait_until(lambda: not is_refused(client, "SET", "more", "x"))
        keys = client("DBSIZE")
    server.kill()
    server.start()
    with server.client() as client:
        assert client("DBSIZE") == keys
    assert "Truncating" not in server.log


def test_under_always_a_full_disk_ends_the_server_before_it_says_ok(balas_process: Start) -> None:
    server = balas_process(ALWAYS)
    with server.client() as client:
        limit_files(server, 4000)
        acknowledged = write_to_the_end(client)
    assert server.wait_for_exit() == 1
    # The limit holds for the file of log lines as well, which is shorter.
    assert "Can't recover from AOF" in server.log
    assert "Traceback" not in server.log
    server.start()
    with server.client() as client:
        assert client("DBSIZE") == acknowledged > 5


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, where one can be had."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_snapshot_that_does_not_fit_leaves_the_last_good_one(
    balas_process: Start, small_disk: Path
) -> None:
    server = balas_process({"save": "3600 1"}, directory=small_disk)
    with server.client() as client:
        client("SET", "good", "x")
        client("SAVE")
        data = (small_disk / "dump.rdb").read_bytes()
        client("SET", "big", os.urandom(2 << 20))
        client("BGSAVE")
        wait_until(lambda: is_refused(client, "SET", "a", "b"))
        assert persistence(client)["rdb_last_bgsave_status"] == "err"
        assert client.error("SAVE") == "ERR"
        assert (small_disk / "dump.rdb").read_bytes() == data
        assert sorted(os.listdir(small_disk)) == ["dump.rdb", "server.log"]
        assert "No space left on device" in server.log
        client("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        client("DEL", "big")
        client("BGSAVE")
        wait_until(lambda: persistence(client)["rdb_last_bgsave_status"] == "ok")


def test_a_rewrite_that_does_not_fit_leaves_the_log_in_force(
    balas_process: Start, small_disk: Path
) -> None:
    server = balas_process({**LOGGING, "rdbcompression": "no"}, directory=small_disk)
    with server.client() as client:
        client("SET", "big", "x" * 600_000)
        client("SET", "big", "x" * 100_000)
        client("APPEND", "big", "x" * 230_000)
        client("BGREWRITEAOF")
        wait_until(lambda: persistence(client)["aof_last_bgrewrite_status"] == "err")
        client("SET", "small", "y")
        assert not [n for n in os.listdir(small_disk / "appendonlydir") if n.startswith("temp")]
    server.kill()
    server.start()
    with server.client() as client:
        assert client("STRLEN", "big") == 330_000
        assert client("GET", "small") == b"y"


# --- children ------------------------------------------------------------------------------------


SLOW = {"rdb-key-save-delay": 10_000_000}


def test_a_child_holds_no_connection_open(balas_process: Start) -> None:
    server = balas_process(SLOW)
    with server.client() as client, server.client() as other:
        client("SET", "a", "b")
        other("PING")
        client("BGSAVE")
        assert len(children_of(server)) == 1
        other.send("QUIT")
        assert other.read() == b"OK"
        assert other.read_to_end(timeout_s=5) == b""
        links = Path(f"/proc/{children_of(server)[0]}/fd")
        kinds = [os.readlink(link) for link in links.iterdir()]
        assert not [kind for kind in kinds if kind.startswith(("socket:", "anon_inode:"))]


def test_a_child_logs_to_the_log_file(balas_process: Start, tmp_path: Path) -> None:
    """Not into the snapshot, which is the next file that it opens."""
    path = tmp_path / "balas.log"
    server = balas_process({"logfile": path, "loglevel": "debug"})
    with server.client() as client:
        client("SET", "a", "b")
        client("BGSAVE")
        wait_until(lambda: "Background saving terminated with success" in path.read_text())
    assert ":C " in path.read_text()
    assert "DB saved on disk" in path.read_text()


def test_ctrl_c_is_for_the_server_alone(balas_process: Start) -> None:
    server = balas_process({**SLOW, "save": "3600 1"})
    with server.client() as client:
        client("SET", "a", "b")
        client("BGSAVE")
        child = children_of(server)[0]
        os.kill(child, signal.SIGINT)
        assert client("PING") == b"PONG"
        assert children_of(server) == [child]
        os.kill(child, signal.SIGTERM)
        wait_until(lambda: persistence(client)["rdb_last_bgsave_status"] == "err")
        assert "terminated by signal 15" in server.log
        assert "Received SIG" not in server.log


def test_the_end_of_the_server_is_the_end_of_its_child(balas_process: Start) -> None:
    server = balas_process(SLOW)
    with server.client() as client:
        client("SET", "a", "b")
        client("BGSAVE")
        child = children_of(server)[0]
    assert server.stop() == 0
    assert not Path(f"/proc/{child}").exists()
    assert sorted(os.listdir(server.directory)) == ["server.log"]


def test_a_child_that_outlives_its_server_leaves_the_snapshot_alone(balas_process: Start) -> None:
    """The next server may have saved newer data meanwhile."""
    server = balas_process({"rdb-key-save-delay": 500_000})
    with server.client() as client:
        client("SET", "a", "b")
        client("BGSAVE")
        child = children_of(server)[0]
        server.kill()
        wait_until(lambda: has_ended(child))
    assert sorted(os.listdir(server.directory)) == ["server.log"]


def test_what_a_killed_server_left_unfinished_is_removed(balas_process: Start) -> None:
    server = balas_process({"save": "3600 1"})
    pid = server.pid
    server.kill()
    left = server.directory / f"temp-{pid}.rdb"
    fresh = server.directory / f"temp-{pid + 1_000_000}.rdb"
    other = server.directory / "temp-of-mine.rdb"
    for path in (left, fresh, other):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    server.start()
    assert not left.exists()
    assert fresh.exists()
    assert other.exists()


# --- the start -----------------------------------------------------------------------------------


def test_clients_are_told_while_loading(balas_process: Start) -> None:
    server = balas_process()
    with server.client() as client:
        client.pipeline(*(["SET", f"key:{n}", os.urandom(100)] for n in range(150)))
        client("SAVE")
    server.kill()
    server.options |= {"key-load-delay": 5000, "loading-process-events-interval-bytes": 1024}
    said_before = len(server.log)
    server.start(wait=False)
    wait_until(lambda: "Server initialized" in server.log[said_before:])
    with server.client() as client:
        assert client.error("PING") == "LOADING Redis is loading the dataset in memory"
        assert client.error("GET", "key:1") == "LOADING Redis is loading the dataset in memory"
        fields = persistence(client)
        assert fields["loading"] == "1"
        assert 0 < int(fields["loading_loaded_bytes"]) < int(fields["loading_total_bytes"])
        server.wait_until_ready()
        assert client("DBSIZE") == 150
        assert persistence(client)["loading"] == "0"


@pytest.mark.parametrize("options", [{}, LOGGING])
def test_a_damaged_file_is_told_in_one_line_without_a_traceback(
    tmp_path: Path, options: dict[str, str]
) -> None:
    if options:
        path = tmp_path / INCREMENT
        path.parent.mkdir()
        path.write_bytes(b"*1\r\n$4\r\nPING\r\nrubbish")
        manifest = path.with_name("appendonly.aof.manifest")
        manifest.write_text(f"file {path.name} seq 1 type i\n")
    else:
        path = tmp_path / "dump.rdb"
        path.write_bytes(b"REDIS0012\xfarubbish")
    data = path.read_bytes()
    with pytest.raises(StartupError) as failure, BalasProcess(options, directory=tmp_path):
        pass
    assert failure.value.exit_code == 1
    assert "Fatal error loading the DB: " in failure.value.log
    assert str(path) in failure.value.log
    assert " offset " in failure.value.log
    assert "Traceback" not in failure.value.log
    assert path.read_bytes() == data


@pytest.mark.parametrize("options", [{"save": "3600 1"}, LOGGING])
def test_a_folder_that_cannot_be_written_to_is_told(
    tmp_path: Path, options: dict[str, str]
) -> None:
    with (
        pytest.raises(StartupError) as failure,
        BalasProcess({**options, "dir": "/proc"}, directory=tmp_path),
    ):
        pass
    assert failure.value.exit_code == 1
    assert "Can't write to /proc (dir, set by the command line), where data are" in (
        failure.value.log
    )


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"save": "3600 1"}, LOGGING, {**LOGGING, "appendfsync": "no"}])
def test_a_server_that_ends_in_order_keeps_everything(
    balas_process: Start, options: dict[str, str]
) -> None:
    server = balas_process(options)
    with server.client() as client:
        for number in range(100):
            client("INCR", "counter")
            client("SET", number, number)
    assert server.stop() == 0
    server.start()
    with server.client() as client:
        assert client("GET", "counter") == b"100"
        assert client("DBSIZE") == 101


def test_a_log_without_its_first_base_is_not_left_alone(balas_process: Start) -> None:
    server = balas_process(SLOW)
    with server.client() as client:
        client("SET", "a", "b")
        client("CONFIG", "SET", "appendonly", "yes")
        assert client.error("SHUTDOWN") == ("ERR Errors trying to SHUTDOWN. Check logs.")
        assert "Writing initial AOF, can't exit." in server.log
        client.send("SHUTDOWN", "FORCE")
    assert server.wait_for_exit() == 0
