"""Stems in the languages that RediSearch knows.

Whoosh has most Snowball stemmers, as they were when RediSearch took them. Those it lacks come from
snowballstemmer, and so do French and Hungarian, in which it is nearer to the original; for English
Whoosh has a second one, which is the original's. Chinese has none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache

LANGUAGES = [
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
    "chinese",
]

WHOOSH_CODES = {
    "danish": "da",
    "dutch": "nl",
    "finnish": "fi",
    "german": "de",
    "italian": "it",
    "norwegian": "no",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "spanish": "es",
    "swedish": "sv",
}
# Queries use the same words again and again.
STEMS_KEPT = 10_000
# What stands before a stem among the terms.
STEM_PREFIX = b"+"

Stem = Callable[[bytes], bytes | None]


@cache
def _stem_word(language: str) -> Callable[[str], str]:
    # Reading all languages takes a twentieth of a second, and few indexes need more than one.
    if language == "english":
        from whoosh.lang import porter2

        porter: Callable[[str], str] = porter2.stem
        return porter
    code = WHOOSH_CODES.get(language)
    if code is not None:
        from whoosh.lang.snowball import classes

        found: Callable[[str], str] = classes[code]().stem
        return found
    import snowballstemmer

    return snowballstemmer.stemmer(language).stemWord  # type: ignore[no-any-return]


@cache
def stemmer(language: str, length_min: int) -> Stem | None:
    """A function from a token to its stem, None for one that has no stem of its own.

    Words shorter than `length_min` characters are left alone. None for Chinese.
    """
    if language == "chinese":
        return None
    stem_word = _stem_word(language)

    def stem(token: bytes) -> bytes | None:
        if len(token) < length_min:
            return None
        try:
            found = stem_word(token.decode()).encode()
        except UnicodeDecodeError:
            return None
        return None if found == token else STEM_PREFIX + found

    return stem


@lru_cache(STEMS_KEPT)
def stem_term(text: bytes, language: str) -> bytes | None:
    """The stem of a word of a query, maybe the word itself; None if the language has no stems."""
    if language == "chinese":
        return None
    try:
        return _stem_word(language)(text.decode()).encode()
    except UnicodeDecodeError:
        return None
