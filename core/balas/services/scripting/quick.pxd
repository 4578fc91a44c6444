from balas.services.scripting.lua51 cimport lua_State

cdef const char *prepare(const char *path) noexcept
cdef int decode_quickly(lua_State *lua) noexcept
cdef int encode_quickly(lua_State *lua) noexcept
