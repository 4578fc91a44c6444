"""Refuses, before it runs, what cannot make sense: names, their kinds, aggregates, patterns.

A scope is a dict from names to what they are known to be: "node", "edge", "edges", "path", a kind
of value (see `language.kinds`) or "any".
"""

from __future__ import annotations

from balas_graph.errors import MeaningMistake, type_mismatch
from balas_graph.evaluation.registry import KINDS, Registry
from balas_graph.evaluation.values import type_name
from balas_graph.language import tree
from balas_graph.language.kinds import Scope, accepts, item_kind, kind_of
from balas_graph.language.tree import Expression

# Functions that tell the time if they are called without arguments.
CLOCKS = ("date", "time", "datetime", "localtime", "localdatetime")
# Kinds of values that have nothing behind a dot.
WITHOUT_PROPERTIES = ("edges", "path", "list", "number", "string", "boolean")
# What may stand in FOREACH.
UPDATES = (tree.Create, tree.Merge, tree.Set, tree.Delete, tree.ForEach)
# What may not follow those without WITH between them.
READS: dict[type[tree.Clause], str] = {
    tree.Match: "MATCH",
    tree.Unwind: "UNWIND",
    tree.CallProcedure: "CALL",
    tree.CallSubquery: "CALL SUBQUERY",
}
WRITES = (tree.Create, tree.Merge, tree.Set, tree.Delete, tree.IndexChange)


def check(query: tree.Query, registry: Registry) -> list[str]:
    """Check a whole query, and return the names of its columns."""
    return Checker(registry).query(query, {})


def pattern_names(patterns: tuple[tree.PathPattern, ...]) -> dict[str, str]:
    """The names that patterns bind, with their kinds."""
    found: dict[str, str] = {}
    for pattern in patterns:
        if pattern.variable:
            found[pattern.variable] = "path"
        for node in pattern.nodes:
            if node.variable:
                found[node.variable] = "node"
        for edge in pattern.edges:
            if edge.variable:
                found[edge.variable] = "edges" if edge.length else "edge"
    return found


def parts(node: object) -> list[object]:
    """Every node of a tree, in no order."""
    found: list[object] = []
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting += node
        elif (names := tree.fields_of(node)) is not None:
            found.append(node)
            for name in names:
                child = getattr(node, name)
                if child is not None and type(child) is not str:
                    waiting.append(child)
    return found


def imports(part: tuple[tree.Clause, ...]) -> bool:
    """Whether a part of CALL {} begins by taking names from outside."""
    return isinstance(part[0], tree.Projection) and not part[0].final


def writes(query: tree.Query, registry: Registry) -> bool:
    """Whether a query may change the graph."""
    for node in parts(query.parts):
        if isinstance(node, WRITES):
            return True
        if isinstance(node, tree.CallProcedure) and registry.procedures[node.name.lower()].writes:
            return True
    return False


def chancy(query: tree.Query) -> bool:
    """Whether a query may do something else when it runs again: by chance, time or files."""
    return any(
        isinstance(node, tree.LoadCsv)
        or (
            isinstance(node, tree.Call)
            and (
                node.name in ("rand", "randomuuid", "timestamp", "time")
                or (node.name in CLOCKS and not node.arguments)
                or node.name.endswith((".transaction", ".statement", ".realtime", ".truncate"))
            )
        )
        for node in parts(query.parts)
    )


def simple_keys(values: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """The grouping keys that may stand beside an aggregate: names and their properties."""
    return tuple(value for value in values if isinstance(value, (tree.Variable, tree.Property)))


def called(node: Expression, kind: str) -> str:
    """What a message calls the kind of an expression: the type of a literal, as a run would."""
    if isinstance(node, tree.Literal):
        return type_name(node.value)
    return "List" if kind == "edges" else kind.capitalize()


class Checker:
    """Walks the clauses with the names that are known."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def query(self, query: tree.Query, outer: Scope) -> list[str]:
        """Check all parts; they need the same columns."""
        columns: list[list[str]] = [self.part(part, dict(outer)) for part in query.parts]
        if any(found != columns[0] for found in columns):
            raise MeaningMistake("All sub queries in a UNION must have the same column names.")
        return columns[0]

    def part(self, clauses: tuple[tree.Clause, ...], scope: Scope) -> list[str]:
        """Check clauses one after the other."""
        updated = False
        for place, clause in enumerate(clauses):
            if isinstance(clause, tree.Projection) and clause.final and place + 1 < len(clauses):
                raise MeaningMistake("Unexpected clause following RETURN")
            if updated and type(clause) in READS:
                raise MeaningMistake(
                    f"A WITH clause is required to introduce {READS[type(clause)]} "
                    "after an updating clause."
                )
            updated = isinstance(clause, UPDATES) or (
                updated and not isinstance(clause, tree.Projection)
            )
            getattr(self, "check_" + type(clause).__name__.lower())(clause, scope)
        last = clauses[-1]
        if isinstance(last, tree.Projection):
            if not last.final:
                raise MeaningMistake("Query cannot conclude with WITH")
            return list(scope)
        if isinstance(last, tree.CallProcedure) and len(clauses) == 1:
            return list(scope)
        if isinstance(last, (tree.Match, tree.Unwind)):
            name = "MATCH" if isinstance(last, tree.Match) else "UNWIND"
            raise MeaningMistake(
                f"Query cannot conclude with {name} (must be a RETURN clause, an update clause, "
                "a procedure call or a non-returning subquery)"
            )
        return []

    def bare(self, clauses: tuple[tree.Clause, ...], scope: Scope) -> None:
        """Check clauses that need no end, as in FOREACH and EXISTS."""
        for clause in clauses:
            getattr(self, "check_" + type(clause).__name__.lower())(clause, scope)

    # Expressions

    def expression(self, node: object, scope: Scope, aggregates: bool = False) -> None:
        """Check the names, functions and aggregates of an expression."""
        if isinstance(node, tuple):
            for item in node:
                self.expression(item, scope, aggregates)
            return
        names = tree.fields_of(node)
        if names is None or type(node) is tree.Literal:
            return
        if isinstance(node, tree.Variable) and node.name not in scope:
            raise MeaningMistake(f"'{node.name}' not defined")
        if isinstance(node, tree.Call):
            aggregates = self.call(node, aggregates)
            self.arguments(node, scope)
        elif isinstance(node, tree.Unary) and node.operator == "NOT":
            self.truth(node.of, scope)
        elif isinstance(node, tree.Binary) and node.operator in ("AND", "OR", "XOR"):
            self.truth(node.left, scope)
            self.truth(node.right, scope)
        elif isinstance(node, tree.Binary) and node.operator == "IN":
            self.listed(node.right, scope)
        elif isinstance(node, tree.Index):
            self.index(node, scope)
        if isinstance(node, tree.Property) and kind_of(node.of, scope) in WITHOUT_PROPERTIES:
            of = called(node.of, kind_of(node.of, scope))
            raise type_mismatch("Node, Edge, Map, Point or Null", of)
        if isinstance(node, (tree.ListComprehension, tree.Quantifier)):
            self.expression(node.source, scope, aggregates)
            self.listed(node.source, scope)
            inner = {**scope, node.variable: "any"}
            self.expression(node.where, inner)
            if isinstance(node, tree.ListComprehension):
                self.expression(node.value, inner)
        elif isinstance(node, tree.Reduce):
            self.expression((node.start, node.source), scope, aggregates)
            self.expression(node.value, {**scope, node.total: "any", node.variable: "any"})
        elif isinstance(node, tree.PatternValue):
            self.pattern_value(node, scope)
        elif isinstance(node, tree.Subquery):
            if any(isinstance(part, WRITES) for part in parts(node.query.parts)):
                raise MeaningMistake("Updating clauses cannot be used inside an expression")
            inner = dict(scope)
            self.bare(node.query.parts[0], inner)
            for part in node.query.parts[1:]:
                self.bare(part, dict(scope))
        else:
            if isinstance(node, tree.MapProjection) and node.variable not in scope:
                raise MeaningMistake(f"'{node.variable}' not defined")
            for name in names:
                self.expression(getattr(node, name), scope, aggregates)

    def call(self, node: tree.Call, aggregates: bool) -> bool:
        """Check a function's name; whether aggregates may stand in its arguments."""
        found = self.registry.functions.get(node.name)
        if found is None:
            raise MeaningMistake(f"Unknown function '{node.name}'")
        if node.star and node.name != "count":
            raise MeaningMistake(f"{found.name}(*) is not a function: only count(*) is")
        if not node.star:
            found.check_count(len(node.arguments))
        if not found.aggregate:
            return aggregates
        if not aggregates:
            raise MeaningMistake(f"Invalid use of aggregating function '{found.name}'")
        for part in parts(node.arguments):
            if isinstance(part, tree.Call) and part.name in ("rand", "randomuuid"):
                raise MeaningMistake("Chance cannot be used inside an aggregating function")
        return False

    def arguments(self, node: tree.Call, scope: Scope) -> None:
        """Refuse arguments of a kind that a function never takes."""
        wanted = self.registry.functions[node.name].kinds
        for place, argument in enumerate(node.arguments):
            kind = kind_of(argument, scope)
            if place < len(wanted) and not accepts(wanted[place], kind):
                raise type_mismatch(KINDS[wanted[place]][0], called(argument, kind))
            if node.name == "size" and kind in ("node", "edge", "path"):
                raise MeaningMistake(
                    f"Type mismatch: expected List, String or Null but was {kind.capitalize()}"
                )
            if isinstance(argument, tree.PatternValue) and argument.test:
                self.value(argument)

    @staticmethod
    def truth(node: Expression | None, scope: Scope) -> None:
        """Refuse what can never be true or false where a test is wanted."""
        kind = "any" if node is None else kind_of(node, scope)
        if kind not in ("any", "boolean"):
            raise MeaningMistake(f"Type mismatch: expected Boolean but was {kind.capitalize()}")

    @staticmethod
    def listed(node: Expression, scope: Scope) -> None:
        """Refuse what is never a list where IN or a quantifier looks through one."""
        kind = kind_of(node, scope)
        if kind not in ("any", "list", "edges"):
            raise type_mismatch("List or Null", called(node, kind))

    @staticmethod
    def index(node: tree.Index, scope: Scope) -> None:
        """Refuse an index of a kind that the indexed value never takes."""
        of, kind = kind_of(node.of, scope), kind_of(node.index, scope)
        if of in ("list", "edges") and kind not in ("any", "number"):
            raise type_mismatch("Integer", called(node.index, kind))
        if of in ("map", "node", "edge") and kind not in ("any", "string"):
            raise type_mismatch("String", called(node.index, kind))

    @staticmethod
    def value(node: Expression | None) -> None:
        """Refuse a bare pattern where a value is wanted: it is a test."""
        if isinstance(node, tree.PatternValue) and node.test:
            raise MeaningMistake("A pattern can be used as a test only")

    def pattern_value(self, node: tree.PatternValue, scope: Scope) -> None:
        """Check a pattern inside an expression; a mere test may not bring new names."""
        names = pattern_names((node.pattern,))
        if node.test or node.value is None:
            for name in names:
                if (
                    name not in scope
                    and node.pattern.variable != name
                    and not node.pattern.shortest
                ):
                    raise MeaningMistake(f"'{name}' not defined")
        inner = {**names, **scope}
        self.patterns((node.pattern,), dict(scope), False)
        self.expression((node.where, node.value), inner)

    # Patterns

    def patterns(self, patterns: tuple[tree.PathPattern, ...], scope: Scope, create: bool) -> None:
        """Check patterns, and bind their names."""
        before = dict(scope)
        for pattern in patterns:
            edges = set()
            if pattern.variable is not None and pattern.variable in scope:
                raise MeaningMistake(f"The bound variable '{pattern.variable}' can't be redeclared")
            for node in pattern.nodes:
                if create:
                    # What is being made cannot tell its own properties.
                    self.expression(node.properties, scope)
                self.bind(node.variable, "node", scope)
                self.expression(node.properties, scope)
            for edge in pattern.edges:
                kind = "edges" if edge.length else "edge"
                if edge.variable is not None:
                    if edge.variable in edges or (create and edge.variable in scope):
                        raise MeaningMistake(
                            f"The bound variable '{edge.variable}' can't be redeclared"
                        )
                    edges.add(edge.variable)
                if create:
                    self.expression(edge.properties, scope)
                self.bind(edge.variable, kind, scope)
                self.expression(edge.properties, scope)
            if pattern.variable is not None:
                self.declare(pattern.variable, scope, "path")
            if create:
                self.creatable(pattern, before)
                before = dict(scope)

    @staticmethod
    def bind(name: str | None, kind: str, scope: Scope) -> None:
        """A name stands for a node, an edge or edges."""
        if name is None:
            return
        known = scope.get(name, kind)
        if known not in (kind, "any") and (known, kind) != ("list", "edges"):
            raise MeaningMistake(
                f"The alias '{name}' was specified for both a {known} and a {kind}."
            )
        scope[name] = kind

    @staticmethod
    def creatable(pattern: tree.PathPattern, before: Scope) -> None:
        """Refuse to create what is no single new thing."""
        if not pattern.edges:
            node = pattern.nodes[0]
            if node.variable in before:
                raise MeaningMistake(
                    f"The bound variable '{node.variable}' can't be redeclared in a CREATE clause"
                )
        for node in pattern.nodes:
            if node.variable in before and (node.labels or node.properties):
                raise MeaningMistake(
                    f"The bound variable '{node.variable}' can't be redeclared in a CREATE clause"
                )
        for edge in pattern.edges:
            if len(edge.types) != 1:
                raise MeaningMistake("Exactly one relationship type must be specified for CREATE")
            if edge.length is not None:
                raise MeaningMistake("Variable length relationships cannot be used in CREATE")

    # Clauses

    def check_match(self, clause: tree.Match, scope: Scope) -> None:
        """Patterns bind names, and WHERE may use them."""
        for pattern in clause.patterns:
            self.literal_properties(pattern)
        self.patterns(clause.patterns, scope, False)
        self.where(clause.where, scope)
        for name in [name for name in scope if name[0] == " "]:
            # Made up for a test inside the pattern; nobody else may use it.
            del scope[name]

    @staticmethod
    def literal_properties(pattern: tree.PathPattern) -> None:
        """A pattern that is looked for cannot have all its properties from a parameter."""
        for part in pattern.parts:
            if isinstance(part.properties, tree.Parameter):
                raise MeaningMistake("Encountered unhandled type in inlined properties.")

    def where(self, test: Expression | None, scope: Scope) -> None:
        """A test of rows."""
        self.expression(test, scope)
        self.truth(test, scope)

    def check_unwind(self, clause: tree.Unwind, scope: Scope) -> None:
        """The variable is new."""
        self.expression(clause.source, scope)
        self.declare(clause.variable, scope, item_kind(clause.source, scope))

    @staticmethod
    def declare(name: str, scope: Scope, kind: str = "any") -> None:
        """A new name."""
        if name in scope:
            raise MeaningMistake(f"The bound variable '{name}' can't be redeclared")
        scope[name] = kind

    def check_create(self, clause: tree.Create, scope: Scope) -> None:
        """What is created has a direction and one type."""
        for pattern in clause.patterns:
            if any(edge.direction == 0 for edge in pattern.edges):
                raise MeaningMistake("Only directed relationships are supported in CREATE")
        self.patterns(clause.patterns, scope, True)

    def check_merge(self, clause: tree.Merge, scope: Scope) -> None:
        """A pattern as in CREATE, and assignments."""
        self.literal_properties(clause.pattern)
        self.patterns((clause.pattern,), scope, True)
        for item in clause.on_create + clause.on_match:
            self.expression((item.target, item.value), scope)

    def check_set(self, clause: tree.Set, scope: Scope) -> None:
        """Targets, which have properties, and values."""
        for item in clause.items:
            self.expression((item.target, item.value), scope)
            kind = kind_of(item.target, scope)
            if kind in WITHOUT_PROPERTIES:
                raise type_mismatch("Node, Edge or Null", called(item.target, kind))
            self.value(item.value)

    def check_delete(self, clause: tree.Delete, scope: Scope) -> None:
        """Targets that can be nodes, edges or paths."""
        for target in clause.targets:
            if isinstance(target, (tree.Literal, tree.Binary, tree.HasLabels, tree.Chain)):
                raise MeaningMistake("DELETE can only be called on nodes, paths and relationships")
            self.expression(target, scope)
            if kind_of(target, scope) not in ("any", "node", "edge", "path"):
                raise MeaningMistake("DELETE can only be called on nodes, paths and relationships")

    def check_projection(self, clause: tree.Projection, scope: Scope) -> None:
        """Check a projection; behind it only its own names are known."""
        self.expression(tuple(value for value, _, _ in clause.items), scope, True)
        after: Scope = dict(scope) if clause.star else {}
        if clause.star and not scope and clause.final and not clause.items:
            raise MeaningMistake("RETURN * is not allowed when there are no variables in scope")
        named = set()
        for value, name, given in clause.items:
            if not clause.final and not given and not isinstance(value, tree.Variable):
                raise MeaningMistake("WITH clause projections must be aliased")
            if name in named:
                raise MeaningMistake(
                    "Error: Multiple result columns with the same name are not supported."
                )
            named.add(name)
            self.value(value)
            after[name] = kind_of(value, scope)
        known = tuple(value for value, _, _ in clause.items)
        grouped = self.aggregating(known)
        if grouped and not clause.star:
            for value in known:
                if self.aggregating(value):
                    self.unambiguous(value, simple_keys(known))
        visible = after if clause.distinct else {**scope, **after}
        for value, _ in clause.order:
            if value in known:
                continue
            self.expression(value, visible, grouped)
            if grouped and not clause.star:
                keys = simple_keys(known) if self.aggregating(value) else known
                self.unambiguous(value, (*keys, *map(tree.Variable, after)))
        for bound in (clause.skip, clause.limit):
            self.expression(bound, {})
            if isinstance(bound, tree.Literal) and (
                type(bound.value) is not int or bound.value < 0
            ):
                word = "SKIP" if bound is clause.skip else "LIMIT"
                raise MeaningMistake(
                    f"{word} specified value of invalid type, must be a positive integer"
                )
        self.where(clause.where, after if grouped or clause.distinct else visible)
        scope.clear()
        scope.update(after)

    def aggregating(self, node: object) -> bool:
        """Whether an aggregating function is called in an expression."""
        return any(
            isinstance(part, tree.Call) and self.registry.functions[part.name].aggregate
            for part in parts(node)
        )

    def unambiguous(self, node: object, keys: tuple[Expression, ...]) -> None:
        """Beside aggregates only the keys of groups and constants have one value for a group."""
        if isinstance(node, tuple):
            for item in node:
                self.unambiguous(item, keys)
            return
        names = tree.fields_of(node)
        if names is None or node in keys:
            return
        if isinstance(node, (tree.PatternValue, tree.Subquery)):
            return
        if isinstance(node, tree.Call) and self.registry.functions[node.name].aggregate:
            return
        if isinstance(node, tree.Variable):
            raise MeaningMistake(
                f"'{node.name}' is used beside an aggregating function, but is no grouping key"
            )
        if isinstance(node, (tree.ListComprehension, tree.Quantifier)):
            keys = (*keys, tree.Variable(node.variable))
        elif isinstance(node, tree.Reduce):
            keys = (*keys, tree.Variable(node.variable), tree.Variable(node.total))
        for name in names:
            self.unambiguous(getattr(node, name), keys)

    def check_foreach(self, clause: tree.ForEach, scope: Scope) -> None:
        """The variable is known within only."""
        self.expression(clause.source, scope)
        if any(not isinstance(inner, UPDATES) for inner in clause.clauses):
            raise MeaningMistake("Error: Only updating clauses may reside in FOREACH")
        self.bare(clause.clauses, {**scope, clause.variable: "any"})

    def check_callprocedure(self, clause: tree.CallProcedure, scope: Scope) -> None:
        """The procedure exists and yields what is asked for."""
        found = self.registry.procedures.get(clause.name.lower())
        if found is None:
            raise MeaningMistake(f"Procedure `{clause.name}` is not registered")
        count = len(clause.arguments or ())
        if not found.low <= count <= found.high:
            raise MeaningMistake(
                f"Procedure `{found.name}` requires {found.low} arguments, got {count}"
            )
        self.expression(clause.arguments or (), scope)
        columns = clause.columns
        if columns is None and clause.alone:
            columns = tuple((name, name) for name in found.columns)
        for column, name in columns or ():
            if column not in found.columns:
                raise MeaningMistake(f"Procedure `{found.name}` does not yield output `{column}`")
            self.declare(name, scope)
        self.expression(clause.where, scope)

    def check_callsubquery(self, clause: tree.CallSubquery, scope: Scope) -> None:
        """The columns of the query within become names; it knows only those that it imports."""
        columns = [
            self.part(part, dict(scope) if imports(part) else {}) for part in clause.query.parts
        ]
        if any(found != columns[0] for found in columns):
            raise MeaningMistake("All sub queries in a UNION must have the same column names.")
        for name in columns[0]:
            if name in scope:
                raise MeaningMistake(f"Variable `{name}` already declared in outer scope")
            scope[name] = "any"

    def check_loadcsv(self, clause: tree.LoadCsv, scope: Scope) -> None:
        """The variable is new: a map or a list."""
        self.expression(clause.source, scope)
        self.declare(clause.variable, scope, "map" if clause.headers else "list")

    def check_indexchange(self, clause: tree.IndexChange, scope: Scope) -> None:
        """The options of an index know no names."""
        self.expression(clause.options, {})
