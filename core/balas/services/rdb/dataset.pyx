"""A whole data set to and from the RDB format: what is in which order in a file.

Saving walks the tables in C: for a short string nothing of Python is touched. Loading is a
generator that stops every so often, so that whoever drives it can serve clients in between.

A file: header, remarks (AUX), what modules keep before the keys, function libraries, then for each
database that is not empty its number, the sizes of its tables and its entries, then what modules
keep after the keys, END and the checksum.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport rand
from posix.unistd cimport usleep

from balas.errors import BadData
from balas.keyspace.access cimport AccessClock
from balas.keyspace.database cimport Database
from balas.keyspace.entries cimport (
    INLINE, INTEGER, Entry, integer_of, is_string, object_of, payload,
)
from balas.services.rdb.format cimport (
    AUX, END, FUNCTION, MODULE, MODULE_AUX, RESIZE_DB, SELECT_DB, STRING,
)
from balas.services.rdb.module_values import load_module_value, save_module_value
from balas.services.rdb.reader cimport EntryHeader, RdbReader
from balas.services.rdb.writer cimport RdbWriter

cdef enum:
    # Keys between two calls of `progress`.
    PROGRESS_KEYS = 1024
    # Whatever the size that a file claims, room is made in advance for no more keys than this.
    RESERVED_KEYS_MAX = 1 << 20
    # Six years: twice that, and the access clock turns over.
    IDLE_MAX_S = 200000000


cdef int delay(int64_t us) except -1:
    """Wait so many microseconds, or with -n one microsecond every n calls or so: how tests make the
    way through few keys a long one.
    """
    if us < 0:
        us = 1 if rand() % -us == 0 else 0
    if us > 0:
        with nogil:
            usleep(<unsigned int> us)
    return 0


cdef class DatasetWriter:
    """Writes the databases of a server with an `RdbWriter`.

    Args:
        access: tells whether entries carry idle times or frequencies.
        keep_access: write them (the policy is LRU or LFU), so that eviction goes on where it was.
        progress: called with the number of keys written so far, every thousand keys; or None.
        delay_us: wait after each key, see `delay`; `progress` is then called for each, too.
    """

    cdef RdbWriter out
    cdef AccessClock access
    cdef Database db             # the one that is written
    cdef bint keep_access
    cdef object progress
    cdef int64_t delay_us
    cdef readonly int64_t keys

    def __init__(
        self, RdbWriter out not None, AccessClock access not None, bint keep_access=False,
        progress=None, int64_t delay_us=0,
    ):
        self.out = out
        self.access = access
        self.keep_access = keep_access
        self.progress = progress
        self.delay_us = delay_us

    def write_database(self, Database db not None) -> None:
        """Write a database that is not empty, with its number and sizes."""
        if not len(db):
            return
        self.out.write_select_db(db.index)
        self.out.write_resize_db(len(db), db.expires_count)
        self.db = db
        db.keys.visit_all(write_visit, <void *> self)

    cdef int write(self, Entry *entry) except -1:
        cdef int64_t idle_s = -1
        cdef int frequency = -1
        cdef object value
        if self.keep_access:
            if self.access.lfu:
                frequency = self.access.decayed(entry.access)
            else:
                idle_s = self.access.idle_ms(entry.access) // 1000
        if is_string(entry):
            self.out.put_entry(
                STRING, entry.key, entry.key_length, entry.expire_ms, idle_s, frequency
            )
            if entry.kind == INLINE:
                self.out.put_string(payload(entry), entry.length)
            elif entry.kind == INTEGER:
                self.out.put_integer(integer_of(entry))
            else:
                self.out.write_string(<object> object_of(entry))
        else:
            value = self.db.lend(entry)
            try:
                self.write_value(entry, value, idle_s, frequency)
            finally:
                self.db.take_back(entry, value)
        self.keys += 1
        if self.delay_us:
            delay(self.delay_us)
        if self.progress is not None and (self.keys % PROGRESS_KEYS == 0 or self.delay_us):
            self.progress(self.keys)
        return 0

    cdef int write_value(
        self, Entry *entry, object value, int64_t idle_s, int frequency
    ) except -1:
        """Write what is no string."""
        kind = value.rdb_kind
        self.out.put_entry(
            MODULE if kind is None else kind,
            entry.key, entry.key_length, entry.expire_ms, idle_s, frequency,
        )
        if kind is None:
            save_module_value(self.out, value)
        else:
            value.rdb_save(self.out)
        return 0


cdef int write_visit(void *writer, void *entry) except -1:
    return (<DatasetWriter> writer).write(<Entry *> entry)


cdef class DatasetReader:
    """Reads a data set into the databases of a server.

    Args:
        source: positioned after the header.
        databases: those of the server, empty.
        types: the `TypeRegistry`, for the values of modules and of the core.
        now_ms: keys whose time has come by then are left out, unless `keep_expired`.
        replace: keys that are there already, or come twice, are overwritten instead of refused.
        delay_us: wait after each key, see `delay`.

    Attributes:
        aux: remarks found in the file so far, by name.
        functions: sources of function libraries.
        module_aux: what modules kept beside the keys: (id of the type, after the keys?, its items).
        loaded, expired: keys taken and keys left out.
    """

    cdef RdbReader source
    cdef list databases
    cdef object types
    cdef int64_t now_ms
    cdef bint keep_expired
    cdef bint replace
    cdef int64_t delay_us
    cdef readonly dict aux
    cdef readonly list functions
    cdef readonly list module_aux
    cdef readonly int64_t loaded
    cdef readonly int64_t expired
    cdef Database db

    def __init__(
        self, RdbReader source not None, list databases not None, types, int64_t now_ms, *,
        bint keep_expired=False, bint replace=False, int64_t delay_us=0,
    ):
        self.source = source
        self.databases = databases
        self.types = types
        self.now_ms = now_ms
        self.keep_expired = keep_expired
        self.replace = replace
        self.delay_us = delay_us
        self.aux = {}
        self.functions = []
        self.module_aux = []
        self.db = databases[0]

    def steps(self, step_bytes: int = 2 << 20):
        """Load, in steps of about so many bytes: a generator of the position reached. Raises
        BadData.
        """
        cdef int64_t next_stop = self.source.base + <int64_t> self.source.at + step_bytes
        cdef int64_t position
        while self.load_some(next_stop):
            position = self.source.base + <int64_t> self.source.at
            yield position
            next_stop = position + step_bytes
        self.source.read_end()

    cdef bint load_some(self, int64_t stop) except -1:
        """Load until `stop` is passed (True), or the end of the data set is reached (False)."""
        cdef EntryHeader header
        while self.source.base + <int64_t> self.source.at < stop:
            self.source.take_entry_header(&header)
            if header.kind == END:
                return False
            if header.kind < 128:
                self.load_entry(&header)
            else:
                self.load_item(header.kind)
        return True

    cdef int load_item(self, int opcode) except -1:
        """Something that is no key."""
        cdef uint64_t keys, expires
        if opcode == SELECT_DB:
            self.source.take_length(&keys)
            if keys >= <uint64_t> len(self.databases):
                raise self.source.bad(
                    f"database {keys} in a file for a server with {len(self.databases)} databases"
                )
            self.db = self.databases[keys]
        elif opcode == RESIZE_DB:
            self.source.take_length(&keys)
            self.source.take_length(&expires)
            self.db.reserve(
                min(keys, <uint64_t> RESERVED_KEYS_MAX), min(expires, <uint64_t> RESERVED_KEYS_MAX)
            )
        elif opcode == AUX:
            name = self.source.read_string()
            self.aux[name] = self.source.read_string()
        elif opcode == FUNCTION:
            self.functions.append(self.source.read_string())
        elif opcode == MODULE_AUX:
            self.load_module_aux()
        else:
            raise self.source.bad(f"unknown opcode {opcode}")
        return 0

    cdef int load_module_aux(self) except -1:
        """What a module keeps beside the keys; captured, for its module may not be loaded yet."""
        cdef uint64_t module_id, opcode, when
        self.source.take_length(&module_id)
        self.source.take_length(&opcode)
        self.source.take_length(&when)
        if opcode != 2:
            raise self.source.bad("a module's remark without its place")
        self.module_aux.append((module_id, when == 2, self.source.capture_module_value()))
        return 0

    cdef int load_entry(self, EntryHeader *header) except -1:
        cdef const char *text
        cdef size_t size
        cdef bytes key
        cdef uint64_t hashed
        cdef Database db = self.db
        cdef Entry *entry
        cdef uint64_t before = db.keys.used
        cdef bint expires = header.expire_ms != -1
        cdef bint gone = expires and header.expire_ms < self.now_ms and not self.keep_expired
        self.source.take_string(&text, &size)
        key = PyBytes_FromStringAndSize(text, size)
        if gone and header.kind == STRING:
            self.source.skip_string()
            self.expired += 1
            return 0
        hashed = db.keys.hash_of(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))
        if header.kind == STRING:
            self.source.take_string(&text, &size)
            value = PyBytes_FromStringAndSize(text, size)
        else:
            value = self.load_value(header.kind)
            if gone:
                self.expired += 1
                return 0
            if value is None:  # an empty collection, as damaged files of old servers can hold
                return 0
        entry = db.assign(PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key), hashed, value, False)
        if db.keys.used == before and not self.replace:
            raise self.source.bad(f"key {key!r} a second time in database {db.index}")
        db.set_expire(entry, max(header.expire_ms, 0) if expires else -1)
        if header.frequency >= 0 and db.access.lfu:
            entry.access = db.access.now | <unsigned int> header.frequency
        elif header.idle_s >= 0 and not db.access.lfu:
            entry.access = <unsigned int> (db.access.now - min(header.idle_s, IDLE_MAX_S) * 10)
        self.loaded += 1
        if self.delay_us:
            delay(self.delay_us)
        return 0

    cdef object load_value(self, int kind):
        if kind == MODULE:
            return load_module_value(self.source, self.types)
        loader = self.types.by_kind(kind)
        if loader is None:
            raise self.source.bad(f"unknown kind of value {kind}")
        try:
            return loader.rdb_load(self.source, kind)
        except BadData:
            raise
        except Exception as error:
            # Whatever a damaged file makes of the reading of a type, it ends as damage of the file.
            raise self.source.bad(f"a {loader.type_name} could not be loaded: {error!r}") from error
