//! Scripts that mean harm. Each must end in time with the failure that fits, and leave the process unharmed.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::{FailureKind, Limits, MAX_SCRIPT_BYTES, check};
use super::{Fixture, error, failure, result};

/// Ends with `LUA_TIMEOUT`, and not long after its time.
#[track_caller]
fn times_out(script: &str) {
    let start = Instant::now();
    let failure = Fixture::with_time(Duration::from_millis(60)).failure(script);
    assert_eq!(failure.kind, FailureKind::Timeout, "{script}\nfailed with {failure}");
    // Generous: the machine may be busy. Without a bound these scripts run for hours.
    assert!(start.elapsed() < Duration::from_secs(10), "{script}\ntook {:?}", start.elapsed());
}

/// Ends with `LUA_MEMORY`, under a limit that is reached soon.
#[track_caller]
fn runs_out_of_memory(script: &str) {
    let limits = Limits { memory_bytes: 8 * 1024 * 1024, time: Duration::from_secs(30), ..Limits::default() };
    let failure = Fixture { limits, ..Fixture::default() }.failure(script);
    assert_eq!(failure.kind, FailureKind::Memory, "{script}\nfailed with {failure}");
}

#[test]
fn endless_loops_end() {
    times_out("while true do end");
    times_out("repeat until false");
    times_out("for i = 1, math.huge do end");
    times_out("for k in function() return 1 end do end");
    times_out("local function f() return f() end while true do pcall(f) end");
}

#[test]
fn catching_the_timeout_does_not_help() {
    times_out("while true do pcall(function() while true do end end) end");
    times_out("while true do xpcall(error, function() while true do end end) end");
    times_out("pcall(function() while true do end end) return { 'still here' }");
    times_out("xpcall(function() while true do end end, function() return 1 end) return {}");
    times_out("local function f() pcall(f) pcall(f) end f() return {}");
    times_out("local ok, e = pcall(function() while true do end end) error('mine: ' .. tostring(e))");
}

#[test]
fn callbacks_of_the_library_are_no_shelter() {
    times_out("string.gsub('a', '.', function() while true do end end)");
    times_out(
        "string.gsub(string.rep('a', 1000000), '.', function() pcall(function() while true do end end) end)",
    );
    times_out("table.sort({ 3, 2, 1 }, function() while true do end end)");
    times_out(
        "local t = {} for i = 1, 100000 do t[i] = 'x' end while true do pcall(table.sort, t, rawequal) end",
    );
    times_out("table.foreach({ 1 }, function() while true do end end)");
    times_out(
        "local t = {} for i = 1, 1000 do t[i] = string.rep('x', 1000000) end while true do table.foreachi(t, string.find) end",
    );
    times_out("print(setmetatable({}, { __tostring = function() while true do end end }))");
    times_out(
        "local t = setmetatable({}, { __index = function(t, k) while true do end end }) return { t.x }",
    );
    times_out("local t = setmetatable({}, { __lt = function() while true do end end }) return { t < t }");
}

#[test]
fn coroutines_are_no_shelter() {
    times_out("coroutine.wrap(function() while true do end end)()");
    times_out("while true do coroutine.resume(coroutine.create(function() while true do end end)) end");
    times_out("while true do coroutine.wrap(function() pcall(coroutine.yield) end)() end");
    times_out(
        "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
    );
    runs_out_of_memory(
        "local t = {} while true do local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co) t[#t + 1] = co end",
    );
    assert_eq!(error("local function f() return coroutine.wrap(f)() end f()"), "line 1: C stack overflow");
}

#[test]
fn pattern_matching_ends() {
    times_out("return { string.find(string.rep('a', 100000), '.-.-.-.-.-.-b') }");
    times_out("return { string.match(string.rep('a', 300000), '(.*)%1b') }");
    times_out("return { string.gsub(string.rep('(', 300000), '%b()', '') }");
    times_out("for w in string.gmatch(string.rep('a', 1000000), 'a-a-a-b') do end");
    times_out(
        "local s = string.rep('a', 100000) while true do s:find('[' .. string.rep('b', 1000) .. 'a]*c') end",
    );
    let costly =
        "return { string.find(string.rep('a', 30000000), '[' .. string.rep('b', 1000000) .. 'a]*') }";
    assert_eq!(error(costly), "line 1: the pattern is too long for a subject of this length");
    assert_eq!(error("return { string.find('a', string.rep('(', 300)) }"), "line 1: too many captures");
    assert_eq!(
        error("return { string.find(string.rep('a', 300), string.rep('a?', 300)) }"),
        "line 1: pattern too complex"
    );
}

#[test]
fn a_plain_search_for_a_long_text_ends_and_stays_right() {
    let hours = "local s, p = string.rep('a', 20000000), string.rep('a', 10000000) .. 'b'";
    times_out(&format!("{hours} return {{ string.find(s, p, 1, true) }}"));
    times_out(&format!("{hours} return {{ string.find(s, p) }}"));
    let long = "local p = string.rep('ab', 20000) local s = string.rep('x', 5000) .. p .. 'tail'";
    assert_eq!(result(&format!("{long} return {{ s:find(p, 1, true) }}")), json!([5001, 45000]));
    assert_eq!(result(&format!("{long} return {{ s:find(p) }}")), json!([5001, 45000]));
    assert_eq!(result(&format!("{long} return {{ s:find(p, -40004) }}")), json!([5001, 45000]));
    assert_eq!(
        result(&format!(
            "{long} return {{ none = s:find(p, 5002, true) == nil, far = s:find(p, 1e9) == nil }}"
        )),
        json!({ "none": true, "far": true })
    );
}

#[test]
fn long_library_calls_in_a_row_end() {
    times_out("while true do local s = string.rep('x', 30000000) end");
    times_out("local s = string.rep('x', 10000000) while true do local t = s:upper() end");
    times_out("local s = string.rep('1', 10000000) while true do tonumber(s) end");
    times_out(
        "local a = string.rep('x', 9000000) local b, c = a .. '1', a .. '2' while true do local d = b < c end",
    );
    times_out(
        "local t = {} for i = 1, 100000 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end",
    );
    times_out("local t = {} for i = 1, 100000 do t[i] = i end while true do table.concat(t) end");
    times_out("local s = string.rep('x', 2000000) while true do crypto.sha256(s) end");
    times_out("local s = string.rep('x', 1000000) while true do base64.decode(base64.encode(s)) end");
    times_out("while true do json.decode('[1,2,3]') end");
    times_out("while true do print('x') end");
}

#[test]
fn sorting_long_texts_ends() {
    times_out(
        "local b = string.rep('x', 10000000) local x, y, t = b .. 'a', b .. 'b', {}
         for i = 1, 10000 do t[i] = (i % 2 == 0) and x or y end table.sort(t)",
    );
}

#[test]
fn memory_runs_out_cleanly() {
    runs_out_of_memory("local s = string.rep('x', 2 ^ 30)");
    for count in ["2 ^ 31", "2 ^ 32 + 5", "'4294967301'", "1e300", "math.huge"] {
        runs_out_of_memory(&format!("return {{ #string.rep('x', {count}) }}"));
        runs_out_of_memory(&format!("return {{ #('x'):rep({count}) }}"));
    }
    assert_eq!(
        result("return { string.rep('', 2 ^ 40), ('ab'):rep(2), string.rep(12, 2), string.rep('x', -1) }"),
        json!(["", "abab", "1212", ""])
    );
    runs_out_of_memory("local s = 'x' while true do s = s .. s end");
    runs_out_of_memory("local t = {} while true do t[#t + 1] = { 1, 2, 3 } end");
    runs_out_of_memory("local t = {} while true do t[#t + 1] = 'text ' .. #t end");
    runs_out_of_memory("local t = {} for i = 1, 1e9 do t['k' .. i] = i end");
    runs_out_of_memory("local s = string.rep('x', 3000000) return { string.format('%s%s%s%s', s, s, s, s) }");
    runs_out_of_memory(
        "local t = { string.rep('x', 1000000) } for i = 2, 100 do t[i] = t[1] end return { #table.concat(t) }",
    );
    runs_out_of_memory("local s = string.rep('a', 1000000) return { #s:gsub('a', string.rep('b', 1000)) }");
    runs_out_of_memory("return json.decode('[' .. string.rep('[],', 200000) .. '1]')");
}

#[test]
fn catching_the_lack_of_memory_does_not_help() {
    times_out(
        "local t = {} while true do pcall(function() while true do t[#t + 1] = string.rep('x', 10000) .. #t end end) end",
    );
    times_out("while true do pcall(string.rep, 'x', 100000000) end");
    runs_out_of_memory("local ok, e = pcall(string.rep, 'x', 100000000) error('failed: ' .. e)");
    runs_out_of_memory("local ok, e = pcall(string.rep, 'x', 100000000) error(e, 0)");
    let survived = "local ok = pcall(string.rep, 'x', 100000000) return { ok, string.rep('x', 3) }";
    assert_eq!(result(survived), json!([false, "xxx"]));
}

#[test]
fn deep_recursion_is_an_error() {
    assert_eq!(error("local function f(n) return 1 + f(n + 1) end f(1)"), "line 1: stack overflow");
    assert_eq!(
        error(
            "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end local x = t[1]"
        ),
        "line 1: C stack overflow"
    );
    assert_eq!(
        error("local t = setmetatable({}, {}) getmetatable(t).__index = t local x = t[1]"),
        "line 1: '__index' chain too long; possible loop"
    );
    assert_eq!(error("local function f() return (string.gsub('a', 'a', f)) end f()"), "C stack overflow");
    assert_eq!(error("local function f() table.sort({ 1, 2 }, f) end f()"), "C stack overflow");
    assert_eq!(result("local function f() return pcall(f) end return { (f()) }"), json!([true]));
    assert_eq!(
        result("local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return { f(15000) }"),
        json!([15_000])
    );
    let unpacked = failure("return { unpack({}, 1, 1e8) }");
    assert_eq!(unpacked.message, "line 1: too many results to unpack");
}

#[test]
fn json_bombs_are_defused() {
    let bomb = "local t = {} for i = 1, 100 do t = { t, t } end";
    assert_eq!(
        error(&format!("{bomb} json.encode(t)")),
        "line 1: json.encode: the value is larger than 4 MiB of JSON"
    );
    assert_eq!(error(&format!("{bomb} error(t)")), "the script raised a table that cannot be shown as JSON");
    let small =
        Fixture { limits: Limits { result_bytes: 64 * 1024, ..Limits::default() }, ..Fixture::default() };
    for script in [
        &format!("{bomb} return t"),
        "local t = {} for i = 1, 100000 do t[i] = {} end return t",
        "local t = {} for i = 1, 100000 do t[-i] = 1 end return t",
        "return { string.rep('x', 30000000) }",
        "return { [string.rep('x', 30000000)] = 1 }",
    ] {
        assert_eq!(small.failure(script).kind, FailureKind::ResultTooLarge, "{script}");
    }
    assert_eq!(
        error("json.decode(string.rep('[', 1000000))"),
        "line 1: json.decode: recursion limit exceeded at line 1 column 128"
    );
    assert_eq!(
        error("json.decode(string.rep(' ', 17000000))"),
        "line 1: json.decode: the text is longer than 16 MiB"
    );
    assert_eq!(
        error("base64.encode(string.rep(' ', 17000000))"),
        "line 1: base64.encode: the text is longer than 16 MiB"
    );
    times_out("local t = {} for i = 1, 100000 do t[i] = 1 end while true do pcall(json.encode, t) end");
}

#[test]
fn error_objects_run_no_code_after_the_end() {
    assert_eq!(
        error("error(setmetatable({ code = 1 }, { __tostring = function() while true do end end }))"),
        r#"{"code":1}"#
    );
    assert_eq!(
        error("error(setmetatable({}, { __index = function() while true do end end, __metatable = 1 }))"),
        "{}"
    );
}

#[test]
fn the_compiler_stands_any_source() {
    let nested = |open: &str, close: &str| {
        let times = (MAX_SCRIPT_BYTES - 16) / (open.len() + close.len());
        format!("return {}{}", open.repeat(times), close.repeat(times))
    };
    for (open, close) in [
        ("(", ")"),
        ("{", "}"),
        ("x[", "]"),
        ("f(", ")"),
        ("`{", "}`"),
        ("not ", ""),
        ("- ", ""),
        ("x..", ""),
        ("x+", ""),
        ("x^", ""),
        ("function() return ", " end "),
        ("x.", ""),
        ("f()", ""),
        ("if x then y else ", ""),
        ("(function(...) return ", " end)(...)"),
    ] {
        let error = check(&nested(open, close)).expect_err(open);
        assert!(!error.message.is_empty(), "{open}");
    }
    for (open, close) in [
        ("do ", " end "),
        ("while x do ", " end "),
        ("if x then ", " end "),
        ("repeat ", " until x "),
        ("for i = 1, 2 do ", " end "),
        ("function f() ", " end "),
    ] {
        let times = (MAX_SCRIPT_BYTES - 16) / (open.len() + close.len());
        let error = check(&format!("{}{}", open.repeat(times), close.repeat(times))).expect_err(open);
        assert!(error.message.contains("recursion depth"), "{open}: {error}");
    }
    assert_eq!(check(&nested("(", ")")).unwrap_err().line, Some(1));
    assert!(result(&format!("return {}{}", "{".repeat(120), "}".repeat(120))).is_array());
    assert!(check(&format!("return {{{}}}", "1,".repeat(30_000))).is_ok());
    assert!(check(&format!("f({}1)", "1,".repeat(30_000))).is_err());
}
