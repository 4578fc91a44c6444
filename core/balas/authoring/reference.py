"""Makes docs/api.md, the reference of `balas.api`, from the code.

Run it by `python -m balas.authoring.reference > docs/api.md`. A test compares the page with what
this makes, so the public surface cannot change unnoticed.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator

import balas.api
from balas.host import hookspecs

HEAD = f"""\
# The reference of `balas.api`

Made from the code by `python -m balas.authoring.reference > docs/api.md`; a test fails when the two
differ. `balas.api.api_version` is {balas.api.api_version}.

What stands here stays. A name or verb goes only after it has warned for one minor version: a
`BalasDeprecationWarning` names the module that uses it, the verb, and what to use in its place.
What is added raises the second number of `api_version`; whatever is not on this page may change at
any time.
"""
# Members that every object has, or that belong to compiled code.
UNSAID = re.compile(r"__|_")


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## Names", *names(), "## Hooks", *hooks()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def names() -> Iterator[str]:
    """A paragraph for each public name, and for each class its public members."""
    constants = []
    for name in sorted(balas.api.__all__):
        thing = getattr(balas.api, name)
        if inspect.isclass(thing):
            yield f"### class {name}\n\n{summary(thing)}"
            members = [line for line in members_of(thing) if line]
            if members:
                yield "\n".join(members)
        elif callable(thing) and not isinstance(thing, int | str):
            yield f"### {name}{signature(thing)}\n\n{summary(thing)}"
        else:
            constants.append(f"`{name}`")
    yield "### Constants\n\n" + ", ".join(constants)


def members_of(kind: type) -> Iterator[str]:
    """A line for each public method and property that a class itself has."""
    for name, member in sorted(vars(kind).items()):
        if UNSAID.match(name) or not (callable(member) or is_described(member)):
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


if __name__ == "__main__":
    sys.stdout.write(page())
