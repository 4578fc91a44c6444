"""Groups rows by their values."""

import numpy as np

from libc.stdint cimport int64_t


def grouped(list columns, key):
    """The number of each row's group, and the first row of each group, in the order they come.

    `key` turns a value that is neither a string nor an integer into what it is known by.
    """
    cdef list first = [], values
    cdef dict known = {}
    cdef Py_ssize_t count = len(columns[0]), row
    made = np.empty(count, np.int64)
    cdef int64_t[:] groups = made
    cdef list names = []
    for values in columns:
        names.append([
            value if type(value) is str or type(value) is int else key(value) for value in values
        ])
    cdef list keys = names[0] if len(names) == 1 else list(zip(*names))
    for row in range(count):
        one = keys[row]
        found = known.get(one, known)
        if found is known:
            found = known[one] = len(first)
            first.append(row)
        groups[row] = found
    return made, first
