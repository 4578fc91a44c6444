-- JSON for scripts: the module `cjson`, with the limits and the number format of lua-cjson.

local arguments, null, decode_quickly, encode_quickly = ...
local type, next, tostring, tonumber, error, rawget, setmetatable, select, unpack =
    type, next, tostring, tonumber, error, rawget, setmetatable, select, unpack
local concat, format, find, sub, byte, char, gsub, floor =
    table.concat, string.format, string.find, string.sub, string.byte, string.char, string.gsub, math.floor
local huge = math.huge

-- C does what is plain, and not deeper than this.
local QUICK_DEPTH = 16

local settings = {
    encode_depth = 1000, decode_depth = 1000,
    sparse_convert = false, sparse_ratio = 2, sparse_safe = 10,
    precision = 14, encode_invalid = false, decode_invalid = true, keep_buffer = true,
}

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\f"] = "\\f",
    ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t", ["\127"] = "\\u007f" }
for i = 0, 31 do
    escapes[char(i)] = escapes[char(i)] or format("\\u%04x", i)
end

local function quoted(text)
    return '"' .. gsub(text, '[%c"\\/\127]', escapes) .. '"'
end

local function number_json(value)
    if value ~= value or value == 1 / 0 or value == -1 / 0 then
        if settings.encode_invalid == "null" then
            return "null"
        elseif not settings.encode_invalid then
            error("Cannot serialise number: must not be NaN or Inf", 0)
        end
        return value ~= value and "nan" or value > 0 and "inf" or "-inf"
    end
    return format("%." .. settings.precision .. "g", value)
end

-- The length of a table that is an array, -1 for another.
local function array_length(value)
    local max, count = 0, 0
    for key in next, value do
        if type(key) ~= "number" or key <= 0 or key ~= floor(key) then
            return -1
        end
        max = key > max and key or max
        count = count + 1
    end
    local sparse = settings.sparse_ratio > 0 and max > count * settings.sparse_ratio
    if sparse and max > settings.sparse_safe then
        if not settings.sparse_convert then
            error("Cannot serialise table: excessively sparse array", 0)
        end
        return -1
    end
    return max
end

local encode_value

local function encode_table(value, out, depth)
    if depth > settings.encode_depth then
        error("Cannot serialise, excessive nesting (" .. depth .. ")", 0)
    end
    local length = array_length(value)
    if length > 0 then
        out[#out + 1] = "["
        for i = 1, length do
            if i > 1 then
                out[#out + 1] = ","
            end
            encode_value(rawget(value, i), out, depth)
        end
        out[#out + 1] = "]"
        return
    end
    out[#out + 1] = "{"
    local first = true
    for key, member in next, value do
        if not first then
            out[#out + 1] = ","
        end
        first = false
        if type(key) == "number" then
            out[#out + 1] = '"' .. number_json(key) .. '":'
        elseif type(key) == "string" then
            out[#out + 1] = quoted(key) .. ":"
        else
            error("Cannot serialise " .. type(key) .. ": table key must be a number or string", 0)
        end
        encode_value(member, out, depth)
    end
    out[#out + 1] = "}"
end

function encode_value(value, out, depth)
    local kind = type(value)
    if kind == "string" then
        out[#out + 1] = quoted(value)
    elseif kind == "number" then
        out[#out + 1] = number_json(value)
    elseif kind == "boolean" then
        out[#out + 1] = value and "true" or "false"
    elseif kind == "table" then
        encode_table(value, out, depth + 1)
    elseif kind == "nil" or value == null then
        out[#out + 1] = "null"
    else
        error("Cannot serialise " .. kind .. ": type not supported", 0)
    end
end

local function utf8_of(code)
    if code < 0x80 then
        return char(code)
    elseif code < 0x800 then
        return char(0xC0 + floor(code / 64), 0x80 + code % 64)
    elseif code < 0x10000 then
        return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
    end
    return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64,
        0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

local unescaped = { ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n",
    r = "\r", t = "\t" }

local function fault(text, wanted, found, at)
    error("Expected " .. wanted .. " but found " .. found .. " at character " .. at, 0)
end

-- What no JSON has, but what numbers may be like: signs, leading zeros, hexadecimal, infinity.
local function is_invalid_number(text, at)
    return find(text, "^%+", at) or find(text, "^%-?0[xX%d]", at)
        or find(text, "^%-?[iI][nN][fF]", at) or find(text, "^%-?[nN][aA][nN]", at)
end

-- What the token at a place is, for messages.
local function token_name(text, at)
    local letter = sub(text, at, at)
    if letter == "" then
        return "T_END"
    elseif letter == '"' then
        return "T_STRING"
    elseif find(letter, "[%d-]") then
        return "T_NUMBER"
    end
    local names = { ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN",
        ["]"] = "T_ARR_END", [","] = "T_COMMA", [":"] = "T_COLON" }
    if names[letter] then
        return names[letter]
    elseif sub(text, at, at + 3) == "true" or sub(text, at, at + 4) == "false" then
        return "T_BOOLEAN"
    elseif sub(text, at, at + 3) == "null" then
        return "T_NULL"
    elseif settings.decode_invalid and is_invalid_number(text, at) then
        return "T_NUMBER"
    end
    return "invalid token"
end

local function skip(text, at)
    return find(text, "[^ \t\r\n]", at) or #text + 1
end

local function decode_string(text, at)
    local parts, start = {}, at + 1
    while true do
        local stop = find(text, '["\\%z]', start) or #text + 1
        local letter = sub(text, stop, stop)
        parts[#parts + 1] = sub(text, start, stop - 1)
        if letter == '"' then
            return concat(parts), stop + 1
        elseif letter ~= "\\" then
            fault(text, "value", "unexpected end of string", stop)
        else
            local code = sub(text, stop + 1, stop + 1)
            if code == "u" then
                local digits = sub(text, stop + 2, stop + 5)
                if not find(digits, "^%x%x%x%x$") then
                    fault(text, "value", "invalid unicode escape code", stop)
                end
                local point, used = tonumber(digits, 16), 6
                if point >= 0xD800 and point < 0xDC00 then
                    local low = sub(text, stop + 6, stop + 11)
                    local second = find(low, "^\\u[dD][c-fC-F]%x%x$") and tonumber(sub(low, 3), 16)
                    if not second then
                        fault(text, "value", "invalid unicode escape code", stop)
                    end
                    point = 0x10000 + (point - 0xD800) * 1024 + (second - 0xDC00)
                    used = 12
                elseif point >= 0xDC00 and point < 0xE000 then
                    fault(text, "value", "invalid unicode escape code", stop)
                end
                parts[#parts + 1] = utf8_of(point)
                start = stop + used
            elseif unescaped[code] then
                parts[#parts + 1] = unescaped[code]
                start = stop + 2
            else
                fault(text, "value", "invalid escape code", stop)
            end
        end
    end
end

-- The last place of the number that begins here, as C's strtod sees it; and its value where Lua
-- cannot tell it.
local function end_of_number(text, at)
    local negative = sub(text, at, at) == "-"
    local from = find(text, "^[+-]", at) and at + 1 or at
    local _, stop = find(text, "^[iI][nN][fF]", from)
    if stop then
        local _, longer = find(text, "^[iI][nN][iI][tT][yY]", stop + 1)
        return longer or stop, negative and -huge or huge
    end
    _, stop = find(text, "^[nN][aA][nN]", from)
    if stop then
        local _, longer = find(text, "^%([%w_]*%)", stop + 1)
        local nan = huge - huge
        return longer or stop, negative and nan or -nan
    end
    local exponent = "^[pP][+-]?%d+"
    _, stop = find(text, "^0[xX]%x+%.?%x*", from)
    if not stop then
        _, stop = find(text, "^0[xX]%.%x+", from)
    end
    if not stop then
        exponent = "^[eE][+-]?%d+"
        _, stop = find(text, "^%d+%.?%d*", from)
    end
    if not stop then
        _, stop = find(text, "^%.%d+", from)
    end
    if stop then
        local _, longer = find(text, exponent, stop + 1)
        stop = longer or stop
    end
    return stop
end

local function decode_number(text, at)
    local _, stop = find(text, "^-?[1-9]%d*", at)
    if stop and not find(text, "^[.eE]", stop + 1) then
        return tonumber(sub(text, at, stop)), stop + 1
    end
    local plain = find(text, "^[-%d]", at)
    if is_invalid_number(text, at) then
        if not settings.decode_invalid then
            fault(text, "value", plain and "invalid number" or "invalid token", at)
        end
    elseif not plain then
        fault(text, "value", token_name(text, at), at)
    end
    local value
    stop, value = end_of_number(text, at)
    if not stop then
        fault(text, "value", "invalid number", at)
    end
    return value or tonumber(sub(text, at, stop)), stop + 1
end

local decode_value

local function enter(depth, at)
    if depth > settings.decode_depth then
        error("Found too many nested data structures (" .. depth .. ") at character " .. at, 0)
    end
end

local function decode_array(text, at, depth)
    enter(depth, at)
    local found, count = {}, 0
    at = skip(text, at + 1)
    if sub(text, at, at) == "]" then
        return found, at + 1
    end
    while true do
        count = count + 1
        found[count], at = decode_value(text, at, depth)
        at = skip(text, at)
        local letter = sub(text, at, at)
        if letter == "]" then
            return found, at + 1
        elseif letter ~= "," then
            fault(text, "comma or array end", token_name(text, at), at)
        end
        at = skip(text, at + 1)
    end
end

local function decode_object(text, at, depth)
    enter(depth, at)
    local found = {}
    at = skip(text, at + 1)
    if sub(text, at, at) == "}" then
        return found, at + 1
    end
    while true do
        if sub(text, at, at) ~= '"' then
            fault(text, "object key string", token_name(text, at), at)
        end
        local key
        key, at = decode_string(text, at)
        at = skip(text, at)
        if sub(text, at, at) ~= ":" then
            fault(text, "colon", token_name(text, at), at)
        end
        found[key], at = decode_value(text, skip(text, at + 1), depth)
        at = skip(text, at)
        local letter = sub(text, at, at)
        if letter == "}" then
            return found, at + 1
        elseif letter ~= "," then
            fault(text, "comma or object end", token_name(text, at), at)
        end
        at = skip(text, at + 1)
    end
end

function decode_value(text, at, depth)
    local letter = sub(text, at, at)
    if letter == '"' then
        return decode_string(text, at)
    elseif letter == "{" then
        return decode_object(text, at, depth + 1)
    elseif letter == "[" then
        return decode_array(text, at, depth + 1)
    elseif sub(text, at, at + 3) == "true" then
        return true, at + 4
    elseif sub(text, at, at + 4) == "false" then
        return false, at + 5
    elseif sub(text, at, at + 3) == "null" then
        return null, at + 4
    end
    return decode_number(text, at)
end

local cjson = { null = null, _NAME = "cjson", _VERSION = "2.1.0" }

function cjson.encode(...)
    if select("#", ...) ~= 1 then
        error("bad argument #1 to 'encode' (expected 1 argument)", 0)
    end
    if settings.encode_depth > QUICK_DEPTH and settings.precision == 14 then
        local found = encode_quickly((...), null)
        if found then
            return found
        end
    end
    local out = {}
    encode_value((...), out, 0)
    return concat(out)
end

function cjson.decode(...)
    local text = ...
    if select("#", ...) ~= 1 then
        error("bad argument #1 to 'decode' (expected 1 argument)", 0)
    end
    if type(text) == "number" then
        text = tostring(text)
    elseif type(text) ~= "string" then
        local kind = text == nil and "nil" or type(text)
        error("bad argument #1 to 'decode' (string expected, got " .. kind .. ")", 0)
    end
    if settings.decode_depth > QUICK_DEPTH then
        local found, value = decode_quickly(text, null)
        if found then
            return value
        end
    end
    if #text > 1 and find(text, "^.?%z") then
        error("JSON parser does not support UTF-16 or UTF-32", 0)
    end
    local value, at = decode_value(text, skip(text, 1), 0)
    at = skip(text, at)
    if at <= #text then
        fault(text, "the end", token_name(text, at), at)
    end
    return value
end

-- Settings: each function below takes new values, where they are not nil, and returns the values.

local INT_MAX = 2147483647

local function whole(low, high)
    return function(name, place, ...)
        local found = arguments.whole(name, place, nil, ...)
        if found < low or found > high then
            arguments.wrong(name, 1, "expected integer between " .. low .. " and " .. high)
        end
        return found
    end
end

-- A boolean, or a word for one; `other` is one more word.
local function choice(other)
    return function(name, place, ...)
        local value = (select(place, ...))
        if type(value) == "boolean" or (other and value == other) then
            return value
        end
        local word = arguments.text(name, place, ...)
        if word ~= "on" and word ~= "off" then
            arguments.wrong(name, place, "invalid option '" .. word .. "'")
        end
        return word == "on"
    end
end

-- Make `cjson[name]` a function for these settings, each with what checks a value of it.
local function configurable(name, members, checks)
    cjson[name] = function(...)
        if select("#", ...) > #members then
            arguments.wrong(name, #members + 1, "found too many arguments")
        end
        local found = {}
        for i = 1, #members do
            if (select(i, ...)) ~= nil then
                settings[members[i]] = checks[i](name, i, ...)
            end
            found[i] = settings[members[i]]
        end
        return unpack(found)
    end
end

configurable("encode_max_depth", { "encode_depth" }, { whole(1, INT_MAX) })
configurable("decode_max_depth", { "decode_depth" }, { whole(1, INT_MAX) })
configurable("encode_number_precision", { "precision" }, { whole(1, 14) })
configurable("encode_keep_buffer", { "keep_buffer" }, { choice() })
configurable("encode_invalid_numbers", { "encode_invalid" }, { choice("null") })
configurable("decode_invalid_numbers", { "decode_invalid" }, { choice() })
configurable("encode_sparse_array", { "sparse_convert", "sparse_ratio", "sparse_safe" },
    { choice(), whole(0, INT_MAX), whole(0, INT_MAX) })

function cjson.new()
    return setmetatable({}, { __index = cjson })
end

return cjson
