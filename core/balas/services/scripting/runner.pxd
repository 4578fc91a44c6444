from balas.services.scripting.execution cimport Execution

cdef class Runner:
    cdef object inside, outside     # the greenlet of scripts, and the one that it goes back to
    cdef Execution given            # what to run next
    cdef bint done

    cpdef bint resume(self, Execution execution) except -1
    cpdef int step_aside(self) except -1
