"""The pass that adds to each word of a query what also counts as it: stems, sounds, synonyms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balas_search.analysis.languages import STEM_PREFIX, stem_term
from balas_search.analysis.phonetics import sounds
from balas_search.query.tree import ALL_FIELDS, Node, Phrase, Token, Union

if TYPE_CHECKING:
    from balas_search.index.index import Index


def expand(node: Node, index: Index, language: str, expander: bytes = b"") -> Node:
    """The tree with every word that may be expanded turned into alternatives.

    Words in quotes, behind "-" and behind "~" stay as they are.
    """
    if isinstance(node, Token):
        return _expanded(node, index, language, expander)
    if isinstance(node, Union) or (isinstance(node, Phrase) and not node.exact):
        node.children = [expand(child, index, language, expander) for child in node.children]
    return node


def _expanded(node: Token, index: Index, language: str, expander: bytes) -> Node:
    if node.as_it_is:
        return node
    added: list[bytes] = []
    if expander in (b"", b"DEFAULT", b"SYNONYM"):
        added += index.synonyms.terms.get(node.text, ())
    if expander in (b"", b"DEFAULT", b"PHONETIC") and _by_sound(node, index):
        added += sounds(node.text)
    if expander in (b"", b"DEFAULT", b"SBSTEM"):
        added += _stems(node.text, language)
    if not added:
        return node
    # What was said of distances holds for the alternatives as a whole, which have none.
    node.slop, node.in_order = -1, None
    children: list[Node] = [node]
    children += [Token(mask=node.mask, text=text, expanded=True) for text in added]
    return Union(mask=node.mask, children=children)


def _stems(text: bytes, language: str) -> list[bytes]:
    stem = stem_term(text, language)
    if stem is None:
        return []
    return [STEM_PREFIX + stem] if stem == text else [STEM_PREFIX + stem, stem]


def _by_sound(node: Token, index: Index) -> bool:
    if node.phonetic is False:
        return False
    if node.mask == ALL_FIELDS or node.phonetic:
        return bool(index.phonetic_mask)
    return bool(index.phonetic_mask & node.mask)
