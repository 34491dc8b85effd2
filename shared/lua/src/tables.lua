-- Runs once in each new VM, after values.lua: the functions of tables as sequences, for arrays with nulls too.

local native = ...

local pcall, select, type, unpack = pcall, select, type, unpack
local table_concat, table_insert, table_maxn = table.concat, table.insert, table.maxn
local table_remove, table_sort = table.remove, table.sort
local HIDDEN = native.hidden
local located, digits, elements_of, plain = native.located, native.digits_of, native.elements_of, native.plain

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

-- By way of the table, as in values.lua.
_G.unpack, table.unpack = unpack_any, unpack_any

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
        if compare ~= nil and type(compare) ~= "function" then
            return located(pcall(table_sort, elements, compare))
        end
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
