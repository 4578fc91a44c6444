"""The values of all options of one server, and the one way to change them.

`get` gives typed values (int, bool, str, tuples...) to the code that acts on them, `text` what
CONFIG GET prints. A change is all or nothing: every value is parsed first, then the subscribers
of the changed options are told, and if one of them objects everything is as before. Reading a
file is `reader.py`'s work, writing it `rewrite.py`'s.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from balas.errors import LOADING, SYNTAX, ReplyError
from balas.services.config.grammar import BadValue, decode
from balas.services.config.options import Option
from balas.services.config.table import OPTIONS
from balas.structures.glob import match

#: Called with the Config after one of its options changed; raises ReplyError to refuse the change.
Subscriber = Callable[["Config"], None]


#: The source of the options that were given as arguments.
COMMAND_LINE = "the command line"


class Directive(NamedTuple):
    """One line of configuration: its words, and where it stood.

    `number` counts the lines of its source, `counted` those of all texts that were read, as Redis
    does in its messages.
    """

    words: tuple[str, ...]
    source: str
    number: int
    counted: int
    line: str

    @property
    def where(self) -> str:
        """``file, line 12`` or ``the command line``, for messages."""
        if self.source == COMMAND_LINE:
            return COMMAND_LINE
        return f"{self.source}, line {self.number}"


class _Change(NamedTuple):
    """One pair of CONFIG SET: the option, the name the client gave in lower case, the text."""

    option: Option
    name: str
    text: str


class Config:
    """All options of one server.

    Beside the values it keeps what the configuration file says that is no option: `users`,
    `modules` and `renames` (lines of `user`, `loadmodule` and `rename-command`), and `unclaimed`,
    the lines that no option claimed so far: a module that is loaded later may declare theirs.

    Example:
        >>> @command("DEMO.LIMIT", arity=1)
        ... def limit(ctx):
        ...     return ctx.service(Config).get("maxclients")
        >>> serve()("DEMO.LIMIT")
        10000
    """

    def __init__(self, options: Iterable[Option] = OPTIONS, directory: str | None = None) -> None:
        #: The absolute path of the configuration file, or None.
        self.file: str | None = None
        self.users: list[Directive] = []
        self.modules: list[Directive] = []
        self.renames: list[Directive] = []
        self.unclaimed: dict[str, Directive] = {}
        #: Who writes the lines of a directive that is no option ("user", "loadmodule"); see
        #: `rewrite.py`.
        self.line_sources: dict[str, Callable[[], Sequence[str]]] = {}
        self._options: dict[str, Option] = {}
        self._values: dict[str, Any] = {}
        self._origins: dict[str, str] = {}
        self._subscribers: list[tuple[frozenset[str], Subscriber]] = []
        self._observers: list[Callable[[Sequence[str]], None]] = []
        for option in options:
            self._add(option, option.default)
        self._values["dir"] = os.path.realpath(directory or os.getcwd())

    # Reading.

    def get(self, name: str) -> Any:
        """The typed value of an option, by its name or an alias of it."""
        return self._values[self._options[name].name]

    def text(self, name: str) -> str:
        """The value as CONFIG GET prints it."""
        option = self._options[name]
        return option.kind.format(self._values[option.name])

    def path(self, name: str) -> str:
        """The file name an option holds as an absolute path, relative to `dir`; or empty."""
        value = self.get(name)
        return os.path.normpath(os.path.join(self.get("dir"), value)) if value else ""

    def where(self, name: str) -> str:
        """Where the value came from: ``redis.conf, line 3``, ``CONFIG SET``, ``the default``."""
        return self._origins.get(self._options[name].name, "the default")

    def option(self, name: str) -> Option | None:
        """The option of this name or alias, in any case; None if there is none."""
        return self._options.get(name.lower())

    def options(self) -> list[Option]:
        """Every option once, in the order of the table."""
        return [option for name, option in self._options.items() if name == option.name]

    def matching(self, patterns: Iterable[str]) -> dict[str, str]:
        """Names and texts for CONFIG GET.

        A plain name is answered as it was asked, a glob with all visible names that match it; no
        name comes twice.
        """
        found: dict[str, str] = {}
        seen: set[str] = set()
        for pattern in patterns:
            if not any(character in pattern for character in "*?["):
                name = pattern.lower()
                if name in self._options and name not in seen:
                    seen.add(name)
                    found[pattern] = self.text(name)
                continue
            glob = pattern.encode("utf-8", "surrogateescape")
            for name, option in self._options.items():
                shown = not option.hidden and name not in seen
                if shown and match(glob, name.encode(), True):
                    seen.add(name)
                    found[name] = self.text(name)
        return found

    def allows(self, name: str, address: str) -> bool:
        """Whether a client at this address may do what an option with no, yes and local governs.

        ``config.allows("enable-debug-command", client.address)``. A client without an address is
        the server itself.
        """
        allowed = self.get(name)
        return bool(allowed == "yes" or (allowed == "local" and is_local(address)))

    # Changing.

    def on_change(self, names: str | Iterable[str], subscriber: Subscriber) -> None:
        """Have `subscriber(config)` called when one of the options changes.

        It is called once for all that change together. It may raise ReplyError: the change is then
        undone and the text (without its code) is the reason the client gets. After such an undoing
        it is called again, so it should only read what it needs.
        """
        listed = [names] if isinstance(names, str) else names
        canonical = frozenset(self._options[name].name for name in listed)
        self._subscribers.append((canonical, subscriber))

    def on_any_change(self, observer: Callable[[Sequence[str]], None]) -> None:
        """Have `observer(names)` called after each change that has come to stay."""
        self._observers.append(observer)

    def assign(self, name: str, value: Any, origin: str = "the server") -> None:
        """Set a typed value without asking anybody, for what the server decides (REPLICAOF)."""
        option = self._options[name]
        self._values[option.name] = value
        self._origins[option.name] = origin

    def set_many(
        self, pairs: Sequence[tuple[str, str]], *, address: str = "", loading: bool = False
    ) -> None:
        """Set options as CONFIG SET does: all of them or, with a ReplyError, none.

        `address` is the client's, for what is reserved for local connections; `loading` says
        whether the data set is being loaded.
        """
        changes = self._admit(pairs, address, loading)
        before, origins = dict(self._values), dict(self._origins)
        try:
            for change in changes:
                self._parse(change, before[change.option.name])
            changed = {c.option.name: c.name for c in changes if self._differs(c.option, before)}
            self._announce(changed, before)
        except BaseException:
            self._values, self._origins = before, origins
            raise
        self._origins.update(dict.fromkeys(changed, "CONFIG SET"))
        if changed:
            for observer in self._observers:
                observer(tuple(changed))

    def load(self, directive: Directive, first: bool) -> None:
        """Set the option that a line of the configuration file names; raises BadValue.

        `first` is True when the file had no line of this option yet: only then do lines that add
        up (`save`) replace the default.
        """
        option = self._options[directive.words[0].lower()]
        words = directive.words[1:]
        if not words or (len(words) != 1 and not option.kind.multiple):
            raise BadValue("wrong number of arguments")
        current = self._values[option.name]
        if option.kind.adds_up:
            added = option.kind.parse(_words_for(option, words), current)
            self._values[option.name] = added if first or not added else (*current, *added)
        else:
            self._values[option.name] = option.kind.parse(_words_for(option, words), current)
        self._origins[option.name] = directive.where

    # Options of modules.

    def register(
        self, options: Iterable[Option], given: Mapping[str, str] | None = None, owner: str = ""
    ) -> None:
        """Add a module's options, all or none, with their values if they are known already.

        Those are in the configuration file or, stronger, in `given` (MODULE LOADEX CONFIG). Raises
        ReplyError for a name that is taken, a value that does not fit, and a given name that no
        option claims.
        """
        added = list(options)
        wanted = {name.lower(): text for name, text in (given or {}).items()}
        values: dict[str, Any] = {}
        known = set(self._options)
        for option in added:
            names = (option.name, *option.aliases)
            taken = [name for name in names if name in known]
            if taken:
                raise ReplyError(f"ERR configuration option '{taken[0]}' already exists")
            known.update(names)
            values[option.name] = self._initial(option, names, wanted)
        if wanted:
            raise ReplyError(f"ERR module {owner or '?'} has no option '{next(iter(wanted))}'")
        for option in added:
            self._add(option, values[option.name])
            for name in (option.name, *option.aliases):
                directive = self.unclaimed.pop(name, None)
                if directive is not None:
                    self._origins[option.name] = directive.where

    def unregister(self, options: Iterable[Option]) -> None:
        """Remove options that `register` added, with their values."""
        for option in options:
            for name in (option.name, *option.aliases):
                self._options.pop(name, None)
            self._values.pop(option.name, None)
            self._origins.pop(option.name, None)
            self._subscribers = [(names - {option.name}, told) for names, told in self._subscribers]

    # How it is done.

    def _add(self, option: Option, value: Any) -> None:
        for name in (option.name, *option.aliases):
            self._options[name] = option
        self._values[option.name] = value

    def _initial(self, option: Option, names: Sequence[str], wanted: dict[str, str]) -> Any:
        """The value a new option starts with; takes what it uses out of `wanted`."""
        words: tuple[str, ...] | None = None
        for name in names:
            if name in self.unclaimed:
                words = self.unclaimed[name].words[1:]
        for name in names:
            if name in wanted:
                words = (wanted.pop(name),)
        if words is None:
            return option.default
        try:
            if len(words) != 1 and not option.kind.multiple:
                raise BadValue("wrong number of arguments")
            return option.kind.parse(_words_for(option, words), option.default)
        except BadValue as error:
            raise ReplyError(f"ERR invalid value for option '{option.name}': {error}") from None

    def _admit(
        self, pairs: Sequence[tuple[str, str]], address: str, loading: bool
    ) -> list[_Change]:
        """The changes that the names alone allow, in order."""
        changes: list[_Change] = []
        seen: set[str] = set()
        for name, text in pairs:
            lower = name.lower()
            option = self._options.get(lower)
            if option is None:
                raise ReplyError(
                    f"ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
                )
            if not option.mutable:
                raise _failed(name, "can't set immutable config")
            if option.protected and not self.allows("enable-protected-configs", address):
                raise _failed(name, "can't set protected config")
            if loading and option.deny_loading:
                raise ReplyError(LOADING)
            if lower in seen:
                raise _failed(name, "duplicate parameter")
            seen.add(lower)
            changes.append(_Change(option, lower, text))
        return changes

    def _parse(self, change: _Change, current: Any) -> None:
        kind = change.option.kind
        try:
            value = kind.parse(_words_for(change.option, (change.text,)), current)
        except BadValue as error:
            raise _failed(change.name, str(error)) from None
        self._values[change.option.name] = value

    def _differs(self, option: Option, before: Mapping[str, Any]) -> bool:
        return option.volatile or bool(self._values[option.name] != before[option.name])

    def _announce(self, changed: Mapping[str, str], before: Mapping[str, Any]) -> None:
        """Tell the subscribers; if one objects, put the values back and tell those who knew."""
        told: list[Subscriber] = []
        for names, subscriber in self._subscribers:
            touched = [name for name in changed if name in names]
            if not touched:
                continue
            told.append(subscriber)
            try:
                subscriber(self)
            except BaseException as error:
                self._values.update(before)
                for earlier in told:
                    # Who objects to the old value as well has been heard already.
                    with suppress(ReplyError):
                        earlier(self)
                if isinstance(error, ReplyError):
                    reason = error.text.removeprefix("ERR ")
                    raise _failed(changed[touched[0]], reason) from None
                raise


def is_local(address: str) -> bool:
    """Whether an address as CLIENT LIST shows it is of this machine: loopback, or a Unix socket."""
    return not address or address.startswith(("127.", "[::1]", "::1", "/"))


def pairs_of(words: Sequence[bytes]) -> list[tuple[str, str]]:
    """Names and texts from the arguments of CONFIG SET; an odd number is a syntax error."""
    if len(words) % 2:
        raise ReplyError(SYNTAX)
    texts = [decode(word) for word in words]
    return list(zip(texts[::2], texts[1::2], strict=True))


def _words_for(option: Option, words: Sequence[str]) -> Sequence[str]:
    """The words a kind parses: a lone word of a kind that takes several is split at its spaces."""
    return words[0].split(" ") if option.kind.multiple and len(words) == 1 else words


def _failed(name: str, reason: str) -> ReplyError:
    return ReplyError(f"ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
