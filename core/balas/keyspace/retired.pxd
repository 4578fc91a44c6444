from cpython.ref cimport PyObject

from balas.keyspace.entries cimport Entry

cdef void give_up_pages(const Entry *entry) noexcept
cdef bint put_off(PyObject *held, list waiting) noexcept
