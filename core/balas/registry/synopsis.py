"""Reads the synopsis of a command into its arguments, as COMMAND DOCS shows them.

    SET key value [NX | XX] [GET] [EX seconds | PX milliseconds | KEEPTTL]

Words in capitals are tokens, others name arguments; a token and a name after it are one argument.
Brackets mean optional, ``|`` stands between alternatives (within ``<`` and ``>`` one must be
given), and a group that ends in ``...`` says that what stands before it may be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

_WORD = re.compile(r"[][<>|]|\.\.\.|[^][<>|\s.]+(?:\.[^][<>|\s.]+)*")

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        name: kind
        for kind, names in (
            ("key", "key source destination newkey dst src sourcekey destkey srckey dstkey"),
            (
                "integer",
                "seconds milliseconds count index offset increment decrement numkeys start stop "
                "end db port bit index1 index2 cursor rank len numreplicas numlocal numfields",
            ),
            ("double", "score timeout radius width height longitude latitude weight"),
            ("pattern", "pattern"),
        )
        for name in names.split()
    }
)


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: `kind` is a type of the command reference, "oneof" or "block"."""

    name: str
    kind: str
    token: str = ""
    optional: bool = False
    multiple: bool = False
    arguments: tuple[Argument, ...] = field(default=())

    def same(self, other: Argument) -> bool:
        """Whether it is the other one, however often either may be given."""
        return replace(self, multiple=False) == replace(other, multiple=False)


def arguments_of(synopsis: str, name: str) -> tuple[Argument, ...]:
    """The arguments of the command `name` ("config|get") by its synopsis."""
    words = _WORD.findall(synopsis)[len(name.split("|")) :]
    return _Reader(words).sequence(())


class _Reader:
    """Goes through the words of a synopsis once."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0

    def _next(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def sequence(self, ends: tuple[str, ...]) -> tuple[Argument, ...]:
        """Arguments up to one of these words or the end; the end is left where it is."""
        found: list[Argument] = []
        while (word := self._next()) and word not in ends:
            self._at += 1
            if word == "[":
                self._optional(found)
            elif word == "<":
                found.append(self._group(">"))
                self._at += 1
            elif word == "...":
                found[-1:] = [replace(found[-1], multiple=True)] if found else []
            elif is_token(word):
                found.append(self._token(word, ends))
            else:
                found.append(Argument(word.lower(), _kind(word)))
        return tuple(found)

    def _token(self, word: str, ends: tuple[str, ...]) -> Argument:
        """A token: alone, or with the name after it."""
        after = self._next()
        if after and after not in (*ends, "[", "]", "<", ">", "|", "...") and not is_token(after):
            self._at += 1
            return Argument(after.lower(), _kind(after), word)
        return Argument(word.lower(), "pure-token", word)

    def _group(self, end: str) -> Argument:
        """What stands between brackets: one argument, a block, or alternatives."""
        choices = [self._one(self.sequence(("|", end)))]
        while self._next() == "|":
            self._at += 1
            choices.append(self._one(self.sequence(("|", end))))
        if len(choices) == 1:
            return choices[0]
        return Argument(choices[0].name, "oneof", arguments=tuple(choices))

    def _optional(self, found: list[Argument]) -> None:
        """A group in square brackets, which may be the repetition of what stands before it."""
        began = self._at
        group = self._group("]")
        repeats = "..." in self._words[began : self._at]
        self._at += 1
        parts = group.arguments if group.kind == "block" else (group,)
        before = found[-len(parts) :]
        if repeats and len(before) == len(parts) and all(map(Argument.same, before, parts)):
            found[-len(parts) :] = [replace(self._one(tuple(before)), multiple=True)]
        else:
            found.append(replace(group, optional=True, multiple=group.multiple or repeats))

    def _one(self, arguments: tuple[Argument, ...]) -> Argument:
        """A sequence as one argument: itself if there is only one, else a block."""
        if len(arguments) == 1:
            return arguments[0]
        return Argument(arguments[0].name if arguments else "", "block", arguments=arguments)


def is_token(word: str) -> bool:
    """Whether a word stands for itself: capitals, digits and signs."""
    return word.upper() == word


def _kind(name: str) -> str:
    if name.lower().startswith("unix-time"):
        return "unix-time"
    return _TYPES.get(name.lower(), "string")
