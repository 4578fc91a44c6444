-- Bits of 32-bit numbers for scripts: the module `bit`. Results are signed, as those of BitOp.

local band2, bor2, bxor2 = ...
local error, select, tonumber, type, floor, format = error, select, tonumber, type, math.floor, string.format

local WORD = 2 ^ 32

-- The number as 32 bits without a sign; halves are rounded to the even side.
local function word(value, position)
    local number = tonumber(value)
    if not number then
        local kind = value == nil and "no value" or type(value)
        error("bad argument #" .. position .. " (number expected, got " .. kind .. ")", 0)
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

local function folded(operation)
    return function(...)
        local value = word((...), 1)
        for i = 2, select("#", ...) do
            value = operation(value, word((select(i, ...)), i))
        end
        return signed(value)
    end
end

bit.band, bit.bor, bit.bxor = folded(band2), folded(bor2), folded(bxor2)

function bit.tobit(value)
    return signed(word(value, 1))
end

function bit.bnot(value)
    return signed(WORD - 1 - word(value, 1))
end

function bit.lshift(value, count)
    return signed(word(value, 1) * 2 ^ (word(count, 2) % 32) % WORD)
end

function bit.rshift(value, count)
    return signed(floor(word(value, 1) / 2 ^ (word(count, 2) % 32)))
end

function bit.arshift(value, count)
    return floor(signed(word(value, 1)) / 2 ^ (word(count, 2) % 32))
end

local function rotated(value, count)
    local moved = value * 2 ^ count
    return signed(moved % WORD + floor(moved / WORD))
end

function bit.rol(value, count)
    return rotated(word(value, 1), word(count, 2) % 32)
end

function bit.ror(value, count)
    return rotated(word(value, 1), (32 - word(count, 2) % 32) % 32)
end

function bit.bswap(value)
    local found, rest = 0, word(value, 1)
    for _ = 1, 4 do
        found = found * 256 + rest % 256
        rest = floor(rest / 256)
    end
    return signed(found)
end

function bit.tohex(value, digits)
    local number = word(value, 1)
    digits = digits and floor(digits) or 8
    local letters = digits < 0 and "%08X" or "%08x"
    digits = digits < 0 and -digits or digits
    digits = digits > 8 and 8 or digits
    return digits == 0 and "" or format(letters, number):sub(-digits)
end

return bit
