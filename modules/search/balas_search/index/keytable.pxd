from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef struct Key:
    uint32_t hashed
    uint32_t size
    const uint8_t* data


cdef class KeyTable:
    # By id: where its key is in the arena, 0 if it is gone; and the key's hash.
    cdef uint64_t* place_data
    cdef uint32_t* hash_data
    cdef Py_ssize_t capacity
    # The ids below this were given.
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t living
    cdef uint8_t* arena
    cdef size_t arena_size
    cdef size_t arena_capacity
    # Ids by the hash of their keys, 0 where there is none.
    cdef uint32_t* slots
    cdef size_t mask
    cdef size_t filled
    # The smaller table whose ids are still on their way to the other; NULL mostly.
    cdef uint32_t* old_slots
    cdef size_t old_mask
    cdef size_t old_at

    cdef int grow(self, Py_ssize_t capacity) except -1
    cdef Key stored(self, Py_ssize_t doc) noexcept
    cdef bint is_key(self, uint32_t doc, Key key) noexcept
    cdef Py_ssize_t slot_in(self, uint32_t* slots, size_t mask, Key key) noexcept
    cdef void insert(self, uint32_t doc) noexcept
    cdef void take_out(self, size_t at) noexcept
    cdef int widen(self) except -1
    cdef void move_some(self, size_t steps) noexcept
    cdef uint64_t append(self, Key key) except 0
    cdef uint32_t find(self, bytes name) noexcept
    cdef uint32_t add(self, bytes name) except? 0
    cdef uint32_t add_from(self, KeyTable other, Py_ssize_t doc) except? 0
    cdef int skip(self) except -1
    cdef uint32_t put(self, Key key) except? 0
    cdef uint32_t remove(self, bytes name) noexcept
    cdef key_at(self, Py_ssize_t doc)
    cdef Py_ssize_t memory(self) noexcept
