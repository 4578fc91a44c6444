"""`balas module new`: a package with a data type, three commands, tests and a README.

The files are in `template/`. In them, `@NAME@` and its kin are replaced:

    @NAME@     wordbag      the module, as MODULE LOAD takes it
    @PACKAGE@  wordbag      the Python package
    @CLASS@    Wordbag      the class of its values
    @COMMAND@  WORDBAG      what its commands begin with
    @EVENT@    wordbag      the same for the events of its keys
    @TYPE@     wordbag--    the type's name, nine characters
"""

from __future__ import annotations

import re
from pathlib import Path

TEMPLATE = Path(__file__).parent / "template"
TYPE_LENGTH = 9
# Where each file goes. `{}` is the package.
PLACES = {
    "pyproject.toml.tmpl": "pyproject.toml",
    "readme.md.tmpl": "README.md",
    "init.py.tmpl": "{}/__init__.py",
    "value.py.tmpl": "{}/value.py",
    "commands.py.tmpl": "{}/commands.py",
    "py.typed.tmpl": "{}/py.typed",
    "test.py.tmpl": "tests/test_{}.py",
}


class BadName(Exception):
    """A name no package can have."""


def write_package(name: str, parent: Path) -> Path:
    """Write the package into a new folder `parent`/`name`; returns it.

    Raises BadName, or FileExistsError if the folder is there.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", name):
        raise BadName(f"'{name}' cannot be a package: use small letters, digits and single dashes")
    package = name.replace("-", "_")
    words = {
        "@NAME@": name,
        "@PACKAGE@": package,
        "@CLASS@": "".join(word.capitalize() for word in package.split("_")),
        "@COMMAND@": package.replace("_", "").upper(),
        "@EVENT@": package.replace("_", ""),
        "@TYPE@": name.replace("_", "-")[:TYPE_LENGTH].ljust(TYPE_LENGTH, "-"),
    }
    folder = parent / name
    if folder.exists():
        raise FileExistsError(f"{folder} is there already")
    for source, place in PLACES.items():
        text = (TEMPLATE / source).read_text()
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        path = folder / place.format(package)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
