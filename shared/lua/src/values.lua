-- Runs once in each new VM, before integers.lua and prelude.lua: teaches the library the values that JSON has and Lua has
-- not (values.rs). Integers beyond 2^53 are userdata that behave as numbers. An array with nulls is a read-only table that
-- has its elements in another table under HIDDEN, where HIDDEN also stands for each null.
--
-- The VM runs some functions without calling what their names hold (math.floor of a number, table.insert into a table that
-- is not read-only, …). Where that is right, the functions below are called for the rest only and cost nothing; where
-- it is not, vm.rs tells the compiler.

local native = ...

-- By way of the table: a name that is assigned is not run in this quick way any more, here neither.
local G = _G
local error, getmetatable, ipairs, next, pairs, pcall = error, getmetatable, ipairs, next, pairs, pcall
local rawget, rawset, select, setmetatable, tonumber = rawget, rawset, select, setmetatable, tonumber
local tostring, type, typeof, unpack = tostring, type, typeof, unpack
local string_find, string_gsub = string.find, string.gsub
local table_concat, table_freeze, table_insert, table_maxn = table.concat, table.freeze, table.insert, table.maxn
local table_remove, table_sort = table.remove, table.sort
local HIDDEN, INTEGER = native.hidden, native.integer_type

-- Passes on what a protected call returned. A library function that fails was called from here; the message gets the
-- line of the script that called the function here.
local function located(ok, ...)
    if ok then
        return ...
    end
    local message = ...
    if type(message) == "string" then
        message = string_gsub(message, "^prelude:%d+: ", "")
        if not string_find(message, "^script:%d+: ") then
            error(message, 3)
        end
    end
    error(message, 0)
end

-- An integer as its digits, everything else as it is.
local function digits(value)
    if typeof(value) == INTEGER then
        return tostring(value)
    end
    return value
end

-- An element as scripts see it.
local function plain(value)
    if value ~= HIDDEN then
        return value
    end
    return nil
end

-- The elements of an array with nulls; nil for any other value.
local function elements_of(value)
    if type(value) == "table" then
        return rawget(value, HIDDEN)
    end
    return nil
end

local function next_of(elements, key)
    local value
    repeat
        key, value = next(elements, key)
    until value ~= HIDDEN
    return key, value
end

-- An element that is set to nil in the middle becomes a null; at the end it is gone.
local function put(elements, key, value)
    if value == nil and type(key) == "number" and key >= 1 and key < #elements and elements[key] ~= nil then
        value = HIDDEN
    end
    elements[key] = value
end

local function assign_element(list, key, value)
    if key == nil then
        error("table index is nil", 2)
    end
    put(rawget(list, HIDDEN), key, value)
end

local function list_metatable(index)
    return table_freeze({
        [HIDDEN] = false,
        __metatable = false,
        __index = index,
        __newindex = assign_element,
        __len = function(list)
            return #rawget(list, HIDDEN)
        end,
        __iter = function(list)
            local elements = rawget(list, HIDDEN)
            return function(_, key)
                return next_of(elements, key)
            end
        end,
    })
end

local function element(list, key)
    return plain(rawget(list, HIDDEN)[key])
end

-- The metatable of objects of which these keys are null. An object gets one of its own, which is changed, once a script
-- assigns such a key. An `output` gives itself as its `result`.
local function nulls_metatable(nulls, output, owned)
    nulls = nulls or {}
    local metatable = { [HIDDEN] = nulls, __metatable = false }
    function metatable.__newindex(object, key, value)
        if key == nil then
            error("table index is nil", 2)
        end
        if nulls[key] then
            if owned then
                nulls[key] = nil
            else
                local others = {}
                for name in next, nulls do
                    others[name] = true
                end
                others[key] = nil
                native.set_metatable(object, nulls_metatable(others, output, true))
            end
        end
        rawset(object, key, value)
    end
    if output then
        function metatable.__index(object, key)
            if key == "result" then
                return object
            end
            return nil
        end
    end
    return table_freeze(metatable)
end

-- Base library.

function G.type(value)
    local name = type(value)
    if name == "userdata" and typeof(value) == INTEGER then
        return "number"
    end
    return name
end

function G.tonumber(value, base)
    if typeof(value) == INTEGER then
        if base == nil then
            return native.double(value)
        end
        value = tostring(value)
    end
    if base == nil then
        return tonumber(value)
    end
    return located(pcall(tonumber, value, base))
end

function G.next(value, key)
    if type(value) == "table" then
        local elements = rawget(value, HIDDEN)
        if elements then
            return next_of(elements, key)
        end
        return next(value, key)
    end
    return located(pcall(next, value, key))
end

-- What pairs and ipairs return for an array with nulls must not look to the VM like a table to walk through itself.
function G.pairs(value)
    if type(value) == "table" then
        local elements = rawget(value, HIDDEN)
        if elements then
            return function(_, key)
                return next_of(elements, key)
            end
        end
        return next, value, nil
    end
    return located(pcall(pairs, value))
end

function G.ipairs(value)
    if type(value) == "table" then
        local elements = rawget(value, HIDDEN)
        if elements then
            local index = 0
            return function()
                index = index + 1
                local found = elements[index]
                if found == nil then
                    return nil
                end
                return index, plain(found)
            end
        end
        return ipairs(value)
    end
    return located(pcall(ipairs, value))
end

function G.rawget(value, key)
    if type(value) == "table" then
        local elements = rawget(value, HIDDEN)
        if elements then
            return plain(elements[key])
        end
        return rawget(value, key)
    end
    return located(pcall(rawget, value, key))
end

function G.rawset(value, key, member)
    if getmetatable(value) == false then
        local elements = elements_of(value)
        if elements then
            put(elements, key, member)
            return value
        end
        local assign = native.nulls_assigned(value)
        if assign and key ~= nil then
            assign(value, key, member)
            return value
        end
    end
    return located(pcall(rawset, value, key, member))
end

function G.setmetatable(value, metatable)
    local fits = metatable == nil or type(metatable) == "table"
    if fits and getmetatable(value) == false and native.replace_metatable(value, metatable) then
        return value
    end
    return located(pcall(setmetatable, value, metatable))
end

local function unpack_any(list, first, last)
    local elements = elements_of(list)
    if not elements then
        return located(pcall(unpack, list, first, last))
    end
    local values = {}
    for index = 1, #elements do
        values[index] = plain(elements[index])
    end
    return located(pcall(unpack, values, first or 1, last or #elements))
end

G.unpack, table.unpack = unpack_any, unpack_any

-- Tables.

function table.insert(list, ...)
    local elements = elements_of(list)
    if not elements then
        return located(pcall(table_insert, list, ...))
    end
    local place, value = ...
    local inserts = select("#", ...) == 2 and type(place) == "number"
    if inserts and value == nil and place >= 1 and place <= #elements then
        return located(pcall(table_insert, elements, place, HIDDEN))
    end
    return located(pcall(table_insert, elements, ...))
end

function table.remove(list, place)
    local elements = elements_of(list)
    if not elements then
        return located(pcall(table_remove, list, place))
    end
    return plain(located(pcall(table_remove, elements, place)))
end

function table.concat(list, separator, first, last)
    local elements = elements_of(list)
    local ok, joined = pcall(table_concat, elements or list, separator, first, last)
    if ok then
        return joined
    end
    if type(list) ~= "table" then
        return located(ok, joined)
    end
    -- Again with text for integers, up to the first value that cannot be joined.
    local source, from, to = elements or list, first or 1, last or #(elements or list)
    if type(from) ~= "number" or type(to) ~= "number" then
        return located(ok, joined)
    end
    local texts = {}
    for index = from, to do
        local value = digits(plain(source[index]))
        if value == nil then
            break
        end
        texts[index] = value
    end
    return located(pcall(table_concat, texts, digits(separator), from, to))
end

function table.maxn(list)
    return located(pcall(table_maxn, elements_of(list) or list))
end

local function less(a, b)
    return a < b
end

-- The interrupt is asked when a Lua function is called, so every comparison goes through one.
function table.sort(list, compare)
    local elements = elements_of(list)
    if elements then
        local compared = compare or less
        local function compare_plain(a, b)
            return compared(plain(a), plain(b))
        end
        if compare == nil then
            return located(pcall(table_sort, elements, compare_plain))
        end
        return table_sort(elements, compare_plain)
    end
    if compare == nil then
        return located(pcall(table_sort, list, less))
    end
    if type(compare) == "function" and native.is_builtin(compare) then
        local builtin = compare
        compare = function(a, b)
            return builtin(a, b)
        end
    end
    return table_sort(list, compare)
end

native.located, native.digits_of = located, digits

return {
    array = table_freeze({ [HIDDEN] = true, __metatable = false }),
    list = list_metatable(element),
    nulls = nulls_metatable,
    output_array = table_freeze({
        [HIDDEN] = true,
        __metatable = false,
        __index = function(list, key)
            if key == "result" then
                return list
            end
            return nil
        end,
    }),
    output_list = list_metatable(function(list, key)
        local value = element(list, key)
        if value == nil and key == "result" then
            return list
        end
        return value
    end),
}
