"""One numbered database: keys, values, expiry times, and what they cost.

An entry is one allocation: header, key, and a payload that is the string itself (INLINE), a 64-bit
integer (INTEGER), or a reference to a Python object (OBJECT). Objects are `bytes` for long strings,
`bytearray` for long strings that are changed in place, and `Value` for everything else. So a GET of
a short string touches two cache lines: a bucket and an entry.

A small collection is one block of bytes and an object that leads to it, which takes as much again.
While nobody looks at it only the block is kept (DORMANT): the object is made anew when the key is
looked up, and goes when the next key is, or the next command begins, unless somebody holds it.

Entries with an expiry time stand in a second table as well, which finds them for the expiry cycle
and for the volatile-* policies. An entry moves in memory when its size class changes; both tables
are then told.

The rule a reader would get wrong: nothing here asks the clock. An expired entry is still found;
`engine.context` and the expiry cycle decide, because deleting it has consequences (a record, a
notification) that this file knows nothing of.
"""

cimport cython
from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE,
)
from cpython.long cimport PyLong_AsLongLongAndOverflow, PyLong_CheckExact
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from balas.keyspace.access cimport AccessClock
from balas.keyspace.deadlines cimport Deadlines
from balas.keyspace.entries cimport (
    ANY_FORM, COUNTED_UNIT, DORMANT, INLINE, INTEGER, OBJECT, RAW_FORM, RAW_STRING, TABLE_SHARE,
    Entry, Kind, StringForm, embeds, embeds_later, entry_memory, entry_size, integer_of, is_object,
    measured, object_of, payload, payload_size, string_of, units_of,
)
from balas.keyspace.retired cimport give_up_pages, put_off
from balas.keyspace.sizes cimport (
    CLASSES, HASHES, LISTS, POWERS, SETS, SORTED_SETS, STRINGS, TIMED_HASHES, class_of,
    class_of_integer,
)
from balas.structures.hashtable cimport HashTable
from balas.structures.numbers cimport string_to_int64
from balas.structures.slabs cimport Slabs, room_of
from balas.types.fields cimport Fields
from balas.types.value cimport Value

cdef enum:
    # Longer strings are kept as objects: they are then handed out without copying.
    INLINE_MAX = 256
    # The longest text of a 64-bit integer.
    INTEGER_TEXT_MAX = 20


cdef object value_of(Database db, Entry *entry):
    """bytes or bytearray for a string, else the `Value`."""
    if entry.kind == DORMANT:
        db.wake(entry)
    if entry.kind == OBJECT:
        return <object> object_of(entry)
    return string_of(entry)


cdef Value awake(Account account, const Entry *entry):
    """An object for the block of a dormant entry, which both now have."""
    return (<Value> account.prototypes[entry.flags]).wake(object_of(entry), entry.flags)


# Kinds of values whose sizes are counted, by what TYPE says.
KINDS = {"string": STRINGS, "list": LISTS, "set": SETS, "zset": SORTED_SETS, "hash": HASHES}


cdef int kind_of(object value) except -1:
    """The kind of an object in the classes of sizes; 0 for one of which nothing is told."""
    return KINDS.get(value.type_name, 0) if isinstance(value, Value) else STRINGS


cdef uint16_t class_of_object(object value, int kind) except? 0:
    """The class of an object of a kind."""
    if kind == 0:
        return 0
    if kind >= HASHES:
        kind = TIMED_HASHES if (<Fields> value).next_expiry_ms >= 0 else HASHES
    if isinstance(value, Value):
        return class_of(kind, (<Value> value).cardinality())
    return class_of(kind, len(value))


cdef inline bint is_timed(const Entry *entry) noexcept nogil:
    """Whether the value was last seen to be a hash with fields that expire."""
    return entry.size_class >= TIMED_HASHES * POWERS


cdef inline bytes key_of(const Entry *entry):
    return PyBytes_FromStringAndSize(entry.key, entry.key_length)


cdef int classify(Database db, Entry *entry, object value, int kind) except -1:
    """Count the object of an entry in its class, and enter when its first field expires."""
    cdef bint was_timed = is_timed(entry)
    db.set_size_class(entry, class_of_object(value, kind))
    if is_timed(entry):
        db.deadlines.note(key_of(entry), (<Fields> value).next_expiry_ms)
    elif was_timed:
        db.deadlines.forget(key_of(entry))
    return 0


# Entries are released to the slabs until the last database has gone: see below.
@cython.no_gc_clear
cdef class Account:
    """The memory account, shared by all databases of a server and kept by difference."""

    def __cinit__(self):
        self.slabs = Slabs()
        self.prototype_values = []

    def keep_dormant(self, type kind) -> None:
        """Keep small values of this type without their objects; before there are any."""
        cdef Value prototype = kind()
        self.prototype_values.append(prototype)
        for form in kind.dormant_forms:
            self.prototypes[<int> form] = <PyObject *> prototype

    @property
    def total(self):
        """Bytes that count against `maxmemory`."""
        return self.used + self.other


cdef int free_some(list waiting, int64_t effort) except -1:
    """Free about `effort` allocations of the last of those that wait.

    If that raises, as a module's code may, the value is freed at once; a table waits on.
    """
    last = waiting.pop()
    cdef bint more = isinstance(last, RetiredTable)
    try:
        more = last.free_step(effort)
    finally:
        if more:
            waiting.append(last)
    return 0


cdef int free_visit(void *account, void *entry) except -1:
    if (<Entry *> entry).kind == OBJECT:
        give_up_pages(<Entry *> entry)
        Py_DECREF(<object> object_of(<Entry *> entry))
    elif (<Entry *> entry).kind == DORMANT:
        awake(<Account> account, <Entry *> entry)
    (<Account> account).slabs.release(entry, entry_size(<Entry *> entry))
    return 0


cdef int collect_key(void *found, void *entry) except -1:
    cdef Entry *one = <Entry *> entry
    (<list> found).append(PyBytes_FromStringAndSize(one.key, one.key_length))
    return 0


cdef int collect_kind(void *search, void *entry) except -1:
    if (<Entry *> entry).kind == OBJECT and isinstance(
        <object> object_of(<Entry *> entry), (<tuple> search)[0]
    ):
        collect_key(<void *> (<tuple> search)[1], entry)
    return 0


cdef int retire_visit(void *table, void *entry) except -1:
    """Free an entry of a retired table, but put a big value off."""
    cdef RetiredTable retired = <RetiredTable> table
    cdef PyObject *held
    if (<Entry *> entry).kind == OBJECT:
        held = object_of(<Entry *> entry)
        if retired.big is None or not put_off(held, retired.big):
            give_up_pages(<Entry *> entry)
        Py_DECREF(<object> held)
    elif (<Entry *> entry).kind == DORMANT:
        awake(retired.account, <Entry *> entry)
    retired.account.slabs.release(entry, entry_size(<Entry *> entry))
    return 0


# The collector clears the fields of what it finds in a cycle before it is deallocated, and that
# needs them here.
@cython.no_gc_clear
cdef class RetiredTable:
    """The tables of a flushed database, freed bucket by bucket, and big values of them in steps."""

    cdef Account account
    cdef HashTable keys
    cdef HashTable expires
    cdef uint64_t position
    cdef bint keys_gone
    cdef bint gone
    # Values whose entries are gone, and which are freed before the next bucket; None: no value is
    # put off any more.
    cdef list big
    # Entries that the table held when it was flushed.
    cdef readonly uint64_t entries

    def free_step(self, effort: int) -> bool:
        """Free about `effort` entries; True while there are more."""
        cdef int64_t budget = effort
        while budget > 0 and not self.gone:
            if self.big:
                free_some(self.big, budget)
                return True
            # A bucket holds six entries or so; an empty one costs something, too.
            budget -= 6
            if not self.keys_gone:
                self.position = self.keys.drain(self.position, retire_visit, <void *> self)
                if self.position == 0:
                    self.keys.clear()
                    self.keys_gone = True
            else:
                self.position = self.expires.drain(self.position, NULL, NULL)
                if self.position == 0:
                    self.expires.clear()
                    self.gone = True
        return not self.gone

    def __dealloc__(self):
        # Here no value is freed in steps, which might raise: they just go.
        self.big = None
        while not self.gone:
            self.free_step(1 << 20)


@cython.no_gc_clear
cdef class Database:
    """Keys of one database. The verbs of commands are in `engine.context`; this is the storage
    below them.
    """

    def __cinit__(self, int index, Account account, AccessClock access, uint64_t seed):
        self.index = index
        self.account = account
        self.slabs = account.slabs
        self.access = access
        self.keys = HashTable(sizeof(Entry), seed)
        self.expires = HashTable(sizeof(Entry), seed)
        self.retired = []
        self.deadlines = Deadlines()

    def __dealloc__(self):
        self.keys.visit_all(free_visit, <void *> self.account)

    def __len__(self):
        return self.keys.used

    @property
    def expires_count(self):
        """Keys that have an expiry time."""
        return self.expires.used

    @property
    def table_memory(self):
        """Bytes of the two hash tables, entries aside: (keys, expires)."""
        return self.keys.memory(), self.expires.memory()

    @property
    def rehashing(self):
        """Whether one of the tables is moving to another size."""
        return self.keys.rehashing() or self.expires.rehashing()

    def allow_resize(self, allowed: bool) -> None:
        """Switch growth of the tables off while a snapshot child shares our pages, and on again."""
        self.keys.may_resize = allowed
        self.expires.may_resize = allowed
        if allowed:
            self.keys.shrink_if_sparse()
            self.expires.shrink_if_sparse()

    def rehash(self, buckets: int) -> bool:
        """Move up to `buckets` buckets of a table that changes size; True while there is more to
        move.
        """
        if not self.keys.may_resize:
            return False
        more = self.keys.rehash_step(buckets)
        return self.expires.rehash_step(buckets) or more

    def reserve(self, entries: int, expiring: int) -> None:
        """Make room for this many entries before a load, so that no rehash is needed on the way."""
        if self.keys.used == 0:
            self.keys.resize(entries)
            if expiring:
                self.expires.resize(expiring)

    # --- the storage under the verbs --------------------------------------------------------------

    cdef inline void charge(self, int64_t size) noexcept:
        self.used += size
        self.account.used += size

    cdef inline void set_size_class(self, Entry *entry, uint16_t size_class) noexcept:
        if entry.size_class != size_class:
            self.sizes[entry.size_class] -= 1
            self.sizes[size_class] += 1
            entry.size_class = size_class

    cdef void forget_last(self) noexcept:
        self.last = NULL
        self.last_key = NULL

    # --- values that nobody looks at --------------------------------------------------------------

    cdef void settle_last(self) noexcept:
        """Nobody looks any more at the entry used last."""
        if self.last != NULL and self.last.kind == OBJECT:
            self.settle(self.last)
        self.last = NULL
        self.last_key = NULL

    cdef void settle(self, Entry *entry) noexcept:
        """Keep the value without its object, if it is small and nobody else holds it."""
        cdef PyObject *held = object_of(entry)
        cdef uint8_t form = 0
        cdef void *block
        if held.ob_refcnt != 1 or not isinstance(<object> held, Value):
            return
        block = (<Value> held).doze(&form)
        if block == NULL:
            return
        (<void **> payload(entry))[0] = block
        entry.kind = DORMANT
        entry.flags = form
        Py_DECREF(<object> held)

    cdef int wake(self, Entry *entry) except -1:
        """Give a dormant value its object again."""
        cdef Value value = awake(self.account, entry)
        Py_INCREF(value)
        (<PyObject **> payload(entry))[0] = <PyObject *> value
        entry.kind = OBJECT
        entry.flags = 0
        return 0

    cdef void stir(self, Entry *entry) noexcept:
        """An entry has been looked up or made: the one before may be dormant again."""
        if self.last != entry and self.last != NULL and self.last.kind == OBJECT:
            self.settle(self.last)
        self.last = entry
        self.last_key = NULL

    cdef Value lend(self, Entry *entry):
        """The `Value` of an entry that is not to be changed in any way; `take_back` ends it."""
        if entry.kind == DORMANT:
            return awake(self.account, entry)
        return <Value> <object> object_of(entry)

    cdef void take_back(self, Entry *entry, Value value) noexcept:
        """What was lent is not looked at any more: let go of its block, which is the entry's."""
        cdef uint8_t form = 0
        if entry.kind == DORMANT:
            value.doze(&form)

    def settle_some(self, buckets: int) -> None:
        """Look at so many buckets, and keep without their objects the values that were not the last
        when they were used. Not while a child shares the memory, which would have to be copied.
        """
        cdef int64_t left = buckets
        if not self.keys.may_resize or not self.keys.used:
            return
        while left > 0:
            left -= 1
            self.settle_cursor = self.keys.scan(self.settle_cursor, settle_visit, <void *> self)

    # --- finding and making -----------------------------------------------------------------------

    cdef Entry *find(self, const char *key, size_t size, uint64_t hashed) noexcept:
        cdef void **slot = self.keys.find(key, size, hashed)
        return <Entry *> slot[0] if slot != NULL else NULL

    cdef uint64_t hash_key(self, bytes key) noexcept:
        if self.hinted_key == <PyObject *> key:
            return self.hinted_hash
        return self.keys.hash_of(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))

    cdef Entry *find_key(self, bytes key) noexcept:
        """The entry of a key, expired or not, or NULL."""
        cdef const char *text = PyBytes_AS_STRING(key)
        cdef size_t size = PyBytes_GET_SIZE(key)
        # The same object, or another one at the address of a key that is gone: the bytes decide.
        if self.last_key == <PyObject *> key and self.keys.same(self.last, text, size):
            return self.last
        return self.find(text, size, self.hash_key(key))

    cdef Entry *place(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, Kind kind,
        uint32_t length
    ) except NULL:
        """An entry for `key` with room for a payload: a new one, or `entry`, whose old value is
        released.

        The expiry time stays, and so does the access clock: looking a key up is what touches it.
        The caller fills the payload and adds it to the account.
        """
        cdef Entry *moved
        cdef size_t size_before
        cdef size_t bytes_wanted = sizeof(Entry) + size + payload_size(kind, length)
        if entry == NULL:
            entry = <Entry *> self.slabs.allocate(bytes_wanted)
            entry.expire_ms = -1
            entry.key_length = <uint32_t> size
            memcpy(entry.key, key, size)
            entry.kind = kind
            entry.size_class = 0
            self.keys.insert(entry, hashed)
            entry.access = self.access.fresh()
        else:
            self.charge(-entry_memory(entry))
            if is_object(entry):
                if kind != OBJECT and not self.lazy_overwrite:
                    # Another object is likely to need the room.
                    give_up_pages(entry)
                self.release_object(entry, self.lazy_overwrite)
                if is_timed(entry):
                    self.deadlines.forget(key_of(entry))
            size_before = entry_size(entry)
            if room_of(bytes_wanted) != room_of(size_before):
                moved = <Entry *> self.slabs.resize(entry, size_before, bytes_wanted)
                if moved != entry:
                    self.keys.replace(entry, moved, hashed)
                    if moved.expire_ms >= 0:
                        self.expires.replace(entry, moved, hashed)
                    self.forget_last()
                entry = moved
        entry.kind = kind
        entry.length = length
        entry.flags = 0
        return entry

    cdef Entry *place_number(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, int64_t number
    ) except NULL:
        """The same with an INTEGER payload filled in and counted."""
        entry = self.place(entry, key, size, hashed, INTEGER, 0)
        (<int64_t *> payload(entry))[0] = number
        self.set_size_class(entry, class_of_integer(number))
        self.charge(entry_memory(entry))
        return entry

    cdef Entry *place_text(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, const char *text,
        uint32_t length, bint raw
    ) except NULL:
        """The same with an INLINE payload filled in and counted."""
        entry = self.place(entry, key, size, hashed, INLINE, length)
        memcpy(payload(entry), text, length)
        if raw or not embeds(entry, entry.expire_ms >= 0):
            entry.flags = RAW_STRING
        self.set_size_class(entry, class_of(STRINGS, length))
        self.charge(entry_memory(entry))
        return entry

    cdef Entry *place_object(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, object value
    ) except NULL:
        """The same with an OBJECT payload filled in and counted."""
        cdef int64_t usage = measured(value)  # before anything changes: a foreign value may raise
        Py_INCREF(value)
        entry = self.place(entry, key, size, hashed, OBJECT, units_of(usage))
        (<PyObject **> payload(entry))[0] = <PyObject *> value
        classify(self, entry, value, kind_of(value))
        self.charge(entry_memory(entry))
        self.stir(entry)
        return entry

    cdef Entry *put(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, object value,
        StringForm form
    ) except NULL:
        """Give `key` a value: bytes, int, bytearray or `Value`. `entry` is the key's, or NULL if it
        has none. The expiry time of an existing entry stays.
        """
        cdef int64_t number
        cdef int overflow
        cdef bint numeric
        cdef const char *text
        cdef Py_ssize_t length
        if PyBytes_CheckExact(value):
            text = PyBytes_AS_STRING(value)
            length = PyBytes_GET_SIZE(value)
            if length > INLINE_MAX:
                return self.place_object(entry, key, size, hashed, value)
            numeric = form == ANY_FORM and length <= INTEGER_TEXT_MAX
            if numeric and string_to_int64(text, length, &number):
                return self.place_number(entry, key, size, hashed, number)
            return self.place_text(
                entry, key, size, hashed, text, <uint32_t> length, form == RAW_FORM
            )
        if PyLong_CheckExact(value):
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if not overflow:
                return self.place_number(entry, key, size, hashed, number)
            return self.put(entry, key, size, hashed, b"%d" % value, form)
        return self.place_object(entry, key, size, hashed, value)

    cdef Entry *assign(
        self, const char *key, size_t size, uint64_t hashed, object value, bint raw
    ) except NULL:
        """Create or overwrite, for loaders: `put` where the caller knows no entry."""
        cdef StringForm form = RAW_FORM if raw else ANY_FORM
        return self.put(self.find(key, size, hashed), key, size, hashed, value, form)

    cdef Entry *adopt(
        self, const char *key, size_t size, uint64_t hashed, const Entry *source, object value
    ) except NULL:
        """Make an absent `key` from an entry that goes by another key or is of another database.

        It gets the same expiry time, and the same form if it is a string; an object is `value`.
        """
        cdef Entry *entry
        cdef bint expires = source.expire_ms >= 0
        if source.kind == INTEGER:
            entry = self.place_number(NULL, key, size, hashed, integer_of(source))
        elif is_object(source):
            entry = self.place_object(NULL, key, size, hashed, value)
        else:
            entry = self.place_text(
                NULL, key, size, hashed, payload(source), source.length, source.flags & RAW_STRING
            )
        if expires:
            self.set_expire(entry, source.expire_ms)
        if entry.kind == INLINE:
            if size == source.key_length and memcmp(key, source.key, size) == 0:
                entry.flags = source.flags
            elif not embeds(entry, expires):
                entry.flags |= RAW_STRING
        return entry

    cdef int measure(self, Entry *entry) except -1:
        """Bring the account up to date with an object that was changed in place."""
        cdef uint32_t now
        if entry.kind != OBJECT:
            return 0
        now = units_of(measured(<object> object_of(entry)))
        self.charge((<int64_t> now - <int64_t> entry.length) * COUNTED_UNIT)
        entry.length = now
        return classify(self, entry, <object> object_of(entry), entry.size_class // POWERS)

    cdef int set_expire(self, Entry *entry, int64_t at_ms) except -1:
        """Give an entry an expiry time, change it, or (-1) remove it."""
        cdef uint64_t hashed
        if (entry.expire_ms >= 0) != (at_ms >= 0):
            hashed = self.keys.hash_of(entry.key, entry.key_length)
            if at_ms >= 0:
                if entry.kind == INLINE and not embeds_later(entry):
                    entry.flags |= RAW_STRING
                if self.expires.rehashing():
                    self.expires.advance()
                self.expires.insert(entry, hashed)
                self.charge(TABLE_SHARE)
            else:
                self.expires.remove(entry.key, entry.key_length, hashed)
                self.charge(-TABLE_SHARE)
        entry.expire_ms = at_ms if at_ms >= 0 else -1
        return 0

    cdef bint remove(self, const char *key, size_t size, uint64_t hashed, bint lazy) except -1:
        """Delete a key; True if it was there."""
        cdef Entry *entry = <Entry *> self.keys.remove(key, size, hashed)
        if entry == NULL:
            return False
        self.forget_last()
        if entry.expire_ms >= 0:
            self.expires.remove(key, size, hashed)
        if is_timed(entry):
            self.deadlines.forget(key_of(entry))
        self.sizes[entry.size_class] -= 1
        self.charge(-entry_memory(entry))
        self.free_entry(entry, lazy)
        return True

    cdef void release_object(self, Entry *entry, bint lazy) noexcept:
        cdef PyObject *held
        if entry.kind == DORMANT:
            awake(self.account, entry)
            return
        held = object_of(entry)
        if lazy:
            put_off(held, self.retired)
        Py_DECREF(<object> held)

    cdef void free_entry(self, Entry *entry, bint lazy) noexcept:
        if is_object(entry):
            if entry.kind == DORMANT or not lazy or not put_off(object_of(entry), self.retired):
                give_up_pages(entry)
            self.release_object(entry, False)
        self.slabs.release(entry, entry_size(entry))

    # --- for services and tests -------------------------------------------------------------------

    cdef Entry *find_afresh(self, bytes key) noexcept:
        """`find_key` for callers outside a command: what a command looked up last may be gone."""
        self.forget_last()
        return self.find_key(key)

    def get(self, key: bytes) -> object:
        """The value at `key`, expired or not: bytes, bytearray or `Value`; None if there is none.
        """
        cdef Entry *entry = self.find_afresh(key)
        return value_of(self, entry) if entry != NULL else None

    def set(self, key: bytes, value: object, expire_at: int = -1) -> None:
        """Create or overwrite, without report; for loaders and tests."""
        cdef const char *text = PyBytes_AS_STRING(key)
        cdef uint64_t hashed = self.keys.hash_of(text, PyBytes_GET_SIZE(key))
        cdef Entry *entry = self.assign(text, PyBytes_GET_SIZE(key), hashed, value, False)
        self.set_expire(entry, expire_at)

    def delete(self, key: bytes, lazy: bool = False) -> bool:
        """Remove a key, without report; for loaders and tests."""
        cdef const char *text = PyBytes_AS_STRING(key)
        cdef size_t size = PyBytes_GET_SIZE(key)
        return self.remove(text, size, self.keys.hash_of(text, size), lazy)

    def expire_at(self, key: bytes) -> int:
        """Unix ms; -1 if the key never expires, -2 if it does not exist."""
        cdef Entry *entry = self.find_afresh(key)
        return entry.expire_ms if entry != NULL else -2

    def access_bits(self, key: bytes) -> int:
        """The access bits of an existing key (see keyspace.access); KeyError if it is missing."""
        cdef Entry *entry = self.find_afresh(key)
        if entry == NULL:
            raise KeyError(key)
        return entry.access

    def set_access_bits(self, key: bytes, bits: int) -> None:
        """Set the access bits of an existing key; KeyError if it is missing."""
        cdef Entry *entry = self.find_afresh(key)
        if entry == NULL:
            raise KeyError(key)
        entry.access = bits

    def memory_of(self, key: bytes) -> int:
        """Bytes the key and its value cost; KeyError if it is missing."""
        cdef Entry *entry = self.find_afresh(key)
        if entry == NULL:
            raise KeyError(key)
        return entry_memory(entry)

    def is_dormant(self, key: bytes) -> bool:
        """Whether the value is kept without its object now; KeyError if the key is missing."""
        cdef Entry *entry = <Entry *> self.find(key, len(key), self.keys.hash_of(key, len(key)))
        if entry == NULL:
            raise KeyError(key)
        return entry.kind == DORMANT

    def random_key(self, chance: int) -> bytes | None:
        """A key by chance, expired or not; None if there is none. `chance` is 64 random bits."""
        cdef Entry *entry = <Entry *> self.keys.random(chance)
        if entry == NULL:
            return None
        return PyBytes_FromStringAndSize(entry.key, entry.key_length)

    def scan(self, cursor: int, count: int) -> tuple:
        """The next cursor (0: done) and at least `count` keys, unless many buckets are empty or the
        walk is over.

        Every key present from the first call to the last is returned, perhaps more than once.
        """
        cdef uint64_t position = cursor
        cdef int64_t buckets = count * 10
        cdef list found = []
        while True:
            position = self.keys.scan(position, collect_key, <void *> found)
            buckets -= 1
            if position == 0 or buckets <= 0 or len(found) >= count:
                return position, found

    def all_keys(self) -> list:
        """Every key, expired or not."""
        cdef list found = []
        self.keys.visit_all(collect_key, <void *> found)
        return found

    def keys_holding(self, kinds: tuple) -> list:
        """Every key, expired or not, whose value is an instance of one of these classes.

        Looks at all entries: for rare work, such as the unloading of a module.
        """
        cdef list found = []
        cdef tuple search = (kinds, found)
        self.keys.visit_all(collect_kind, <void *> search)
        return found

    def flush(self, lazy: bool = False) -> int:
        """Remove every key, at once or (lazy) in slices through `free_retired`; returns how many
        there were.
        """
        cdef uint64_t count = self.keys.used
        cdef RetiredTable old = RetiredTable.__new__(RetiredTable)
        self.forget_last()
        self.charge(-self.used)
        old.account = self.account
        old.big = []
        old.keys = self.keys
        old.expires = self.expires
        old.entries = count
        self.keys = HashTable(sizeof(Entry), old.keys.seed)
        self.keys.may_resize = old.keys.may_resize
        self.expires = HashTable(sizeof(Entry), old.expires.seed)
        self.expires.may_resize = old.expires.may_resize
        self.expire_cursor = 0
        self.expired_average_ttl_ms = 0
        memset(self.sizes, 0, sizeof(self.sizes))
        self.deadlines = Deadlines()
        # Otherwise all of it is freed as this, the last reference, goes.
        if lazy and count:
            self.retired.append(old)
        return count

    def free_retired(self, effort: int) -> bool:
        """Free about `effort` allocations of what was removed lazily; True while there is more."""
        if self.retired:
            free_some(self.retired, effort)
        return bool(self.retired)

    def swap_contents(self, Database other not None) -> None:
        """Exchange everything but the index with another database (SWAPDB)."""
        cdef int i
        self.forget_last()
        other.forget_last()
        self.keys, other.keys = other.keys, self.keys
        self.expires, other.expires = other.expires, self.expires
        self.expire_cursor, other.expire_cursor = other.expire_cursor, self.expire_cursor
        self.expired_average_ttl_ms, other.expired_average_ttl_ms = (
            other.expired_average_ttl_ms, self.expired_average_ttl_ms
        )
        self.used, other.used = other.used, self.used
        self.deadlines, other.deadlines = other.deadlines, self.deadlines
        for i in range(CLASSES):
            self.sizes[i], other.sizes[i] = other.sizes[i], self.sizes[i]

    def size_counts(self, kind: str) -> dict:
        """How many values of a kind there are of each size: the least size of a class (a power of
        two, or 0), and the number of values in it.
        """
        cdef int first = KINDS[kind] * POWERS, power
        cdef dict counts = {}
        for power in range(POWERS):
            count = self.sizes[first + power]
            if first == HASHES * POWERS:
                count += self.sizes[TIMED_HASHES * POWERS + power]
            if count:
                counts[1 << (power - 1) if power else 0] = count
        return counts

    def check_invariants(self) -> None:
        """Raise AssertionError unless both tables and the memory account agree; for tests."""
        cdef int64_t total = 0
        self.keys.check_invariants()
        self.expires.check_invariants()
        self.keys.visit_all(add_memory, <void *> &total)
        assert total == self.used, f"entries cost {total} bytes, {self.used} counted"
        assert self.expires.used <= self.keys.used
        for key in self.all_keys():
            expires = self.expires.find(key, len(key), self.keys.hash_of(key, len(key))) != NULL
            assert expires == (self.expire_at(key) >= 0), key
            assert (key in self.deadlines) == is_timed(self.find_afresh(key)), key


cdef int settle_visit(void *db, void *entry) except -1:
    if (<Entry *> entry).kind == OBJECT:
        (<Database> db).settle(<Entry *> entry)
    return 0


cdef int add_memory(void *total, void *entry) except -1:
    (<int64_t *> total)[0] += entry_memory(<Entry *> entry)
    return 0
