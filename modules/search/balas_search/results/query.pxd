cdef class Found:
    cdef public object docs
    cdef readonly object index
    cdef readonly object cursor
    cdef readonly object tree
    cdef readonly object scorer
    cdef readonly bytes payload
    cdef readonly dict yielded
    cdef readonly int tanh_factor
    cdef public object late
    cdef public bint shortened
