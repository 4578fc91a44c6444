"""Parses queries: clauses by their first word."""

from __future__ import annotations

from balas_graph.errors import MeaningMistake
from balas_graph.language import tree
from balas_graph.language.expressions import ExpressionParser
from balas_graph.language.tree import Clause, Expression


class Parser(ExpressionParser):
    """From a text to a query."""

    def whole(self) -> tree.Query:
        """The query that the whole text is."""
        if self.token.kind == "end":
            raise MeaningMistake("Error: empty query.")
        query = self.query()
        self.eat(";")
        if self.token.kind != "end":
            self.fail()
        return query

    def parameters(self) -> dict[str, Expression]:
        """What stands behind CYPHER: name=literal, taken from the front."""
        found: dict[str, Expression] = {}
        if self.eat_words("CYPHER"):
            while self.token.kind in ("name", "quoted") and self.ahead(1).text == "=":
                name = self.name()
                self.next()
                found[name] = self.expression()
        return found

    def query(self) -> tree.Query:
        """Parts with UNION between them."""
        parts = [self.part()]
        kinds = set()
        while self.eat_words("UNION"):
            kinds.add(self.eat_words("ALL"))
            parts.append(self.part())
        if len(kinds) > 1:
            self.fail("Invalid combination of UNION and UNION ALL.")
        return tree.Query(tuple(parts), True in kinds)

    def part(self) -> tuple[Clause, ...]:
        """Clauses up to UNION, a closing bracket or the end."""
        clauses = []
        while self.token.kind == "name" and not self.is_word("UNION"):
            clauses.append(self.clause())
        if not clauses:
            self.fail()
        return tuple(clauses)

    def clause(self) -> Clause:
        """One clause."""
        word = self.token.text.upper()
        reader = getattr(self, "read_" + word.lower(), None)
        if reader is None:
            self.fail()
        self.next()
        clause: Clause = reader()
        return clause

    def read_optional(self) -> Clause:
        """OPTIONAL MATCH."""
        self.expect_words("MATCH")
        return self.read_match(True)

    def read_match(self, optional: bool = False) -> Clause:
        """MATCH patterns WHERE test."""
        return tree.Match(optional, *self.matched())

    def where(self) -> Expression | None:
        """WHERE, if it is there."""
        return self.expression() if self.eat_words("WHERE") else None

    def read_unwind(self) -> Clause:
        """UNWIND source AS variable."""
        source = self.expression()
        self.expect_words("AS")
        return tree.Unwind(source, self.name())

    def read_create(self) -> Clause:
        """CREATE patterns, or an index."""
        if self.is_word("INDEX", "FULLTEXT", "VECTOR"):
            return self.index(True)
        return tree.Create(self.patterns())

    def read_drop(self) -> Clause:
        """DROP INDEX."""
        return self.index(False)

    def index(self, create: bool) -> Clause:
        """[FULLTEXT | VECTOR] INDEX FOR (n:L) ON (n.p) [OPTIONS map], or the old ON :L(p)."""
        kind = "RANGE"
        if self.is_word("FULLTEXT", "VECTOR"):
            kind = self.next().text.upper()
        self.expect_words("INDEX")
        if kind != "RANGE" or not self.is_word("ON"):
            self.expect_words("FOR")
            pattern = self.path()
            edges = bool(pattern.edges)
            labels = pattern.edges[0].types if edges else pattern.nodes[0].labels
            self.expect_words("ON")
            self.expect("(")
            variable = (pattern.edges if edges else pattern.nodes)[0].variable
            keys: list[str] = []
            while not keys or self.eat(","):
                name = self.name()
                if name != variable:
                    raise MeaningMistake(f"'{name}' not defined")
                self.expect(".")
                keys.append(self.name())
            self.expect(")")
            if len(labels) != 1 or any(part.properties for part in pattern.parts):
                self.fail()
            options = None
            if create and kind != "RANGE" and self.eat_words("OPTIONS"):
                options = self.expression()
            return tree.IndexChange(create, edges, labels[0], tuple(keys), kind, options)
        self.expect_words("ON")
        self.expect(":")
        label = self.name()
        self.expect("(")
        keys = [self.name()]
        while self.eat(","):
            keys.append(self.name())
        self.expect(")")
        return tree.IndexChange(create, False, label, tuple(keys))

    def read_merge(self) -> Clause:
        """MERGE pattern ON CREATE SET items ON MATCH SET items."""
        pattern = self.path()
        created: tuple[tree.SetItem, ...] = ()
        matched: tuple[tree.SetItem, ...] = ()
        while self.eat_words("ON"):
            if self.eat_words("CREATE", "SET"):
                created += self.assignments()
            else:
                self.expect_words("MATCH", "SET")
                matched += self.assignments()
        return tree.Merge(pattern, created, matched)

    def read_set(self) -> Clause:
        """SET items."""
        return tree.Set(self.assignments(), False)

    def assignments(self) -> tuple[tree.SetItem, ...]:
        """Items of SET."""
        items = [self.assignment()]
        while self.eat(","):
            items.append(self.assignment())
        return tuple(items)

    def assignment(self) -> tree.SetItem:
        """n.p = value, n = map, n += map, n:Label."""
        target = self.postfix()
        if isinstance(target, tree.HasLabels):
            return tree.SetItem("labels", target.of, labels=target.labels)
        if isinstance(target, tree.Property):
            self.expect("=")
            return tree.SetItem("property", target.of, target.key, self.expression())
        if self.eat("+="):
            return tree.SetItem("merge", target, value=self.expression())
        self.expect("=")
        return tree.SetItem("replace", target, value=self.expression())

    def read_remove(self) -> Clause:
        """REMOVE n.p, n:Label."""
        items = []
        while True:
            target = self.postfix()
            if isinstance(target, tree.HasLabels):
                items.append(tree.SetItem("labels", target.of, labels=target.labels))
            elif isinstance(target, tree.Property):
                items.append(tree.SetItem("property", target.of, target.key))
            else:
                self.fail()
            if not self.eat(","):
                return tree.Set(tuple(items), True)

    def read_detach(self) -> Clause:
        """DETACH DELETE."""
        self.expect_words("DELETE")
        return self.read_delete(True)

    def read_delete(self, detach: bool = False) -> Clause:
        """DELETE expressions."""
        targets = [self.expression()]
        while self.eat(","):
            targets.append(self.expression())
        return tree.Delete(tuple(targets), detach)

    def read_with(self) -> Clause:
        """WITH items, and WHERE behind them."""
        return self.projection(False)

    def read_return(self) -> Clause:
        """RETURN items."""
        return self.projection(True)

    def projection(self, final: bool) -> Clause:
        """[DISTINCT] items [ORDER BY] [SKIP] [LIMIT] [WHERE]."""
        distinct = self.eat_words("DISTINCT")
        star = self.eat("*")
        items = []
        while not star or self.eat(","):
            start = self.token.start
            value = self.expression()
            text = self.text[start : self.tokens[self.position - 1].end]
            named = self.eat_words("AS")
            items.append((value, self.name() if named else self.column(value, text), named))
            if not star and not self.eat(","):
                break
        order = []
        if self.eat_words("ORDER", "BY"):
            while True:
                value = self.expression()
                down = self.is_word("DESC", "DESCENDING")
                if down or self.is_word("ASC", "ASCENDING"):
                    self.next()
                order.append((value, down))
                if not self.eat(","):
                    break
        skip = self.expression() if self.eat_words("SKIP") else None
        limit = self.expression() if self.eat_words("LIMIT") else None
        where = None if final else self.where()
        return tree.Projection(
            final, distinct, star, tuple(items), tuple(order), skip, limit, where
        )

    @staticmethod
    def column(value: Expression, text: str) -> str:
        """The name of a column that has none: its text, without the quotes of a name."""
        return value.name if isinstance(value, tree.Variable) else text

    def read_load(self) -> Clause:
        """LOAD CSV [WITH HEADERS] FROM source AS variable [FIELDTERMINATOR separator]."""
        self.expect_words("CSV")
        headers = self.eat_words("WITH", "HEADERS")
        self.expect_words("FROM")
        source = self.expression()
        self.expect_words("AS")
        variable, separator = self.name(), ","
        if self.eat_words("FIELDTERMINATOR"):
            separator = self.token.text
            if self.token.kind != "string" or len(separator) != 1:
                self.fail("CSV field terminator can only be one character wide")
            self.next()
        return tree.LoadCsv(headers, source, variable, separator)

    def read_foreach(self) -> Clause:
        """FOREACH (x IN list | clauses)."""
        self.expect("(")
        variable = self.name()
        self.expect_words("IN")
        source = self.expression()
        self.expect("|")
        self.deeper()
        clauses = self.part()
        self.depth -= 1
        self.expect(")")
        return tree.ForEach(variable, source, clauses)

    def read_call(self) -> Clause:
        """CALL procedure, or CALL {subquery}."""
        if self.eat("{"):
            self.deeper()
            query = self.query()
            self.depth -= 1
            self.expect("}")
            return tree.CallSubquery(query)
        first = self.position == 1
        name = self.name()
        while self.eat("."):
            name += "." + self.name()
        arguments: tuple[Expression, ...] | None = None
        if self.eat("("):
            given = self.call(name)
            assert isinstance(given, tree.Call)
            arguments = given.arguments
        columns = None
        where = None
        yields = self.eat_words("YIELD")
        if yields and first and self.eat("*"):
            # All columns, which inside a longer query need their names.
            if self.token.kind != "end":
                self.fail()
        elif yields:
            found = []
            while not self.eat("-"):
                column = self.name()
                found.append((column, self.name() if self.eat_words("AS") else column))
                if not self.eat(","):
                    break
            columns = tuple(found)
            where = self.where()
        alone = first and self.token.kind == "end"
        return tree.CallProcedure(name, arguments, columns, where, alone)
