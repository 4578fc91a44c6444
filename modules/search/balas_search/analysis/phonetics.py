"""Words that sound alike: their first Double Metaphone code, kept among the terms behind a `<`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

SOUND_PREFIX = b"<"
# Shorter words have no sound.
LENGTH_MIN = 3


@cache
def coder() -> Callable[[str], tuple[str, str | None]]:
    """What codes a word; imported when it is asked for, for that takes a while and few do."""
    from whoosh.lang.dmetaphone import double_metaphone

    made: Callable[[str], tuple[str, str | None]] = double_metaphone
    return made


def sounds(token: bytes) -> list[bytes]:
    """The terms for what a token sounds like: one, or none."""
    if len(token) < LENGTH_MIN:
        return []
    try:
        code = coder()(token.decode())[0]
    except UnicodeDecodeError:
        return []
    return [SOUND_PREFIX + code.encode()] if code else []
