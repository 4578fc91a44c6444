from balas.types.limits cimport Limits
from balas.types.set cimport Set

cpdef list intersection(list sets)
cpdef Py_ssize_t intersection_size(list sets, Py_ssize_t limit) except -1
cpdef Set stored_intersection(list sets, Limits limits)
cpdef list union(list sets, Limits limits)
cpdef Set stored_union(list sets, Limits limits)
cpdef list difference(Set first, list others, Limits limits)
cpdef Set stored_difference(Set first, list others, Limits limits)
