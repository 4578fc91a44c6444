"""What can stand between a request and its command, in Redis's order.

A gate looks at a command that is about to run and lets it pass (returns None), refuses it (raises
ReplyError), or answers in its place (returns a reply). Gates are asked only while the server or the
client has one of their bits of `engine.attention` set; services add theirs with `Gates.add`.

EXEC stands for all that it will run: a gate that judges by flags asks `carried` and `lacking`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from balas.engine import attention
from balas.engine.client import Client, Suspended
from balas.errors import LOADING, NO_AUTH, ReplyError
from balas.protocol.replies import QUEUED, Reply
from balas.registry import flags
from balas.registry.spec import CommandSpec

if TYPE_CHECKING:
    from balas.engine.dispatch import Engine

GateFunction = Callable[[Client, CommandSpec, list[bytes]], Reply]

# The order in which Redis asks; a service picks the constant of its gate.
ORDER_AUTH: Final = 10
ORDER_ACL: Final = 20
ORDER_MEMORY: Final = 30
ORDER_DISK: Final = 40
ORDER_REPLICAS: Final = 45
ORDER_READ_ONLY: Final = 50
ORDER_SUBSCRIBED: Final = 60
ORDER_STALE: Final = 65
ORDER_LOADING: Final = 70
ORDER_BUSY: Final = 80
ORDER_PAUSED: Final = 90
ORDER_MULTI: Final = 100
ORDER_MONITOR: Final = 110

SUBSCRIBED_COMMANDS: Final = frozenset(
    (
        *("subscribe", "psubscribe", "ssubscribe"),
        *("unsubscribe", "punsubscribe", "sunsubscribe"),
        *("ping", "quit", "reset"),
    )
)
# Commands that act on the transaction under way instead of being queued in it.
NEVER_QUEUED: Final = frozenset(("exec", "discard", "multi", "watch", "quit", "reset"))

# Bytes of replies that a client may leave unread before it has authenticated.
UNAUTHENTICATED_OUTPUT_MAX: Final = 17 * 1024


@dataclass(frozen=True, slots=True)
class Gate:
    """A function, the attention bits that make it matter, and its place in the order."""

    order: int
    bits: int
    function: GateFunction


class Gates:
    """The gates of one server, in order."""

    def __init__(self) -> None:
        self._gates: tuple[Gate, ...] = ()
        # Those that matter while these bits are set: few sets of bits ever occur.
        self._asked: dict[int, tuple[GateFunction, ...]] = {}

    def add(self, order: int, bits: int, function: GateFunction) -> None:
        """Ask `function(client, spec, argv)` while one of the bits is set."""
        added = (*self._gates, Gate(order, bits, function))
        self._gates = tuple(sorted(added, key=lambda gate: gate.order))
        self._asked.clear()

    def ask(self, bits: int, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """Ask the gates in order; the first answer, or None if all let the command pass."""
        functions = self._asked.get(bits)
        if functions is None:
            functions = self._asked[bits] = self._mattering(bits)
        for function in functions:
            answer = function(client, spec, argv)
            if answer is not None:
                return answer
        return None

    def _mattering(self, bits: int) -> tuple[GateFunction, ...]:
        """The functions, in order, that care for one of the bits."""
        return tuple(gate.function for gate in self._gates if gate.bits & bits)


class CoreGates:
    """The gates that the engine itself needs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        gates = engine.gates
        gates.add(ORDER_AUTH, attention.UNAUTHENTICATED, self.authentication)
        gates.add(ORDER_MEMORY, attention.MEMORY, self.memory)
        gates.add(ORDER_SUBSCRIBED, attention.SUBSCRIBED, self.subscribed)
        gates.add(ORDER_LOADING, attention.LOADING, self.loading)
        gates.add(ORDER_PAUSED, attention.PAUSED, self.paused)
        gates.add(ORDER_MULTI, attention.MULTI, self.multi)

    def authentication(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """Nothing before AUTH but what leads there."""
        if client.output_pending > UNAUTHENTICATED_OUTPUT_MAX:
            self._engine.stats.output_limit_disconnections += 1
            self._engine.close(client, at_once=True)
            return self._engine.WAITING
        if not spec.flags & flags.NO_AUTH:
            raise ReplyError(NO_AUTH)
        return None

    def memory(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """No more data when memory is full and nothing can be evicted."""
        self._engine.make_room(client, spec)

    def subscribed(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """A RESP2 client with subscriptions cannot tell replies from messages."""
        if client.resp == 2 and spec.name not in SUBSCRIBED_COMMANDS:
            raise ReplyError(
                f"ERR Can't execute '{spec.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / "
                "QUIT / RESET are allowed in this context"
            )

    def loading(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """Few commands make sense before the data is there."""
        if lacking(client, spec) & flags.LOADING:
            raise ReplyError(LOADING)

    def paused(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """CLIENT PAUSE: the request waits and is run when the pause is over."""
        if self._engine.pause.applies(client, spec):
            client.suspend(Suspended.PAUSED)
            client.pending.insert(0, argv)
            self._engine.pause.waiting[client.id] = client
            return self._engine.WAITING
        return None

    def multi(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """Inside MULTI a command is queued."""
        if client.queue is None or spec.name in NEVER_QUEUED:
            return None
        if spec.flags & flags.NO_MULTI:
            raise ReplyError("ERR Command not allowed inside a transaction")
        client.queue.append((spec, argv))
        client.queue_bytes += sum(map(len, argv))
        client.queue_flags |= spec.flags
        client.queue_lacks |= ~spec.flags
        return QUEUED


def carried(client: Client, spec: CommandSpec) -> int:
    """The flags of a command; EXEC has those of any command it will run."""
    if client.queue is not None and spec.name == "exec":
        return spec.flags | client.queue_flags
    return spec.flags


def lacking(client: Client, spec: CommandSpec) -> int:
    """The flags that a command has not; EXEC lacks those that any command it will run lacks."""
    if client.queue is not None and spec.name == "exec":
        return ~spec.flags | client.queue_lacks
    return ~spec.flags
