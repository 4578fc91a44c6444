"""The journal of a unit: what changed, who is told, and what goes to the log.

A unit is what happens between two commands of other clients: one command, a whole EXEC, a script, a
step of the expiry cycle. A command reports a change by `ctx.changed(key, event)`. From there it
travels forward once:

- at once: WATCHing clients are marked, blocked clients of the key are noted as ready;
- after the command: listeners get the list of changes (module indexes, notifications, client-side
  caching);
- after the unit: sinks get the records (AOF, replicas), and ready clients are served.

A record is the command itself, unless it asked for others (`ctx.record`). Records of a unit are
handed over together, so that a sink can wrap several in MULTI/EXEC.
"""

from libc.stdint cimport int64_t

from balas.engine.clock cimport Clock
from balas.engine.stats cimport Stats
from balas.keyspace.database cimport Database
from balas.keyspace.entries cimport Entry
from balas.types.fields cimport Fields


# What a watched key was when a client began to watch it.
cdef enum:
    ABSENT
    PRESENT
    EXPIRED      # it was there, but its time had come: that it goes is no change


cdef class Chooser:
    """A listener that wants to know of certain events only."""

    cdef object tell
    cdef frozenset events

    def __init__(self, tell, frozenset events):
        self.tell = tell
        self.events = events

    def __call__(self, list changes):
        cdef list chosen = [change for change in changes if change[2] in self.events]
        if chosen:
            self.tell(chosen)


cdef bint wanted(tuple listeners, str event) except -1:
    """Whether any listener wants to know of an event."""
    for listener in listeners:
        if type(listener) is not Chooser or event in (<Chooser>listener).events:
            return True
    return False


cdef class Changes:
    """Shared by the engine, the context and the cycles of one server."""

    def __cinit__(self, Clock clock not None, Stats stats not None):
        self.clock = clock
        self.stats = stats
        self.expires_keys = True
        self.listeners = ()
        self.sinks = ()
        self.database_listeners = ()
        self.pending = []
        self.records = []
        self.watched = {}
        self.waiting = {}
        self.ready = {}

    def add_listener(self, listener, frozenset events=None) -> None:
        """`listener(changes)` is called after each command that changed something.

        `changes` is a list of (database index, key, event). It must not raise, and must not keep
        the list. With `events` it is called for these only, and others cost next to nothing.
        """
        if events is not None:
            listener = Chooser(listener, events)
        self.listeners = (*self.listeners, listener)
        self.observe()

    def remove_listener(self, listener) -> None:
        """Undo `add_listener`."""
        self.listeners = tuple(
            known
            for known in self.listeners
            if known != listener
            and not (type(known) is Chooser and (<Chooser>known).tell == listener)
        )
        self.observe()

    def add_database_listener(self, listener) -> None:
        """`listener(index)` is called when a whole database changes at once (FLUSHDB, SWAPDB).

        It must not raise.
        """
        self.database_listeners = (*self.database_listeners, listener)

    def remove_database_listener(self, listener) -> None:
        """Undo `add_database_listener`."""
        self.database_listeners = tuple(
            known for known in self.database_listeners if known != listener
        )

    def add_sink(self, sink) -> None:
        """`sink(records)` is called after each unit that changed something.

        `records` is a list of (database index, argv), in order. It must not raise, and must not
        keep the list.
        """
        self.sinks = (*self.sinks, sink)
        self.recording = not self.loading

    def remove_sink(self, sink) -> None:
        """Undo `add_sink`."""
        self.sinks = tuple(known for known in self.sinks if known != sink)
        self.recording = bool(self.sinks) and not self.loading

    def set_loading(self, on: bool) -> None:
        """While data are loaded, no key's time comes: their log was written before. Nor is anything
        recorded, for it has been.
        """
        self.loading = on
        self.recording = bool(self.sinks) and not on

    cpdef observe(self):
        """Bring `observed` up to date after listeners, watches or waiting clients came or went."""
        self.observed = bool(self.listeners or self.watched or self.waiting)

    cdef int report(self, Database db, bytes key, str event) except -1:
        self.dirty += 1
        self.frame_dirty += 1
        if self.observed:
            self.report_slow(db, key, event)
        return 0

    cdef int report_slow(self, Database db, bytes key, str event) except -1:
        cdef tuple place
        if self.watched or self.waiting:
            place = (db.index, key)
            if place in self.watched:
                self.break_watches(db, place)
            if place in self.waiting:
                self.ready[place] = None
        if self.listeners and wanted(self.listeners, event):
            self.pending.append((db.index, key, event))
        return 0

    def notify(self, db_index: int, key: bytes, event: str) -> None:
        """Tell the listeners of an event that changes nothing, such as a miss."""
        if self.listeners and wanted(self.listeners, event):
            self.pending.append((db_index, key, event))

    def touch_all(self, Database db) -> None:
        """Every key of a database changed at once (FLUSHDB, SWAPDB): tell those who watch or wait.

        To be called when `db` holds its new content.
        """
        for place, clients in list(self.watched.items()):
            if place[0] == db.index:
                self.replace_watched(db, place, clients)
        for place in self.waiting:
            if place[0] == db.index:
                self.ready[place] = None
        for listener in self.database_listeners:
            listener(db.index)

    def watch(self, client, Database db, bytes key) -> None:
        """Mark the client as soon as this key changes."""
        cdef tuple place = (db.index, key)
        if place not in client.watching:
            client.watching[place] = db
            self.watched.setdefault(place, {})[client] = self.state_of(db, key)
            self.observe()

    def unwatch(self, client) -> None:
        """Forget the keys that the client watches; what is marked stays marked."""
        if not client.watching:
            return
        for place in client.watching:
            clients = self.watched[place]
            del clients[client]
            if not clients:
                del self.watched[place]
        client.watching = {}
        self.observe()

    def watched_expired(self, client) -> bool:
        """Whether the time of a key that the client watches has come since it began to."""
        for place, db in client.watching.items():
            if self.watched[place][client] == PRESENT and self.state_of(db, place[1]) == EXPIRED:
                return True
        return False

    cdef int state_of(self, Database db, bytes key) except -1:
        cdef int64_t expire_at = db.expire_at(key)
        if expire_at == -2:
            return ABSENT
        return EXPIRED if 0 <= expire_at < self.clock.now_ms else PRESENT

    cdef int break_watches(self, Database db, tuple place) except -1:
        """A watched key changed: mark its clients, who then have nothing left to watch for."""
        cdef dict clients = self.watched[place]
        for client, state in list(clients.items()):
            if state == EXPIRED and self.state_of(db, place[1]) == ABSENT:
                clients[client] = ABSENT
            else:
                client.watch_broken = True
                self.unwatch(client)
        return 0

    cdef int replace_watched(self, Database db, tuple place, dict clients) except -1:
        """A watched key's whole database was replaced: mark the clients for whom it is another key
        now.
        """
        cdef int now = self.state_of(db, place[1])
        for client, before in list(clients.items()):
            if before == PRESENT or now == PRESENT:
                client.watch_broken = True
                self.unwatch(client)
            else:
                clients[client] = now
        return 0

    cdef int expire(self, Database db, bytes key) except -1:
        """Delete a key whose time has come: a record of its own, counted, told as "expired"."""
        if not db.delete(key, self.lazy_expire):
            return 0
        self.stats.expired_keys += 1
        self.delete_record(db, key, self.lazy_expire)
        return self.report_uncounted(db, key, "expired")

    cdef int delete_record(self, Database db, bytes key, bint lazy) except -1:
        if self.recording:
            self.records.append((db.index, (b"UNLINK" if lazy else b"DEL", key)))
        return 0

    cdef int report_uncounted(self, Database db, bytes key, str event) except -1:
        """Report what does not make a write of the command that met it: a deletion that has its own
        record, or a further key of a change that was counted.
        """
        if self.observed:
            self.report_slow(db, key, event)
        return 0

    def expire_fields(self, Database db, bytes key, Fields value, list names, bint keep) -> None:
        """Report fields of a hash that were removed because their time had come, each with a record
        of its own. If no field is left the key goes, too, unless it is to be kept.
        """
        cdef Entry *entry
        for name in names:
            self.add_record(db.index, (b"HDEL", key, name))
        self.stats.expired_fields += len(names)
        self.report_uncounted(db, key, "hexpired")
        if value.length() == 0 and not keep:
            db.delete(key)
            self.report_uncounted(db, key, "del")
            return
        entry = db.find_afresh(key)
        if entry != NULL:
            db.measure(entry)

    def delete_expired(self, Database db, bytes key) -> None:
        """The same for the expiry cycle, as a unit of its own."""
        self.expire(db, key)
        self.finish_unit()

    def delete_evicted(self, Database db, bytes key, bint lazy) -> None:
        """Delete a key to free memory, as a unit of its own: counted, told as "evicted"."""
        if not db.delete(key, lazy):
            return
        self.stats.evicted_keys += 1
        self.delete_record(db, key, lazy)
        self.report_uncounted(db, key, "evicted")
        self.finish_unit()

    def add_record(self, db_index: int, argv: tuple) -> None:
        """Add a record to the unit, outside any command."""
        if self.recording:
            self.records.append((db_index, argv))

    cdef int finish_command(self, int db_index, object argv) except -1:
        """The command that runs is over: add its records. `argv` is its own, as a tuple, or None if
        nobody records.
        """
        if self.overrides is not None:
            if self.recording:
                self.records.extend(self.overrides)
            self.overrides = None
        elif argv is not None:
            self.records.append((db_index, argv))
        return 0

    cdef int tell_listeners(self) except -1:
        cdef list pending = self.pending
        self.pending = []
        for listener in self.listeners:
            listener(pending)
        return 0

    cdef int finish_unit(self) except -1:
        """The unit is over: hand its records to the sinks."""
        cdef list records
        if self.pending:
            self.tell_listeners()
        if self.records:
            records = self.records
            self.records = []
            for sink in self.sinks:
                sink(records)
        return 0
