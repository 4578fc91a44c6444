"""Where the keys of a command stand among its arguments: Redis's key specifications.

A specification first finds where to begin (a fixed index, or after a keyword), then which arguments
from there are keys (a range, or a number of them that an argument announces). Indexes count the
command's name as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from balas.registry.flags import ACCESS, INCOMPLETE, OW, RO, RW, UPDATE, VARIABLE_FLAGS


class KeysNotFound(Exception):
    """The arguments do not hold the keys that the specification promises."""


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One key specification; made by `key`, `keys`, `key_count`, `unknown_keys`.

    Attributes:
        flags: what is done to the keys (registry.flags).
        index: where to begin; None where a keyword tells, or nothing does.
        keyword: the word to look for, and `start` the index to look from (negative: from the end,
        backwards). last, step, limit: a range of keys, relative to the begin as in COMMAND INFO.
        count_at, first, step: the begin plus `count_at` holds the number of keys, which start at
        the begin plus `first`.
    """

    flags: int
    index: int | None = None
    keyword: str | None = None
    start: int = 0
    last: int = 0
    step: int = 1
    limit: int = 0
    count_at: int | None = None
    first: int = 0
    notes: str = ""

    def after(self, word: str, start: int) -> KeySpec:
        """The same keys, but beginning after the keyword `word`, looked for from `start`."""
        return KeySpec(
            self.flags,
            None,
            word,
            start,
            self.last,
            self.step,
            self.limit,
            self.count_at,
            self.first,
            self.notes,
        )

    def _begin(self, argv: Sequence[bytes]) -> int | None:
        if self.keyword is None:
            return self.index
        word = self.keyword.encode().lower()
        if self.start < 0:
            places = range(len(argv) + self.start, 0, -1)
        else:
            places = range(self.start, len(argv))
        for i in places:
            if argv[i].lower() == word:
                return i + 1
        return None

    def positions(self, argv: Sequence[bytes]) -> list[int]:
        """Indexes of the keys in `argv`; raises `KeysNotFound` if the arguments make no sense."""
        begin = self._begin(argv)
        if begin is None:
            return []
        if begin >= len(argv):
            raise KeysNotFound
        if self.count_at is not None:
            return self._counted(argv, begin)
        if self.last >= 0:
            last = begin + self.last
        elif self.limit > 1:
            last = begin + (len(argv) - begin) // self.limit + self.last
        else:
            last = len(argv) + self.last
        if last >= len(argv):
            raise KeysNotFound
        return list(range(begin, last + 1, self.step))

    def _counted(self, argv: Sequence[bytes], begin: int) -> list[int]:
        assert self.count_at is not None
        try:
            count = int(argv[begin + self.count_at])
        except (ValueError, IndexError):
            raise KeysNotFound from None
        first = begin + self.first
        if count < 0 or first + (count - 1) * self.step >= len(argv):
            raise KeysNotFound
        return [first + i * self.step for i in range(count)]


def key(index: int, flags: int, *, notes: str = "") -> KeySpec:
    """One key at this index.

    Example:
        >>> @command("DEMO.LOOK", arity=2, flags=READONLY, keys=key(1, RO | ACCESS))
        ... def look(ctx, key):
        ...     return ctx.read_string(key)
        >>> serve()("COMMAND", "GETKEYS", "DEMO.LOOK", "k")
        [b'k']
    """
    return KeySpec(flags, index, notes=notes)


def keys(
    first: int, last: int, step: int, flags: int, *, limit: int = 0, notes: str = ""
) -> KeySpec:
    """Keys from `first` to `last` in steps; a negative `last` counts from the end.

    Example:
        >>> @command("DEMO.SETS", arity=-3, flags=WRITE, keys=keys(1, -1, 2, OW | UPDATE))
        ... def sets(ctx, *words):
        ...     return OK
        >>> serve()("COMMAND", "GETKEYS", "DEMO.SETS", "a", "1", "b", "2")
        [b'a', b'b']
    """
    relative = last - first if last >= 0 else last
    return KeySpec(flags, first, last=relative, step=step, limit=limit, notes=notes)


def key_count(index: int, flags: int, *, first: int = 1, step: int = 1, notes: str = "") -> KeySpec:
    """As many keys as the argument at `index` says; the first is `first` arguments after it.

    Example:
        >>> @command("DEMO.ALL", arity=-3, flags=READONLY, keys=key_count(1, RO | ACCESS))
        ... def every(ctx, count, *words):
        ...     return list(words[: integer(count)])
        >>> serve()("COMMAND", "GETKEYS", "DEMO.ALL", "2", "a", "b", "option")
        [b'a', b'b']
    """
    return KeySpec(flags, index, count_at=0, first=first, step=step, notes=notes)


def unknown_keys(flags: int, notes: str = "") -> KeySpec:
    """Keys that no specification can find; the command brings a function that does.

    Example:
        >>> def after_at(argv):
        ...     return [i + 1 for i, word in enumerate(argv) if word == b"AT"]
        >>> @command("DEMO.AT", arity=-2, flags=READONLY, keys=unknown_keys(RO), find_keys=after_at)
        ... def at(ctx, *words):
        ...     return OK
        >>> serve()("COMMAND", "GETKEYS", "DEMO.AT", "x", "AT", "k")
        [b'k']
    """
    return KeySpec(flags | INCOMPLETE, None, notes=notes)


FindKeys = Callable[[Sequence[bytes]], list[int]]


def exact_flags(name: str, argv: Sequence[bytes], flags: int) -> int:
    """What a request does to its key, where the specification (VARIABLE_FLAGS) gives all that such
    a command may do.
    """
    if not flags & VARIABLE_FLAGS:
        return flags
    words = [word.lower() for word in argv[2:]]
    if name == "set" and b"get" not in words[1:]:
        return OW | UPDATE
    if name == "bitfield" and b"set" not in words and b"incrby" not in words:
        return RO | ACCESS
    return RW | ACCESS | UPDATE
