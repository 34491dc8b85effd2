//! What a script catches is text, or what a script has raised: never an object of the host with a trace of its stack.

use serde_json::{Value, json};

use super::super::{FailureKind, Limits};
use super::{Fixture, result, value};

/// Calls each function of the library with each of these arguments, alone and behind text, numbers and tables, in each
/// way to catch an error, and names the calls that gave anything but text.
const WALK: &str = r#"
    local nan, inf = 0 / 0, math.huge
    local long = string.rep("x", LONG)
    local values = { nan, inf, -inf, 2 ^ 53, -1, 0, 1e308, "", long, "%", "[", {}, { 1, "a", {} }, input.list, input.big,
        true, false, json.null, print, function() error({ mine = true }) end, coroutine.create(function() end) }
    local before = { {}, { "abc" }, { "abc", "b" }, { 1 }, { { 3, 1, 2 } }, { input.big }, { "a%s", nan } }
    local seen
    local ways = {
        function(call, ...) return pcall(call, ...) end,
        function(call, ...)
            return xpcall(call, function(caught) seen = caught return caught end, ...), seen
        end,
        function(call, ...)
            return coroutine.resume(coroutine.create(function(...) return call(...) end), ...)
        end,
        function(call, ...)
            return pcall(coroutine.wrap(function(...) return call(...) end), ...)
        end,
    }
    local odd, calls = {}, 0
    local function look(name, call, way, arguments)
        calls = calls + 1
        local ok, caught = ways[way](call, unpack(arguments, 1, arguments.n))
        if not ok then
            local kind = type(caught)
            local is_mine = kind == "table" and caught.mine
            if not is_mine and (kind ~= "string" or caught:find("stack traceback") or caught:find("%.rs")
                or caught:find("\n")) then
                odd[#odd + 1] = name .. "/" .. way .. ": " .. kind .. " " .. tostring(caught):sub(1, 200)
            end
        end
    end
    -- `error` raises what it is given.
    local skipped = { print = true, randomseed = true, error = true }
    for library, functions in pairs(getmetatable(_G).__index) do
        if type(functions) == "function" then functions = { [library] = functions } end
        for name, call in pairs(type(functions) == "table" and functions or {}) do
            if type(call) == "function" and not skipped[name] then
                for _, first in ipairs(before) do
                    for _, last in ipairs(values) do
                        local arguments = { n = #first + 1, unpack(first) }
                        arguments[#first + 1] = last
                        look(name, call, calls % #ways + 1, arguments)
                    end
                end
            end
        end
    end
"#;

fn fixture(memory: usize) -> Fixture {
    let mut fixture = Fixture::with_input(json!({ "list": [1, null, 2], "big": 9_007_199_254_740_993_i64 }));
    fixture.limits = Limits { memory_bytes: memory, ..fixture.limits };
    fixture
}

#[test]
fn every_function_raises_text_for_odd_arguments() {
    let script = format!("{}\nreturn {{ odd = odd, calls = calls }}", WALK.replace("LONG", "100"));
    let walked = fixture(64 * 1024 * 1024).result(&script);
    assert_eq!(walked["odd"], json!({}), "{walked:#}");
    assert!(walked["calls"].as_u64().is_some_and(|calls| calls > 5_000), "{walked:#}");
}

#[test]
fn every_function_raises_text_at_the_limit_of_memory() {
    // What is left is less than most functions need for their answer.
    let fill = r#"
        local held, size, failed, odd = {}, 65536, 0, false
        local calls = {
            function() return json.encode({ held[1], held[2] }) end,
            function() return json.decode("[" .. string.rep("1,", 1000) .. "1]") end,
            function() return base64.encode(held[1]) end,
            function() return base64.decode(held[1]) end,
            function() return crypto.hmac_sha256(held[1] .. held[2], held[1]) end,
            function() return string.format("%s%s", held[1], held[2]) end,
            function() return held[1]:upper() end,
            function() return table.concat(held) end,
            function() return utf8.char(unpack(held[3])) end,
            function() return coroutine.wrap(function() return json.encode(held) end)() end,
        }
        held[3] = {}
        for index = 1, 2000 do held[3][index] = 0x10000 end
        held[1], held[2] = string.rep("0", 65536), string.rep("1", 65536)
        while size > 512 do
            local ok, text = pcall(string.rep, "x", size + #held)
            if ok then held[#held + 1] = text else size = size / 2 end
        end
        -- Enough for the loop, and too little for an answer.
        held[#held] = nil
        for index = 1, #calls do
            local ok, caught = pcall(calls[index])
            if not ok then
                failed = failed + 1
                if type(caught) ~= "string" or string.find(caught, "\n", 1, true) then odd = index end
            end
        end
        held = nil
    "#;
    let script = format!("{fill}\nreturn {{ failed = failed, odd = odd }}");
    let ended = fixture(4 * 1024 * 1024).result(&script);
    assert_eq!(ended["odd"], json!(false), "{ended:#}");
    assert!(ended["failed"].as_u64().is_some_and(|failed| failed > 5), "{ended:#}");
}

#[test]
fn a_place_that_is_no_number_is_the_first_one() {
    let find = |from: &str| {
        format!(
            "(string.find(string.rep('x', 100000) .. string.rep('y', 2000), string.rep('y', 2000), {from}, true)) or 'none'"
        )
    };
    assert_eq!(value(&find("0 / 0")), json!(100_001));
    assert_eq!(value(&find("-math.huge")), json!(100_001));
    assert_eq!(value(&find("math.huge")), json!("none"));
    assert_eq!(value(&find("1e300")), json!("none"));
}

#[test]
fn uncaught_it_names_what_happened_and_nothing_of_the_host() {
    let failure = fixture(4 * 1024 * 1024).failure(
        "return { json.encode(string.rep('x', 1500000)) .. base64.encode(string.rep('y', 1500000)) }",
    );
    assert_eq!(failure.kind, FailureKind::Memory, "{failure}");
    // What a script raises is its own, whatever it is.
    let caught: Value = result(
        "local ok, mine = pcall(error, { code = 'X' })
         local _, big = pcall(error, json.decode('9007199254740993'))
         return { mine = mine.code, big = big }",
    );
    assert_eq!(caught, json!({ "mine": "X", "big": 9_007_199_254_740_993_i64 }));
}
