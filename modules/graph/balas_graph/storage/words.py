"""From a text to words that are looked for: tokens, stop words, stems, and how words sound."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

# Letters, digits, the underscore, and all beyond ASCII; a backslash keeps what is behind it.
TOKEN = re.compile(r"(?:\\[^\s\w]|[\w\u0080-\U0010ffff])+")
ESCAPE = re.compile(r"\\(.)")
# Shorter words have no stem, and no sound.
STEM_LENGTH_MIN, SOUND_LENGTH_MIN = 4, 3
# What stands before stems and sounds among the words of an index.
STEM, SOUND = "+", "<"


@cache
def languages() -> frozenset[str]:
    """Those whose words have stems. What knows them is read when it is asked for: it takes long."""
    import snowballstemmer

    return frozenset((*snowballstemmer.algorithms(), "chinese"))


@cache
def stem_word(language: str) -> Callable[[str], str]:
    """The function from a word of a language to its stem."""
    if language == "english":
        from whoosh.lang import porter2

        english: Callable[[str], str] = porter2.stem
        return english
    if language == "chinese":
        return lambda word: word
    import snowballstemmer

    found: Callable[[str], str] = snowballstemmer.stemmer(language).stemWord
    return found


@lru_cache(10_000)
def stem_of(word: str, language: str) -> str:
    """The stem of a word, maybe the word itself."""
    return word if len(word) < STEM_LENGTH_MIN else stem_word(language)(word)


@cache
def coder() -> Callable[[str], tuple[str, str | None]]:
    """What codes a word; imported when it is asked for, for that takes a while and few do."""
    from whoosh.lang.dmetaphone import double_metaphone

    made: Callable[[str], tuple[str, str | None]] = double_metaphone
    return made


def sound_of(word: str) -> str:
    """What a word sounds like; empty for short ones."""
    return coder()(word)[0] if len(word) >= SOUND_LENGTH_MIN else ""


@dataclass(frozen=True)
class Words:
    """How the texts of a label or a type are read: the language, and words left out."""

    language: str = "english"
    stop_words: tuple[str, ...] = ()

    def tokens(self, text: str) -> Iterator[str]:
        """The words of a text in small letters, without stop words."""
        for found in TOKEN.finditer(text):
            word = ESCAPE.sub(r"\1", found.group()).lower()
            if word not in self.stop_words:
                yield word

    def stem(self, word: str) -> str:
        """The stem of a word, maybe the word itself."""
        return stem_of(word, self.language)
