"""Turns expressions into Python functions of a row and a run."""

from __future__ import annotations

from collections.abc import Callable

from balas_graph.errors import MeaningMistake, QueryError, type_mismatch
from balas_graph.evaluation import operators
from balas_graph.evaluation.registry import Registry
from balas_graph.evaluation.run import Row, Run
from balas_graph.evaluation.values import equals, type_name
from balas_graph.language import tree
from balas_graph.language.tree import Expression
from balas_graph.storage.entities import Edge, Node

Evaluate = Callable[[Row, Run], object]


def truth(value: object) -> bool | None:
    """A value where a test is wanted."""
    if value is None or isinstance(value, bool):
        return value
    raise type_mismatch("Boolean or Null", type_name(value))


def property_of(run: Run, of: object, key: str) -> object:
    """of.key."""
    if of is None:
        return None
    if isinstance(of, (Node, Edge)):
        if of.deleted:
            raise QueryError(f"{type_name(of)} {of.id} has been deleted in this query")
        return run.graph.store.property_of(of, run.graph.attributes.get(key))
    if isinstance(of, dict):
        return of.get(key)
    found = getattr(of, "component", None)
    if found is not None:
        return found(key)
    if hasattr(of, "latitude") and key in ("latitude", "longitude"):
        return getattr(of, key)
    raise type_mismatch("Node, Edge, Map, Point or Null", type_name(of))


class Compiler:
    """Makes the functions of expressions, each once. `patterns` runs what holds patterns."""

    def __init__(self, registry: Registry, embedded: Callable[..., object]) -> None:
        self.registry = registry
        self.embedded = embedded
        self.made: dict[Expression, Evaluate] = {}
        self.kept: dict[int, tuple[Expression, Evaluate]] = {}

    def compile(self, node: Expression) -> Evaluate:
        """The function of an expression."""
        found = self.kept.get(id(node))
        if found is not None:
            return found[1]
        made: Evaluate = getattr(self, "make_" + type(node).__name__.lower())(node)
        self.kept[id(node)] = (node, made)
        return made

    def maybe(self, node: Expression | None) -> Evaluate | None:
        """The same for what may be absent."""
        return None if node is None else self.compile(node)

    def make_literal(self, node: tree.Literal) -> Evaluate:
        """The same value for every row."""
        value = node.value
        return lambda row, run: value

    def make_parameter(self, node: tree.Parameter) -> Evaluate:
        """Looked up for each run, since the plan is shared."""

        def evaluate(row: Row, run: Run) -> object:
            if node.name not in run.parameters:
                raise QueryError("Missing parameters")
            return run.parameters[node.name]

        return evaluate

    def make_variable(self, node: tree.Variable) -> Evaluate:
        """What the row holds."""
        name = node.name
        return lambda row, run: row[name]

    def make_property(self, node: tree.Property) -> Evaluate:
        """of.key."""
        of, key = self.compile(node.of), node.key
        return lambda row, run: property_of(run, of(row, run), key)

    def make_index(self, node: tree.Index) -> Evaluate:
        """of[index]; of a node or an edge the property of that name."""
        of, at = self.compile(node.of), self.compile(node.index)

        def evaluate(row: Row, run: Run) -> object:
            value, place = of(row, run), at(row, run)
            if isinstance(value, (Node, Edge)) and isinstance(place, str):
                return property_of(run, value, place)
            return operators.index(value, place)

        return evaluate

    def make_slice(self, node: tree.Slice) -> Evaluate:
        """A piece of a list; null if a bound is null."""
        of = self.compile(node.of)
        start, end = self.maybe(node.start), self.maybe(node.end)

        def evaluate(row: Row, run: Run) -> object:
            value = of(row, run)
            low = 0 if start is None else start(row, run)
            high = 2**62 if end is None else end(row, run)
            if value is None or low is None or high is None:
                return None
            if not isinstance(value, list) or not isinstance(low, int) or not isinstance(high, int):
                raise type_mismatch("List or Null", type_name(value))
            return value[low:high]

        return evaluate

    def make_listof(self, node: tree.ListOf) -> Evaluate:
        """A list of values."""
        items = [self.compile(item) for item in node.items]
        return lambda row, run: [item(row, run) for item in items]

    def make_mapof(self, node: tree.MapOf) -> Evaluate:
        """A map of values."""
        pairs = [(key, self.compile(value)) for key, value in node.pairs]
        return lambda row, run: {key: value(row, run) for key, value in pairs}

    def make_unary(self, node: tree.Unary) -> Evaluate:
        """NOT, and signs."""
        of = self.compile(node.of)
        if node.operator == "NOT":

            def negate(row: Row, run: Run) -> object:
                value = truth(of(row, run))
                return None if value is None else not value

            return negate
        sign = -1 if node.operator == "-" else 1
        return lambda row, run: operators.arithmetic("*", of(row, run), sign)

    def make_binary(self, node: tree.Binary) -> Evaluate:
        """An operator between two values."""
        left, right = self.compile(node.left), self.compile(node.right)
        operator = node.operator
        if operator in ("AND", "OR"):
            return self.shortcut(left, right, operator == "OR")
        if operator == "XOR":

            def exclusive(row: Row, run: Run) -> object:
                a, b = truth(left(row, run)), truth(right(row, run))
                return None if a is None or b is None else a != b

            return exclusive
        if operator == "+":
            return lambda row, run: operators.add(left(row, run), right(row, run))
        if operator == "IN":
            return lambda row, run: operators.contains(left(row, run), right(row, run))
        if operator in ("-", "*", "/", "%", "^"):
            return lambda row, run: operators.arithmetic(operator, left(row, run), right(row, run))
        return lambda row, run: operators.string_test(operator, left(row, run), right(row, run))

    @staticmethod
    def shortcut(left: Evaluate, right: Evaluate, decisive: bool) -> Evaluate:
        """AND and OR: `decisive` is the value that settles it."""

        def evaluate(row: Row, run: Run) -> object:
            a = truth(left(row, run))
            if a is decisive:
                return decisive
            b = truth(right(row, run))
            if b is decisive:
                return decisive
            return None if a is None or b is None else not decisive

        return evaluate

    def make_chain(self, node: tree.Chain) -> Evaluate:
        """Neighbouring comparisons; the first that fails decides."""
        first = self.compile(node.first)
        rest = [(operator, self.compile(operand)) for operator, operand in node.rest]
        if len(rest) == 1:
            operator, second = rest[0]
            return lambda row, run: operators.compared(operator, first(row, run), second(row, run))

        def evaluate(row: Row, run: Run) -> object:
            left, result = first(row, run), True
            for operator, operand in rest:
                right = operand(row, run)
                holds = operators.compared(operator, left, right)
                if holds is False:
                    return False
                result = result and holds  # type: ignore[assignment]
                left = right
            return result

        return evaluate

    def make_isnull(self, node: tree.IsNull) -> Evaluate:
        """Never null itself."""
        of, negated = self.compile(node.of), node.negated
        return lambda row, run: (of(row, run) is None) is not negated

    def make_haslabels(self, node: tree.HasLabels) -> Evaluate:
        """Whether a node has all labels, or an edge the type."""
        of, names = self.compile(node.of), node.labels

        def evaluate(row: Row, run: Run) -> object:
            value = of(row, run)
            if value is None:
                return None
            if isinstance(value, Edge):
                return all(run.graph.types.get(name) == value.type for name in names)
            if not isinstance(value, Node):
                raise type_mismatch("Node", type_name(value))
            return all(run.graph.labels.get(name) in value.labels for name in names)

        return evaluate

    def make_call(self, node: tree.Call) -> Evaluate:
        """A function with its arguments checked."""
        found = self.registry.functions.get(node.name)
        if found is None:
            raise MeaningMistake(f"Unknown function '{node.name}'")
        if found.aggregate:
            raise MeaningMistake(f"Invalid use of aggregating function '{node.name}'")
        found.check_count(len(node.arguments))
        arguments = [self.compile(argument) for argument in node.arguments]

        def evaluate(row: Row, run: Run) -> object:
            values = [argument(row, run) for argument in arguments]
            found.check(values)
            if not found.nulls and None in values:
                return None
            return found.body(run, *values)

        return evaluate

    def make_case(self, node: tree.Case) -> Evaluate:
        """The first branch that holds."""
        subject, default = self.maybe(node.subject), self.maybe(node.default)
        whens = [(self.compile(test), self.compile(value)) for test, value in node.whens]

        def evaluate(row: Row, run: Run) -> object:
            chosen = None if subject is None else subject(row, run)
            for test, value in whens:
                tested = test(row, run)
                if tested is True if subject is None else equals(chosen, tested):
                    return value(row, run)
            return None if default is None else default(row, run)

        return evaluate

    def source(self, node: Expression) -> Callable[[Row, Run], list[object] | None]:
        """The list that a comprehension walks."""
        of = self.compile(node)

        def evaluate(row: Row, run: Run) -> list[object] | None:
            value = of(row, run)
            if value is not None and not isinstance(value, list):
                raise type_mismatch("List or Null", type_name(value))
            return value

        return evaluate

    def make_listcomprehension(self, node: tree.ListComprehension) -> Evaluate:
        """Filtered and mapped items of a list."""
        source, name = self.source(node.source), node.variable
        where, value = self.maybe(node.where), self.maybe(node.value)

        def evaluate(row: Row, run: Run) -> object:
            items = source(row, run)
            if items is None:
                return None
            inner = dict(row)
            result: list[object] = []
            for item in items:
                run.step(len(result))
                inner[name] = item
                if where is None or truth(where(inner, run)):
                    result.append(item if value is None else value(inner, run))
            return result

        return evaluate

    def make_quantifier(self, node: tree.Quantifier) -> Evaluate:
        """How many items pass a test, as a truth."""
        source, where = self.source(node.source), self.compile(node.where)
        name, kind = node.variable, node.kind

        def evaluate(row: Row, run: Run) -> object:
            items = source(row, run)
            if items is None:
                return None
            inner, counts = dict(row), {True: 0, False: 0, None: 0}
            for item in items:
                run.step()
                inner[name] = item
                counts[truth(where(inner, run))] += 1
            return quantified(kind, counts[True], counts[False], counts[None])

        return evaluate

    def make_reduce(self, node: tree.Reduce) -> Evaluate:
        """A value carried over the items of a list."""
        start, source = self.compile(node.start), self.source(node.source)
        value = self.compile(node.value)

        def evaluate(row: Row, run: Run) -> object:
            items = source(row, run)
            if items is None:
                return None
            inner = dict(row)
            inner[node.total] = start(row, run)
            for item in items:
                run.step()
                inner[node.variable] = item
                inner[node.total] = value(inner, run)
            return inner[node.total]

        return evaluate

    def make_patternvalue(self, node: tree.PatternValue) -> Evaluate:
        """Patterns are run by the executor."""
        embedded = self.embedded
        return lambda row, run: embedded(node, row, run)

    def make_subquery(self, node: tree.Subquery) -> Evaluate:
        """Queries are run by the executor."""
        embedded = self.embedded
        return lambda row, run: embedded(node, row, run)

    def make_mapprojection(self, node: tree.MapProjection) -> Evaluate:
        """Chosen properties and further values as a map."""
        items = [(key, self.maybe(value)) for key, value in node.items]

        def evaluate(row: Row, run: Run) -> object:
            of = row[node.variable]
            if of is None:
                return None
            result: dict[str, object] = {}
            for key, value in items:
                if value is not None:
                    result[key] = value(row, run)
                elif key != "*":
                    result[key] = property_of(run, of, key)
                elif isinstance(of, dict):
                    result.update(of)
                elif isinstance(of, (Node, Edge)):
                    names = run.graph.attributes.names
                    result.update((names[k], v) for k, v in of.properties.items())
            return result

        return evaluate


def quantified(kind: str, true: int, false: int, unknown: int) -> bool | None:
    """What a quantifier says of so many true, false and unknown tests."""
    if kind == "all":
        return False if false else None if unknown else True
    if kind == "any":
        return True if true else None if unknown else False
    if kind == "none":
        return False if true else None if unknown else True
    if true > 1:
        return False
    return None if unknown else true == 1
