"""MIGRATE, of the group *generic*: keys go over to another server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from hiredis import ReplyError as TargetError

from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import OK, Reply, Status
from balas.registry import Arguments, command, integer, key, keys
from balas.registry.flags import ACCESS, DELETE, INCOMPLETE, RW, WRITE
from balas.services.config.store import Config
from balas.services.rdb.dump import dump
from balas.services.targets import Target, TargetLost, Targets

NO_KEY = Status("NOKEY")
KEY_AND_KEYS = (
    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"
)
# Where the options begin in argv, and the timeout of those who give none.
OPTIONS_AT = 6
TIMEOUT_MS = 1000


@dataclass(slots=True)
class Options:
    """What follows the timeout of MIGRATE; `login` is the command that does it."""

    copy: bool = False
    replace: bool = False
    login: list[bytes] = field(default_factory=list)
    keys: tuple[bytes, ...] = ()


def migrated_keys(argv: Sequence[bytes]) -> list[int]:
    """Where the keys of MIGRATE are: the one in its place, or those after KEYS."""
    skip = {b"auth": 2, b"auth2": 3}
    at = OPTIONS_AT
    while at < len(argv):
        word = argv[at].lower()
        if word == b"keys" and not argv[3]:
            return list(range(at + 1, len(argv)))
        at += skip.get(word, 1)
    return [3]


@command(
    "MIGRATE",
    arity=-6,
    flags=WRITE,
    keys=(
        key(3, RW | ACCESS | DELETE),
        keys(0, -1, 1, RW | ACCESS | DELETE | INCOMPLETE).after("KEYS", -2),
    ),
    find_keys=migrated_keys,
    group="generic",
    since="2.6.0",
    categories=("dangerous",),
)
def migrate(
    ctx: Context, host: bytes, port: bytes, key: bytes, db: bytes, timeout: bytes, *words: bytes
) -> Reply:
    """MIGRATE host port key | "" destination-db timeout [COPY] [REPLACE]
    [AUTH password | AUTH2 username password] [KEYS key [key ...]]

    Move keys to another server, all at once; with COPY they stay here, too. Nobody is served until
    it is done, or the timeout (in ms, for each exchange with the other server) is over.
    """
    options = migrate_options(words, key)
    timeout_ms = integer(timeout)
    database = integer(db)
    if timeout_ms <= 0:
        timeout_ms = TIMEOUT_MS
    payloads = restoring(ctx, options)
    if not payloads:
        return NO_KEY
    place = host.decode("utf-8", "surrogateescape"), port_of(port)
    for attempt in count():
        try:
            replies = transfer(ctx, place, database, timeout_ms / 1000, options, payloads)
            break
        except TargetLost as error:
            ctx.service(Targets).drop(*place)
            if not error.retry or attempt:
                raise ReplyError(f"IOERR error or timeout {error} to target instance") from error
    return settle(ctx, options, list(payloads), replies)


def migrate_options(words: tuple[bytes, ...], key: bytes) -> Options:
    """Read the options; without KEYS the keys are the one in its place."""
    options = Options(keys=(key,))
    cursor = Arguments(words)
    while cursor.more:
        if cursor.eat(b"COPY"):
            options.copy = True
        elif cursor.eat(b"REPLACE"):
            options.replace = True
        elif cursor.left >= 2 and cursor.eat(b"AUTH"):
            options.login = [b"AUTH", cursor.take()]
        elif cursor.left >= 3 and cursor.eat(b"AUTH2"):
            options.login = [b"AUTH", cursor.take(), cursor.take()]
        elif cursor.eat(b"KEYS"):
            if key:
                raise ReplyError(KEY_AND_KEYS)
            options.keys = tuple(cursor.take() for _ in range(cursor.left))
        else:
            cursor.end()
    return options


def port_of(text: bytes) -> int:
    """A port as C's atoi reads it: 0 for what is none, which nobody listens at."""
    return int(text) if text.isdigit() and len(text) <= 5 else 0


def restoring(ctx: Context, options: Options) -> dict[bytes, list[bytes]]:
    """The RESTORE command for each of the keys that are there."""
    compress = ctx.service(Config).get("rdbcompression")
    found = {}
    for name in options.keys:
        value = ctx.read_any(name)
        if value is None:
            continue
        expire_at = ctx.expire_at(name)
        ttl_ms = max(expire_at - ctx.now_ms, 1) if expire_at >= 0 else 0
        payload = dump(value, compress=compress)
        found[name] = [b"RESTORE", name, b"%d" % ttl_ms, payload]
        if options.replace:
            found[name].append(b"REPLACE")
    return found


def transfer(
    ctx: Context,
    place: tuple[str, int],
    database: int,
    timeout_s: float,
    options: Options,
    payloads: dict[bytes, list[bytes]],
) -> list[object]:
    """Log in, select the database and restore all keys there; returns the replies of RESTORE.

    Raises TargetLost, and ReplyError for what the other server refuses before.
    """
    try:
        target: Target = ctx.service(Targets).connect(*place, timeout_s)
    except OSError as error:
        raise TargetLost(reading=False, retry=False) from error
    before = [options.login] if options.login else []
    if target.database != database:
        before.append([b"SELECT", b"%d" % database])
    replies = target.ask([*before, *payloads.values()], timeout_s)
    for reply in replies[: len(before)]:
        if isinstance(reply, TargetError):
            ctx.service(Targets).drop(*place)
            raise refused(reply)
    target.database = database
    return replies[len(before) :]


def settle(ctx: Context, options: Options, names: list[bytes], replies: list[object]) -> Reply:
    """Delete the keys that have arrived, unless they are to stay; raise the first refusal."""
    refusal = None
    gone = []
    for name, reply in zip(names, replies, strict=True):
        if isinstance(reply, TargetError):
            refusal = refusal or reply
        elif not options.copy and ctx.delete(name):
            gone.append(name)
            ctx.changed(name, "del")
    if gone:
        ctx.record(b"DEL", *gone)
    if refusal is not None:
        raise refused(refusal)
    return OK


def refused(error: TargetError) -> ReplyError:
    """What the other server said, as the reply."""
    return ReplyError(f"ERR Target instance replied with error: {error}")
