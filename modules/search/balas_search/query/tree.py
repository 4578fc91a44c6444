"""The nodes of a query, as the parser makes them and later passes change them."""

from __future__ import annotations

from dataclasses import dataclass, field

# A mask of text fields: bit i is the field whose `bit` is i.
ALL_FIELDS = (1 << 128) - 1


@dataclass(slots=True)
class Node:
    """Base of all: what `=>{...}` and `@field:` say about a part of a query.

    `mask` are the text fields in which it may match. `slop` is the most words between the parts of
    a phrase, -1 for any number; `in_order` is None where nothing was said.
    """

    mask: int = ALL_FIELDS
    weight: float = 1.0
    slop: int = -1
    in_order: bool | None = None
    phonetic: bool | None = None
    # The name under which a distance is returned, if one was given.
    distance_name: bytes | None = None
    has_attributes: bool = False

    def limit_to(self, mask: int) -> None:
        """Let this node and those below match in these fields only."""
        self.mask &= mask


@dataclass(slots=True)
class Branch(Node):
    """A node that has others below it."""

    children: list[Node] = field(default_factory=list)

    def limit_to(self, mask: int) -> None:
        """Let this node and those below match in these fields only."""
        self.mask &= mask
        for child in self.children:
            child.limit_to(mask)


@dataclass(slots=True)
class Phrase(Branch):
    """All children; if it is exact, one behind the other."""

    exact: bool = False


@dataclass(slots=True)
class Union(Branch):
    """One of the children."""


@dataclass(slots=True)
class Not(Branch):
    """All documents but those of its child."""


@dataclass(slots=True)
class Optional(Branch):
    """All documents; those of its child score higher."""


@dataclass(slots=True)
class Token(Node):
    """A term. `expanded` marks what an expander has added; it leaves alone what is `as_it_is`."""

    text: bytes = b""
    expanded: bool = False
    as_it_is: bool = False


@dataclass(slots=True)
class Affix(Node):
    """Terms that begin with, end with, or hold `text`: at least one of the two is set."""

    text: bytes = b""
    prefix: bool = False
    suffix: bool = False


@dataclass(slots=True)
class Pattern(Node):
    """Terms that match `text`, in which `?` is any byte and `*` any bytes."""

    text: bytes = b""


@dataclass(slots=True)
class Fuzzy(Node):
    """Terms within `distance` edits of `text`."""

    text: bytes = b""
    distance: int = 1


@dataclass(slots=True)
class Tag(Branch):
    """Values of a TAG field: a child is a Token, an Affix, a Pattern, or a Phrase of tokens."""

    field_name: bytes = b""


@dataclass(slots=True)
class Numeric(Node):
    """Numbers from `low` to `high`."""

    field_name: bytes = b""
    low: float = 0.0
    high: float = 0.0
    with_low: bool = True
    with_high: bool = True


@dataclass(slots=True)
class Geo(Node):
    """Places within `radius` (in `unit`) of a point."""

    field_name: bytes = b""
    longitude: float = 0.0
    latitude: float = 0.0
    radius: float = 0.0
    unit: bytes = b"km"


@dataclass(slots=True)
class Shape(Node):
    """Shapes that relate to the one in `text` (well-known text) as `relation` says."""

    field_name: bytes = b""
    relation: bytes = b""
    text: bytes = b""


@dataclass(slots=True)
class Missing(Node):
    """Documents that lack a field."""

    field_name: bytes = b""


@dataclass(slots=True)
class Keys(Node):
    """Documents by their keys (INKEYS)."""

    keys: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Everything(Node):
    """All documents: `*`."""


@dataclass(slots=True)
class Nothing(Node):
    """No document."""


class Options(dict[bytes, bytes]):
    """The further parameters of a vector query (EF_RUNTIME, EPSILON, ...), names in upper case.

    Of those given twice the first counts, and `repeated` is set.
    """

    repeated = False

    def give(self, name: bytes, value: bytes) -> None:
        """Add a parameter."""
        if name in self:
            self.repeated = True
        else:
            self[name] = value


@dataclass(slots=True)
class Knn(Branch):
    """The `count` nearest to `vector` among the documents of its one child."""

    field_name: bytes = b""
    count: int = 0
    vector: bytes = b""
    # The name of the parameter that the vector was given in.
    parameter: bytes = b""
    options: Options = field(default_factory=Options)


@dataclass(slots=True)
class VectorRange(Node):
    """Vectors within `radius` of `vector`."""

    field_name: bytes = b""
    radius: float = 0.0
    vector: bytes = b""
    # The name of the parameter that the vector was given in.
    parameter: bytes = b""
    options: Options = field(default_factory=Options)
