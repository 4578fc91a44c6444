"""One configuration option as it is declared: name, default, kind of value, and who may change it
when.

Core options stand in ``table.py``; a module lists its own: ``options = (Option("bf-error-rate",
0.01, low=0, high=0.25), ...)``. Nothing here holds a current value; that is ``store.Config``.
"""

from collections.abc import Sequence
from typing import Any, Literal

from balas.services.config.grammar import INT64_MAX, INT64_MIN
from balas.services.config.kinds import (
    Choice,
    Float,
    Integer,
    Kind,
    Memory,
    Octal,
    PercentOrMemory,
    Text,
    TextCheck,
    YesNo,
)

KindName = Literal[
    "integer", "float", "bool", "enum", "string", "memory", "percent-or-memory", "octal"
]


class Option:
    """A declared option.

    Parameters
    ----------
    name
        As CONFIG GET prints it, lower case.
    default
        The typed value: int, float, bool, str, or what a special kind makes.
    kind
        A ``Kind``, the name of a plain one, or None: then it follows from ``choices`` and the
        default's type.
    low, high
        The inclusive range of a number.
    choices
        The words of an enumeration.
    check
        For a string: says what is wrong with a text, or None.
    mutable
        False if only redis.conf and the command line can set it ("immutable config").
    aliases
        Older names with the same value.
    hidden
        CONFIG GET shows it only when asked for by its full name.
    protected
        CONFIG SET may change it only as far as ``enable-protected-configs`` allows.
    deny_loading
        CONFIG SET is refused while the data set is being loaded.
    volatile
        For the name of a file whose content may change: setting the same name again is a change.
    meaning
        False for a name that is known and kept, but changes nothing in Balas.
    doc
        One sentence: what it decides, with its unit.

    Example:
        >>> class Demo(Module):
        ...     name = "demo"
        ...     options = (Option("demo-size", 10, low=1, high=99), Option("demo-on", True))
        >>> client = serve()
        >>> client("CONFIG", "SET", "demo-size", 20), client("CONFIG", "GET", "demo-*")
        (b'OK', [b'demo-size', b'20', b'demo-on', b'yes'])
        >>> client.error("CONFIG", "SET", "demo-size", 100).endswith("between 1 and 99 inclusive")
        True
    """

    __slots__ = (
        "aliases",
        "default",
        "deny_loading",
        "doc",
        "hidden",
        "kind",
        "meaning",
        "mutable",
        "name",
        "protected",
        "volatile",
    )

    def __init__(
        self,
        name: str,
        default: Any,
        kind: Kind | KindName | None = None,
        *,
        low: float | None = None,
        high: float | None = None,
        choices: Sequence[str] = (),
        check: TextCheck | None = None,
        mutable: bool = True,
        aliases: Sequence[str] = (),
        hidden: bool = False,
        protected: bool = False,
        deny_loading: bool = False,
        volatile: bool = False,
        meaning: bool = True,
        doc: str = "",
    ) -> None:
        if name != name.lower():
            raise ValueError(f"the name of an option is written in lower case: {name!r}")
        self.name = name
        self.default = default
        self.kind = (
            kind
            if isinstance(kind, Kind)
            else _plain_kind(kind or _kind_of(default, choices), low, high, choices, check)
        )
        self.mutable = mutable
        self.aliases = tuple(aliases)
        self.hidden = hidden
        self.protected = protected
        self.deny_loading = deny_loading
        self.volatile = volatile
        self.meaning = meaning
        self.doc = doc

    def __repr__(self) -> str:
        return f"Option({self.name!r}, {self.default!r})"


def _kind_of(default: Any, choices: Sequence[str]) -> KindName:
    """The plain kind that a default suggests. A bool is an int too, so it is asked first."""
    if choices:
        return "enum"
    if isinstance(default, bool):
        return "bool"
    if isinstance(default, int):
        return "integer"
    if isinstance(default, float):
        return "float"
    if isinstance(default, str):
        return "string"
    raise TypeError(f"an option with the default {default!r} must name its kind")


def _plain_kind(
    kind: KindName,
    low: float | None,
    high: float | None,
    choices: Sequence[str],
    check: TextCheck | None,
) -> Kind:
    """The kind object that the declaration's parameters describe."""
    if kind == "float":
        return Float(float("-inf") if low is None else low, float("inf") if high is None else high)
    if kind in ("integer", "memory", "octal"):
        least = INT64_MIN if kind == "integer" else 0
        number = {"integer": Integer, "memory": Memory, "octal": Octal}[kind]
        return number(least if low is None else int(low), INT64_MAX if high is None else int(high))
    if kind == "bool":
        return YesNo()
    if kind == "enum":
        return Choice(choices)
    if kind == "percent-or-memory":
        return PercentOrMemory()
    return Text(check)
