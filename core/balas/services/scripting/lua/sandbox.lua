-- What scripts see: Lua's own libraries without those that reach out, `redis` on top of one function
-- of the server, and globals that cannot be changed.
--
-- Objects of the server's language never get into the hands of a script: everything it can call is
-- a Lua function made here.
--
-- Arguments of this chunk: the functions of the server, by name. Returns the functions that the
-- server calls.

local server = ...
local caller, log_line, sha1_of, set_resp, check_acl =
    server.caller, server.log, server.sha1, server.setresp, server.acl_check

local error, pcall, xpcall, type, rawget, rawset, select, tostring, tonumber, unpack, pairs, next =
    error, pcall, xpcall, type, rawget, rawset, select, tostring, tonumber, unpack, pairs, next
local getinfo, sethook = debug.getinfo, debug.sethook
local loadstring, load, setfenv, setmetatable, byte = loadstring, load, setfenv, setmetatable, string.byte

local READONLY = "Attempt to modify a readonly table"

local function refuse_change()
    error(READONLY, 2)
end

-- A table through which another one is read but not written, not even by rawset: it is empty, and
-- this tells the other one, by it.
local protected = setmetatable({}, { __mode = "k" })

local function frozen(content)
    local seen = setmetatable(
        {}, { __index = content, __newindex = refuse_change, __metatable = false })
    protected[seen] = content
    return seen
end

local globals = {}
setmetatable(globals, {
    __index = function(_, name)
        error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
    end,
})
-- The second table keeps the metatable that scripts may look at from being the one that counts.
local visible = {
    __index = globals,
    __newindex = refuse_change,
    __metatable = frozen({ __index = frozen(globals) }),
}
local environment = setmetatable({}, visible)

local function copy(source, names)
    local found = {}
    for name in names:gmatch("%S+") do
        found[name] = source[name]
    end
    return found
end

for name, value in pairs(copy(_G, [[
    _VERSION assert collectgarbage error gcinfo getmetatable ipairs next pairs pcall rawequal
    rawget rawset select setmetatable tonumber tostring type unpack xpcall]])) do
    globals[name] = value
end

-- Of an error that is a table, as those of commands are, pcall gives the text alone.
local function told(fine, problem, ...)
    if not fine and type(problem) == "table" then
        local text = problem.err
        if type(text) == "string" or type(text) == "number" then
            return false, text, ...
        end
    end
    return fine, problem, ...
end
globals.pcall = function(...)
    return told(pcall(...))
end
globals.getmetatable = function(value)
    if type(value) == "string" then
        return frozen({ __index = globals.string })
    end
    return getmetatable(value)
end
-- Refuses what is no table as a function of C does: `count` arguments were given, `value` is the first.
local function expect_table(name, count, value)
    if type(value) ~= "table" then
        local got = count > 0 and type(value) or "no value"
        error("bad argument #1 to '" .. name .. "' (table expected, got " .. got .. ")", 3)
    end
end

-- What is refused inside a function of C has no position, unlike what the script's own line does.
globals.setmetatable = function(...)
    local target, meta = ...
    expect_table("setmetatable", select("#", ...), target)
    if select("#", ...) < 2 or (meta ~= nil and type(meta) ~= "table") then
        error("bad argument #2 to 'setmetatable' (nil or table expected)", 2)
    elseif protected[target] then
        error(READONLY, 0)
    end
    local fine, problem = pcall(setmetatable, target, meta)
    if not fine then
        error(problem, 2)
    end
    return target
end
globals.rawset = function(...)
    local target = ...
    expect_table("rawset", select("#", ...), target)
    if protected[target] then
        error(READONLY, 0)
    end
    return rawset(...)
end
globals.next = function(...)
    local target, name = ...
    expect_table("next", select("#", ...), target)
    return next(protected[target] or target, name)
end
globals.pairs = function(...)
    local target = ...
    expect_table("pairs", select("#", ...), target)
    return pairs(protected[target] or target)
end

protected[environment] = globals
local insert = table.insert
table.insert = function(...)
    local target = ...
    local count = select("#", ...)
    expect_table("insert", count, target)
    if count ~= 2 and count ~= 3 then
        error("wrong number of arguments to 'insert'", 2)
    elseif protected[target] then
        error(READONLY, 0)
    end
    return insert(...)
end

-- Code is compiled from text only, and sees what its script sees.
local function confined(chunk, message)
    if chunk then
        setfenv(chunk, environment)
    end
    return chunk, message
end

globals.loadstring = function(text, name)
    if type(text) == "string" and byte(text, 1) == 27 then
        return nil, "bytecode cannot be loaded"
    end
    return confined(loadstring(text, name))
end

globals.load = function(pieces, name)
    local text = {}
    while true do
        local piece = pieces()
        if piece == nil or piece == "" then
            break
        end
        text[#text + 1] = piece
    end
    return globals.loadstring(table.concat(text), name or "=(load)")
end

local libraries = {
    math = [[abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10
        max min mod modf pi pow rad sin sinh sqrt tan tanh]],
    string = [[byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper]],
    table = [[concat foreach foreachi getn insert maxn remove setn sort]],
    os = [[clock]],
    coroutine = [[create resume running status wrap yield]],
}
for name, members in pairs(libraries) do
    globals[name] = frozen(copy(_G[name], members))
end

-- Errors of these are told as if the script's own line had raised them.
local function finish(fine, ...)
    if fine then
        return ...
    end
    error((...), 3)
end

local function guarded(work)
    return function(...)
        return finish(pcall(work, ...))
    end
end

for name, members in pairs(server.libraries) do
    local found = libraries[name] and copy(_G[name], libraries[name]) or {}
    for member, value in pairs(members) do
        found[member] = type(value) == "function" and guarded(value) or value
    end
    globals[name] = frozen(found)
end

-- redis.* ------------------------------------------------------------------------------------------

local function where(level)
    local info = getinfo(level + 1, "Sl")
    if info and info.what ~= "C" then
        return info.source, info.currentline
    end
end

-- `caller(on_error)` makes a function of C that runs commands; the script that has called it stands
-- behind that function and the one that gets the text of an error.

local call = caller(function(text)
    local source, line = where(3)
    error({ err = text, source = source, line = line, ignore_error_stats_update = true })
end)

local guarded_call = caller(function(text)
    if text == server.no_words or text == server.bad_words then
        return { err = text }
    end
    return { err = text, ignore_error_stats_update = true }
end)

local function fail(text)
    local source, line = where(3)
    error({ err = "ERR " .. text, source = source, line = line })
end

local redis = {
    call = call,
    pcall = guarded_call,
    LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
    REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
    REDIS_VERSION = server.version, REDIS_VERSION_NUM = server.version_number,
}

function redis.error_reply(...)
    if select("#", ...) ~= 1 or type(...) ~= "string" then
        return { err = "ERR wrong number or type of arguments" }
    end
    local text = (...):match("^%Z*")
    if byte(text, 1) == 45 then
        text = text:sub(2)
    end
    return { err = text:find(" ", 1, true) and text or "ERR " .. text }
end

function redis.status_reply(...)
    if select("#", ...) ~= 1 or type(...) ~= "string" then
        return { err = "ERR wrong number or type of arguments" }
    end
    return { ok = (...) }
end

function redis.sha1hex(...)
    if select("#", ...) ~= 1 then
        fail("wrong number of arguments")
    end
    local value = ...
    local kind = type(value)
    return sha1_of(kind == "string" and value or kind == "number" and tostring(value) or "")
end

function redis.log(...)
    if select("#", ...) < 2 then
        fail("redis.log() requires two arguments or more.")
    end
    local level = ...
    if type(level) ~= "number" then
        fail("First argument must be a number (log level).")
    end
    if level < 0 or level > 3 then
        fail("Invalid log level.")
    end
    local words = {}
    for i = 2, select("#", ...) do
        words[#words + 1] = tostring((select(i, ...)))
    end
    log_line(level, table.concat(words, " "))
end

function redis.setresp(...)
    if select("#", ...) ~= 1 then
        fail("redis.setresp() requires one argument.")
    end
    local version = math.floor(tonumber((...)) or 0)
    if version ~= 2 and version ~= 3 then
        fail("RESP version must be 2 or 3.")
    end
    set_resp(version)
end

function redis.set_repl(...)
    if select("#", ...) ~= 1 then
        fail("redis.set_repl() requires one argument.")
    end
    local flags = tonumber((...))
    if not flags or flags < 0 or flags > 3 then
        fail("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
    end
    server.set_repl(flags)
end

function redis.replicate_commands()
    return true
end

function redis.breakpoint()
    return false
end

function redis.debug() end

function redis.acl_check_cmd(...)
    local words = { ... }
    local count = select("#", ...)
    if count == 0 then
        fail(server.no_words:sub(5))
    end
    for i = 1, count do
        if type(words[i]) == "number" then
            words[i] = tostring(words[i])
        elseif type(words[i]) ~= "string" then
            fail(server.bad_words:sub(5))
        end
    end
    local known, allowed = check_acl(unpack(words))
    if not known then
        fail("Invalid command passed to redis.acl_check_cmd()")
    end
    return allowed
end

globals.redis = frozen(redis)
-- See frames.py.
globals.__all_of = function(...)
    return ...
end
globals._G = environment

-- How the server runs scripts ----------------------------------------------------------------------

local function explain(problem)
    if type(problem) ~= "table" then
        problem = { err = "ERR " .. tostring(problem) }
    end
    if problem.line ~= false then
        -- The innermost line that is a script's: what it called stands in files without "@".
        local level, info = 2, getinfo(2, "Sl")
        while info and byte(info.source, 1) ~= 64 do
            level = level + 1
            info = getinfo(level, "Sl")
        end
        if info and info.currentline >= 0 then
            problem.source, problem.line = info.source, info.currentline
        end
    end
    return problem
end
globals.__redis__err__handler = explain

local function compile(text, name)
    if byte(text, 1) == 27 then
        return nil, "bytecode cannot be loaded"
    end
    return confined(loadstring(text, name))
end

-- Libraries of functions ---------------------------------------------------------------------------

-- What a library sees while it is loaded: nothing but the means to register its functions.
local strict = getmetatable(globals)
local loading_redis = setmetatable({}, strict)
for name, value in next, redis do
    if name == "log" or name:find("^LOG_") or name:find("^REDIS_") then
        loading_redis[name] = value
    end
end
local loading_globals = setmetatable({ redis = frozen(loading_redis) }, strict)

local function refuse(text)
    error({ err = "ERR " .. text, line = false })
end

local function text_of(value)
    local kind = type(value)
    return (kind == "string" or kind == "number") and tostring(value) or nil
end

-- What `register_function{...}` is given, by the names in lower case.
local function named_arguments(given)
    local found = {}
    for name, value in next, given do
        local word = type(name) == "string" and name:lower()
        if word == "function_name" or word == "description" then
            value = text_of(value)
            if not value then
                refuse(word == "description"
                    and "description argument given to redis.register_function must be a string"
                    or "function_name argument given to redis.register_function must be a string")
            end
        elseif word == "callback" then
            if type(value) ~= "function" then
                refuse("callback argument given to redis.register_function must be a function")
            end
        elseif word == "flags" then
            if type(value) ~= "table" then
                refuse("flags argument to redis.register_function must be a table representing function flags")
            end
        else
            refuse("unknown argument given to redis.register_function")
        end
        found[word] = value
    end
    if not found.function_name then
        refuse("redis.register_function must get a function name argument")
    elseif not found.callback then
        refuse("redis.register_function must get a callback argument")
    end
    return found
end

local function positional_arguments(...)
    if select("#", ...) ~= 2 then
        refuse("wrong number of arguments to redis.register_function")
    end
    local name, callback = ...
    if not text_of(name) then
        refuse("first argument to redis.register_function must be a string")
    elseif type(callback) ~= "function" then
        refuse("second argument to redis.register_function must be a function")
    end
    return { function_name = text_of(name), callback = callback }
end

-- Run a library; `register` is told of each function and returns a text if it does not like it.
local function load_library(chunk, register)
    rawset(loading_redis, "register_function", function(...)
        local given
        if select("#", ...) ~= 1 then
            given = positional_arguments(...)
        elseif type(...) == "table" then
            given = named_arguments(...)
        else
            refuse("calling redis.register_function with a single argument is only applicable to Lua table "
                .. "(representing named arguments).")
        end
        local flags = {}
        for i = 1, #(given.flags or {}) do
            local flag = rawget(given.flags, i)
            flags[i] = type(flag) == "string" and flag or ""
        end
        local complaint = register(
            given.function_name, given.callback, given.description, unpack(flags))
        if complaint then
            refuse(complaint)
        end
    end)
    visible.__index = loading_globals
    local fine, problem = xpcall(chunk, explain)
    visible.__index = globals
    return fine, not fine and tostring(problem.err) or nil
end

-- Every so many instructions the server may look at the clock; it returns a text to end the script.
local function watch(tick, instructions)
    sethook(function()
        local reason = tick()
        if reason then
            error({ err = reason }, 0)
        end
    end, "", instructions)
end

return {
    compile = compile, watch = watch, explain = explain, globals = globals,
    load_library = load_library,
}
