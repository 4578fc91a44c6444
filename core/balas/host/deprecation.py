"""How something of `balas.api` goes: it warns for one minor version, and names who uses it."""

from __future__ import annotations

import sys
import warnings


class BalasDeprecationWarning(FutureWarning):
    """A module uses something that will be gone. Python shows such warnings by default.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", BalasDeprecationWarning)
        ...     issubclass(BalasDeprecationWarning, FutureWarning)
        True
    """


def deprecated(verb: str, instead: str) -> None:
    """Warn that the caller's caller uses `verb`; called first thing by what is about to go."""
    frame = sys._getframe(2)
    module = frame.f_globals.get("__name__", "?")
    warnings.warn(
        f"{module} uses {verb}, which will be gone: use {instead}",
        BalasDeprecationWarning,
        stacklevel=3,
    )
