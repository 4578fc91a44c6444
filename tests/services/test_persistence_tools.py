"""The tools that come with Redis, at work on a server and on files of Balas."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from balas.testing import BalasProcess, check_aof, check_rdb, wait_until
from balas.testing.real_server import redis_server_path
from balas.testing.wire import encode

needs_cli = pytest.mark.skipif(shutil.which("redis-cli") is None, reason="needs redis-cli")
LOGGING = {"appendonly": "yes", "aof-timestamp-enabled": "yes"}
INCREMENT = "appendonlydir/appendonly.aof.1.incr.aof"
MANIFEST = "appendonlydir/appendonly.aof.manifest"

Start = Callable[..., BalasProcess]


@needs_cli
def test_redis_cli_pipes_commands_in(balas_process: Start) -> None:
    server = balas_process()
    requests = b"".join(encode("SET", f"key:{n}", "x" * (n % 300)) for n in range(20_000))
    done = subprocess.run(
        ["redis-cli", "-p", str(server.port), "--pipe"],
        input=requests + encode("INCR", "key:300"),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert b"errors: 1, replies: 20001" in done.stdout
    with server.client() as client:
        assert client("DBSIZE") == 20_000


@needs_cli
@pytest.mark.oracle
def test_redis_cli_fetches_a_snapshot(balas_process: Start, tmp_path: Path) -> None:
    server = balas_process()
    with server.client() as client:
        client("MSET", *(word for n in range(1000) for word in (f"key:{n}", n)))
        client("JSON.SET", "document", "$", '{"a":1}')
        client("FT.CREATE", "index", "SCHEMA", "t", "TEXT")
    fetch = ["redis-cli", "-p", str(server.port), "--rdb", str(tmp_path / "dump.rdb")]
    subprocess.run(fetch, capture_output=True, check=True, timeout=60)
    assert "RDB looks OK" in check_rdb(tmp_path / "dump.rdb")
    again = balas_process(directory=tmp_path)
    with again.client() as client:
        assert client("DBSIZE") == 1001
        assert client("JSON.GET", "document") == b'{"a":1}'
        assert client("FT._LIST") == [b"index"]


@needs_cli
def test_redis_cli_fetches_the_functions_alone(balas_process: Start, tmp_path: Path) -> None:
    server = balas_process()
    with server.client() as client:
        client("SET", "key", "value")
        client("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() end)")
    file = tmp_path / "dump.rdb"
    fetch = ["redis-cli", "-p", str(server.port), "--functions-rdb", str(file)]
    subprocess.run(fetch, capture_output=True, check=True, timeout=60)
    again = balas_process(directory=tmp_path)
    with again.client() as client:
        assert client("DBSIZE") == 0
        assert client("FUNCTION", "LIST")[0][1] == b"lib"


@pytest.mark.oracle
@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_the_checkers_accept_our_files(balas_process: Start, tmp_path: Path, preamble: str) -> None:
    options = {**LOGGING, "aof-use-rdb-preamble": preamble}
    server = balas_process(options, directory=tmp_path)
    with server.client() as client:
        client.pipeline(*(["SADD", "set", n, f"m{n}"] for n in range(200)))
        client("JSON.SET", "document", "$", '{"a":1}')
        client("BF.ADD", "filter", "x")
        client("BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in client("INFO", "persistence"))
        client.pipeline(["MULTI"], ["INCR", "n"], ["INCR", "n"], ["EXEC"])
        client("SAVE")
    assert "RDB looks OK" in check_rdb(tmp_path / "dump.rdb")
    assert "valid" in check_aof(tmp_path / MANIFEST)


@pytest.mark.oracle
def test_a_log_that_redis_check_aof_has_repaired_is_loaded(
    balas_process: Start, tmp_path: Path
) -> None:
    server = balas_process(LOGGING, directory=tmp_path)
    with server.client() as client:
        for number in range(10):
            client("SET", f"key:{number}", number)
    server.kill()
    data = (tmp_path / INCREMENT).read_bytes()
    at = data.index(b"key:5") - 5
    (tmp_path / INCREMENT).write_bytes(data[:at] + b"?" + data[at + 1 :])
    server.start(wait=False)
    assert server.wait_for_exit() == 1
    fix = subprocess.run(
        ["redis-check-aof", "--fix", str(tmp_path / MANIFEST)],
        executable=redis_server_path(),
        input=b"y\n",
        capture_output=True,
        timeout=60,
    )
    assert fix.returncode == 0, fix.stdout
    server.start()
    with server.client() as client:
        assert client("DBSIZE") == 5
