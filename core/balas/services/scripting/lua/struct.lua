-- Binary structures for scripts: the module `struct`.
--
-- A format is letters: b B h H i I l L (integers; i and I may be followed by a size), f d (floats),
-- s (text up to a zero), c (bytes; the size follows, c0 takes it from the value before), x (a byte
-- of padding); < > set the order of bytes, ! and a number the alignment, blanks are skipped.

local arguments, double_bytes, read_double, float_bytes, read_float = ...
local checked, wrong = arguments.text, arguments.wrong
local error, type, tonumber, unpack, select = error, type, tonumber, unpack, select
local byte, char, sub, concat, floor, find = string.byte, string.char, string.sub, table.concat, math.floor, string.find
local frexp = math.frexp

local SIZE_MAX = 32
local sizes = { b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, i = 4, I = 4, f = 4, d = 8, x = 1 }

-- Goes through a format: calls visit(letter, size, little, alignment) for each item.
local function walk(who, format, visit)
    local at, little, alignment = 1, true, 1
    while at <= #format do
        local letter = sub(format, at, at)
        at = at + 1
        local digits = find(letter, "[iIcs!]") and format:match("^%d+", at)
        if digits then
            at = at + #digits
        end
        if letter == "<" then
            little = true
        elseif letter == ">" then
            little = false
        elseif letter == "!" then
            alignment = digits and tonumber(digits) or 8
            if alignment == 0 or alignment > SIZE_MAX or frexp(alignment) ~= 0.5 then
                error("alignment " .. alignment .. " is not a power of 2", 0)
            end
        elseif letter ~= " " then
            local size = sizes[letter]
            if letter == "c" then
                size = digits and tonumber(digits) or 1
            elseif letter == "s" then
                size = 0
            elseif not size then
                -- Who asks for the size is not told of letters that mean nothing.
                if who ~= "size" or not find(letter, "%w") then
                    wrong(who, 1, "invalid format option '" .. letter .. "'")
                end
                size = 0
            elseif digits then
                size = tonumber(digits)
                if size > SIZE_MAX then
                    error("integral size " .. size .. " is larger than limit of " .. SIZE_MAX, 0)
                end
            end
            visit(letter, size, little, alignment)
        end
    end
end

local function padding(position, letter, size, alignment)
    if letter == "c" or letter == "x" or letter == "s" or alignment <= 1 or size <= 1 then
        return 0
    end
    local unit = size < alignment and size or alignment
    return (unit - position % unit) % unit
end

local function ordered(bytes, little)
    return little and bytes:reverse() or bytes
end

local function integer_bytes(value, size)
    local bytes = {}
    if value ~= value or value < -2 ^ 63 then
        value = -2 ^ 63
    elseif value >= 2 ^ 64 then
        value = 0
    end
    value = value < 0 and -floor(-value) or floor(value)
    for i = size, 1, -1 do
        bytes[i] = char(value % 256)
        value = floor(value / 256)
    end
    return concat(bytes)
end

local function read_integer(bytes, is_signed)
    local value = 0
    local negative = is_signed and byte(bytes, 1) >= 128
    for i = 1, #bytes do
        value = value * 256 + (negative and 255 - byte(bytes, i) or byte(bytes, i))
    end
    return negative and -value - 1 or value
end

local struct = {}

function struct.pack(...)
    local format = checked("pack", 1, ...)
    local values, next_value, out, position = { select(2, ...) }, 0, {}, 0
    local count = select("#", ...) - 1
    local function put(bytes)
        out[#out + 1] = bytes
        position = position + #bytes
    end
    local function take(kind)
        next_value = next_value + 1
        local value = values[next_value]
        if kind == "string" and type(value) == "number" then
            value = tostring(value)
        elseif kind == "number" then
            value = tonumber(value)
        end
        if next_value > count or type(value) ~= kind then
            wrong("pack", next_value + 1, kind .. " expected, got " .. type(values[next_value]))
        end
        return value
    end
    walk("pack", format, function(letter, size, little, alignment)
        put(("\0"):rep(padding(position, letter, size, alignment)))
        if letter == "x" then
            put("\0")
        elseif letter == "s" then
            put(take("string") .. "\0")
        elseif letter == "c" then
            local text = take("string")
            size = size == 0 and #text or size
            if #text < size then
                wrong("pack", next_value + 2, "string too short")
            end
            put(sub(text, 1, size))
        elseif letter == "d" then
            put(ordered(double_bytes(take("number")), little))
        elseif letter == "f" then
            put(ordered(float_bytes(take("number")), little))
        else
            put(ordered(integer_bytes(take("number"), size), little))
        end
    end)
    return concat(out)
end

function struct.unpack(...)
    local format, text = checked("unpack", 1, ...), checked("unpack", 2, ...)
    local position, found, count = arguments.whole("unpack", 3, 1, ...) - 1, {}, 0
    if position < 0 then
        wrong("unpack", 3, "offset must be 1 or greater")
    end
    local function keep(value)
        count = count + 1
        found[count] = value
    end
    local function read(size)
        if position + size > #text then
            error("bad argument #2 to 'unpack' (data string too short)", 0)
        end
        position = position + size
        return sub(text, position - size + 1, position)
    end
    walk("unpack", format, function(letter, size, little, alignment)
        position = position + padding(position, letter, size, alignment)
        if letter == "x" then
            read(1)
        elseif letter == "s" then
            local stop = find(text, "\0", position + 1, true)
            if not stop then
                error("unfinished string in data", 0)
            end
            keep(sub(text, position + 1, stop - 1))
            position = stop
        elseif letter == "c" then
            if size == 0 then
                if count == 0 or type(found[count]) ~= "number" then
                    error("format 'c0' needs a previous size", 0)
                end
                size = found[count]
                count = count - 1
            end
            keep(read(size))
        elseif letter == "d" then
            keep(read_double(ordered(read(8), little)))
        elseif letter == "f" then
            keep(read_float(ordered(read(4), little)))
        else
            keep(read_integer(ordered(read(size), little), find(letter, "%l")))
        end
    end)
    found[count + 1] = position + 1
    return unpack(found, 1, count + 1)
end

function struct.size(...)
    local position = 0
    walk("size", checked("size", 1, ...), function(letter, size, _, alignment)
        if letter == "s" or letter == "c" and size == 0 then
            wrong("size", 1, "option '" .. (letter == "s" and "s" or "c0") .. "' has no fixed size")
        end
        position = position + padding(position, letter, size, alignment) + size
    end)
    return position
end

return struct
