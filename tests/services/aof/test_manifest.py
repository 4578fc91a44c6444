"""The manifest of the log: read, changed and put in force."""

import os
from pathlib import Path

import pytest

from balas.services.aof.manifest import BadManifest, LogFile, Manifest

PREFIX = "appendonly.aof"
BASE = "file appendonly.aof.2.base.rdb seq 2 type b\n"
INCREMENT = "file appendonly.aof.7.incr.aof seq 7 type i\n"


def read(folder: Path, text: str) -> Manifest:
    (folder / f"{PREFIX}.manifest").write_text(text)
    manifest = Manifest.read(folder, PREFIX)
    assert manifest is not None
    return manifest


def test_there_may_be_none(tmp_path: Path) -> None:
    assert Manifest.read(tmp_path, PREFIX) is None


def test_it_is_read_as_redis_writes_it(tmp_path: Path) -> None:
    manifest = read(
        tmp_path,
        "# a remark\n"
        f"{BASE}"
        "file appendonly.aof.1.base.rdb seq 1 type h\n"
        "file appendonly.aof.7.incr.aof seq 7 type i startoffset 0 endoffset 11\n"
        'FILE "two words.aof" seq 9 type i\n',
    )
    assert manifest.base == LogFile("appendonly.aof.2.base.rdb", 2, "b")
    assert [file.name for file in manifest.files] == [
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.7.incr.aof",
        "two words.aof",
    ]
    assert [file.name for file in manifest.history] == ["appendonly.aof.1.base.rdb"]
    assert manifest.new_base("aof").name == "appendonly.aof.3.base.aof"
    assert manifest.new_increment().name == "appendonly.aof.10.incr.aof"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "found an empty AOF manifest"),
        ("\n", "line 1: '': invalid AOF manifest file format"),
        (BASE[:-1], "line 1: the line has no end"),
        (f"{BASE}{INCREMENT[:-3]}", "line 2: the line has no end"),
        (f"{BASE}{BASE}", "found duplicate base file information"),
        (f"{INCREMENT}{INCREMENT}", "line 2: .*found a non-monotonic sequence number"),
        (BASE.replace("type b", "type x"), "unknown AOF file type"),
        (BASE.replace("type b", ""), "invalid AOF manifest file format"),
        (BASE.replace("seq 2", "seq two"), "invalid AOF manifest file format"),
        (BASE.replace("seq 2", "seq 0"), "invalid AOF manifest file format"),
        (BASE.replace("seq 2", "seq"), "invalid AOF manifest file format"),
        (BASE.replace("appendonly.aof.2.base.rdb", "../x"), "can't be a path"),
        (BASE.replace("appendonly.aof.2.base.rdb", '"a\\x00b"'), "can't be a path"),
        ('file "open seq 1 type b\n', "invalid AOF manifest file format"),
        ("\xff\xfe\0\n", "invalid AOF manifest file format"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_line(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(BadManifest, match=reason) as refusal:
        read(tmp_path, text)
    assert str(tmp_path / f"{PREFIX}.manifest") in str(refusal.value)


def test_every_truncation_is_refused_or_ends_at_a_line(tmp_path: Path) -> None:
    text = BASE + INCREMENT
    for size in range(len(text)):
        if size == len(BASE):
            assert len(read(tmp_path, text[:size]).files) == 1
            continue
        with pytest.raises(BadManifest):
            read(tmp_path, text[:size])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path, 'odd "name"\t')
    manifest.new_increment()
    manifest.new_base("rdb")
    manifest.new_increment()
    manifest.new_base("aof")
    manifest.retire_increments(1)
    manifest.persist()
    again = Manifest.read(tmp_path, manifest.prefix)
    assert again == manifest
    assert sorted(os.listdir(tmp_path)) == ['odd "name"\t.manifest']


def test_a_copy_leaves_the_original_alone(tmp_path: Path) -> None:
    manifest = read(tmp_path, BASE + INCREMENT)
    before = manifest.text()
    copy = manifest.copy()
    copy.new_base("rdb")
    copy.new_increment()
    copy.retire_increments(1)
    assert manifest.text() == before


def fail(*arguments: object, **options: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_failure_before_the_rename_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    manifest = read(tmp_path, BASE)
    manifest.new_increment()
    owner: object = Path if step == "rename" else os
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fail)
        with pytest.raises(OSError, match="No space"):
            manifest.persist()
    assert manifest.path.read_text() == BASE
    assert os.listdir(tmp_path) == [manifest.path.name]


def test_names_given_up_are_not_used_again_and_go_with_the_next_history(tmp_path: Path) -> None:
    manifest = read(tmp_path, BASE + INCREMENT)
    refused = manifest.copy()
    refused.new_base("rdb")
    refused.retire_increments(1)
    refused.new_increment()
    manifest.give_up(refused)
    assert [file.name for file in manifest.files] == [
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.7.incr.aof",
    ]
    assert manifest.new_base("rdb").name == "appendonly.aof.4.base.rdb"
    assert manifest.new_increment().name == "appendonly.aof.9.incr.aof"
    assert [path.name for path in manifest.take_history()] == [
        "appendonly.aof.3.base.rdb",
        "appendonly.aof.8.incr.aof",
        "appendonly.aof.2.base.rdb",
    ]


def test_history_never_takes_a_file_that_is_needed(tmp_path: Path) -> None:
    manifest = read(tmp_path, f"{BASE}file appendonly.aof.2.base.rdb seq 1 type h\n")
    assert manifest.take_history() == []
