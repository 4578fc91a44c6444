"""The command line: how arguments become configuration, and what is said of bad ones."""

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from balas import REDIS_VERSION, __version__, cli
from balas.services.config import Config
from balas.services.log import Log
from balas.testing.real_server import NotInstalled, redis_server_path


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ([], []),
        (["--port", "7777"], ['port "7777"']),
        (["--port 7777", "--hz", "5"], ["port 7777", 'hz "5"']),
        (["--save", "900", "1", "--appendonly", "yes"], ['save "900" "1"', 'appendonly "yes"']),
        (["--save", "900 1"], ['save "900 1"']),
        (["--save", ""], ['save ""']),
        (["--save"], ['save ""']),
        (["--save", "--hz", "5"], ['save ""', 'hz "5"']),
        (["--bare", "--hz", "5"], ["bare yes", 'hz "5"']),
        (["--bare", "no"], ['bare "no"']),
        (["--port", "--bind"], ['port "--bind"']),
        (["--appendonly", "--hz", "5"], ['appendonly "--hz" "5"']),
        (
            ["--loadmodule", "bf.py", "a b", "c", "--loadmodule", "x"],
            ['loadmodule "bf.py" "a b" "c"', 'loadmodule "x"'],
        ),
        (["--requirepass", 'a"b\n'], ['requirepass "a\\"b\\n"']),
        (["-x"], [' "-x"']),
    ],
)
def test_options_become_lines(arguments: list[str], lines: list[str]) -> None:
    assert cli.read_arguments(arguments).options == lines


@pytest.mark.parametrize(
    ("arguments", "config_file", "from_stdin"),
    [
        (["redis.conf"], "redis.conf", False),
        (["redis.conf", "--hz", "5"], "redis.conf", False),
        (["redis.conf", "--hz", "5", "-"], "redis.conf", True),
        (["-"], None, True),
        (["-", "--hz", "5"], None, True),
        (["--hz", "5", "-"], None, True),
        (["--bind", "-", "--hz", "5"], None, False),
    ],
)
def test_where_the_configuration_comes_from(
    arguments: list[str], config_file: str | None, from_stdin: bool
) -> None:
    invocation = cli.read_arguments(arguments)
    assert (invocation.config_file, invocation.from_stdin) == (config_file, from_stdin)


def test_options_win_over_standard_input_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "redis.conf"
    file.write_text("hz 1\ntimeout 1\nport 1\nsave 1 1")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hz 2\ntimeout 2\nsave 2 2")))
    monkeypatch.chdir(tmp_path)
    config = Config()
    lines: list[bytes] = []
    invocation = cli.read_arguments(["redis.conf", "--hz", "3", "--save", "3", "3", "-"])
    cli.configure(config, invocation, Log(lines.append))
    assert [config.get(name) for name in ("hz", "timeout", "port")] == [3, 2, 1]
    assert config.text("save") == "1 1 2 2 3 3"
    assert config.file == str(file)
    assert [config.where(name) for name in ("hz", "timeout", "port")] == [
        "the command line",
        "standard input, line 2",
        f"{file}, line 3",
    ]
    assert lines[0].endswith(b" * Reading config from stdin\n")


# Each makes the start fail, in both servers alike.
MISTAKES: list[tuple[list[str], bytes]] = [
    (["--foo"], b""),
    (["--foo.bar"], b""),
    (["-x"], b""),
    (["--port"], b""),
    (["--port", ""], b""),
    (["--port", "x"], b""),
    (["--PORT", "x"], b""),
    (["--port", "1", "2"], b""),
    (["--port", "70000"], b""),
    (["--hz", "10", "--slave-priority", "x"], b""),
    (["--hz", '"5"'], b""),
    (["--port", "--bind"], b""),
    (["--appendonly", "--hz", "x"], b""),
    (["--appendonly", "maybe"], b""),
    (["--save", "--hz", "x"], b""),
    (["--save", "900"], b""),
    (["--save", "900", "1", "300"], b""),
    (["--save", "", "1"], b""),
    (["--save 900 1 x"], b""),
    (['--bind "127.0.0.1', "x"], b""),
    (["--bind", *"abcdefghijklmnopq"], b""),
    (["--unixsocketperm", "1000"], b""),
    (["--unixsocketperm", "8"], b""),
    (["--io-threads", "129"], b""),
    (["--socket-mark-id", "-1"], b""),
    (["--databases", "0"], b""),
    (["--appendfilename", "a/b"], b""),
    (["--appenddirname", ""], b""),
    (["--syslog-facility", "kern"], b""),
    (["--supervised", "abc"], b""),
    (["--loglevel", "foo"], b""),
    (["--notify-keyspace-events", "K", "E"], b""),
    (["--client-output-buffer-limit", "foo", "0", "0", "0"], b""),
    (["--oom-score-adj-values", "1", "2", "3", "4"], b""),
    (["--shutdown-on-sigterm", "save", "nosave"], b""),
    (["--replicaof", "a"], b""),
    (["--replicaof", "a", "b"], b""),
    (["--replicaof", "a", "70000"], b""),
    (["--cluster-enabled", "yes", "--replicaof", "a", "5"], b""),
    (["--dir", "/nonexistent/x"], b""),
    (["--logfile", "/nonexistent/x"], b""),
    (["--include"], b""),
    (["--loadmodule"], b""),
    (["--user"], b""),
    (["--user", "bob", "on", "--user", "bob", "off"], b""),
    (["--lua-replicate-commands"], b""),
    (["--port", "7777", "-v"], b""),
    (["-"], b"# comment\n\nhz x"),
    (["-", "--hz", "x"], b"port 7777\n"),
    (["--hz", "x", "-"], b"port 7777"),
    (["-"], b'port "71\n'),
    (["good.conf", "--hz", "x"], b""),
    (["bad.conf"], b""),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("arguments", "stdin"), MISTAKES, ids=lambda value: str(value)[:40])
def test_mistakes_are_told_as_redis_tells_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    stdin: bytes,
) -> None:
    (tmp_path / "good.conf").write_text("port 7777\ntimeout 5\n")
    (tmp_path / "bad.conf").write_text("port 7777\n\nmaxmemory lots # and lots\n")
    try:
        expected = real_complaint(arguments, stdin, tmp_path)
    except NotInstalled as missing:
        pytest.skip(str(missing))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == expected


def real_complaint(arguments: Sequence[str], stdin: bytes, directory: Path) -> str:
    command = [str(redis_server_path()), *arguments]
    done = subprocess.run(
        command, input=stdin, capture_output=True, cwd=directory, timeout=10, check=False
    )
    assert done.returncode == 1
    return done.stderr.decode()


def test_a_config_file_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["missing.conf"]) == 1
    assert capfd.readouterr().out.endswith(
        f"# Fatal error, can't open config file '{tmp_path}/missing.conf': "
        "No such file or directory\n"
    )


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == cli.main(["-v"]) == 0
    versions = capsys.readouterr().out.splitlines()
    assert versions == 2 * [f"Balas server v={__version__} redis={REDIS_VERSION} bits=64"]
    assert cli.main(["--help"]) == cli.main(["-h"]) == 1
    assert capsys.readouterr().err.count("Usage: balas ") == 2


def test_a_bad_option_is_told_before_the_server_is_imported() -> None:
    program = (
        "import sys; from balas.cli import main; code = main(['--port', 'x'])\n"
        "slow = {'asyncio', 'uvloop', 'numpy', 'balas.server', 'balas.engine'} & set(sys.modules)\n"
        "print(code, slow or '')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["1"]
