"""The packages in examples/ are in order, pass their own tests, and see nothing but the API."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from balas.authoring.checking import check
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
