from balas.services.scripting.lua51 cimport lua_State

cdef const char *prepare(const char *path) noexcept
cdef int unpack_all(lua_State *lua) noexcept
cdef int pack_all(lua_State *lua) noexcept
