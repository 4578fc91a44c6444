"""The common cases of cmsgpack.unpack and cjson.decode, in C.

Job queues hand all their arguments to scripts in these forms. Each function here gives its result
only where there is nothing peculiar about the text; for all else, errors above all, it gives
nothing and the library in lua/ begins anew. Nothing here touches an object of Python, so an error
of Lua's own may pass through.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, int8_t, uint32_t, uint64_t
from libc.stdlib cimport strtod
from libc.string cimport memcmp, memcpy

from balas.services.scripting.lua51 cimport (
    NIL_TYPE, NUMBER_TYPE, STRING_TYPE, checkstack, createtable, find_library, gettop, lua_State,
    pushboolean, pushlstring, pushnil, pushnumber, pushvalue, rawset, rawseti, settop, tolstring,
    tonumber, type_at,
)

cdef enum:
    # Values within values; what is deeper is left to the libraries.
    DEPTH_MAX = 16
    # What a value needs of the stack beside itself.
    ROOM = 4
    # Digits that a double holds exactly.
    EXACT_DIGITS = 15
    # The places of the arguments: a text, and what stands for null.
    TEXT = 1
    NULL_VALUE = 2


cdef const char *prepare(const char *path) noexcept:
    """Find the functions of the interpreter; what is missing, or NULL."""
    return find_library(path)


cdef struct Source:
    # What is left of a text.
    const unsigned char *at
    const unsigned char *end


# --- MessagePack ----------------------------------------------------------------------------------

cdef int unpack_quickly(lua_State *lua) noexcept:
    """unpack(text): all values in it, or nothing."""
    cdef size_t size = 0
    cdef Source source
    if type_at(lua, TEXT) != STRING_TYPE:
        return 0
    source.at = <const unsigned char *> tolstring(lua, TEXT, &size)
    source.end = source.at + size
    settop(lua, TEXT)
    while source.at < source.end:
        if not unpack_value(lua, &source, 0):
            settop(lua, TEXT)
            return 0
    return gettop(lua) - TEXT


cdef uint64_t big_endian(Source *source, int size) noexcept:
    cdef uint64_t value = 0
    cdef int i
    for i in range(size):
        value = value << 8 | source.at[i]
    source.at += size
    return value


cdef bint unpack_value(lua_State *lua, Source *source, int depth) noexcept:
    """Push the next value; False if it is none, or a peculiar one."""
    cdef unsigned char head
    if source.at >= source.end or depth > DEPTH_MAX or not checkstack(lua, ROOM):
        return False
    head = source.at[0]
    source.at += 1
    if head < 0x80 or head >= 0xE0:
        pushnumber(lua, <int8_t> head)
        return True
    if head < 0x90:
        return unpack_map(lua, source, head & 15, depth)
    if head < 0xA0:
        return unpack_array(lua, source, head & 15, depth)
    if head < 0xC0:
        return unpack_text(lua, source, head & 31)
    if 0xCA <= head <= 0xD3:
        return unpack_number(lua, source, head)
    if head == 0xC0:
        pushnil(lua)
    elif head == 0xC2 or head == 0xC3:
        pushboolean(lua, head == 0xC3)
    else:
        return unpack_sized(lua, source, head, depth)
    return True


cdef bint unpack_sized(lua_State *lua, Source *source, unsigned char head, int depth) noexcept:
    """What has its size in bytes of its own."""
    cdef int width
    if 0xC4 <= head <= 0xC6:
        width = 1 << (head - 0xC4)
    elif 0xD9 <= head <= 0xDB:
        width = 1 << (head - 0xD9)
    elif 0xDC <= head <= 0xDF:
        width = 2 << (head & 1)
    else:
        return False
    if source.end - source.at < width:
        return False
    if head < 0xDC:
        return unpack_text(lua, source, <uint32_t> big_endian(source, width))
    if head < 0xDE:
        return unpack_array(lua, source, <uint32_t> big_endian(source, width), depth)
    return unpack_map(lua, source, <uint32_t> big_endian(source, width), depth)


cdef bint unpack_number(lua_State *lua, Source *source, unsigned char head) noexcept:
    cdef int width = (4 << (head & 1)) if head < 0xCC else (1 << ((head - 0xCC) & 3))
    cdef uint64_t bits
    cdef uint32_t short_bits
    cdef float single
    cdef double value
    if source.end - source.at < width:
        return False
    bits = big_endian(source, width)
    if head == 0xCA:
        short_bits = <uint32_t> bits
        memcpy(&single, &short_bits, 4)
        value = single
    elif head == 0xCB:
        memcpy(&value, &bits, 8)
    elif head < 0xD0:
        value = <double> bits
    elif head == 0xD0:
        value = <int8_t> bits
    elif head == 0xD1:
        value = <int16_t> bits
    elif head == 0xD2:
        value = <int32_t> bits
    else:
        value = <double> <int64_t> bits
    pushnumber(lua, value)
    return True


cdef bint unpack_text(lua_State *lua, Source *source, uint32_t size) noexcept:
    if <size_t> (source.end - source.at) < size:
        return False
    pushlstring(lua, <const char *> source.at, size)
    source.at += size
    return True


cdef bint unpack_array(lua_State *lua, Source *source, uint32_t count, int depth) noexcept:
    cdef uint32_t i
    createtable(lua, 0, 0)
    for i in range(count):
        if not unpack_value(lua, source, depth + 1):
            return False
        rawseti(lua, -2, <int> (i + 1))
    return True


cdef bint unpack_map(lua_State *lua, Source *source, uint32_t count, int depth) noexcept:
    cdef uint32_t _i
    createtable(lua, 0, 0)
    for _i in range(count):
        if not unpack_value(lua, source, depth + 1) or not can_be_key(lua):
            return False
        if not unpack_value(lua, source, depth + 1):
            return False
        rawset(lua, -3)
    return True


cdef bint can_be_key(lua_State *lua) noexcept:
    """Whether a table takes what is at the top as a key: not nil, and not NaN."""
    cdef int kind = type_at(lua, -1)
    if kind == NUMBER_TYPE:
        return tonumber(lua, -1) == tonumber(lua, -1)
    return kind != NIL_TYPE


# --- JSON -----------------------------------------------------------------------------------------

cdef int decode_quickly(lua_State *lua) noexcept:
    """decode(text, null): true and the value, or nothing."""
    cdef size_t size = 0
    cdef Source source
    if type_at(lua, TEXT) != STRING_TYPE:
        return 0
    source.at = <const unsigned char *> tolstring(lua, TEXT, &size)
    source.end = source.at + size
    pushboolean(lua, True)
    skip_blanks(&source)
    if decode_value(lua, &source, 0):
        skip_blanks(&source)
        if source.at == source.end:
            return 2
    settop(lua, NULL_VALUE)
    return 0


cdef void skip_blanks(Source *source) noexcept:
    while source.at < source.end and source.at[0] in (c" ", c"\t", c"\r", c"\n"):
        source.at += 1


cdef bint take(Source *source, unsigned char wanted) noexcept:
    """Take this character, with blanks around it, if it is next."""
    skip_blanks(source)
    if source.at >= source.end or source.at[0] != wanted:
        return False
    source.at += 1
    skip_blanks(source)
    return True


cdef bint decode_value(lua_State *lua, Source *source, int depth) noexcept:
    """Push the next value; False if it is none, or a peculiar one."""
    cdef unsigned char first
    if source.at >= source.end or depth > DEPTH_MAX or not checkstack(lua, ROOM):
        return False
    first = source.at[0]
    if first == c'"':
        return decode_text(lua, source)
    if first == c"{":
        return decode_object(lua, source, depth)
    if first == c"[":
        return decode_array(lua, source, depth)
    if first == c"-" or c"0" <= first <= c"9":
        return decode_number(lua, source)
    if take_word(source, b"true", 4):
        pushboolean(lua, True)
    elif take_word(source, b"false", 5):
        pushboolean(lua, False)
    elif take_word(source, b"null", 4):
        pushvalue(lua, NULL_VALUE)
    else:
        return False
    return True


cdef bint take_word(Source *source, const char *word, int size) noexcept:
    if source.end - source.at < size or memcmp(source.at, word, size) != 0:
        return False
    source.at += size
    return True


cdef bint decode_text(lua_State *lua, Source *source) noexcept:
    """A string without escapes."""
    cdef const unsigned char *first = source.at + 1
    cdef const unsigned char *at = first
    while at < source.end and at[0] != c'"':
        if at[0] == c"\\" or at[0] == 0:
            return False
        at += 1
    if at >= source.end:
        return False
    pushlstring(lua, <const char *> first, at - first)
    source.at = at + 1
    return True


cdef const unsigned char *digits_end(const unsigned char *at, Source *source) noexcept:
    while at < source.end and c"0" <= at[0] <= c"9":
        at += 1
    return at


cdef bint decode_number(lua_State *lua, Source *source) noexcept:
    """A number as JSON writes it; Lua's strings end in a zero, where strtod stops."""
    cdef bint negative = source.at[0] == c"-"
    cdef const unsigned char *first = source.at + negative
    cdef const unsigned char *stop = digits_end(first, source)
    cdef const unsigned char *more
    cdef int64_t whole = 0
    if stop == first or (first[0] == c"0" and stop - first > 1):
        return False
    if stop >= source.end or stop[0] not in (c".", c"e", c"E", c"x", c"X"):
        if stop - first <= EXACT_DIGITS and not (negative and first[0] == c"0"):
            for i in range(stop - first):
                whole = whole * 10 + (first[i] - c"0")
            pushnumber(lua, <double> (-whole if negative else whole))
            source.at = stop
            return True
    elif stop[0] == c".":
        more = digits_end(stop + 1, source)
        if more == stop + 1:
            return False
        stop = more
    if stop < source.end and stop[0] in (c"e", c"E", c"x", c"X"):
        return False
    pushnumber(lua, strtod(<const char *> source.at, NULL))
    source.at = stop
    return True


cdef bint decode_array(lua_State *lua, Source *source, int depth) noexcept:
    cdef int count = 0
    take(source, c"[")
    createtable(lua, 0, 0)
    if take(source, c"]"):
        return True
    while True:
        if not decode_value(lua, source, depth + 1):
            return False
        count += 1
        rawseti(lua, -2, count)
        if take(source, c"]"):
            return True
        if not take(source, c","):
            return False


cdef bint decode_object(lua_State *lua, Source *source, int depth) noexcept:
    take(source, c"{")
    createtable(lua, 0, 0)
    if take(source, c"}"):
        return True
    while True:
        if source.at >= source.end or source.at[0] != c'"' or not decode_text(lua, source):
            return False
        if not take(source, c":") or not decode_value(lua, source, depth + 1):
            return False
        rawset(lua, -3)
        if take(source, c"}"):
            return True
        if not take(source, c","):
            return False
