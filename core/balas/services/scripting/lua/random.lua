-- math.random and math.randomseed as scripts know them: a generator of 48 bits that gives the same
-- numbers after the same seed everywhere, and whose state outlives a script.

local arguments = ...
local error, select, floor = error, select, math.floor

local HALF, WHOLE = 2 ^ 24, 2 ^ 32
-- The multiplier 0x5DEECE66D and the first state 0x1234ABCD330E, in halves of 24 bits.
local FACTOR_HIGH, FACTOR_LOW, ADDEND = 0x5DE, 0xECE66D, 0xB
local high, low = 0x1234AB, 0xCD330E
local LARGEST = 2 ^ 31 - 1

-- A number from 0 up to, but without, 1.
local function next_number()
    local product = low * FACTOR_LOW + ADDEND
    high = (high * FACTOR_LOW + low * FACTOR_HIGH + floor(product / HALF)) % HALF
    low = product % HALF
    return floor((high * HALF + low) / 2 ^ 17) % LARGEST / LARGEST
end

local found = {}

function found.random(...)
    local count = select("#", ...)
    local chance = next_number()
    if count == 0 then
        return chance
    elseif count > 2 then
        error("wrong number of arguments", 0)
    end
    local first = count == 2 and arguments.whole("random", 1, nil, ...) or 1
    local last = arguments.whole("random", count, nil, ...)
    if first > last then
        arguments.wrong("random", count, "interval is empty")
    end
    return floor(chance * (last - first + 1)) + first
end

function found.randomseed(...)
    local seed = arguments.whole("randomseed", 1, nil, ...) % WHOLE
    high, low = floor(seed / 2 ^ 8), seed % 2 ^ 8 * 2 ^ 16 + 0x330E
end

return found
