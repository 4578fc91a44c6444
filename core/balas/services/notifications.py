"""Keyspace notifications: every event of a key, as messages to the channels `__keyspace@0__:key`
and `__keyevent@0__:event`, as far as `notify-keyspace-events` asks for its class.

Nothing here runs while the option is empty. Events come from `engine.changes` by name; the class
of a name is in the table below, and what is not there came from a module. A change without a name
is told to nobody here: Redis has no event for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from balas.engine.dispatch import Engine
from balas.engine.records import Change
from balas.services.config.store import Config
from balas.services.pubsub import PubSub

OPTION = "notify-keyspace-events"
MODULE_CLASS = "d"

_EVENTS = {
    "g": "del rename_from rename_to move_from move_to copy_to restore expire persist",
    "$": "set setrange incrby incrbyfloat append setbit pfadd",
    "l": "lpush rpush lpop rpop linsert lset lrem ltrim sortstore",
    "s": "sadd srem spop sinterstore sunionstore sdiffstore",
    "h": "hset hincrby hincrbyfloat hdel hexpire hexpired hpersist",
    "z": "zadd zincr zrem zremrangebyscore zremrangebyrank zremrangebylex zinterstore zunionstore "
    "zdiffstore zrangestore zpopmin zpopmax geosearchstore georadiusstore",
    "t": "xadd xdel xtrim xsetid xgroup-create xgroup-setid xgroup-destroy xgroup-createconsumer "
    "xgroup-delconsumer",
    "x": "expired",
    "e": "evicted",
    "m": "keymiss",
    "n": "new",
    "o": "overwritten",
    "c": "type_changed",
}
CLASS_OF: Mapping[str, str] = MappingProxyType(
    {event: letter for letter, events in _EVENTS.items() for event in events.split()}
)
# Classes of events that are found out only while somebody wants them. ("x" because a key whose
# time has come is then noticed as it is overwritten.)
OF_STORES = frozenset("nocx")


class Notifications:
    """Turns changes into messages."""

    def __init__(self, engine: Engine, config: Config, pubsub: PubSub) -> None:
        self._changes = engine.changes
        self._pubsub = pubsub
        self._classes: frozenset[str] = frozenset()
        self.follow(config)
        config.on_change(OPTION, self.follow)

    def follow(self, config: Config) -> None:
        """Do as the option says: letters of classes, and K and E for the kinds of channel."""
        wanted = frozenset(config.get(OPTION))
        if not wanted & {"K", "E"}:
            wanted = frozenset()
        changes = self._changes
        if bool(wanted) != bool(self._classes):
            (changes.add_listener if wanted else changes.remove_listener)(self.tell)
        self._classes = wanted
        changes.tells_misses = "m" in wanted
        changes.tells_stores = bool(wanted & OF_STORES)

    def tell(self, changes: list[Change]) -> None:
        """Publish what happened to keys."""
        if self._pubsub.deaf:
            return
        classes = self._classes
        for index, key, event in changes:
            if not event or CLASS_OF.get(event, MODULE_CLASS) not in classes:
                continue
            name = event.encode()
            if "K" in classes:
                self._pubsub.publish(b"__keyspace@%d__:%b" % (index, key), name)
            if "E" in classes:
                self._pubsub.publish(b"__keyevent@%d__:%b" % (index, name), key)
