"""The module cmsgpack: `pack`, and the common cases of `unpack`, in C.

Job queues hand all their arguments to scripts in this form. What is peculiar about a text gives
nothing here, and lua/cmsgpack.lua begins anew, which knows all errors. Nothing here touches an
object of Python, so an error of Lua's own may pass through.
"""

from libc.stdint cimport INT32_MIN, int16_t, int32_t, int64_t, int8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy

from balas.services.scripting.lua51 cimport (
    BOOLEAN_TYPE, NIL_TYPE, NUMBER_TYPE, STRING_TYPE, TABLE_TYPE, checkstack, createtable,
    find_library, gettop, lua_State, next_pair, pushboolean, pushlstring, pushnil, pushnumber,
    pushvalue, rawgeti, rawset, rawseti, settop, toboolean, tolstring, tonumber, type_at,
)
from balas.services.scripting.texts cimport Source, Text, add, reserve

cdef enum:
    # Tables within tables: deeper ones are packed as nil, and unpacked by the library.
    DEPTH_MAX = 16
    # What a value needs of the stack beside itself.
    ROOM = 4
    # Where `unpack` gets its text.
    TEXT = 1
    # What the head of a value takes at most.
    HEAD_MAX = 9

cdef double INT64_LIMIT = 9223372036854775808.0     # 2**63


cdef const char *prepare(const char *path) noexcept:
    """Find the functions of the interpreter; what is missing, or NULL."""
    return find_library(path)


# --- unpack ---------------------------------------------------------------------------------------

cdef int unpack_all(lua_State *lua) noexcept:
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


# --- pack -----------------------------------------------------------------------------------------

cdef int pack_all(lua_State *lua) noexcept:
    """pack(...): all its arguments in one text; nothing if they are too much for the memory."""
    cdef Text text
    cdef int count = gettop(lua), i
    cdef bint done = True
    text.data = NULL
    text.size = text.room = 0
    for i in range(1, count + 1):
        pushvalue(lua, i)
        done = pack_value(lua, &text, 0)
        if not done:
            break
    settop(lua, count)
    if done:
        pushlstring(lua, text.data, text.size)
    free(text.data)
    return 1 if done else 0


cdef bint pack_value(lua_State *lua, Text *text, int depth) noexcept:
    """Add the value at the top, and take it from the stack; False if there is no room."""
    cdef int kind = type_at(lua, -1)
    cdef bint done
    cdef size_t size = 0
    cdef const char *data
    if kind == STRING_TYPE:
        data = tolstring(lua, -1, &size)
        done = pack_text_head(text, size) and add(text, data, size)
    elif kind == NUMBER_TYPE:
        done = pack_number(text, tonumber(lua, -1))
    elif kind == BOOLEAN_TYPE:
        done = put_head(text, 0xC3 if toboolean(lua, -1) else 0xC2, 0, 0)
    elif kind == TABLE_TYPE and depth < DEPTH_MAX:
        done = checkstack(lua, ROOM) and pack_table(lua, text, depth)
    else:
        done = put_head(text, 0xC0, 0, 0)
    settop(lua, -2)
    return done


cdef bint put_head(Text *text, int first, uint64_t value, int width) noexcept:
    """Add a byte, and a number of so many bytes, the most significant one first."""
    cdef int i
    if not reserve(text, HEAD_MAX):
        return False
    text.data[text.size] = <char> first
    for i in range(width):
        text.data[text.size + 1 + i] = <char> (value >> (8 * (width - 1 - i)))
    text.size += 1 + width
    return True


cdef bint pack_number(Text *text, double value) noexcept:
    """A whole number in as few bytes as it needs; any other as a float, if that is as exact."""
    cdef float single
    cdef uint32_t short_bits
    cdef uint64_t bits
    if -INT64_LIMIT <= value < INT64_LIMIT and value == <double> <int64_t> value:
        return pack_whole(text, <int64_t> value)
    single = <float> value
    if <double> single == value:
        memcpy(&short_bits, &single, 4)
        return put_head(text, 0xCA, short_bits, 4)
    memcpy(&bits, &value, 8)
    return put_head(text, 0xCB, bits, 8)


cdef bint pack_whole(Text *text, int64_t value) noexcept:
    if -32 <= value < 128:
        return put_head(text, value & 0xFF, 0, 0)
    if value >= 0:
        if value < 1 << 8:
            return put_head(text, 0xCC, value, 1)
        if value < 1 << 16:
            return put_head(text, 0xCD, value, 2)
        if value >> 32 == 0:
            return put_head(text, 0xCE, value, 4)
        return put_head(text, 0xCF, value, 8)
    if value >= -(1 << 7):
        return put_head(text, 0xD0, value, 1)
    if value >= -(1 << 15):
        return put_head(text, 0xD1, value, 2)
    if value >= INT32_MIN:
        return put_head(text, 0xD2, value, 4)
    return put_head(text, 0xD3, value, 8)


cdef bint pack_text_head(Text *text, size_t size) noexcept:
    if size < 32:
        return put_head(text, 0xA0 + size, 0, 0)
    if size < 1 << 8:
        return put_head(text, 0xD9, size, 1)
    if size < 1 << 16:
        return put_head(text, 0xDA, size, 2)
    return put_head(text, 0xDB, size, 4)


cdef bint pack_count(Text *text, uint32_t count, int small, int large) noexcept:
    """The head of a collection: `small` that of an empty one, `large` of one of 16 bits."""
    if count < 16:
        return put_head(text, small + count, 0, 0)
    if count < 1 << 16:
        return put_head(text, large, count, 2)
    return put_head(text, large + 1, count, 4)


cdef bint is_array(lua_State *lua, uint32_t *count) noexcept:
    """Whether the keys of the table at the top are 1, 2, 3 and so on; and how many it has."""
    cdef bint whole = True
    cdef double key, largest = 0
    count[0] = 0
    pushnil(lua)
    while next_pair(lua, -2):
        settop(lua, -2)
        key = tonumber(lua, -1) if type_at(lua, -1) == NUMBER_TYPE else 0
        if key < 1 or key >= INT64_LIMIT or key != <double> <int64_t> key:
            whole = False
        largest = max(largest, key)
        count[0] += 1
    return whole and largest == count[0]


cdef bint pack_table(lua_State *lua, Text *text, int depth) noexcept:
    """The table at the top, which stays, as an array or a map."""
    cdef uint32_t count = 0, i
    if is_array(lua, &count):
        if not pack_count(text, count, 0x90, 0xDC):
            return False
        for i in range(count):
            rawgeti(lua, -1, <int> (i + 1))
            if not pack_value(lua, text, depth + 1):
                return False
        return True
    if not pack_count(text, count, 0x80, 0xDE):
        return False
    pushnil(lua)
    while next_pair(lua, -2):
        pushvalue(lua, -2)
        if not pack_value(lua, text, depth + 1) or not pack_value(lua, text, depth + 1):
            return False
    return True
