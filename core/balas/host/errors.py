"""The one error of the module host, and how a reason is told in one line."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

# Where the code of Balas and of Python is: a fault is told with a line of the module's own code.
BALAS = str(Path(__file__).parent.parent)
PYTHON = sysconfig.get_path("stdlib")
INSTALLED = ("site-packages", "dist-packages")


class ModuleError(Exception):
    """A module that cannot be loaded, unloaded or reloaded; the text is the reason.

    Where the module's own code is to blame, its exception is the cause.
    """


def is_own(file: str) -> bool:
    """Whether a source file may be an author's: it belongs neither to Balas nor to Python."""
    if file.startswith((BALAS, "<")):
        return False
    return not file.startswith(PYTHON) or any(folder in file for folder in INSTALLED)


def own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The part of a traceback that is in the author's code."""
    return [one for one in traceback.extract_tb(error.__traceback__) if is_own(one.filename)]


def reason(error: BaseException) -> str:
    """An exception in one line, with the last line of code outside Balas that it came through.

    ``NameError: name 'ring' is not defined (rings.py, line 12)``
    """
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, SyntaxError):
        return text  # it names the line itself
    frames = own_frames(error)
    if not frames:
        return text
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
