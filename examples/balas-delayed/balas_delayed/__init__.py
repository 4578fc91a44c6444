"""DELAYED.*: a queue whose items wait until they are due, and a pop that waits for them.

A client that waits is woken when its key changes. That an item is due is no change, so a timer says
it is: it runs DELAYED.RING, which reports an event and leaves no record. There are timers only for
keys somebody waits at.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from balas.api import (
    ACCESS,
    BLOCKING,
    DELETE,
    DENYOOM,
    FAST,
    INSERT,
    NOSCRIPT,
    OK,
    READONLY,
    RO,
    RW,
    UPDATE,
    WRITE,
    Arguments,
    Attachment,
    Context,
    Module,
    Reply,
    ReplyError,
    command,
    hook,
    integer,
    key,
    number,
)

from .queue import Queue

DELAY_MAX_MS = 10**13
BAD_HIDING = "ERR an item is hidden for 1 to 10000000000000 milliseconds"
BAD_DELAY = "ERR the delay must be from 0 to 10000000000000 milliseconds"


def queue_at(ctx: Context, key: bytes) -> Queue:
    """The queue at key, made if there is none."""
    queue = ctx.write(key, Queue)
    if queue is None:
        queue = Queue()
        ctx.store(key, queue)
    return queue


@command("DELAYED.PUSH", arity=4, flags=WRITE | DENYOOM | FAST, keys=key(1, RW | INSERT))
def push(ctx: Context, key: bytes, delay_ms: bytes, item: bytes) -> Reply:
    """DELAYED.PUSH key delay_ms item

    Add an item that is due after so many milliseconds, and return its number.
    """
    due_ms = ctx.now_ms + integer(delay_ms, 0, DELAY_MAX_MS, BAD_DELAY)
    queue = queue_at(ctx, key)
    # Unlike any number this key ever had: a worker that is late must not remove another's item.
    chosen = max(queue.last_number + 1, ctx.now_ms * 1000)
    queue.add(chosen, due_ms, item)
    ctx.changed(key, "delayed.push")
    ctx.record(b"DELAYED.RESTORE", key, b"%d" % chosen, b"%d" % due_ms, item)
    return chosen


@command("DELAYED.RESTORE", arity=5, flags=WRITE | DENYOOM | FAST, keys=key(1, RW | INSERT))
def restore(ctx: Context, key: bytes, chosen: bytes, due_ms: bytes, item: bytes) -> Reply:
    """DELAYED.RESTORE key number due_ms item

    Add an item with its number and its moment, as logs and replicas are told.
    """
    index, moment = integer(chosen, 1), integer(due_ms, 0)
    queue = queue_at(ctx, key)
    if index in queue.items:
        raise ReplyError("ERR there is an item with this number")
    queue.add(index, moment, item)
    ctx.changed(key, "delayed.push")
    return OK


@command(
    "DELAYED.POP", arity=-3, flags=WRITE | BLOCKING | NOSCRIPT, keys=key(1, RW | ACCESS | DELETE)
)
def pop(ctx: Context, key: bytes, timeout: bytes, *options: bytes) -> Reply:
    """DELAYED.POP key timeout [HIDE milliseconds]

    Take the item that is due first. Wait for it up to so many seconds, 0 for ever. With HIDE it is
    only hidden for so long, and comes with its number: DELAYED.REMOVE says that it is done.
    """
    hide_ms = hiding(options)
    timeout_s = number(timeout)
    if not 0 <= timeout_s < DELAY_MAX_MS:
        raise ReplyError("ERR timeout is out of range")
    queue = ctx.write(key, Queue)
    first = queue.first() if queue is not None else None
    if queue is None or first is None or first[0] > ctx.now_ms:
        if first is not None:
            ctx.service(Delayed).ring_at(first[0], key, ctx.client.db.index)
        return ctx.block([key], ceil(timeout_s * 1000), None, Queue)
    chosen = first[1]
    if hide_ms:
        hidden = queue.items[chosen][1]
        move_to(ctx, key, queue, chosen, ctx.now_ms + hide_ms)
        return [chosen, hidden]
    item = take(ctx, key, queue, chosen)
    ctx.record(b"DELAYED.REMOVE", key, b"%d" % chosen)
    return item


def hiding(options: tuple[bytes, ...]) -> int:
    """For how long an item is to be hidden, in ms; 0: not at all."""
    arguments = Arguments(options)
    hide_ms = 0
    if arguments.eat(b"HIDE"):
        hide_ms = arguments.take_int(1, DELAY_MAX_MS, BAD_HIDING)
    arguments.end()
    return hide_ms


def move_to(ctx: Context, key: bytes, queue: Queue, chosen: int, due_ms: int) -> bool:
    """Have an item due at another moment; whether it is there."""
    if not queue.move(chosen, due_ms):
        return False
    ctx.changed(key, "delayed.hide")
    ctx.record(b"DELAYED.MOVE", key, b"%d" % chosen, b"%d" % due_ms)
    return True


@command("DELAYED.HIDE", arity=4, flags=WRITE | FAST, keys=key(1, RW | UPDATE))
def hide(ctx: Context, key: bytes, chosen: bytes, delay_ms: bytes) -> Reply:
    """DELAYED.HIDE key number milliseconds

    Hide an item for so long from now, because its work takes longer, or later to try again.
    """
    index, hide_ms = integer(chosen), integer(delay_ms, 0, DELAY_MAX_MS, BAD_HIDING)
    queue = ctx.write(key, Queue)
    return int(queue is not None and move_to(ctx, key, queue, index, ctx.now_ms + hide_ms))


@command("DELAYED.MOVE", arity=4, flags=WRITE | FAST, keys=key(1, RW | UPDATE))
def move(ctx: Context, key: bytes, chosen: bytes, due_ms: bytes) -> Reply:
    """DELAYED.MOVE key number due_ms

    Have an item due at a moment (Unix time in ms), as logs and replicas are told.
    """
    index, moment = integer(chosen), integer(due_ms, 0)
    queue = ctx.write(key, Queue)
    return int(queue is not None and move_to(ctx, key, queue, index, moment))


def take(ctx: Context, key: bytes, queue: Queue, chosen: int) -> bytes | None:
    """Remove an item, and the key with the last one."""
    item = queue.remove(chosen)
    if item is not None:
        ctx.changed(key, "delayed.pop")
        if not queue.items:
            ctx.delete(key)
            ctx.changed_too(key, "del")
    return item


@command("DELAYED.REMOVE", arity=3, flags=WRITE | FAST, keys=key(1, RW | DELETE))
def remove(ctx: Context, key: bytes, chosen: bytes) -> Reply:
    """DELAYED.REMOVE key number

    Remove the item with this number, due or not; return it, or nothing.
    """
    index = integer(chosen)
    queue = ctx.write(key, Queue)
    return take(ctx, key, queue, index) if queue is not None else None


@command("DELAYED.LEN", arity=2, flags=READONLY, keys=key(1, RO | ACCESS))
def length(ctx: Context, key: bytes) -> Reply:
    """DELAYED.LEN key

    Return how many items there are, and how many of them are due.
    """
    queue = ctx.read(key, Queue)
    moments: Sequence[int] = [due for due, _ in queue.items.values()] if queue is not None else []
    return [len(moments), sum(due_ms <= ctx.now_ms for due_ms in moments)]


@command("DELAYED.RING", arity=2, flags=WRITE | FAST, keys=key(1, RW))
def ring(ctx: Context, key: bytes) -> Reply:
    """DELAYED.RING key

    Wake those who wait at key, for an item may be due.
    """
    if ctx.write(key, Queue) is not None:
        ctx.changed_by(key, "delayed.due", 0)
    return OK


class Delayed(Module):
    """Delayed queues, and the timers for those who wait."""

    name = "delayed"
    version = 100
    api_version = "1.0"
    types = (Queue,)

    @hook
    def load(self, server: Attachment) -> None:
        """Remember the server and begin without timers."""
        self.server = server
        self._ringing: set[tuple[int, int, bytes]] = set()

    @hook
    def data_loaded(self) -> None:
        """Set the timers anew: clients may have waited through a reload of this module."""
        for db in range(self.server.option("databases")):
            cursor = -1
            while cursor:
                cursor, names = self.server.scan(max(cursor, 0), 1000, db=db)
                for name in names:
                    queue = self.server.peek(name, db=db)
                    first = queue.first() if isinstance(queue, Queue) else None
                    if first is not None:
                        self.ring_at(first[0], name, db)

    def ring_at(self, due_ms: int, key: bytes, db: int) -> None:
        """Have those who wait at a key woken at this moment, once."""
        wanted = (due_ms, db, key)
        if wanted in self._ringing:
            return
        self._ringing.add(wanted)

        def ring() -> None:
            self._ringing.discard(wanted)
            self.server.call(b"DELAYED.RING", key, db=db)

        self.server.after(max(due_ms - self.server.now_ms, 0), ring)
