"""The decorator that commands are declared with, and how declarations are collected.

A declaration is data on the function; nothing is registered at import. A server, or the loading of
a module, collects the declarations of Python modules and turns them into `CommandSpec`s of its own,
because they carry statistics.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

from balas.registry.keys import FindKeys, KeySpec
from balas.registry.spec import CommandSpec, DeclarationError

Handler = TypeVar("Handler", bound=Callable[..., Any])

ATTRIBUTE = "__balas_commands__"
# What a compiled function's docstring begins with: ``get(ctx: Context, key: bytes) -> Reply``.
SIGNATURE = re.compile(r"\w+\(ctx\b")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `command` or `container` said; turned into a `CommandSpec` when it is registered."""

    name: str
    arity: int
    flags: int = 0
    keys: tuple[KeySpec, ...] = ()
    find_keys: FindKeys | None = None
    group: str = ""
    since: str = ""
    categories: tuple[str, ...] = ()
    doc: str = ""
    handler: Callable[..., Any] | None = field(default=None, compare=False)

    @property
    def path(self) -> tuple[str, ...]:
        """Lower-case words of the name: ("config", "get")."""
        return tuple(self.name.lower().split())

    def spec(self, parent: CommandSpec | None, owner: str) -> CommandSpec:
        """A fresh specification, with the statistics at zero."""
        synopsis, summary, description = split_doc(self.doc)
        return CommandSpec(
            "|".join(self.path),
            self.arity,
            handler=self.handler,
            flags=self.flags,
            key_specs=self.keys,
            find_keys=self.find_keys,
            group=self.group,
            since=self.since,
            categories=self.categories,
            summary=summary,
            synopsis=synopsis,
            description=description,
            parent=parent,
            owner=owner,
        )


def split_doc(doc: str) -> tuple[str, str, str]:
    """Synopsis (first paragraph), summary (first sentence after it) and the whole text after it."""
    signature, _, rest = doc.strip().partition("\n")
    if SIGNATURE.match(signature):
        doc = rest
    lines = [line.strip() for line in doc.strip().splitlines()]
    end = lines.index("") if "" in lines else len(lines)
    text = " ".join(" ".join(lines[end:]).split())
    summary = text.partition(". ")[0].rstrip(".")
    return " ".join(lines[:end]), summary + "." if summary else "", text


def command(
    name: str,
    *,
    arity: int,
    flags: int = 0,
    keys: KeySpec | tuple[KeySpec, ...] = (),
    find_keys: FindKeys | None = None,
    group: str = "",
    since: str = "",
    categories: tuple[str, ...] = (),
) -> Callable[[Handler], Handler]:
    """Declare a function as a command; "CONFIG GET" declares a subcommand.

    Args:
        name: as clients write it.
        arity: the number of words with the name, as in COMMAND INFO; negative means at least.
        flags: of `registry.flags`.
        keys: one or more key specifications (`key`, `keys`, `key_count`, `unknown_keys`).
        find_keys: finds the key positions in argv where specifications cannot.
        group: the group of the command reference; also gives an ACL category.
        since: the version that introduced it.
        categories: ACL categories beside those that follow from flags and group; "-keyspace" takes
            away one that follows.

    Example:
        >>> @command("DEMO.ECHO", arity=-2, flags=READONLY | FAST, since="1.0.0")
        ... def echo(ctx, *words):
        ...     return list(words)
        >>> client = serve()
        >>> client("DEMO.ECHO", "a", "b")
        [b'a', b'b']
        >>> client.error("DEMO.ECHO")
        "ERR wrong number of arguments for 'demo.echo' command"
    """
    specs = keys if isinstance(keys, tuple) else (keys,)

    def declare(handler: Handler) -> Handler:
        declaration = Declaration(
            name,
            arity,
            flags,
            specs,
            find_keys,
            group,
            since,
            categories,
            handler.__doc__ or "",
            handler,
        )
        known = getattr(handler, ATTRIBUTE, ())
        setattr(handler, ATTRIBUTE, (*known, declaration))
        return handler

    return declare


def container(
    name: str,
    *,
    group: str = "",
    since: str = "",
    arity: int = -2,
    flags: int = 0,
    categories: tuple[str, ...] = (),
    doc: str = "",
) -> Declaration:
    """Declare what is not derived of a command that only holds subcommands; assign the result to a
    module-level name.

    Example:
        >>> demo = container("DEMO", doc="Things to try.")
        >>> @command("DEMO HELLO", arity=2)
        ... def hello(ctx):
        ...     return Status("hello")
        >>> serve()("DEMO", "HELLO")
        b'hello'
    """
    return Declaration(name, arity, flags, (), None, group, since, categories, doc)


def declarations(module: ModuleType) -> Iterator[Declaration]:
    """All declarations made in one Python module, alone or in tuples, in the order of the file."""
    for value in vars(module).values():
        if isinstance(value, Declaration):
            yield value
        elif isinstance(value, tuple):
            yield from (one for one in value if isinstance(one, Declaration))
        elif callable(value) and getattr(value, "__module__", None) == module.__name__:
            yield from getattr(value, ATTRIBUTE, ())


def package_modules(name: str) -> Iterator[ModuleType]:
    """Import and yield every module of a package, by name."""
    package = importlib.import_module(name)
    for info in pkgutil.iter_modules(package.__path__):
        yield importlib.import_module(f"{name}.{info.name}")


def build_specs(found: Iterable[Declaration], owner: str = "") -> list[CommandSpec]:
    """Top-level specifications, containers with their subcommands in them.

    Raises DeclarationError for a name declared twice.
    """
    top: dict[str, CommandSpec] = {}
    children: list[Declaration] = []
    for declaration in found:
        if len(declaration.path) == 2:
            children.append(declaration)
            continue
        name = declaration.path[0]
        if name in top:
            raise DeclarationError(f"'{name}' is declared twice", declaration.handler)
        top[name] = declaration.spec(None, owner)
    for declaration in children:
        name, sub = declaration.path
        if name not in top:
            top[name] = CommandSpec(
                name, -2, group=declaration.group, since=declaration.since, owner=owner
            )
        parent = top[name]
        if parent.subcommands is None:
            parent.subcommands = {}
        if sub.encode() in parent.subcommands:
            raise DeclarationError(f"'{name} {sub}' is declared twice", declaration.handler)
        parent.subcommands[sub.encode()] = declaration.spec(parent, owner)
    return list(top.values())
