"""The engine: requests in, replies out, everything else in between.

The way of a request, from `receive`: the parser makes a batch of all that arrived; the batch's keys
are hashed and their buckets and entries prefetched; then each request is resolved to its command,
passes the gates if anything needs attention, and runs as a unit of its own. A unit ends by handing
its records to the sinks and serving the clients that waited for its keys.

Nobody is served at the expense of others. A client that sends much gives way after a while (it
rests until the event loop has seen to the others); one that does not read has nothing further run
for it, and what it sends meanwhile is kept up to the limit on input.

The engine knows no socket and no service. What it does not know itself it calls through an
attribute that the composition root or a service has set (`free_memory`, `on_slow`, `spawn`, ...).
"""

import asyncio
from asyncio import CancelledError
from random import Random

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.ref cimport Py_XDECREF, Py_XINCREF, PyObject
from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport free, malloc

from balas.engine import attention
from balas.engine.blocking import WAITING, Blocking
from balas.engine.changes cimport Changes
from balas.engine.client import Suspended
from balas.engine.client cimport Client
from balas.engine.clock cimport Clock
from balas.engine.context cimport Context
from balas.engine.faults import FAULTS
from balas.engine.gates import CoreGates, Gates
from balas.engine.pause import Pause
from balas.engine.reception cimport Reception
from balas.engine.stats cimport Stats
from balas.engine.steps import StepByStep
from balas.engine.timers import Timers
from balas.errors import (
    EXEC_ABORT_REASON, OOM, ReplyError, unknown_command, unknown_subcommand,
)
from balas.keyspace.access cimport AccessClock
from balas.keyspace.database cimport Account, Database
from balas.protocol.parser cimport ParserSettings, Request
from balas.protocol.replies import NO_REPLY
from balas.registry import flags
from balas.registry.spec cimport CommandSpec
from balas.registry.table import CommandTable
from balas.types.limits cimport Limits

cdef extern from "Python.h":
    object PyObject_Vectorcall(object callable, PyObject **args, size_t nargsf, PyObject *names)

cdef enum:
    # Up to so many words are passed on without a list of them.
    FEW_WORDS = 16
    # A reply buffer above this is handed to the transport before the batch is over.
    FLUSH_AT = 1 << 20
    # A client whose requests have run for this long lets others have a turn.
    SLICE_NS = 1000000
    # So much at once means that more is there, which the event loop would read at once, many times.
    FULL_READ = 128 * 1024
    # Of a long argument that is read to its place, which is quicker.
    FULL_PLACED = 1 << 20
    # Replies that wait for more requests to be read are sent at this size.
    SENT_LATER_MAX = 64 * 1024

# What a web browser says that was lured into talking to us.
cdef frozenset ATTACKS = frozenset((b"post", b"host:"))

cdef object waiting = WAITING
cdef object no_reply = NO_REPLY
cdef int64_t DENYOOM = flags.DENYOOM
cdef int64_t WRITE = flags.WRITE
cdef int64_t BIT_MUTED = attention.MUTED
cdef int64_t BIT_MEMORY = attention.MEMORY
cdef int BLOCKED = Suspended.BLOCKED
cdef int AWAITING = Suspended.AWAITING
cdef int RESTING = Suspended.RESTING


cdef class Engine(Reception):
    """One server's engine. `services` maps a service's class to the service; `commands` is the
    table of commands.
    """

    def __init__(self, databases: int = 16, clock: Clock = None, seed: int = 0) -> None:
        self.clock = clock if clock is not None else Clock()
        self.rng = Random(seed)
        self.stats = Stats()
        self.changes = Changes(self.clock, self.stats)
        self.account = Account()
        self.access = AccessClock(self.rng.getrandbits(64))
        self.access.refresh(self.clock.now_ms)
        hash_seed = self.rng.getrandbits(64)
        self.databases = [
            Database(i, self.account, self.access, hash_seed) for i in range(databases)
        ]
        self.parser_settings = ParserSettings()
        self.commands = CommandTable()
        self.by_name = self.commands.by_name
        self.services = {}
        self.awaited = {}
        self.query_buffer_limit = 1 << 30
        self.slow_ns = INT64_MAX
        self.limits = Limits()
        self.limits.hash_seed = hash_seed
        self.limits.slabs = self.account.slabs
        self.context = Context(self, self.changes, self.limits)
        self.gates = Gates()
        self.timers = Timers(self.clock)
        self.WAITING = WAITING
        self.blocking = Blocking(self)
        self.pause = Pause(self)
        CoreGates(self)

    def set_attention(self, bits: int, on: bool) -> None:
        """Set or clear bits of `engine.attention` for the whole server."""
        if on:
            self.attention |= bits
        else:
            self.attention &= ~bits

    def reset_stats(self) -> None:
        """Set all counters to zero, those of the commands too."""
        self.stats.reset()
        for spec in self.commands.every():
            spec.reset_stats()

    # --- input ------------------------------------------------------------------------------------

    cdef int note_input(self, Client client, Py_ssize_t size) except -1:
        """Count what a client sent, and look at the clock."""
        client.input_bytes += size
        self.stats.input_bytes += size
        self.stats.reads += 1
        client.active_ms = self.clock.refresh()
        self.access.refresh(self.clock.now_ms)
        return 0

    cdef int receive_placed(self, Client client, Py_ssize_t size, bint more) except -1:
        """As `receive`, for what was read to its place already. With `more`, the replies wait until
        all that has arrived was read, or this turn of the event loop is over.
        """
        self.note_input(client, size)
        if client.parser.placed(size):
            self.more_comes = more and self.call_soon is not None
            try:
                self.process(client)
            finally:
                self.more_comes = False
        elif client.parser.unread() > self.query_buffer_limit:
            return self.query_limit_reached(client)
        if size >= FULL_PLACED and self.call_soon is not None:
            self.rest(client)
        return 0

    cpdef int receive(self, Client client, bytes data) except -1:
        """Take what a client sent: run the requests it completes and send the replies."""
        return self.receive_lent(client, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))

    cdef int receive_lent(self, Client client, const char *data, Py_ssize_t size) except -1:
        """The same, of memory where something else will stand afterwards."""
        self.note_input(client, size)
        if client.processing or client.hold():
            if client.closing or client.closed:
                return 0
            client.backlog.append(data[:size])
            client.backlog_size += size
            if client.backlog_size + client.parser.unread() > self.query_buffer_limit:
                return self.query_limit_reached(client)
            return 0
        client.parser.feed_lent(data, size)
        try:
            self.process(client)
        finally:
            if client.parser.lent:
                client.parser.keep_rest()
        if size >= FULL_READ and self.call_soon is not None:
            self.rest(client)
        return 0

    cdef int query_limit_reached(self, Client client) except -1:
        self.stats.query_limit_disconnections += 1
        if self.on_query_limit is not None:
            self.on_query_limit(client)
        self.close(client, True)
        return 0

    cdef int process(self, Client client) except -1:
        """Run requests until input runs out or the client has to wait; then send."""
        cdef int count
        cdef int64_t started_ns, end_ns = 0
        client.processing = True
        self.active += 1
        try:
            while not client.hold():
                if client.pending:
                    self.request_list(client, client.pending.pop(0))
                    continue
                count = client.parser.next_batch()
                if count:
                    started_ns = self.last_ns = self.clock.stopwatch_ns()
                    if end_ns == 0:
                        end_ns = started_ns + SLICE_NS
                    self.run_batch(client, count)
                    self.stats.loop_command_ns += self.last_ns - started_ns
                    if self.last_ns > end_ns and self.call_soon is not None:
                        self.rest(client)
                elif client.parser.error is not None:
                    self.protocol_error(client)
                elif client.backlog:
                    data = b"".join(client.backlog)
                    client.backlog.clear()
                    client.backlog_size = 0
                    client.parser.feed(data)
                else:
                    break
        finally:
            client.processing = False
            self.active -= 1
        if client.parser.unread() + client.queue_bytes > self.query_buffer_limit:
            self.query_limit_reached(client)
        elif client.leaving and not client.suspended & RESTING:
            self.disconnect(client)
        elif self.more_comes and client.writer.size < SENT_LATER_MAX and not client.closing:
            self.send_later(client)
        else:
            self.send(client)
        if self.unsent and not self.active:
            self.send_unsent()
        return 0

    cdef int protocol_error(self, Client client) except -1:
        client.writer.error("ERR Protocol error: " + client.parser.error)
        self.stats.count_error("ERR")
        if self.on_protocol_error is not None:
            self.on_protocol_error(client, client.parser.error)
        client.closing = True
        return 0

    cdef int prefetch(self, Client client, int count) except -1:
        """Find the commands of a batch and ask for the memory that their first keys will need.

        Two passes, so that the cache misses of all requests overlap: buckets, then entries (short
        values are in them).
        """
        cdef Request *request
        cdef Request *requests = client.parser.requests
        cdef PyObject **argv
        cdef PyObject *found = NULL, *name = NULL
        cdef CommandSpec spec
        cdef Database db = client.db
        cdef int i
        for i in range(count):
            request = &requests[i]
            argv = client.parser.args + request.first
            # The parser gives a name that comes again as the same object.
            if argv[0] != name:
                name = argv[0]
                found = PyDict_GetItem(self.by_name, <object> name)
            if found == NULL:
                continue
            Py_XINCREF(found)
            request.spec = found
            spec = <CommandSpec> <object> found
            if 0 < spec.first_key < request.count:
                request.key = argv[spec.first_key]
                request.hashed = db.keys.hash_of(
                    PyBytes_AS_STRING(<object> request.key),
                    PyBytes_GET_SIZE(<object> request.key),
                )
                db.keys.prefetch_bucket(request.hashed)
        for i in range(count):
            if requests[i].key != NULL:
                db.keys.prefetch_entry(requests[i].hashed)
        return 0

    cdef int run_batch(self, Client client, int count) except -1:
        cdef Request *request
        cdef Database db = client.db
        cdef int i
        if count > 1:
            self.prefetch(client, count)
        else:
            request = client.parser.requests
            request.spec = PyDict_GetItem(self.by_name, <object> client.parser.args[request.first])
            Py_XINCREF(request.spec)
        try:
            for i in range(count):
                request = &client.parser.requests[i]
                if not client.hold():
                    db = client.db
                    db.hinted_key = request.key
                    db.hinted_hash = request.hashed
                    self.request(
                        client, client.parser.args + request.first, request.count, request.spec
                    )
                    db.hinted_key = NULL
                    if client.writer.size > FLUSH_AT:
                        self.send(client)
                elif not client.closing and not client.closed:
                    client.pending.append([
                        <object> client.parser.args[request.first + j]
                        for j in range(request.count)
                    ])
                Py_XDECREF(request.spec)
        finally:
            db.hinted_key = NULL
        client.parser.drop_batch()
        return 0

    cdef int request_list(self, Client client, list argv) except -1:
        """Run a request that waited; its arguments are objects already."""
        cdef Py_ssize_t count = len(argv), i
        cdef PyObject **raw = <PyObject **> malloc(count * sizeof(PyObject *))
        if raw == NULL:
            raise MemoryError
        for i in range(count):
            raw[i] = <PyObject *> argv[i]
        self.last_ns = self.clock.stopwatch_ns()
        try:
            return self.request(client, raw, count, NULL)
        finally:
            free(raw)

    # --- one request ------------------------------------------------------------------------------

    cdef CommandSpec resolve(self, PyObject **argv, Py_ssize_t argc):
        """The command of a request; raises ReplyError for a name or a number of arguments that no
        command has.
        """
        cdef bytes name = <bytes> <object> argv[0]
        cdef CommandSpec spec
        cdef object found = self.by_name.get(name)
        if found is None:
            found = self.by_name.get(name.lower())
            if found is None:
                raise ReplyError(unknown_command([<object> argv[i] for i in range(argc)]))
        spec = <CommandSpec> found
        if spec.subcommands is not None and argc > 1:
            found = spec.subcommands.get((<bytes> <object> argv[1]).lower())
            if found is not None:
                spec = <CommandSpec> found
            elif spec.handler is None:
                raise ReplyError(unknown_subcommand(spec.name, <bytes> <object> argv[1]))
        if (spec.arity > 0 and argc != spec.arity) or argc < -spec.arity or spec.handler is None:
            raise ReplyError(f"ERR wrong number of arguments for '{spec.name}' command")
        return spec

    cdef int request(
        self, Client client, PyObject **argv, Py_ssize_t argc, PyObject *found
    ) except -1:
        """Resolve, pass the gates, run. `found` is what the prefetch found for the name."""
        cdef CommandSpec spec = None
        cdef int64_t bits
        cdef object answer = None
        if found != NULL:
            spec = <CommandSpec> <object> found
            if (
                spec.retired or spec.subcommands is not None
                or (spec.arity > 0 and argc != spec.arity) or argc < -spec.arity
            ):
                spec = None
        if spec is None:
            try:
                spec = self.resolve(argv, argc)
            except ReplyError as error:
                words = [<object> argv[i] for i in range(argc)]
                return self.refuse_unresolved(client, words, error)
        bits = self.attention | client.attention
        if bits:
            client.last_command = spec
            try:
                if bits == BIT_MEMORY:
                    self.make_room(client, spec)
                else:
                    words = [<object> argv[i] for i in range(argc)]
                    answer = self.gates.ask(bits, client, spec, words)
            except ReplyError as error:
                return self.refuse(client, spec, error)
            if answer is not None:
                return self.write_value(client, answer)
        return self.run(client, spec, argv, argc)

    cpdef int make_room(self, Client client, CommandSpec spec) except -1:
        """maxmemory: free what is too much; refuse a command that needs memory if that fails."""
        if self.maxmemory == 0 or self.account.used + self.account.other <= self.maxmemory:
            return 0
        freed = self.free_memory()
        self.end_unit()
        if not freed and carried_flags(client, spec) & DENYOOM:
            raise ReplyError(OOM)
        return 0

    cdef int refuse_unresolved(self, Client client, list argv, object error) except -1:
        """Answer a request that names no command, or one with a wrong number of arguments."""
        spec = self.commands.resolve(argv)
        if spec is None and argv[0].lower() in ATTACKS:
            if self.on_attack is not None:
                self.on_attack(client)
            self.close(client, True)
            return 0
        return self.refuse(client, spec, error)

    cdef int refuse(self, Client client, CommandSpec spec, object error) except -1:
        """Answer with an error a request that did not run. It spoils a transaction under way, and a
        refused EXEC ends it.
        """
        cdef Py_ssize_t mark = client.writer.size
        if spec is not None:
            spec.rejected_calls += 1
        if client.queue is not None:
            client.queue_broken = True
        if spec is not None and spec.name == "exec":
            self.discard(client)
            error = ReplyError(EXEC_ABORT_REASON + error.text.removeprefix("ERR "))
        self.stats.count_error(error.code)
        client.writer.error(error.text)
        if client.attention & BIT_MUTED:
            self.mute(client, mark)
        return 0

    cdef object invoke(self, Context ctx, CommandSpec spec, PyObject **argv, Py_ssize_t argc):
        """Call the handler: the context takes the place of the last word of the name."""
        cdef int at = spec.shift - 1
        cdef PyObject *name = argv[at]
        argv[at] = <PyObject *> ctx
        try:
            return PyObject_Vectorcall(spec.handler, argv + at, argc - at, NULL)
        finally:
            argv[at] = name

    cdef int run(self, Client client, CommandSpec spec, PyObject **argv, Py_ssize_t argc) except -1:
        """Run a command as a unit of its own and write its reply."""
        cdef Changes changes = self.changes
        cdef Context ctx = self.context
        cdef Py_ssize_t mark = client.writer.size
        cdef int db_index
        cdef int64_t now_ns, duration_ns
        cdef object value
        client.last_command = spec
        if spec.is_async:
            return self.run_async(client, spec, [<object> argv[i] for i in range(argc)])
        ctx.begin(client)
        db_index = client.db.index
        changes.frame_dirty = 0
        self.depth += 1
        ctx.direct = True
        try:
            value = self.invoke(ctx, spec, argv, argc)
            if value is waiting:
                self.note_blocked(client, spec, argv, argc)
            else:
                client.writer.reply(value)
        except ReplyError as error:
            self.failed(client, spec, error, mark)
        except FAULTS as error:
            self.failed(client, spec, self.explain(spec, error), mark)
        finally:
            self.depth -= 1
            ctx.direct = False
        client.commands += 1
        self.stats.commands += 1
        now_ns = self.clock.stopwatch_ns()
        duration_ns = now_ns - self.last_ns
        self.last_ns = now_ns
        spec.count_call(duration_ns)
        if duration_ns >= self.slow_ns:
            self.on_slow(client, spec, [<object> argv[i] for i in range(argc)], duration_ns)
        if changes.frame_dirty or changes.overrides is not None:
            self.finish(spec, db_index, argv, argc)
        if client.attention & BIT_MUTED and client.blocked is None:
            if not client.muted_once or spec.name != "client|reply":
                self.mute(client, mark)
        if changes.pending or changes.records or changes.ready or self.deferred:
            self.end_unit()
        return 0

    cdef int finish(self, CommandSpec spec, int db, PyObject **argv, Py_ssize_t argc) except -1:
        """A command has changed keys, or says what is to be recorded."""
        if not spec.flags & WRITE and self.changes.frame_dirty and self.on_undeclared is not None:
            self.on_undeclared(spec)
        record = tuple([<object> argv[i] for i in range(argc)]) if self.changes.recording else None
        return self.changes.finish_command(db, record)

    cdef int note_blocked(
        self, Client client, CommandSpec spec, PyObject **argv, Py_ssize_t argc
    ) except -1:
        """Remember what to run when the client's keys change."""
        blocked = client.blocked
        if blocked is not None and blocked.spec is None:
            blocked.spec = spec
            if not blocked.argv:  # the command may have said what to run instead
                blocked.argv = [<object> argv[i] for i in range(argc)]
        return 0

    cdef int failed(self, Client client, CommandSpec spec, object error, Py_ssize_t mark) except -1:
        """A command that ran has raised: its error is the reply."""
        spec.failed_calls += 1
        self.stats.count_error(error.code)
        client.writer.truncate(mark)
        client.writer.error(error.text)
        return 0

    def explain(self, CommandSpec spec, error: BaseException) -> ReplyError:
        """Make an error reply of an exception that no command should raise, and have it logged."""
        self.stats.unexpected_errors += 1
        if self.on_exception is not None:
            self.on_exception(spec, error)
        name = spec.name if spec is not None else "?"
        return ReplyError(f"ERR internal error in '{name}': {type(error).__name__}: {error}")

    cdef int mute(self, Client client, Py_ssize_t mark) except -1:
        """CLIENT REPLY OFF or SKIP: take back what was written."""
        client.writer.truncate(mark)
        if client.muted_once:
            client.muted_once = False
            client.attention &= ~BIT_MUTED
        return 0

    cdef int write_value(self, Client client, object value) except -1:
        """Write a reply that a gate gave."""
        cdef Py_ssize_t mark = client.writer.size
        if value is not waiting:
            client.writer.reply(value)
            if client.attention & BIT_MUTED:
                self.mute(client, mark)
        return 0

    cpdef int write_reply(self, Client client, CommandSpec spec, object value) except -1:
        """Append a reply; what is no reply value becomes an error."""
        cdef Py_ssize_t mark = client.writer.size
        try:
            client.writer.reply(value)
        except Exception as error:
            client.writer.truncate(mark)
            client.writer.reply(self.explain(spec, error))
        return 0

    cdef int end_unit(self) except -1:
        """Hand the unit's records over and serve the clients that its changes woke."""
        if self.depth:
            return 0
        if self.deferred:
            self.push_deferred()
        self.changes.finish_unit()
        if self.changes.ready and not self.serving:
            self.serving = True
            try:
                self.blocking.serve_ready()
            finally:
                self.serving = False
        if self.unsent and not self.active:
            self.send_unsent()
        return 0

    def finish_unit(self) -> None:
        """The same for changes that were made outside any command (expiry cycle, timers, a module's
        own work).
        """
        self.end_unit()

    # --- commands in commands ---------------------------------------------------------------------

    def call(self, Context ctx, argv: tuple) -> object:
        """Run a command as a part of the one that runs; its value, or its error raised. Gates are
        not asked.
        """
        cdef list words = list(argv)
        return self.execute(ctx, self.resolve_list(words), words)

    def resolve_list(self, argv: list) -> CommandSpec:
        """The command that a list of words names; raises ReplyError as a client would see it."""
        cdef Py_ssize_t count = len(argv), i
        cdef PyObject **raw = <PyObject **> malloc(count * sizeof(PyObject *))
        if raw == NULL:
            raise MemoryError
        try:
            for i in range(count):
                raw[i] = <PyObject *> argv[i]
            return self.resolve(raw, count)
        finally:
            free(raw)

    cpdef object execute(self, Context ctx, CommandSpec spec, list argv):
        """Run a resolved command inside the unit that is under way (EXEC, scripts, `ctx.call`).

        Its changes get records of their own. Returns its value or raises its ReplyError.
        """
        cdef PyObject *few[FEW_WORDS]
        cdef PyObject **words = few
        cdef Py_ssize_t count = len(argv), i
        if count > FEW_WORDS:
            words = <PyObject **> malloc(count * sizeof(PyObject *))
            if words == NULL:
                raise MemoryError
        for i in range(count):
            words[i] = <PyObject *> argv[i]
        try:
            return self.execute_words(ctx, spec, words, count)
        finally:
            if words != few:
                free(words)

    cdef object execute_words(
        self, Context ctx, CommandSpec spec, PyObject **argv, Py_ssize_t argc
    ):
        """The same for words that the caller owns."""
        cdef Changes changes = self.changes
        cdef int64_t outer_dirty = changes.frame_dirty
        cdef list outer_overrides = changes.overrides
        cdef bint may_block = ctx.may_block, direct = ctx.direct
        cdef Client client = ctx.client
        cdef int db_index = ctx.db.index
        cdef int64_t started_ns = self.clock.stopwatch_ns(), duration_ns
        if spec.is_async:
            raise ReplyError(f"ERR '{spec.name}' takes time and cannot run inside another command")
        if spec.retired:
            spec = self.resolve(argv, argc)  # its module has gone, or come back with new code
        changes.frame_dirty = 0
        changes.overrides = None
        ctx.may_block = ctx.direct = False
        ctx.db.settle_last()
        self.depth += 1
        try:
            return self.invoke(ctx, spec, argv, argc)
        except ReplyError as error:
            spec.failed_calls += 1
            self.stats.count_error(error.code)
            raise
        except FAULTS as error:
            spec.failed_calls += 1
            raise self.explain(spec, error) from error
        finally:
            self.depth -= 1
            duration_ns = self.clock.stopwatch_ns() - started_ns
            spec.count_call(duration_ns)
            self.stats.commands += 1
            if duration_ns >= self.slow_ns:
                self.on_slow(client, spec, [<object> argv[i] for i in range(argc)], duration_ns)
            if changes.frame_dirty or changes.overrides is not None:
                self.finish(spec, db_index, argv, argc)
            if changes.pending:
                changes.tell_listeners()
            ctx.may_block, ctx.direct = may_block, direct
            ctx.db = client.db
            ctx.db.settle_last()
            changes.frame_dirty = outer_dirty
            changes.overrides = outer_overrides

    def execute_for(self, Client client, argv: list) -> object:
        """Run a command for a client that is no connection (a loader, a replication link, ...).

        A unit of its own; returns the value, or the ReplyError as a value.
        """
        cdef Context ctx = self.context
        cdef Client outer = ctx.client
        self.clock.refresh()
        try:
            spec = self.resolve_list(argv)
            ctx.begin(client)
            value = self.execute(ctx, spec, argv)
        except ReplyError as error:
            value = error
        finally:
            if outer is not None:
                ctx.begin(outer)
        self.end_unit()
        return value

    # --- commands that take time ------------------------------------------------------------------

    cdef int run_async(self, Client client, CommandSpec spec, list argv) except -1:
        """Start an `async def` command; its steps are units, and the client waits for the end."""
        cdef Context ctx = Context.__new__(Context, self, self.changes, self.limits)
        ctx.begin(client)
        ctx.may_block = False
        if self.spawn is None:
            error = ReplyError("ERR no event loop runs this server")
            return self.failed(client, spec, error, client.writer.size)
        client.suspended |= AWAITING
        self.awaited[client.id] = spec
        self.spawn(self.await_command(ctx, client, spec, argv))
        return 0

    async def await_command(self, Context ctx, Client client, CommandSpec spec, list argv) -> None:
        """See `run_async`."""
        cdef int64_t started_ns = self.clock.monotonic_ns()
        try:
            value = await StepByStep(self, ctx, spec, argv, spec.handler(ctx, *argv[spec.shift:]))
        except ReplyError as error:
            spec.failed_calls += 1
            self.stats.count_error(error.code)
            value = error
        except CancelledError as error:
            if asyncio.current_task().cancelling():
                raise  # The server ends.
            spec.failed_calls += 1
            value = self.explain(spec, error)
        except FAULTS as error:
            spec.failed_calls += 1
            value = self.explain(spec, error)
        finally:
            del self.awaited[client.id]
        client.commands += 1
        self.stats.commands += 1
        spec.count_call(self.clock.monotonic_ns() - started_ns)
        self.finish_suspended(client, AWAITING, value)

    def begin_step(self, Context ctx) -> None:
        """A step of an `async def` command begins: see `engine.steps`."""
        self.clock.refresh()
        self.access.refresh(self.clock.now_ms)
        self.depth += 1
        self.changes.frame_dirty = 0
        ctx.db = ctx.client.db
        ctx.db.settle_last()

    def end_step(self, Context ctx, argv: list) -> None:
        """The step is over: record what it changed and end the unit."""
        self.depth -= 1
        if self.changes.frame_dirty or self.changes.overrides is not None:
            record = tuple(argv) if self.changes.recording else None
            self.changes.finish_command(ctx.db.index, record)
        self.end_unit()

    # --- waiting clients --------------------------------------------------------------------------

    def run_again(self, Client client, blocked: object) -> None:
        """A key of a waiting client changed: run its command from the start."""
        cdef list argv = blocked.argv
        cdef Changes changes = self.changes
        cdef Context ctx = self.context
        ctx.begin(client)
        changes.frame_dirty = 0
        self.depth += 1
        try:
            if blocked.spec.retired:
                blocked.spec = self.resolve_list(argv)
            value = blocked.spec.handler(ctx, *argv[blocked.spec.shift:])
        except ReplyError as error:
            blocked.spec.failed_calls += 1
            self.stats.count_error(error.code)
            value = error
        except FAULTS as error:
            blocked.spec.failed_calls += 1
            value = self.explain(blocked.spec, error)
        finally:
            self.depth -= 1
        if changes.frame_dirty or changes.overrides is not None:
            changes.finish_command(client.db.index, tuple(argv) if changes.recording else None)
        if value is not waiting:
            self.blocking.forget(client)
            self.write_late(client, value)
        if self.deferred:
            self.push_deferred()
        changes.finish_unit()
        if value is not waiting:
            self.resume(client, BLOCKED)

    def finish_waiting(self, Client client, value: object) -> None:
        """A client that waited for keys gets this reply and goes on."""
        self.finish_suspended(client, BLOCKED, value)
        self.end_unit()

    def finish_suspended(self, Client client, reason: int, value: object) -> None:
        """Write the reply that a client waited for, and go on with its further requests."""
        if not client.closed:
            self.write_late(client, value)
            self.resume(client, reason)

    cdef int write_late(self, Client client, object value) except -1:
        """Write a reply that was not ready when the command was run."""
        cdef Py_ssize_t mark = client.writer.size
        self.write_reply(client, client.last_command, value)
        if client.attention & BIT_MUTED:
            self.mute(client, mark)
        return 0

    def resume(self, Client client, reason: int) -> None:
        """One reason to wait is gone; if it was the last, go on with the client's requests."""
        client.suspended &= ~reason
        if client.closed:
            return
        if client.processing:
            return
        if client.hold():
            self.send(client)
        else:
            self.process(client)


cdef int64_t carried_flags(Client client, CommandSpec spec) except -1:
    """The flags of a command; EXEC has those of all it will run."""
    if client.queue is not None and spec.name == "exec":
        return spec.flags | client.queue_flags
    return spec.flags
