"""The names of members, each kept once for all documents.

Documents that were made by one program share their names, so an object keeps 4 bytes for a name,
however long it is, and compares numbers where it would compare texts. A name lives as long as some
object has it: objects hold references, one for each of their members.

There is one pool for the process, as CPython keeps one for identifiers: nobody can see by its
content whose document a name is from, and it empties itself. It is used by the event loop alone; a
child that writes a snapshot only reads it.
"""

import secrets

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy

cdef enum:
    BUCKETS_FIRST = 1024

cdef struct Pool:
    Name **names           # by number; NULL where a number is free
    uint32_t *buckets
    uint32_t size          # numbers given out so far
    uint32_t capacity
    uint32_t mask
    uint32_t held
    uint32_t free_number   # the chain of free numbers stands in `free_next`
    uint32_t *free_next
    uint64_t bytes
    uint64_t marks
    uint64_t seed

cdef Pool pool
pool.names = NULL
pool.buckets = NULL
pool.free_next = NULL
pool.size = pool.capacity = pool.held = 0
pool.mask = 0
pool.free_number = NO_NAME
pool.bytes = 0
pool.marks = 0
pool.seed = secrets.randbits(64) | 1


cdef Name *name_at(uint32_t number) noexcept nogil:
    """The name with this number, which somebody must hold."""
    return pool.names[number]


cdef uint32_t hash_of(const char *text, uint32_t length) noexcept nogil:
    """A hash that nobody outside can foresee."""
    cdef uint64_t h = pool.seed ^ length, word
    while length >= 8:
        memcpy(&word, text, 8)
        h = (h ^ word) * 0x9E3779B97F4A7C15ULL
        h ^= h >> 32
        text += 8
        length -= 8
    if length:
        word = 0
        memcpy(&word, text, length)
        h = (h ^ word) * 0x9E3779B97F4A7C15ULL
        h ^= h >> 32
    h *= pool.seed
    return <uint32_t>(h >> 32)


cdef uint32_t find_name(const char *text, uint32_t length, uint32_t hashed) noexcept nogil:
    """The number of a name, or NO_NAME if no document has it."""
    cdef uint32_t number
    cdef Name *name
    if pool.buckets == NULL:
        return NO_NAME
    number = pool.buckets[hashed & pool.mask]
    while number != NO_NAME:
        name = pool.names[number]
        if name.hashed == hashed and name.length == length:
            if memcmp(name.text, text, length) == 0:
                return number
        number = name.next
    return NO_NAME


cdef int resize(uint32_t buckets) except -1:
    """Give the table this many buckets, a power of two."""
    cdef uint32_t *made = <uint32_t *>malloc(buckets * sizeof(uint32_t))
    cdef uint32_t i
    cdef Name *name
    if made == NULL:
        raise MemoryError
    for i in range(buckets):
        made[i] = NO_NAME
    for i in range(pool.size):
        name = pool.names[i]
        if name != NULL:
            name.next = made[name.hashed & (buckets - 1)]
            made[name.hashed & (buckets - 1)] = i
    free(pool.buckets)
    pool.buckets = made
    pool.mask = buckets - 1
    return 0


cdef int more_numbers() except -1:
    """Make room for more numbers."""
    cdef uint32_t capacity = max(<uint32_t>BUCKETS_FIRST, pool.capacity + pool.capacity // 2)
    cdef void *names = realloc(pool.names, capacity * sizeof(Name *))
    cdef void *chain
    if names == NULL:
        raise MemoryError
    pool.names = <Name **>names
    chain = realloc(pool.free_next, capacity * sizeof(uint32_t))
    if chain == NULL:
        raise MemoryError
    pool.free_next = <uint32_t *>chain
    pool.capacity = capacity
    return 0


cdef bint is_plain(const char *text, uint32_t length) noexcept nogil:
    cdef uint32_t i
    cdef unsigned char byte
    for i in range(length):
        byte = <unsigned char>text[i]
        if byte < 32 or byte == c'"' or byte == c"\\":
            return False
    return True


cdef uint32_t take_name(const char *text, uint32_t length) except? NO_NAME:
    """The number of a name, with one more reference; made if it is new."""
    cdef uint32_t hashed = hash_of(text, length)
    cdef uint32_t number = find_name(text, length, hashed)
    cdef Name *name
    if number != NO_NAME:
        pool.names[number].references += 1
        return number
    if pool.held >= pool.mask:
        resize(BUCKETS_FIRST if pool.buckets == NULL else (pool.mask + 1) * 2)
    if pool.free_number == NO_NAME and pool.size == pool.capacity:
        more_numbers()
    name = <Name *>malloc(sizeof(Name) + length)
    if name == NULL:
        raise MemoryError
    if pool.free_number != NO_NAME:
        number = pool.free_number
        pool.free_number = pool.free_next[number]
    else:
        number = pool.size
        pool.size += 1
    name.hashed = hashed
    name.references = 1
    name.length = length
    name.mark = 0
    name.plain = is_plain(text, length)
    memcpy(name.text, text, length)
    name.next = pool.buckets[hashed & pool.mask]
    pool.buckets[hashed & pool.mask] = number
    pool.names[number] = name
    pool.held += 1
    pool.bytes += sizeof(Name) + length
    return number


cdef void share_name(uint32_t number) noexcept nogil:
    """One more reference."""
    pool.names[number].references += 1


cdef void leave_name(uint32_t number) noexcept nogil:
    """One reference less; the last one takes the name along."""
    cdef Name *name = pool.names[number]
    cdef uint32_t *link
    name.references -= 1
    if name.references:
        return
    link = &pool.buckets[name.hashed & pool.mask]
    while link[0] != number:
        link = &pool.names[link[0]].next
    link[0] = name.next
    pool.bytes -= sizeof(Name) + name.length
    pool.held -= 1
    pool.names[number] = NULL
    pool.free_next[number] = pool.free_number
    pool.free_number = number
    free(name)
    if pool.held == 0 and pool.capacity > BUCKETS_FIRST:
        drop_tables()


cdef void drop_tables() noexcept nogil:
    """Give back what found the names of a time when there were many, now that there are none."""
    free(pool.names)
    free(pool.buckets)
    free(pool.free_next)
    pool.names = NULL
    pool.buckets = pool.free_next = NULL
    pool.size = pool.capacity = pool.mask = 0
    pool.free_number = NO_NAME


cdef uint64_t new_mark() noexcept nogil:
    """A mark that no name bears."""
    pool.marks += 1
    return pool.marks


def names_held() -> int:
    """How many names there are."""
    return pool.held


def names_bytes() -> int:
    """What the names take, with the tables that find them.

    A process that embeds several servers has one pool for them, and each of them counts it.
    """
    cdef uint64_t tables = pool.capacity * (sizeof(Name *) + sizeof(uint32_t))
    if pool.buckets != NULL:
        tables += (pool.mask + 1) * sizeof(uint32_t)
    return pool.bytes + tables + pool.held * 16
