"""FAILOVER: a primary changes places with one of its replicas, and no write is lost.

Writes wait until a replica has everything. Then this server follows that one, and asks it in the
same request (PSYNC ... FAILOVER) to become the primary. If it does not, or the time is over before,
all stays as it was.
"""

from __future__ import annotations

from collections.abc import Iterator

from balas.engine.dispatch import Engine
from balas.services.config.special import Primary
from balas.services.log import Log
from balas.services.replication.following import Following
from balas.services.replication.replicas import ONLINE, Replica, Replicas

# The states, as INFO names them.
NONE = "no-failover"
WAITING = "waiting-for-sync"
UNDER_WAY = "failover-in-progress"

LOOK_EVERY_MS = 10
REASON = "failover"


class Failover:
    """The change of places of one server, if one is under way.

    Attributes:
        state: how far it is.
    """

    def __init__(self, engine: Engine, log: Log, replicas: Replicas, following: Following) -> None:
        self._engine = engine
        self._log = log
        self._replicas = replicas
        self._following = following
        self._target: Primary | None = None
        self._deadline_ms = 0
        self._forced = False
        self._timer = engine.timers.every(LOOK_EVERY_MS, self._look)
        self._timer.cancel()
        self.state = NONE
        following.on_answer = self._answered

    def replica_at(self, place: Primary) -> Replica | None:
        """The replica that can be reached there."""
        return next((one for one in self._replicas if one.address == place), None)

    def start(self, target: Primary | None, timeout_ms: int, *, forced: bool) -> None:
        """Change places with a replica, or whichever has everything first.

        After the timeout (0: never) it is given up, or, if it is `forced`, done all the same.
        """
        asked = f"to {target.host}:{target.port}." if target else "to any replica."
        self._log.notice(f"FAILOVER requested {asked}")
        self._target = target
        self._deadline_ms = self._engine.clock.now_ms + timeout_ms if timeout_ms else 0
        self._forced = forced
        self.state = WAITING
        self._engine.pause.start(None, writes_only=True, reason=REASON)
        self._replicas.quiet = True
        self._timer = self._engine.timers.every(LOOK_EVERY_MS, self._look)

    def abort(self, why: str) -> None:
        """Let all be as it was."""
        self._log.notice(f"Aborting failover: {why}")
        if self.state == UNDER_WAY:
            self._following.follow(None)
        self._clear()

    def _clear(self) -> None:
        self.state = NONE
        self._timer.cancel()
        self._following.request = ()
        self._replicas.quiet = False
        self._engine.pause.end(REASON)

    def _look(self) -> None:
        """Go on if somebody has everything, or the time is over."""
        target = self._target
        if self._deadline_ms and self._engine.clock.now_ms >= self._deadline_ms:
            if not self._forced or target is None:
                self.abort("Replica never caught up before timeout")
                return
            self._log.notice(
                f"Failover to {target.host}:{target.port} time out exceeded, failing over."
            )
            self._change(target)
            return
        for place in self._complete():
            if target in (None, place):
                self._log.notice(
                    f"Failover target {place.host}:{place.port} is synced, failing over."
                )
                self._change(place)
                return

    def _complete(self) -> Iterator[Primary]:
        """Where the replicas are that have all that was ever written."""
        for one in self._replicas:
            if one.state == ONLINE and one.acknowledged == self._replicas.offset:
                yield Primary(*one.address)

    def _change(self, place: Primary) -> None:
        self._timer.cancel()
        self.state = UNDER_WAY
        self._following.request = (b"FAILOVER",)
        self._following.follow(place)

    def _answered(self, accepted: bool) -> None:
        """The server that is to be the primary has answered."""
        if self.state != UNDER_WAY:
            return
        if accepted:
            self._clear()
        else:
            self.abort("Failover target rejected psync request")
