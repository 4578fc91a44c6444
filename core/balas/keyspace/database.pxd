from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from balas.keyspace.access cimport AccessClock
from balas.keyspace.deadlines cimport Deadlines
from balas.keyspace.entries cimport Entry, Kind, StringForm
from balas.keyspace.sizes cimport CLASSES
from balas.structures.hashtable cimport HashTable
from balas.structures.slabs cimport Slabs
from balas.types.value cimport DORMANT_FORMS, Value

cdef class Account:
    # By form: one value of the type that has it, which makes others; NULL for forms not in use.
    cdef PyObject *prototypes[DORMANT_FORMS]
    cdef list prototype_values
    cdef public int64_t used        # bytes of all entries and their values
    cdef public int64_t peak
    # bytes that services count beside: indexes, scripts, client buffers
    cdef public int64_t other
    # where the entries of all databases stand
    cdef readonly Slabs slabs

cdef object value_of(Database db, Entry *entry)
cdef Value awake(Account account, const Entry *entry)

cdef class Database:
    cdef readonly int index
    cdef HashTable keys
    cdef HashTable expires
    cdef Account account
    cdef Slabs slabs
    cdef readonly int64_t used          # this database's part of the account
    cdef AccessClock access
    cdef public uint64_t expire_cursor
    cdef public list retired            # values and tables that wait to be freed in slices
    cdef Entry *last                    # the entry used last, for the key object `last_key`
    cdef PyObject *last_key
    # The key object of the request that runs, and its hash: all databases of a server hash alike.
    cdef PyObject *hinted_key
    cdef uint64_t hinted_hash
    cdef uint64_t settle_cursor
    cdef public int64_t expired_average_ttl_ms
    # Overwritten values are freed in slices (lazyfree-lazy-server-del).
    cdef public bint lazy_overwrite
    cdef int64_t sizes[CLASSES]         # entries by class of size
    cdef readonly Deadlines deadlines   # keys of hashes with fields that expire

    cdef Entry *find(self, const char *key, size_t size, uint64_t hashed) noexcept
    cdef uint64_t hash_key(self, bytes key) noexcept
    cdef Entry *find_key(self, bytes key) noexcept
    cdef Entry *assign(
        self, const char *key, size_t size, uint64_t hashed, object value, bint raw
    ) except NULL
    cdef Entry *put(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, object value,
        StringForm form
    ) except NULL
    cdef Entry *adopt(
        self, const char *key, size_t size, uint64_t hashed, const Entry *source, object value
    ) except NULL
    cdef Entry *place(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, Kind kind,
        uint32_t length
    ) except NULL
    cdef Entry *place_number(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, int64_t number
    ) except NULL
    cdef Entry *place_text(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, const char *text,
        uint32_t length, bint raw
    ) except NULL
    cdef Entry *place_object(
        self, Entry *entry, const char *key, size_t size, uint64_t hashed, object value
    ) except NULL
    cdef int set_expire(self, Entry *entry, int64_t at_ms) except -1
    cdef bint remove(self, const char *key, size_t size, uint64_t hashed, bint lazy) except -1
    cdef void free_entry(self, Entry *entry, bint lazy) noexcept
    cdef void release_object(self, Entry *entry, bint lazy) noexcept
    cdef int measure(self, Entry *entry) except -1
    cdef void forget_last(self) noexcept
    cdef void settle_last(self) noexcept
    cdef void settle(self, Entry *entry) noexcept
    cdef int wake(self, Entry *entry) except -1
    cdef void stir(self, Entry *entry) noexcept
    cdef Value lend(self, Entry *entry)
    cdef void take_back(self, Entry *entry, Value value) noexcept
    cdef void set_size_class(self, Entry *entry, uint16_t size_class) noexcept
    cdef void charge(self, int64_t size) noexcept
    cdef Entry *find_afresh(self, bytes key) noexcept
