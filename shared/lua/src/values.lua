-- Runs once in each new VM, before the other parts of the library in Lua: teaches the library the values that JSON has and Lua has
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
local rawget, rawset, setmetatable, tonumber = rawget, rawset, setmetatable, tonumber
local tostring, type, typeof, xpcall = tostring, type, typeof, xpcall
local string_find, string_sub = string.find, string.sub
local table_freeze = table.freeze
local HIDDEN, INTEGER = native.hidden, native.integer_type
-- In the metatables of tables with nulls, which scripts do not see: assigns a member without asking anybody; what a script
-- set as the metatable.
local ASSIGN, THEIRS = "assign", "theirs"

-- A message as a script may see it. What a function written in Rust raises is an object that shows where in the host it was
-- raised: it becomes its text. And the name of this chunk, which stands behind the lines of coroutines that an error passed
-- through, tells a script nothing.
local function cleaned(message)
    if type(message) == "userdata" then
        message = native.error_text(message)
    end
    if type(message) ~= "string" or not string_find(message, "prelude:", 1, true) then
        return message
    end
    local from = 1
    repeat
        local _, stop = string_find(message, "^script:%d+: ", from)
        from = if stop then stop + 1 else from
    until not stop
    local _, stop = string_find(message, "^prelude:%d+: ", from)
    if stop then
        return string_sub(message, 1, from - 1) .. string_sub(message, stop + 1)
    end
    return message
end

-- Passes on what a protected call returned. A library function that fails was called from here; the message gets the
-- line of the script that called the function here.
local function located(ok, ...)
    if ok then
        return ...
    end
    local message = cleaned((...))
    if type(message) == "string" then
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

-- Refuses what no table takes as a key, on the line of whoever called the caller of this.
local function check_key(key)
    if key == nil then
        error("table index is nil", 3)
    end
    if key ~= key then
        error("table index is NaN", 3)
    end
end

local function assign_element(list, key, value)
    check_key(key)
    put(rawget(list, HIDDEN), key, value)
end

-- The metatable of tables with nulls beside which a script has set `theirs`. What tables look up when something is missing is
-- looked up there each time, the rest is as it was when it was set.
local function beside(theirs, metatable)
    for event, value in next, theirs do
        local is_own = event == "__index" or event == "__newindex" or event == "__metatable"
        if not is_own and type(event) == "string" and string_sub(event, 1, 2) == "__" then
            metatable[event] = value
        end
    end
    local shown = rawget(theirs, "__metatable")
    metatable.__metatable = if shown == nil then theirs else shown
    metatable[THEIRS] = theirs
    return table_freeze(metatable)
end

-- What `theirs` gives for a key that a table has not.
local function inherited(theirs, value, key)
    local index = rawget(theirs, "__index")
    if type(index) == "function" then
        return (index(value, key))
    end
    if index ~= nil then
        return index[key]
    end
    return nil
end

-- Lets `theirs` assign a key that a table has not; false when it says nothing of that.
local function assigned_by(theirs, value, key, member)
    local assign = rawget(theirs, "__newindex")
    if assign == nil then
        return false
    end
    if type(assign) == "function" then
        assign(value, key, member)
    else
        assign[key] = member
    end
    return true
end

local function list_metatable(index, theirs)
    local metatable = {
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
    }
    if not theirs then
        return table_freeze(metatable)
    end
    function metatable.__index(list, key)
        local value = index(list, key)
        if value == nil then
            return inherited(theirs, list, key)
        end
        return value
    end
    function metatable.__newindex(list, key, value)
        if index(list, key) ~= nil or not assigned_by(theirs, list, key, value) then
            check_key(key)
            put(rawget(list, HIDDEN), key, value)
        end
    end
    return beside(theirs, metatable)
end

local function element(list, key)
    return plain(rawget(list, HIDDEN)[key])
end

local function copied(nulls)
    local copy = {}
    for name in next, nulls do
        copy[name] = true
    end
    return copy
end

-- The metatable of objects of which these keys are null. An object gets one of its own, which is changed, once a script
-- assigns such a key. An `output` gives itself as its `result`.
local function nulls_metatable(nulls, output, owned)
    nulls = nulls or {}
    local metatable = { [HIDDEN] = nulls, __metatable = false }
    local function assign(object, key, value)
        if nulls[key] then
            if owned then
                nulls[key] = nil
            else
                local others = copied(nulls)
                others[key] = nil
                native.set_metatable(object, nulls_metatable(others, output, true))
            end
        end
        rawset(object, key, value)
    end
    metatable[ASSIGN] = assign
    function metatable.__newindex(object, key, value)
        check_key(key)
        assign(object, key, value)
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

-- The same for an object to which a script gave a metatable of its own.
local function nulls_beside(nulls, theirs)
    local metatable = { [HIDDEN] = nulls }
    local function assign(object, key, value)
        nulls[key] = nil
        rawset(object, key, value)
    end
    metatable[ASSIGN] = assign
    function metatable.__index(object, key)
        return inherited(theirs, object, key)
    end
    function metatable.__newindex(object, key, value)
        if not assigned_by(theirs, object, key, value) then
            check_key(key)
            assign(object, key, value)
        end
    end
    return beside(theirs, metatable)
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
    local own = getmetatable(value) ~= nil and native.own_metatable(value)
    if own then
        check_key(key)
        local elements = elements_of(value)
        if elements then
            put(elements, key, member)
        else
            rawget(own, ASSIGN)(value, key, member)
        end
        return value
    end
    return located(pcall(rawset, value, key, member))
end

local list = list_metatable(element)

-- Gives a table with nulls, of which `own` is the metatable, the one that a script wants it to have.
local function set_beside(value, own, theirs)
    local nulls = rawget(own, HIDDEN)
    if nulls == false then
        native.set_metatable(value, if theirs then list_metatable(element, theirs) else list)
    elseif theirs then
        native.set_metatable(value, nulls_beside(copied(nulls), theirs))
    else
        native.set_metatable(value, nulls_metatable(copied(nulls), false, true))
    end
end

function G.setmetatable(value, metatable)
    if metatable == nil or type(metatable) == "table" then
        local own = native.own_metatable(value)
        local before = own and rawget(own, THEIRS)
        if own and not (before and rawget(before, "__metatable") ~= nil) then
            set_beside(value, own, metatable)
            return value
        end
        if getmetatable(value) == false and native.replace_metatable(value, metatable) then
            return value
        end
    end
    return located(pcall(setmetatable, value, metatable))
end

-- What a protected call returned, with what went wrong as a script may see it.
local function told(ok, ...)
    if ok then
        return ok, ...
    end
    return ok, cleaned((...))
end

function G.pcall(...)
    return told(pcall(...))
end

function G.xpcall(call, handler, ...)
    if type(handler) ~= "function" then
        return located(pcall(xpcall, call, handler, ...))
    end
    return xpcall(call, function(message)
        return handler(cleaned(message))
    end, ...)
end

local coroutine_resume = coroutine.resume
function coroutine.resume(...)
    return told(coroutine_resume(...))
end

native.located, native.digits_of = located, digits
native.elements_of, native.plain = elements_of, plain

return {
    array = table_freeze({ [HIDDEN] = true, __metatable = false }),
    list = list,
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
