from libc.stdint cimport int64_t

cpdef list union(list sources, list weights, int aggregate)
cpdef list intersection(list sources, list weights, int aggregate)
cpdef int64_t intersection_size(list sources, int64_t limit) except -1
cpdef list difference(list sources)
