"""The verbs of a command: the one door from commands and modules to keys, to change and to time.

Look-ups have side effects, in this order, and only here:

1. a key whose time has come is deleted (with its record and its event) and is not found;
2. the access clock of the entry is set, unless the client asked not to: by every reading verb, and
   by the first verb of a command that goes on to change the key;
3. hits and misses are counted, by the reading verbs only;
4. the entry is remembered, so that the `changed` that follows does not look it up again.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from balas.engine.changes cimport Changes
from balas.engine.client cimport Client
from balas.errors import NOT_AN_INTEGER, WRONG_TYPE, ReplyError
from balas.keyspace.database cimport Database, value_of
from balas.keyspace.entries cimport (
    ANY_FORM, DORMANT, INLINE, INTEGER, OBJECT, RAW_FORM, RAW_STRING, TEXT_FORM, Entry, StringForm,
    entry_memory, integer_of, is_object, is_string, object_of, payload, string_of,
)
from balas.structures.numbers cimport string_to_int64
from balas.protocol.replies import NO_REPLY
from balas.protocol.writer cimport ReplyWriter
from balas.types.fields cimport Fields
from balas.types.limits cimport Limits
from balas.types.list cimport List
from balas.types.value cimport Value

cdef enum:
    # Where expired keys may not be deleted, a search for one that is not must end some time.
    RANDOM_TRIES = 100


cdef int put_element(void *writer, const char *text, size_t size) except -1:
    return (<ReplyWriter> writer).put_bulk(text, size)


cdef bint heeds_time(Context ctx) except -1:
    """Whether a key whose time has come is not there any more: it still was when what is loaded, or
    comes from a primary, was done.
    """
    return not ctx.changes.loading and ctx.client.kind != "primary"


cdef class Context:
    """What a command gets as its first argument. See the table of verbs in docs/architecture.md.

    Example:
        >>> @command("DEMO.SWAP", arity=3, flags=WRITE, keys=key(1, RW | ACCESS | UPDATE))
        ... def swap(ctx: Context, key, text):
        ...     old = ctx.write_string(key)
        ...     ctx.store(key, text)
        ...     ctx.changed(key, "demo.swap")
        ...     return old
        >>> client = serve()
        >>> client("DEMO.SWAP", "k", "a"), client("DEMO.SWAP", "k", "b")
        (None, b'a')
    """

    def __cinit__(self, object engine, Changes changes not None, Limits limits not None):
        self.engine = engine
        self.changes = changes
        self.limits = limits
        self.may_block = True

    @property
    def now_ms(self):
        """Unix time in ms, the same for the whole unit."""
        return self.changes.clock.now_ms

    @property
    def resp(self):
        """The client's protocol: 2 or 3."""
        return self.client.writer.resp

    @property
    def rng(self):
        """The server's one random.Random."""
        return self.engine.rng

    def service(self, kind: type) -> object:
        """The service of this class; KeyError if the server has none."""
        return self.engine.services[kind]

    def database(self, index: int) -> Database:
        """Another database by its index, which must be valid."""
        return self.engine.databases[index]

    cdef int begin(self, Client client) except -1:
        self.client = client
        if self.db is not None:
            self.db.settle_last()
        self.db = client.db
        self.db.settle_last()
        self.no_touch = client.no_touch
        return 0

    def in_database(self, index: int) -> Context:
        """A context like this one on another database, for commands such as COPY and MOVE."""
        cdef Context other = Context.__new__(Context, self.engine, self.changes, self.limits)
        other.client = self.client
        other.db = self.engine.databases[index]
        other.db.forget_last()
        other.no_touch = self.no_touch
        other.may_block = self.may_block
        return other

    # --- look-up ----------------------------------------------------------------------------------

    cdef Entry *live(self, bytes key) except? NULL:
        """The entry, or NULL if it is missing or its time has come."""
        cdef Entry *entry = self.db.find_key(key)
        if entry == NULL:
            return NULL
        if 0 <= entry.expire_ms < self.changes.clock.now_ms and heeds_time(self):
            if self.changes.expires_keys:
                self.changes.expire(self.db, key)
            return NULL
        self.db.stir(entry)
        self.db.last_key = <PyObject *> key
        return entry

    cdef Entry *lookup(self, bytes key, bint touch, bint tell=True) except? NULL:
        cdef Entry *entry = self.live(key)
        if entry == NULL:
            self.changes.stats.misses += 1
            if tell and self.changes.tells_misses:
                self.changes.notify(self.db.index, key, "keymiss")
            return NULL
        self.changes.stats.hits += 1
        if touch and not self.no_touch:
            entry.access = self.db.access.touched(entry.access)
        return entry

    cdef Entry *writable(self, bytes key) except? NULL:
        """The live entry for a command that changes it, touched if this is its first look-up."""
        cdef bint known = self.db.last_key == <PyObject *> key
        cdef Entry *entry = self.live(key)
        if entry != NULL and not known and not self.no_touch:
            entry.access = self.db.access.touched(entry.access)
        return entry

    cdef Entry *string_entry(self, Entry *entry) except? NULL:
        """The same entry; raises WRONGTYPE unless it holds a string or is NULL."""
        if entry != NULL and not is_string(entry):
            raise ReplyError(WRONG_TYPE)
        return entry

    cpdef object read_string(self, bytes key):
        """The string at `key` as bytes, or None; raises WRONGTYPE."""
        cdef Entry *entry = self.string_entry(self.lookup(key, True))
        return string_of(entry) if entry != NULL else None

    cpdef object write_string(self, bytes key):
        """The same for a command that goes on to change it: no hit, no miss."""
        cdef Entry *entry = self.string_entry(self.writable(key))
        return string_of(entry) if entry != NULL else None

    cpdef object read_integer(self, bytes key):
        """The string at `key` as a 64-bit integer for a command that changes it, or None.

        Raises WRONGTYPE or not-an-integer.
        """
        cdef Entry *entry = self.string_entry(self.writable(key))
        cdef int64_t number
        cdef bytes text
        if entry == NULL:
            return None
        if entry.kind == INTEGER:
            return integer_of(entry)
        if entry.kind == INLINE:
            if string_to_int64(payload(entry), entry.length, &number):
                return number
            raise ReplyError(NOT_AN_INTEGER)
        text = string_of(entry)
        if string_to_int64(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), &number):
            return number
        raise ReplyError(NOT_AN_INTEGER)

    cpdef object read_buffer(self, bytes key):
        """The string at `key` for reading a part of it, without a copy where it is long.

        bytes or bytearray, or None; raises WRONGTYPE.
        """
        cdef Entry *entry = self.string_entry(self.lookup(key, True))
        return value_of(self.db, entry) if entry != NULL else None

    cpdef object write_buffer(self, bytes key):
        """The same for a command that goes on to change it: no hit, no miss."""
        cdef Entry *entry = self.string_entry(self.writable(key))
        return value_of(self.db, entry) if entry != NULL else None

    def mutable_string(self, key: bytes) -> bytearray:
        """The string at `key` as a bytearray to change in place, made empty if missing.

        Report with `changed`. For short strings `store` with `raw` takes less memory.
        """
        cdef Entry *entry = self.string_entry(self.writable(key))
        cdef object value = bytearray()
        if entry != NULL:
            value = value_of(self.db, entry)
            if type(value) is bytearray:
                return value
            value = bytearray(value)
        self.store(key, value, -1, True, True)
        return value

    cpdef object read(self, bytes key, type kind):
        """The live value of this type, or None; raises WRONGTYPE."""
        cdef Entry *entry = self.lookup(key, True)
        return self.of_kind(entry, kind) if entry != NULL else None

    cpdef object write(self, bytes key, type kind):
        """The same for changing it in place: no hit, no miss. Report with `changed`."""
        cdef Entry *entry = self.writable(key)
        return self.of_kind(entry, kind) if entry != NULL else None

    cdef object of_kind(self, Entry *entry, type kind):
        cdef object value
        if entry.kind == DORMANT:
            self.db.wake(entry)
        if entry.kind == OBJECT:
            value = <object> object_of(entry)
            if type(value) is kind or isinstance(value, kind):
                return value
        raise ReplyError(WRONG_TYPE)

    cpdef object read_any(self, bytes key):
        """The value of any type: bytes or bytearray for a string, else a `Value`; None if missing.
        """
        cdef Entry *entry = self.lookup(key, True)
        return value_of(self.db, entry) if entry != NULL else None

    def peek_any(self, key: bytes) -> object:
        """The same, without touching the access clock or counting a hit or a miss."""
        cdef Entry *entry = self.live(key)
        return value_of(self.db, entry) if entry != NULL else None

    def read_fields(self, key: bytes, names: object) -> list[bytes | None] | None:
        """The values of these fields of a hash, None for one that is missing; None if there is no
        hash at the key. For indexes: nothing is touched, counted or told, and no field is removed.
        """
        cdef Fields found = self.peek_fields(key)
        if found is None:
            return None
        return found.get_all(names if type(names) is tuple else tuple(names), self.fields_time())

    def read_pairs(self, key: bytes) -> list[tuple[bytes, bytes]] | None:
        """All fields of a hash with their values, in no order; otherwise the same."""
        cdef Fields found = self.peek_fields(key)
        return found.pairs(self.fields_time()) if found is not None else None

    cdef Fields peek_fields(self, bytes key):
        """The hash at a key, without touching it; None if there is none."""
        cdef Entry *entry = self.live(key)
        cdef object value
        if entry == NULL or not is_object(entry):
            return None
        value = value_of(self.db, entry)
        return <Fields> value if isinstance(value, Fields) else None

    cdef int64_t fields_time(self) except? -1:
        """By which time fields of hashes are seen. Before all others: while data are loaded no
        field's time comes, and for what a primary sends its word is waited for.
        """
        if self.changes.loading or (self.client is not None and self.client.kind == "primary"):
            return 0
        return self.changes.clock.now_ms

    cpdef bint exists(self, bytes key) except -1:
        """Whether the key is there; counts as a hit or a miss, but does not touch the key."""
        return self.lookup(key, False) != NULL

    def known(self, key: bytes) -> bool:
        """The same for commands that look at a key from outside: a miss is counted, but not told.
        """
        return self.lookup(key, False, False) != NULL

    cpdef bint there(self, bytes key) except -1:
        """Whether the key is there, for a command that changes it: no hit, no miss."""
        return self.writable(key) != NULL

    def touch(self, key: bytes) -> bool:
        """Whether the key is there; a read that touches it even for a client that asked not to."""
        cdef Entry *entry = self.lookup(key, False)
        if entry == NULL:
            return False
        entry.access = self.db.access.touched(entry.access)
        return True

    def type_name(self, key: bytes) -> str | None:
        """What TYPE says: "string" or the value's `type_name`; None if missing. Does not touch the
        key.
        """
        cdef Entry *entry = self.live(key)
        if entry == NULL:
            return None
        return "string" if is_string(entry) else value_of(self.db, entry).type_name

    def encoding(self, key: bytes) -> str | None:
        """What OBJECT ENCODING says; None if missing. Does not touch the key."""
        cdef Entry *entry = self.live(key)
        if entry == NULL:
            return None
        if entry.kind == INTEGER:
            return "int"
        if entry.kind == INLINE:
            return "raw" if entry.flags & RAW_STRING else "embstr"
        return "raw" if is_string(entry) else value_of(self.db, entry).encoding()

    def access_bits(self, key: bytes) -> int | None:
        """The access clock of the entry (see keyspace.access); None if missing. Does not touch the
        key.
        """
        cdef Entry *entry = self.live(key)
        return entry.access if entry != NULL else None

    def memory_of(self, key: bytes) -> int | None:
        """Bytes that the key and its value cost; None if missing. Does not touch the key."""
        cdef Entry *entry = self.live(key)
        return entry_memory(entry) if entry != NULL else None

    # --- replies ----------------------------------------------------------------------------------

    cpdef object elements(self, List value, int64_t start, int64_t count):
        """A reply of the elements of a range, which must lie within the list. Where the command is
        a request of its own they are written at once, and no list of them is made.
        """
        cdef ReplyWriter writer
        if not self.direct or count == 0:
            return value.range(start, count)
        writer = self.client.writer
        writer.array(count)
        value.emit_range(start, count, put_element, <void *> writer)
        return NO_REPLY

    # --- change -----------------------------------------------------------------------------------

    cpdef int store(
        self, bytes key, object value, int64_t expire_at=-1, bint keep_ttl=False, bint raw=False,
        bint text=False
    ) except -1:
        """Create or overwrite `key` with bytes, an int, a bytearray or a `Value`.

        The expiry time becomes `expire_at` (Unix ms, -1 for never), or stays with `keep_ttl`. A
        `raw` string reports the encoding "raw", as strings do that were changed in part; one that
        is `text` is not kept as a number though it may read as one.
        """
        cdef const char *name = PyBytes_AS_STRING(key)
        cdef size_t size = PyBytes_GET_SIZE(key)
        cdef StringForm form = RAW_FORM if raw else TEXT_FORM if text else ANY_FORM
        cdef Database db = self.db
        cdef Entry *entry = self.writable(key)
        if self.changes.tells_stores:
            self.tell_store(key, value, keep_ttl)
        if entry == NULL and not self.changes.expires_keys:
            entry = db.find_key(key)  # its time has come, but it may not go yet
        if entry != NULL and entry.expire_ms >= 0 and expire_at < 0 and not keep_ttl:
            if PyBytes_CheckExact(value):
                db.set_expire(entry, -1)  # before: whether a string is "raw" depends on it
        entry = db.put(entry, name, size, db.hash_key(key), value, form)
        if entry.expire_ms != expire_at and not keep_ttl:
            db.set_expire(entry, expire_at)
        db.stir(entry)
        db.last_key = <PyObject *> key
        return 0

    cpdef int update(self, bytes key, object value) except -1:
        """`store` that keeps the expiry time."""
        return self.store(key, value, -1, True)

    cpdef int update_text(self, bytes key, bytes value) except -1:
        """`store` that keeps the expiry time, of a string that may read as a number but is none."""
        return self.store(key, value, -1, True, False, True)

    cdef int tell_store(self, bytes key, object value, bint keep_ttl) except -1:
        """Tell the listeners that a key is about to be new, or overwritten.

        What keeps the expiry time is taken for a change in place, as INCR's is.
        """
        cdef Entry *entry = self.live(key)
        cdef bint same
        if entry == NULL:
            self.changes.notify(self.db.index, key, "new")
        elif not keep_ttl:
            if is_string(entry):
                same = not isinstance(value, Value)
            else:
                same = type(value) is type(value_of(self.db, entry))
            self.tell_overwritten(key, same)
        return 0

    cpdef int tell_overwritten(self, bytes key, bint same_type) except -1:
        """Tell listeners who want to know that a key gets, or got, another value."""
        if self.changes.tells_stores:
            self.changes.notify(self.db.index, key, "overwritten")
            if not same_type:
                self.changes.notify(self.db.index, key, "type_changed")
        return 0

    def move_to(self, key: bytes, target: Context, new_key: bytes) -> bool:
        """Move a value, with its expiry time, to another key or database; True if it was there.

        What is there is overwritten. Report with `changed` and `changed_too`.
        """
        cdef Entry *entry = self.writable(key)
        if entry == NULL:
            return False
        value = value_of(self.db, entry) if is_object(entry) else None
        (<Context> target).plant(new_key, entry, value)
        return self.delete(key)

    def copy_to(self, key: bytes, target: Context, new_key: bytes) -> bool:
        """The same, but the value stays as well."""
        cdef Entry *entry = self.live(key)
        cdef object value = None
        if entry == NULL:
            return False
        if is_object(entry):
            value = value_of(self.db, entry)
            value = value.copy() if isinstance(value, (Value, bytearray)) else value
            entry = self.live(key)  # a module's copy may do what it likes
            if entry == NULL:
                return False
        (<Context> target).plant(new_key, entry, value)
        return True

    cdef int plant(self, bytes key, const Entry *source, object value) except -1:
        """Make `key` anew from an entry of another key or database; `value` is its object, if any.
        """
        cdef const char *name = PyBytes_AS_STRING(key)
        cdef size_t size = PyBytes_GET_SIZE(key)
        cdef Database db = self.db
        cdef uint64_t hashed = db.hash_key(key)
        db.remove(name, size, hashed, db.lazy_overwrite)
        if self.changes.tells_stores:
            self.changes.notify(db.index, key, "new")
        db.adopt(name, size, hashed, source, value)
        return 0

    cpdef bint delete(self, bytes key, bint lazy=False) except -1:
        """Remove a live key; True if it was there. Report with `changed(key, "del")`."""
        cdef const char *text = PyBytes_AS_STRING(key)
        cdef size_t size = PyBytes_GET_SIZE(key)
        if self.live(key) == NULL:
            return False
        return self.db.remove(text, size, self.db.hash_key(key), lazy)

    cpdef bint discard(self, bytes key) except -1:
        """The same for a command whose empty result takes the place of what is there: a key whose
        time has come is removed like any other.
        """
        cdef const char *text = PyBytes_AS_STRING(key)
        cdef size_t size = PyBytes_GET_SIZE(key)
        return self.db.remove(text, size, self.db.hash_key(key), False)

    cpdef int changed(self, bytes key, str event) except -1:
        """Report a change: for WATCH, the memory account, listeners, blocked clients, and the log.
        """
        # First of all the report: a module's value that cannot tell its size has changed all the
        # same.
        self.changes.report(self.db, key, event)
        return self.measure(self.db, key)

    cpdef int changed_by(self, bytes key, str event, int64_t changes) except -1:
        """Report one event that counts as so many changes. 0 leaves no record of the command, but
        marks WATCHing clients.
        """
        self.changes.report_uncounted(self.db, key, event)
        self.changes.dirty += changes
        self.changes.frame_dirty += changes
        return self.measure(self.db, key)

    cpdef int resized(self, bytes key) except -1:
        """Account for a value that takes another form now, but has not changed."""
        return self.measure(self.db, key)

    def changed_in(self, Database db, bytes key, str event) -> None:
        """Report a change in another database."""
        self.changes.report(db, key, event)
        self.measure(db, key)

    def changed_too(self, key: bytes, event: str) -> None:
        """Report another key of a change that `changed` reports, and which counts but once."""
        self.changes.report_uncounted(self.db, key, event)
        self.measure(self.db, key)

    cdef int measure(self, Database db, bytes key) except -1:
        cdef Entry *entry = db.find_key(key)
        return db.measure(entry) if entry != NULL and entry.kind == OBJECT else 0

    def changed_all(self, Database db, keys: int) -> None:
        """Report that a whole database changed at once (FLUSHDB, SWAPDB). It counts as so many
        changes, and has a record even if there were none.
        """
        self.changes.touch_all(db)
        self.changes.dirty += keys
        self.changes.frame_dirty += max(keys, 1)

    def notify(self, key: bytes, event: str) -> None:
        """Tell the listeners of an event that is no change of its own, beside one that was
        reported.
        """
        self.changes.notify(self.db.index, key, event)

    cpdef int64_t expire_at(self, bytes key) except? -9:
        """Unix ms of a key's expiry; -1 if it has none, -2 if the key is missing."""
        cdef Entry *entry = self.live(key)
        return entry.expire_ms if entry != NULL else -2

    def is_past(self, int64_t at_ms) -> bool:
        """Whether a key that gets this expiry time (Unix ms) is to be deleted instead.

        Never while data are loaded, for what follows in the log may give it another one, nor where
        the deletion will come as a record of its own.
        """
        return at_ms <= self.changes.clock.now_ms and self.changes.expires_keys

    cpdef bint set_expire(self, bytes key, int64_t at_ms) except -1:
        """Give a live key an expiry time (Unix ms) or remove it (-1); True if the key is there."""
        cdef Entry *entry = self.writable(key)
        if entry == NULL:
            return False
        self.db.set_expire(entry, at_ms)
        return True

    # --- the whole database -----------------------------------------------------------------------

    def all_keys(self) -> list[bytes]:
        """Every key; those whose time has come are left out, but not deleted."""
        cdef list keys = self.db.all_keys()
        cdef Entry *entry
        if not self.db.expires.used:
            return keys
        self.db.forget_last()
        found = []
        for key in keys:
            entry = self.db.find_key(key)
            if not 0 <= entry.expire_ms < self.changes.clock.now_ms:
                found.append(key)
        return found

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """A step of `Database.scan`, without the keys whose time has come, which it deletes."""
        position, keys = self.db.scan(cursor, count)
        found = []
        for key in keys:
            if self.live(key) != NULL:
                found.append(key)
        return position, found

    def random_key(self) -> bytes | None:
        """A key by chance, or None; those that turn out to be expired are deleted on the way."""
        key = None
        for _ in range(RANDOM_TRIES):
            key = self.db.random_key(self.rng.getrandbits(64))
            if key is None or self.live(key) != NULL:
                break
        return key

    # --- the log ----------------------------------------------------------------------------------

    def record(self, *argv: bytes) -> None:
        """Record this in the log instead of the command; called again, adds to it."""
        if not self.changes.recording:
            return
        if self.changes.overrides is None:
            self.changes.overrides = []
        self.changes.overrides.append((self.db.index, argv))

    def no_record(self) -> None:
        """Record nothing for this command, although it changed something."""
        if self.changes.overrides is None:
            self.changes.overrides = []

    # --- other commands, and waiting --------------------------------------------------------------

    def call(self, *argv: bytes) -> object:
        """Run a command as a part of this one: its reply value, or its ReplyError raised."""
        return self.engine.call(self, argv)

    def block(
        self, keys: object, timeout_ms: int, on_timeout: object = None, kind: type | None = None
    ) -> object:
        """`return ctx.block(keys, timeout_ms, on_timeout, List)`: wait until one of the keys
        changes and holds a value of that type (without one: changes in any way), then run again.

        Nothing may have been changed before. `timeout_ms` 0 waits for ever; when time is up the
        reply is `on_timeout`. Where waiting is not allowed (MULTI, scripts) that is the reply at
        once.
        """
        if not self.may_block:
            return on_timeout
        return self.engine.blocking.wait(self, tuple(keys), timeout_ms, on_timeout, kind)
