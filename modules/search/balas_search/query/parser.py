"""From tokens to a tree, by recursive descent.

The grammar of dialect 2 and above:

    query    = union ["=>" "[" KNN ... "]" ["=>" attributes]]
    union    = sequence ("|" sequence)*
    sequence = unary+
    unary    = ("-" | "~") unary | [modifier ":"] text
    text     = atom ["=>" attributes] [text, if that begins with an affix, a pattern, a near miss]

In dialect 1 "|" binds more tightly than juxtaposition, except between plain words; "-" and "~" take
all that follows up to the next of them; a modifier holds for all the words that follow:

    union1   = run ("|" run)*          run = word+ | atom | ("-" | "~") sequence1
    sequence1 = union1+
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from balas.api import ReplyError
from balas_search.query.lexer import Lexeme, lexemes, syntax_error, unescaped
from balas_search.query.ranges import RangeParser
from balas_search.query.tree import (
    ALL_FIELDS,
    Affix,
    Everything,
    Fuzzy,
    Missing,
    Node,
    Not,
    Nothing,
    Numeric,
    Optional,
    Pattern,
    Phrase,
    Tag,
    Token,
    Union,
)

DEPTH_MAX = 500
# A word that is a number.
INFINITY = b"inf"


class Fields(Protocol):
    """What the parser asks of a schema."""

    @property
    def stop_words(self) -> frozenset[bytes]:
        """Words that are left out."""

    def mask_of(self, name: bytes) -> int:
        """The bit of a text field, as a mask; 0 if there is no such field."""

    def check_missing(self, name: bytes) -> None:
        """Raise ReplyError unless the field can be asked for with ismissing()."""

    def check_phonetic(self, mask: int) -> None:
        """Raise ReplyError unless a field of the mask is matched by sound."""


class Parser(RangeParser):
    """One query on its way to a tree; `parse` does it."""

    def __init__(
        self,
        source: bytes,
        tokens: list[Lexeme],
        dialect: int,
        fields: Fields,
        parameters: Mapping[bytes, bytes],
        drop_stop_words: bool = True,
    ) -> None:
        super().__init__(source, tokens, dialect, fields, parameters)
        self.drop_stop_words = drop_stop_words
        self.depth = 0

    # --- the whole -------------------------------------------------------------------------------

    def parse(self) -> Node:
        """The tree; raises ReplyError."""
        if self.next.kind == "end":
            return Nothing()
        if self.next.kind == "*" and self.behind().kind in ("end", "arrow"):
            self.skip()
            found: Node | None = Everything()
        elif self.dialect == 1:
            found = self.sequence_1(ALL_FIELDS)
        else:
            found = self.union()
        if self.dialect > 1 and self.next.kind == "arrow" and self.behind().kind == "[":
            found = self.knn(found or Everything())
        self.take("end")
        return found or Nothing()

    def deeper(self, parse: Callable[[], Node | None]) -> Node | None:
        """Parse what stands inside of something, but not without end."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise ReplyError("Parser stack overflow.")
        found = parse()
        self.depth -= 1
        return found

    # --- dialect 2 -------------------------------------------------------------------------------

    def union(self) -> Node | None:
        """Alternatives."""
        found = self.sequence()
        while self.eat("|"):
            found = either(found, self.sequence())
        return found

    def sequence(self) -> Node | None:
        """What must all match. None if nothing but stop words is left."""
        found = self.unary()
        while self.next.kind not in ("|", ")", "end", "arrow"):
            found = both(found, self.unary())
        return found

    def unary(self) -> Node | None:
        """A part, with what stands before and behind it."""
        if self.next.kind in ("-", "~"):
            kind = Not if self.take(self.next.kind).kind == "-" else Optional
            child = self.with_numbers(self.deeper(self.unary))
            return None if child is None else kind(children=[child])
        if self.next.kind == "modifier":
            found = self.attributed(self.modified())
            if isinstance(found, Tag) and self.at_expansion():
                found = both(found, self.deeper(self.text))
            return found
        return self.text()

    def with_numbers(self, found: Node | None) -> Node | None:
        """What "-" or "~" takes: the original adds numbers and parameters that follow."""
        if self.next.kind not in ("number", "attribute") or self.at_expansion():
            return found
        return both(found, self.with_numbers(self.deeper(self.text)))

    def text(self) -> Node | None:
        """A part that is text; an affix, a pattern or a near miss behind it belongs to it."""
        found = self.attributed(self.atom())
        if self.at_expansion():
            found = both(found, self.deeper(self.text))
        return found

    def at_expansion(self) -> bool:
        """Whether a word comes next that stands for several terms."""
        kind = self.next.kind
        if kind in ("%", "pattern"):
            return True
        if kind == "end":
            return False
        behind = self.behind()
        if kind == "*":
            return behind.kind in ("term", "number", "attribute") and behind.at == self.next.end
        return (
            kind in ("term", "number", "attribute")
            and behind.kind == "*"
            and behind.at == self.next.end
        )

    def modified(self) -> Node | None:
        """`@field:` and what it is about."""
        lexeme = self.next
        names = self.modifier_names()
        if self.next.kind == "compare" and len(names) == 1:
            return self.comparison(names[0])
        self.take(":")
        if self.next.kind in ("[", "{"):
            if len(names) > 1:
                raise syntax_error(self.next)
            return self.bracketed(names[0], lexeme)
        found = self.deeper(self.field_text)
        if found is not None:
            mask = 0
            for name in names:
                mask |= self.fields.mask_of(name)
            found.limit_to(mask)
        return found

    def field_text(self) -> Node | None:
        """The text a modifier is about: no other modifier may stand in it."""
        if self.next.kind in ("-", "~"):
            kind = Not if self.take(self.next.kind).kind == "-" else Optional
            child = self.deeper(self.field_text)
            return None if child is None else kind(children=[child])
        if self.next.kind == "(":
            self.refuse_modifiers_inside()
        return self.text()

    def refuse_modifiers_inside(self) -> None:
        """Between the parentheses that open here no modifier may stand."""
        depth = 0
        for lexeme in self.tokens[self.at :]:
            depth += (lexeme.kind == "(") - (lexeme.kind == ")")
            if lexeme.kind == "modifier":
                raise syntax_error(lexeme)
            if depth == 0:
                return

    # --- dialect 1 -------------------------------------------------------------------------------

    def sequence_1(self, mask: int) -> Node | None:
        """What must all match; "-" and "~" take what follows, up to the next of them."""
        found = self.union_1(mask)
        while self.next.kind not in ("|", ")", "end", "arrow"):
            found = both(found, self.union_1(mask))
        return found

    def union_1(self, mask: int) -> Node | None:
        """Alternatives."""
        found = self.run_1(mask)
        while self.eat("|"):
            found = either(found, self.run_1(mask))
        return found

    def run_1(self, mask: int) -> Node | None:
        """Words, or anything else but words."""
        if self.next.kind in ("-", "~"):
            return self.negated_1(mask)
        if self.next.kind == "modifier":
            return self.modified_1()
        if not self.at_word():
            return self.attributed(self.atom())
        found = self.atom()
        while self.at_word():
            found = both(found, self.atom())
        return self.attributed(found)

    def negated_1(self, mask: int) -> Node | None:
        """`-` or `~`, and what it takes."""
        kind = Not if self.take(self.next.kind).kind == "-" else Optional
        # What may be there takes even what may not, if that follows, and phrases.
        ends = ("|", ")", "end", "arrow", "~", *(("-", '"') if kind is Not else ()))

        def operand() -> Node | None:
            found = self.union_1(mask)
            while self.next.kind not in ends:
                found = both(found, self.union_1(mask))
            return found

        child = self.deeper(operand)
        return None if child is None else kind(children=[child])

    def modified_1(self) -> Node | None:
        """`@field:` and what it is about."""
        lexeme = self.next
        names = self.modifier_names()
        self.take(":")
        if self.next.kind in ("[", "{"):
            if len(names) > 1:
                raise syntax_error(self.next)
            return self.attributed(self.bracketed(names[0], lexeme))
        mask = 0
        for name in names:
            mask |= self.fields.mask_of(name)
        found = self.deeper(lambda: self.union_1(mask))
        if found is not None:
            found.limit_to(mask)
        return self.attributed(found)

    def at_word(self) -> bool:
        """Whether a plain word comes next."""
        behind = self.behind() if self.next.kind != "end" else self.next
        joined = behind.kind == "*" and behind.at == self.next.end
        return self.next.kind in ("term", "number") and not joined

    # --- parts -----------------------------------------------------------------------------------

    def modifier_names(self) -> list[bytes]:
        """`@one|two`, without the colon."""
        names = [unescaped(self.take("modifier").text)]
        while self.next.kind == "|":
            self.skip()
            names.append(unescaped(self.take("term").text))
        return names

    def bracketed(self, name: bytes, lexeme: Lexeme) -> Node:
        """What may stand behind a field's name in brackets or braces."""
        return self.tag(name) if self.next.kind == "{" else self.range(name)

    def atom(self) -> Node | None:
        """The smallest part. None for a stop word."""
        lexeme = self.next
        if lexeme.kind == "(":
            self.skip()
            if self.dialect > 1 and self.next.kind == "*" and self.behind().kind == ")":
                self.skip()
                self.skip()
                return Everything()
            parse = self.union if self.dialect > 1 else lambda: self.sequence_1(ALL_FIELDS)
            found = self.deeper(parse)
            self.take(")")
            return found
        if lexeme.kind == '"':
            return self.exact()
        if lexeme.text == b"''":
            self.skip()
            return Token(as_it_is=True)
        if lexeme.kind == "%":
            return self.fuzzy()
        if lexeme.kind == "pattern":
            self.skip()
            return Pattern(text=inside(lexeme, 2).lower())
        if lexeme.kind == "ismissing":
            return self.missing()
        return self.word()

    def missing(self) -> Node:
        """ismissing(@field)."""
        self.skip()
        self.take("(")
        name = unescaped(self.take("modifier").text)
        self.take(")")
        self.fields.check_missing(name)
        return Missing(field_name=name)

    def word(self) -> Node | None:
        """A word, with `*` before or behind it perhaps."""
        suffix = self.next.kind == "*"
        if suffix:
            star = self.take("*")
            if self.next.kind not in ("term", "number", "attribute") or self.next.at != star.end:
                raise syntax_error(star)
        lexeme = self.next
        text = self.text_of_word()
        star = self.next
        prefix = star.kind == "*" and star.at == lexeme.end
        if prefix:
            self.skip()
        if prefix or suffix:
            return Affix(text=text.lower(), prefix=prefix, suffix=suffix)
        if lexeme.kind == "number":
            return Token(text=text.lower(), as_it_is=self.dialect > 1)
        if self.drop_stop_words and text.lower() in self.fields.stop_words:
            return None
        return Token(text=text.lower())

    def text_of_word(self) -> bytes:
        """The next token's text, or the parameter's that it names."""
        lexeme = self.next
        if lexeme.kind == "attribute" and self.dialect > 1:
            self.skip()
            return self.parameter(lexeme.text)
        if lexeme.kind not in ("term", "number"):
            raise syntax_error(lexeme)
        self.skip()
        return unescaped(lexeme.text)

    def exact(self) -> Node | None:
        """Words in quotes."""
        self.take('"')
        children: list[Node] = []
        while self.next.kind != '"':
            lexeme = self.next
            text = self.text_of_word().lower()
            if self.dialect == 1 and text in self.fields.stop_words:
                raise syntax_error(lexeme)
            children.append(Token(text=text, as_it_is=True))
        self.take('"')
        if not children:
            # An empty text, which fields with INDEXEMPTY can be asked for.
            return Token(as_it_is=True) if self.dialect > 1 else None
        if self.dialect == 1 and len(children) == 1:
            return children[0]
        return Phrase(children=children, exact=True)

    def fuzzy(self) -> Node:
        """A word between one to three `%` on either side."""
        distance = 0
        while distance < 3 and self.eat("%"):
            distance += 1
        text = self.text_of_word()
        for _ in range(distance):
            self.take("%")
        return Fuzzy(text=text.lower(), distance=distance)

    def tag(self, name: bytes) -> Node:
        """`{one | two three | pre*}`."""
        self.take("{")
        children = [self.tag_value()]
        while self.eat("|"):
            children.append(self.tag_value())
        self.take("}")
        return Tag(field_name=name, children=children)

    def tag_value(self) -> Node:
        """A value of a tag: as it stands, its case and its escapes kept."""
        words: list[Node] = []
        while self.next.kind not in ("|", "}"):
            words.append(self.tag_word())
        if not words:
            raise syntax_error(self.next)
        if len(words) == 1:
            return words[0]
        if not all(isinstance(word, Token) for word in words):
            raise syntax_error(self.tokens[self.at - 1])
        for word in words:
            # The original's way: several words are looked for in lower case, whatever the field.
            assert isinstance(word, Token)
            word.text = word.text.lower()
        return Phrase(children=words)

    def tag_word(self) -> Node:
        """A part of a value between blanks."""
        lexeme = self.next
        if lexeme.kind == '"' and self.dialect > 1:
            return self.quoted_tag()
        if lexeme.kind == "pattern":
            self.skip()
            return Pattern(text=inside(lexeme, 2))
        if lexeme.kind == "quoted":
            self.skip()
            return Token(text=inside(lexeme, 1))
        suffix = self.eat("*")
        lexeme = self.next
        if lexeme.kind == "attribute" and self.dialect > 1:
            self.skip()
            text = self.parameter(lexeme.text)
        else:
            if lexeme.kind not in ("term", "number"):
                raise syntax_error(lexeme)
            self.skip()
            text = lexeme.text
        prefix = self.next.kind == "*" and self.next.at == lexeme.end and self.eat("*")
        if prefix or suffix:
            return Affix(text=text, prefix=prefix, suffix=suffix)
        return Token(text=text)

    def quoted_tag(self) -> Node:
        """A value in double quotes: whatever stands between them."""
        begin = self.take('"').end
        while self.next.kind not in ('"', "end"):
            self.skip()
        end = self.take('"').at
        return Token(text=self.source[begin:end])

    def comparison(self, name: bytes) -> Node:
        """`@field==5` and its like."""
        operator = self.take("compare").text
        open_bracket = False
        value = self.number_or_parameter(open_bracket)
        if operator == b"==":
            return Numeric(field_name=name, low=value, high=value)
        if operator == b"!=":
            return Not(children=[Numeric(field_name=name, low=value, high=value)])
        if operator in (b">", b">="):
            return Numeric(field_name=name, low=value, high=math.inf, with_low=operator == b">=")
        return Numeric(field_name=name, low=-math.inf, high=value, with_high=operator == b"<=")


def inside(lexeme: Lexeme, start: int) -> bytes:
    """What stands between the single quotes of a token."""
    text = lexeme.text
    return text[start : len(text) - 1].replace(b"\\'", b"'")


def both(one: Node | None, other: Node | None) -> Node | None:
    """A node for what matches both; a sequence is extended rather than nested."""
    if one is None or other is None:
        return one or other
    if isinstance(one, Phrase) and not one.exact and one.mask == ALL_FIELDS:
        one.children.append(other)
        return one
    return Phrase(children=[one, other])


def either(one: Node | None, other: Node | None) -> Node | None:
    """A node for what matches one of the two; alternatives are extended rather than nested."""
    if one is None or other is None:
        return one or other
    if isinstance(one, Union) and one.mask == ALL_FIELDS:
        one.children.append(other)
        return one
    return Union(children=[one, other])


def parse(
    query: bytes,
    dialect: int,
    fields: Fields,
    parameters: Mapping[bytes, bytes],
    drop_stop_words: bool = True,
) -> Node:
    """The tree of a query."""
    if query.isalnum() and query[:1].isalpha() and query.lower() != INFINITY:
        # The way of all others, made short for a word that can be nothing else.
        text = query.lower()
        return Nothing() if drop_stop_words and text in fields.stop_words else Token(text=text)
    tokens = lexemes(query, dialect)
    return Parser(query, tokens, dialect, fields, parameters, drop_stop_words).parse()
