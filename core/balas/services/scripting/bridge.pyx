"""Between Lua's stack and the values of the server.

Scripts are run, call commands and return replies without a step of Python for each value. Of RESP2
a script sees numbers, strings, false for null, tables for arrays, and tables with one field for
statuses and errors; after `redis.setresp(3)` also maps, sets, doubles and the rest.

What Lua calls here never raises: it returns whether things went well, and a value or the text of an
error; so no exception of either language crosses the other's frames.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_DECREF, Py_INCREF, PyObject
from libc.math cimport signbit
from libc.stdint cimport INT64_MIN, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp

from balas.errors import ReplyError
from balas.protocol.replies import NULL_ARRAY, OK, BigNumber, Pairs, Push, SetReply, Verbatim
from balas.protocol.replies cimport Status
from balas.registry.spec cimport CommandSpec
from balas.services.scripting.execution cimport Execution
from balas.services.scripting.heap cimport allocate, close_heap, open_heap
from balas.services.scripting.lua51 cimport (
    BOOLEAN_TYPE, COUNT_KILOBYTES, COUNT_REST, FIRST_UPVALUE, NIL_TYPE, NUMBER_TYPE, REGISTRY,
    SET_PAUSE, STRING_TYPE, TABLE_TYPE, checkstack, collect, createtable, drop_ref, find_library,
    gettop, lua_CFunction, lua_State, make_ref, next_pair, pcall, pushboolean, pushcclosure,
    pushlightuserdata, pushlstring, pushnil, pushnumber, pushvalue, rawget, rawgeti, rawset,
    rawseti, set_allocator, settop, toboolean, tolstring, tonumber, touserdata, type_at,
)
from balas.services.scripting.messagepack cimport pack_all, unpack_all
from balas.services.scripting.messagepack cimport prepare as prepare_messagepack
from balas.services.scripting.quick cimport decode_quickly, encode_quickly
from balas.services.scripting.quick cimport prepare as prepare_json
from balas.structures.numbers import format_double
from balas.structures.numbers cimport double_to_string, int64_to_string

cdef extern from *:
    """
    static int (*balas_opener)(lua_State *);
    /* What the interpreter's loader calls. */
    int luaopen_balas_bridge(lua_State *lua) { return balas_opener(lua); }

    static int (*balas_dispatch)(lua_State *);
    /* What scripts call. If the command fails, the second upvalue gets the text; it may raise an
       error, which nothing of Python may be in the way of. */
    static int balas_call(lua_State *lua) {
        if (!balas_dispatch(lua)) {
            balas_lua.pushvalue(lua, -10004);
            balas_lua.pushvalue(lua, -2);
            balas_lua.call(lua, 1, 1);
        }
        return 1;
    }
    """
    lua_CFunction opener "balas_opener"
    lua_CFunction dispatcher "balas_dispatch"
    int call_command "balas_call"(lua_State *) noexcept

cdef enum:
    # What one step of a conversion needs of the stack.
    ROOM = 8
    # Up to so many words of a command need no memory of their own.
    FEW_WORDS = 16
    # Of how many names of commands it is remembered what they name.
    NAMES = 128
    # The interpreter collects its garbage again when it holds this many per cent of what it had
    # left. At its own 200 that takes a seventh of the time of scripts that make many tables.
    PAUSE_PERCENT = 300

# Numbers below are whole in a double, and their texts have no exponent.
cdef double WHOLE_LIMIT = 4503599627370496.0        # 2**52
cdef double INT64_LIMIT = 9223372036854775808.0     # 2**63

NO_ARGUMENT = "ERR Please specify at least one argument for this redis lib call"
BAD_ARGUMENT = "ERR Lua redis lib command arguments must be strings or integers"
TOO_DEEP = "ERR reached lua stack limit"

# The bridge that is being connected, for the one call in which Lua gives its state.
cdef Bridge connecting = None


class ScriptError(Exception):
    """What a script has ended with: a text, and the source and line where they are known."""

    def __init__(self, text: bytes, source: bytes | None, line: float | None) -> None:
        super().__init__(text)
        self.text = text
        self.source = source
        self.line = line


cdef class Chunk:
    """A function of Lua that is kept for as long as this object.

    Args:
        number: by which the interpreter knows it.
        takes_words: it gets the keys and arguments; else it finds them in KEYS and ARGV.
    """

    def __init__(self, Bridge bridge, int number, bint takes_words) -> None:
        self.bridge = bridge
        self.number = number
        self.takes_words = takes_words

    cpdef object run(self, Execution execution):
        """Run it with tables of keys and arguments; the reply it comes to.

        Raises ScriptError, or the ReplyError that the script returned.
        """
        return self.bridge.run(execution, self)

    def __dealloc__(self):
        if self.bridge is not None:
            drop_ref(self.bridge.state, REGISTRY, self.number)


@cython.no_gc_clear  # its chunks need the interpreter to the last
cdef class Bridge:
    """Runs functions of one interpreter.

    Args:
        runtime: the interpreter, which lives as long as the bridge.
        library: the file of the library that it is in.

    Attributes:
        caller: makes a function that calls commands, of one that gets the text of an error.
    """

    def __init__(self, object runtime, str library) -> None:
        cdef const char *missing
        cdef bytes path = library.encode()
        global connecting, opener, dispatcher
        missing = find_library(path)
        if missing == NULL:
            missing = prepare_json(path)
        if missing == NULL:
            missing = prepare_messagepack(path)
        if missing != NULL:
            raise ImportError(f"the interpreter for scripts lacks {missing.decode()}")
        connecting = self
        opener = &connect
        dispatcher = &dispatch
        try:
            load = runtime.execute(
                b"return package.loadlib(...)", __file__.encode(), b"luaopen_balas_bridge"
            )
            self.caller, self.keeper, self.unpack, self.pack, self.decode, self.encode = load()
        finally:
            connecting = None
        self.heap = open_heap()
        if self.heap != NULL:
            set_allocator(self.state, allocate, self.heap)
        collect(self.state, SET_PAUSE, PAUSE_PERCENT)
        self.runtime = runtime
        self.names = [None] * NAMES
        self.specs = [None] * NAMES

    def __dealloc__(self):
        close_heap(self.heap)

    def settle(self, explain: object, globals: object) -> None:
        """Before the first run: what makes a table of an error, and where KEYS and ARGV belong."""
        self.explain = self.keeper(explain)
        self.globals = self.keeper(globals)

    def keep(self, function: object, takes_words: bool = False) -> Chunk:
        """Keep a function that the runtime has shown."""
        return Chunk(self, self.keeper(function), takes_words)

    cdef object run(self, Execution execution, Chunk chunk):
        """See `Chunk.run`."""
        cdef lua_State *lua = self.state
        cdef int top = gettop(lua)
        cdef int failed
        self.execution = execution
        try:
            if not checkstack(lua, ROOM):
                raise ReplyError(TOO_DEEP)
            rawgeti(lua, REGISTRY, self.explain)
            rawgeti(lua, REGISTRY, chunk.number)
            if chunk.takes_words:
                push_words(lua, execution.keys)
                push_words(lua, execution.arguments)
                failed = pcall(lua, 2, 1, top + 1)
            else:
                self.show_words(lua, execution)
                failed = pcall(lua, 0, 1, top + 1)
            if self.escaped is not None:
                escaped, self.escaped = self.escaped, None
                raise escaped
            if failed:
                raise error_at_top(lua)
            reply = reply_at_top(lua, execution.resp)
            if type(reply) is ReplyError:
                raise reply
            return reply
        finally:
            settop(lua, top)
            self.execution = None

    cdef int show_words(self, lua_State *lua, Execution execution) except -1:
        """Set KEYS and ARGV."""
        rawgeti(lua, REGISTRY, self.globals)
        pushlstring(lua, "KEYS", 4)
        push_words(lua, execution.keys)
        rawset(lua, -3)
        pushlstring(lua, "ARGV", 4)
        push_words(lua, execution.arguments)
        rawset(lua, -3)
        settop(lua, -2)
        return 0

    cdef object perform(self, lua_State *lua, int count):
        """Run the command that the whole stack is the words of."""
        cdef PyObject *few[FEW_WORDS]
        cdef PyObject **words = few
        cdef CommandSpec spec = None
        cdef int ready = 0
        if not count:
            raise ReplyError(NO_ARGUMENT)
        if count > FEW_WORDS:
            words = <PyObject **> malloc(count * sizeof(PyObject *))
            if words == NULL:
                raise MemoryError
        try:
            if type_at(lua, 1) == STRING_TYPE:
                spec = self.take_name(lua, words)
                ready = 1
            while ready < count:
                word = word_at(lua, ready + 1)
                Py_INCREF(word)
                words[ready] = <PyObject *> word
                ready += 1
            if spec is None:
                spec = self.look_up(lua, words, count)
            return self.execution.perform(spec, words, count)
        finally:
            while ready:
                ready -= 1
                Py_DECREF(<object> words[ready])
            if words != few:
                free(words)

    cdef CommandSpec take_name(self, lua_State *lua, PyObject **words):
        """Set the first word; the command that it names, if that is remembered."""
        cdef size_t size = 0
        cdef const char *name = tolstring(lua, 1, &size)
        cdef Py_ssize_t place = place_of(name)
        cdef object word = self.names[place]
        cdef CommandSpec spec = None
        if word is not None and <size_t> PyBytes_GET_SIZE(word) == size and (
            memcmp(PyBytes_AS_STRING(word), name, size) == 0
        ):
            spec = self.specs[place]
            if spec.retired:
                spec = None
        else:
            word = PyBytes_FromStringAndSize(name, size)
        Py_INCREF(word)
        words[0] = <PyObject *> word
        return spec

    cdef CommandSpec look_up(self, lua_State *lua, PyObject **words, int count):
        """The command that these words name, or None; remembered if the first is all of its name.
        """
        cdef bytes name = <bytes> words[0]
        cdef dict by_name = self.execution.engine.by_name
        cdef object found = by_name.get(name)
        cdef CommandSpec spec
        cdef Py_ssize_t place
        if found is None:
            found = by_name.get(name.lower())
            if found is None:
                return None
        spec = found
        if spec.subcommands is not None:
            if count > 1:
                found = spec.subcommands.get((<bytes> words[1]).lower())
                if found is not None or spec.handler is None:
                    spec = found
        elif type_at(lua, 1) == STRING_TYPE:
            place = place_of(tolstring(lua, 1, NULL))
            self.names[place] = name
            self.specs[place] = spec
        return spec

    @property
    def memory_bytes(self) -> int:
        """What the interpreter holds."""
        return collect(self.state, COUNT_KILOBYTES, 0) * 1024 + collect(self.state, COUNT_REST, 0)


# --- what Lua calls -------------------------------------------------------------------------------

cdef int connect(lua_State *lua) noexcept with gil:
    """Lua calls this when the bridge is loaded: gives what `__init__` takes, in its order."""
    connecting.state = lua
    pushlightuserdata(lua, <void *> connecting)
    pushcclosure(lua, &make_caller, 1)
    pushcclosure(lua, &keep, 0)
    pushcclosure(lua, unpack_all, 0)
    pushcclosure(lua, pack_all, 0)
    pushcclosure(lua, decode_quickly, 0)
    pushcclosure(lua, encode_quickly, 0)
    return 6


cdef int make_caller(lua_State *lua) noexcept:
    """caller(on_error): a function that runs a command and returns its reply, or what `on_error`
    makes of the text of an error.
    """
    settop(lua, 1)
    pushlightuserdata(lua, touserdata(lua, FIRST_UPVALUE))
    pushvalue(lua, 1)
    pushcclosure(lua, call_command, 2)
    return 1


cdef int keep(lua_State *lua) noexcept:
    """keep(value): a number by which the interpreter finds it again."""
    settop(lua, 1)
    pushnumber(lua, make_ref(lua, REGISTRY))
    return 1


cdef int dispatch(lua_State *lua) noexcept:
    """Run the command whose words are on the stack; 1 and its reply at the top, or 0 and an error's
    text.
    """
    cdef Bridge bridge = <Bridge> touserdata(lua, FIRST_UPVALUE)
    cdef int top = gettop(lua)
    cdef bytes text
    try:
        push(lua, bridge.perform(lua, top), bridge.execution.resp)
        return 1
    except ReplyError as error:
        text = encoded(error.text)
    except Exception as error:
        text = encoded(bridge.execution.engine.explain(None, error).text)
    except BaseException as error:
        bridge.escaped = error
        text = b"ERR the server ends"
    settop(lua, top)
    checkstack(lua, ROOM)
    push_bytes(lua, text)
    return 0


cdef inline Py_ssize_t place_of(const char *name) noexcept:
    """Where a name is remembered: by its address, as the interpreter has each string only once."""
    return <Py_ssize_t> ((<size_t> name >> 4) & (NAMES - 1))


cdef inline bytes word_at(lua_State *lua, int index):
    """A word of a command: a string, or a number."""
    cdef int kind = type_at(lua, index)
    if kind == STRING_TYPE:
        return text_at(lua, index)
    if kind == NUMBER_TYPE:
        return number_text(tonumber(lua, index))
    raise ReplyError(BAD_ARGUMENT)


# --- from Lua -------------------------------------------------------------------------------------

cdef bytes text_at(lua_State *lua, int index):
    """The string or number there."""
    cdef size_t size = 0
    cdef const char *text = tolstring(lua, index, &size)
    return PyBytes_FromStringAndSize(text, size)


cdef bytes number_text(double value):
    """A number as commands get it."""
    cdef char[32] text
    cdef size_t size
    if -WHOLE_LIMIT < value < WHOLE_LIMIT and value == <double> <int64_t> value:
        size = int64_to_string(<int64_t> value, text)
    elif value != value:
        return b"-nan" if signbit(value) else b"nan"
    else:
        size = double_to_string(value, text)
    return PyBytes_FromStringAndSize(text, size)


cdef object error_at_top(lua_State *lua):
    """What a run has failed with: a table with `err`, `source` and `line`, or a text if Lua itself
    gave up.
    """
    cdef bytes text = b"ERR unknown error", source = None
    cdef object line = None
    if type_at(lua, -1) == STRING_TYPE:
        return ScriptError(text_at(lua, -1), None, None)
    if type_at(lua, -1) == TABLE_TYPE:
        if member(lua, b"err", STRING_TYPE) or member(lua, b"err", NUMBER_TYPE):
            text = text_at(lua, -1)
            settop(lua, -2)
        if member(lua, b"source", STRING_TYPE):
            source = text_at(lua, -1)
            settop(lua, -2)
        if member(lua, b"line", NUMBER_TYPE):
            line = tonumber(lua, -1)
    return ScriptError(text, source, line)


cdef object reply_at_top(lua_State *lua, int resp):
    """The reply that a script means by the value at the top, which is taken from the stack.

    A string, a number cut off to an integer, a boolean; a table by the first of these members that
    it has: err, ok, double, map, set, big_number, verbatim_string; else its items up to the first
    nil.
    """
    cdef int kind = type_at(lua, -1)
    cdef object reply = None
    cdef double number
    if kind == TABLE_TYPE:
        return table_at_top(lua, resp)
    if kind == STRING_TYPE:
        reply = text_at(lua, -1)
    elif kind == NUMBER_TYPE:
        number = tonumber(lua, -1)
        # What C makes of numbers that fit into no integer.
        reply = <int64_t> number if -INT64_LIMIT <= number < INT64_LIMIT else INT64_MIN
    elif kind == BOOLEAN_TYPE:
        if resp == 3:
            reply = bool(toboolean(lua, -1))
        elif toboolean(lua, -1):
            reply = 1
    settop(lua, -2)
    return reply


cdef object table_at_top(lua_State *lua, int resp):
    cdef object reply
    if not checkstack(lua, ROOM):
        settop(lua, -2)
        return ReplyError(TOO_DEEP)
    if member(lua, b"err", STRING_TYPE):
        reply = ReplyError(one_line(text_at(lua, -1)))
    elif member(lua, b"ok", STRING_TYPE):
        reply = Status(one_line(text_at(lua, -1)))
    elif member(lua, b"double", NUMBER_TYPE):
        reply = tonumber(lua, -1)
    elif member(lua, b"map", TABLE_TYPE):
        reply = Pairs(pairs_at_top(lua, resp, True))
    elif member(lua, b"set", TABLE_TYPE):
        reply = SetReply(pairs_at_top(lua, resp, False))
    elif member(lua, b"big_number", STRING_TYPE):
        reply = big_number(text_at(lua, -1))
    else:
        if member(lua, b"verbatim_string", TABLE_TYPE):
            reply = verbatim_at_top(lua)
            if reply is not None:
                settop(lua, -3)
                return reply
            settop(lua, -2)
        reply = items_at_top(lua, resp)
        settop(lua, -2)
        return reply
    settop(lua, -3)
    return reply


cdef bint member(lua_State *lua, bytes name, int kind):
    """Push the member of the table at the top, if it is of this type."""
    push_bytes(lua, name)
    rawget(lua, -2)
    if type_at(lua, -1) == kind:
        return True
    settop(lua, -2)
    return False


cdef list items_at_top(lua_State *lua, int resp):
    cdef list items = []
    cdef int i = 1
    while True:
        rawgeti(lua, -1, i)
        if type_at(lua, -1) == NIL_TYPE:
            settop(lua, -2)
            return items
        items.append(reply_at_top(lua, resp))
        i += 1


cdef list pairs_at_top(lua_State *lua, int resp, bint with_values):
    """The keys of the table at the top, or its pairs; the table stays."""
    cdef list found = []
    pushnil(lua)
    while next_pair(lua, -2):
        value = None
        if with_values:
            value = reply_at_top(lua, resp)
        else:
            settop(lua, -2)
        pushvalue(lua, -1)
        key = reply_at_top(lua, resp)
        found.append((key, value) if with_values else key)
    return found


cdef object verbatim_at_top(lua_State *lua):
    """The text with a format that the table at the top is, which stays; None if it is none."""
    cdef bytes text
    if not member(lua, b"format", STRING_TYPE):
        return None
    kind = text_at(lua, -1)
    settop(lua, -2)
    if not member(lua, b"string", STRING_TYPE):
        return None
    text = text_at(lua, -1)
    settop(lua, -2)
    return Verbatim(text, kind.decode("latin-1")[:3].ljust(3))


cdef object big_number(bytes text):
    """The integer that these digits are; what is none is sent as text, which breaks no protocol."""
    try:
        return BigNumber(int(text))
    except ValueError:
        return text


def one_line(text: bytes) -> str:
    """An error's text, which must not break its line."""
    return text.decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")


# --- to Lua ---------------------------------------------------------------------------------------

cdef bytes encoded(str text):
    return text.encode("utf-8", "surrogateescape")


cdef int push_bytes(lua_State *lua, bytes text) except -1:
    pushlstring(lua, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    return 0


cdef int push_words(lua_State *lua, tuple words) except -1:
    """Push a table of strings."""
    cdef int i
    createtable(lua, len(words), 0)
    for i in range(len(words)):
        push_bytes(lua, words[i])
        rawseti(lua, -2, i + 1)
    return 0


cdef int push(lua_State *lua, object value, int resp) except -1:
    """Push a reply as a script sees it. Raises TypeError, and ReplyError if it is too deep."""
    if not checkstack(lua, ROOM):
        raise ReplyError(TOO_DEEP)
    if type(value) is bytes:
        return push_bytes(lua, value)
    if type(value) is int:
        pushnumber(lua, value)
    elif type(value) is list or type(value) is tuple:
        push_items(lua, value, resp)
    elif value is None or value is NULL_ARRAY:
        if resp == 3:
            pushnil(lua)
        else:
            pushboolean(lua, False)
    elif type(value) is Status:
        push_status(lua, <Status> value)
    elif type(value) is bool:
        if resp == 3:
            pushboolean(lua, value)
        else:
            pushnumber(lua, value)
    else:
        push_rare(lua, value, resp)
    return 0


cdef int push_status(lua_State *lua, Status value) except -1:
    createtable(lua, 0, 1)
    pushlstring(lua, "ok", 2)
    if value is OK:
        pushlstring(lua, "OK", 2)
    else:
        push_bytes(lua, encoded(value.text))
    rawset(lua, -3)
    return 0


cdef int push_items(lua_State *lua, object items, int resp) except -1:
    cdef int i = 0
    createtable(lua, len(items), 0)
    for item in items:
        i += 1
        push(lua, item, resp)
        rawseti(lua, -2, i)
    return 0


cdef int push_tagged(lua_State *lua, bytes tag, object value, int resp) except -1:
    """Push a table with one member."""
    createtable(lua, 0, 1)
    push_bytes(lua, tag)
    push(lua, value, resp)
    rawset(lua, -3)
    return 0


cdef int push_rare(lua_State *lua, object value, int resp) except -1:
    if isinstance(value, (list, tuple)):
        return push_items(lua, value, resp)
    if isinstance(value, Push):
        return push_items(lua, value.items, resp)
    if isinstance(value, str):
        return push_bytes(lua, encoded(value))
    if isinstance(value, (bytearray, memoryview)):
        return push_bytes(lua, bytes(value))
    if isinstance(value, float):
        if resp != 3:
            return push_bytes(lua, format_double(value))
        createtable(lua, 0, 1)
        push_bytes(lua, b"double")
        pushnumber(lua, value)
        rawset(lua, -3)
        return 0
    if isinstance(value, ReplyError):
        return push_tagged(lua, b"err", encoded(value.text), resp)
    return push_collection(lua, value, resp)


cdef int push_collection(lua_State *lua, object value, int resp) except -1:
    """Push a map, a set, or what is text in RESP2."""
    if isinstance(value, (dict, Pairs)):
        pairs = list(value.items()) if isinstance(value, dict) else value.items
        if resp != 3:
            return push_items(lua, [one for pair in pairs for one in pair], resp)
        return push_table(lua, b"map", pairs)
    if isinstance(value, (set, frozenset, SetReply)):
        members = value.members if isinstance(value, SetReply) else value
        if resp != 3:
            return push_items(lua, list(members), resp)
        return push_table(lua, b"set", [(one, True) for one in members])
    if isinstance(value, Verbatim):
        if resp != 3:
            return push_bytes(lua, value.text)
        text = [(b"string", value.text), (b"format", value.format.encode())]
        return push_table(lua, b"verbatim_string", text)
    if isinstance(value, BigNumber):
        digits = str(value.value).encode()
        if resp != 3:
            return push_bytes(lua, digits)
        return push_tagged(lua, b"big_number", digits, resp)
    raise TypeError(f"a script cannot be given a {type(value).__name__}")


cdef int push_table(lua_State *lua, bytes tag, list pairs) except -1:
    """Push a table with one member, which is a table of these keys and values."""
    createtable(lua, 0, 1)
    push_bytes(lua, tag)
    createtable(lua, 0, len(pairs))
    for key, value in pairs:
        push(lua, key, 3)
        push(lua, value, 3)
        rawset(lua, -3)
    rawset(lua, -3)
    return 0
