//! Integers beyond 2^53, as scripts see them, and the text of numbers.

use serde_json::{Value, json};

use super::{Fixture, error, result, value};

const ID: u64 = 9_007_199_254_740_993;

/// The value of an expression about `input`: an id beyond 2^53, the one after it, the extremes of 64 bits.
#[track_caller]
fn about_ids(expression: &str) -> Value {
    ids().result(&format!("return {{ {expression} }}"))[0].take()
}

#[track_caller]
fn error_about_ids(expression: &str) -> String {
    ids().failure(&format!("return {{ {expression} }}")).message
}

fn ids() -> Fixture {
    Fixture::with_input(json!({
        "id": ID, "next": ID + 1, "same": ID, "max": u64::MAX, "min": i64::MIN, "long": i64::MAX, "neg": -(ID as i64),
        "list": [ID, 5, ID + 1], "ids": [u64::MAX, ID + 1, ID, i64::MIN],
    }))
}

#[test]
fn integers_are_handed_on_digit_for_digit() {
    assert_eq!(ids().result("return input"), ids().input);
    assert_eq!(ids().result("return json.decode(json.encode(input))"), ids().input);
    assert_eq!(about_ids("input.max").to_string(), "18446744073709551615");
    assert_eq!(about_ids("input.min").to_string(), "-9223372036854775808");
    assert_eq!(about_ids("json.decode('9007199254740993')"), json!(ID));
    assert_eq!(about_ids("json.decode('[18446744073709551616]')[1]"), json!("18446744073709551616"));
    assert_eq!(about_ids("json.decode('[18446744073709551615]')"), json!([u64::MAX]));
    let fixture = Fixture { steps: vec![("a", json!({ "result": { "id": ID } }))], ..Fixture::default() };
    assert_eq!(fixture.result("return { steps.a.result.id }"), json!([ID]));
}

#[test]
fn integers_as_text_have_all_digits() {
    for expression in [
        "tostring(input.id)",
        "'' .. input.id",
        "input.id .. ''",
        "string.format('%d', input.id)",
        "string.format('%i', input.id)",
        "string.format('%s', input.id)",
        "string.format('%.0f', input.id)",
        "string.format('%20.20g', input.id):gsub(' ', '')",
        "('%d'):format(input.id)",
        "`{input.id}`",
        "json.encode(input.id)",
        "table.concat({ input.id })",
        "string.sub(input.id, 1)",
        "string.rep(input.id, 1)",
        "string.match(input.id, '%d+')",
        "string.gsub('x', 'x', input.id)",
        "string.gsub('x', 'x', { x = input.id })",
        "string.gsub('x', 'x', function() return input.id end)",
        "base64.decode(base64.encode(input.id))",
        "string.format('%x', input.id) == '20000000000001' and tostring(input.id)",
    ] {
        assert_eq!(about_ids(&format!("({expression})")), json!("9007199254740993"), "{expression}");
    }
    assert_eq!(about_ids("1 .. input.id .. input.neg"), json!("19007199254740993-9007199254740993"));
    assert_eq!(about_ids("string.len(input.id)"), json!(16));
    assert_eq!(
        about_ids("table.concat({ 1, input.id, 'x', input.max }, ',', 2, 4)"),
        json!("9007199254740993,x,18446744073709551615")
    );
    assert_eq!(
        about_ids("string.format('%20d|%-18d|%018d|%+d', input.id, input.id, input.id, input.id)"),
        json!("    9007199254740993|9007199254740993  |009007199254740993|+9007199254740993")
    );
    assert_eq!(
        about_ids("string.format('%d %s %d%% %5.1f', input.min, input.max, 5, 2.25)"),
        json!("-9223372036854775808 18446744073709551615 5%   2.2")
    );
    assert_eq!(
        about_ids("string.format('%20s|%-18s|%.4s|%q|%*', input.id, input.id, input.id, input.id, input.id)"),
        json!("    9007199254740993|9007199254740993  |9007|\"9007199254740993\"|9007199254740993")
    );
    assert_eq!(about_ids("string.format('%e', input.id)"), json!("9.007199e+15"));
    assert_eq!(about_ids("string.format('%.2f', input.max)"), json!("18446744073709551615.00"));
    let outcome = ids().run("print(input.id, input.list[3]) return {}");
    assert_eq!(outcome.log, ["9007199254740993\t9007199254740994"]);
    assert_eq!(ids().failure("error(input.id)").message, "9007199254740993");
}

#[test]
fn integers_are_numbers_that_compare_exactly() {
    for expression in [
        "type(input.id) == 'number'",
        "input.id == input.same and input.id == input.list[1] and rawequal(input.id, input.same)",
        "input.id ~= input.next and not (input.id == input.next)",
        "input.id < input.next and input.id <= input.same and input.next > input.id and input.max >= input.long",
        "input.min < input.neg and input.neg < input.id and input.long < input.max",
        "not (input.id < input.same) and not (input.max < input.min)",
        "input.id ~= 9007199254740993 and input.id ~= '9007199254740993' and input.id ~= nil",
        "input.id == json.decode('9007199254740993') and input.id == input.next - 1",
        "not not input.id",
        "math.max(input.id, input.next) == input.next and math.min(input.id, input.next, input.min) == input.min",
        "getmetatable(input.id) == false",
    ] {
        assert_eq!(about_ids(&format!("({expression})")), json!(true), "{expression}");
    }
    for expression in [
        "input.id < 5",
        "5 < input.id",
        "input.id >= 1e300",
        "math.max(input.id, 5)",
        "input.id > input.list[2]",
    ] {
        let message = error_about_ids(expression);
        assert!(
            message.starts_with("line 1: attempt to compare ") && message.contains("tonumber"),
            "{expression}: {message}"
        );
    }
    assert_eq!(about_ids("tonumber(input.id) > 5"), json!(true));
}

#[test]
fn equal_integers_are_one_key() {
    let script = "local seen = {}
        for _, id in ipairs({ input.id, input.same, input.list[1], input.next }) do seen[id] = (seen[id] or 0) + 1 end
        return { seen = seen, of = seen[json.decode('9007199254740993')], none = seen[9007199254740993] }";
    assert_eq!(
        ids().result(script),
        json!({ "seen": { "9007199254740993": 3, "9007199254740994": 1 }, "of": 3 })
    );
    let keys = "local t = { [input.id] = 'a' } for key in pairs(t) do return { key, key == input.id, next(t) == input.same } end";
    assert_eq!(ids().result(keys), json!([ID, true, true]));
}

#[test]
fn integers_sort_among_themselves() {
    let sorted = json!([i64::MIN, ID, ID + 1, u64::MAX]);
    assert_eq!(ids().result("table.sort(input.ids) return input.ids"), sorted);
    assert_eq!(
        ids().result("table.sort(input.ids, function(a, b) return a < b end) return input.ids"),
        sorted
    );
    let mixed = ids().failure("table.sort(input.list) return input").message;
    assert!(mixed.starts_with("line 1: attempt to compare ") && mixed.contains("tonumber"), "{mixed}");
    let ordinary = "table.sort(input.list, function(a, b) return tonumber(a) < tonumber(b) end) return { input.list[1] }";
    assert_eq!(ids().result(ordinary), json!([5]));
}

#[test]
fn whole_numbers_calculate_exactly() {
    for (expression, expected) in [
        ("input.id + 1", json!(ID + 1)),
        ("1 + input.id", json!(ID + 1)),
        ("input.next - input.id", json!(1)),
        ("input.id - input.next", json!(-1)),
        ("input.id - 1", json!(ID - 1)),
        ("input.id - input.id", json!(0)),
        ("-input.id", json!(-(ID as i64))),
        ("-(-input.id)", json!(ID)),
        ("-input.min", json!(1_u64 << 63)),
        ("input.long + input.long + 1", json!(u64::MAX)),
        ("input.id * 2", json!(ID * 2)),
        ("input.id % 10", json!(3)),
        ("input.neg % 10", json!(7)),
        ("input.id // 10", json!(900_719_925_474_099_i64)),
        ("input.neg // 10", json!(-900_719_925_474_100_i64)),
        ("input.id // -10", json!(-900_719_925_474_100_i64)),
        ("math.floor(input.id)", json!(ID)),
        ("math.ceil(input.neg)", json!(-(ID as i64))),
        ("math.abs(input.neg)", json!(ID)),
        ("math.abs(input.id)", json!(ID)),
        ("math.fmod(input.neg, 10)", json!(-3)),
        ("(math.modf(input.id))", json!(ID)),
    ] {
        assert_eq!(about_ids(expression), expected, "{expression}");
    }
    // As nanoseconds since 1970 are read.
    assert_eq!(about_ids("math.floor(input.long / 1e9)"), json!(9_223_372_036_i64));
    assert_eq!(
        about_ids("type(input.id / 2) == 'number' and input.id * 0.5 > 4e15 and input.id ^ 2 > 8e31"),
        json!(true)
    );
    for expression in ["input.max + 1", "input.min - 1", "-input.max", "input.id * input.id"] {
        let message = error_about_ids(expression);
        assert!(
            message.starts_with("line 1: the result has more than 64 bits") && message.contains("tonumber"),
            "{message}"
        );
    }
    for expression in [
        "input.id + {}",
        "input.id + nil",
        "'x' + input.id",
        "input.id .. {}",
        "input.id.x",
        "input.id()",
        "#input.id",
    ] {
        assert!(
            error_about_ids(expression).starts_with("line 1: attempt to "),
            "{}",
            error_about_ids(expression)
        );
    }
}

#[test]
fn tonumber_gives_an_ordinary_number() {
    assert_eq!(about_ids("tonumber(input.max) == 2 ^ 64 and tonumber(input.id) == 2 ^ 53"), json!(true));
    assert_eq!(about_ids("tonumber('9007199254740993') == 2 ^ 53"), json!(true));
    assert_eq!(value("tonumber('12') + tonumber('0x10') + tonumber(3) + tonumber('11', 2)"), json!(34));
    assert_eq!(value("tonumber('x') == nil and tonumber({}) == nil and tonumber(nil) == nil"), json!(true));
    assert_eq!(error("tonumber('1', 99)"), "line 1: invalid argument #2 to 'tonumber' (base out of range)");
}

#[test]
fn library_functions_name_tonumber_where_integers_do_not_fit() {
    for expression in [
        "string.rep('x', input.id)",
        "math.sqrt(input.id)",
        "select(input.id, 1)",
        "string.sub('x', input.id)",
    ] {
        let message = error_about_ids(expression);
        assert!(message.starts_with("line 1: invalid argument") && message.contains("tonumber"), "{message}");
    }
    let message = ids().failure("for i = 1, input.id do end").message;
    assert!(message.contains("tonumber"), "{message}");
}

#[test]
fn integers_cannot_be_changed_or_taken_apart() {
    for statement in [
        "input.id.x = 1",
        "setmetatable(input.id, {})",
        "rawset(input.id, 'x', 1)",
        "rawget(input.id, 'x')",
        "next(input.id)",
        "for k in pairs(input.id) do end",
        "for k in ipairs(input.id) do end",
        "for k in input.id do end",
    ] {
        assert!(ids().run(statement).result.is_err(), "{statement}");
    }
}

#[test]
fn doubles_have_the_shortest_text() {
    for (expression, text) in [
        ("0.1", "0.1"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("1 / 3", "0.3333333333333333"),
        ("12.0", "12"),
        ("100", "100"),
        ("2 ^ 53", "9007199254740992"),
        ("0.9999999999999999", "0.9999999999999999"),
        ("-0.5", "-0.5"),
        ("5e-324", "5e-324"),
        ("1e300", "1e+300"),
    ] {
        let all = format!(
            "tostring({expression}), ({expression}) .. '', string.format('%s', {expression}), json.encode({expression})"
        );
        assert_eq!(result(&format!("return {{ {all} }}")), json!([text, text, text, text]), "{expression}");
    }
    assert_eq!(value("string.format('%d', 2 ^ 63)"), json!("9223372036854775808"));
    assert_eq!(value("string.format('%d', -1e20)"), json!("-100000000000000000000"));
    assert_eq!(value("string.format('%d %5.1f %s', 3, 2.25, 'x')"), json!("3   2.2 x"));
    assert!(error("string.format('%d', 1 / 0)").starts_with("line 1: %d of 'format' takes whole numbers"));
    assert!(error("string.format('%d', 0 / 0)").starts_with("line 1: %d of 'format' takes whole numbers"));
    assert!(error("string.format('%d', {})").starts_with("line 1: invalid argument #2 to 'format'"));
}

#[test]
fn a_hundred_thousand_numbers_pass_through_one_vm() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let pool = super::super::Pool::default();
    for _ in 0..10 {
        let doubles = (0..5000)
            .map(|_| f64::from_bits(random()))
            .filter(|double| double.is_finite() && double.fract() != 0.0);
        let doubles: Vec<f64> = doubles.collect();
        let ids: Vec<u64> = (0..5000).map(|_| random() | 1 << 54).collect();
        let signed: Vec<i64> = (0..1000).map(|_| (random() as i64) | 1).collect();
        let texts: Vec<String> = ids.iter().map(u64::to_string).collect();
        let fixture = Fixture {
            limits: super::super::Limits { result_bytes: 16 << 20, ..Fixture::default().limits },
            ..Fixture::with_input(json!({ "doubles": doubles, "ids": ids, "signed": signed, "texts": texts }))
        };
        let script = "local wrong = 0
            for i, id in ipairs(input.ids) do
                if tostring(id) ~= input.texts[i] or json.decode(input.texts[i]) ~= id then wrong = wrong + 1 end
            end
            for _, double in ipairs(input.doubles) do
                if tonumber(tostring(double)) ~= double or json.decode(json.encode(double)) ~= double then wrong = wrong + 1 end
            end
            return { wrong = wrong, all = input }";
        let outcome = fixture.run_in(&pool, script).result.unwrap();
        assert_eq!(outcome["wrong"], 0);
        assert_eq!(outcome["all"], fixture.input);
    }
}

#[test]
fn keys_have_the_shortest_text_too() {
    for (key, text) in [
        ("1e300", "1e+300"),
        ("1.5e-300", "1.5e-300"),
        ("-2.5e-07", "-2.5e-07"),
        ("1e-06", "0.000001"),
        ("1e20", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("2 ^ 60", "1152921504606847000"),
        ("2 ^ 64", "18446744073709552000"),
        ("-2 ^ 53", "-9007199254740992"),
        ("0.1", "0.1"),
        ("12.0", "12"),
    ] {
        let script = format!("return {{ members = {{ [{key}] = 1 }}, text = tostring({key}) }}");
        assert_eq!(result(&script), json!({ "members": { text: 1 }, "text": text }), "{key}");
    }
    // Lua takes both zeros for one key.
    assert_eq!(result("return { [-0.0] = 1 }"), json!({ "0": 1 }));
}
