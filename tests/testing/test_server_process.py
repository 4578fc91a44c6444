"""Servers in processes of their own: start, restart, crash, measure, clean up."""

import subprocess
from pathlib import Path

import pytest

from balas.testing.real_server import RealRedis, check_aof, check_rdb
from balas.testing.server_process import ServerProcess, StartupError, process_cpu_s, wait_until

pytestmark = pytest.mark.usefixtures("real_redis")


def test_data_survives_a_restart_and_unsaved_data_no_crash() -> None:
    with RealRedis() as server:
        with server.client() as client:
            client("SET", "saved", "1")
            client("SAVE")
            client("SET", "unsaved", "1")
        assert "looks OK" in check_rdb(server.directory / "dump.rdb")
        server.kill()
        server.start()
        with server.client() as client:
            assert client("KEYS", "*") == [b"saved"]
        assert server.stop() == 0
        assert "ready to exit" in server.log
        folder = server.directory
    assert not folder.exists()


def test_the_checkers_object_to_damaged_files(tmp_path: Path) -> None:
    options = {"appendonly": "yes", "appendfsync": "always"}
    with RealRedis(options, directory=tmp_path) as server, server.client() as client:
        client("SET", "k", "v")
        client("SAVE")
    assert "AOF" in check_aof(tmp_path / "appendonlydir" / "appendonly.aof.manifest")
    (damaged := tmp_path / "bad.rdb").write_bytes((tmp_path / "dump.rdb").read_bytes()[:-3])
    with pytest.raises(AssertionError, match="exit code"):
        check_rdb(damaged)


def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(StartupError, match="maxmemory-policy") as caught,
        RealRedis({"maxmemory-policy": "nonsense"}),
    ):
        pass
    assert caught.value.exit_code == 1


def test_an_option_may_be_given_several_times_or_with_several_words() -> None:
    server = ServerProcess(["x"], {"user": ["a on", "b on"], "save": ("900", "1")}, port=1)
    argv = server.argv()
    server.close()
    assert argv[-7:] == ["--user", "a on", "--user", "b on", "--save", "900", "1"]


def test_cpu_time_and_memory_are_those_of_the_process(real_redis: RealRedis) -> None:
    with real_redis.client() as client:
        cpu_before_s, rss_before = real_redis.cpu_s(), real_redis.rss_bytes()
        client("DEBUG", "POPULATE", "200000", "key", "100")
        assert 0.01 < real_redis.cpu_s() - cpu_before_s < 5
        assert real_redis.rss_bytes() - rss_before > 200_000 * 100


def test_cpu_time_of_an_idle_process_stands_still() -> None:
    with subprocess.Popen(["sleep", "10"]) as process:
        wait_until(lambda: process_cpu_s(process.pid) > 0)
        assert process_cpu_s(process.pid) < 0.1
        process.kill()


def test_waiting_in_vain_fails() -> None:
    with pytest.raises(AssertionError, match="for rain"):
        wait_until(lambda: False, 0.01, "rain")
