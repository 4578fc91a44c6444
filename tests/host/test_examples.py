"""The packages in examples/ are in order, pass their own tests, and see nothing but the API."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from balas.authoring.checking import check
from balas.authoring.template import write_package
from sources import TOP

EXAMPLES = sorted(path.parent for path in (TOP / "examples").glob("*/pyproject.toml"))


def package_of(example: Path) -> Path:
    return example / example.name.replace("-", "_")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_its_tests_pass(example: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=example,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_nothing_is_to_be_mended(example: Path) -> None:
    assert not [str(one) for one in check(str(package_of(example))) if one.is_wrong]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_it_uses_the_public_api_alone(example: Path) -> None:
    for path in package_of(example).glob("*.py"):
        imports = re.findall(r"^\s*(?:from|import) (balas[\w.]*)", path.read_text(), re.M)
        assert set(imports) <= {"balas.api"}, path


def test_they_are_all_named() -> None:
    text = (TOP / "examples" / "README.md").read_text()
    assert len(EXAMPLES) == 3
    for example in EXAMPLES:
        assert f"({example.name})" in text


def test_their_types_are_those_of_the_api(tmp_path: Path) -> None:
    """mypy --strict has nothing to say of them, of a new package, and of the first module."""
    pytest.importorskip("mypy")
    new = package_of(write_package("word-bag", tmp_path))
    ring = TOP / "tests" / "modules" / "example" / "ring.py"
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "mypy",
                "--strict",
                "--config-file=",
                "--follow-imports=silent",
            ),
            *map(str, (*map(package_of, EXAMPLES), new, ring)),
        ],
        env={**os.environ, "MYPYPATH": str(TOP / "core"), "MYPY_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
