"""Makes the references in docs/ from the code: of `balas.api`, and of all commands.

    python -m balas.authoring.reference api > docs/api.md
    python -m balas.authoring.reference commands > docs/commands.md

Tests compare the pages with what this makes, so neither can change unnoticed.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from textwrap import dedent

import balas.api
from balas.authoring.examples import example
from balas.host import hookspecs
from balas.registry import CommandSpec
from balas.testing.in_process import InProcessServer

HEAD = f"""\
# The reference of `balas.api`

Made from the code by `python -m balas.authoring.reference api > docs/api.md`; a test fails when the
two differ. `balas.api.api_version` is {balas.api.api_version}.

What stands here stays. A name or verb goes only after it has warned for one minor version: a
`BalasDeprecationWarning` names the module that uses it, the verb, and what to use in its place.
What is added raises the second number of `api_version`; whatever is not on this page may change at
any time.

Every example runs as a test. In each, `from balas.api import *` has been done, and `serve()` loads
what stands above it as a module into a server and returns a client. Commands of your own have
docstrings, too, which open with the synopsis: see [first-module.md](first-module.md).
"""
COMMANDS_HEAD = """\
# All commands

Made from the code by `python -m balas.authoring.reference commands > docs/commands.md`; a test
fails when the two differ. `COMMAND DOCS name` says more of each. Where a command has subcommands,
they stand here in its place.
"""
# Members of public classes that modules have no use for, so that they are not promised.
FOR_THE_HOST = {
    "Acl": {
        *("config_lines", "delete_user", "lines", "load", "load_at_start", "log_in", "permit"),
        *("log_in_without_name", "refusal", "save", "set_user", "welcome", "may_read_every_key"),
    },
    "Attachment": {"failed", "guard", "hold", "let_go", "release", "restore"},
    "Config": {
        *("assign", "load", "matching", "on_any_change", "register", "set_many", "unregister"),
        *("allows", "where"),
    },
    "Context": {"changed_all", "database", "elements"},
}
# Members that every object has, or that belong to compiled code.
UNSAID = re.compile(r"__|_")


def api_page() -> str:
    """The reference of `balas.api`."""
    parts = [HEAD, "## Names", *names(), "## Hooks", *hooks()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def names() -> Iterator[str]:
    """Paragraphs for each public name: what it is, its public members, an example."""
    for name in sorted(balas.api.__all__, key=str.lower):
        thing = getattr(balas.api, name)
        constant, shown = example(name)
        if inspect.isclass(thing):
            yield f"### class {name}\n\n{summary(thing)}"
            if members := list(members_of(name, thing)):
                yield "\n".join(members)
        elif callable(thing) and summary(thing) and name not in ALIASES:
            yield f"### {name}{signature(thing)}\n\n{summary(thing)}"
        else:
            yield f"### {name}\n\n{constant or OTHERS[name]}"
        yield f"```python\n{dedent(shown).strip()}\n```"


# What has no docstring of its own.
ALIASES = {
    "Change": "A change of a key: the index of its database, the key, the event.",
    "Reply": "Whatever a command may return: see the table in architecture.md.",
}
OTHERS = {
    **ALIASES,
    "NO_REPLY": "Nothing is sent.",
    "NULL_ARRAY": "No array: the null of RESP2 for what would have been one.",
    "OK": "The status OK.",
    "api_version": "Major and minor: a module that was written for 1.0 runs with every 1.x.",
}


def members_of(owner: str, kind: type) -> Iterator[str]:
    """A line for each method and property of a class that modules may use."""
    for name, member in sorted(vars(kind).items()):
        if UNSAID.match(name) or name in FOR_THE_HOST.get(owner, ()):
            continue
        if not (callable(member) or is_described(member)):
            continue
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        call = signature(plain) if callable(plain) else ""
        said = first_paragraph(plain)
        yield f"- `{name}{call}`{': ' + said if said else ''}"


def is_described(member: object) -> bool:
    """Whether a member that cannot be called belongs on the page."""
    return isinstance(member, property | classmethod | staticmethod)


def hooks() -> Iterator[str]:
    """A paragraph for each hook."""
    for name, function in sorted(vars(hookspecs).items()):
        if hasattr(function, "balas_spec"):
            yield f"### hook {name}{signature(function)}\n\n{summary(function)}"


def signature(thing: object) -> str:
    """The arguments as they are written, without what differs between versions of Python."""
    try:
        found = inspect.signature(thing)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in found.parameters.values()
    ]
    shown = str(found.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    return re.sub(r" at 0x[0-9a-f]+", "", shown)


def summary(thing: object) -> str:
    """The first paragraph of the docstring; nothing for what has none of its own."""
    return first_paragraph(thing)


def first_paragraph(thing: object) -> str:
    """The first paragraph of a docstring in one line; compiled code repeats its signature first."""
    text = inspect.getdoc(thing) or ""
    first, _, rest = text.partition("\n")
    if re.match(r"[\w.]+\(.*\)( -> .*)?$", first):
        text = rest.lstrip()
    return " ".join(text.split("\n\n")[0].split())


def commands_page() -> str:
    """The reference of all commands: the core's by their groups, then those of each module."""
    with InProcessServer() as server:
        specs = [spec for spec in server.engine.commands.every() if spec.handler is not None]
        titles = {
            loaded.name: type(loaded.module).__doc__ or "" for loaded in server.server.modules
        }
    core = {spec.group for spec in specs if not spec.owner}
    parts = [COMMANDS_HEAD]
    for group in sorted(core):
        chosen = [spec for spec in specs if not spec.owner and spec.group == group]
        parts += [f"## {group.replace('_', ' ').replace('-', ' ').capitalize()}", listed(chosen)]
    for name in sorted(titles, key=str.lower):
        said = " ".join(titles[name].split("\n\n")[0].split())
        chosen = [spec for spec in specs if spec.owner == name]
        parts += [f"## Module `{name}`", said, listed(chosen)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def listed(specs: Iterable[CommandSpec]) -> str:
    """A line for each command: how it is called, what it does, since when."""
    return "\n".join(
        f"- `{' '.join(spec.synopsis.split())}`: {spec.summary}"
        for spec in sorted(specs, key=lambda spec: spec.name)
    )


PAGES: dict[str, Callable[[], str]] = {"api": api_page, "commands": commands_page}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PAGES:
        sys.exit(f"Usage: python -m balas.authoring.reference {'|'.join(PAGES)}")
    sys.stdout.write(PAGES[sys.argv[1]]())
