"""Indexes of properties: ids by values."""

from libc.stdint cimport int32_t

# Measured by sys.getsizeof: an entry of a dict with its key, and an id in a set.
cdef Py_ssize_t ENTRY_BYTES = 150
cdef Py_ssize_t MEMBER_BYTES = 80


cdef object index_key(object value):
    """What an index knows a value by: equal values share it, and lists can be kept."""
    if type(value) is bool:
        return ("bool", value)
    if type(value) is list:
        return ("list", tuple([index_key(item) for item in value]))
    return value


cdef class Index:
    """Ids by the values of one property, of the nodes of a label or the edges of a type."""

    def __init__(self, bint edges, int32_t label, int32_t key):
        self.edges = edges
        self.label = label
        self.key = key
        self.entries = {}
        self.count = 0

    cdef int add(self, int32_t id, object value) except -1:
        key = index_key(value)
        found = self.entries.get(key)
        if found is None:
            self.entries[key] = id
        elif type(found) is set:
            found.add(id)
        else:
            self.entries[key] = {found, id}
        self.count += 1
        return 0

    cdef int discard(self, int32_t id, object value) except -1:
        key = index_key(value)
        found = self.entries.get(key)
        if found is None:
            return 0
        self.count -= 1
        if type(found) is set:
            found.discard(id)
            if len(found) == 1:
                self.entries[key] = found.pop()
        else:
            del self.entries[key]
        return 0

    def find(self, value):
        """The ids with a value, ascending."""
        found = self.entries.get(index_key(value))
        if found is None:
            return ()
        if type(found) is set:
            return sorted(found)
        return (found,)

    def memory(self):
        """Bytes."""
        cdef Py_ssize_t shared = self.count - len(self.entries)
        return ENTRY_BYTES * len(self.entries) + MEMBER_BYTES * shared
