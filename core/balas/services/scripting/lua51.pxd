"""The part of Lua 5.1's C interface that scripts need, as the interpreter's own library exports it.

That library is found where it was loaded, and asked for each function by name: to make its names
global would change what other versions of Lua in the same process call.
"""

cdef extern from *:
    """
    #include <dlfcn.h>
    #include <stddef.h>

    typedef struct lua_State lua_State;
    typedef int (*lua_CFunction)(lua_State *);
    typedef void *(*lua_Alloc)(void *, void *, size_t, size_t);

    #define BALAS_LUA_FUNCTIONS(F) \\
        F(lua_, int, gettop, (lua_State *)) \\
        F(lua_, void, settop, (lua_State *, int)) \\
        F(lua_, int, checkstack, (lua_State *, int)) \\
        F(lua_, int, type, (lua_State *, int)) \\
        F(lua_, int, toboolean, (lua_State *, int)) \\
        F(lua_, double, tonumber, (lua_State *, int)) \\
        F(lua_, const char *, tolstring, (lua_State *, int, size_t *)) \\
        F(lua_, void *, touserdata, (lua_State *, int)) \\
        F(lua_, void, pushnil, (lua_State *)) \\
        F(lua_, void, pushnumber, (lua_State *, double)) \\
        F(lua_, void, pushboolean, (lua_State *, int)) \\
        F(lua_, void, pushlstring, (lua_State *, const char *, size_t)) \\
        F(lua_, void, pushvalue, (lua_State *, int)) \\
        F(lua_, void, pushlightuserdata, (lua_State *, void *)) \\
        F(lua_, void, pushcclosure, (lua_State *, lua_CFunction, int)) \\
        F(lua_, void, createtable, (lua_State *, int, int)) \\
        F(lua_, void, rawget, (lua_State *, int)) \\
        F(lua_, void, rawset, (lua_State *, int)) \\
        F(lua_, void, rawgeti, (lua_State *, int, int)) \\
        F(lua_, void, rawseti, (lua_State *, int, int)) \\
        F(lua_, int, next, (lua_State *, int)) \\
        F(lua_, int, pcall, (lua_State *, int, int, int)) \\
        F(lua_, void, call, (lua_State *, int, int)) \\
        F(lua_, int, gc, (lua_State *, int, int)) \\
        F(lua_, void, setallocf, (lua_State *, lua_Alloc, void *)) \\
        F(luaL_, int, ref, (lua_State *, int)) \\
        F(luaL_, void, unref, (lua_State *, int, int))

    #define BALAS_LUA_MEMBER(prefix, kind, name, arguments) kind (*name) arguments;
    static struct { BALAS_LUA_FUNCTIONS(BALAS_LUA_MEMBER) } balas_lua;

    /* Returns what is missing, or NULL. */
    static const char *balas_lua_find(const char *path) {
        void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
        if (!library) return "the library";
    #define BALAS_LUA_FIND(prefix, kind, name, arguments) \\
        *(void **) &balas_lua.name = dlsym(library, #prefix #name); \\
        if (!balas_lua.name) return #prefix #name;
        BALAS_LUA_FUNCTIONS(BALAS_LUA_FIND)
        return NULL;
    }
    """
    ctypedef struct lua_State:
        pass
    ctypedef int (*lua_CFunction)(lua_State *) noexcept
    ctypedef void *(*lua_Alloc)(void *, void *, size_t, size_t) noexcept nogil

    const char *find_library "balas_lua_find"(const char *path)

    int gettop "balas_lua.gettop"(lua_State *) noexcept
    void settop "balas_lua.settop"(lua_State *, int) noexcept
    int checkstack "balas_lua.checkstack"(lua_State *, int) noexcept
    int type_at "balas_lua.type"(lua_State *, int) noexcept
    int toboolean "balas_lua.toboolean"(lua_State *, int) noexcept
    double tonumber "balas_lua.tonumber"(lua_State *, int) noexcept
    const char *tolstring "balas_lua.tolstring"(lua_State *, int, size_t *) noexcept
    void *touserdata "balas_lua.touserdata"(lua_State *, int) noexcept
    void pushnil "balas_lua.pushnil"(lua_State *) noexcept
    void pushnumber "balas_lua.pushnumber"(lua_State *, double) noexcept
    void pushboolean "balas_lua.pushboolean"(lua_State *, int) noexcept
    void pushlstring "balas_lua.pushlstring"(lua_State *, const char *, size_t) noexcept
    void pushvalue "balas_lua.pushvalue"(lua_State *, int) noexcept
    void pushlightuserdata "balas_lua.pushlightuserdata"(lua_State *, void *) noexcept
    void pushcclosure "balas_lua.pushcclosure"(lua_State *, lua_CFunction, int) noexcept
    void createtable "balas_lua.createtable"(lua_State *, int, int) noexcept
    void rawget "balas_lua.rawget"(lua_State *, int) noexcept
    void rawset "balas_lua.rawset"(lua_State *, int) noexcept
    void rawgeti "balas_lua.rawgeti"(lua_State *, int, int) noexcept
    void rawseti "balas_lua.rawseti"(lua_State *, int, int) noexcept
    int next_pair "balas_lua.next"(lua_State *, int) noexcept
    int pcall "balas_lua.pcall"(lua_State *, int, int, int) noexcept
    int collect "balas_lua.gc"(lua_State *, int, int) noexcept
    void set_allocator "balas_lua.setallocf"(lua_State *, lua_Alloc, void *) noexcept
    int make_ref "balas_lua.ref"(lua_State *, int) noexcept
    void drop_ref "balas_lua.unref"(lua_State *, int, int) noexcept

cdef enum:
    # Lua's numbers for types, places and requests.
    NIL_TYPE = 0
    BOOLEAN_TYPE = 1
    NUMBER_TYPE = 3
    STRING_TYPE = 4
    TABLE_TYPE = 5
    REGISTRY = -10000
    FIRST_UPVALUE = -10003
    COUNT_KILOBYTES = 3
    COUNT_REST = 4
    SET_PAUSE = 6
