"""`balas module new NAME`, `balas module test [PATH]`, `balas module check [TARGET]`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from balas.authoring.checking import check
from balas.authoring.template import BadName, write_package

USAGE = """\
Usage: balas module new NAME [FOLDER]   make a package with a module, its tests and a README
       balas module test [FOLDER]       run the tests of a package with pytest
       balas module check [TARGET]      look for mistakes; TARGET is as for MODULE LOAD,
                                        or the folder that `new` made
"""


def main(arguments: Sequence[str]) -> int:
    """Do what the words behind `balas module` say; returns the exit code."""
    match list(arguments):
        case ["new", name, *rest] if len(rest) <= 1:
            return new(name, Path(*rest))
        case ["test", *rest] if len(rest) <= 1:
            return test(Path(*rest))
        case ["check", *rest] if len(rest) <= 1:
            return report(rest[0] if rest else ".")
    sys.stderr.write(USAGE)
    return 1


def new(name: str, parent: Path) -> int:
    """Write the package; says what to do next."""
    try:
        folder = write_package(name, parent)
    except (BadName, FileExistsError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(f"Made {folder}. Now try:\n")
    print(f"    balas module test {folder}")
    print(f"    balas module check {folder}")
    print(f"    balas --dev {folder}")
    return 0


def test(folder: Path) -> int:
    """Run pytest there."""
    try:
        import pytest  # noqa: F401
    except ImportError:
        sys.stderr.write("pytest is missing: pip install 'balas[test]'\n")
        return 1
    return subprocess.run([sys.executable, "-m", "pytest"], cwd=folder, check=False).returncode


def report(target: str) -> int:
    """Print what a check finds, a line each; 1 if something is wrong."""
    if Path(target).exists():
        target = str(Path(target).absolute())
    findings = check(target)
    for finding in findings:
        print(finding)
    wrong = sum(finding.is_wrong for finding in findings)
    print(f"{wrong} to mend" if wrong else "All is well.")
    return 1 if wrong else 0
