"""A stack of its own for scripts, which can be left in the middle of one and gone back to.

There is one greenlet for all scripts: making one takes longer than most of them. It is switched to
by greenlet's interface for C, which its header gives, and which needs no tuple of arguments.
"""

from greenlet import getcurrent, greenlet

from balas.services.scripting.bridge cimport Chunk
from balas.services.scripting.execution cimport Execution

cdef extern from *:
    """
    /* The place of PyGreenlet_Switch among the functions of greenlet's capsule. */
    #define BALAS_SWITCH 6

    typedef PyObject *(*balas_switcher)(PyObject *greenlet, PyObject *args, PyObject *kwargs);

    static balas_switcher balas_find_switch(void) {
        void **functions = (void **) PyCapsule_Import("greenlet._C_API", 0);
        return functions ? (balas_switcher) functions[BALAS_SWITCH] : NULL;
    }
    """
    ctypedef object (*Switcher "balas_switcher")(object greenlet, void *args, void *kwargs)
    Switcher find_switch "balas_find_switch"() except NULL

cdef Switcher switch_to = find_switch()


cdef class Runner:
    """Runs one script after the other."""

    cpdef bint resume(self, Execution execution) except -1:
        """Run a script, or go on with the one that has stepped aside if there is None; whether it
        is done, and not just stepping aside. Then its `outcome` is set.
        """
        if self.inside is None:
            self.inside = greenlet(self.work)
        self.given = execution
        self.done = False
        switch_to(self.inside, NULL, NULL)
        return self.done

    cpdef int step_aside(self) except -1:
        """Called by what runs: leave it until `resume` is called again."""
        switch_to(self.outside, NULL, NULL)
        return 0

    def work(self) -> None:
        """What the greenlet does."""
        cdef Execution execution
        self.outside = getcurrent().parent
        try:
            while True:
                execution, self.given = self.given, None
                try:
                    execution.outcome = (<Chunk> execution.chunk).run(execution)
                except Exception as error:
                    execution.outcome = error
                self.done = True
                execution = None
                switch_to(self.outside, NULL, NULL)
        finally:
            self.inside = self.outside = None
