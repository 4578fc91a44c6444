from libc.stdint cimport int64_t

cdef class Stats:
    cdef public int64_t connections
    cdef public int64_t rejected_connections
    cdef public int64_t commands
    cdef public int64_t input_bytes
    cdef public int64_t output_bytes
    cdef public int64_t reads
    cdef public int64_t writes
    cdef public int64_t hits
    cdef public int64_t misses
    cdef public int64_t expired_keys
    cdef public int64_t expired_fields
    cdef public int64_t evicted_keys
    cdef public int64_t lazyfreed_objects
    cdef public int64_t error_replies
    cdef public int64_t unexpected_errors
    cdef public int64_t query_limit_disconnections
    cdef public int64_t output_limit_disconnections
    cdef public int64_t loop_turns
    cdef public int64_t loop_ns
    cdef public int64_t loop_command_ns
    cdef public dict errors
    cdef bint errors_full               # there were too many codes, so none is counted any more
    cdef public object on_too_many_errors   # called then, with the codes in order
    cdef readonly list on_reset
    cdef public dict extra
