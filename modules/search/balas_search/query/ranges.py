"""The parts of the parser that deal with brackets and braces: ranges, vectors, attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from balas.api import ReplyError, number
from balas_search.query.lexer import Lexeme, syntax_error, unescaped
from balas_search.query.reader import TokenReader
from balas_search.query.tree import Geo, Knn, Node, Numeric, Shape, Token, VectorRange

if TYPE_CHECKING:
    from balas_search.query.parser import Fields

GEO_UNITS = (b"m", b"km", b"ft", b"mi")
RELATIONS = (b"WITHIN", b"CONTAINS", b"INTERSECTS", b"DISJOINT")
VECTOR_ATTRIBUTES = (b"ef_runtime", b"epsilon", b"hybrid_policy", b"batch_size")
TRUE = (b"true", b"1")
FALSE = (b"false", b"0")


class RangeParser(TokenReader):
    """The parts of a query that stand in brackets or braces; `fields` tells of the schema."""

    def __init__(
        self,
        source: bytes,
        tokens: list[Lexeme],
        dialect: int,
        fields: Fields,
        parameters: Mapping[bytes, bytes],
    ) -> None:
        super().__init__(source, tokens, dialect, parameters)
        self.fields = fields

    def range(self, name: bytes) -> Node:
        """What stands in brackets: numbers, a place, a distance of vectors, or shapes."""
        self.take("[")
        if self.next.kind == "term":
            word = self.next.text.upper()
            if word == b"VECTOR_RANGE" and self.dialect > 1:
                return self.vector_range(name)
            if word in RELATIONS and self.dialect > 1:
                return self.shape(name)
            behind = self.behind()
            if self.dialect > 1 and behind.kind == "attribute":
                raise ReplyError(
                    f"Syntax error: Expecting a geoshape predicate at offset {behind.at}"
                )
        low_open = self.eat("(")
        low = self.number_or_parameter(low_open)
        if self.dialect > 1 and self.eat("]"):
            return Numeric(
                field_name=name, low=low, high=low, with_low=not low_open, with_high=not low_open
            )
        high_open = self.eat("(")
        high = self.number_or_parameter(high_open)
        if self.eat("]"):
            return Numeric(
                field_name=name,
                low=low,
                high=high,
                with_low=not low_open,
                with_high=not high_open,
            )
        return self.geo(name, low, high)

    def number_or_parameter(self, is_open: bool) -> float:
        """A number, or the parameter that holds one."""
        lexeme = self.next
        sign = 1.0
        if lexeme.kind == "-":
            self.skip()
            sign, lexeme = -1.0, self.next
        if lexeme.kind == "attribute" and self.dialect > 1:
            self.skip()
            value = self.parameter(lexeme.text)
            text = value.lstrip(b"(")
            shown = value.decode("utf-8", "replace")
            name = lexeme.text.decode("utf-8", "replace")
            error = f"Invalid numeric value ({shown}) for parameter `{name}`"
            return sign * number(text, error)
        if lexeme.kind != "number":
            raise syntax_error(lexeme)
        self.skip()
        return sign * float(lexeme.text)

    def geo(self, name: bytes, longitude: float, latitude: float) -> Node:
        """The rest of a place: radius and unit."""
        radius = self.number_or_parameter(False)
        lexeme = self.next
        if lexeme.kind == "attribute" and self.dialect > 1:
            unit = self.parameter(lexeme.text)
        elif lexeme.kind == "term":
            unit = lexeme.text
        else:
            raise syntax_error(lexeme)
        self.skip()
        self.take("]")
        found = Geo(
            field_name=name,
            longitude=longitude,
            latitude=latitude,
            radius=radius,
            unit=unit.lower(),
        )
        check_geo(found)
        return found

    def shape(self, name: bytes) -> Node:
        """`[WITHIN $shape]`."""
        relation = self.take("term").text.upper()
        text = self.parameter(self.take("attribute").text)
        self.take("]")
        return Shape(field_name=name, relation=relation, text=text)

    def vector_range(self, name: bytes) -> Node:
        """`[VECTOR_RANGE radius $vector]`."""
        self.skip()
        radius = self.number_or_parameter(False)
        given = self.take("attribute").text
        vector = self.parameter(given)
        self.take("]")
        return VectorRange(field_name=name, radius=radius, vector=vector, parameter=given)

    def knn(self, child: Node) -> Node:
        """`=>[KNN 10 @field $vector ... AS name]`, behind the whole query."""
        self.take("arrow")
        self.take("[")
        word = self.take("term")
        if word.text.upper() != b"KNN":
            raise syntax_error(word)
        count = self.count()
        name = unescaped(self.take("modifier").text)
        given = self.take("attribute").text
        vector = self.parameter(given)
        made = Knn(children=[child], field_name=name, count=count, vector=vector, parameter=given)
        while not self.eat("]"):
            option = self.take("term").text.upper()
            value = self.value()
            if option == b"AS":
                made.distance_name = value
                if self.next.kind != "]":
                    raise syntax_error(self.next)
            else:
                made.options.give(option, value)
        if self.next.kind == "arrow":
            self.attributed(made)
        return made

    def count(self) -> int:
        """How many neighbours are wanted."""
        lexeme = self.next
        text = self.value()
        if not text.isdigit():
            if lexeme.kind == "attribute":
                shown = text.decode("utf-8", "replace")
                name = lexeme.text.decode("utf-8", "replace")
                raise ReplyError(f"Invalid numeric value ({shown}) for parameter `{name}`")
            raise syntax_error(lexeme)
        return int(text)

    def value(self) -> bytes:
        """A word or a number as it stands, or a parameter's value."""
        lexeme = self.next
        if lexeme.kind == "attribute":
            self.skip()
            return self.parameter(lexeme.text)
        if lexeme.kind not in ("term", "number"):
            raise syntax_error(lexeme)
        self.skip()
        return unescaped(lexeme.text)

    # --- attributes ------------------------------------------------------------------------------

    def attributed(self, node: Node | None) -> Node | None:
        """Take `=>{$name: value; ...}` if it stands here, and note it in the node."""
        if self.next.kind != "arrow" or self.behind().kind != "{":
            return node
        self.skip()
        self.skip()
        while not self.eat("}"):
            name = self.take("attribute").text
            self.take(":")
            value = self.value()
            if node is not None:
                self.set_attribute(node, name, value)
            if not self.eat(";") and self.next.kind != "}":
                raise syntax_error(self.next)
        return node

    def set_attribute(self, node: Node, name: bytes, value: bytes) -> None:
        """Note one attribute; raises ReplyError."""
        key = name.lower()
        node.has_attributes = True
        if key == b"weight":
            weight = number(value, invalid(name, value))
            if math.isnan(weight) or weight < 0:
                raise ReplyError(invalid(name, value))
            node.weight = weight
        elif key == b"slop":
            if not value.lstrip(b"-").isdigit():
                raise ReplyError(invalid(name, value))
            node.slop = int(value)
        elif key == b"inorder":
            node.in_order = boolean(name, value)
        elif key == b"phonetic":
            node.phonetic = boolean(name, value)
            if isinstance(node, Token):
                self.fields.check_phonetic(node.mask)
        elif key == b"yield_distance_as" and isinstance(node, Knn | VectorRange):
            if node.distance_name is not None:
                names = b" and ".join((node.distance_name, value)).decode("utf-8", "replace")
                raise ReplyError(f"Distance field was specified twice for vector query: {names}")
            node.distance_name = value
        elif isinstance(node, Knn | VectorRange) and key in VECTOR_ATTRIBUTES:
            node.options.give(name.upper(), value)
        else:
            raise ReplyError(f"Invalid attribute {name.decode('utf-8', 'replace')}")


def check_geo(node: Geo) -> None:
    """Raise ReplyError unless the place makes sense."""
    if node.unit not in GEO_UNITS:
        raise ReplyError("Invalid GeoFilter unit")
    if not (-180 <= node.longitude <= 180 and abs(node.latitude) <= 85.05112878):
        raise ReplyError("Invalid GeoFilter lat/lon")
    if node.radius <= 0:
        raise ReplyError("Invalid GeoFilter radius")


def boolean(name: bytes, value: bytes) -> bool:
    """True or false, as the query says it."""
    if value.lower() in TRUE:
        return True
    if value.lower() in FALSE:
        return False
    raise ReplyError(invalid(name, value))


def invalid(name: bytes, value: bytes) -> str:
    """The error for an attribute's value."""
    shown = value.decode("utf-8", "replace")
    return f"Invalid value ({shown}) for `{name.decode('utf-8', 'replace')}`"
