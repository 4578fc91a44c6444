from libc.stdint cimport int64_t, uint32_t

cdef enum:
    HISTOGRAM_SIZE = 640

cdef class CommandSpec:
    cdef readonly str name
    cdef readonly bytes wire_name
    cdef readonly int arity
    cdef public int64_t flags
    cdef readonly int first_key
    cdef readonly int last_key
    cdef readonly int key_step
    cdef readonly int shift            # arguments that name the command: 1, or 2 for a subcommand
    cdef readonly object handler
    cdef readonly bint is_async
    cdef readonly tuple key_specs
    cdef readonly object find_keys
    cdef readonly str group
    cdef readonly str since
    cdef readonly str summary
    cdef readonly str synopsis
    cdef readonly str description
    cdef readonly frozenset categories
    # lower-case name as bytes to CommandSpec; None if it is no container
    cdef public dict subcommands
    cdef readonly CommandSpec parent
    cdef readonly str owner            # name of the module that brought it, "" for the core
    cdef public int64_t calls
    cdef public int64_t duration_ns
    cdef public int64_t rejected_calls
    cdef public int64_t failed_calls
    # no longer in the table; a batch that was parsed before must not run it
    cdef public bint retired
    cdef uint32_t *histogram

    cdef void count_call(self, int64_t duration_ns) noexcept
    cpdef list key_positions(self, object argv)
