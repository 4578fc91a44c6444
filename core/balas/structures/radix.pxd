from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

# A node and the bytes that lead to it from its parent, in one block. Its children stand in another:
# pointers, then the first byte of each child's own bytes, ascending.
cdef struct Node:
    PyObject *value        # NULL if no key ends here
    Node **children
    uint32_t length
    uint16_t count
    uint16_t room
    unsigned char label[0]

# Which key is looked for, seen from a given one.
cdef enum Direction:
    AT_LEAST
    ABOVE
    AT_MOST
    BELOW


cdef class RadixTree:
    cdef Node *root        # its label is empty
    cdef readonly uint64_t used
    cdef readonly uint64_t nodes
    cdef readonly int64_t memory

    cdef Node *new_node(self, const unsigned char *label, size_t length) except NULL
    cdef void drop_node(self, Node *node) noexcept
    cdef int add_child(self, Node *node, Node *child) except -1
    cdef void remove_child(self, Node *node, uint16_t place) noexcept
    cdef int split(self, Node **slot, uint32_t common) except -1
    cdef int join(self, Node **slot) except -1
    cdef PyObject *lookup(self, const unsigned char *key, size_t size) noexcept
    cdef bint put(self, const unsigned char *key, size_t size, object value) except -1
    cdef object take(self, const unsigned char *key, size_t size)
    cdef tuple seek(self, const unsigned char *key, size_t size, Direction direction)
    cdef tuple ends(self, Node *node, const unsigned char *key, size_t size, bint last)
    cdef bint free_last(self) noexcept
