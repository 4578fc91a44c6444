"""Users and the rules they are made of: `on`, `>password`, `+@read`, `-config|set`, `~key:*`.

A user has one root selector and may have more, each in parentheses; a request is allowed if one of
them allows all of it. What a selector says of commands is kept as the rules that were given, in
order and without those that later ones made pointless: the last rule that speaks of a command
decides. So commands of modules that are loaded later are judged by the same rules.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from balas.registry.spec import CommandSpec
from balas.registry.table import CommandTable
from balas.structures.glob import match

UNKNOWN_COMMAND = "Unknown command or category name in ACL"
TOO_DEEP = "Allowing first-arg of a subcommand is not supported"
SYNTAX_ERROR = "Syntax error"
BAD_HASH = (
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal "
    "characters"
)
NO_PASSWORD = "The password you are trying to remove from the user does not exist"
AFTER_ALL_KEYS = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have "
    "any effect. Try 'resetkeys' to start with an empty list of patterns"
)
AFTER_ALL_CHANNELS = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not "
    "have any effect. Try 'resetchannels' to start with an empty list of channels"
)

HASH = re.compile(rb"[0-9a-f]{64}")
ALL = "@all"
READ = 1
WRITE = 2
PERMISSION_MARKS = {READ: b"%R~", WRITE: b"%W~", READ | WRITE: b"~"}


class BadRule(Exception):
    """A rule that makes no sense; the text is the reason as ACL SETUSER gives it."""


def hashed(password: bytes) -> bytes:
    """How passwords are kept: 64 hexadecimal digits of SHA-256."""
    return hashlib.sha256(password).hexdigest().encode()


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """Keys that may be read (READ), written (WRITE) or both."""

    pattern: bytes
    permissions: int

    def __bytes__(self) -> bytes:
        return PERMISSION_MARKS[self.permissions] + self.pattern

    def allows(self, key: bytes, wanted: int) -> bool:
        """Whether all that is wanted of this key is allowed."""
        return self.permissions & wanted == wanted and match(self.pattern, key)


@dataclass
class Selector:
    """One set of commands, keys and channels.

    Attributes:
        rules: of commands: "+get", "-@dangerous", "+config|get", "+select|1", in order.
        keys, channels: patterns; all of them where `all_keys`, `all_channels`.
    """

    rules: list[str] = field(default_factory=list)
    keys: list[KeyPattern] = field(default_factory=list)
    channels: list[bytes] = field(default_factory=list)
    all_keys: bool = False
    all_channels: bool = False
    _verdicts: dict[CommandSpec, bool] = field(default_factory=dict, repr=False, compare=False)

    def copy(self) -> Selector:
        """One that can be changed alone."""
        return Selector(
            list(self.rules), list(self.keys), list(self.channels), self.all_keys, self.all_channels
        )

    @property
    def all_commands(self) -> bool:
        """Whether every command is allowed, as far as rules alone can tell."""
        return self.rules == ["+@all"]

    @property
    def is_unrestricted(self) -> bool:
        """Whether nothing at all is forbidden."""
        return self.all_commands and self.all_keys and self.all_channels

    @property
    def reads_all_keys(self) -> bool:
        """Whether every key may be read."""
        return self.all_keys or any(
            one.pattern == b"*" and one.permissions & READ for one in self.keys
        )

    # --- what is allowed -------------------------------------------------------------------------

    def allows_command(self, spec: CommandSpec, argv: Sequence[bytes]) -> bool:
        """Whether the rules allow a command with these words."""
        verdict = self._verdicts.get(spec)
        if verdict is None:
            verdict = self._verdicts[spec] = self._judge(spec)
        return verdict or self._allows_first_argument(spec, argv)

    def _judge(self, spec: CommandSpec) -> bool:
        parent = spec.parent.name if spec.parent is not None else None
        for rule in reversed(self.rules):
            name = rule[1:]
            if name == ALL or name in (spec.name, parent):
                return rule[0] == "+"
            if name[0] == "@" and name[1:] in spec.categories:
                return rule[0] == "+"
        return False

    def _allows_first_argument(self, spec: CommandSpec, argv: Sequence[bytes]) -> bool:
        """Rules such as +select|1, of commands that have no subcommands."""
        if spec.parent is not None or len(argv) < 2:
            return False
        wanted = f"+{spec.name}|{argv[1].decode('latin-1').lower()}"
        return wanted in self.rules

    def allows_key(self, key: bytes, wanted: int) -> bool:
        """Whether a key may be read and written as is wanted."""
        return self.all_keys or any(one.allows(key, wanted) for one in self.keys)

    def allows_channel(self, channel: bytes, *, is_pattern: bool) -> bool:
        """Whether a channel may be used; a pattern of channels only if it stands here literally."""
        if self.all_channels:
            return True
        if is_pattern:
            return channel in self.channels
        return any(match(pattern, channel) for pattern in self.channels)

    # --- rules -----------------------------------------------------------------------------------

    def apply(self, rule: bytes, commands: CommandTable) -> None:
        """Change the selector by one rule. Raises BadRule."""
        lowered = rule.lower()
        if lowered in (b"allkeys", b"~*"):
            self.all_keys, self.keys = True, []
        elif lowered == b"resetkeys":
            self.all_keys, self.keys = False, []
        elif lowered in (b"allchannels", b"&*"):
            self.all_channels, self.channels = True, []
        elif lowered == b"resetchannels":
            self.all_channels, self.channels = False, []
        elif lowered == b"allcommands":
            self._set_all("+")
        elif lowered == b"nocommands":
            self._set_all("-")
        elif rule[:1] in (b"~", b"%"):
            self._add_key(rule)
        elif rule[:1] == b"&":
            self._add_channel(rule[1:])
        elif rule[:1] in (b"+", b"-"):
            self._add_command(lowered.decode("latin-1"), commands)
        else:
            raise BadRule(SYNTAX_ERROR)

    def _set_all(self, sign: str) -> None:
        self.rules = [f"{sign}{ALL}"]
        self._verdicts = {}

    def _add_key(self, rule: bytes) -> None:
        if self.all_keys:
            raise BadRule(AFTER_ALL_KEYS)
        permissions, pattern = key_pattern(rule)
        for i, known in enumerate(self.keys):
            if known.pattern == pattern:
                self.keys[i] = KeyPattern(pattern, known.permissions | permissions)
                return
        self.keys.append(KeyPattern(pattern, permissions))

    def _add_channel(self, pattern: bytes) -> None:
        if self.all_channels:
            raise BadRule(AFTER_ALL_CHANNELS)
        if pattern not in self.channels:
            self.channels.append(pattern)

    def _add_command(self, rule: str, commands: CommandTable) -> None:
        sign, name = rule[0], rule[1:]
        if name == ALL:
            self._set_all(sign)
            return
        if name.startswith("@"):
            if name[1:] not in categories_of(commands):
                raise BadRule(UNKNOWN_COMMAND)
            pointless = {name}
        else:
            check_command(sign, name, commands)
            pointless = {name, *(one[1:] for one in self.rules if one[1:].startswith(f"{name}|"))}
        self.rules = [one for one in self.rules if one[1:] not in pointless] + [rule]
        self._verdicts = {}

    # --- as text ---------------------------------------------------------------------------------

    def describe_commands(self) -> bytes:
        """The rules of commands, beginning with what holds for all others."""
        rules = self.rules
        if not rules or rules[0][1:] != ALL:
            rules = [f"-{ALL}", *rules]
        return " ".join(rules).encode("latin-1")

    def describe_keys(self) -> bytes:
        """The patterns of keys."""
        return b"~*" if self.all_keys else b" ".join(map(bytes, self.keys))

    def describe_channels(self) -> bytes:
        """The patterns of channels."""
        return b"&*" if self.all_channels else b" ".join(b"&" + one for one in self.channels)

    def words(self) -> Iterator[bytes]:
        """The rules that make an equal selector of an empty one."""
        if keys := self.describe_keys():
            yield keys
        if self.all_channels:
            yield b"&*"
        else:
            yield b"resetchannels"
            yield from (b"&" + one for one in self.channels)
        yield self.describe_commands()


def key_pattern(rule: bytes) -> tuple[int, bytes]:
    """Permissions and pattern of a rule such as ~k or %R~k. Raises BadRule."""
    if rule[:1] == b"~":
        return READ | WRITE, rule[1:]
    letters, tilde, pattern = rule[1:].partition(b"~")
    permissions = 0
    for letter in letters.upper():
        permissions |= {82: READ, 87: WRITE}.get(letter, 4)
    if not tilde or not permissions or permissions > READ | WRITE:
        raise BadRule(SYNTAX_ERROR)
    return permissions, pattern


def categories_of(commands: CommandTable) -> set[str]:
    """Every category that some command is in."""
    return {category for spec in commands.every() for category in spec.categories}


def check_command(sign: str, name: str, commands: CommandTable) -> None:
    """Raise BadRule unless a rule may name this command, subcommand or first argument."""
    command, bar, rest = name.partition("|")
    spec = commands.find(command.encode("latin-1"))
    if spec is None or (bar and not rest):
        raise BadRule(UNKNOWN_COMMAND)
    if not bar:
        return
    if spec.subcommands is not None:
        subcommand, deeper, _ = rest.partition("|")
        if subcommand.encode("latin-1") not in spec.subcommands:
            raise BadRule(UNKNOWN_COMMAND)
        if deeper:
            raise BadRule(TOO_DEEP if sign == "+" else UNKNOWN_COMMAND)
    elif sign == "-" or "|" in rest:
        raise BadRule(UNKNOWN_COMMAND)


@dataclass(eq=False)
class User:
    """One user.

    Attributes:
        name: as clients give it to AUTH.
        enabled: may log in. no_password: with any password. sanitize: its RESTORE payloads are
        checked in depth; Balas does so always.
        passwords: hashed, in the order in which they were given.
        root, selectors: what it may do.
    """

    name: bytes
    enabled: bool = False
    no_password: bool = False
    sanitize: bool = True
    passwords: list[bytes] = field(default_factory=list)
    root: Selector = field(default_factory=Selector)
    selectors: list[Selector] = field(default_factory=list)

    def copy(self) -> User:
        """One that can be changed alone."""
        return User(
            self.name,
            self.enabled,
            self.no_password,
            self.sanitize,
            list(self.passwords),
            self.root.copy(),
            [one.copy() for one in self.selectors],
        )

    def every_selector(self) -> Iterator[Selector]:
        """The root selector, then the others."""
        yield self.root
        yield from self.selectors

    @property
    def is_unrestricted(self) -> bool:
        """Whether nothing at all is forbidden."""
        return any(one.is_unrestricted for one in self.every_selector())

    def apply(self, rule: bytes, commands: CommandTable, *, all_channels: bool) -> None:
        """Change the user by one rule; `all_channels` is what `reset` gives. Raises BadRule."""
        lowered = rule.lower()
        action = ACTIONS.get(lowered)
        if not rule:
            return
        if action is not None:
            action(self)
        elif lowered == b"reset":
            self.reset(all_channels=all_channels)
        elif rule[:1] in b"><#!":
            self._change_password(rule)
        elif rule[:1] == b"(":
            self.selectors.append(selector_of(rule, commands))
        else:
            self.root.apply(rule, commands)

    def reset(self, *, all_channels: bool) -> None:
        """Make it what a new user is."""
        fresh = User(self.name)
        fresh.root.all_channels = all_channels
        self.__dict__.update(fresh.__dict__)

    def _change_password(self, rule: bytes) -> None:
        sign, text = rule[:1], rule[1:]
        if sign in b"#!" and not HASH.fullmatch(text):
            raise BadRule(BAD_HASH)
        password = text if sign in b"#!" else hashed(text)
        if sign in b">#":
            if password not in self.passwords:
                self.passwords.append(password)
            self.no_password = False
        elif password in self.passwords:
            self.passwords.remove(password)
        else:
            raise BadRule(NO_PASSWORD)

    def flags(self) -> list[bytes]:
        """What ACL GETUSER calls flags."""
        found = [b"on" if self.enabled else b"off"]
        if self.no_password:
            found.append(b"nopass")
        found.append(b"sanitize-payload" if self.sanitize else b"skip-sanitize-payload")
        return found

    def describe(self) -> bytes:
        """The rules that make an equal user, as ACL LIST and files have them."""
        words = [*self.flags(), *(b"#" + one for one in self.passwords), *self.root.words()]
        words += [b"(%s)" % b" ".join(one.words()) for one in self.selectors]
        return b" ".join(words)


def _enable(user: User) -> None:
    user.enabled = True


def _disable(user: User) -> None:
    user.enabled = False


def _need_no_password(user: User) -> None:
    user.no_password = True
    user.passwords.clear()


def _forget_passwords(user: User) -> None:
    user.no_password = False
    user.passwords.clear()


def _sanitize(user: User) -> None:
    user.sanitize = True


def _skip_sanitizing(user: User) -> None:
    user.sanitize = False


def _clear_selectors(user: User) -> None:
    user.selectors.clear()


# Rules that are a word.
ACTIONS = {
    b"on": _enable,
    b"off": _disable,
    b"nopass": _need_no_password,
    b"resetpass": _forget_passwords,
    b"sanitize-payload": _sanitize,
    b"skip-sanitize-payload": _skip_sanitizing,
    b"clearselectors": _clear_selectors,
}


def selector_of(rule: bytes, commands: CommandTable) -> Selector:
    """The selector that "(+get ~k)" stands for. Raises BadRule."""
    made = Selector()
    if rule[-1:] != b")":
        raise BadRule("Unmatched parenthesis in selector definition.")
    for word in rule[1:-1].split():
        made.apply(word, commands)
    return made


def joined(words: Iterable[bytes]) -> list[bytes]:
    """Rules with those of a selector joined to one, as they may come in several words.

    Raises BadRule for a parenthesis that is not closed; the text is then the whole error.
    """
    found: list[bytes] = []
    parts: list[bytes] = []
    for word in words:
        if not parts and not word.startswith(b"("):
            found.append(word)
            continue
        parts.append(word)
        if word.endswith(b")"):
            found.append(b" ".join(parts))
            parts = []
    if parts:
        start = parts[0].decode("utf-8", "surrogateescape")
        raise BadRule(f"Unmatched parenthesis in acl selector starting at '{start}'.")
    return found
