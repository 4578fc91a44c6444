from balas.api cimport Context

cpdef object last_of(Context ctx, bytes name, type kind)
