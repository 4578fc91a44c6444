"""What is refused while the disk fails and while data are loaded, as the real server refuses it."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balas.testing import BalasProcess, Both, Client, RealRedis, wait_until

pytestmark = pytest.mark.oracle

KINDS = (RealRedis, BalasProcess)
WRITE_SCRIPT = "return redis.call('SET', KEYS[1], 'x')"
CALLING = [
    ("EVAL", WRITE_SCRIPT, 1, "k"),
    ("EVAL", "return redis.pcall('SET', KEYS[1], 'x').err", 1, "k"),
    ("EVAL", "return redis.call('GET', KEYS[1])", 1, "k"),
    ("EVAL", "return 1", 0),
    ("EVAL", "#!lua\nreturn redis.call('SET', KEYS[1], 'x')", 1, "k"),
    ("EVAL", "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])", 1, "k"),
    ("EVAL", "#!lua flags=allow-stale\nreturn 1", 0),
    ("EVAL_RO", "return redis.call('GET', KEYS[1])", 1, "k"),
    ("FCALL", "reads", 1, "k"),
    ("FCALL_RO", "reads", 1, "k"),
    ("FCALL", "writes", 1, "k"),
    ("FUNCTION", "FLUSH"),
    ("SCRIPT", "EXISTS", "x"),
]
COMMANDS = [
    *(("PING",), ("PING", "x"), ("ECHO", "x"), ("GET", "k"), ("SET", "k", "v"), ("DEL", "k")),
    *(("SELECT", 1), ("SELECT", 0), ("DBSIZE",), ("TYPE", "k"), ("EXISTS", "k")),
    *(("GETEX", "k"), ("GETEX", "k", "PERSIST"), ("EXPIRE", "k", 100), ("TTL", "k")),
    *(
        ("INCR", "none"),
        ("LPUSH", "none", "x"),
        ("BLPOP", "none", 0.01),
        ("LMPOP", 1, "none", "LEFT"),
    ),
    *(("SORT", "none", "STORE", "other"), ("SORT_RO", "none"), ("FLUSHALL",), ("FLUSHDB",)),
    *(("PUBLISH", "c", "m"), ("SPUBLISH", "c", "m"), ("PFCOUNT", "none"), ("UNLINK", "none")),
    *(("OBJECT", "FREQ", "none"), ("DEBUG", "SLEEP", 0), ("LASTSAVE", "wrong"), ("WATCH", "k")),
    *(("XREADGROUP", "GROUP", "g", "c", "STREAMS", "none", ">"), ("XADD", "none", "*", "f", "v")),
    *(("COPY", "k", "copy"), ("RENAME", "none", "x"), ("RESTORE", "none", 0, "x"), ("TOUCH", "k")),
    *(("CLIENT", "ID", "wrong"), ("CONFIG", "GET", "save"), ("ACL", "WHOAMI", "x"), ("HELLO", "9")),
    *(("COMMAND", "COUNT", "wrong"), ("LATENCY", "RESET"), ("SWAPDB", 0, 1), ("UNWATCH",)),
    ("WAIT", 0, 1),
]
FUNCTIONS = """#!lua name=lib
redis.register_function{function_name='reads', flags={'no-writes'},
  callback=function(keys) return redis.call('GET', keys[1]) end}
redis.register_function('writes', function(keys) return redis.call('SET', keys[1], 'x') end)
"""


# Writes and reads in MULTI.
TRANSACTIONS: list[tuple[object, ...]] = [
    command
    for queued in (("SET", "k", "v"), ("GET", "k"), ("PING",), ("EVAL", WRITE_SCRIPT, 1, "k"))
    for command in (("MULTI",), queued, ("GET", "k"), ("EXEC",))
]


def differences(both: Both, commands: list[tuple[object, ...]]) -> list[str]:
    """Where the two servers answer differently."""
    found = []
    for command in commands:
        try:
            both(*command)
        except AssertionError as error:
            found.append(str(error))
    return found


@pytest.fixture
def failing(tmp_path: Path, real_servers: Callable[..., RealRedis]) -> Iterator[Both]:
    """Both servers after a snapshot that could not be written."""
    real_servers()
    folders = [tmp_path / "real", tmp_path / "ours"]
    for folder in folders:
        folder.mkdir()
    options = {"save": "3600 1", "enable-debug-command": "yes"}
    servers = RealRedis(options, directory=folders[0]), BalasProcess(options, directory=folders[1])
    with servers[0] as real, servers[1] as ours, Both(ours, real) as both:
        both("SET", "k", "v")
        both("FUNCTION", "LOAD", FUNCTIONS)
        for folder in folders:
            shutil.rmtree(folder)
        both("BGSAVE")
        for server in (real, ours):
            with server.client() as client:
                wait_until(lambda: status(client) == "err")
        yield both
        for folder in folders:
            folder.mkdir(exist_ok=True)


def status(client: Client) -> str:
    text: bytes = client("INFO", "persistence")
    return text.decode().split("rdb_last_bgsave_status:")[1].split()[0]


def test_after_a_snapshot_has_failed(failing: Both) -> None:
    assert differences(failing, [*COMMANDS, *CALLING, *TRANSACTIONS]) == []


def test_while_data_are_loaded(real_servers: Callable[..., RealRedis], tmp_path: Path) -> None:
    """Each key takes a hundredth of a second, and is followed by a look at what clients want."""
    real_servers()
    folders = [tmp_path / "real", tmp_path / "ours"]
    options = {"enable-debug-command": "yes", "rdbcompression": "no"}
    for folder in folders:
        folder.mkdir()
    with RealRedis(options, directory=folders[0]) as real, real.client() as client:
        client.pipeline(*(["SET", f"key:{n}", "x" * 1100] for n in range(600)))
        client("FUNCTION", "LOAD", FUNCTIONS)
        client("SAVE")
    shutil.copy(folders[0] / "dump.rdb", folders[1] / "dump.rdb")
    slow = {**options, "key-load-delay": 10_000, "loading-process-events-interval-bytes": 1024}
    servers = RealRedis(slow, directory=folders[0]), BalasProcess(slow, directory=folders[1])
    try:
        for server in servers:
            server.start(wait=False)
            wait_until(lambda: is_loading(server))  # noqa: B023
        with Both(servers[1], servers[0]) as both:
            assert differences(both, [*COMMANDS, *CALLING, *TRANSACTIONS]) == []
            assert is_loading(servers[0])
            assert is_loading(servers[1])
    finally:
        for server in servers:
            server.close()


def is_loading(server: RealRedis | BalasProcess) -> bool:
    try:
        with server.client() as client:
            return b"loading:1" in client("INFO", "persistence")
    except ConnectionError:
        return False


@pytest.fixture
def full_disks(tmp_path: Path) -> Iterator[list[Path]]:
    """Two folders, each on a disk of its own with room for half a megabyte."""
    folders = [tmp_path / "real", tmp_path / "ours"]
    mounted = []
    for folder in folders:
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
        if os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0:
            mounted.append(folder)
    if len(mounted) == len(folders):
        yield folders
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    if len(mounted) != len(folders):
        pytest.skip("no disk can be mounted here")


def test_while_the_log_cannot_be_written(
    full_disks: list[Path], real_servers: Callable[..., RealRedis]
) -> None:
    """The errors name the reason; when there is room again, writes are accepted."""
    real_servers()
    options = {"appendonly": "yes", "appendfsync": "everysec", "enable-debug-command": "yes"}
    servers = [kind(options, directory=f) for kind, f in zip(KINDS, full_disks, strict=True)]
    with servers[0] as real, servers[1] as ours, Both(ours, real) as both:
        both("SET", "k", "v")
        both("FUNCTION", "LOAD", FUNCTIONS)
        for server in servers:
            with server.client() as client:
                client("SET", "big", "x" * 600_000)
                wait_until(lambda: is_refused(client))
        found = differences(both, [*COMMANDS, *CALLING, *TRANSACTIONS])
        assert found == []
        for folder, server in zip(full_disks, servers, strict=True):
            subprocess.run(["mount", "-o", "remount,size=4m", str(folder)], check=True)
            with server.client() as client:
                wait_until(lambda: not is_refused(client))
        both("SET", "after", "v")
        both("GET", "k")
        both("STRLEN", "big")
        # Redis puts off its write while a sync is under way: killed now, it would lose the last.
        real.stop()
    for server in servers:
        with server.start() as again, again.client() as client:
            assert client("GET", "after") == b"v"


def is_refused(client: Client) -> bool:
    return "MISCONF" in str(client.pipeline(["SET", "probe", "x"])[0])
