"""A full-text index of one property: where each word stands in each text.

Words are kept as they are, by their stems, and, if asked for, by their sounds. What is searched
over several properties of a label is put together by `storage.search`.
"""

from __future__ import annotations

from dataclasses import dataclass

from balas_graph.storage._index import Index
from balas_graph.storage.words import SOUND, STEM, Words, sound_of

# Places of a word in a text, ascending.
Places = list[int]
Posting = dict[int, Places]
# Measured by sys.getsizeof: a posting with its word, and an entry of it with its list.
POSTING_BYTES, ENTRY_BYTES = 300, 190


@dataclass(frozen=True)
class Field:
    """How the words of a property count and are kept."""

    weight: float = 1.0
    nostem: bool = False
    phonetic: str = "no"


class TextIndex(Index):
    """Words with the entities whose texts hold them, and the places where they stand."""

    kind = "FULLTEXT"

    def __init__(self, edges: bool, label: int, key: int, field: Field, words: Words) -> None:
        super().__init__(edges, label, key)
        self.field = field
        self.words = words
        self.postings: dict[str, Posting] = {}
        # Of each text how many words it has.
        self.lengths: dict[int, int] = {}
        self.places = 0

    @property
    def count(self) -> int:
        """How many entities have a text."""
        return len(self.lengths)

    def terms(self, value: object) -> dict[str, Places]:
        """The words of a value, with their places; none if it holds no text."""
        found: dict[str, Places] = {}
        if isinstance(value, str):
            for place, word in enumerate(self.words.tokens(value), 1):
                found.setdefault(word, []).append(place)
        for word, places in list(found.items()):
            if not self.field.nostem:
                stem = self.words.stem(word)
                if stem != word:
                    found.setdefault(STEM + stem, []).extend(places)
            if self.field.phonetic != "no":
                sound = sound_of(word)
                if sound:
                    found.setdefault(SOUND + sound, []).extend(places)
        return found

    def add(self, id: int, value: object) -> int:
        """Take in the text of an entity that had none."""
        terms = self.terms(value)
        if terms:
            self.lengths[id] = sum(
                len(places) for word, places in terms.items() if word[0] not in (STEM, SOUND)
            )
        for word, places in terms.items():
            places.sort()
            self.places += len(places)
            self.postings.setdefault(word, {})[id] = places
        return 0

    def discard(self, id: int, value: object) -> int:
        """Forget the text of an entity."""
        if self.lengths.pop(id, None) is None:
            return 0
        for word in self.terms(value):
            posting = self.postings[word]
            self.places -= len(posting.pop(id))
            if not posting:
                del self.postings[word]
        return 0

    def memory(self) -> int:
        """Bytes."""
        # As if each place had an entry of its own: most words stand in a text once.
        entries = self.places + len(self.lengths)
        return POSTING_BYTES * len(self.postings) + ENTRY_BYTES * entries
