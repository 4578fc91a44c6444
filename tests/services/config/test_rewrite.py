"""CONFIG REWRITE: the author's file stays the author's; the same result as the real server's."""

import os
from pathlib import Path

import pytest

from balas.errors import ReplyError
from balas.services.config import Config, Option
from balas.services.config.reader import Reader
from balas.services.config.rewrite import MARKER, NO_FILE, replace_file, rewrite, rewritten
from balas.testing.real_server import NotInstalled, redis_server_path
from balas.testing.server_process import ServerProcess, free_port

CHANGES = {
    "maxmemory": "2gb",
    "maxmemory-policy": "allkeys-lfu",
    "maxmemory-clients": "5%",
    "client-output-buffer-limit": "normal 1kb 0 0 replica 3mb 2mb 1",
    "hz": "33",
    "timeout": "5",
    "requirepass": 'x"y\n\x01é',
    "notify-keyspace-events": "KEA",
    "latency-tracking-info-percentiles": "50 99.123456",
    "shutdown-on-sigterm": "nosave now",
    "oom-score-adj-values": "0 1 2",
    "proc-title-template": "{title} x",
    "lua-time-limit": "44",
    "appendfsync": "always",
    "slave-lazy-flush": "yes",
    "stream-node-max-bytes": "5000",
    "auto-aof-rewrite-min-size": "1gb",
    "repl-backlog-size": "1500mb",
    "slowlog-log-slower-than": "-1",
}

COMMENTED = """\
# hello
port 7140

save 900 1
# middle
save 60 10000
  MaxMemory   100mb
slave-priority 7


# two empty lines above
maxmemory-policy "allkeys-lru"
maxmemory-policy volatile-lru
hash-max-ziplist-entries 3
hash-max-listpack-entries 4
client-output-buffer-limit normal 0 0 0
rename-command FLUSHALL ""
timeout 0
TIMEOUT 3
"""

UNSET = """\
requirepass ""
logfile ""
unixsocket ""
masteruser ""
aclfile ""
cluster-announce-hostname ""
syslog-ident ""
tls-ciphers ""
server_cpulist ""
notify-keyspace-events ""
latency-tracking-info-percentiles ""
lua-replicate-commands no
client-output-buffer-limit normal 1 1 1
client-output-buffer-limit normal 2 2 2 slave 3 3 3
replicaof no one
"""

REWRITTEN_BEFORE = f"""\
hz 20
{MARKER}
save 4 5
save 6 7
save 8 9

bind-source-addr ""
"""


def ours(path: Path, text: str, flags: dict[str, str], changes: dict[str, str]) -> str:
    config = Config(directory=str(path))
    reader = Reader(config)
    reader.read(text, "redis.conf")
    reader.read("\n".join(f'{name} "{value}"' for name, value in flags.items()), "flags")
    config.set_many(list(changes.items()))
    return rewritten(config, text)


def theirs(path: Path, text: str, flags: dict[str, str], changes: dict[str, str]) -> str:
    file = path / "redis.conf"
    file.write_text(text)
    command = [str(redis_server_path()), str(file)]
    options = {name: value for name, value in flags.items() if name not in ("port", "bind", "dir")}
    with (
        ServerProcess(command, options, directory=path, port=int(flags["port"])) as server,
        server.client() as client,
    ):
        if changes:
            client("CONFIG", "SET", *[word for pair in changes.items() for word in pair])
        client("CONFIG", "REWRITE")
    lines = file.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("user default "))


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("", {}),
        ("", CHANGES),
        (COMMENTED, {}),
        (COMMENTED, CHANGES),
        (UNSET, {}),
        (REWRITTEN_BEFORE, {"save": ""}),
        ("hz 20\nsave 4 5\n#x", {"hz": "10", "latency-tracking-info-percentiles": ""}),
        ("save 1 1 2 2\nmaxmemory-clients 1k\nclient-output-buffer-limit normal 0 0 0 pubsub 1 2 3",
         {"client-output-buffer-limit": "replica 1 1 1", "save": "5 5 6 6 7 7"}),
    ],
)  # fmt: skip
def test_the_real_server_writes_the_same(
    tmp_path: Path, text: str, changes: dict[str, str]
) -> None:
    flags = {"port": str(free_port()), "bind": "127.0.0.1", "dir": str(tmp_path)}
    try:
        expected = theirs(tmp_path, text, flags, changes)
    except NotInstalled as missing:
        pytest.skip(str(missing))
    assert parts(ours(tmp_path, text, flags, changes)) == parts(expected)


def parts(text: str) -> tuple[list[str], list[str]]:
    """What stands above the marker, in order, and what was appended, in whatever order."""
    above, marker, below = text.partition(MARKER)
    return [*above.splitlines(), marker], sorted(below.splitlines())


def file_config(path: Path, text: str) -> Config:
    config = Config(directory=str(path))
    config.file = str(path / "redis.conf")
    (path / "redis.conf").write_text(text)
    Reader(config).read(text, config.file)
    return config


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    config = file_config(tmp_path, COMMENTED)
    config.set_many(list(CHANGES.items()))
    rewrite(config)
    text = (tmp_path / "redis.conf").read_text()
    again = Config(directory=str(tmp_path))
    Reader(again).read(text, "redis.conf")
    assert again.matching(["*"]) == config.matching(["*"])
    assert rewritten(again, text).rstrip() == text.rstrip()


def test_lines_of_other_parts_of_the_server_are_asked_for(tmp_path: Path) -> None:
    text = "user ann on\nloadmodule old a\nuser bob off\n"
    config = file_config(tmp_path, text)
    config.line_sources["user"] = lambda: ["user ann off", "user cid on", "user dan on"]
    config.line_sources["loadmodule"] = list
    lines = rewritten(config, text).splitlines()
    assert lines[:3] == ["user ann off", "", "user cid on"]
    assert lines[-1] == "user dan on"


def test_the_option_of_an_unloaded_module_becomes_a_comment(tmp_path: Path) -> None:
    option = Option("bf-initial-size", 100, low=1)
    config = file_config(tmp_path, "bf-initial-size 7\n")
    config.register([option])
    config.set_many([("bf-initial-size", "8")])
    assert rewritten(config, "bf-initial-size 7\n").startswith("bf-initial-size 8\n")
    config.unregister([option])
    assert rewritten(config, "bf-initial-size 7\n").startswith("# ??? bf-initial-size 7\n")


def test_permissions_stay_and_nothing_is_left_lying_about(tmp_path: Path) -> None:
    config = file_config(tmp_path, "hz 20\n")
    (tmp_path / "redis.conf").chmod(0o600)
    rewrite(config)
    assert (tmp_path / "redis.conf").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["redis.conf"]


def test_a_deleted_file_is_made_anew(tmp_path: Path) -> None:
    config = file_config(tmp_path, "hz 20\n")
    (tmp_path / "redis.conf").unlink()
    rewrite(config)
    assert f"{MARKER}\nhz 20\n" in (tmp_path / "redis.conf").read_text()


def test_the_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "redis.conf"
    file.write_text("old\n")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(str(file), "new\n")
    assert file.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["redis.conf"]


def test_reasons_for_not_writing(tmp_path: Path) -> None:
    config = Config(directory=str(tmp_path))
    with pytest.raises(ReplyError) as caught:
        rewrite(config)
    assert caught.value.text == NO_FILE
    for path, reason in [
        (tmp_path / "gone" / "redis.conf", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ]:
        config.file = str(path)
        with pytest.raises(ReplyError) as caught:
            rewrite(config)
        assert caught.value.text == f"ERR Rewriting config file: {reason}"
