from balas_search.results.query cimport Found


cdef class Searcher:
    cdef object ctx
    cdef readonly object index
    cdef object plan
    cdef readonly object options
    cdef object limits
    cdef object timing
    cdef object late
    cdef readonly list warnings
    cdef readonly Found found
    cdef object _best
    # The fields that came up so far, and their places: rows show them all in one order.
    cdef dict _known
    cdef object _loader
