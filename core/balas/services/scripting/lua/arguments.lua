-- What functions of C make of their arguments, for libraries that are written in Lua. Each takes the
-- name of the library's function, the place of the argument, and all arguments it was called with.

local error, select, tonumber, tostring, type, floor = error, select, tonumber, tostring, type, math.floor

local arguments = {}

local function refuse(name, place, wanted, ...)
    local kind = place > select("#", ...) and "no value" or type((select(place, ...)))
    arguments.wrong(name, place, wanted .. " expected, got " .. kind)
end

function arguments.wrong(name, place, reason)
    error("bad argument #" .. place .. " to '" .. name .. "' (" .. reason .. ")", 0)
end

-- A string; a number is one, too.
function arguments.text(name, place, ...)
    local value = (select(place, ...))
    if type(value) == "string" then
        return value
    end
    return type(value) == "number" and tostring(value) or refuse(name, place, "string", ...)
end

-- A number; a string that looks like one is, too.
function arguments.number(name, place, ...)
    return tonumber((select(place, ...))) or refuse(name, place, "number", ...)
end

-- A whole number, of which any fraction is cut off; `default` where there is none.
function arguments.whole(name, place, default, ...)
    local value = (select(place, ...))
    if value == nil and default then
        return default
    end
    local number = arguments.number(name, place, ...)
    return number < 0 and -floor(-number) or floor(number)
end

return arguments
