"""Words that sound alike: their first Double Metaphone code, kept among the terms behind a `<`."""

from __future__ import annotations

from whoosh.lang.dmetaphone import double_metaphone

SOUND_PREFIX = b"<"
# Shorter words have no sound.
LENGTH_MIN = 3


def sounds(token: bytes) -> list[bytes]:
    """The terms for what a token sounds like: one, or none."""
    if len(token) < LENGTH_MIN:
        return []
    try:
        code = double_metaphone(token.decode())[0]
    except UnicodeDecodeError:
        return []
    return [SOUND_PREFIX + code.encode()] if code else []
