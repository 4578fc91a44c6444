"""The tree of a query. Nodes are immutable and compare by value, as ORDER BY needs it."""

from __future__ import annotations

from dataclasses import dataclass


def fields_of(node: object) -> tuple[str, ...] | None:
    """The names of the parts of a node; None of what is no node."""
    names: tuple[str, ...] | None = getattr(type(node), "__match_args__", None)
    return names


@dataclass(frozen=True)
class Expression:
    """Something that has a value for a row."""


@dataclass(frozen=True)
class Literal(Expression):
    """A null, boolean, integer, float or string."""

    value: object


@dataclass(frozen=True)
class Parameter(Expression):
    """$name."""

    name: str


@dataclass(frozen=True)
class Variable(Expression):
    """A name that a clause before has bound."""

    name: str


@dataclass(frozen=True)
class Property(Expression):
    """of.key."""

    of: Expression
    key: str


@dataclass(frozen=True)
class Index(Expression):
    """of[index]."""

    of: Expression
    index: Expression


@dataclass(frozen=True)
class Slice(Expression):
    """of[start..end]; both ends may be absent."""

    of: Expression
    start: Expression | None
    end: Expression | None


@dataclass(frozen=True)
class ListOf(Expression):
    """[a, b]."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class MapOf(Expression):
    """{key: value}."""

    pairs: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True)
class Unary(Expression):
    """NOT, minus or plus."""

    operator: str
    of: Expression


@dataclass(frozen=True)
class Binary(Expression):
    """Two operands of an operator that is not a comparison."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Chain(Expression):
    """a < b < c: every neighbouring pair has to hold."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]


@dataclass(frozen=True)
class IsNull(Expression):
    """IS NULL, or IS NOT NULL."""

    of: Expression
    negated: bool


@dataclass(frozen=True)
class HasLabels(Expression):
    """n:A:B."""

    of: Expression
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Call(Expression):
    """A function of arguments; count(*) has the single argument None."""

    name: str
    arguments: tuple[Expression, ...]
    distinct: bool = False
    star: bool = False


@dataclass(frozen=True)
class Case(Expression):
    """CASE, with a subject or without."""

    subject: Expression | None
    whens: tuple[tuple[Expression, Expression], ...]
    default: Expression | None


@dataclass(frozen=True)
class ListComprehension(Expression):
    """[variable IN source WHERE where | value]."""

    variable: str
    source: Expression
    where: Expression | None
    value: Expression | None


@dataclass(frozen=True)
class Quantifier(Expression):
    """all, any, none or single (variable IN source WHERE where)."""

    kind: str
    variable: str
    source: Expression
    where: Expression


@dataclass(frozen=True)
class Reduce(Expression):
    """reduce(total = start, variable IN source | value)."""

    total: str
    start: Expression
    variable: str
    source: Expression
    value: Expression


@dataclass(frozen=True)
class NodePattern:
    """(variable:Label {properties})."""

    variable: str | None
    labels: tuple[str, ...]
    properties: Expression | None


@dataclass(frozen=True)
class EdgePattern:
    """-[variable:TYPE*low..high {properties}]->; the direction is 1, -1 or 0."""

    variable: str | None
    types: tuple[str, ...]
    properties: Expression | None
    direction: int
    length: tuple[int, int | None] | None


@dataclass(frozen=True)
class PathPattern:
    """Nodes with edges between them; "shortest" is "", "one" or "all"."""

    variable: str | None
    nodes: tuple[NodePattern, ...]
    edges: tuple[EdgePattern, ...]
    shortest: str = ""

    @property
    def parts(self) -> tuple[NodePattern | EdgePattern, ...]:
        """All nodes, then all edges."""
        return (*self.nodes, *self.edges)


@dataclass(frozen=True)
class PatternValue(Expression):
    """A pattern in an expression: its paths, as [(a)-->(b) WHERE where | value], or a test."""

    pattern: PathPattern
    where: Expression | None
    value: Expression | None
    test: bool


@dataclass(frozen=True)
class MapProjection(Expression):
    """variable {.key, .*, other: expression}; a pair with the key "*" stands for all."""

    variable: str
    items: tuple[tuple[str, Expression | None], ...]


@dataclass(frozen=True)
class Subquery(Expression):
    """EXISTS {}, COUNT {} or COLLECT {}."""

    kind: str
    query: Query


@dataclass(frozen=True)
class Clause:
    """One step of a query: rows in, rows out."""


@dataclass(frozen=True)
class Match(Clause):
    """MATCH and OPTIONAL MATCH."""

    optional: bool
    patterns: tuple[PathPattern, ...]
    where: Expression | None


@dataclass(frozen=True)
class Unwind(Clause):
    """UNWIND list AS variable."""

    source: Expression
    variable: str


@dataclass(frozen=True)
class Create(Clause):
    """CREATE patterns."""

    patterns: tuple[PathPattern, ...]


@dataclass(frozen=True)
class SetItem:
    """One assignment of SET or REMOVE; the kind is property, replace, merge or labels."""

    kind: str
    target: Expression
    key: str = ""
    value: Expression | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Merge(Clause):
    """MERGE pattern ON CREATE SET .. ON MATCH SET .."""

    pattern: PathPattern
    on_create: tuple[SetItem, ...]
    on_match: tuple[SetItem, ...]


@dataclass(frozen=True)
class Set(Clause):
    """SET, and REMOVE."""

    items: tuple[SetItem, ...]
    remove: bool


@dataclass(frozen=True)
class Delete(Clause):
    """DELETE and DETACH DELETE."""

    targets: tuple[Expression, ...]
    detach: bool


@dataclass(frozen=True)
class Projection(Clause):
    """WITH and RETURN."""

    final: bool
    distinct: bool
    star: bool
    items: tuple[tuple[Expression, str, bool], ...]
    order: tuple[tuple[Expression, bool], ...]
    skip: Expression | None
    limit: Expression | None
    where: Expression | None


@dataclass(frozen=True)
class ForEach(Clause):
    """FOREACH (variable IN source | clauses)."""

    variable: str
    source: Expression
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class CallProcedure(Clause):
    """CALL name(arguments) YIELD column AS variable; no arguments in brackets is None."""

    name: str
    arguments: tuple[Expression, ...] | None
    columns: tuple[tuple[str, str], ...] | None
    where: Expression | None
    alone: bool = False


@dataclass(frozen=True)
class CallSubquery(Clause):
    """CALL { query }."""

    query: Query


@dataclass(frozen=True)
class LoadCsv(Clause):
    """LOAD CSV [WITH HEADERS] FROM source AS variable [FIELDTERMINATOR separator]."""

    headers: bool
    source: Expression
    variable: str
    separator: str


@dataclass(frozen=True)
class IndexChange(Clause):
    """CREATE INDEX and DROP INDEX, of nodes or relationships: RANGE, FULLTEXT or VECTOR."""

    create: bool
    edges: bool
    label: str
    keys: tuple[str, ...]
    kind: str = "RANGE"
    options: Expression | None = None


@dataclass(frozen=True)
class Query:
    """Parts with UNION between them; "every" is True for UNION ALL."""

    parts: tuple[tuple[Clause, ...], ...]
    every: bool = False
