-- Runs once in each new VM, after values.lua: what the mathematics and the text of integers beyond 2^53 need (integer.rs).
-- Returns their metamethods. Of ordinary numbers the VM runs most of these functions without a call.

local native = ...

local error, pcall, select, tonumber, tostring = error, pcall, select, tonumber, tostring
local type, typeof, unpack = type, typeof, unpack
local string_find, string_format, string_rep, string_sub = string.find, string.format, string.rep, string.sub
local math_fmod, math_max, math_min, math_modf = math.fmod, math.max, math.min, math.modf
local INTEGER, located, digits = native.integer_type, native.located, native.digits_of

-- Mathematics.

local function keeps_integers(name)
    local original = math[name]
    math[name] = function(...)
        if typeof((...)) == INTEGER then
            return (...)
        end
        return located(pcall(original, ...))
    end
end

keeps_integers("floor")
keeps_integers("ceil")

local function is_negative(value)
    if typeof(value) == INTEGER then
        return string_sub(tostring(value), 1, 1) == "-"
    end
    return value < 0
end

local function magnitude(value)
    if is_negative(value) then
        return -value
    end
    return value
end

local math_abs = math.abs
function math.abs(...)
    if typeof((...)) == INTEGER then
        return located(pcall(magnitude, (...)))
    end
    return located(pcall(math_abs, ...))
end

function math.modf(...)
    if typeof((...)) == INTEGER then
        return (...), 0
    end
    return located(pcall(math_modf, ...))
end

local function is_integer_among(...)
    for index = 1, select("#", ...) do
        if typeof((select(index, ...))) == INTEGER then
            return true
        end
    end
    return false
end

local function remainder(a, b)
    local result = magnitude(a) % magnitude(b)
    if is_negative(a) and result ~= 0 then
        return -result
    end
    return result
end

function math.fmod(...)
    if is_integer_among(...) then
        return located(pcall(remainder, ...))
    end
    return located(pcall(math_fmod, ...))
end

local function extreme(precedes, found, ...)
    for index = 1, select("#", ...) do
        local value = select(index, ...)
        if precedes(value, found) then
            found = value
        end
    end
    return found
end

local function less(a, b)
    return a < b
end

local function greater(a, b)
    return a > b
end

function math.max(...)
    if is_integer_among(...) then
        return located(pcall(extreme, greater, ...))
    end
    return located(pcall(math_max, ...))
end

function math.min(...)
    if is_integer_among(...) then
        return located(pcall(extreme, less, ...))
    end
    return located(pcall(math_min, ...))
end

-- Text.

-- The library counts in 32 bits and makes empty text of a count that does not fit. It must fail as smaller ones do that
-- need too much memory, with the same words, by which the failure is known.
function string.rep(subject, ...)
    local count = (...)
    local has_text = (type(subject) == "string" or type(subject) == "number") and subject ~= ""
    if has_text and typeof(count) ~= INTEGER then
        local number = tonumber(count)
        if number and number >= 2 ^ 31 then
            error("resulting string too large", 0)
        end
    end
    return string_rep(subject, ...)
end

-- Numbers are taken as their digits where text is expected.
native.methods = {}
for _, name in { "byte", "len", "lower", "rep", "reverse", "sub", "upper" } do
    local original = string[name]
    native.methods[name] = original
    string[name] = function(subject, ...)
        return located(pcall(original, digits(subject), ...))
    end
end

-- What stands above for `rep` is not the library's own and needs its errors located, as a method too.
native.methods.rep = string.rep

-- Integers are refused by the library's own, and doubles that 64 bits do not hold come out as the largest or smallest of 64
-- bits; then it is done again with text in their place.
function string.format(template, ...)
    local ok, formatted = pcall(string_format, template, ...)
    if ok and not string_find(formatted, "922337203685477580", 1, true) then
        return formatted
    end
    if type(template) ~= "string" then
        template = digits(template)
    end
    local prepared, message = native.format(template, ...)
    if message then
        error(message, 2)
    end
    return located(pcall(string_format, unpack(prepared, 1, prepared.n)))
end

-- Integers.

local function arithmetic(name)
    local calculate = native.calculate
    return function(a, b)
        local result, message = calculate(name, a, b)
        if message then
            error(message, 2)
        end
        return result
    end
end

local function is_text(value)
    local name = type(value)
    return name == "string" or name == "number" or typeof(value) == INTEGER
end

return {
    __add = arithmetic("add"),
    __sub = arithmetic("sub"),
    __mul = arithmetic("mul"),
    __div = arithmetic("div"),
    __idiv = arithmetic("idiv"),
    __mod = arithmetic("mod"),
    __pow = arithmetic("pow"),
    __unm = function(value)
        local result, message = native.calculate("sub", 0, value)
        if message then
            error(message, 2)
        end
        return result
    end,
    __lt = function(a, b)
        return native.is_less(a, b)
    end,
    __le = function(a, b)
        return not native.is_less(b, a)
    end,
    __concat = function(a, b)
        if is_text(a) and is_text(b) then
            return tostring(a) .. tostring(b)
        end
        error("attempt to concatenate " .. typeof(a) .. " with " .. typeof(b), 2)
    end,
    __tostring = function(value)
        return native.digits(value)
    end,
}
