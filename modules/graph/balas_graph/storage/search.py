"""Searches the full-text indexes of a label or a type.

    hello world      both          hello | world    one of them     "hello world"   side by side
    hel*             begins so     %hello%          nearly so       -hello          not
    ~hello           counts if there   @title:hello, @title|text:(a b)   in these properties alone

Scores are RediSearch's TFIDF: how often a word is in a text times how rare it is, divided by how
often the text's most frequent word is in it, and by how far apart the words stand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from balas_graph.errors import QueryError
from balas_graph.storage.texts import Places, TextIndex
from balas_graph.storage.words import ESCAPE, SOUND, STEM, sound_of

# A prefix or a word in percent signs stands for no more words than these.
EXPANSIONS_MAX = 200
PREFIX_LENGTH_MIN = 2
DEPTH_MAX = 100
TOKEN = re.compile(
    r"\s*(?:(?P<word>(?:\\.|[\w\u0080-\U0010ffff])+\*?)"
    r"|(?P<fuzzy>%{1,3}[\w\u0080-\U0010ffff]+%{1,3})"
    r'|(?P<quoted>"[^"]*")|(?P<field>@[\w|]+:)|(?P<mark>[()|~*-])|(?P<other>.))',
    re.DOTALL,
)
Look = Callable[[int], None]
# The value of a property of an entity: (id of the property, id of the entity).
ValueOf = Callable[[int, int], object]


@dataclass(slots=True)
class Match:
    """How well an entity fits, and where the words stand that it has of the query."""

    score: float
    places: list[int]


Matches = dict[int, Match]
MISSING = Match(1.0, [])
Fields = tuple[str, ...] | None
Evaluate = Callable[["Searched", Fields], Matches]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a query, and whether it is one that may be missing or has to be."""

    evaluate: Evaluate
    kind: str = ""


class Searched:
    """The indexes that a search looks at, by the names of their properties."""

    def __init__(
        self, indexes: Sequence[tuple[str, TextIndex]], value_of: ValueOf, look: Look
    ) -> None:
        self.indexes = indexes
        self.value_of = value_of
        self.look = look
        self.ids: set[int] = set().union(*(index.lengths for _, index in indexes))
        self.words = indexes[0][1].words

    def chosen(self, fields: Fields) -> list[TextIndex]:
        """The indexes of some properties."""
        return [index for name, index in self.indexes if fields is None or name in fields]

    def idf(self, count: int) -> float:
        """How rare a word is: the whole part of a binary logarithm."""
        return float(math.frexp(1 + (len(self.ids) + 1) / max(count, 1))[1] - 1)

    def term(self, word: str, fields: Fields) -> Matches:
        """Who has a word, as it stands in the indexes."""
        everywhere = [index.postings.get(word, {}) for _, index in self.indexes]
        rarity = self.idf(len(set().union(*everywhere)))
        found: Matches = {}
        for id in set().union(*(index.postings.get(word, {}) for index in self.chosen(fields))):
            frequency, before, places = 0.0, 0, []
            for (_, index), posting in zip(self.indexes, everywhere, strict=True):
                if id in posting:
                    frequency += index.field.weight * len(posting[id])
                    places += [before + place for place in posting[id]]
                before += index.lengths.get(id, 0)
            found[id] = Match(frequency * rarity, places)
        self.look(len(found))
        return found

    def word(self, word: str, fields: Fields) -> Matches:
        """Who has a word, its stem, or one that sounds alike."""
        if word in self.words.stop_words:
            return {}
        indexes = self.chosen(fields)
        forms = [word]
        if not all(index.field.nostem for index in indexes):
            stem = self.words.stem(word)
            forms += [STEM + stem, stem] if stem != word else [STEM + stem]
        if any(index.field.phonetic != "no" for index in indexes) and sound_of(word):
            forms.append(SOUND + sound_of(word))
        return united([self.term(form, fields) for form in forms])

    def expanded(self, fits: Callable[[str], bool], fields: Fields) -> Matches:
        """Who has a word that fits."""
        words: dict[str, None] = {}
        for index in self.chosen(fields):
            for word in index.postings:
                if word[0] not in (STEM, SOUND) and fits(word):
                    words[word] = None
        found: Matches = {}
        for word in sorted(words)[:EXPANSIONS_MAX]:
            # Of the words that an entity has, the first one counts.
            found = {**self.term(word, fields), **found}
        return found

    def highest(self, id: int) -> float:
        """How often the most frequent word of an entity is in it, over all properties."""
        counts: dict[str, float] = {}
        for _, index in self.indexes:
            if id in index.lengths:
                for word, places in index.terms(self.value_of(index.key, id)).items():
                    counts[word] = counts.get(word, 0.0) + index.field.weight * len(places)
        return max(counts.values(), default=1.0) or 1.0


def united(found: Iterable[Matches]) -> Matches:
    """Who is in one of some matches, with the sum of the scores."""
    result: Matches = {}
    for matches in found:
        for id, match in matches.items():
            known = result.get(id)
            if known is None:
                result[id] = Match(match.score, list(match.places))
            else:
                known.score += match.score
                known.places = sorted({*known.places, *match.places})
    return result


def apart(children: Sequence[Places]) -> int:
    """How far the words stand apart: the root of the squares of the least steps."""
    total = 0
    for left, right in pairwise(children):
        least, i, j = None, 0, 0
        while i < len(left) and j < len(right):
            step = abs(left[i] - right[j])
            least = step if least is None else min(least, step)
            if least <= 1:
                break
            if right[j] > left[i]:
                i += 1
            else:
                j += 1
        total += (least or 0) ** 2
    return int(math.sqrt(total)) if total else max(1, len(children) - 1)


def joined(parts: Sequence[Part]) -> Evaluate:
    """All parts must fit, but for those that may or must be missing."""
    if len(parts) == 1 and not parts[0].kind:
        return parts[0].evaluate

    def evaluate(searched: Searched, fields: Fields) -> Matches:
        found = [(part.kind, part.evaluate(searched, fields)) for part in parts]
        needed = [matches for kind, matches in found if not kind]
        ids = set(needed[0]) if needed else set(searched.ids)
        for matches in needed[1:]:
            ids &= matches.keys()
        result: Matches = {}
        for kind, matches in found:
            if kind == "-":
                ids -= matches.keys()
        for id in ids:
            # What may be missing, and is, counts as a word that all have.
            own = [
                matches.get(id, MISSING) for kind, matches in found if kind == "~" or id in matches
            ]
            placed = [match.places for match in own if match.places]
            score = sum(match.score for match in own)
            places = sorted({place for match in own for place in match.places})
            result[id] = Match(score / apart(placed) if len(placed) > 1 else score, places)
        return result

    return evaluate


def side_by_side(words: Sequence[str]) -> Evaluate:
    """The words of a phrase, one behind the other."""

    def evaluate(searched: Searched, fields: Fields) -> Matches:
        wanted = [word for word in words if word not in searched.words.stop_words]
        found = [searched.term(word, fields) for word in wanted]
        result: Matches = {}
        for id in found[0] if found else ():
            if any(id not in matches for matches in found):
                continue
            starts = set(found[0][id].places)
            for step, matches in enumerate(found):
                starts &= {place - step for place in matches[id].places}
            if starts:
                score = sum(matches[id].score for matches in found)
                result[id] = Match(score / max(1, len(found) - 1), sorted(starts))
        return result

    return evaluate


def within(one: str, other: str, most: int) -> bool:
    """Whether so few letters have to be changed, added or left out to make one word the other."""
    if abs(len(one) - len(other)) > most:
        return False
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, wanted in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (letter != wanted))
        if min(row) > most:
            return False
    return row[-1] <= most


class SearchParser:
    """From the text of a search to what evaluates it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [
            (str(found.lastgroup), found.group(found.lastgroup or 0), found.start())
            for found in TOKEN.finditer(text.rstrip())
        ]
        self.at = 0
        self.depth = 0

    def fail(self) -> QueryError:
        """The error for what cannot stand here."""
        place = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        near = self.tokens[self.at - 1][1] if self.at else ""
        return QueryError(f"RediSearch: Syntax error at offset {place} near {near}")

    def peek(self) -> tuple[str, str]:
        """The kind and the text of the next token."""
        kind, text, _ = self.tokens[self.at] if self.at < len(self.tokens) else ("end", "", 0)
        return kind, text

    def whole(self) -> Evaluate:
        """What the text asks for."""
        found = self.union()
        if self.at < len(self.tokens):
            raise self.fail()
        return found

    def union(self) -> Evaluate:
        """Parts with | between them."""
        parts = [self.together()]
        while self.peek() == ("mark", "|"):
            self.at += 1
            parts.append(self.together())
        if len(parts) == 1:
            return parts[0]
        return lambda searched, fields: united([part(searched, fields) for part in parts])

    def together(self) -> Evaluate:
        """Parts side by side."""
        parts: list[Part] = []
        while True:
            kind, text = self.peek()
            if kind == "other" and text in ",.;:!?/'`<>{}[]=+&^#$":
                self.at += 1
                continue
            if kind == "end" or (kind == "mark" and text in "|)"):
                break
            parts.append(self.part())
        if not parts:
            raise self.fail()
        return joined(parts)

    def part(self) -> Part:
        """One part, with its sign."""
        kind, text = self.peek()
        if kind == "mark" and text in "-~":
            self.at += 1
            return Part(self.part().evaluate, text)
        return Part(self.single())

    def single(self) -> Evaluate:
        """A word, a phrase, a bracket, or one of these in some properties."""
        kind, text = self.peek()
        self.at += 1
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise QueryError("RediSearch: the search is nested too deeply")
        try:
            if kind == "word":
                return self.word(text)
            if kind == "fuzzy":
                return self.fuzzy(text)
            if kind == "quoted":
                words = [found.group().lower() for found in re.finditer(r"\w+", text)]
                return side_by_side(words)
            if kind == "field":
                names = tuple(text[1:-1].split("|"))
                inner = self.single()
                return lambda searched, fields: inner(
                    searched,
                    names if fields is None else tuple(set(names) & set(fields)),
                )
            if text == "(":
                inside = self.union()
                if self.peek() != ("mark", ")"):
                    raise self.fail()
                self.at += 1
                return inside
            if text == "*" and len(self.tokens) == 1:
                return lambda searched, fields: {id: Match(1.0, []) for id in searched.ids}
        finally:
            self.depth -= 1
        self.at -= 1
        raise self.fail()

    @staticmethod
    def word(text: str) -> Evaluate:
        """A word, or the beginning of one."""
        word = ESCAPE.sub(r"\1", text).lower()
        if not word.endswith("*"):
            return lambda searched, fields: searched.word(word, fields)
        prefix = word[:-1]
        if len(prefix) < PREFIX_LENGTH_MIN:
            return lambda searched, fields: {}
        return lambda searched, fields: searched.expanded(
            lambda known: known.startswith(prefix), fields
        )

    def fuzzy(self, text: str) -> Evaluate:
        """A word that may differ in one to three letters."""
        word = text.strip("%").lower()
        most = len(text) - len(text.lstrip("%"))
        if len(text) - len(word) != most * 2:
            self.at -= 1
            raise self.fail()
        return lambda searched, fields: searched.expanded(
            lambda known: within(known, word, most), fields
        )


def search(
    indexes: Sequence[tuple[str, TextIndex]], text: str, value_of: ValueOf, look: Look
) -> list[tuple[int, float]]:
    """The ids of what fits, ascending, with their scores."""
    if not indexes or not text.strip():
        return []
    searched = Searched(indexes, value_of, look)
    found = SearchParser(text).whole()(searched, None)
    return [(id, match.score / searched.highest(id)) for id, match in sorted(found.items())]
