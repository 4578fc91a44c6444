"""Reading redis.conf: what is taken, what stops the start, and what the user is told."""

from pathlib import Path

import pytest

from balas.services.config import Config
from balas.services.config.reader import FatalConfigError, Reader, UnreadableFile


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(directory=str(tmp_path))


def complaint(config: Config, *texts: str) -> str:
    reader = Reader(config)
    try:
        for text in texts:
            reader.read(text, "redis.conf")
        reader.check()
    except FatalConfigError as error:
        return error.report()
    raise AssertionError("nothing was wrong")


def test_comments_case_quotes_and_blanks(config: Config) -> None:
    text = '# port 1\n\n  PORT   "7777"  \r\n\tmaxmemory 1kb\nrequirepass "a\\x20#b"\n'
    Reader(config).read(text, "redis.conf")
    assert config.get("port") == 7777
    assert config.get("maxmemory") == 1024
    assert config.get("requirepass") == "a #b"


def test_the_last_of_two_lines_wins_and_limits_merge(config: Config) -> None:
    Reader(config).read(
        "hz 20\nhz 30\n"
        "client-output-buffer-limit normal 1 2 3\n"
        "client-output-buffer-limit pubsub 4 5 6 slave 7 8 9\n",
        "redis.conf",
    )
    assert config.get("hz") == 30
    assert config.text("client-output-buffer-limit") == "normal 1 2 3 slave 7 8 9 pubsub 4 5 6"


def test_directives_that_are_no_options_are_kept_for_those_they_concern(config: Config) -> None:
    Reader(config).read(
        'user ann on >secret ~*\nrename-command FLUSHALL ""\nloadmodule bf "one two" three\n',
        "redis.conf",
    )
    assert [d.words[1:] for d in config.users] == [("ann", "on", ">secret", "~*")]
    assert [d.words[1:] for d in config.renames] == [("FLUSHALL", "")]
    assert [d.words[1:] for d in config.modules] == [("bf", "one two", "three")]


def test_includes_are_read_in_place_and_by_glob(config: Config, tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "20.conf").write_text("hz 20\nsave 2 2\n")
    (tmp_path / "conf.d" / "10.conf").write_text("hz 10\nsave 1 1\ntimeout 3")
    Reader(config).read(
        f"timeout 1\ninclude {tmp_path}/conf.d/*.conf\nsave 3 3\n"
        f"include {tmp_path}/nothing-*.conf\n",
        "redis.conf",
    )
    assert (config.get("hz"), config.get("timeout")) == (20, 3)
    assert config.text("save") == "1 1 2 2 3 3"
    assert config.where("timeout") == f"{tmp_path}/conf.d/10.conf, line 3"


def test_a_missing_include_is_named(config: Config, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile) as caught:
        Reader(config).read("include missing.conf", "redis.conf")
    path = tmp_path / "missing.conf"
    assert str(caught.value) == f"can't open config file '{path}': No such file or directory"


def test_a_file_that_includes_itself_comes_to_an_end(config: Config, tmp_path: Path) -> None:
    loop = tmp_path / "loop.conf"
    loop.write_text(f"hz 20\ninclude {loop}\n")
    assert "Too many nested include directives" in complaint(config, f"include {loop}")


def test_an_error_in_an_included_file_names_that_file(config: Config, tmp_path: Path) -> None:
    included = tmp_path / "other.conf"
    included.write_text("\nport x\n")
    report = complaint(config, f"hz 10\ninclude {included}\n")
    assert f"at line 2 of '{included}'\n>>> 'port x'\n" in report


def test_lines_are_counted_on_through_all_texts(config: Config) -> None:
    assert complaint(config, "hz 10\nhz 11\n", '\nport "x"') == (
        "\n*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***\n"
        "Reading the configuration file, at line 4\n"
        ">>> 'port \"x\"'\n"
        "argument couldn't be parsed into an integer\n"
    )


def test_an_error_of_the_whole_has_no_line(config: Config) -> None:
    assert complaint(config, "cluster-enabled yes\nreplicaof a 1\n") == (
        "\n*** FATAL CONFIG FILE ERROR (Redis 8.2.3) ***\n"
        "replicaof directive not allowed in cluster mode\n"
    )
