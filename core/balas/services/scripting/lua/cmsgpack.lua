-- MessagePack for scripts: the module `cmsgpack`.

local arguments, unpack_quickly, double_bytes, read_double, float_bytes, read_float = ...
local type, next, error, select, unpack, rawget = type, next, error, select, unpack, rawget
local char, byte, sub, concat, floor = string.char, string.byte, string.sub, table.concat, math.floor
local huge = math.huge

local DEPTH_MAX = 16

-- The bytes of a whole number, most significant first; negative ones as their two's complement.
local function big_endian(value, count)
    local bytes = {}
    for i = count, 1, -1 do
        bytes[i] = char(value % 256)
        value = floor(value / 256)
    end
    return concat(bytes)
end

local pack_value

local function pack_number(value, out)
    if value ~= floor(value) or value >= 2 ^ 63 or value < -2 ^ 63 then
        local short = float_bytes(value)
        if read_float(short) == value then
            out[#out + 1] = "\202" .. short
        else
            out[#out + 1] = "\203" .. double_bytes(value)
        end
    elseif value >= 0 then
        if value < 128 then
            out[#out + 1] = char(value)
        elseif value < 256 then
            out[#out + 1] = "\204" .. char(value)
        elseif value < 65536 then
            out[#out + 1] = "\205" .. big_endian(value, 2)
        elseif value < 2 ^ 32 then
            out[#out + 1] = "\206" .. big_endian(value, 4)
        else
            out[#out + 1] = "\207" .. big_endian(value, 8)
        end
    elseif value >= -32 then
        out[#out + 1] = char(256 + value)
    elseif value >= -128 then
        out[#out + 1] = "\208" .. char(256 + value)
    elseif value >= -32768 then
        out[#out + 1] = "\209" .. big_endian(value, 2)
    elseif value >= -2 ^ 31 then
        out[#out + 1] = "\210" .. big_endian(value, 4)
    else
        out[#out + 1] = "\211" .. big_endian(value, 8)
    end
end

local function pack_string(value, out)
    local size = #value
    if size < 32 then
        out[#out + 1] = char(160 + size)
    elseif size < 256 then
        out[#out + 1] = "\217" .. char(size)
    elseif size < 65536 then
        out[#out + 1] = "\218" .. big_endian(size, 2)
    else
        out[#out + 1] = "\219" .. big_endian(size, 4)
    end
    out[#out + 1] = value
end

-- A head for a collection: `small` is the code of one below 16, `large` of one below 65536.
local function pack_count(count, small, large, out)
    if count < 16 then
        out[#out + 1] = char(small + count)
    elseif count < 65536 then
        out[#out + 1] = char(large) .. big_endian(count, 2)
    else
        out[#out + 1] = char(large + 1) .. big_endian(count, 4)
    end
end

-- Whether the keys are 1 to n; and how many there are.
local function shape_of(value)
    local count, max = 0, 0
    for key in next, value do
        if type(key) ~= "number" or key <= 0 or key ~= floor(key) then
            max = huge
        elseif key > max then
            max = key
        end
        count = count + 1
    end
    return max == count, count
end

local function pack_table(value, out, depth)
    if depth >= DEPTH_MAX then
        out[#out + 1] = "\192"
        return
    end
    local is_array, count = shape_of(value)
    if is_array then
        pack_count(count, 144, 220, out)
        for i = 1, count do
            pack_value(rawget(value, i), out, depth + 1)
        end
    else
        pack_count(count, 128, 222, out)
        for key, member in next, value do
            pack_value(key, out, depth + 1)
            pack_value(member, out, depth + 1)
        end
    end
end

function pack_value(value, out, depth)
    local kind = type(value)
    if kind == "string" then
        pack_string(value, out)
    elseif kind == "number" then
        pack_number(value, out)
    elseif kind == "boolean" then
        out[#out + 1] = value and "\195" or "\194"
    elseif kind == "table" then
        pack_table(value, out, depth)
    else
        out[#out + 1] = "\192"
    end
end

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
    local count = select("#", ...)
    if count == 0 then
        error("bad argument #0 to 'pack' (MessagePack pack needs input.)", 0)
    end
    local out = {}
    for i = 1, count do
        pack_value((select(i, ...)), out, 0)
    end
    return concat(out)
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
