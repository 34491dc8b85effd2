//! The step library: json, base64, crypto, time, uuid, print.

use serde_json::json;

use super::super::log::{CUT, MAX_BYTES, MAX_LINES};
use super::{Fixture, error, result, value};

#[test]
fn json_encode_writes_compact_text_with_sorted_keys() {
    assert_eq!(
        value("json.encode({ b = 1, a = { 1, 2.5, 'x', true, json.null } })"),
        json!(r#"{"a":[1,2.5,"x",true,null],"b":1}"#)
    );
    assert_eq!(value("json.encode('a\"b')"), json!(r#""a\"b""#));
    assert_eq!(value("json.encode(nil)"), json!("null"));
    assert_eq!(value("json.encode({})"), json!("{}"));
    assert_eq!(value("json.encode(json.array({}))"), json!("[]"));
    assert_eq!(
        error("json.encode({ f = print })"),
        "line 1: json.encode: value.f: a function cannot be JSON"
    );
}

#[test]
fn json_decode_reads_what_encode_writes() {
    assert_eq!(
        value(r#"json.decode('{"a":[1,2,{"b":"c"}],"t":true,"n":1.5e3}')"#),
        json!({ "a": [1, 2, { "b": "c" }], "t": true, "n": 1500 })
    );
    assert_eq!(value(r#"json.decode('"\\u00e9\\n"')"#), json!("é\n"));
    assert_eq!(value(r#"json.decode('[]')"#), json!([]));
    assert_eq!(value(r#"json.decode('{}')"#), json!({}));
    assert_eq!(value("json.decode('null') == nil"), json!(true));
    assert_eq!(value("json.decode('12345678901234567890')"), json!(12_345_678_901_234_567_890_u64));
}

#[test]
fn json_decode_tells_what_is_wrong_with_a_text() {
    assert_eq!(
        error("json.decode('{')"),
        "line 1: json.decode: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(error("json.decode('1 2')"), "line 1: json.decode: trailing characters at line 1 column 3");
    assert_eq!(
        error("\njson.decode({})"),
        "line 2: invalid argument #1 to 'decode' (string expected, got table)"
    );
    assert!(error("json.decode('\"\\255\"')").contains("json.decode: invalid unicode code point"));
    let caught = "local ok, message = pcall(json.decode, 'x') return { ok, type(message) }";
    assert_eq!(result(caught), json!([false, "string"]));
}

#[test]
fn json_array_marks_a_list_and_gives_it_back() {
    assert_eq!(
        result(
            "return { a = json.array({}), b = json.array(), c = json.array({ 1 }), d = json.array(json.array({})) }"
        ),
        json!({ "a": [], "b": [], "c": [1], "d": [] })
    );
    assert_eq!(result("local t = {} return { json.array(t) == t }"), json!([true]));
    assert_eq!(
        error("json.array('x')"),
        "line 1: invalid argument #1 to 'array' (table expected, got string)"
    );
}

#[test]
fn json_null_is_a_value_that_prints_as_null() {
    assert_eq!(value("tostring(json.null)"), json!("null"));
    assert_eq!(value("json.null == json.null and json.null ~= nil"), json!(true));
    assert_eq!(result("return { x = json.null }"), json!({ "x": null }));
}

#[test]
fn base64_goes_there_and_back_with_any_bytes() {
    assert_eq!(value("base64.encode('hello')"), json!("aGVsbG8="));
    assert_eq!(value("base64.decode('aGVsbG8=')"), json!("hello"));
    assert_eq!(value("base64.decode('aGVsbG8')"), json!("hello"));
    assert_eq!(value("base64.decode(base64.encode('\\0\\255\\10')) == '\\0\\255\\10'"), json!(true));
    assert_eq!(value("base64.encode(12)"), json!("MTI="));
    assert!(error("base64.decode('***')").starts_with("line 1: base64.decode: "));
    assert_eq!(
        error("base64.encode(nil)"),
        "line 1: invalid argument #1 to 'encode' (string expected, got nil)"
    );
}

#[test]
fn hashes_are_lower_case_hex() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(value("crypto.sha256('')"), json!(empty));
    // RFC 4231, test case 2.
    let mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(value("crypto.hmac_sha256('Jefe', 'what do ya want for nothing?')"), json!(mac));
    assert_eq!(value("#crypto.hmac_sha256(string.rep('k', 200), '')"), json!(64));
}

#[test]
fn time_is_in_epoch_seconds_and_rfc_3339() {
    assert_eq!(value("time.format(0)"), json!("1970-01-01T00:00:00Z"));
    assert_eq!(value("time.format(1714979289.25)"), json!("2024-05-06T07:08:09.25Z"));
    assert_eq!(value("time.parse('2024-05-06T07:08:09Z')"), json!(1_714_979_289));
    assert_eq!(value("time.parse('2024-05-06T09:08:09.25+02:00')"), json!(1_714_979_289.25));
    assert_eq!(value("time.parse('2024-05-06t07:08:09z')"), json!(1_714_979_289));
    assert_eq!(value("time.parse(time.format(time.now())) <= time.now()"), json!(true));
    assert_eq!(value("time.now() == math.floor(time.now()) and time.now() > 1700000000"), json!(true));
    assert_eq!(value("#time.format()"), json!(20));
}

#[test]
fn time_refuses_what_is_not_rfc_3339() {
    for text in [
        "",
        "now",
        "2024-05-06",
        "2024-05-06T07:08:09",
        "2024-05-06T07:08Z",
        "2024-13-06T07:08:09Z",
        "2024-05-06T07:08:09.Z",
        "20240506T070809Z",
        "2024-05-06T07:08:09Z[Europe/Paris]",
        "2024-05-06T07:08:09é",
    ] {
        let message = error(&format!("time.parse('{text}')"));
        assert_eq!(
            message, "line 1: time.parse: not an RFC 3339 timestamp, such as 2024-05-06T07:08:09Z",
            "{text}"
        );
    }
    for seconds in ["1e300", "0/0", "1/0"] {
        assert!(error(&format!("time.format({seconds})")).starts_with("line 1: time.format: "), "{seconds}");
    }
}

#[test]
fn uuids_are_version_4_and_differ() {
    assert_eq!(value("uuid.v4():match('^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$') ~= nil and #uuid.v4()"), json!(36));
    assert_eq!(value("uuid.v4() ~= uuid.v4()"), json!(true));
}

#[test]
fn print_goes_to_the_log_even_when_the_script_fails() {
    let outcome = Fixture::default().run("print('a', 1, 2.0, nil, true, json.null) print() error('x')");
    assert!(outcome.result.is_err());
    assert_eq!(outcome.log, ["a\t1\t2\tnil\ttrue\tnull", ""]);
    let named = "print(setmetatable({}, { __tostring = function() return 'me' end })) return {}";
    assert_eq!(Fixture::default().run(named).log, ["me"]);
}

#[test]
fn the_log_keeps_a_hundred_entries_and_16_kib() {
    let lines =
        |count: usize| Fixture::default().run(&format!("for i = 1, {count} do print(i) end return {{}}")).log;
    assert_eq!(lines(MAX_LINES).len(), MAX_LINES);
    let cut = lines(MAX_LINES + 1);
    assert_eq!((cut.len(), cut.last().map(String::as_str)), (MAX_LINES + 1, Some(CUT)));

    let bytes =
        |count: usize| Fixture::default().run(&format!("print(string.rep('x', {count})) return {{}}")).log;
    assert_eq!(bytes(MAX_BYTES), ["x".repeat(MAX_BYTES)]);
    assert_eq!(bytes(MAX_BYTES + 1), ["x".repeat(MAX_BYTES).as_str(), CUT]);
}

#[test]
fn the_log_is_cut_between_characters_and_survives_any_bytes() {
    let log =
        Fixture::default().run(&format!("print(string.rep('x', {}) .. 'é') return {{}}", MAX_BYTES - 1)).log;
    assert_eq!(log, ["x".repeat(MAX_BYTES - 1).as_str(), CUT]);
    assert_eq!(Fixture::default().run("print('\\255') return {}").log, ["\u{fffd}"]);
}

#[test]
fn utf8_counts_and_cuts_characters() {
    assert_eq!(value("utf8.len('né')"), json!(2));
    assert_eq!(value("('néx'):sub(1, utf8.offset('néx', 3) - 1)"), json!("né"));
    assert_eq!(value("utf8.char(233, 128512)"), json!("é\u{1F600}"));
    assert_eq!(result("return { utf8.codepoint('né', 1, -1) }"), json!([110, 233]));
    assert_eq!(
        result("local t = {} for at, code in utf8.codes('né') do t[#t + 1] = at .. ':' .. code end return t"),
        json!(["1:110", "2:233"])
    );
    assert_eq!(
        result("local t = {} for c in ('né😀'):gmatch(utf8.charpattern) do t[#t + 1] = c end return t"),
        json!(["n", "é", "\u{1F600}"])
    );
    assert_eq!(result("return { bad = (utf8.len('\\255')) == nil }"), json!({ "bad": true }));
}
