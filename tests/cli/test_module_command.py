"""`balas module new`, `test` and `check`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from balas.authoring.checking import check, required_words
from balas.authoring.template import BadName, write_package
from balas.cli import main


def test_what_the_template_makes_is_in_order(tmp_path: Path) -> None:
    folder = write_package("word-bag", tmp_path)
    findings = check(str(folder / "word_bag"))
    assert len(findings) > 10
    assert not [str(finding) for finding in findings if finding.is_wrong]
    assert "@" not in "".join(
        path.read_text().replace("@command", "").replace("@classmethod", "").replace("@pytest", "")
        for path in folder.rglob("*.*")
        if path.is_file()
    )


def test_the_tests_of_the_template_pass(tmp_path: Path) -> None:
    write_package("tally", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "balas", "module", "test", "tally"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_template_is_typed_and_tidy(tmp_path: Path) -> None:
    folder = write_package("word-bag", tmp_path)
    for path in folder.rglob("*.py"):
        compile(path.read_text(), str(path), "exec")
        assert max(map(len, path.read_text().splitlines())) <= 100


def test_a_package_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["module", "new", "bag", str(tmp_path)]) == 0
    assert main(["module", "new", "bag", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "Bag", "2bags", "a--b", "a b", "../bag", "bag-"])
def test_a_name_that_is_no_package_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadName):
        write_package(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_folder_that_new_made_can_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["module", "new", "word-bag", str(tmp_path)]) == 0
    assert main(["module", "check", str(tmp_path / "word-bag")]) == 0
    assert "All is well." in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / "word-bag")
    assert main(["module", "check"]) == 0
    assert "All is well." in capsys.readouterr().out


def test_wrong_words_show_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["module", "make"]) == 1
    assert "balas module new NAME" in capsys.readouterr().err


CARELESS = '''
from balas.api import *


@command("BAD.KEYS", arity=2, flags=WRITE)
def keys_(ctx, key):
    """BAD.KEYS key

    Its key is nobody's business.
    """


@command("BAD.WORDS", arity=3)
def words(ctx, one, two):
    """BAD.WORDS one [two]

    The second is not optional.
    """


class Leaky(Value):
    type_name = "bad-leaky"
    rdb_version = 1

    def __init__(self, text=b""):
        self.text = text

    @classmethod
    def example(cls):
        return cls(bytes(100))

    def vary(self):
        self.text += b"x"

    def memory_usage(self):
        return 3000

    def copy(self):
        return self

    def digest(self, digest):
        digest.add(self.text)

    def rdb_save(self, out):
        out.save_string(b"")

    @classmethod
    def rdb_load(cls, source, version):
        return cls(source.load_string())

    def aof_rewrite(self, key):
        yield b"BAD.MAKE", key


class Bad(Module):
    name = "bad"
    types = (Leaky,)
'''


def test_each_mistake_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(CARELESS)
    wrong = "\n".join(str(one) for one in check(str(tmp_path / "bad.py")) if one.is_wrong)
    for expected in (
        "BAD.KEYS: the parameter 'key' looks like a key, but no keys are declared",
        "BAD.WORDS: the synopsis has 2 words that must be there, arity=3",
        "Leaky, RDB round trip: ",
        "Leaky, log: b'BAD.MAKE laws', from aof_rewrite, failed",
        "Leaky, copy: ",
    ):
        assert expected in wrong
    assert main(["module", "check", str(tmp_path / "bad.py")]) == 1


def test_an_arity_that_the_function_does_not_take_is_told(tmp_path: Path) -> None:
    text = CARELESS.replace("arity=3", "arity=4")
    (tmp_path / "bad.py").write_text(text)
    (finding,) = check(str(tmp_path / "bad.py"))
    assert "'bad.words' has arity 4, but its function takes 2 arguments" in finding.text


def test_a_module_that_cannot_be_loaded_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(dedent("import math\nmath.nothing\n"))
    (finding,) = check(str(tmp_path / "broken.py"))
    assert "has no attribute 'nothing' (broken.py, line 2)" in finding.text


@pytest.mark.parametrize(
    ("synopsis", "words"),
    [
        ("A.GET key", 2),
        ("A.ADD key item [item ...]", 3),
        ("A.SET key [NX | XX] [GET [x]]", 2),
        ("A.ONE <x | y>", None),
    ],
)
def test_words_that_must_be_there(synopsis: str, words: int | None) -> None:
    assert required_words(synopsis) == words
