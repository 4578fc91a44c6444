"""HIGHLIGHT and SUMMARIZE: what was found, shown in the text.

The text is cut into tokens again; those that the query asked for are the hits. Summaries are made
of fragments around them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from balas.api import ReplyError
from balas_search.analysis.languages import stemmer
from balas_search.analysis.tokens import SEPARATORS, hits_in
from balas_search.schema.words import Words

if TYPE_CHECKING:
    from balas_search.index.index import Index

FRAGMENTS = 3
FRAGMENT_LENGTH = 20
# The bytes that end a word.
ENDS = frozenset(SEPARATORS) | frozenset(range(32)) | {127}
BLANKS = re.compile(rb"\s+")
# Hits that stand further apart are in two fragments.
HIT_DISTANCE_MAX = 8
# So many bytes count as one word.
WORD_BYTES = 6


@dataclass(slots=True)
class Excerpts:
    """What HIGHLIGHT or SUMMARIZE says; `fields` None means all."""

    fields: list[bytes] | None = None
    opening: bytes = b"<b>"
    closing: bytes = b"</b>"
    fragments: int = FRAGMENTS
    length: int = FRAGMENT_LENGTH
    separator: bytes = b"... "

    def covers(self, name: bytes, named: frozenset[bytes]) -> bool:
        """Whether a field is shown so; `named` are the fields that any option names."""
        if self.fields is not None:
            return name in self.fields
        return not named or name in named


@dataclass(slots=True)
class Hits:
    """The words that are shown, in whichever field they stand: terms, and how rare each is."""

    terms: dict[bytes, float] = field(default_factory=dict)


@dataclass(slots=True)
class Fragment:
    """A part of a text: from its first hit to its last, both places among the words."""

    first: int
    last: int
    hits: int = 1
    terms: set[bytes] = field(default_factory=set)

    @property
    def others(self) -> int:
        """How many words there are between the hits."""
        return self.last - self.first + 1 - self.hits


def parse_highlight(words: Words) -> Excerpts:
    """The options of HIGHLIGHT."""
    made = Excerpts()
    while words.more:
        if words.eat(b"FIELDS"):
            made.fields = _fields(words, "HIGHLIGHT")
        elif words.eat(b"TAGS"):
            if words.left < 2:
                raise ReplyError("Bad arguments for HIGHLIGHT")
            made.opening, made.closing = words.take(), words.take()
        else:
            break
    return made


def parse_summarize(words: Words) -> Excerpts:
    """The options of SUMMARIZE."""
    made = Excerpts()
    while words.more:
        if words.eat(b"FIELDS"):
            made.fields = _fields(words, "SUMMARIZE")
        elif words.eat(b"FRAGS"):
            made.fragments = _count(words)
        elif words.eat(b"LEN"):
            made.length = _count(words)
        elif words.eat(b"SEPARATOR"):
            if not words.more:
                raise ReplyError("Bad arguments for SUMMARIZE")
            made.separator = words.take()
        else:
            break
    return made


def _fields(words: Words, option: str) -> list[bytes] | None:
    try:
        return words.take_list(option) or None
    except ReplyError:
        raise ReplyError(f"Bad arguments for {option}") from None


def _count(words: Words) -> int:
    try:
        return words.take_count("SUMMARIZE", 1)
    except ReplyError:
        raise ReplyError("Bad arguments for SUMMARIZE") from None


class Excerpter:
    """Shows the hits of one query in texts of one index."""

    def __init__(
        self,
        index: Index,
        hits: Hits,
        summarize: Excerpts | None,
        highlight: Excerpts | None,
        language: str,
        chosen: bool,
    ) -> None:
        """`chosen` tells that RETURN says which fields are shown, whatever the others name."""
        self.index = index
        self.hits = hits
        self.summarize = summarize
        self.highlight = highlight
        self.language = language
        self.stem = stemmer(language, index.stem_length_min)
        self.named = frozenset() if chosen else named_fields(summarize, highlight)

    def show(self, name: bytes, text: bytes) -> bytes:
        """The text of a field as it is returned."""
        named = self.named
        summarized = self.summarize is not None and self.summarize.covers(name, named)
        highlighted = self.highlight is not None and self.highlight.covers(name, named)
        if not (summarized or highlighted):
            return text
        wanted = self._wanted_in(name)
        words, hits = hits_in(
            text,
            self.index.stop_words,
            wanted,
            self.index.terms,
            self.stem,
            self.language,
        )
        if not hits:
            # Where both are asked for, the text is left alone.
            summarized = summarized and not highlighted
            return shortened(text, self.summarize) if summarized and self.summarize else text
        if not summarized or self.summarize is None:
            return self._marked(text, words, hits, 0, len(text), highlighted)
        return self._summary(text, words, hits, wanted, highlighted)

    def _wanted_in(self, name: bytes) -> dict[bytes, float]:
        """The terms that are hits in a field."""
        spec = self.index.spec_of(name)
        return self.hits.terms if spec is not None and spec.bit >= 0 else {}

    def _marked(
        self,
        text: bytes,
        words: list[tuple[int, int]],
        hits: list[tuple[int, bytes]],
        begin: int,
        end: int,
        highlighted: bool,
    ) -> bytes:
        """A part of the text, the hits in it marked."""
        if not highlighted or self.highlight is None:
            return text[begin:end]
        parts = []
        at = begin
        for hit, _ in hits:
            first, last = words[hit]
            if begin <= first and last <= end:
                parts += [
                    text[at:first],
                    self.highlight.opening,
                    text[first:last],
                    self.highlight.closing,
                ]
                at = last
        return b"".join([*parts, text[at:end]])

    def _summary(
        self,
        text: bytes,
        words: list[tuple[int, int]],
        hits: list[tuple[int, bytes]],
        wanted: dict[bytes, float],
        highlighted: bool,
    ) -> bytes:
        """The best fragments, in the order of the text."""
        assert self.summarize is not None
        fragments = fragments_of(hits)
        order = sorted(fragments, key=lambda one: -sum(wanted[term] for term in one.terms))
        best = sorted(order[: self.summarize.fragments], key=lambda one: one.first)
        parts = []
        for at, one in enumerate(best):
            after = words[best[at - 1].last][1] if at else 0
            before = words[best[at + 1].first][0] if at + 1 < len(best) else len(text)
            begin, end = words[one.first][0], words[one.last][1]
            if self.summarize.length > one.others:
                room = (self.summarize.length - one.others) // 2 * WORD_BYTES
                begin, end = widened(text, begin, end, room, after, before)
            own = [hit for hit in hits if one.first <= hit[0] <= one.last]
            parts.append(squeezed(self._marked(text, words, own, begin, end, highlighted)))
            parts.append(self.summarize.separator)
        return b"".join(parts)


def named_fields(*options: Excerpts | None) -> frozenset[bytes]:
    """The fields that HIGHLIGHT and SUMMARIZE name: if any, others are shown as they are."""
    return frozenset(name for one in options if one is not None for name in one.fields or ())


def fragments_of(hits: list[tuple[int, bytes]]) -> list[Fragment]:
    """Hits that stand near to each other, together."""
    found: list[Fragment] = []
    for place, term in hits:
        if found and place - found[-1].last <= HIT_DISTANCE_MAX:
            found[-1].last = place
            found[-1].hits += 1
        else:
            found.append(Fragment(place, place))
        found[-1].terms.add(term)
    return found


def widened(
    text: bytes, begin: int, end: int, room: int, after: int, before: int
) -> tuple[int, int]:
    """A fragment with so many bytes on either side, but with whole words, after and before others.

    What stands at the very beginning does not count as whole; one separator may be left at the end.
    """
    first = max(begin - room, after)
    while first < begin and text[first] not in ENDS:
        first += 1
    while first < begin and text[first] in ENDS:
        first += 1
    last = min(end + room + 1, before)
    while last > end and text[last - 1] not in ENDS:
        last -= 1
    while last > end + 1 and text[last - 1] in ENDS:
        last -= 1
    return first, last


def shortened(text: bytes, summarize: Excerpts) -> bytes:
    """The beginning of a text without hits, up to the end of a word."""
    end = min(WORD_BYTES * (summarize.length * summarize.fragments + 1), len(text))
    while end > 1 and text[end - 1] not in ENDS:
        end -= 1
    return squeezed(text[:end]).rstrip()


def squeezed(text: bytes) -> bytes:
    """The text with one blank for several, and for line ends."""
    return BLANKS.sub(b" ", text)
