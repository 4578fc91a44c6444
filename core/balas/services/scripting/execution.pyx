"""A script that runs, and the commands it calls."""

import time

from libc.stdint cimport int64_t

from balas.engine import attention
from balas.engine.client cimport Client
from balas.engine.context cimport Context
from balas.errors import OOM, ReplyError
from balas.registry import flags
from balas.registry.spec cimport CommandSpec

cdef int64_t RESTRICTED = attention.RESTRICTED
# States in which nobody may write.
cdef int64_t NO_WRITES = attention.DISK | attention.READ_ONLY
cdef int64_t NOSCRIPT = flags.NOSCRIPT
cdef int64_t WRITE = flags.WRITE
cdef int64_t DENYOOM = flags.DENYOOM


cdef class Execution:
    """A script that runs.

    Attributes:
        ctx: what its commands get.
        script: what runs.
        words: the request that runs it, for FUNCTION STATS.
        resp: the protocol in which it wants to see replies.
        wrote: it has changed data, and so cannot be ended.
        paused: it has been set aside at least once; its client waits.
        killed: it is to end.
        outcome: its reply, or the exception it has ended with.
    """

    def __init__(
        self, Context ctx, object script, object acl, bint read_only,
        bint out_of_memory,
    ) -> None:
        self.ctx = ctx
        self.script = script
        self.engine = ctx.engine
        self.acl = acl
        self.read_only = read_only
        self.out_of_memory = out_of_memory
        self.words = []
        self.resp = 2
        self.started_s = self.resumed_s = time.monotonic()

    cdef object perform(self, list argv):
        """Run a command of the script; its value, or its ReplyError raised."""
        cdef CommandSpec spec = self.find(argv)
        cdef Client client = self.ctx.client
        cdef Py_ssize_t count = len(argv)
        if spec is None or spec.handler is None:
            raise ReplyError("ERR Unknown Redis command called from script")
        if count < -spec.arity or 0 < spec.arity != count:
            raise ReplyError("ERR Wrong number of args calling Redis command from script")
        if spec.flags & NOSCRIPT:
            raise ReplyError("ERR This Redis command is not allowed from script")
        if client.attention & RESTRICTED:
            denial = self.acl.permit(client, spec, argv, "lua")
            if denial is not None:
                raise ReplyError(f"ERR ACL failure in script: {denial.hint}")
        if spec.flags & WRITE:
            if self.read_only:
                raise ReplyError("ERR Write commands are not allowed from read-only scripts.")
            if self.engine.attention & NO_WRITES:
                self.engine.gates.ask(self.engine.attention & NO_WRITES, client, spec, argv)
        # What has begun to write may end.
        if self.out_of_memory and not self.wrote and spec.flags & DENYOOM:
            raise ReplyError(OOM)
        if spec.flags & WRITE:
            self.wrote = True
        if self.ctx.db is not client.db:
            self.ctx = self.ctx.in_database(client.db.index)
        return self.engine.execute(self.ctx, spec, argv)

    cdef CommandSpec find(self, list argv):
        """The command that these words name, or None."""
        cdef bytes name = argv[0]
        cdef dict by_name = self.engine.by_name
        cdef object found = by_name.get(name)
        cdef CommandSpec spec
        if found is None:
            found = by_name.get(name.lower())
            if found is None:
                return None
        spec = found
        if spec.subcommands is not None and len(argv) > 1:
            found = spec.subcommands.get((<bytes> argv[1]).lower())
            if found is not None or spec.handler is None:
                spec = found
        return spec
