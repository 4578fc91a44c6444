"""Client-side caching: clients are told when keys change that they may have kept.

By default the server remembers which client has read which key, and tells it once: what has been
told is forgotten until the key is read again. With BCAST a client is told of every key with one of
its prefixes, and nothing is remembered. Messages go to the client itself (RESP3), or to another one
that listens to a channel for it (REDIRECT).

Reads are noted just before the command runs, for whatever it finds is what the client keeps. Keys
are the same in all databases, as in Redis: a change in one tells of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from balas.engine import attention
from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.engine.records import Change
from balas.errors import ReplyError, printable
from balas.protocol.replies import Push, Reply
from balas.protocol.writer import encode
from balas.registry.flags import READONLY
from balas.registry.keys import KeysNotFound
from balas.registry.spec import CommandSpec
from balas.services.clients import Clients
from balas.services.config.store import Config

# After the gate of MULTI: what is queued is not read yet.
ORDER_TRACKING = 105
CHANNEL = b"__redis__:invalidate"
# What these read counts by the commands that they call, not by the keys that they are given.
SCRIPTS = frozenset(("eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro"))
# Events that leave a key as it is.
UNCHANGED = frozenset(("keymiss", "new", "overwritten", "type_changed"))
# Events that no client has brought about.
BY_NOBODY = frozenset(("expired", "evicted"))
SWITCH_BROADCAST = (
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then "
    "re-enabling it with a different mode."
)
SWITCH_OPTION = (
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then "
    "re-enabling it with a different mode."
)


@dataclass(eq=False)
class Tracked:
    """How one client wants to be told.

    Attributes:
        redirect: the id of the client that gets the messages; 0 for the client itself.
        prefixes: of BCAST; the empty one stands for all keys.
        opt_in, opt_out: reads count only after CLIENT CACHING YES, or unless after NO.
        caching: CLIENT CACHING was the last command.
        caching_script: it was before a script, which began since: it holds till another command.
        broken: the client of `redirect` has gone.
    """

    client: Client
    redirect: int = 0
    broadcast: bool = False
    no_loop: bool = False
    opt_in: bool = False
    opt_out: bool = False
    prefixes: list[bytes] = field(default_factory=list)
    caching: bool = False
    caching_script: bool = False
    broken: bool = False

    def flags(self) -> list[bytes]:
        """What CLIENT TRACKINGINFO tells."""
        words = [
            (b"on", True),
            (b"bcast", self.broadcast),
            (b"optin", self.opt_in),
            (b"caching-yes", self.opt_in and self.caching),
            (b"optout", self.opt_out),
            (b"caching-no", self.opt_out and self.caching),
            (b"noloop", self.no_loop),
            (b"broken_redirect", self.broken),
        ]
        return [word for word, holds in words if holds]


class Tracking:
    """Who is to be told of what, for one server."""

    def __init__(self, engine: Engine, config: Config, clients: Clients) -> None:
        self._engine = engine
        self._config = config
        self._clients: dict[int, Tracked] = {}
        self._readers: dict[bytes, set[int]] = {}
        # For each prefix that someone wants: the keys that changed since the last message, each
        # with the client that changed it last.
        self._broadcasts: dict[bytes, dict[bytes, int]] = {}
        self._broadcast_due = False
        self._voided_by = -1
        engine.gates.add(ORDER_TRACKING, attention.TRACKING, self._about_to_run)
        engine.on_reset.append(self.stop)
        engine.on_disconnect.append(self.stop)
        clients.tracking_letters = self.letters
        clients.redirect_of = self.redirect_of

    def __len__(self) -> int:
        return len(self._clients)

    def of(self, client: Client) -> Tracked | None:
        """How the client is told; None if it is not."""
        return self._clients.get(client.id)

    # --- on and off ------------------------------------------------------------------------------

    def start(self, wanted: Tracked) -> None:
        """Tell a client of changes from now on. Raises ReplyError for a mode that is none, or is
        another than before.
        """
        client = wanted.client
        old = self._clients.get(client.id)
        if old is not None and old.broadcast != wanted.broadcast:
            raise ReplyError(SWITCH_BROADCAST)
        if wanted.broadcast and (wanted.opt_in or wanted.opt_out):
            raise ReplyError("ERR OPTIN and OPTOUT are not compatible with BCAST")
        if wanted.opt_in and wanted.opt_out:
            raise ReplyError("ERR You can't specify both OPTIN mode and OPTOUT mode")
        if old is not None:
            if (old.opt_in and wanted.opt_out) or (old.opt_out and wanted.opt_in):
                raise ReplyError(SWITCH_OPTION)
            wanted.caching = old.caching
        known = old.prefixes if old is not None else []
        check_prefixes(known, wanted.prefixes)
        if wanted.broadcast and not wanted.prefixes:
            wanted.prefixes = [b""]
        wanted.prefixes = [*known, *(one for one in wanted.prefixes if one not in known)]
        if not self._clients:
            self._engine.changes.add_listener(self._changed)
            self._engine.changes.add_database_listener(self._flushed)
        self._clients[client.id] = wanted
        client.set_attention(attention.TRACKING, True)
        for prefix in wanted.prefixes:
            self._broadcasts.setdefault(prefix, {})

    def stop(self, client: Client) -> None:
        """Tell a client no more; nothing happens if it is not told."""
        tracked = self._clients.pop(client.id, None)
        if tracked is None:
            return
        client.set_attention(attention.TRACKING, False)
        wanted = {prefix for one in self._clients.values() for prefix in one.prefixes}
        for prefix in tracked.prefixes:
            if prefix not in wanted:
                self._broadcasts.pop(prefix, None)
        if not self._clients:
            self._readers.clear()
            self._engine.changes.remove_listener(self._changed)
            self._engine.changes.remove_database_listener(self._flushed)

    # --- reads -----------------------------------------------------------------------------------

    def _about_to_run(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        """The gate of clients that are told."""
        tracked = self._clients[client.id]
        if tracked.caching_script:
            tracked.caching = tracked.caching_script = False
        if spec.name in SCRIPTS:
            tracked.caching_script = tracked.caching
        elif spec.name != "exec":
            self._note_reads(tracked, spec, argv)
            # What CLIENT CACHING said holds for the next command, or the whole of a transaction.
            if spec.name != "multi" and (spec.parent is None or spec.parent.name != "client"):
                tracked.caching = False
        return None

    def ran_within(self, client: Client, spec: CommandSpec, argv: Sequence[bytes]) -> None:
        """A command of a script or of EXEC is about to run; after the last one of EXEC follows
        `transaction_over`.
        """
        tracked = self._clients.get(client.id)
        if tracked is not None:
            self._note_reads(tracked, spec, argv)

    def transaction_over(self, client: Client) -> None:
        """What CLIENT CACHING said held for the whole transaction, and no further."""
        tracked = self._clients.get(client.id)
        if tracked is not None:
            tracked.caching = False

    def _note_reads(self, tracked: Tracked, spec: CommandSpec, argv: Sequence[bytes]) -> None:
        if tracked.broadcast or not spec.flags & READONLY or spec.name in SCRIPTS:
            return
        if (tracked.opt_in and not tracked.caching) or (tracked.opt_out and tracked.caching):
            return
        try:
            places = spec.key_positions(argv)
        except KeysNotFound:
            return
        for place in places:
            self._readers.setdefault(argv[place], set()).add(tracked.client.id)
        self._limit()

    def _limit(self) -> None:
        """Forget keys when there are too many, having told those who read them."""
        limit = self._config.get("tracking-table-max-keys")
        while limit and len(self._readers) > limit:
            self._tell_readers(next(iter(self._readers)), 0)

    # --- changes ---------------------------------------------------------------------------------

    def _changed(self, changes: list[Change]) -> None:
        client = self._engine.context.client
        for _, key, event in changes:
            if event in UNCHANGED:
                continue
            changer = client.id if client is not None and event not in BY_NOBODY else 0
            if key in self._readers:
                self._tell_readers(key, changer)
            for prefix, keys in self._broadcasts.items():
                if key.startswith(prefix):
                    keys[key] = changer
                    self._broadcast_soon()

    def _tell_readers(self, key: bytes, changer: int) -> None:
        for number in self._readers.pop(key):
            tracked = self._clients.get(number)
            if tracked is None or tracked.broadcast:
                continue
            if not (tracked.no_loop and number == changer):
                self._tell(tracked, [key])

    def _broadcast_soon(self) -> None:
        if not self._broadcast_due:
            self._broadcast_due = True
            if self._engine.call_soon is not None:
                self._engine.call_soon(self._broadcast)
            else:
                self._broadcast()

    def _broadcast(self) -> None:
        """Tell of all keys that changed in this turn of the event loop."""
        self._broadcast_due = False
        for prefix, keys in self._broadcasts.items():
            if not keys:
                continue
            self._broadcasts[prefix] = {}
            for tracked in list(self._clients.values()):
                if prefix not in tracked.prefixes:
                    continue
                if tracked.no_loop:
                    told = [key for key, by in keys.items() if by != tracked.client.id]
                else:
                    told = list(keys)
                if told:
                    self._tell(tracked, told)

    def _flushed(self, index: int) -> None:
        """A whole database is another: everything that anybody kept is void."""
        if self._voided_by == self._engine.stats.commands:
            return  # the same command, which changed another database before
        self._voided_by = self._engine.stats.commands
        self._readers.clear()
        for tracked in list(self._clients.values()):
            self._tell(tracked, None)

    def _tell(self, tracked: Tracked, keys: list[bytes] | None) -> None:
        """Send one message; None for the keys says that all are void."""
        receiver: Client | None = tracked.client
        if tracked.redirect:
            receiver = self._engine.clients.get(tracked.redirect)
            if receiver is None:
                self._redirect_broken(tracked)
                return
        assert receiver is not None
        if receiver.resp == 3:
            self._engine.push(receiver, encode(Push([b"invalidate", keys]), 3))
        elif tracked.redirect and receiver.subscriptions:
            self._engine.push(receiver, encode(Push([b"message", CHANNEL, keys]), 2))

    def _redirect_broken(self, tracked: Tracked) -> None:
        tracked.broken = True
        if tracked.client.resp == 3:
            message = Push([b"tracking-redir-broken", tracked.redirect])
            self._engine.push(tracked.client, encode(message, 3))

    # --- INFO ------------------------------------------------------------------------------------

    def letters(self, client: Client) -> str:
        """What CLIENT LIST adds to the flags of a client that is told."""
        tracked = self._clients.get(client.id)
        if tracked is None:
            return ""
        return "t" + "R" * tracked.broken + "B" * tracked.broadcast

    def redirect_of(self, client: Client) -> int:
        """CLIENT GETREDIR: the id of who gets the messages, 0 for the client, -1 for nobody."""
        tracked = self._clients.get(client.id)
        return -1 if tracked is None else tracked.redirect

    def info(self) -> dict[str, object]:
        """Numbers for INFO's section Stats."""
        return {
            "tracking_total_keys": len(self._readers),
            "tracking_total_items": sum(map(len, self._readers.values())),
            "tracking_total_prefixes": len(self._broadcasts),
        }


def check_prefixes(known: Sequence[bytes], wanted: Sequence[bytes]) -> None:
    """Raise ReplyError if one of the prefixes begins with another: a key would be told of twice."""
    for i, prefix in enumerate(wanted):
        for others, which in ((known, "an existing"), (wanted[i + 1 :], "another provided")):
            for other in others:
                if prefix.startswith(other) or other.startswith(prefix):
                    raise ReplyError(
                        f"ERR Prefix '{printable(prefix)}' overlaps with {which} prefix "
                        f"'{printable(other)}'. Prefixes for a single client must not overlap."
                    )
