-- Bits of 32-bit numbers for scripts: the module `bit`. Results are signed, as those of BitOp.

local arguments, double_bytes, band2, bor2, bxor2 = ...
local select, floor, format, byte = select, math.floor, string.format, string.byte
local checked = arguments.number

local WORD = 2 ^ 32
-- Where doubles have no room for fractions: added to a number, it puts its lowest bits last.
local SHIFTED = 2 ^ 52 + 2 ^ 51

-- An argument as 32 bits without a sign; halves are rounded to the even side.
local function word(name, place, ...)
    local number = checked(name, place, ...)
    if not (number > -2 ^ 51 and number < 2 ^ 51) then
        local a, b, c, d = byte(double_bytes(number + SHIFTED), 5, 8)
        return ((a * 256 + b) * 256 + c) * 256 + d
    end
    local whole = floor(number)
    if number ~= whole then
        local rest = number - whole
        if rest > 0.5 or rest == 0.5 and whole % 2 == 1 then
            whole = whole + 1
        end
    end
    return whole % WORD
end

local function signed(value)
    return value >= 2 ^ 31 and value - WORD or value
end

local bit = {}

local function folded(name, operation)
    return function(...)
        local value = word(name, 1, ...)
        for i = select("#", ...), 2, -1 do
            value = operation(value, word(name, i, ...))
        end
        return signed(value)
    end
end

bit.band, bit.bor, bit.bxor = folded("band", band2), folded("bor", bor2), folded("bxor", bxor2)

function bit.tobit(...)
    return signed(word("tobit", 1, ...))
end

function bit.bnot(...)
    return signed(WORD - 1 - word("bnot", 1, ...))
end

function bit.lshift(...)
    return signed(word("lshift", 1, ...) * 2 ^ (word("lshift", 2, ...) % 32) % WORD)
end

function bit.rshift(...)
    return signed(floor(word("rshift", 1, ...) / 2 ^ (word("rshift", 2, ...) % 32)))
end

function bit.arshift(...)
    return floor(signed(word("arshift", 1, ...)) / 2 ^ (word("arshift", 2, ...) % 32))
end

local function rotated(value, count)
    local moved = value * 2 ^ count
    return signed(moved % WORD + floor(moved / WORD))
end

function bit.rol(...)
    return rotated(word("rol", 1, ...), word("rol", 2, ...) % 32)
end

function bit.ror(...)
    return rotated(word("ror", 1, ...), (32 - word("ror", 2, ...) % 32) % 32)
end

function bit.bswap(...)
    local found, rest = 0, word("bswap", 1, ...)
    for _ = 1, 4 do
        found = found * 256 + rest % 256
        rest = floor(rest / 256)
    end
    return signed(found)
end

function bit.tohex(...)
    local number = word("tohex", 1, ...)
    local digits = select("#", ...) > 1 and signed(word("tohex", 2, ...)) or 8
    local letters = digits < 0 and "%08X" or "%08x"
    digits = digits < 0 and -digits or digits
    digits = digits > 8 and 8 or digits
    return digits == 0 and "" or format(letters, number):sub(-digits)
end

return bit
