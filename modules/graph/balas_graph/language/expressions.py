"""Parses expressions and patterns by recursive descent, the loosest binding first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from balas_graph.errors import SyntaxMistake
from balas_graph.language import tree
from balas_graph.language.cursor import Cursor
from balas_graph.language.tree import Expression

CONSTANTS = {"TRUE": True, "FALSE": False, "NULL": None}
LITERALS = ("int", "float", "string", "parameter")
# What ends an expression; the end of a text is empty.
ENDS = (",", ")", "]", "}", "|", ";", "")
# Words that go on with a predicate.
TESTS = ("STARTS", "ENDS", "CONTAINS", "IN", "IS")
COMPARISONS = ("=", "<>", "<", ">", "<=", ">=")
QUANTIFIERS = ("ALL", "ANY", "NONE", "SINGLE")


T = TypeVar("T")


def both(one: Expression | None, other: Expression | None) -> Expression | None:
    """A test that needs two, either of which may be absent."""
    if one is None or other is None:
        return one or other
    return tree.Binary("AND", one, other)


class ExpressionParser(Cursor):
    """From tokens to expressions."""

    # How many square brackets are open, in which a | may begin the value of a comprehension.
    lists = 0
    # The tests inside the patterns that are being read; None where there can be none.
    tests: list[Expression] | None = None

    def query(self) -> tree.Query:
        """A query in braces; the parser of clauses knows how."""
        raise NotImplementedError

    def expression(self) -> Expression:
        """Any expression."""
        self.look()
        token, behind = self.token, self.ahead(1)
        if behind.text in ENDS and behind.kind in ("op", "end"):
            # Nothing but a literal or a name: most of what is long.
            if token.kind in LITERALS:
                return self.atom()
            if token.kind == "name" and token.text.upper() not in CONSTANTS:
                self.position += 1
                return tree.Variable(token.text)
        self.deeper()
        left = self.exclusive()
        while self.eat_words("OR"):
            left = tree.Binary("OR", left, self.exclusive())
        self.depth -= 1
        return left

    def exclusive(self) -> Expression:
        """XOR."""
        left = self.conjunction()
        while self.eat_words("XOR"):
            left = tree.Binary("XOR", left, self.conjunction())
        return left

    def conjunction(self) -> Expression:
        """AND."""
        left = self.negation()
        while self.eat_words("AND"):
            left = tree.Binary("AND", left, self.negation())
        return left

    def negation(self) -> Expression:
        """NOT, any number of times."""
        count = 0
        while self.eat_words("NOT"):
            count += 1
        result = self.comparison()
        for _ in range(count if count < 3 else 2 + count % 2):
            result = tree.Unary("NOT", result)
        return result

    def comparison(self) -> Expression:
        """A chain of comparisons."""
        first = self.predicate()
        rest = []
        while self.is_op(*COMPARISONS):
            operator = self.next().text
            rest.append((operator, self.predicate()))
        return tree.Chain(first, tuple(rest)) if rest else first

    def predicate(self) -> Expression:
        """Tests of strings, lists and nulls, which bind tighter than comparisons."""
        left = self.sum()
        while self.is_word(*TESTS) or self.is_op("=~"):
            if self.eat_words("STARTS", "WITH"):
                left = tree.Binary("STARTS WITH", left, self.sum())
            elif self.eat_words("ENDS", "WITH"):
                left = tree.Binary("ENDS WITH", left, self.sum())
            elif self.is_word("CONTAINS", "IN"):
                left = tree.Binary(self.next().text.upper(), left, self.sum())
            elif self.eat("=~"):
                left = tree.Binary("=~", left, self.sum())
            elif self.eat_words("IS", "NULL"):
                left = tree.IsNull(left, False)
            elif self.eat_words("IS", "NOT", "NULL"):
                left = tree.IsNull(left, True)
            else:
                break
        return left

    def sum(self) -> Expression:
        """Plus and minus."""
        left = self.product()
        while self.is_op("+", "-"):
            operator = self.next().text
            left = tree.Binary(operator, left, self.product())
        return left

    def product(self) -> Expression:
        """Times, divided by, modulo."""
        left = self.power()
        while self.is_op("*", "/", "%"):
            operator = self.next().text
            left = tree.Binary(operator, left, self.power())
        return left

    def power(self) -> Expression:
        """Powers, from left to right as openCypher has it."""
        left = self.signed()
        while self.eat("^"):
            left = tree.Binary("^", left, self.signed())
        return left

    def signed(self) -> Expression:
        """Signs; a minus before an integer belongs to it, since -2^63 has no positive twin."""
        if self.is_op("-", "+"):
            sign = self.next().text
            if sign == "-" and self.token.kind == "int" and self.ahead(1).text not in (".", "["):
                return tree.Literal(self.integer(-1))
            self.deeper()
            result = tree.Unary(sign, self.signed())
            self.depth -= 1
            return result
        return self.postfix()

    def postfix(self) -> Expression:
        """Properties, indexes, slices and labels behind an atom."""
        left = self.atom()
        while True:
            if self.eat("."):
                left = tree.Property(left, self.name())
            elif self.eat("["):
                left = self.subscript(left)
            elif self.is_op(":"):
                left = self.label_test(left, not self.lists)
            else:
                return left

    def subscript(self, of: Expression) -> Expression:
        """[index] or [start..end], behind the opening bracket."""
        start = None if self.is_op("..") else self.expression()
        if self.eat(".."):
            end = None if self.is_op("]") else self.expression()
            self.expect("]")
            return tree.Slice(of, start, end)
        self.expect("]")
        return tree.Index(of, start) if start is not None else self.fail()

    def labels(self) -> tuple[str, ...]:
        """:A:B, possibly nothing."""
        found = []
        while self.eat(":"):
            if self.is_op("!", "(", "%"):
                break
            found.append(self.name())
        return tuple(found)

    def label_test(self, of: Expression, bars: bool) -> Expression:
        """:A|B&!C, a test of labels; without `bars` a | outside brackets ends it."""
        self.expect(":")
        left = self.label_terms(of)
        while bars and self.eat("|"):
            self.eat(":")
            left = tree.Binary("OR", left, self.label_terms(of))
        return left

    def label_terms(self, of: Expression) -> Expression:
        """A&B or A:B: all have to hold."""
        left = self.label_term(of)
        while self.is_op("&", ":"):
            self.next()
            right = self.label_term(of)
            if isinstance(left, tree.HasLabels) and isinstance(right, tree.HasLabels):
                left = tree.HasLabels(of, left.labels + right.labels)
            else:
                left = tree.Binary("AND", left, right)
        return left

    def label_term(self, of: Expression) -> Expression:
        """A label, !term, % for any label, or terms in brackets."""
        if self.is_op("!", "("):
            self.deeper()
            if self.next().text == "!":
                result: Expression = tree.Unary("NOT", self.label_term(of))
            else:
                result = self.label_terms(of)
                while self.eat("|"):
                    result = tree.Binary("OR", result, self.label_terms(of))
                self.expect(")")
            self.depth -= 1
            return result
        if self.eat("%"):
            labels = tree.Call("labels", (of,))
            return tree.Chain(tree.Call("size", (labels,)), ((">", tree.Literal(0)),))
        return tree.HasLabels(of, (self.name(),))

    def integer(self, sign: int) -> int:
        """An integer that fits into 64 bits."""
        token = self.next()
        value = sign * int(token.text, 10 if token.text.isdigit() else 0)
        if not -(2**63) <= value < 2**63:
            self.fail(f"Integer overflow '{token.text}'")
        return value

    def atom(self) -> Expression:
        """Literals, names, and everything in brackets."""
        token = self.token
        match token.kind:
            case "int":
                return tree.Literal(self.integer(1))
            case "float":
                value = float(self.next().text)
                if value in (float("inf"), float("-inf")):
                    self.fail(f"Float overflow '{token.text}'")
                return tree.Literal(value)
            case "string":
                return tree.Literal(self.next().text)
            case "parameter":
                return tree.Parameter(self.next().text)
            case "quoted":
                return self.named()
            case "name":
                return self.word()
        if self.is_op("("):
            return self.in_brackets()
        if self.eat("["):
            self.lists += 1
            try:
                return self.list()
            finally:
                self.lists -= 1
        if not self.is_op("{"):
            self.fail()
        return self.map()

    def word(self) -> Expression:
        """What begins with a name: a keyword's construct, a function, a variable."""
        word = self.token.text.upper()
        if word in CONSTANTS and self.ahead(1).text != "(":
            self.next()
            return tree.Literal(CONSTANTS[word])
        if word == "CASE" and self.ahead(1).text not in (".", ")", ",", "="):
            return self.case()
        following = self.ahead(1)
        if following.kind == "op" and following.text == "{" and word in EMBRACED:
            self.next()
            return self.subquery(word)
        if following.kind == "op" and following.text == "(":
            if word in QUANTIFIERS:
                return self.quantifier()
            if word == "REDUCE":
                return self.reduce()
            if word in ("SHORTESTPATH", "ALLSHORTESTPATHS"):
                return tree.PatternValue(self.path(), None, None, False)
            if word == "EXISTS" and self.looks_like_pattern(2):
                self.next()
                self.expect("(")
                pattern = self.path()
                self.expect(")")
                return tree.Subquery(
                    "exists", tree.Query(((tree.Match(False, (pattern,), None),),))
                )
        return self.named()

    def named(self) -> Expression:
        """A function with its arguments, a map projection, or a variable."""
        start = self.position
        name = self.name()
        while self.is_op(".") and self.ahead(1).kind in ("name", "quoted"):
            self.next()
            name += "." + self.name()
        if self.eat("("):
            return self.call(name)
        self.position = start
        name = self.name()
        if (self.is_op("{") and self.ahead(1).text in (".", "}")) or self.is_projection():
            return self.map_projection(name)
        return tree.Variable(name)

    def is_projection(self) -> bool:
        """Whether {name: or {name, follows."""
        return self.is_op("{") and self.ahead(2).text in (":", ",", "}")

    def call(self, name: str) -> Expression:
        """The arguments of a function, behind the opening bracket."""
        if self.eat("*"):
            self.expect(")")
            return tree.Call(name.lower(), (), star=True)
        distinct = self.eat_words("DISTINCT")
        arguments = []
        while not self.eat(")"):
            arguments.append(self.expression())
            if not self.is_op(")"):
                self.expect(",")
        return tree.Call(name.lower(), tuple(arguments), distinct)

    def case(self) -> Expression:
        """CASE WHEN THEN ELSE END."""
        self.next()
        subject = None if self.is_word("WHEN") else self.expression()
        whens = []
        while self.eat_words("WHEN"):
            conditions = [self.expression()]
            while subject is not None and self.eat(","):
                conditions.append(self.expression())
            self.expect_words("THEN")
            value = self.expression()
            whens += [(condition, value) for condition in conditions]
        if not whens:
            self.fail()
        default = self.expression() if self.eat_words("ELSE") else None
        self.expect_words("END")
        return tree.Case(subject, tuple(whens), default)

    def subquery(self, kind: str) -> Expression:
        """EXISTS, COUNT and COLLECT of a query or of a bare pattern in braces."""
        self.expect("{")
        self.deeper()
        if self.is_op("(") or (self.ahead(1).text == "=" and self.token.kind == "name"):
            query = tree.Query(((tree.Match(False, *self.matched()),),))
        else:
            query = self.query()
        self.depth -= 1
        self.expect("}")
        return tree.Subquery(kind.lower(), query)

    def quantifier(self) -> Expression:
        """any(x IN list WHERE test)."""
        kind = self.next().text.lower()
        self.expect("(")
        variable = self.name()
        self.expect_words("IN")
        source = self.expression()
        where = self.expression() if self.eat_words("WHERE") else tree.Variable(variable)
        self.expect(")")
        return tree.Quantifier(kind, variable, source, where)

    def reduce(self) -> Expression:
        """reduce(total = start, x IN list | value)."""
        self.next()
        self.expect("(")
        total = self.name()
        self.expect("=")
        start = self.expression()
        self.expect(",")
        variable = self.name()
        self.expect_words("IN")
        source = self.expression()
        self.expect("|")
        value = self.expression()
        self.expect(")")
        return tree.Reduce(total, start, variable, source, value)

    def looks_like_pattern(self, offset: int) -> bool:
        """Whether brackets with a relationship behind them stand so many tokens ahead."""
        end = self.closing.get(self.position + offset)
        if end is None:
            return False
        after = [self.ahead(end - self.position + i).text for i in (1, 2, 3)]
        if after[0] == "<":
            after = after[1:]
        return after[0] == "-" and (after[1] == "[" or after[1:] == ["-", "("] or after[1] == "-")

    def in_brackets(self) -> Expression:
        """A pattern that is to exist, or an expression in brackets."""
        if self.looks_like_pattern(0):
            start, depth = self.position, self.depth
            try:
                pattern, where = self.tested(self.path)
            except SyntaxMistake:
                self.go_back(start, depth)
            else:
                if where is None:
                    return tree.PatternValue(pattern, None, None, True)
                match = tree.Match(False, (pattern,), where)
                return tree.Subquery("exists", tree.Query(((match,),)))
        self.expect("(")
        result = self.expression()
        self.expect(")")
        return result

    def list(self) -> Expression:
        """A list, a list comprehension or a pattern comprehension, behind the bracket."""
        if self.token.kind in ("name", "quoted") and self.ahead(1).text.upper() == "IN":
            start = self.position
            variable = self.name()
            self.next()
            source = self.expression()
            if self.is_op("|", "]") or self.is_word("WHERE"):
                where = self.expression() if self.eat_words("WHERE") else None
                value = self.expression() if self.eat("|") else None
                self.expect("]")
                return tree.ListComprehension(variable, source, where, value)
            self.go_back(start, self.depth)
        if (self.is_op("(") and self.looks_like_pattern(0)) or (
            self.ahead(1).text == "=" and self.ahead(2).text == "(" and self.looks_like_pattern(2)
        ):
            start = self.position
            pattern, where = self.tested(self.path)
            if self.is_op("|") or self.is_word("WHERE"):
                where = both(where, self.expression() if self.eat_words("WHERE") else None)
                self.expect("|")
                value = self.expression()
                self.expect("]")
                return tree.PatternValue(pattern, where, value, False)
            self.go_back(start, self.depth)
        items = []
        if not self.eat("]"):
            items.append(self.expression())
            while self.eat(","):
                items.append(self.expression())
            self.expect("]")
        return tree.ListOf(tuple(items))

    def map(self) -> tree.MapOf:
        """{key: value}."""
        self.expect("{")
        pairs = []
        more = not self.is_op("}")
        while more:
            key = self.name()
            self.expect(":")
            pairs.append((key, self.expression()))
            more = self.eat(",")
        self.expect("}")
        return tree.MapOf(tuple(pairs))

    def map_projection(self, variable: str) -> Expression:
        """variable {.key, .*, key: value, other}."""
        self.expect("{")
        items: list[tuple[str, Expression | None]] = []
        while not self.eat("}"):
            if self.eat("."):
                key = "*" if self.eat("*") else self.name()
                items.append((key, None))
            else:
                key = self.name()
                items.append((key, self.expression() if self.eat(":") else tree.Variable(key)))
            if not self.is_op("}"):
                self.expect(",")
        return tree.MapProjection(variable, tuple(items))

    # Patterns

    def matched(self) -> tuple[tuple[tree.PathPattern, ...], Expression | None]:
        """Patterns that are looked for, and all that they and WHERE test."""
        patterns, inside = self.tested(self.patterns)
        return patterns, both(inside, self.expression() if self.eat_words("WHERE") else None)

    def tested(self, read: Callable[[], T]) -> tuple[T, Expression | None]:
        """What `read` finds, where nodes may be tested by more than labels: it, and the tests."""
        outer, self.tests = self.tests, []
        try:
            found = read()
            test = None
            for one in self.tests:
                test = both(test, one)
            return found, test
        finally:
            self.tests = outer

    def test(self, expression: Expression) -> None:
        """Keep a test that stands inside a pattern."""
        if self.tests is None:
            self.fail("Only patterns that are looked for can have tests")
        self.tests.append(expression)

    def patterns(self) -> tuple[tree.PathPattern, ...]:
        """Patterns with commas between them."""
        found = [self.path()]
        while self.eat(","):
            found.append(self.path())
        return tuple(found)

    def path(self) -> tree.PathPattern:
        """[variable =] (a)-[b]->(c), or the shortest of such paths."""
        variable = None
        if self.token.kind in ("name", "quoted") and self.ahead(1).text == "=":
            variable = self.name()
            self.next()
        word = self.token.text.upper() if self.token.kind == "name" else ""
        if word in ("SHORTESTPATH", "ALLSHORTESTPATHS"):
            self.next()
            self.expect("(")
            inner = self.path()
            self.expect(")")
            shortest = "one" if word == "SHORTESTPATH" else "all"
            return tree.PathPattern(variable, inner.nodes, inner.edges, shortest)
        nodes = [self.node()]
        edges = []
        while self.is_op("-", "<"):
            edges.append(self.edge())
            nodes.append(self.node())
        return tree.PathPattern(variable, tuple(nodes), tuple(edges))

    def node(self) -> tree.NodePattern:
        """(variable:Label {properties})."""
        self.expect("(")
        start = self.position
        variable = None
        if self.token.kind in ("name", "quoted") and not self.is_word("WHERE"):
            variable = self.name()
        labels = self.labels()
        if self.is_op("|", "&", "!", "(", "%"):
            # More than a row of labels: a test of the node, which may need a name made up for it.
            self.go_back(start + (variable is not None), self.depth)
            variable, labels = variable or f"  n:{start}", ()
            self.test(self.label_test(tree.Variable(variable), True))
        properties = self.properties()
        if self.eat_words("WHERE"):
            self.test(self.expression())
        self.expect(")")
        return tree.NodePattern(variable, labels, properties)

    def properties(self) -> Expression | None:
        """The map or the parameter in a pattern."""
        if self.is_op("{"):
            return self.map()
        if self.token.kind == "parameter":
            return tree.Parameter(self.next().text)
        return None

    def edge(self) -> tree.EdgePattern:
        """-[variable:TYPE|OTHER*1..2 {properties}]->."""
        left = self.eat("<")
        self.expect("-")
        variable, types, length, properties = None, [], None, None
        if self.eat("["):
            if self.token.kind in ("name", "quoted") and not self.is_word("WHERE"):
                variable = self.name()
            if self.eat(":"):
                types.append(self.name())
                while self.eat("|"):
                    self.eat(":")
                    types.append(self.name())
            if self.eat("*"):
                length = self.length()
            properties = self.properties()
            if length is None and self.eat_words("WHERE"):
                self.test(self.expression())
            self.expect("]")
        self.expect("-")
        right = self.eat(">")
        direction = right - left
        return tree.EdgePattern(variable, tuple(types), properties, direction, length)

    def length(self) -> tuple[int, int | None]:
        """The lengths behind a star: *, *2, *2.., *..3, *2..3."""
        low: int | None = self.integer(1) if self.token.kind == "int" else None
        if not self.eat(".."):
            return (1, None) if low is None else (low, low)
        high = self.integer(1) if self.token.kind == "int" else None
        return (1 if low is None else low, high)


EMBRACED = ("EXISTS", "COUNT", "COLLECT")
