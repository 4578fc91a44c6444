"""The scripts of one server: known by the SHA-1 of their text, run one at a time.

A script runs on a stack of its own. When it takes longer than `busy-reply-threshold` it
is set aside every few milliseconds, so that others learn that the server is busy, and may end it by
SCRIPT KILL; nobody may do anything else meanwhile (the gate `_refuse_while_busy`), so a script
remains one step for all who look at the data.

The commands of a script are recorded one by one; the script itself is not.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

from balas.engine import attention
from balas.engine.client import Client
from balas.engine.context import Context
from balas.engine.dispatch import Engine
from balas.engine.gates import ORDER_BUSY, ORDER_MEMORY
from balas.errors import OOM, ReplyError
from balas.protocol.replies import Reply
from balas.registry import flags
from balas.registry.spec import CommandSpec
from balas.services.acl.check import judge
from balas.services.acl.users import Acl
from balas.services.config.store import Config
from balas.services.disk import DiskTrouble
from balas.services.log import DEBUG, NOTICE, VERBOSE, WARNING, Log
from balas.services.replication.following import Following
from balas.services.replication.replicas import Replicas
from balas.services.scripting.bridge import Chunk, ScriptError, one_line
from balas.services.scripting.execution import Execution
from balas.services.scripting.interpreter import CompileError, Interpreter
from balas.services.scripting.runner import Runner

# How long a busy script goes on before others are heard, and how long they are.
SLICE_MS = 5
PAUSE_MS = 1
# Scripts of EVAL that stay known; those of SCRIPT LOAD all do.
PASSING_MAX = 500
# What a script takes beside its text, roughly.
SCRIPT_BYTES = 160

BUSY_SCRIPT = (
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
)
BUSY_FUNCTION = (
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
)
# The same for functions, as in Redis.
KILLED = b"ERR Script killed by user with SCRIPT KILL..."
NOT_BUSY = "NOTBUSY No scripts in execution right now."
UNKILLABLE = (
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can "
    "either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE "
    "command."
)
SHA_DIGITS = 40
NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL."
OOM_SCRIPT = (
    "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
)
WRITES_READ_ONLY = "ERR Can not execute a script with write flag using *_ro command."
LOAD_TIMEOUT = b"ERR FUNCTION LOAD timeout"
LOG_LEVELS = (DEBUG, VERBOSE, NOTICE, WARNING)
# Flags of a script or function, by their names in its first line.
NO_WRITES, ALLOW_OOM, ALLOW_STALE, NO_CLUSTER, CROSS_SLOTS = (1 << i for i in range(5))
FLAG_NAMES = {
    b"no-writes": NO_WRITES,
    b"allow-oom": ALLOW_OOM,
    b"allow-stale": ALLOW_STALE,
    b"no-cluster": NO_CLUSTER,
    b"allow-cross-slot-keys": CROSS_SLOTS,
}


class Script:
    """A script as it is known.

    Attributes:
        name: how errors call it: the SHA-1 of a script, the name of a function.
        chunk: what the interpreter runs.
        flags: None for a script without a first line that gives some.
        is_function: it is a function of a library.
        loaded: by SCRIPT LOAD, so that it is not thrown out.
    """

    def __init__(
        self,
        name: str,
        chunk: Chunk,
        *,
        text: bytes = b"",
        flags: int | None = None,
        is_function: bool = False,
        loaded: bool = False,
    ) -> None:
        self.name = name
        self.chunk = chunk
        self.text = text
        self.flags = flags
        self.is_function = is_function
        self.loaded = loaded


class Scripting:
    """The interpreter and the scripts of one server.

    Attributes:
        scripts: by SHA-1, in lower case.
        current: the one that runs, or None.
        forgotten: how many scripts of EVAL had to go for newer ones.
        load_deadline_s: until when the library that is being loaded may take; 0 if there is none.
    """

    def __init__(self, engine: Engine, config: Config, log: Log, acl: Acl) -> None:
        self._engine = engine
        self._context = Context(engine, engine.changes, engine.limits)
        self._config = config
        self._log = log
        self._acl = acl
        self.scripts: dict[bytes, Script] = {}
        self.current: Execution | None = None
        self.forgotten = 0
        self.load_deadline_s = 0.0
        self._made: Interpreter | None = None
        self._runner = Runner()
        # By the name of a command that runs scripts: the flags of the script that a request names,
        # or None. Functions have their own.
        self.flag_finders: dict[str, Callable[[bytes], int | None]] = {
            "eval": flags_of_text,
            "eval_ro": flags_of_text,
            "evalsha": self._flags_of_known,
            "evalsha_ro": self._flags_of_known,
        }
        engine.gates.add(ORDER_MEMORY, attention.MEMORY, self._refuse_to_queue)
        engine.gates.add(ORDER_BUSY, attention.BUSY, self._refuse_while_busy)

    @property
    def interpreter(self) -> Interpreter:
        """The interpreter, made when it is first needed."""
        if self._made is None:
            self._made = self.new_interpreter()
        return self._made

    def new_interpreter(self) -> Interpreter:
        """An interpreter of its own, whose code is run by `call`."""
        services: dict[str, Callable[..., Any]] = {
            "log": self._write_log,
            "setresp": self._set_resp,
            "set_repl": lambda flags: None,
            "acl_check": self._check_acl,
        }
        return Interpreter(services, self._tick)

    @property
    def memory_bytes(self) -> int:
        """What the interpreter holds; 0 before it is made."""
        return self._made.memory_bytes if self._made is not None else 0

    @property
    def text_bytes(self) -> int:
        """About what is kept of the scripts outside the interpreter."""
        return sum(len(script.text) + SCRIPT_BYTES for script in self.scripts.values())

    def flush(self) -> None:
        """Forget all scripts, and everything they have left behind."""
        self.scripts.clear()
        self._made = None

    # --- scripts ---------------------------------------------------------------------------------

    def load(self, text: bytes, *, keep: bool = False) -> Script:
        """The script with this text, compiled if it is new. Raises ReplyError.

        Of those that nobody asked to `keep`, only so many stay known: the oldest goes.
        """
        digest = hashlib.sha1(text).hexdigest().encode()
        known = self.scripts.get(digest)
        if known is not None:
            known.loaded = known.loaded or keep
            return known
        script_flags = shebang_flags(text)
        body = text if script_flags is None else without_first_line(text)
        try:
            chunk = self.interpreter.compile(body, b"@user_script")
        except CompileError as error:
            raise ReplyError(
                f"ERR Error compiling script (new function): {one_line(str(error).encode())}"
            ) from None
        kept = self.interpreter.keep_script(chunk)
        script = Script(digest.decode(), kept, text=text, flags=script_flags, loaded=keep)
        self.scripts[digest] = script
        self._forget_old()
        return script

    def _forget_old(self) -> None:
        passing = [digest for digest, script in self.scripts.items() if not script.loaded]
        if len(passing) > PASSING_MAX:
            del self.scripts[passing[0]]
            self.forgotten += 1

    def known(self, digest: bytes) -> Script:
        """The script with this SHA-1; raises NOSCRIPT."""
        script = self.scripts.get(digest)
        if script is None:
            script = self.scripts.get(digest.lower())
            if script is None:
                raise ReplyError(NO_SCRIPT)
        return script

    def _flags_of_known(self, digest: bytes) -> int | None:
        script = self.scripts.get(digest.lower())
        return script.flags if script is not None else None

    # --- running ---------------------------------------------------------------------------------

    def call(
        self,
        ctx: Context,
        script: Script,
        keys: tuple[bytes, ...],
        arguments: tuple[bytes, ...],
        read_only: bool,
    ) -> Reply:
        """Run a script for the client of `ctx`; returns its reply or raises its error."""
        engine = self._engine
        over = self._is_full()
        given = script.flags
        if given is not None:
            if not given & ALLOW_STALE:
                engine.services[Following].refuse_stale(ctx.client)
            if over and not given & (ALLOW_OOM | NO_WRITES):
                # A client hears of its command; a transaction, of the script that is part of it.
                raise ReplyError(OOM if ctx.may_block else OOM_SCRIPT)
            if not given & NO_WRITES:
                for service in (DiskTrouble, Replicas, Following):
                    engine.services[service].refuse_writes(ctx.client)
                if read_only:
                    raise ReplyError(WRITES_READ_ONLY)
            read_only = read_only or bool(given & NO_WRITES)
        execution = Execution.begin(
            self._context,
            ctx,
            script,
            script.chunk,
            keys,
            arguments,
            self._acl,
            read_only,
            over and not (given is not None and given & ALLOW_OOM),
        )
        client = ctx.client
        database, resp = client.db, client.writer.resp
        self.current = execution
        ctx.no_record()
        try:
            if resp != 2:
                client.resp = 2
            done = self._runner.resume(execution)
        finally:
            if client.writer.resp != resp:
                client.resp = resp
            client.db = database
        if done:
            self.current = None
            return self._reply(execution)
        return self._wait(ctx, execution)

    def _reply(self, execution: Execution) -> Reply:
        """The reply for what a script has come to; raises ReplyError for a failure."""
        outcome = execution.outcome
        if not isinstance(outcome, Exception):
            return outcome
        if isinstance(outcome, ScriptError):
            text = one_line(outcome.text)
            if outcome.source is not None and outcome.line is not None:
                origin = outcome.source.decode("latin-1")
                text += f" script: {execution.script.name}, on {origin}:{int(outcome.line)}."
            raise ReplyError(text)
        raise outcome

    # --- what scripts call -----------------------------------------------------------------------

    def _write_log(self, level: float, text: bytes) -> None:
        self._log.say(LOG_LEVELS[int(level)], text.decode("utf-8", "backslashreplace"))

    def _set_resp(self, version: float) -> None:
        if self.current is not None:
            self.current.resp = int(version)
            self.current.ctx.client.resp = int(version)

    def _check_acl(self, *words: Any) -> tuple[bool, bool]:
        """Whether there is such a command, and whether the user may run it."""
        argv = [word if type(word) is bytes else b"" for word in words]
        spec = self._engine.commands.resolve(argv)
        if spec is None or self.current is None:
            return False, False
        client = self.current.ctx.client
        return True, judge(self._acl.user_of(client), spec, argv) is None

    # --- scripts that take long ------------------------------------------------------------------

    def _tick(self) -> bytes | None:
        """Called every so often while a script runs; may set it aside, or end it."""
        execution = self.current
        if execution is None:
            late = self.load_deadline_s and time.monotonic() > self.load_deadline_s
            return LOAD_TIMEOUT if late else None
        if execution.killed:
            return KILLED
        now_s = self._engine.clock.monotonic_ns() / 1e9
        threshold_ms = self._config.get("busy-reply-threshold")
        if threshold_ms <= 0 or (now_s - execution.started_s) * 1000 < threshold_ms:
            return None
        if not execution.ctx.may_block and not execution.paused:
            return None  # inside EXEC nobody can be waited for
        if execution.paused and (now_s - execution.resumed_s) * 1000 < SLICE_MS:
            return None
        self._runner.step_aside()
        return KILLED if execution.killed else None

    def _wait(self, ctx: Context, execution: Execution) -> Reply:
        """The script has been set aside for the first time: its client waits for it."""
        execution.paused = True
        kind = "FUNCTION" if execution.script.is_function else "SCRIPT"
        self._log.warning(
            f"Slow script detected: still in execution after "
            f"{self._config.get('busy-reply-threshold')} milliseconds. You can try killing the "
            f"script using the {kind} KILL command. Script name is: "
            f"{execution.script.name}."
        )
        self._engine.set_attention(attention.BUSY, True)
        waiting = ctx.block((), 0, None)
        self._go_on_soon(execution)
        return waiting

    def _go_on_soon(self, execution: Execution) -> None:
        at_ms = self._engine.clock.now_ms + PAUSE_MS
        self._engine.timers.at(at_ms, lambda: self._go_on(execution))

    def _go_on(self, execution: Execution) -> None:
        """Run the next slice of a script that was set aside."""
        client = execution.ctx.client
        execution.resumed_s = self._engine.clock.monotonic_ns() / 1e9
        database, resp = client.db, client.resp
        client.db, client.resp = execution.ctx.db, execution.resp
        try:
            done = self._runner.resume(None)
        finally:
            client.db, client.resp = database, resp
        if not done:
            self._go_on_soon(execution)
            return
        self.current = None
        self._engine.set_attention(attention.BUSY, False)
        try:
            reply = self._reply(execution)
        except ReplyError as error:
            reply = error
        if self._engine.blocking.forget(client) is not None:
            self._engine.finish_waiting(client, reply)

    def kill(self, *, function: bool) -> None:
        """End the script that is busy. Raises ReplyError if there is none, or it has written."""
        execution = self.current
        if execution is None or not execution.paused:
            raise ReplyError(NOT_BUSY)
        if execution.script.is_function != function:
            raise ReplyError(BUSY_FUNCTION if execution.script.is_function else BUSY_SCRIPT)
        if execution.wrote:
            raise ReplyError(UNKILLABLE)
        execution.killed = True

    def _refuse_to_queue(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> None:
        """While memory is full, what goes into a transaction is judged by the script it names;
        what is run at once, when it runs.
        """
        finder = self.flag_finders.get(spec.name)
        if finder is None or client.queue is None or len(argv) < 2 or not self._is_full():
            return
        given = finder(argv[1])
        if given is not None and not given & (ALLOW_OOM | NO_WRITES):
            raise ReplyError(OOM)

    def _is_full(self) -> bool:
        engine = self._engine
        return bool(engine.maxmemory) and engine.account.total > engine.maxmemory

    def _refuse_while_busy(self, client: Client, spec: CommandSpec, argv: list[bytes]) -> Reply:
        if spec.flags & flags.ALLOW_BUSY or self.current is None:
            return None
        if spec.name == "shutdown" and b"NOSAVE" in [word.upper() for word in argv]:
            return None
        raise ReplyError(BUSY_FUNCTION if self.current.script.is_function else BUSY_SCRIPT)


def shebang_flags(text: bytes) -> int | None:
    """The flags in a script's first line "#!lua flags=..."; None without such a line."""
    if not text.startswith(b"#!"):
        return None
    first, newline, _ = text.partition(b"\n")
    if not newline:
        raise ReplyError("ERR Invalid script shebang")
    engine, *words = first.split()
    if engine != b"#!lua":
        raise ReplyError(f"ERR Unexpected engine in script shebang: {one_line(engine)}")
    found = 0
    for word in words:
        name, equals, value = word.partition(b"=")
        if name != b"flags" or not equals:
            raise ReplyError(f"ERR Unknown lua shebang option: {one_line(word)}")
        for flag in value.split(b",") if value else ():
            if flag not in FLAG_NAMES:
                raise ReplyError(f"ERR Unexpected flag in script shebang: {one_line(flag)}")
            found |= FLAG_NAMES[flag]
    return found


def flags_of_text(text: bytes) -> int | None:
    """The same; None also where the line is wrong, which is told when the script runs."""
    try:
        return shebang_flags(text)
    except ReplyError:
        return None


def without_first_line(text: bytes) -> bytes:
    """A script without its first line; the numbers of the others stay."""
    return b"\n" + text.partition(b"\n")[2]
