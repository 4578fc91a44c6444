"""Words that sound alike: Double Metaphone codes, kept among the terms behind a `<`."""

from __future__ import annotations

from whoosh.lang.dmetaphone import double_metaphone

SOUND_PREFIX = b"<"


def sounds(token: bytes) -> list[bytes]:
    """The terms for what a token sounds like: one or two."""
    try:
        codes = double_metaphone(token.decode())
    except UnicodeDecodeError:
        return []
    found = dict.fromkeys(code for code in codes if code)
    return [SOUND_PREFIX + code.encode() for code in found]
