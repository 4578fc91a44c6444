from cpython.ref cimport PyObject
from libc.stdint cimport int64_t

from balas.engine.client cimport Client
from balas.engine.context cimport Context
from balas.engine.reception cimport Reception
from balas.keyspace.access cimport AccessClock
from balas.keyspace.database cimport Account, Database
from balas.protocol.parser cimport ParserSettings
from balas.registry.spec cimport CommandSpec
from balas.types.limits cimport Limits

cdef class Engine(Reception):
    cdef readonly Account account
    cdef readonly AccessClock access
    cdef readonly Limits limits
    cdef readonly object commands
    cdef dict by_name
    cdef readonly object gates
    cdef readonly object timers
    cdef readonly object rng
    cdef readonly object WAITING
    cdef readonly dict services
    cdef public int64_t attention
    cdef public int64_t maxmemory
    # Called when more than maxmemory is used; True if enough was freed.
    cdef public object free_memory
    cdef public int64_t query_buffer_limit
    # Commands that take as long or longer are reported to on_slow; a monitor wants to see them all.
    cdef public int64_t slow_ns
    cdef public object on_slow
    cdef public object on_exception
    cdef public object on_protocol_error    # called with a client and what is wrong with its input
    cdef public object on_query_limit       # called with a client that sent too much at once
    cdef public object on_attack            # called with a client that is a web browser
    # Called with the specification of a command that changed keys, though it has no flag WRITE.
    cdef public object on_undeclared
    # Set by who drives the engine: runs a coroutine beside it.
    cdef public object spawn
    cdef readonly dict awaited              # client id to the `async def` command under way
    cdef public object error_observer
    cdef bint more_comes                    # of the client that is served, and is there already
    cdef int64_t last_ns
    cdef bint serving

    cdef int note_input(self, Client client, Py_ssize_t size) except -1
    cdef int receive_placed(self, Client client, Py_ssize_t size, bint more) except -1
    cpdef int receive(self, Client client, bytes data) except -1
    cdef int receive_lent(self, Client client, const char *data, Py_ssize_t size) except -1
    cdef int process(self, Client client) except -1
    cdef int run_batch(self, Client client, int count) except -1
    cdef int prefetch(self, Client client, int count) except -1
    cdef int request(
        self, Client client, PyObject **argv, Py_ssize_t argc, PyObject *found
    ) except -1
    cdef int request_list(self, Client client, list argv) except -1
    cdef CommandSpec resolve(self, PyObject **argv, Py_ssize_t argc)
    cdef object invoke(self, Context ctx, CommandSpec spec, PyObject **argv, Py_ssize_t argc)
    cdef object execute_words(
        self, Context ctx, CommandSpec spec, PyObject **argv, Py_ssize_t argc
    )
    cdef int run(self, Client client, CommandSpec spec, PyObject **argv, Py_ssize_t argc) except -1
    cdef int end_unit(self) except -1
    cpdef object execute(self, Context ctx, CommandSpec spec, list argv)
    cdef int refuse(self, Client client, CommandSpec spec, object error) except -1
    cpdef int make_room(self, Client client, CommandSpec spec) except -1
    cdef int refuse_unresolved(self, Client client, list argv, object error) except -1
    cdef int write_value(self, Client client, object value) except -1
    cdef int write_late(self, Client client, object value) except -1
    cpdef int write_reply(self, Client client, CommandSpec spec, object value) except -1
    cdef int query_limit_reached(self, Client client) except -1
    cdef int protocol_error(self, Client client) except -1
    cdef int finish(self, CommandSpec spec, int db, PyObject **argv, Py_ssize_t argc) except -1
    cdef int note_blocked(
        self, Client client, CommandSpec spec, PyObject **argv, Py_ssize_t argc
    ) except -1
    cdef int failed(self, Client client, CommandSpec spec, object error, Py_ssize_t mark) except -1
    cdef int mute(self, Client client, Py_ssize_t mark) except -1
    cdef int run_async(self, Client client, CommandSpec spec, list argv) except -1
