"""The process: pid file, supervisor, signals, limits of the system."""

import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from balas.errors import ReplyError
from balas.services import system
from balas.services.config import Config
from balas.services.config.reader import Reader
from balas.services.log import Log
from balas.services.process import Process
from balas.services.system import StartRefused, System, parse_cpus


class Desk:
    """A process with its configuration and what it logged."""

    def __init__(self, path: Path, text: str = "") -> None:
        self.lines: list[str] = []
        self.config = Config(directory=str(path))
        Reader(self.config).read(text, "redis.conf")
        self.log = Log(lambda data: self.lines.append(data.decode()))
        self.process = Process(self.config, self.log)
        self.system = System(self.config, self.log)

    @property
    def messages(self) -> list[str]:
        return [line.rstrip("\n").split(" ", 6)[-1] for line in self.lines]


class FakeLoop:
    """An event loop as far as signals go."""

    def __init__(self) -> None:
        self.handlers: dict[int, Callable[[], None]] = {}

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:
        self.handlers[sig] = lambda: callback(*args)


def test_the_pid_file_comes_and_goes(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "pidfile run.pid")
    desk.process.write_pid_file()
    assert (tmp_path / "run.pid").read_text() == f"{os.getpid()}\n"
    desk.process.finish(0)
    assert not (tmp_path / "run.pid").exists()
    assert desk.messages[-2:] == [
        "Removing the pid file.",
        "Balas is now ready to exit, bye bye...",
    ]


def test_a_pid_file_that_cannot_be_written_is_no_reason_to_end(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "pidfile none/run.pid")
    desk.process.write_pid_file()
    assert desk.messages == ["Failed to write PID file: No such file or directory"]


def test_systemd_is_told_of_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    desk = Desk(tmp_path, "supervised auto\ndaemonize yes")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(5)
        desk.process.supervise()
        desk.process.go_to_background()  # Which a supervised process does not.
        desk.process.ready()
        desk.process.finish(0)
        states = [listener.recv(500).decode() for _ in range(3)]
    assert states[0].startswith("STATUS=")
    assert "READY=1" in states[1].split("\n")
    assert states[2] == "STOPPING=1"


def test_a_supervisor_that_is_not_there_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    desk = Desk(tmp_path, "supervised systemd")
    desk.process.supervise()
    desk.process.ready()
    assert desk.messages == ["systemd supervision requested, but NOTIFY_SOCKET not found!"]


def test_a_signal_asks_once_for_a_shutdown_with_its_own_options(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "shutdown-on-sigint nosave now")
    asked: list[frozenset[str]] = []
    loop = FakeLoop()
    desk.process.attach(loop, asked.append)
    loop.handlers[signal.SIGINT]()
    loop.handlers[signal.SIGTERM]()
    assert asked == [{"nosave", "now"}]
    assert desk.lines[0].endswith(" Received SIGINT scheduling shutdown...\n")
    desk.process.shutdown_failed()
    loop.handlers[signal.SIGTERM]()
    assert asked[1:] == [frozenset()]


def test_who_insists_ends_the_process_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    desk = Desk(tmp_path, "pidfile run.pid")
    desk.process.write_pid_file()
    loop = FakeLoop()
    desk.process.attach(loop, lambda options: None)
    loop.handlers[signal.SIGTERM]()
    loop.handlers[signal.SIGINT]()
    assert codes == [1]
    assert any("You insist... exiting now." in line for line in desk.lines)
    assert not (tmp_path / "run.pid").exists()


class Limits:
    """The limit of open files, as a system without or with privileges grants it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.pair = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", lambda kind: self.pair)
        monkeypatch.setattr(resource, "setrlimit", self.set)

    def set(self, kind: int, pair: tuple[int, int]) -> None:
        if pair[1] > self.pair[1]:
            raise ValueError("not allowed to raise maximum limit")
        self.pair = pair


@pytest.fixture
def harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this very process as it is."""
    monkeypatch.setattr(System, "_disable_huge_pages", lambda self: None)


@pytest.mark.usefixtures("harmless")
def test_the_limit_of_open_files_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(monkeypatch, 200, 20000)
    desk = Desk(tmp_path, "maxclients 500")
    desk.system.apply()
    assert limits.pair == (532, 20000)
    assert desk.messages == [
        "Increased maximum number of open files to 532 (it was originally set to 200)."
    ]
    desk.config.set_many([("maxclients", "1000")])
    assert limits.pair == (1032, 20000)


@pytest.mark.usefixtures("harmless")
def test_maxclients_gives_way_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Limits(monkeypatch, 100, 200)
    desk = Desk(tmp_path)
    desk.system.apply()
    assert desk.config.get("maxclients") == 168
    assert desk.messages == [
        "You requested maxclients of 10000 requiring at least 10032 max file descriptors.",
        "Server can't set maximum open files to 10032 because of OS error: "
        "Operation not permitted.",
        "Current maximum open files is 200. maxclients has been reduced to 168 to compensate for "
        "low ulimit. If you need higher maxclients increase 'ulimit -n'.",
    ]
    with pytest.raises(ReplyError) as caught:
        desk.config.set_many([("maxclients", "500")])
    assert caught.value.text == (
        "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system "
        "is not able to handle the specified number of clients, try with 168"
    )
    assert desk.config.get("maxclients") == 168


@pytest.mark.usefixtures("harmless")
def test_with_too_few_files_there_is_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Limits(monkeypatch, 30, 30)
    desk = Desk(tmp_path)
    with pytest.raises(StartRefused):
        desk.system.apply()
    assert desk.messages == [
        "Your current 'ulimit -n' of 30 is not enough for the server to start. "
        "Please increase your open file limit to at least 10032. Exiting."
    ]


@pytest.mark.usefixtures("harmless")
def test_a_locale_must_exist(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "locale-collate atlantis")
    with pytest.raises(StartRefused):
        desk.system.apply()
    assert desk.messages == ["Failed to configure LOCALE for invalid locale name."]
    desk = Desk(tmp_path, "maxclients 10")
    desk.system.apply()
    with pytest.raises(ReplyError, match=r" - Invalid locale name$"):
        desk.config.set_many([("locale-collate", "atlantis")])
    desk.config.set_many([("locale-collate", "C")])


@pytest.mark.usefixtures("harmless")
def test_the_kernel_is_told_whom_to_end_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = tmp_path / "oom_score_adj"
    score.write_text("50\n")
    monkeypatch.setattr(system, "OOM_SCORE_FILE", str(score))
    desk = Desk(tmp_path, "maxclients 10")
    desk.system.apply()
    assert score.read_text() == "50\n"
    written = []
    for mode, values in [
        ("relative", "10 20 30"),
        ("absolute", "10 20 30"),
        ("absolute", "2000 0 0"),
        ("no", "10 20 30"),
    ]:
        desk.config.set_many([("oom-score-adj", mode), ("oom-score-adj-values", values)])
        written.append(score.read_text())
    assert written == ["60", "10", "1000", "50"]
    score.unlink()
    score.mkdir()
    with pytest.raises(ReplyError, match="Failed to apply new oom_score_adj configuration"):
        desk.config.set_many([("oom-score-adj", "yes")])


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("3", {3}), ("0-2", {0, 1, 2}), ("0,2,4-5", {0, 2, 4, 5}), ("0-9:3", {0, 3, 6, 9})],
)
def test_lists_of_cpus(text: str, cpus: set[int]) -> None:
    assert parse_cpus(text) == cpus


@pytest.mark.usefixtures("harmless")
def test_a_bad_list_of_cpus_is_a_warning(tmp_path: Path) -> None:
    desk = Desk(tmp_path, "maxclients 10\nserver-cpulist some")
    desk.system.apply()
    assert desk.messages[0].startswith("server-cpulist 'some' has no effect: ")
