"""The test that docs/testing.md shows for modules is one that passes."""

import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from balas.testing import Client
from balas.testing.checks import Clock
from sources import TOP

PAGE = (TOP / "docs" / "testing.md").read_text()


def test_the_fixtures_work_as_shown(
    balas_client: Client,
    propagates: Callable[..., Any],
    survives_reload: Callable[..., None],
    balas_clock: Clock,
) -> None:
    shown = re.search(r"^    def test_a_member_is.*?(?=^\S)", PAGE, re.S | re.M)
    assert shown is not None
    names: dict[str, Any] = {}
    exec(textwrap.dedent(shown[0]), names)
    names["test_a_member_is_removed_by_name"](
        balas_client, propagates, survives_reload, balas_clock
    )


@pytest.mark.parametrize("number", range(2))
def test_a_server_inside_a_program_works_as_shown(number: int) -> None:
    exec(blocks("program")[number], {})


def test_an_application_is_tested_as_shown(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text("\n\n".join(blocks("application")))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_the_bundled_modules_are_left_out_as_shown(tmp_path: Path) -> None:
    """And they are not even imported: that is what makes the start fast."""
    absent = """

def test_nothing_of_them_is_imported(balas_server):
    import sys

    assert not [name for name in sys.modules if name.split(".")[0] in ("balas_search", "numpy")]
"""
    (tmp_path / "test_bare.py").write_text(blocks("bundled")[0] + absent)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```python {kind}\n(.*?)^```$", PAGE, re.S | re.M)
