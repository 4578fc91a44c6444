"""The way of a module to its users: template, wheel, a fresh environment, MODULE LOAD.

The environment borrows what Balas itself needs (and Balas, unless BALAS_WHEELS names a folder with
its wheel) from the one that runs the tests; the module's own package is installed from its wheel.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from balas.authoring.template import write_package

pytestmark = pytest.mark.long

STORY = """
from importlib.metadata import entry_points
from balas.testing import BalasProcess

(entry,) = [one for one in entry_points(group="balas.modules") if one.name == "word-bag"]
assert entry.load().name == "word-bag"
with BalasProcess() as server, server.client() as client:
    assert b"word-bag" in [pair[1] for pair in client("MODULE", "AVAILABLE")]
    assert client("MODULE", "LOAD", "word-bag") == b"OK"
    assert client("WORDBAG.ADD", "k", "a", "b", "a") == 3
    assert client("WORDBAG.COUNT", "k", "a") == 2
    assert client("TYPE", "k") == b"word-bag-"
print("all is well")
"""


def run(*argv: str | Path, cwd: Path) -> str:
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_package_from_the_template_reaches_a_running_server(tmp_path: Path) -> None:
    folder = write_package("word-bag", tmp_path)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", "wheels", folder, cwd=tmp_path)
    run(sys.executable, "-m", "venv", "--without-pip", "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / "bin" / "python"
    packages = Path(run(python, "-c", PURELIB, cwd=tmp_path).strip())
    # A line with a path makes Python read the .pth files there, too: an editable Balas is found.
    borrowed = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (packages / "borrowed.pth").write_text(borrowed)
    wheels = list((tmp_path / "wheels").glob("*.whl"))
    if folder_of_balas := os.environ.get("BALAS_WHEELS"):
        wheels += Path(folder_of_balas).glob("balas-*.whl")
    run(
        *pip, "--python", python, "install", "--no-deps", "--ignore-installed", *wheels,
        cwd=tmp_path,
    )  # fmt: skip
    assert list(packages.glob("word_bag"))
    assert "all is well" in run(python, "-c", STORY, cwd=tmp_path)


PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"
