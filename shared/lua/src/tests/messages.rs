//! What an author is told.

use serde_json::json;

use super::super::failure::MAX_MESSAGE_BYTES;
use super::super::{FailureKind, SyntaxError, check};
use super::{Fixture, error, failure};

#[test]
fn an_error_names_the_line_of_the_script() {
    assert_eq!(error("local x = nil\n\nreturn { x.y }"), "line 3: attempt to index nil with 'y'");
    assert_eq!(error("\nlocal function f() error('boom') end\nf()"), "line 2: boom");
    assert_eq!(error("missing()"), "line 1: attempt to call a nil value");
    assert_eq!(error("return { 1 + {} }"), "line 1: attempt to perform arithmetic (add) on number and table");
    assert_eq!(error("assert(false)"), "line 1: assertion failed!");
    assert_eq!(error("\n('x'):rep({})"), "line 2: invalid argument #2 to 'rep' (number expected, got table)");
}

#[test]
fn an_error_in_a_replaced_function_names_the_line_of_its_caller() {
    assert_eq!(error("\nstring.find('a', '[')"), "line 2: malformed pattern (missing ']')");
    assert_eq!(error("\n('a'):match('%')"), "line 2: malformed pattern (ends with '%')");
    assert_eq!(
        error("\nfor w in string.gmatch('a') do end"),
        "line 2: invalid argument #2 to 'gmatch' (string expected, got nil)"
    );
    assert_eq!(error("\nstring.gsub('a', 'a', '%9')"), "line 2: invalid capture index");
    assert_eq!(error("\ntable.sort({ 1, 'a' })"), "line 2: attempt to compare string < number");
    assert_eq!(error("\ntable.sort(nil)"), "line 2: invalid argument #1 to 'sort' (table expected, got nil)");
    assert_eq!(error("string.gsub('a', 'a', function()\nerror('mine')\nend)"), "line 2: mine");
    assert_eq!(
        error("table.sort({ 1, 2, 3 }, function(a, b)\nreturn a.x\nend)"),
        "line 2: attempt to index number with 'x'"
    );
}

#[test]
fn an_error_in_a_coroutine_names_the_line_where_it_was_raised() {
    assert_eq!(error("local f = coroutine.wrap(function()\nerror('inner')\nend)\nf()"), "line 2: inner");
}

#[test]
fn an_error_value_is_shown_as_json() {
    assert_eq!(error("error({ code = 'X', list = { 1, 2 } })"), r#"{"code":"X","list":[1,2]}"#);
    assert_eq!(error("error(42)"), "line 1: 42");
    assert_eq!(error("error(true)"), "true");
    assert_eq!(error("error()"), "the script raised an error without a message");
    assert_eq!(error("error(print)"), "the script raised a function as its error");
    assert_eq!(error("error({ print })"), "the script raised a table that cannot be shown as JSON");
    assert_eq!(
        error("local t = {} t.t = t error(t)"),
        "the script raised a table that cannot be shown as JSON"
    );
    assert_eq!(error("error('plain', 0)"), "plain");
    assert_eq!(error("error('caller', 2)"), "caller");
}

#[test]
fn a_long_message_is_cut_between_characters() {
    let message = error("error(string.rep('é', 5000))");
    assert!(message.starts_with("line 1: éé"), "{message}");
    assert!((MAX_MESSAGE_BYTES - 1..=MAX_MESSAGE_BYTES).contains(&message.len()), "{}", message.len());
    assert!(error("local t = {} for i = 1, 900 do t[i] = i end error(t)").starts_with("[1,2,3"));
}

#[test]
fn messages_say_nothing_of_the_host() {
    for script in [
        "json.decode('{')",
        "local function f() return f() + 1 end f()",
        "error(json.null)",
        "base64.decode('*')",
        "string.rep()",
        "('x').y.z = 1",
        "time.format('x')",
    ] {
        let message = failure(script).message;
        for host in [".rs", "/", "mlua", "prelude", "[C]", "traceback", "0x"] {
            assert!(!message.contains(host), "{script}: {message}");
        }
    }
}

/// Operations that fail within a part of the library that is written in Lua.
const WITHIN_THE_LIBRARY: [&str; 13] = [
    "table.sort({ 2, 1 }, {})",
    "table.sort({ 2, {}, 1 })",
    "table.sort(input.list, {})",
    "table.sort(input.list)",
    "input.list[0 / 0] = 1",
    "input.object[0 / 0] = 1",
    "rawset(input.list, 0 / 0, 1)",
    "rawset(input.object, nil, 1)",
    "table.concat(input.list, {})",
    "string.gsub('a', '[', function() end)",
    "string.gsub('a', 'a', setmetatable({}, { __index = function(_, k) return k + {} end }))",
    "table.foreachi(setmetatable({}, { __len = function() return {} end }), print)",
    "return math.max(9007199254740993, input.id, {})",
];

#[test]
fn errors_of_the_library_say_nothing_of_its_chunk() {
    let fixture = Fixture::with_input(
        json!({ "list": [3, null, 1], "object": { "a": null }, "id": 9_007_199_254_740_995_u64 }),
    );
    for script in WITHIN_THE_LIBRARY {
        let uncaught = fixture.failure(script).message;
        assert!(!uncaught.contains("prelude"), "{script}: {uncaught}");
        let call = format!("function() {script} end");
        for caught in [
            format!("local _, m = pcall({call}) return {{ m }}"),
            format!("local _, m = xpcall({call}, function(m) return m end) return {{ m }}"),
            format!("local _, m = coroutine.resume(coroutine.create({call})) return {{ m }}"),
            format!("local _, m = pcall(coroutine.wrap({call})) return {{ m }}"),
            format!("local _, m = pcall(coroutine.wrap(coroutine.wrap({call}))) return {{ m }}"),
        ] {
            let told = fixture.result(&caught)[0].as_str().unwrap_or_else(|| panic!("{caught}")).to_owned();
            assert!(!told.contains("prelude") && !told.is_empty(), "{caught}: {told}");
        }
        let uncaught = fixture.failure(&format!("coroutine.wrap({call})()")).message;
        assert!(!uncaught.contains("prelude"), "{script}: {uncaught}");
    }
    assert_eq!(fixture.result("return { (select(2, pcall(error, 'prelude:0: mine'))) }"), json!(["mine"]));
    assert_eq!(
        fixture.result("return { (select(2, pcall(error, 'a prelude:0: b', 0))) }"),
        json!(["a prelude:0: b"])
    );
    assert_eq!(fixture.result("local t = {} return { (select(2, pcall(error, t))) == t }"), json!([true]));
    assert_eq!(
        fixture.result("return { pcall(function(...) return ... end, 1, nil, 3) }"),
        json!({ "1": true, "2": 1, "4": 3 })
    );
}

#[test]
fn a_script_that_does_not_compile_fails_with_its_line() {
    assert_eq!(
        error("local x = 1\nlocal = 2"),
        "line 2: Expected identifier when parsing variable name, got '='"
    );
    assert_eq!(error("return {"), "line 1: Expected identifier when parsing expression, got <eof>");
}

#[test]
fn check_compiles_without_running() {
    assert_eq!(check("while true do end"), Ok(()));
    assert_eq!(check(""), Ok(()));
    let expected = SyntaxError {
        line: Some(2),
        message: "Expected identifier when parsing expression, got 'end'".to_owned(),
    };
    assert_eq!(check("local x =\nend"), Err(expected.clone()));
    assert_eq!(expected.to_string(), "line 2: Expected identifier when parsing expression, got 'end'");
}

#[test]
fn every_kind_has_the_code_of_the_event_log() {
    let kinds = [
        FailureKind::Error,
        FailureKind::Timeout,
        FailureKind::Memory,
        FailureKind::ReturnType,
        FailureKind::ResultTooLarge,
    ];
    let codes = ["LUA_ERROR", "LUA_TIMEOUT", "LUA_MEMORY", "LUA_RETURN_TYPE", "RESULT_TOO_LARGE"];
    assert_eq!(kinds.map(FailureKind::code), codes);
    assert_eq!(failure("error('x')").to_string(), "LUA_ERROR: line 1: x");
}
