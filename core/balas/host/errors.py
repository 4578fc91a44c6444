"""The one error of the module host, and how a reason is told in one line."""

from __future__ import annotations

import inspect
import re
import sysconfig
import traceback
from pathlib import Path

# Where the code of Balas and of Python is: a fault is told with a line of the module's own code.
BALAS = str(Path(__file__).parent.parent)
PYTHON = sysconfig.get_path("stdlib")
INSTALLED = ("site-packages", "dist-packages")
# How the compiled parts of Balas are named in a traceback.
COMPILED = re.compile(r"(core/)?balas/.*\.(pyx|pxd|py)$")


class ModuleError(Exception):
    """A module that cannot be loaded, unloaded or reloaded; the text is the reason.

    Where the module's own code is to blame, its exception is the cause.
    """


def is_own(file: str) -> bool:
    """Whether a source file may be an author's: it belongs neither to Balas nor to Python."""
    if file.startswith((BALAS, "<")) or COMPILED.match(file):
        return False
    return not file.startswith(PYTHON) or any(folder in file for folder in INSTALLED)


def own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The part of a traceback that is in the author's code."""
    return [one for one in traceback.extract_tb(error.__traceback__) if is_own(one.filename)]


def place_of(function: object) -> str:
    """Where a function is written, `` (rings.py, line 12)``; nothing for what has no code."""
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return f" ({Path(code.co_filename).name}, line {code.co_firstlineno})" if code else ""


def reason(error: BaseException, function: object = None) -> str:
    """An exception in one line, with the last line of code outside Balas that it came through.

    ``NameError: name 'ring' is not defined (rings.py, line 12)``

    If it came through none, as when a command returned what cannot be sent, it is told with the
    place of the author's `function` that was called.
    """
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, SyntaxError):
        return text  # it names the line itself
    frames = own_frames(error)
    if not frames:
        return text + place_of(function)
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
