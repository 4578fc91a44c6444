"""Keys by their ids, and ids by their keys, in little memory and without long pauses.

The bytes of all keys lie in one arena, in which an id has a place. A table of ids, found by the
hash of a key with linear probing, leads back. When that table gets full, one of twice the size is
filled with its ids a few at a time, by every key that is added.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcmp, memcpy

cdef enum:
    SLOTS_MIN = 16
    # So many slots of the smaller table are emptied by each key that is added: more than four
    # thirds, so that it is empty before the larger one is full.
    MOVED = 16
    # Before a key stands its length in one byte, or this byte and then the length in four.
    LONG = 255


cdef void* resized(void* block, size_t size) except NULL:
    cdef void* found = realloc(block, size)
    if found == NULL:
        raise MemoryError()
    return found


cdef uint32_t* empty_slots(size_t count) except NULL:
    # Not touched yet, they take no memory, and no time.
    cdef void* found = calloc(count, sizeof(uint32_t))
    if found == NULL:
        raise MemoryError()
    return <uint32_t*> found


cdef inline Key key_of(bytes key):
    # The hash is Python's: a bytes object remembers it, and nobody can choose keys that collide.
    cdef uint64_t whole = <uint64_t> hash(key)
    cdef Key found
    found.hashed = <uint32_t> (whole ^ (whole >> 32))
    found.data = <const uint8_t*> PyBytes_AS_STRING(key)
    found.size = <uint32_t> PyBytes_GET_SIZE(key)
    return found


cdef class KeyTable:
    """The keys of documents; ids are given in turn, and begin with 1."""

    def __cinit__(self):
        self.count = 1
        self.arena_size = 1
        self.slots = empty_slots(SLOTS_MIN)
        self.mask = SLOTS_MIN - 1
        self.grow(SLOTS_MIN)

    def __dealloc__(self):
        free(self.place_data)
        free(self.hash_data)
        free(self.arena)
        free(self.slots)
        free(self.old_slots)

    cdef int grow(self, Py_ssize_t capacity) except -1:
        self.place_data = <uint64_t*> resized(self.place_data, capacity * sizeof(uint64_t))
        self.hash_data = <uint32_t*> resized(self.hash_data, capacity * sizeof(uint32_t))
        self.capacity = capacity
        self.place_data[0] = 0
        return 0

    cdef Key stored(self, Py_ssize_t doc) noexcept:
        """The key of an id that is there."""
        cdef Key key
        key.hashed = self.hash_data[doc]
        key.data = self.arena + self.place_data[doc]
        key.size = key.data[0]
        key.data += 1
        if key.size == LONG:
            memcpy(&key.size, key.data, sizeof(uint32_t))
            key.data += sizeof(uint32_t)
        return key

    cdef bint is_key(self, uint32_t doc, Key key) noexcept:
        cdef Key stored
        if self.hash_data[doc] != key.hashed or not self.place_data[doc]:
            return False
        stored = self.stored(doc)
        return stored.size == key.size and not memcmp(stored.data, key.data, key.size)

    cdef Py_ssize_t slot_in(self, uint32_t* slots, size_t mask, Key key) noexcept:
        """The slot of a key, -1 if it is not there."""
        cdef size_t at = key.hashed & mask
        while slots[at]:
            if self.is_key(slots[at], key):
                return <Py_ssize_t> at
            at = (at + 1) & mask
        return -1

    cdef void insert(self, uint32_t doc) noexcept:
        cdef size_t at = self.hash_data[doc] & self.mask
        while self.slots[at]:
            at = (at + 1) & self.mask
        self.slots[at] = doc
        self.filled += 1

    cdef void take_out(self, size_t at) noexcept:
        """Empty a slot, and move up those behind it that would not be found any more."""
        cdef size_t hole = at
        cdef size_t home
        while True:
            at = (at + 1) & self.mask
            if not self.slots[at]:
                break
            home = self.hash_data[self.slots[at]] & self.mask
            if ((at - home) & self.mask) >= ((at - hole) & self.mask):
                self.slots[hole] = self.slots[at]
                hole = at
        self.slots[hole] = 0
        self.filled -= 1

    cdef int widen(self) except -1:
        """Begin to move to a table of twice the size."""
        cdef uint32_t* larger
        if self.old_slots != NULL:
            self.move_some(self.old_mask + 1)
        larger = empty_slots(2 * (self.mask + 1))
        self.old_slots, self.old_mask, self.old_at = self.slots, self.mask, 0
        self.slots, self.mask, self.filled = larger, 2 * self.mask + 1, 0
        return 0

    cdef void move_some(self, size_t steps) noexcept:
        """Insert what the next slots of the smaller table hold, and free it behind its last one.

        Ids stay in it as well, so that those behind them are found; ids that are gone may stay in
        it, too, and are passed over.
        """
        cdef uint32_t doc
        cdef size_t end = min(self.old_at + steps, self.old_mask + 1)
        while self.old_at < end:
            doc = self.old_slots[self.old_at]
            if doc and self.place_data[doc]:
                self.insert(doc)
            self.old_at += 1
        if self.old_at > self.old_mask:
            free(self.old_slots)
            self.old_slots = NULL

    cdef uint64_t append(self, Key key) except 0:
        """Put a key at the end of the arena; returns its place."""
        cdef size_t size = key.size
        cdef uint64_t place = self.arena_size
        cdef uint8_t* target
        if self.arena_size + size + 5 > self.arena_capacity:
            self.arena_capacity += max(self.arena_capacity >> 2, size + 256)
            self.arena = <uint8_t*> resized(self.arena, self.arena_capacity)
        target = self.arena + place
        if size < LONG:
            target[0] = <uint8_t> size
            target += 1
        else:
            target[0] = LONG
            memcpy(target + 1, &key.size, sizeof(uint32_t))
            target += 1 + sizeof(uint32_t)
        memcpy(target, key.data, size)
        self.arena_size = (target - self.arena) + size
        return place

    cdef uint32_t find(self, bytes name) noexcept:
        """The id of a key, 0 if there is none."""
        cdef Key key = key_of(name)
        cdef Py_ssize_t at = self.slot_in(self.slots, self.mask, key)
        if at >= 0:
            return self.slots[at]
        if self.old_slots != NULL:
            at = self.slot_in(self.old_slots, self.old_mask, key)
            if at >= 0:
                return self.old_slots[at]
        return 0

    cdef uint32_t add(self, bytes name) except? 0:
        """Give a key the next id; returns the one it had, 0 if none."""
        return self.put(key_of(name))

    cdef uint32_t add_from(self, KeyTable other, Py_ssize_t doc) except? 0:
        """The same of a key of another table."""
        return self.put(other.stored(doc))

    cdef int skip(self) except -1:
        """Pass over an id, which no key has."""
        if self.count == self.capacity:
            self.grow(self.count + (self.count >> 2) + SLOTS_MIN)
        self.place_data[self.count] = 0
        self.hash_data[self.count] = 0
        self.count += 1
        return 0

    cdef uint32_t put(self, Key key) except? 0:
        cdef uint32_t doc = <uint32_t> self.count
        cdef uint32_t before = 0
        cdef Py_ssize_t at = self.slot_in(self.slots, self.mask, key)
        cdef Py_ssize_t old
        cdef uint64_t place
        if self.count == self.capacity:
            self.grow(self.count + (self.count >> 2) + SLOTS_MIN)
        if at >= 0:
            before = self.slots[at]
        elif self.old_slots != NULL:
            old = self.slot_in(self.old_slots, self.old_mask, key)
            if old >= 0:
                before = self.old_slots[old]
        if before:
            # The bytes of the key stay where they are.
            place = self.place_data[before]
            self.place_data[before] = 0
        else:
            place = self.append(key)
            self.living += 1
        self.place_data[doc] = place
        self.hash_data[doc] = key.hashed
        self.count += 1
        if at >= 0:
            self.slots[at] = doc
        else:
            self.insert(doc)
        if self.old_slots != NULL:
            self.move_some(MOVED)
        if self.filled * 4 > (self.mask + 1) * 3:
            self.widen()
        return before

    cdef uint32_t remove(self, bytes name) noexcept:
        """Forget a key; returns the id it had, 0 if none."""
        cdef Key key = key_of(name)
        cdef uint32_t doc
        cdef Py_ssize_t at = self.slot_in(self.slots, self.mask, key)
        if at >= 0:
            doc = self.slots[at]
            self.take_out(at)
        else:
            if self.old_slots == NULL:
                return 0
            at = self.slot_in(self.old_slots, self.old_mask, key)
            if at < 0:
                return 0
            doc = self.old_slots[at]
        self.place_data[doc] = 0
        self.living -= 1
        return doc

    cdef key_at(self, Py_ssize_t doc):
        """The key of an id, None if it is gone."""
        cdef Key key
        if not 0 < doc < self.count or not self.place_data[doc]:
            return None
        key = self.stored(doc)
        return PyBytes_FromStringAndSize(<const char*> key.data, key.size)

    cdef Py_ssize_t memory(self) noexcept:
        """Bytes it takes."""
        cdef size_t old = 0 if self.old_slots == NULL else self.old_mask + 1
        return (
            self.capacity * (sizeof(uint64_t) + sizeof(uint32_t))
            + self.arena_capacity
            + (self.mask + 1 + old) * sizeof(uint32_t)
        )
