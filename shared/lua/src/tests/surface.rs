//! Every name a script can reach, so that an update of the VM that brings more is noticed.

use serde_json::{Value, json};

use super::{Fixture, error, result, value};

/// The sorted keys of a table, apart from the values that the fixture lends.
fn names(table: &str) -> Value {
    let lent = "({ _G = true, connection = true, input = true, run = true, steps = true })";
    result(&format!(
        "local names = {{}} for name in pairs({table}) do if not {lent}[name] then names[#names + 1] = name end end
         table.sort(names) return {{ (table.concat(names, ' ')) }}"
    ))[0]
        .take()
}

#[test]
fn the_globals_are_the_library_and_nothing_else() {
    let all = "_VERSION assert base64 coroutine crypto error getmetatable ipairs json math next pairs pcall print rawequal \
               rawget rawset select setmetatable string table time tonumber tostring type unpack utf8 uuid xpcall";
    assert_eq!(names("getmetatable(_G).__index"), json!(all));
    assert_eq!(names("_G"), json!(""));
}

#[test]
fn the_libraries_hold_what_lua_5_1_and_the_workflow_language_name() {
    for (table, all) in [
        ("string", "byte char find format gmatch gsub len lower match rep reverse sub upper"),
        ("table", "concat foreach foreachi getn insert maxn pack remove sort unpack"),
        (
            "math",
            "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf pi pow \
                  rad random randomseed sin sinh sqrt tan tanh",
        ),
        ("coroutine", "create resume running status wrap yield"),
        ("json", "array decode encode null"),
        ("base64", "decode encode"),
        ("crypto", "hmac_sha256 sha256"),
        ("time", "format now parse"),
        ("uuid", "v4"),
        ("utf8", "char charpattern codepoint codes len offset"),
    ] {
        assert_eq!(names(table), json!(all), "{table}");
    }
}

#[test]
fn doors_to_the_outside_do_not_exist() {
    for name in [
        "os",
        "io",
        "debug",
        "package",
        "bit32",
        "buffer",
        "vector",
        "integer",
        "class",
        "load",
        "loadstring",
        "dofile",
        "loadfile",
        "require",
        "collectgarbage",
        "gcinfo",
        "getfenv",
        "setfenv",
        "newproxy",
        "module",
    ] {
        assert_eq!(value(&format!("type({name})")), json!("nil"), "{name}");
    }
    assert_eq!(value("type(string.dump)"), json!("nil"));
    assert_eq!(error("local f = require('os')"), "line 1: attempt to call a nil value");
    assert_eq!(error("return { os.time() }"), "line 1: attempt to index nil with 'time'");
}

#[test]
fn functions_that_the_compiler_knows_by_name_are_no_way_around() {
    for call in [
        "bit32.band(1, 2)",
        "vector.create(1, 2, 3)",
        "buffer.create(8)",
        "math.clamp(1, 2, 3)",
        "math.sign(1)",
        "math.round(1.5)",
        "typeof(1)",
        "rawlen({})",
    ] {
        let message = error(&format!("return {{ {call} }}"));
        assert!(message.starts_with("line 1: attempt to "), "{call}: {message}");
    }
}

#[test]
fn libraries_and_the_metatable_of_strings_are_read_only() {
    for statement in [
        "string.upper = nil",
        "string.new = 1",
        "math.pi = 3",
        "json.null = 1",
        "rawset(string, 'x', 1)",
        "rawset(table, 'insert', nil)",
        "getmetatable('').__index = {}",
        "getmetatable('').__add = 1",
        "setmetatable(string, {})",
        "utf8.len = nil",
        "getmetatable('').__index.sub = nil",
        "table.insert(coroutine, 1)",
        "getmetatable(_G).__index.string = nil",
        "getmetatable(_G).__index = nil",
    ] {
        assert!(error(statement).ends_with("attempt to modify a readonly table"), "{statement}");
    }
    assert_eq!(value("tostring(getmetatable(json.null))"), json!("false"));
}

#[test]
fn a_script_may_hide_a_library_from_itself_only() {
    assert_eq!(
        result("string = { upper = function() return 'mine' end } return { string.upper(), ('x'):upper() }"),
        json!(["mine", "X"])
    );
    assert_eq!(value("string.upper('x')"), json!("X"));
}

#[test]
fn nothing_of_one_script_can_be_seen_by_another() {
    let leave = "secret = 1 _G.secret = 2 math.randomseed(1) input.secret = 3 return {}";
    let look = "return { secret == nil, _G.secret == nil, input.secret == nil }";
    let fixture = Fixture::default();
    for _ in 0..3 {
        fixture.result(leave);
        assert_eq!(fixture.result(look), json!([true, true, true]));
    }
}

#[test]
fn scripts_on_many_threads_do_not_meet() {
    let counts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                scope.spawn(move || {
                    let fixture = Fixture::with_input(json!({ "n": worker }));
                    (0..20).all(|_| {
                        fixture.result("shared = (shared or 0) + input.n return { shared }")
                            == json!([worker])
                    })
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(counts, [true; 8]);
}

#[test]
fn bytecode_is_not_taken_for_a_script() {
    let bytecode = super::super::vm::compile("return { 1 }", &[]).unwrap();
    // A script is text, so bytecode can only come in as far as it is UTF-8; all of it is refused as source.
    let text: String = bytecode.iter().map(|byte| char::from(byte & 0x7f)).collect();
    assert!(error(&text).starts_with("line "), "bytecode is not source");
    assert_eq!(value("tostring(print):match('%w+')"), json!("function"));
}
