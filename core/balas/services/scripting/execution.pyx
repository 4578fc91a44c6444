"""A script that runs, and the commands it calls."""

from cpython.ref cimport PyObject
from libc.stdint cimport int64_t

from balas.engine import attention
from balas.engine.client cimport Client
from balas.engine.context cimport Context
from balas.errors import OOM, ReplyError
from balas.registry import flags
from balas.registry.spec cimport CommandSpec
from balas.services.tracking import Tracking

cdef int64_t RESTRICTED = attention.RESTRICTED
cdef int64_t TRACKING = attention.TRACKING
# States in which nobody may write.
cdef int64_t NO_WRITES = attention.DISK | attention.LONELY | attention.READ_ONLY
# The state in which few commands make sense.
cdef int64_t CUT_OFF = attention.STALE
cdef int64_t NOSCRIPT = flags.NOSCRIPT
cdef int64_t WRITE = flags.WRITE
cdef int64_t DENYOOM = flags.DENYOOM


cdef int ask_gates(
    Engine engine, int64_t bits, Client client, CommandSpec spec, PyObject **argv, Py_ssize_t count
) except -1:
    """Ask those gates that care for a state of the server; raises ReplyError."""
    words = [<object> argv[i] for i in range(count)]
    engine.gates.ask(engine.attention & bits, client, spec, words)
    return 0


cdef class Execution:
    """A script that runs.

    Args:
        own: a context that nobody else uses while the script runs.
        ctx: that of the command that runs the script.
        acl: who is asked where the client's user may not do everything.
        out_of_memory: commands that take memory are refused until one has changed something.

    Attributes:
        ctx: what its commands get.
        script, chunk: what runs, as it is known and as the interpreter's.
        keys, arguments: with what.
        resp: the protocol in which it wants to see replies.
        wrote: it has changed data, and so cannot be ended.
        paused: it has been set aside at least once; its client waits.
        killed: it is to end.
        started_s, resumed_s: when, by the engine's clock for durations.
        outcome: its reply, or the exception it has ended with.
    """

    @staticmethod
    cdef Execution begin(
        Context own, Context ctx, object script, object chunk, tuple keys, tuple arguments,
        object acl, bint read_only, bint out_of_memory,
    ):
        """What runs next; the arguments are those of the class."""
        cdef Execution made = Execution.__new__(Execution)
        own.begin(ctx.client)
        own.may_block = ctx.may_block
        made.ctx = own
        made.script = script
        made.chunk = chunk
        made.keys = keys
        made.arguments = arguments
        made.engine = ctx.engine
        made.acl = acl
        made.read_only = read_only
        made.out_of_memory = out_of_memory
        made.resp = 2
        made.started_s = made.resumed_s = made.engine.clock.stopwatch_ns() / 1e9
        return made

    cdef object perform(self, CommandSpec spec, PyObject **argv, Py_ssize_t count):
        """Run a command of the script; its value, or its ReplyError raised.

        `spec` is None if these words name no command.
        """
        cdef Client client = self.ctx.client
        if spec is None or spec.handler is None:
            raise ReplyError("ERR Unknown Redis command called from script")
        if count < -spec.arity or 0 < spec.arity != count:
            raise ReplyError("ERR Wrong number of args calling Redis command from script")
        if spec.flags & NOSCRIPT:
            raise ReplyError("ERR This Redis command is not allowed from script")
        if client.attention & RESTRICTED:
            words = [<object> argv[i] for i in range(count)]
            denial = self.acl.permit(client, spec, words, "lua")
            if denial is not None:
                raise ReplyError(f"ERR ACL failure in script: {denial.hint}")
        if spec.flags & WRITE:
            if self.read_only:
                raise ReplyError("ERR Write commands are not allowed from read-only scripts.")
            if self.engine.attention & NO_WRITES:
                ask_gates(self.engine, NO_WRITES, client, spec, argv, count)
        if self.engine.attention & CUT_OFF:
            ask_gates(self.engine, CUT_OFF, client, spec, argv, count)
        # What has begun to write may end.
        if self.out_of_memory and not self.wrote and spec.flags & DENYOOM:
            raise ReplyError(OOM)
        if spec.flags & WRITE:
            self.wrote = True
        elif client.attention & TRACKING:
            words = [<object> argv[i] for i in range(count)]
            self.ctx.service(Tracking).ran_within(client, spec, words)
        return self.engine.execute_words(self.ctx, spec, argv, count)
