//! Whatever JSON a script hands on untouched comes out as it went in.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::Pool;
use super::Fixture;

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-100..100_i64).prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has finite numbers", |double| double.is_finite())
            .prop_map(Value::from),
        prop::sample::select(vec![
            0.0,
            -0.0,
            5e-324,
            1e300,
            9_007_199_254_740_992.0,
            9_007_199_254_740_994.0,
            1e16,
            0.1
        ])
        .prop_map(Value::from),
        prop::sample::select(vec![1_u64 << 53, (1 << 53) + 1, 1 << 63, u64::MAX]).prop_map(Value::from),
    ]
}

fn key() -> impl Strategy<Value = String> {
    let odd = [
        "",
        "1",
        "2",
        "__index",
        "__newindex",
        "__metatable",
        "__len",
        "result",
        "n",
        "a.b",
        "\0",
        "é",
        "__mode",
    ];
    prop_oneof![prop::sample::select(odd.to_vec()).prop_map(str::to_owned), any::<String>()]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        3 => number(),
        2 => any::<String>().prop_map(Value::from),
        1 => Just(json!([])),
        1 => Just(json!({})),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Whole doubles that are exact integers are written without a point; nothing else changes.
#[allow(clippy::cast_possible_truncation)]
fn canonical(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double)
                if number.is_f64()
                    && double.fract() == 0.0
                    && double.abs() <= 9_007_199_254_740_992.0
                    && (double != 0.0 || double.is_sign_positive()) =>
            {
                Value::from(double as i64)
            }
            _ => value.clone(),
        },
        Value::Array(items) => items.iter().map(canonical).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, member)| (key.clone(), canonical(member))).collect()
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn json_that_is_handed_on_stays_the_same(v in json_value()) {
        let pool = Pool::default();
        let fixture = Fixture {
            steps: vec![("a", json!({ "result": { "v": v } }))],
            extra: vec![("item", json!({ "v": v }))],
            body: Some(json!({ "inner": { "v": v } })),
            prev: Some(json!({ "inner": { "v": v } })),
            ..Fixture::with_input(json!({ "v": v }))
        };
        let expected = canonical(&json!({ "v": v })).to_string();
        for script in [
            "return input",
            "return steps.a.result",
            "return item",
            "return body.inner",
            "return body.inner.result",
            "return loop.prev.inner.result",
            "local copy = input local kept = { copy } return kept[1]",
            "return json.decode(json.encode(input))",
            "local t = json.decode(json.encode({ input })) return t[1]",
            "return (function(...) return ... end)(unpack({ input }))",
            "input.more = 1 input.more = nil return input",
            "setmetatable(input, { __index = error }) return input",
            "for k, v in pairs(input) do end for i, v in ipairs(input) do end return input",
        ] {
            let handed_on = fixture.run_in(&pool, script).result.unwrap();
            prop_assert_eq!(handed_on.to_string(), expected.as_str(), "{}", script);
        }
    }
}
