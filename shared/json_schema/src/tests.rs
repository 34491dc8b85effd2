use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Rejected, check, problems};

mod hostile;
mod properties;

fn violations(schema: &Value, value: &Value) -> Vec<String> {
    match check(schema, value) {
        Err(Rejected::Violations(violations)) => violations.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_violation_names_its_path_and_not_the_value() {
    let schema = json!({
        "type": "object", "required": ["a", "b"],
        "properties": { "c": { "type": "array", "items": { "type": "string" } }, "d e": { "maximum": 1 } },
        "additionalProperties": false,
    });
    assert_eq!(
        violations(&schema, &json!({ "c": ["x", 987, { "0": 1 }], "d e": 654, "f": 321 })),
        [
            "$: \"a\" is a required property",
            "$: \"b\" is a required property",
            "$.c[1]: value is not of type \"string\"",
            "$.c[2]: value is not of type \"string\"",
            "$[\"d e\"]: value is greater than the maximum of 1",
            "$: Additional properties are not allowed ('f' was unexpected)",
        ]
    );
}

#[test]
fn schemas_that_are_none_are_refused_with_the_place() {
    for (schema, path) in [
        (json!({ "type": "objekt" }), "$.type"),
        (json!({ "properties": { "a": { "minimum": "x" } } }), "$.properties.a.minimum"),
        (json!({ "required": "a" }), "$.required"),
        (json!({ "properties": { "a": { "pattern": "(" } } }), "$.properties.a.pattern"),
        (json!(5), "$"),
    ] {
        let problems = problems(&schema);
        assert_eq!(problems.len(), 1, "{schema}");
        assert_eq!(problems[0].path, path, "{schema} {problems:?}");
        assert!(matches!(check(&schema, &json!({})), Err(Rejected::BadSchema(_))));
    }
    assert_eq!(problems(&json!({ "type": 1, "minimum": "x" })).len(), 2, "all are reported");
}

#[test]
fn nothing_is_fetched() {
    for target in ["http://127.0.0.1:1/x.json", "file:///etc/passwd", "other.json", "#/$defs/nope"] {
        assert_eq!(problems(&json!({ "$ref": target })).len(), 1, "{target}");
    }
}

#[test]
fn what_nothing_refers_to_may_be_unusable() {
    let unusable = json!({ "properties": { "a": { "$ref": "other.json" }, "b": { "pattern": "(?=a)" } } });
    let unused = json!({ "$defs": { "a": unusable }, "then": unusable });
    assert_eq!(check(&unused, &json!({ "a": 1, "b": "c" })), Ok(()));
    for used in [
        json!({ "$defs": { "a": unusable }, "items": { "$ref": "#/$defs/a" } }),
        json!({ "$defs": { "a": unusable }, "items": { "$ref": "#/$defs/a/properties/b" } }),
        json!({ "$defs": { "a": { "$dynamicAnchor": "a", "not": unusable } }, "$dynamicRef": "#a" }),
        json!({ "if": true, "then": unusable }),
        json!({ "dependentSchemas": { "x": unusable } }),
        json!({ "patternProperties": { "x": unusable } }),
        json!({ "additionalProperties": unusable }),
        json!({ "prefixItems": [{ "oneOf": [unusable] }] }),
    ] {
        assert!(!problems(&used).is_empty(), "{used}");
    }
}

#[test]
fn only_patterns_that_run_in_linear_time_are_taken() {
    for pattern in [r"(a)\1", "(?=a)b", "((((a{99}){99}){99}){99})"] {
        assert_eq!(problems(&json!({ "pattern": pattern })).len(), 1, "{pattern}");
    }
    let text = json!(format!("{}b", "a".repeat(100_000)));
    let started = Instant::now();
    assert_eq!(violations(&json!({ "pattern": "^(a+)+$" }), &text).len(), 1);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn references_work_as_ever() {
    let schema = json!({
        "$defs": {
            "node": {
                "type": "object", "required": ["v"],
                "properties": { "v": { "type": "integer" }, "next": { "$ref": "#/$defs/node" } },
                "unevaluatedProperties": false,
            },
            "const": { "type": "integer" },
        },
        "$ref": "#/$defs/node",
        "properties": { "n": { "$ref": "#/$defs/const" } },
    });
    assert_eq!(check(&schema, &json!({ "v": 1, "next": { "v": 2 } })), Ok(()));
    assert_eq!(violations(&schema, &json!({ "v": 1, "next": { "v": "x" } })).len(), 1);
    // What `$ref` evaluated stays evaluated for its neighbours.
    let based = json!({
        "$defs": { "base": { "properties": { "a": true } } },
        "$ref": "#/$defs/base", "unevaluatedProperties": false,
    });
    assert_eq!(check(&based, &json!({ "a": 1 })), Ok(()));
    assert_eq!(violations(&based, &json!({ "b": 1 })).len(), 1);
    // Data that looks like a reference stays data.
    let data = json!({ "const": { "$ref": "#" } });
    assert_eq!(check(&data, &json!({ "$ref": "#" })), Ok(()));
}

#[test]
fn references_in_circles_end() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }] }),
        json!({ "$dynamicRef": "#x", "$dynamicAnchor": "x" }),
        json!({ "$ref": "#/$defs/a", "$defs": {
            "a": { "not": { "$ref": "#/$defs/b" } }, "b": { "anyOf": [{ "$ref": "#/$defs/a" }] } } }),
    ] {
        let _ = check(&schema, &json!({}));
    }
}

#[test]
fn a_small_schema_cannot_ask_for_exponential_work() {
    for combinator in ["allOf", "anyOf", "oneOf"] {
        let mut defs = serde_json::Map::new();
        for level in 0..60 {
            let below = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
            defs.insert(format!("d{level}"), json!({ combinator: [below, below] }));
        }
        defs.insert("d60".into(), json!({ "type": if combinator == "allOf" { "object" } else { "string" } }));
        let schema = json!({ "$ref": "#/$defs/d0", "$defs": defs });
        let started = Instant::now();
        assert_eq!(check(&schema, &json!({})), Err(Rejected::TooComplex), "{combinator}");
        assert!(started.elapsed() < Duration::from_secs(10), "{combinator} {:?}", started.elapsed());
    }
}

#[test]
fn nor_can_a_recursive_one_on_a_deep_value() {
    let schema = json!({
        "anyOf": [
            { "properties": { "a": { "$ref": "#" } }, "required": ["z"] },
            { "properties": { "a": { "$ref": "#" } }, "required": ["z"] },
        ],
    });
    let mut value = json!({});
    for _ in 0..100 {
        value = json!({ "a": value });
    }
    let started = Instant::now();
    // The answer is cheap here; it is telling what is wrong that would take for ever.
    assert_eq!(violations(&schema, &value).len(), 1);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn long_lists_of_referenced_items_are_no_excess() {
    let schema = json!({ "items": { "$ref": "#/$defs/id" }, "$defs": { "id": { "type": "integer" } } });
    let mut list = vec![json!(1); 400_000];
    assert_eq!(check(&schema, &json!(list)), Ok(()));
    list.push(json!("x"));
    assert_eq!(violations(&schema, &json!(list)).len(), 1);
}
