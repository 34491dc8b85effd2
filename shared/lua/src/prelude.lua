-- Runs once in each new VM, before the sandbox closes: takes away what a script must not have, replaces what could
-- run on where the interrupt does not reach, and adds the step library. What is left is the library of Lua 5.1
-- without its doors to the outside; tests/surface.rs names every function of it.
--
-- The sandbox holds because everything here is read-only afterwards, and because the functions below keep what
-- they need in locals and change nothing.

local native = ...

local error, getmetatable, pairs, pcall, select = error, getmetatable, pairs, pcall, select
local setmetatable, tonumber, tostring, type, type_name = setmetatable, tonumber, tostring, type, typeof
local string_find, string_gmatch, string_gsub, string_match = string.find, string.gmatch, string.gsub, string.match
local table_concat, table_freeze = table.concat, table.freeze
local math_floor = math.floor
local located, digits = native.located, native.digits_of

-- Base: whatever loads code, reaches into other functions, or tells of the host.
collectgarbage, gcinfo, getfenv, setfenv, loadstring, newproxy, require = nil
rawlen, typeof = nil
_G = nil -- each script gets its own
_VERSION = "Lua 5.1"

coroutine.close, coroutine.isyieldable = nil
math.clamp, math.isfinite, math.isinf, math.isnan, math.lerp, math.map, math.noise, math.round, math.sign = nil
math.e, math.nan, math.phi, math.sqrt2, math.tau = nil
string.pack, string.packsize, string.split, string.unpack = nil
table.clear, table.clone, table.create, table.find, table.freeze, table.isfrozen, table.move = nil

-- An argument that must be text, as the library's own functions take it: numbers count as their digits.
local function text(value, name, position)
    if type(value) == "string" then
        return value
    end
    if type(value) == "number" or type_name(value) == native.integer_type then
        return tostring(value)
    end
    error("invalid argument #" .. position .. " to '" .. name .. "' (string expected, got " .. type_name(value) .. ")", 3)
end

-- What one step of pattern matching or one plain search may cost at most, in comparisons of one byte. The interrupt
-- is asked between such steps, not within.
local MAX_STEP = 2 ^ 27

local function is_long(subject, pattern)
    return type(subject) == "string" and type(pattern) == "string" and #subject * #pattern > MAX_STEP
end

-- A step tries one item of the pattern along the whole subject. Only a set, [...], can take longer per byte than a
-- constant: as long as it is.
local function refuse_costly(subject, pattern)
    if is_long(subject, pattern) and string_find(pattern, "[", 1, true) then
        error("the pattern is too long for a subject of this length", 3)
    end
end

function string.find(subject, pattern, init, plain)
    subject, pattern = digits(subject), digits(pattern)
    if is_long(subject, pattern) then
        if plain or not string_find(pattern, "[%^%$%*%+%?%.%(%[%%%-]") then
            local from = math_floor(tonumber(init) or 1)
            if from < 0 then
                from = #subject + from + 1
            end
            if from < 1 then
                from = 1
            end
            local start = native.find(subject, pattern, from)
            if start then
                return start, start + #pattern - 1
            end
            return nil
        end
        refuse_costly(subject, pattern)
    end
    return located(pcall(string_find, subject, pattern, init, plain))
end

function string.match(subject, pattern, init)
    subject, pattern = digits(subject), digits(pattern)
    refuse_costly(subject, pattern)
    return located(pcall(string_match, subject, pattern, init))
end

function string.gmatch(subject, pattern)
    subject, pattern = digits(subject), digits(pattern)
    refuse_costly(subject, pattern)
    return located(pcall(string_gmatch, subject, pattern))
end

function string.gsub(subject, pattern, replacement, limit)
    subject, pattern = digits(subject), digits(pattern)
    refuse_costly(subject, pattern)
    if type(replacement) == "function" then
        -- Its errors are the script's own and must arrive as they are.
        return string_gsub(subject, pattern, function(...)
            return digits(replacement(...))
        end, limit)
    end
    if type(replacement) == "table" then
        local replacements = replacement
        replacement = function(found)
            return digits(replacements[found])
        end
    end
    return located(pcall(string_gsub, subject, pattern, digits(replacement), limit))
end

local function expect(value, expected, name, position)
    local got = type_name(value)
    if got ~= expected then
        local place = "invalid argument #" .. position .. " to '" .. name .. "'"
        error(place .. " (" .. expected .. " expected, got " .. got .. ")", 3)
    end
end

function table.foreach(list, visit)
    expect(list, "table", "foreach", 1)
    expect(visit, "function", "foreach", 2)
    for key, value in pairs(list) do
        local found = visit(key, value)
        if found ~= nil then
            return found
        end
    end
end

function table.getn(list)
    expect(list, "table", "getn", 1)
    return #list
end

function table.foreachi(list, visit)
    expect(list, "table", "foreachi", 1)
    expect(visit, "function", "foreachi", 2)
    for index = 1, #list do
        local found = visit(index, list[index])
        if found ~= nil then
            return found
        end
    end
end

function print(...)
    local count = select("#", ...)
    local parts = { ... }
    for index = 1, count do
        parts[index] = tostring(parts[index])
    end
    native.print(table_concat(parts, "\t"))
end

-- The answer of a helper that says what is wrong instead of raising it.
local function answer(name, value, message)
    if message then
        error(name .. ": " .. message, 3)
    end
    return value
end

json = {
    null = native.null,
    array = function(list)
        if list == nil then
            list = {}
        end
        expect(list, "table", "array", 1)
        -- The mark's metatable shows itself as false and cannot be set twice.
        if getmetatable(list) == false or native.own_metatable(list) then
            return list
        end
        return setmetatable(list, native.array)
    end,
    encode = function(value)
        return answer("json.encode", native.encode(value))
    end,
    decode = function(value)
        return answer("json.decode", native.decode(text(value, "decode", 1)))
    end,
}

base64 = {
    encode = function(bytes)
        return answer("base64.encode", native.base64_encode(text(bytes, "encode", 1)))
    end,
    decode = function(value)
        return answer("base64.decode", native.base64_decode(text(value, "decode", 1)))
    end,
}

-- Hexadecimal, in lower case; the key comes before the message.
crypto = {
    sha256 = function(bytes)
        return native.sha256(text(bytes, "sha256", 1))
    end,
    hmac_sha256 = function(key, bytes)
        return native.hmac_sha256(text(key, "hmac_sha256", 1), text(bytes, "hmac_sha256", 2))
    end,
}

-- Seconds since 1970 and RFC 3339. Without an argument, format shows the present.
time = {
    now = function()
        return native.now()
    end,
    format = function(seconds)
        if seconds == nil then
            seconds = native.now()
        end
        expect(seconds, "number", "format", 1)
        return answer("time.format", native.time_format(seconds))
    end,
    parse = function(value)
        return answer("time.parse", native.time_parse(text(value, "parse", 1)))
    end,
}

uuid = {
    v4 = function()
        return native.uuid()
    end,
}

-- A method's text is text: it needs none of the replacements that take numbers for text.
local methods = {}
for name, method in pairs(string) do
    methods[name] = native.methods[name] or method
end
getmetatable("").__index = table_freeze(methods)

-- How json.null shows itself.
return table_freeze({
    __tostring = function()
        return "null"
    end,
    __metatable = false,
})
