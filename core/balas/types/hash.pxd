from balas.types.fields cimport Fields
from balas.types.items cimport ItemReader
from balas.types.limits cimport Limits

cdef class Hash(Fields):
    cdef int load_pack(self, ItemReader reader, int kind) except -1
    cdef int load_fields(self, ItemReader reader, int kind) except -1
    cdef bint is_slim(self, Limits limits) except -1
