-- MessagePack for scripts: the module `cmsgpack`.

local arguments, unpack_quickly, pack_all, read_double, read_float = ...
local error, select, unpack = error, select, unpack
local byte, sub, huge = string.byte, string.sub, math.huge

local function short()
    error("Missing bytes in input.", 0)
end

local function unsigned(text, at, count)
    if at + count - 1 > #text then
        short()
    end
    local value = 0
    for i = at, at + count - 1 do
        value = value * 256 + byte(text, i)
    end
    return value
end

local function signed(text, at, count)
    local value = unsigned(text, at, count)
    if byte(text, at) >= 128 then
        if count == 8 then
            -- Near 2^64 a double is too coarse: build it from the complement.
            local rest = 0
            for i = at, at + 7 do
                rest = rest * 256 + (255 - byte(text, i))
            end
            return -rest - 1
        end
        return value - 256 ^ count
    end
    return value
end

local unpack_value

local function read_string(text, at, size)
    if at + size - 1 > #text then
        short()
    end
    return sub(text, at, at + size - 1), at + size
end

local function read_array(text, at, count)
    local found = {}
    for i = 1, count do
        found[i], at = unpack_value(text, at)
    end
    return found, at
end

local function read_map(text, at, count)
    local found = {}
    for _ = 1, count do
        local key, value
        key, at = unpack_value(text, at)
        value, at = unpack_value(text, at)
        found[key] = value
    end
    return found, at
end

local readers = {
    [192] = function(_, at) return nil, at end,
    [194] = function(_, at) return false, at end,
    [195] = function(_, at) return true, at end,
    [202] = function(text, at) return read_float((read_string(text, at, 4))), at + 4 end,
    [203] = function(text, at) return read_double((read_string(text, at, 8))), at + 8 end,
    [204] = function(text, at) return unsigned(text, at, 1), at + 1 end,
    [205] = function(text, at) return unsigned(text, at, 2), at + 2 end,
    [206] = function(text, at) return unsigned(text, at, 4), at + 4 end,
    [207] = function(text, at) return unsigned(text, at, 8), at + 8 end,
    [208] = function(text, at) return signed(text, at, 1), at + 1 end,
    [209] = function(text, at) return signed(text, at, 2), at + 2 end,
    [210] = function(text, at) return signed(text, at, 4), at + 4 end,
    [211] = function(text, at) return signed(text, at, 8), at + 8 end,
}
for i, size in ipairs({ 1, 2, 4 }) do
    local function text_reader(text, at)
        return read_string(text, at + size, unsigned(text, at, size))
    end
    readers[195 + i], readers[216 + i] = text_reader, text_reader
end
for i, size in ipairs({ 2, 4 }) do
    readers[219 + i] = function(text, at)
        return read_array(text, at + size, unsigned(text, at, size))
    end
    readers[221 + i] = function(text, at)
        return read_map(text, at + size, unsigned(text, at, size))
    end
end

function unpack_value(text, at)
    local head = byte(text, at)
    if not head then
        short()
    elseif head < 128 then
        return head, at + 1
    elseif head < 144 then
        return read_map(text, at + 1, head - 128)
    elseif head < 160 then
        return read_array(text, at + 1, head - 144)
    elseif head < 192 then
        return read_string(text, at + 1, head - 160)
    elseif head >= 224 then
        return head - 256, at + 1
    end
    local reader = readers[head]
    if not reader then
        error("Bad data format in input.", 0)
    end
    return reader(text, at + 1)
end

-- Up to `limit` values from `at` on, and the place behind them.
local function unpack_some(text, limit, at)
    local found, count = {}, 0
    while at <= #text and count < limit do
        count = count + 1
        found[count], at = unpack_value(text, at)
    end
    return found, count, at
end

local cmsgpack = {
    _NAME = "cmsgpack", _VERSION = "lua-cmsgpack 0.4.0", _COPYRIGHT = "",
    _DESCRIPTION = "MessagePack C implementation for Lua",
}

function cmsgpack.pack(...)
    if select("#", ...) == 0 then
        error("bad argument #0 to 'pack' (MessagePack pack needs input.)", 0)
    end
    return pack_all(...) or error("not enough memory", 0)
end

-- What C has found; if that is nothing, all is read here, and errors are told.
local function all_of(text, ...)
    if select("#", ...) > 0 then
        return ...
    end
    local found, count = unpack_some(text, huge, 1)
    return unpack(found, 1, count)
end

function cmsgpack.unpack(...)
    local text = arguments.text("unpack", 1, ...)
    return all_of(text, unpack_quickly(text))
end

local function from_offset(text, limit, offset)
    if limit < 0 or offset < 0 then
        error("Invalid request to unpack with offset of " .. offset .. " and limit of " .. #text .. ".", 0)
    end
    if limit == 0 and offset == 0 then
        local found, count = unpack_some(text, huge, 1)
        return unpack(found, 1, count)
    end
    if offset > #text then
        error("Start offset " .. offset .. " greater than input length " .. #text .. ".", 0)
    end
    local found, count, at = unpack_some(text, limit, offset + 1)
    return at > #text and -1 or at - 1, unpack(found, 1, count)
end

function cmsgpack.unpack_one(...)
    local offset = arguments.whole("unpack_one", 2, 0, ...)
    return from_offset(arguments.text("unpack_one", 1, ...), 1, offset)
end

function cmsgpack.unpack_limit(...)
    local limit = arguments.whole("unpack_limit", 2, nil, ...)
    local offset = arguments.whole("unpack_limit", 3, 0, ...)
    return from_offset(arguments.text("unpack_limit", 1, ...), limit, offset)
end

return cmsgpack
