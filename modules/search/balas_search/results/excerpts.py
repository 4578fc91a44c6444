"""HIGHLIGHT and SUMMARIZE: what was found, shown in the text.

The text is cut into tokens again; those that the query asked for are the hits. Summaries are made
of fragments around them.
"""

from __future__ import annotations

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


@dataclass(slots=True)
class Excerpts:
    """What HIGHLIGHT or SUMMARIZE says; `fields` None means all."""

    fields: list[bytes] | None = None
    opening: bytes = b"<b>"
    closing: bytes = b"</b>"
    fragments: int = FRAGMENTS
    length: int = FRAGMENT_LENGTH
    separator: bytes = b"... "

    def covers(self, name: bytes) -> bool:
        """Whether a field is shown so."""
        return self.fields is None or name in self.fields


@dataclass(slots=True)
class Hits:
    """The words that are shown, per text field: terms with the mask of their fields."""

    terms: list[tuple[bytes, int]] = field(default_factory=list)

    def in_field(self, bit: int) -> set[bytes]:
        """The terms to be shown in a field."""
        return {term for term, mask in self.terms if mask >> bit & 1}


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
    ) -> None:
        self.index = index
        self.hits = hits
        self.summarize = summarize
        self.highlight = highlight
        self.language = language
        self.stem = stemmer(language, index.stem_length_min)
        self._wanted: dict[bytes, set[bytes]] = {}

    def show(self, name: bytes, text: bytes) -> bytes:
        """The text of a field as it is returned."""
        summarized = self.summarize is not None and self.summarize.covers(name)
        highlighted = self.highlight is not None and self.highlight.covers(name)
        if not (summarized or highlighted):
            return text
        words, hits = hits_in(
            text,
            self.index.stop_words,
            self._wanted_in(name),
            self.index.terms,
            self.stem,
            self.language,
        )
        if not hits:
            return shortened(text, self.summarize) if summarized and self.summarize else text
        if not summarized or self.summarize is None:
            return self._marked(text, words, hits, 0, len(text), highlighted)
        return self._summary(text, words, hits, highlighted)

    def _wanted_in(self, name: bytes) -> set[bytes]:
        """The terms that are hits in a field."""
        found = self._wanted.get(name)
        if found is None:
            spec = self.index.spec_of(name)
            bit = spec.bit if spec is not None else -1
            found = self._wanted[name] = self.hits.in_field(bit) if bit >= 0 else set()
        return found

    def _marked(
        self,
        text: bytes,
        words: list[tuple[int, int]],
        hits: list[int],
        begin: int,
        end: int,
        highlighted: bool,
    ) -> bytes:
        """A part of the text, the hits in it marked."""
        if not highlighted or self.highlight is None:
            return text[begin:end]
        parts = []
        at = begin
        for hit in hits:
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
        hits: list[int],
        highlighted: bool,
    ) -> bytes:
        """The best fragments, in the order of the text."""
        assert self.summarize is not None
        length = self.summarize.length
        fragments = fragments_of(hits, length)
        best = sorted(fragments, key=lambda group: -len(group))[: self.summarize.fragments]
        best.sort()
        parts = []
        for group in best:
            first, last = widened(group, length, len(words))
            begin = words[first][0]
            end = words[last][1]
            if end < len(text) and last + 1 < len(words):
                end = words[last + 1][0]
                while end > begin and text[end - 1 : end] in (b" ",):
                    end -= 1
            elif last + 1 == len(words):
                end = len(text)
            parts.append(self._marked(text, words, hits, begin, end, highlighted))
            parts.append(self.summarize.separator)
        return b"".join(parts)


def fragments_of(hits: list[int], length: int) -> list[list[int]]:
    """Hits that stand near to each other, together."""
    groups: list[list[int]] = []
    for hit in hits:
        if groups and hit - groups[-1][-1] <= length:
            groups[-1].append(hit)
        else:
            groups.append([hit])
    return groups


def widened(group: list[int], length: int, total: int) -> tuple[int, int]:
    """The first and the last token of a fragment: the hits, and about as much before as behind."""
    spare = max(length - (group[-1] - group[0] + 1), 0)
    first = max(group[0] - spare // 2, 0)
    last = min(group[-1] + spare - spare // 2, total - 1)
    return first, last


def shortened(text: bytes, summarize: Excerpts) -> bytes:
    """The beginning of a text without hits."""
    size = summarize.length * summarize.fragments
    if len(text) <= size:
        size = max(len(text) - 1, 1)
    cut = text[:size]
    while size < len(text) and cut and cut[-1:] not in SEPARATORS:
        size -= 1
        cut = text[:size]
        if size == 0:
            return text[: summarize.length]
    return cut
