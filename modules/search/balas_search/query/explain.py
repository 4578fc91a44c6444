"""A tree in words, as FT.EXPLAIN shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from balas_search.query.lexer import unescaped
from balas_search.query.tree import (
    ALL_FIELDS,
    Affix,
    Branch,
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

# What the original shows of the relation of shapes is its number.
RELATION_NUMBERS = {b"CONTAINS": 1, b"WITHIN": 2, b"DISJOINT": 3, b"INTERSECTS": 4}


def explain(root: Node, field_names: Sequence[str]) -> str:
    """The tree as text. `field_names[i]` is the text field with bit i."""
    lines: list[str] = []
    _Printer(field_names, lines).node(root, 0)
    return "\n".join(lines) + "\n"


class _Printer:
    def __init__(self, field_names: Sequence[str], lines: list[str]) -> None:
        self.names = field_names
        self.lines = lines

    def node(self, node: Node, depth: int) -> None:
        blanks = "  " * depth
        fields = self.fields(node)
        if isinstance(node, Knn):
            self.knn(node, depth)
        elif isinstance(node, Branch):
            opening = f"{blanks}{fields}{self.opening(node)}"
            self.lines.append(opening)
            children = node.children
            if isinstance(node, Tag):
                children = [plain(child) for child in children]
            for child in children:
                self.node(child, depth + 1)
            self.lines.append(f"{blanks}}}{attributes(node, block=True)}")
        else:
            self.lines.append(
                f"{blanks}{fields}{leaf(node)}{attributes(node, block=not isinstance(node, Token))}"
            )

    def knn(self, node: Knn, depth: int) -> None:
        blanks = "  " * depth
        (child,) = node.children
        if isinstance(child, Everything):
            self.lines.append(f"{blanks}VECTOR {{{vector_text(node)}}}")
            return
        self.lines.append(f"{blanks}VECTOR {{")
        self.node(child, depth + 1)
        self.lines.append(f"{blanks}}} => {{{vector_text(node)}}}")

    def fields(self, node: Node) -> str:
        if node.mask == ALL_FIELDS or isinstance(node, Tag | Numeric | Geo):
            return ""
        if not node.mask:
            return "@NULL:"
        named = [name for bit, name in enumerate(self.names) if node.mask >> bit & 1]
        return f"@{'|'.join(named)}:"

    def opening(self, node: Branch) -> str:
        if isinstance(node, Phrase):
            return "EXACT {" if node.exact else "INTERSECT {"
        if isinstance(node, Union):
            return "UNION {"
        if isinstance(node, Not):
            return "NOT{"
        if isinstance(node, Optional):
            return "OPTIONAL{"
        assert isinstance(node, Tag)
        return f"TAG:@{text(node.field_name)} {{"


def plain(node: Node) -> Node:
    """A value of a tag without its escapes."""
    if isinstance(node, Branch):
        return replace(node, children=[plain(child) for child in node.children])
    return replace(node, text=unescaped(node.text)) if isinstance(node, Token | Affix) else node


def text(value: bytes) -> str:
    """Bytes as text that keeps them."""
    return value.decode("utf-8", "surrogateescape")


def leaf(node: Node) -> str:
    """A node that has none below it."""
    if isinstance(node, Token):
        return (text(node.text) or '""') + ("(expanded)" if node.expanded else "")
    if isinstance(node, Affix):
        if node.prefix and node.suffix:
            return f"INFIX{{*{text(node.text)}*}}"
        return f"PREFIX{{{text(node.text)}*}}" if node.prefix else f"SUFFIX{{*{text(node.text)}}}"
    if isinstance(node, Pattern):
        return f"WILDCARD{{{text(node.text)}}}"
    if isinstance(node, Fuzzy):
        return f"FUZZY{{{text(node.text)}}}"
    if isinstance(node, Numeric):
        return numeric(node)
    if isinstance(node, Geo):
        return (
            f"GEO {text(node.field_name)}:{{{node.longitude:f},{node.latitude:f} --> "
            f"{node.radius:f} {text(node.unit)}}}"
        )
    if isinstance(node, Shape):
        return f"GEOSHAPE{{{RELATION_NUMBERS[node.relation]} {text(node.text)}}}"
    if isinstance(node, Missing):
        return f"ISMISSING{{{text(node.field_name)}}}"
    if isinstance(node, VectorRange):
        return f"VECTOR {{{vector_text(node)}}}"
    if isinstance(node, Keys):
        return "IDS {" + ",".join(map(text, node.keys)) + "}"
    if isinstance(node, Everything):
        return "<WILDCARD>"
    assert isinstance(node, Nothing)
    return "<empty>"


def numeric(node: Numeric) -> str:
    """A range of numbers."""
    low = "<=" if node.with_low else "<"
    high = "<=" if node.with_high else "<"
    return f"NUMERIC {{{node.low:f} {low} @{text(node.field_name)} {high} {node.high:f}}}"


def vector_text(node: Knn | VectorRange) -> str:
    """What is asked of the vectors."""
    name = text(node.field_name)
    distance = text(node.distance_name) if node.distance_name else f"__{name}_score"
    vector = text(node.parameter)
    field = f"in vector index associated with field @{name}"
    if isinstance(node, Knn):
        return (
            f"K={node.count} nearest vectors to `${vector}` {field}, yields distance as "
            f"`{distance}`"
        )
    return f"Vectors that are within {node.radius:g} distance radius from `${vector}` {field}" + (
        f", yields distance as `{distance}`" if node.distance_name else ""
    )


def attributes(node: Node, block: bool) -> str:
    """What `=>{...}` has said, behind a node."""
    if not node.has_attributes:
        return ""
    parts = []
    if node.weight != 1:
        parts.append(f"$weight: {node.weight:g};")
    several = not isinstance(node, Token)
    if several and node.slop >= 0:
        parts.append(f"$slop: {node.slop};")
    if several and (node.in_order is not None or node.slop >= 0):
        parts.append(f"$inorder: {'true' if node.in_order else 'false'};")
    if not parts:
        return ""
    joined = " ".join(parts)
    return f" => {{ {joined} }}" if block else f" => {{{joined}}}"
