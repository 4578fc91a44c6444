from cpython.ref cimport PyObject
from libc.stdint cimport UINT32_MAX, int64_t, uint8_t, uint16_t, uint32_t

cdef enum:
    # What an entry costs in a table: a pointer and a tag in buckets that are two thirds full.
    TABLE_SHARE = 14
    # What objects are counted with is kept in units of so many bytes.
    COUNTED_UNIT = 8
    # Redis keeps a string with its key in one block of 64 bytes and then calls it "embstr". This is
    # what header and terminators leave of the block for the two, and what an expiry time takes.
    EMBEDDED_ROOM = 41
    EXPIRE_ROOM = 8
    # Its keys from this length on have a longer header.
    LONG_KEY = 32

cdef enum Kind:
    INLINE = 0     # payload: the string's bytes
    INTEGER = 1    # payload: int64_t
    OBJECT = 2     # payload: PyObject *
    DORMANT = 3    # payload: the block that the object was made of; flags: its DormantForm

cdef enum EntryFlag:
    # OBJECT ENCODING says "raw" of this INLINE string: it does not fit beside its key in the block
    # Redis has for both, or it was made by changing a part of it.
    RAW_STRING = 1

# What a new string is kept as.
cdef enum StringForm:
    ANY_FORM = 0   # a number if it reads as one
    TEXT_FORM = 1  # always as text: what INCRBYFLOAT makes
    RAW_FORM = 2   # as text that says "raw"

# Header, key and payload in one allocation.
cdef struct Entry:
    int64_t expire_ms   # Unix time in ms, -1 for never
    uint32_t access     # see keyspace.access
    uint32_t length     # of an INLINE payload; of an object what it is counted with, in 8 bytes
    uint8_t kind
    uint8_t flags
    uint16_t size_class  # see keyspace.sizes
    uint32_t key_length  # directly before the key: the hash table reads it there
    char key[0]

cdef object string_of(const Entry *entry)
cdef bint is_string(const Entry *entry) noexcept
cdef int64_t entry_memory(const Entry *entry) noexcept
cdef int64_t measured(object value) except -1


cdef inline char *payload(const Entry *entry) noexcept nogil:
    return <char *> entry.key + entry.key_length


cdef inline PyObject *object_of(const Entry *entry) noexcept nogil:
    return (<PyObject **> payload(entry))[0]


cdef inline bint is_object(const Entry *entry) noexcept nogil:
    """Whether the value is an object, be it dormant."""
    return entry.kind >= OBJECT


cdef inline int64_t integer_of(const Entry *entry) noexcept nogil:
    return (<int64_t *> payload(entry))[0]


cdef inline size_t payload_size(Kind kind, uint32_t length) noexcept nogil:
    return length if kind == INLINE else 8


cdef inline size_t entry_size(const Entry *entry) noexcept nogil:
    return sizeof(Entry) + entry.key_length + payload_size(<Kind> entry.kind, entry.length)


cdef inline bint embeds(const Entry *entry, bint expires) noexcept nogil:
    """Whether Redis would have room for this INLINE string beside its key."""
    cdef uint32_t room = EMBEDDED_ROOM - EXPIRE_ROOM if expires else EMBEDDED_ROOM
    return entry.key_length + entry.length <= room


cdef inline bint embeds_later(const Entry *entry) noexcept nogil:
    """Whether Redis would have room for an expiry time in the block of a string without one.

    The block of a long key may be one of 80 bytes, and then has room to spare.
    """
    return embeds(entry, True) or (
        entry.key_length >= LONG_KEY and entry.key_length + entry.length >= EMBEDDED_ROOM - 1
    )


cdef inline int64_t counted(const Entry *entry) noexcept nogil:
    """The bytes an object was last counted with."""
    return <int64_t> entry.length * COUNTED_UNIT


cdef inline uint32_t units_of(int64_t size) noexcept nogil:
    """So many bytes in the units in which they are kept."""
    size = (size + COUNTED_UNIT - 1) // COUNTED_UNIT
    return <uint32_t> size if size < UINT32_MAX else UINT32_MAX
