"""Whether a user may do what a request asks for, and if not, what is in the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from balas.registry import flags
from balas.registry.keys import KeysNotFound, exact_flags
from balas.registry.spec import CommandSpec
from balas.services.acl.rules import READ, WRITE, Selector, User

# What was in the way, as ACL LOG calls it. Of several selectors that refuse, the one that came
# furthest is told of.
COMMAND, KEY, CHANNEL = "command", "key", "channel"
DEPTH = {COMMAND: 0, KEY: 1, CHANNEL: 2}

WRITING = flags.UPDATE | flags.INSERT | flags.DELETE
# Commands that name channels: where they begin and end, and whether they are patterns.
CHANNELS_OF = {
    "subscribe": (1, None, False),
    "ssubscribe": (1, None, False),
    "psubscribe": (1, None, True),
    "publish": (1, 2, False),
    "spublish": (1, 2, False),
}


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is refused: `reason` is COMMAND, KEY or CHANNEL, `subject` what is meant."""

    user: bytes
    reason: str
    subject: bytes

    @property
    def text(self) -> str:
        """The error for a client."""
        return f"NOPERM {self.hint}"

    @property
    def hint(self) -> str:
        """The text without its code. It does not tell which key or channel it was."""
        if self.reason == COMMAND:
            return self.detail
        return f"No permissions to access a {self.reason}"

    @property
    def detail(self) -> str:
        """The whole story, for administrators."""
        user, subject = (
            one.decode("utf-8", "surrogateescape") for one in (self.user, self.subject)
        )
        if self.reason == COMMAND:
            return f"User {user} has no permissions to run the '{subject}' command"
        return f"User {user} has no permissions to access the '{subject}' {self.reason}"


def judge(user: User, spec: CommandSpec, argv: Sequence[bytes]) -> Denial | None:
    """What stands against a request; None if one of the user's selectors allows all of it."""
    worst: Denial | None = None
    for selector in user.every_selector():
        denial = judge_by(selector, user, spec, argv)
        if denial is None:
            return None
        if worst is None or DEPTH[denial.reason] > DEPTH[worst.reason]:
            worst = denial
    return worst


def may_read_all(user: User, spec: CommandSpec, argv: Sequence[bytes]) -> bool:
    """Whether a selector that allows a request allows to read whatever key, too."""
    return any(
        selector.reads_all_keys and judge_by(selector, user, spec, argv) is None
        for selector in user.every_selector()
    )


def judge_by(
    selector: Selector, user: User, spec: CommandSpec, argv: Sequence[bytes]
) -> Denial | None:
    """What one selector has against a request."""
    if not spec.flags & flags.NO_AUTH and not selector.allows_command(spec, argv):
        return Denial(user.name, COMMAND, spec.name.encode())
    if not selector.all_keys:
        for key, wanted in keys_of(spec, argv):
            if not selector.allows_key(key, wanted):
                return Denial(user.name, KEY, key)
    if not selector.all_channels and spec.name in CHANNELS_OF:
        start, end, is_pattern = CHANNELS_OF[spec.name]
        for channel in argv[start:end]:
            if not selector.allows_channel(channel, is_pattern=is_pattern):
                return Denial(user.name, CHANNEL, channel)
    return None


def keys_of(spec: CommandSpec, argv: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
    """The keys of a request, each with what is done to it: READ, WRITE, both or neither."""
    if not spec.key_specs:
        return
    try:
        places = spec.key_positions(argv)
    except KeysNotFound:
        return
    wanted: dict[int, int] = {}
    for keys in spec.key_specs:
        if keys.flags & flags.INCOMPLETE or keys.flags & flags.NOT_KEY:
            continue
        try:
            exact = permissions(exact_flags(spec.name, argv, keys.flags))
            wanted.update(dict.fromkeys(keys.positions(argv), exact))
        except KeysNotFound:
            continue
    otherwise = permissions(spec.key_specs[-1].flags)
    for place in places:
        yield argv[place], wanted.get(place, otherwise)


def permissions(key_flags: int) -> int:
    """What a key specification's flags say is done to a key's content."""
    return (READ if key_flags & flags.ACCESS else 0) | (WRITE if key_flags & WRITING else 0)
