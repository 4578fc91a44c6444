"""A server in a process of its own: how it starts, appears, and ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from balas.testing.clients import Client, SocketTransport
from balas.testing.server_process import BalasProcess, StartupError, free_port, wait_until

Start = Callable[..., BalasProcess]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(
    balas_process: Start, tmp_path: Path, number: signal.Signals
) -> None:
    server = balas_process({"pidfile": tmp_path / "balas.pid"})
    assert (tmp_path / "balas.pid").read_text() == f"{server.pid}\n"
    server.signal(signal.SIGHUP)  # Has no effect.
    with server.client() as client:
        assert client("PING") == b"PONG"
    server.signal(number)
    assert server.wait_for_exit() == 0
    assert not (tmp_path / "balas.pid").exists()
    assert f"Received {number.name} scheduling shutdown..." in server.log
    *_, removed, last = server.log.splitlines()
    assert removed.endswith(" * Removing the pid file.")
    assert last.endswith(" # Balas is now ready to exit, bye bye...")


def test_the_log_tells_how_the_server_came_up(balas_process: Start) -> None:
    lines = balas_process().log.splitlines()
    places = [
        next(at for at, line in enumerate(lines) if text in line)
        for text in (
            ":C ",
            " * oO0OoO0OoO0Oo Balas is starting oO0OoO0OoO0Oo",
            "Redis version=8.2.3",
            " * Configuration loaded",
            ":M ",
            " * Running mode=standalone, port=",
            " * Server initialized",
            " * Ready to accept connections tcp",
        )
    ]
    assert places == sorted(places)


def test_systemd_learns_when_clients_are_welcome(balas_process: Start, tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(10)
        server = balas_process({"supervised": "systemd"}, environment={"NOTIFY_SOCKET": path})
        states = [listener.recv(500).decode() for _ in range(2)]
        server.stop()
        states.append(listener.recv(500).decode())
    assert "READY=1" in states[1]
    assert states[2] == "STOPPING=1"


def test_a_daemon_goes_its_own_way(tmp_path: Path) -> None:
    port = free_port()
    options = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": tmp_path,
        "save": "",
        "daemonize": "yes",
        "pidfile": "balas.pid",
        "logfile": "balas.log",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", "balas", *arguments], check=True, timeout=20)
    pid_file, log = tmp_path / "balas.pid", tmp_path / "balas.log"
    wait_until(lambda: pid_file.exists() and pid_file.read_text(), what="the pid file")
    pid = int(pid_file.read_text())
    try:
        wait_until(lambda: "Ready to accept" in log.read_text(), what="the server to be ready")
        assert os.getsid(pid) not in (pid, os.getsid(0))
        assert Path(f"/proc/{pid}/comm").read_text() == "balas\n"
        with Client(SocketTransport(port=port)) as client:
            assert client("CONFIG", "GET", "daemonize") == [b"daemonize", b"yes"]
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: "bye bye" in log.read_text(), what="the server to end")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"cluster-enabled": "yes"}, "Balas has no cluster mode: remove cluster-enabled"),
        ({"rename-command": ("NONE", "x")}, '>>> \'rename-command "NONE" "x"\'\nNo such command'),
        ({"rename-command": ("GET", "SET")}, "Target command name already exists"),
        ({"no-such-option": "5"}, "Bad directive or wrong number of arguments"),
    ],
)
def test_what_cannot_be_ends_the_start(
    balas_process: Start, options: dict[str, object], reason: str
) -> None:
    with pytest.raises(StartupError) as caught:
        balas_process(options)
    assert caught.value.exit_code == 1
    assert reason in caught.value.log


def test_commands_can_be_renamed_and_taken_away(balas_process: Start) -> None:
    server = balas_process({"rename-command": [("SET", "put"), ("ECHO", "")]})
    with server.client() as client:
        assert client("PUT", "k", "v") == b"OK"
        assert client("Put", "k", "w") == b"OK"
        assert client("GET", "k") == b"w"
        assert client.error("SET", "k", "v").startswith("ERR unknown command 'SET'")
        assert client.error("ECHO", "x").startswith("ERR unknown command 'ECHO'")


def test_the_configuration_is_changed_and_written_by_clients(tmp_path: Path) -> None:
    file = tmp_path / "redis.conf"
    file.write_text("# mine\nhz 20\n")
    server = BalasProcess({"enable-protected-configs": "yes"}, directory=tmp_path)
    server.command.append(str(file))
    (tmp_path / "elsewhere").mkdir()
    with server, server.client() as client:
        assert client("CONFIG", "GET", "hz") == [b"hz", b"20"]
        assert client("CONFIG", "SET", "HZ", "21", "maxmemory", "1gb") == b"OK"
        assert client("CONFIG", "SET", "dir", "elsewhere") == b"OK"
        assert client("CONFIG", "REWRITE") == b"OK"
        assert os.readlink(f"/proc/{server.pid}/cwd") == str(tmp_path / "elsewhere")
    lines = file.read_text().splitlines()
    assert lines[:2] == ["# mine", "hz 21"]
    assert {"maxmemory 1gb", f'dir "{tmp_path}/elsewhere"', 'save ""'} <= set(lines)
    assert " * CONFIG REWRITE executed with success." in server.log
