r"""Transcripts: one script, played to two servers, whose replies must match.

A transcript is a text file with one command a line, quoted as in redis-cli:

    # a comment
    SET k "caf\xc3\xa9" EX 100
    @approx 1
    TTL k
    => 100

A line that starts with `=>` gives the reply expected of the line before, in the notation of
`balas.testing.wire`; it is optional, and checked on every server. Lines that start with `@` direct:

    @client NAME          the lines after this one are sent by that client ("a" to begin with)
    @resp 2|3             that client says HELLO
    @send COMMAND         sent, but the reply is not awaited (a command that blocks)
    @read                 awaits the next reply or message
    @push                 awaits the next out-of-band message (RESP3)
    @raw TEXT             sends TEXT (escapes in double quotes) as it is and awaits one reply
    @closed               the server must hang up on this client
    @blocked N            waits until N clients are blocked
    @sleep MS             lets time pass: a fake clock moves, a real one is waited for
    @config NAME VALUE    CONFIG SET for the rest of the transcript

and these say how the reply of the next command is compared:

    @sorted [deep]        the order of the elements (deep: of inner ones, too) does not matter
    @pairs                a flat array of pairs, or a map, in any order
    @approx DELTA         numbers may differ by DELTA
    @error-code           of an error, only the first word counts
    @shape                only the types and lengths count, not the values
    @ignore               the reply does not count
    @skip-real REASON     played to Balas alone; a `=>` line must say what is expected
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from difflib import ndiff
from pathlib import Path
from typing import Any, Protocol, Self

from balas.testing.clients import Client
from balas.testing.server_process import wait_until
from balas.testing.wire import Typed, show, split_arguments

LONG = 90


class Server(Protocol):
    """What a transcript needs of a server."""

    def client(self, *, resp: int = 2, typed: bool = False, timeout_s: float = 10.0) -> Client:
        """A new connection."""

    def sleep_ms(self, duration_ms: int) -> None:
        """Let time pass on the server's clock."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a reply is compared: the directives that apply, and by how much numbers may differ."""

    ways: frozenset[str] = frozenset()
    delta: float = 0.0

    def same(self, one: Typed, other: Typed) -> bool:
        """Whether two replies count as equal."""
        if "ignore" in self.ways:
            return True
        return _near(self._canonical(one), self._canonical(other), self.delta)

    def meets(self, reply: Typed, expected: str) -> bool:
        """Whether a reply is what a `=>` line says, compared in the same ways."""
        if self.delta and isinstance(reply.value, int | bytes):
            return _close(reply.value, expected.strip('"'), self.delta)
        # Blanks at the end of a line of a transcript do not count: editors remove them.
        return show(self._canonical(reply)).rstrip() == expected

    def _canonical(self, reply: Typed) -> Typed:
        if reply.is_error:
            word = reply.value.split(b" ")[0]
            return replace(reply, value=word) if self.ways & {"error-code", "shape"} else reply
        if "pairs" in self.ways:
            reply = _pairs_sorted(reply)
        if "sorted" in self.ways:
            reply = _sorted(reply, deep="deep" in self.ways)
        return _shape(reply) if "shape" in self.ways else reply


@dataclass(frozen=True, slots=True)
class Step:
    """One line to play: what is done, with which arguments, and how its reply is compared."""

    line: int
    text: str
    action: str
    arguments: tuple[bytes, ...] = ()
    comparison: Comparison = field(default_factory=Comparison)
    expected: str | None = None
    balas_only: bool = False


class Transcript:
    """A parsed transcript; `parse` and `load` raise ValueError that names the faulty line."""

    def __init__(self, name: str, steps: list[Step]) -> None:
        self.name = name
        self.steps = steps

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file."""
        return cls.parse(path.read_text(), path.name)

    @classmethod
    def parse(cls, text: str, name: str = "transcript") -> Self:
        """Read a text."""
        parser = _Parser()
        for number, line in enumerate(text.splitlines(), 1):
            try:
                parser.take(number, line.strip())
            except ValueError as error:
                raise ValueError(f"{name}:{number}: {error}") from None
        try:
            parser.finish()
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        return cls(name, parser.steps)

    def play(self, server: Server, *, real: bool = False) -> dict[int, Typed]:
        """Play to one server from an empty keyspace; the replies by line number.

        With `real`, the steps meant for Balas alone are left out.
        """
        player = _Player(server)
        replies = {}
        try:
            for step in self.steps:
                if not (real and step.balas_only):
                    try:
                        reply = player.act(step)
                    except (TimeoutError, ConnectionError, AssertionError) as error:
                        place = f"{self.name}:{step.line}: {step.text}"
                        who = "the real server" if real else "Balas"
                        raise AssertionError(f"{place}\n    {who}: {error}") from error
                    if reply is not None:
                        replies[step.line] = reply
        finally:
            player.close()
        return replies

    def check(self, balas: Server, real: Server | None = None) -> None:
        """Play to Balas, and to the real server if given; AssertionError shows all differences."""
        replies = self.play(balas)
        real_replies = self.play(real, real=True) if real is not None else {}
        wrong = [
            complaint
            for step in self.steps
            if step.line in replies
            for complaint in _complaints(step, replies[step.line], real_replies.get(step.line))
        ]
        if wrong:
            raise AssertionError("\n".join(f"{self.name}:{line}" for line in wrong))


class _Parser:
    """Turns lines into steps, keeping the directives that wait for their command."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._ways: set[str] = set()
        self._delta = 0.0
        self._balas_only = False

    def take(self, number: int, line: str) -> None:
        """Take in one line, stripped of blanks."""
        if not line or line.startswith("#"):
            return
        if line.startswith("=>"):
            self._expect(line[2:].strip())
        elif line.startswith("@"):
            word, _, rest = line[1:].partition(" ")
            self._direct(number, line, word, rest.strip())
        else:
            self._add(number, line, "command", line)

    def finish(self) -> None:
        """Complain of what lacks its other half."""
        if self._ways or self._balas_only:
            raise ValueError("a directive at the end has no command")
        for step in self.steps:
            if step.balas_only and step.expected is None:
                raise ValueError(f"line {step.line}: @skip-real needs a => line")

    def _direct(self, number: int, line: str, word: str, rest: str) -> None:
        if word in ("sorted", "pairs", "error-code", "shape", "ignore"):
            if rest and (word, rest) != ("sorted", "deep"):
                raise ValueError(f"@{word} does not take {rest!r}")
            self._ways |= {word, rest} - {""}
        elif word == "approx":
            self._ways.add(word)
            self._delta = float(rest)
        elif word == "skip-real":
            if not rest:
                raise ValueError("@skip-real needs a reason")
            self._balas_only = True
        elif word in _ACTIONS and word != "command":
            self._add(number, line, word, rest)
        else:
            raise ValueError(f"no directive @{word}")

    def _add(self, number: int, line: str, action: str, rest: str) -> None:
        arguments = tuple(split_arguments(rest))
        comparison = Comparison(frozenset(self._ways), self._delta)
        self.steps.append(
            Step(number, line, action, arguments, comparison, balas_only=self._balas_only)
        )
        self._ways, self._delta, self._balas_only = set(), 0.0, False

    def _expect(self, text: str) -> None:
        if not self.steps or self.steps[-1].action not in _REPLYING:
            raise ValueError("=> follows no reply")
        if "ignore" in self.steps[-1].comparison.ways:
            raise ValueError("=> after @ignore would not be looked at")
        self.steps[-1] = replace(self.steps[-1], expected=text)


class _Player:
    """Plays steps to one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._admin = server.client()
        self._admin("FLUSHALL")
        self._clients: dict[bytes, Client] = {}
        self._name = b"a"
        self._saved_config: dict[bytes, bytes] = {}

    @property
    def _client(self) -> Client:
        if self._name not in self._clients:
            self._clients[self._name] = self._server.client(typed=True)
        return self._clients[self._name]

    def act(self, step: Step) -> Typed | None:
        """Do one step; its reply, if it has one."""
        return _ACTIONS[step.action](self, step)

    def close(self) -> None:
        """Hang up everywhere and put the configuration back."""
        for client in self._clients.values():
            client.close()
        for name, value in self._saved_config.items():
            self._admin("CONFIG", "SET", name, value)
        self._admin.close()

    def command(self, step: Step) -> Typed:
        self._client.send(*step.arguments)
        return self.read(step)

    def read(self, step: Step) -> Typed:
        reply: Typed = self._client.read()
        return reply

    def push(self, step: Step) -> Typed:
        message: Typed = self._client.push()
        return message

    def send(self, step: Step) -> None:
        self._client.send(*step.arguments)

    def raw(self, step: Step) -> Typed:
        self._client.send_raw(b"".join(step.arguments))
        return self.read(step)

    def use_client(self, step: Step) -> None:
        (self._name,) = step.arguments

    def hello(self, step: Step) -> None:
        reply = self._client("HELLO", *step.arguments)
        if reply.is_error:
            raise AssertionError(str(reply))

    def closed(self, step: Step) -> None:
        rest = self._client.read_to_end()
        if rest:
            raise AssertionError(f"hung up only after {rest!r}")
        self._clients.pop(self._name).close()

    def blocked(self, step: Step) -> None:
        awaited = b"blocked_clients:%d\r\n" % int(step.arguments[0])
        wait_until(lambda: awaited in self._admin("INFO", "clients"), 5, str(awaited))

    def sleep(self, step: Step) -> None:
        self._server.sleep_ms(int(step.arguments[0]))

    def config(self, step: Step) -> None:
        name, value = step.arguments
        before = self._admin("CONFIG", "GET", name)
        self._saved_config.setdefault(name, before[1])
        self._admin("CONFIG", "SET", name, value)


_ACTIONS: dict[str, Callable[[_Player, Step], Typed | None]] = {
    "command": _Player.command,
    "read": _Player.read,
    "push": _Player.push,
    "send": _Player.send,
    "raw": _Player.raw,
    "client": _Player.use_client,
    "resp": _Player.hello,
    "closed": _Player.closed,
    "blocked": _Player.blocked,
    "sleep": _Player.sleep,
    "config": _Player.config,
}
_REPLYING = {"command", "read", "push", "raw"}


def _complaints(step: Step, balas: Typed, real: Typed | None) -> Iterator[str]:
    head = f"{step.line}: {step.text}"
    meets = step.comparison.meets
    if real is not None and not step.comparison.same(balas, real):
        yield f"{head}\n{describe_difference(real, balas)}"
    if step.expected is None:
        return
    if real is not None and not meets(real, step.expected):
        yield f"{head}\n    the transcript expects {step.expected}\n    real   {real}"
    elif not meets(balas, step.expected):
        yield f"{head}\n    expected {step.expected}\n    balas    {balas}"


def describe_difference(real: Typed, balas: Typed) -> str:
    """Two replies that differ, for people: whole if they are short, else what is in one only."""
    if show(real) == show(balas):
        return f"    real   {real} as {real.kind!r}\n    balas  {balas} as {balas.kind!r}"
    if max(len(show(real)), len(show(balas))) <= LONG:
        return f"    real   {real}\n    balas  {balas}"
    changes = ndiff(list(_lines(real)), list(_lines(balas)))
    kept = [f"    {line}" for line in changes if line[0] in "+-"]
    return "    - is only in the real reply, + only in that of Balas\n" + "\n".join(kept)


def _lines(reply: Typed, indent: str = "") -> Iterator[str]:
    """The reply with one leaf a line, for a diff of long ones."""
    if not isinstance(reply.value, tuple):
        yield indent + show(reply)
        return
    yield f"{indent}{reply.kind}{len(reply.value)}"
    for item in reply.value:
        for one in item if isinstance(item, tuple) else (item,):
            yield from _lines(one, indent + "  ")


def _sorted(reply: Typed, deep: bool) -> Typed:
    if reply.kind == "%" or not isinstance(reply.value, tuple):
        return reply
    items = [_sorted(item, True) for item in reply.value] if deep else list(reply.value)
    return replace(reply, value=tuple(sorted(items, key=show)))


def _pairs_sorted(reply: Typed) -> Typed:
    flat = reply.kind != "%"
    if not isinstance(reply.value, tuple) or (flat and len(reply.value) % 2):
        return reply
    pairs = list(zip(reply.value[::2], reply.value[1::2], strict=True)) if flat else reply.value
    ordered = sorted(pairs, key=lambda pair: (show(pair[0]), show(pair[1])))
    value: tuple[Any, ...] = tuple(item for pair in ordered for item in pair) if flat else ()
    return replace(reply, value=value if flat else tuple(ordered))


def _shape(reply: Typed) -> Typed:
    """The reply with its leaves blanked."""
    if not isinstance(reply.value, tuple):
        return replace(reply, value=None if reply.value is None else b"")
    if reply.kind == "%":
        return replace(reply, value=tuple((n, _shape(v)) for n, v in reply.value))
    return replace(reply, value=tuple(map(_shape, reply.value)))


def _near(one: Typed, other: Typed, delta: float) -> bool:
    if one.kind != other.kind or delta == 0:
        return one == other
    if isinstance(one.value, tuple) and isinstance(other.value, tuple):
        ones, others = list(_leaves(one)), list(_leaves(other))
        same_shape = _shape(one) == _shape(other)
        return same_shape and all(map(lambda a, b: _near(a, b, delta), ones, others))
    try:
        return _close(one.value, other.value, delta)
    except (TypeError, ValueError):
        return one == other


def _close(one: Any, other: Any, delta: float) -> bool:
    # Decimal fractions that differ by just DELTA differ by a little more in binary.
    return abs(float(one) - float(other)) <= delta * (1 + 1e-9)


def _leaves(reply: Typed) -> Iterator[Typed]:
    if not isinstance(reply.value, tuple):
        yield reply
        return
    for item in reply.value:
        for one in item if isinstance(item, tuple) else (item,):
            yield from _leaves(one)
