//! How values cross between JSON and Lua.

use serde_json::{Value, json};

use super::super::{FailureKind, MAX_DEPTH};
use super::{Fixture, failure, result, value};

fn return_type(script: &str) -> String {
    let failure = failure(script);
    assert_eq!(failure.kind, FailureKind::ReturnType, "{script}\nfailed with {failure}");
    failure.message
}

#[test]
fn what_goes_in_comes_out_again() {
    let input = json!({
        "text": "é\u{1F600}\n\"", "int": 12, "negative": -3, "big": 9_007_199_254_740_992_i64, "float": 0.1,
        "yes": true, "no": false, "list": [1, "two", [3], {}], "empty_list": [], "empty_object": {},
        "nested": { "a": { "b": [[], {}] } }, "holes": [null, 1, null],
    });
    assert_eq!(Fixture::with_input(input.clone()).result("return input"), input);
    let twice = "return json.decode(json.encode(input))";
    assert_eq!(Fixture::with_input(input.clone()).result(twice), input);
}

#[test]
fn keys_one_to_n_make_an_array_in_whatever_order_they_were_set() {
    assert_eq!(result("return { 'a', 'b' }"), json!(["a", "b"]));
    assert_eq!(result("return { list = { 1, { 2 } } }"), json!({ "list": [1, [2]] }));
    assert_eq!(
        result("local t = {} for i = 50, 1, -1 do t[i] = i end return { n = #t, t = t }")["t"],
        (1..=50).collect::<Value>()
    );
    assert_eq!(result("local t = {} t[3] = 'c' t[1] = 'a' t[2] = 'b' return t"), json!(["a", "b", "c"]));
    assert_eq!(result("local t = { 1, 2, 3 } t[3] = nil return t"), json!([1, 2]));
}

#[test]
fn an_empty_table_is_an_object_unless_it_is_known_to_be_an_array() {
    assert_eq!(result("return {}"), json!({}));
    assert_eq!(result("return { a = {}, b = json.array({}) }"), json!({ "a": {}, "b": [] }));
    assert_eq!(result("return json.array({})"), json!([]));
    let fixture = Fixture::with_input(json!({ "list": [1] }));
    assert_eq!(fixture.result("input.list[1] = nil return input"), json!({ "list": [] }));
    assert_eq!(
        fixture.result("input.list.name = 'x' return input"),
        json!({ "list": { "1": 1, "name": "x" } })
    );
}

#[test]
fn any_other_table_is_an_object_with_its_keys_as_text() {
    assert_eq!(result("return { 10, 20, name = 'x' }"), json!({ "1": 10, "2": 20, "name": "x" }));
    assert_eq!(result("return { 10, nil, 30 }"), json!({ "1": 10, "3": 30 }));
    assert_eq!(result("return { [0] = 'zero', [1] = 'one' }"), json!({ "0": "zero", "1": "one" }));
    assert_eq!(result("return { [-1] = 'a', [1.5] = 'b' }"), json!({ "-1": "a", "1.5": "b" }));
    assert_eq!(
        return_type("return { t = { [1] = 'a', ['1'] = 'b' } }"),
        "result.t: the table has two keys that read \"1\""
    );
}

#[test]
fn whole_numbers_are_json_integers() {
    for (expression, text) in [
        ("12.0", "12"),
        ("-0.0", "-0.0"),
        ("10 / 4", "2.5"),
        ("2 ^ 53", "9007199254740992"),
        ("-2 ^ 53", "-9007199254740992"),
        ("2 ^ 54", "1.8014398509481984e+16"),
        ("1e300", "1e+300"),
        ("0.1", "0.1"),
    ] {
        assert_eq!(value(expression).to_string(), text, "{expression}");
    }
}

#[test]
fn numbers_that_json_lacks_are_refused_with_their_place() {
    let message = "a number is NaN or infinite, which JSON cannot express";
    assert_eq!(return_type("return { a = { 1, 0 / 0 } }"), format!("result.a[2]: {message}"));
    assert_eq!(return_type("return { math.huge }"), format!("result[1]: {message}"));
    assert_eq!(return_type("return { [math.huge] = 1 }"), "result: a key is not a finite number");
}

#[test]
fn values_that_json_lacks_are_refused_with_their_place() {
    assert_eq!(
        return_type("return { items = { 1, { callback = print } } }"),
        "result.items[2].callback: a function cannot be JSON"
    );
    assert_eq!(
        return_type("return { ['a b'] = coroutine.create(print) }"),
        "result[\"a b\"]: a thread cannot be JSON"
    );
    assert_eq!(return_type("return { [true] = 1 }"), "result: a key is a boolean, not text or a number");
    assert_eq!(
        return_type("return { k = { [{}] = 1 } }"),
        "result.k: a key is a table, not text or a number"
    );
    assert_eq!(
        return_type("return { bytes = '\\255' }"),
        "result.bytes: the text is not UTF-8: string.sub, string.byte and # count bytes and can cut a character in two; \
         find the ends of characters with utf8.offset, or carry bytes with base64.encode"
    );
    assert!(return_type("return { ['\\255'] = 1 }").starts_with("result: the text is not UTF-8: "));
    let cut = "local s = 'né' return { list = { s:sub(1, 2) } }";
    assert!(
        return_type(cut).starts_with("result.list[1]: the text is not UTF-8: ")
            && return_type(cut).contains("utf8.offset")
    );
}

#[test]
fn a_table_that_contains_itself_is_refused_but_may_appear_twice() {
    assert_eq!(
        return_type("local t = {} t.child = { parent = t } return t"),
        "result.child.parent: the table contains itself"
    );
    assert_eq!(result("local t = { 1 } return { t, t }"), json!([[1], [1]]));
}

#[test]
fn tables_nest_up_to_the_limit() {
    let nested = |depth: usize| {
        format!("local t = {{}} local top = t for i = 2, {depth} do t.a = {{}} t = t.a end return top")
    };
    assert!(result(&nested(MAX_DEPTH)).is_object());
    let message = return_type(&nested(MAX_DEPTH + 1));
    assert!(message.starts_with("result.a.a.") && message.contains('…'), "{message}");
    assert!(message.ends_with(".a: tables nest deeper than 128"), "{message}");
}

#[test]
fn a_long_place_is_shortened() {
    let message = return_type("return { [string.rep('é', 1000)] = { x = print } }");
    assert!(message.len() < 300 && message.ends_with("x: a function cannot be JSON"), "{message}");
}

#[test]
fn metatables_play_no_part_in_a_result() {
    let script = "return setmetatable({ a = 1 }, { __index = { b = 2 }, __tostring = error, __len = error, __pairs = error })";
    assert_eq!(result(script), json!({ "a": 1 }));
}
