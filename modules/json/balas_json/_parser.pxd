from balas_json._cells cimport Doc

cdef int parse(Doc *doc, bytes text, str prefix, int depth_max) except -1
