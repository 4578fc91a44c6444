"""`balas module check`: mistakes of an author that a server would meet later, told now.

The module is loaded into a server inside this process, which refuses an arity that its function
does not take, names that clash, and the like. Its commands are compared with their functions and
docstrings, and its types with the laws of values, for which a type gives an example of itself:
`example()`, a class method, and `vary()`, which changes a value a little.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from balas.errors import ReplyError
from balas.host.host import Loaded
from balas.registry import CommandSpec
from balas.registry.flags import FAST, READONLY, WRITE
from balas.testing import laws
from balas.testing.in_process import InProcessServer
from balas.types.value import Value

RIGHT, NOTE, WRONG = "ok", "note", "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, and what is to be said of it."""

    state: str
    subject: str
    text: str

    @property
    def is_wrong(self) -> bool:
        """Whether the author has to do something."""
        return self.state == WRONG

    def __str__(self) -> str:
        return f"{self.state:5}  {self.subject}: {self.text}"


def check(target: str) -> list[Finding]:
    """All findings about the module that `target` names, as for MODULE LOAD."""
    with InProcessServer(bundled=False) as server:
        client = server.client()
        text = "OK"
        try:
            client("MODULE", "LOAD", target)
        except ReplyError as error:
            text = error.text.removeprefix("ERR Error loading the extension: ")
        if text != "OK":
            return [Finding(WRONG, target, text)]
        (loaded,) = server.server.modules
        specs = [one for one in server.engine.commands.every() if one.owner == loaded.name]
        findings = [finding for spec in specs for finding in command_findings(spec)]
        for kind in loaded.module.types:
            findings += type_findings(server, kind)
        findings += unload_findings(server, loaded)
        if not specs:
            findings.append(Finding(NOTE, loaded.name, "it brings no commands"))
        return findings


# --- commands ------------------------------------------------------------------------------------


def command_findings(spec: CommandSpec) -> Iterator[Finding]:
    """What is to be said of a command; one "ok" if nothing is wrong."""
    if spec.handler is None:
        return
    name = spec.name.upper().replace("|", " ")
    wrong = [*key_faults(spec), *docstring_faults(spec, name)]
    for text in wrong:
        yield Finding(WRONG, name, text)
    if not wrong:
        yield Finding(RIGHT, name, "arity, keys, docstring")


def key_faults(spec: CommandSpec) -> Iterator[str]:
    """Parameters that are called keys against the declared keys, and flags that do not fit."""
    assert spec.handler is not None
    names = list(inspect.signature(spec.handler).parameters)[1:]
    declared = spec.key_specs or spec.find_keys is not None
    looks = [name for name in names if name in ("key", "keys", "source", "destination")]
    if looks and not declared:
        yield (
            f"the parameter '{looks[0]}' looks like a key, but no keys are declared: ACL rules and "
            "transactions cannot see it (keys=key(1, ...))"
        )
    if declared and not spec.flags & (READONLY | WRITE):
        yield "it has keys, but neither flag READONLY nor WRITE"
    if spec.flags & READONLY and spec.flags & WRITE:
        yield "it cannot be READONLY and WRITE"
    if spec.flags & FAST and spec.is_async:
        yield "a command that is `async def` is not FAST"


def docstring_faults(spec: CommandSpec, name: str) -> Iterator[str]:
    """The docstring: synopsis, blank line, what it does; the synopsis against the arity."""
    assert spec.handler is not None
    text = inspect.getdoc(spec.handler) or ""
    synopsis, _, rest = text.partition("\n\n")
    if not (synopsis == name or synopsis.startswith((name + " ", name + "\n"))):
        yield f"the docstring begins with the synopsis: '{name} ...'"
        return
    if not rest.strip():
        yield "the docstring says how it is called, but not what it does"
    required = required_words(synopsis)
    if required is not None and required != abs(spec.arity):
        yield f"the synopsis has {required} words that must be there, arity={spec.arity}"


def required_words(synopsis: str) -> int | None:
    """How many words of a synopsis are not optional; None where alternatives make it unclear."""
    text = " ".join(synopsis.split())
    while (shorter := re.sub(r"\[[^\[\]]*\]", " ", text)) != text:
        text = shorter
    if re.search(r"[<>|]", text):
        return None
    return len(text.split())


# --- types ---------------------------------------------------------------------------------------


def type_findings(server: InProcessServer, kind: type[Value]) -> Iterator[Finding]:
    """The laws of values, each a finding."""
    make: Callable[[], Value] | None = getattr(kind, "example", None)
    if make is None:
        text = "give it a class method example(), and the laws of values are checked"
        yield Finding(NOTE, kind.__name__, text)
        return
    vary: Callable[[Any], object] | None = getattr(kind, "vary", None)
    for title, law in laws_of(server, make, vary):
        fault = broken(law)
        subject = f"{kind.__name__}, {title}"
        yield Finding(WRONG, subject, fault) if fault else Finding(RIGHT, subject, "holds")
    if vary is None:
        text = "give it a method vary(), and copies and changes are checked, too"
        yield Finding(NOTE, kind.__name__, text)


def laws_of(
    server: InProcessServer,
    make: Callable[[], Value],
    vary: Callable[[Any], object] | None,
) -> Iterator[tuple[str, Callable[[], object]]]:
    """The laws that can be tried, by what they are about."""
    yield "RDB round trip", lambda: laws.saved_and_loaded_it_is_equal(make)
    yield "saving twice", lambda: laws.saved_twice_it_gives_the_same_bytes(make)
    yield "damaged data", lambda: laws.a_cut_is_noticed(make)
    yield "log", lambda: laws.its_commands_rebuild_it(server, make)
    yield "memory account", lambda: laws.its_size_is_honest(make)
    if vary is not None:
        yield "digest", lambda: laws.a_change_changes_the_digest(make, vary)
        yield "copy", lambda: laws.a_copy_is_equal_and_apart(make, vary)
        yield "memory after changes", lambda: laws.its_size_follows_its_changes(make, vary)


def broken(law: Callable[[], object]) -> str:
    """How a law is broken, or nothing; what a type's own code raises breaks it."""
    try:
        law()
    except laws.LawBroken as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


# --- going ---------------------------------------------------------------------------------------


def unload_findings(server: InProcessServer, loaded: Loaded) -> Iterator[Finding]:
    """Whether the module can be reloaded, and goes."""
    client = server.client()
    for verb in ("RELOAD", "UNLOAD"):
        try:
            client("MODULE", verb, loaded.name)
        except ReplyError as error:
            yield Finding(WRONG, loaded.name, error.text)
        else:
            yield Finding(RIGHT, loaded.name, f"MODULE {verb}")
