"""The evaluation of one query: from its tree to cursors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from balas_search.evaluation.cursors import (
    Cursor,
    Docs,
    GroupCursor,
    IntersectionCursor,
    NotCursor,
    OptionalCursor,
    SetCursor,
    TermCursor,
    UnionCursor,
)
from balas_search.index.vocabulary import BLOCK_MAX, Vocabulary
from balas_search.postings import phrases, sets, spans
from balas_search.postings.fuzzy import within
from balas_search.postings.posting import Posting
from balas_search.query.tree import (
    Affix,
    Everything,
    Fuzzy,
    Geo,
    Keys,
    Knn,
    Missing,
    Node,
    Not,
    Nothing,
    Numeric,
    Optional,
    Pattern,
    Phrase,
    Shape,
    Tag,
    Token,
    Union,
    VectorRange,
)

if TYPE_CHECKING:
    from balas_search.index.index import Index

NO_DOCS = np.empty(0, np.uint32)
# As good as any distance: what "in order" means where no slop is given.
ANY_SLOP = 2**31 - 1
# Two words of a phrase are read from end to end if neither is so many times as frequent.
FOLLOW_SHARE = 8
# A character of UTF-8, of however many bytes.
CHARACTER = rb"(?:[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*)"
LITERAL = re.compile(rb"(?:[^*?\x80-\xff]|[\xc0-\xff][\x80-\xbf]*){2}")
# Terms that are no words begin so: stems, groups of synonyms, sounds.
MARKS = b"+~<"
# So many terms are compared with a pattern, or expanded to, before time is looked at again.
TERMS_AT_ONCE = 8 * BLOCK_MAX
EXPANSIONS_AT_ONCE = 64
# Of so many documents the places of words are compared at once.
PLACED_AT_ONCE = 16384
# As many lists `sets.zigzag` can walk.
ZIGZAG_MAX = 64


@dataclass(slots=True)
class Limits:
    """Settings that an evaluation keeps to."""

    prefix_min: int = 2
    expansions_max: int = 200
    tanh_factor: int = 4


class Evaluation:
    """One query being evaluated on an index.

    `slop` and `in_order` are those of the command. `yielded` takes what a vector query measures:
    under each name the documents and their distances.
    """

    def __init__(
        self,
        index: Index,
        limits: Limits,
        slop: int = -1,
        in_order: bool = False,
        check_time: Callable[[], None] = lambda: None,
    ) -> None:
        self.index = index
        self.limits = limits
        self.slop = slop
        self.in_order = in_order
        self.check_time = check_time
        self.yielded: dict[bytes, tuple[Docs, NDArray[np.float64]]] = {}
        self._everything: Docs | None = None

    @property
    def everything(self) -> Docs:
        """All documents."""
        if self._everything is None:
            self._everything = self.index.documents.all_ids()
        return self._everything

    def cursor(self, node: Node) -> Cursor:
        """The cursor of a part of the query; its documents may be gone already."""
        self.check_time()
        made: Cursor = EVALUATORS[type(node)](self, node)
        return made

    def documents(self, cursor: Cursor) -> Docs:
        """The documents of a cursor that are still there."""
        documents = self.index.documents
        if len(documents) == documents.last_id:
            return cursor.docs
        return sets.living(cursor.docs, documents.alive)

    # --- terms -----------------------------------------------------------------------------------

    def token(self, node: Token) -> Cursor:
        """A term."""
        return self.term(self.index.terms.get(node.text), node)

    def term(self, posting: Any, node: Node) -> Cursor:
        """A posting list, or nothing."""
        if posting is None:
            return SetCursor(NO_DOCS)
        return TermCursor(posting, node.mask, node.weight, len(self.index.documents))

    def affix(self, node: Affix) -> Cursor:
        """Terms that begin, end or go on with something."""
        if len(node.text) < self.limits.prefix_min:
            return SetCursor(NO_DOCS)
        by_trie = node.suffix and self.index.suffix_mask
        at_most = len(self.index.terms) if by_trie else self.limits.expansions_max
        found = affixed(self.index.vocabulary, node, at_most, self.check_time)
        return self.expansions(self.in_suffix_trie(node, found) if by_trie else found, node)

    def pattern(self, node: Pattern) -> Cursor:
        """Terms that match a pattern."""
        # A trie of suffixes is of use only where two characters stand together.
        by_trie = self.index.suffix_mask and LITERAL.search(node.text)
        at_most = len(self.index.terms) if by_trie else self.limits.expansions_max
        found = matching(self.index.vocabulary, node.text, at_most, CHARACTER, self.check_time)
        return self.expansions(self.in_suffix_trie(node, found) if by_trie else found, node)

    def in_suffix_trie(self, node: Node, found: list[bytes]) -> list[bytes]:
        """Those terms that fields with a WITHSUFFIXTRIE have."""
        index, mask = self.index, self.index.suffix_mask
        known = [
            text for text in found if text[:1] not in MARKS and len(index.terms[text].docs_in(mask))
        ]
        return known[: self.limits.expansions_max]

    def fuzzy(self, node: Fuzzy) -> Cursor:
        """Terms that are nearly the same."""
        at_most = self.limits.expansions_max
        found: list[bytes] = []
        for some in timed(self.index.vocabulary.in_parts(), self.check_time):
            found += within(some, node.text, node.distance, at_most - len(found))
            if len(found) >= at_most:
                break
        # An empty text, of a field with INDEXEMPTY, is not nearly anything.
        found = [term for term in found if term]
        return self.expansions(found, node)

    def expansions(self, terms: Sequence[bytes], node: Node) -> Cursor:
        """One of several terms; which of them, counts little."""
        total = len(self.index.documents)
        children: list[Cursor] = []
        for number, text in enumerate(terms):
            if number % EXPANSIONS_AT_ONCE == 0:
                self.check_time()
            made = TermCursor(self.index.terms[text], node.mask, 1.0, total)
            if len(made.docs):
                children.append(made)
        docs = sets.union([child.docs for child in children])
        return UnionCursor(children, docs, node.weight, first_only=True, node=node)

    # --- groups ----------------------------------------------------------------------------------

    def union(self, node: Union) -> Cursor:
        """Any of the children."""
        return self.any_of([self.cursor(child) for child in node.children], node.weight)

    def any_of(self, found: Sequence[Cursor], weight: float, node: Node | None = None) -> Cursor:
        """Any of some cursors, which a node stands for perhaps; one alone stands for itself."""
        children = [child for child in found if len(child.docs)]
        if len(children) == 1:
            return children[0]
        docs = sets.union([child.docs for child in children])
        return UnionCursor(children, docs, weight, node=node)

    def phrase(self, node: Phrase) -> Cursor:
        """All children, near to each other perhaps."""
        slop = node.slop if node.slop >= 0 else self.slop
        in_order = self.in_order if node.in_order is None else node.in_order
        if node.exact:
            slop = max(node.slop, 0)
            in_order = True if node.in_order is None else node.in_order
        elif in_order and slop < 0:
            slop = ANY_SLOP
        if len(node.children) == 1:
            return self.cursor(node.children[0])
        children: list[Cursor] = []
        for child in node.children:
            made = self.cursor(child)
            if not len(made.docs):
                self.check_rest(node.children[len(children) + 1 :])
                return SetCursor(NO_DOCS)
            children.append(made)
        return self.all_of(children, node.weight, slop, in_order)

    def check_rest(self, nodes: Sequence[Node]) -> None:
        """Raise ReplyError for what is wrong with parts that need no evaluation."""
        if self.index.has_vectors:
            for node in nodes:
                self.cursor(node)

    def all_of(
        self, children: list[Cursor], weight: float, slop: int = -1, in_order: bool = False
    ) -> Cursor:
        """All of some cursors, with at most `slop` words between them unless it is negative."""
        if not in_order:
            # Distances go from neighbour to neighbour, so this order shows in scores.
            children = sorted(children, key=estimate)
        pair = frequent_pair(children) if slop == 0 and in_order else None
        if pair is not None:
            return IntersectionCursor(children, phrases.following(*pair, self.check_time), weight)
        docs = self.common(children)
        if slop >= 0 and len(docs):
            # What stands nowhere in the text, as a range of numbers, is near to everything.
            texts = [child for child in children if not isinstance(child, SetCursor)]
            if len(texts) > 1:
                docs = self.near(texts, docs, slop, in_order)
        return IntersectionCursor(children, docs, weight)

    def near(self, texts: list[Cursor], docs: Docs, slop: int, in_order: bool) -> Docs:
        """Those documents in which the places of some cursors are near to each other."""
        found: list[Docs] = []
        for begin in range(0, len(docs), PLACED_AT_ONCE):
            self.check_time()
            part = docs[begin : begin + PLACED_AT_ONCE]
            placed = IntersectionCursor(texts, part, 1.0).placed(part)
            found.append(part[spans.near(*placed, len(part), slop, in_order)])
        return np.concatenate(found)

    def common(self, children: list[Cursor]) -> Docs:
        """The documents that all of some cursors have."""
        unions = [
            isinstance(child, UnionCursor) and not child.first_only and len(child.children) > 1
            for child in children
        ]
        if len(children) > ZIGZAG_MAX or not any(unions):
            docs = children[0].docs
            for child in sorted(children[1:], key=lambda cursor: len(cursor.docs)):
                docs = sets.intersect(docs, child.docs)
            return docs
        if len(children) == 2 and all(map(is_flat, children)):
            docs, *landed = sets.both(children[0].docs, children[1].docs)
            for child, alone in zip(children, landed, strict=True):
                if isinstance(child, UnionCursor):
                    child.alone = alone
            return docs
        steps = [isinstance(child, NotCursor) for child in children]
        docs, targets = sets.zigzag([child.docs for child in children], steps)
        for child, asked in zip(children, targets, strict=True):
            if isinstance(child, UnionCursor):
                child.skipped_to(asked, docs)
        return docs

    def negation(self, node: Not) -> Cursor:
        """All but the child's."""
        child = self.cursor(node.children[0])
        left = sets.without(self.everything, child.docs)
        return NotCursor(left, self.index.documents.last_id, child)

    def optional(self, node: Optional) -> Cursor:
        """All, those of the child before others."""
        return OptionalCursor(self.cursor(node.children[0]), self.everything, node.weight)

    # --- the rest --------------------------------------------------------------------------------

    def of_field(self, node: Any) -> Cursor:
        """What a field's index answers; nothing if there is no such field."""
        found = self.index.fields.get(node.field_name)
        if found is None:
            return SetCursor(NO_DOCS)
        return found.cursor(node, self)

    def missing(self, node: Missing) -> Cursor:
        """Documents without a field."""
        posting = self.index.missing.get(node.field_name)
        docs = NO_DOCS if posting is None else posting.docs_view()
        return SetCursor(docs, weight=0.0, node=node)

    def keys(self, node: Keys) -> Cursor:
        """Documents by their keys, which are worth nothing."""
        ids = set(map(self.index.documents.id_of, node.keys))
        found = sorted(ids - {0})
        return SetCursor(np.array(found, np.uint32), weight=0.0, node=node)

    def all_documents(self, node: Everything) -> Cursor:
        """All documents."""
        return SetCursor(self.everything, node=node)

    def no_documents(self, node: Nothing) -> Cursor:
        """No document."""
        return SetCursor(NO_DOCS)


EVALUATORS: dict[type[Node], Callable[[Evaluation, Any], Cursor]] = {
    Token: Evaluation.token,
    Affix: Evaluation.affix,
    Pattern: Evaluation.pattern,
    Fuzzy: Evaluation.fuzzy,
    Union: Evaluation.union,
    Phrase: Evaluation.phrase,
    Not: Evaluation.negation,
    Optional: Evaluation.optional,
    Tag: Evaluation.of_field,
    Numeric: Evaluation.of_field,
    Geo: Evaluation.of_field,
    Shape: Evaluation.of_field,
    Knn: Evaluation.of_field,
    VectorRange: Evaluation.of_field,
    Missing: Evaluation.missing,
    Keys: Evaluation.keys,
    Everything: Evaluation.all_documents,
    Nothing: Evaluation.no_documents,
}


def frequent_pair(children: list[Cursor]) -> tuple[Posting, Posting] | None:
    """The lists of two terms, in any field and about as frequent as each other; or None."""
    postings: list[Posting] = []
    for child in children:
        if (
            not isinstance(child, TermCursor)
            or not child.posting.offsets_bytes()
            or len(child.docs) != len(child.posting)
        ):
            return None
        postings.append(child.posting)
    if len(postings) != 2:
        return None
    fewer, more = sorted(map(len, postings))
    return (postings[0], postings[1]) if more < FOLLOW_SHARE * fewer else None


def is_flat(cursor: Cursor) -> bool:
    """Whether it is a term, or alternatives none of which are alternatives again."""
    if isinstance(cursor, UnionCursor):
        return not any(isinstance(child, UnionCursor) for child in cursor.children)
    return isinstance(cursor, TermCursor)


def estimate(cursor: Cursor) -> int:
    """About how many documents a cursor has, by which the original orders an intersection."""
    if isinstance(cursor, TermCursor):
        return len(cursor.posting)
    if isinstance(cursor, UnionCursor):
        return sum(map(estimate, cursor.children))
    if isinstance(cursor, GroupCursor):
        return min(map(estimate, cursor.children), default=0)
    return cursor.estimated if isinstance(cursor, NotCursor) else len(cursor.docs)


def timed(parts: Iterable[list[bytes]], check_time: Callable[[], None]) -> Iterator[list[bytes]]:
    """The same parts of a vocabulary; raises TimeUp between them."""
    left = 0
    for part in parts:
        if left <= 0:
            check_time()
            left = TERMS_AT_ONCE
        left -= BLOCK_MAX
        yield part


def first_of(
    parts: Iterable[list[bytes]],
    matches: Callable[[bytes], object],
    at_most: int,
    check_time: Callable[[], None],
) -> list[bytes]:
    """The first terms that match; raises TimeUp."""
    found: list[bytes] = []
    for some in timed(parts, check_time):
        found += [term for term in some if matches(term)]
        if len(found) >= at_most:
            break
    return found[:at_most]


def affixed(
    vocabulary: Vocabulary, node: Affix, at_most: int, check_time: Callable[[], None]
) -> list[bytes]:
    """The first terms that a prefix, suffix or infix stands for."""
    text = node.text
    if not node.suffix:
        return vocabulary.with_prefix(text, at_most)
    parts = vocabulary.in_parts()
    if node.prefix:
        return first_of(parts, lambda term: text in term, at_most, check_time)
    return first_of(parts, lambda term: term.endswith(text), at_most, check_time)


def matching(
    vocabulary: Vocabulary,
    pattern: bytes,
    at_most: int,
    one: bytes,
    check_time: Callable[[], None],
) -> list[bytes]:
    """The first terms that match a pattern of `?`, which stands for what `one` says, and `*`."""
    wildcards = {b"*": b".*", b"?": one}
    parts = re.findall(rb"\\.|[*?]|[^\\*?]+|\\", pattern, re.DOTALL)
    made = b"".join(
        wildcards.get(part) or re.escape(part[1:] if part[:1] == b"\\" and part[1:] else part)
        for part in parts
    )
    matches = re.compile(made, re.DOTALL).fullmatch
    literal = re.split(rb"[\\*?]", pattern, maxsplit=1)[0]
    return first_of(vocabulary.in_parts(literal), matches, at_most, check_time)
