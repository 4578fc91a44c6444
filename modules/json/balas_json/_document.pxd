from libc.stdint cimport int64_t

from balas_json._cells cimport Cell, Doc
from balas_json._paths cimport Path
from balas_json._printer cimport Printer
from balas_json._search cimport Found

cdef class Document:
    cdef Doc doc

    cdef Cell root(self) noexcept
    cdef Found find(self, Path path)
    cdef Found find_to_write(self, Path path)
    cdef int64_t index_of(self, Cell array, Document sought, int64_t first, int64_t last)
    cdef int settle(self) except -1
    cpdef bytes select(self, Path path)
    cpdef first(self, Path path)

cpdef Document parsed(bytes text, str prefix=*, bint deep=*)
cdef object value_of(const Doc *doc, Cell cell)
cdef object expanded(const Doc *doc, Cell cell, Printer outer)
