"""The log: Redis's format, levels, files that are moved away, syslog."""

import os
import re
import syslog
from pathlib import Path

import pytest

from balas.services.config import Config
from balas.services.config.reader import Reader
from balas.services.log import DEBUG, NOTICE, Log

# 5 February 2025 13:47:01.123 UTC
MOMENT = 1738763221.1239


def collecting() -> tuple[Log, list[str]]:
    lines: list[str] = []
    return Log(lambda data: lines.append(data.decode()), lambda: MOMENT), lines


def configured(path: Path, text: str) -> Config:
    config = Config(directory=str(path))
    Reader(config).read(text, "redis.conf")
    return config


def test_a_line_has_redis_s_format(monkeypatch: pytest.MonkeyPatch) -> None:
    log, lines = collecting()
    log.role = "M"
    log.notice("Ready to accept connections tcp")
    (line,) = lines
    pattern = (
        r"(\d+):M \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:01\.123 \* Ready to accept connections tcp\n"
    )
    match = re.fullmatch(pattern, line)
    assert match is not None
    assert int(match[1]) == os.getpid()


def test_the_level_decides_what_is_written(tmp_path: Path) -> None:
    log, lines = collecting()
    config = configured(tmp_path, "loglevel verbose")
    log.follow(config)

    def say_everything() -> str:
        lines.clear()
        for speak in (log.debug, log.verbose, log.notice, log.warning):
            speak("x")
        return "".join(line.split()[-2] for line in lines)

    assert say_everything() == "-*#"
    for level, marks in (("debug", ".-*#"), ("warning", "#"), ("nothing", ""), ("notice", "*#")):
        config.set_many([("loglevel", level)])
        assert say_everything() == marks
    assert log.wants(NOTICE)
    assert not log.wants(DEBUG)


def test_every_line_of_a_traceback_is_a_line_of_the_log() -> None:
    log, lines = collecting()
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        log.exception("module bf: BF.ADD failed", error)
    texts = [line.split(" # ", 1)[1] for line in lines]
    assert texts[0] == "module bf: BF.ADD failed\n"
    assert texts[1] == "Traceback (most recent call last):\n"
    assert texts[-2:] == ["ValueError: two\n", "lines\n"]
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)


def test_long_messages_are_cut_and_odd_bytes_survive() -> None:
    log, lines = collecting()
    log.warning("x" * 5000)
    assert len(lines[0]) < 1100
    raw: list[bytes] = []
    Log(raw.append).notice("\udcff")
    assert raw[0].endswith(b"\xff\n")


def test_signal_lines_have_a_form_of_their_own(tmp_path: Path) -> None:
    log, lines = collecting()
    log.from_signal("Received SIGTERM scheduling shutdown...")
    assert lines == [
        f"{os.getpid()}:signal-handler (1738763221) Received SIGTERM scheduling shutdown...\n"
    ]


def test_a_log_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    log = Log()
    log.follow(configured(tmp_path, "logfile server.log"))
    file = tmp_path / "server.log"
    log.notice("one")
    file.rename(tmp_path / "old.log")
    log.notice("two")
    file.unlink()
    log.notice("three")
    assert "one" in (tmp_path / "old.log").read_text()
    assert file.read_text().endswith("* three\n")
    assert "two" not in file.read_text()


def test_a_log_file_is_appended_to(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text("from before\n")
    log = Log()
    log.follow(configured(tmp_path, "logfile server.log"))
    log.notice("now")
    assert (tmp_path / "server.log").read_text().startswith("from before\n")


def test_a_log_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Log().follow(configured(tmp_path, "logfile none/server.log"))


def test_a_line_that_cannot_be_written_is_lost(tmp_path: Path) -> None:
    log = Log()
    (tmp_path / "logs").mkdir()
    log.follow(configured(tmp_path, "logfile logs/server.log"))
    (tmp_path / "logs" / "server.log").unlink()
    (tmp_path / "logs").rmdir()
    log.notice("into the void")


def test_syslog_gets_the_messages_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[object, ...]] = []
    sent: list[tuple[int, str]] = []
    monkeypatch.setattr(syslog, "openlog", lambda *settings: opened.append(settings))
    monkeypatch.setattr(syslog, "syslog", lambda *message: sent.append(message))
    log, lines = collecting()
    log.follow(
        configured(tmp_path, "syslog-enabled yes\nsyslog-ident mine\nsyslog-facility local3")
    )
    log.warning("disk\0full")
    assert opened[0][0] == "mine"
    assert opened[0][2] == syslog.LOG_LOCAL3
    assert sent == [(syslog.LOG_WARNING, "disk\\0full")]
    assert len(lines) == 1
