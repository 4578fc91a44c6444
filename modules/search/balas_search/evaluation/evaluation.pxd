cdef class Evaluation:
    cdef readonly object index
    cdef readonly object limits
    cdef readonly int slop
    cdef readonly bint in_order
    cdef readonly object check_time
    cdef readonly dict yielded
    cdef object _everything
