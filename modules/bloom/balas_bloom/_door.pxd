from balas.api cimport Context, Value

cpdef Value to_read(Context ctx, bytes key, type kind, str missing)
cpdef Value to_change(Context ctx, bytes key, type kind, str missing)
cpdef Value changeable(Context ctx, bytes key, type kind)
cpdef int changed(Context ctx, bytes key) except -1
