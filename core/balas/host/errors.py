"""The one error of the module host, and how a reason is told in one line."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path

# Where the code of Balas and of imports is: a fault is told with a line of the module's own code.
NOT_ITS_OWN = (str(Path(__file__).parent.parent), str(Path(importlib.__file__).parent), "<frozen")


class ModuleError(Exception):
    """A module that cannot be loaded, unloaded or reloaded; the text is the reason.

    Where the module's own code is to blame, its exception is the cause.
    """


def reason(error: BaseException) -> str:
    """An exception in one line, with the last line of code outside Balas that it came through.

    ``NameError: name 'ring' is not defined (rings.py, line 12)``
    """
    text = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, SyntaxError):
        return text  # it names the line itself
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(NOT_ITS_OWN)
    ]
    if not frames:
        return text
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
