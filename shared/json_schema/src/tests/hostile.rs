//! Schemas and values that are made to be expensive, or to be taken for something that they are not.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::{Rejected, check, problems};
use crate::{check_within, violation::BUDGET};

/// Runs on a stack as small as a worker's thread has.
fn quickly<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let started = Instant::now();
    let result = thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(act).unwrap().join().unwrap();
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    result
}

fn nested(levels: usize, wrap: impl Fn(Value) -> Value) -> Value {
    (0..levels).fold(json!({}), |inner, _| wrap(inner))
}

fn chain(length: usize, link: impl Fn(String) -> Value, end: Value) -> Value {
    let mut definitions: Map<String, Value> =
        (0..length).map(|level| (format!("d{level}"), link(format!("#/$defs/d{}", level + 1)))).collect();
    definitions.insert(format!("d{length}"), end);
    json!({ "$ref": "#/$defs/d0", "$defs": definitions })
}

fn pointers(schema: &Value) -> Vec<String> {
    problems(schema).into_iter().map(|problem| problem.pointer).collect()
}

#[test]
fn long_chains_of_references_are_followed_and_deep_ones_refused() {
    let schema = chain(5000, |next| json!({ "$ref": next }), json!({ "type": "integer" }));
    let wrong = quickly(move || (check(&schema, &json!(1)), check(&schema, &json!("x"))));
    assert_eq!(wrong.0, Ok(()));
    assert!(matches!(wrong.1, Err(Rejected::Violations(_))));
    for link in [
        |next: String| json!({ "type": "integer", "$ref": next }),
        |next: String| json!({ "allOf": [{ "$ref": next }] }),
        |next: String| json!({ "if": { "$ref": next }, "then": { "minimum": 0 } }),
        |next: String| json!({ "unevaluatedProperties": false, "$ref": next }),
    ] {
        let schema = chain(5000, link, json!(true));
        assert_eq!(quickly(move || check(&schema, &json!(1))), Err(Rejected::TooComplex));
    }
}

#[test]
fn circles_at_the_same_value_end_in_too_complex() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }] }),
        json!({ "not": { "$ref": "#" } }),
        json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] }),
        json!({ "unevaluatedProperties": { "$ref": "#" }, "oneOf": [{ "$ref": "#" }, true] }),
        json!({ "$dynamicAnchor": "x", "$dynamicRef": "#x" }),
        json!({ "$id": "http://a/", "$ref": "b", "$defs": { "b": { "$id": "b", "$ref": "http://a/" } } }),
    ] {
        assert_eq!(quickly(move || check(&schema, &json!({ "a": 1 }))), Err(Rejected::TooComplex));
    }
}

#[test]
fn deep_schemas_and_values_do_not_overflow_the_stack() {
    for wrap in [
        |inner: Value| json!({ "allOf": [inner] }),
        |inner: Value| json!({ "properties": { "a": inner } }),
        |inner: Value| json!({ "patternProperties": { "a": inner }, "additionalProperties": false }),
        |inner: Value| json!({ "if": inner, "then": true }),
        |inner: Value| json!({ "unknown": inner }),
        |inner: Value| json!({ "const": [inner] }),
    ] {
        for levels in [60, 110, 300] {
            let schema = nested(levels, wrap);
            let _ = quickly(move || (check(&schema, &json!({ "a": 1 })), problems(&schema)));
        }
    }
    let recursive = json!({ "type": "object", "properties": { "a": { "allOf": [{ "$ref": "#" }] } } });
    for (levels, enough) in [(100, true), (200, true), (500, false)] {
        let (schema, value) = (recursive.clone(), nested(levels, |inner| json!({ "a": inner })));
        let result = quickly(move || check(&schema, &value));
        assert_eq!(result, if enough { Ok(()) } else { Err(Rejected::TooComplex) }, "{levels}");
    }
}

#[test]
fn exponential_work_without_references_is_not_asked_for() {
    // Each level asks what the level below evaluated: once, not once for itself and once for the answer.
    for combinator in ["allOf", "anyOf", "oneOf"] {
        let schema = nested(
            60,
            |inner| json!({ combinator: [inner], "unevaluatedProperties": { "type": "integer" } }),
        );
        assert_eq!(quickly(move || check(&schema, &json!({ "a": 1 }))), Ok(()));
    }
}

#[test]
fn wide_work_behind_references_draws_on_the_budget() {
    let list = json!(vec![1; 100_000]);
    for end in [json!({ "contains": { "const": 2 }, "minContains": 0 }), json!({ "unevaluatedItems": true })]
    {
        let schema = chain(30, |next| json!({ "allOf": [{ "$ref": next }, { "$ref": next }] }), end);
        let list = list.clone();
        let result = quickly(move || check(&schema, &list));
        assert_eq!(result, Err(Rejected::TooComplex));
    }
}

#[test]
fn patterns_cost_what_their_size_and_the_text_make_them_cost() {
    let text = "a".repeat(100_000);
    for pattern in ["^(a+)+$b", "^(a|a)*$b", "(.*)(.*)(.*)(.*)(.*)x", r"^\p{L}+$b", "((a?){60}){60}b"] {
        let (schema, text) = (json!({ "pattern": pattern }), json!(text));
        assert!(quickly(move || check(&schema, &text)).is_err(), "{pattern}");
    }
}

#[test]
fn many_large_patterns_are_refused_together() {
    let pattern = |n: i32| (format!("p{n}"), json!({ "pattern": format!("x{n}((a{{9}}){{9}}){{99}}") }));
    let properties: Map<String, Value> = (0..2000).map(pattern).collect();
    assert_eq!(problems(&properties["p1"]), []);
    assert!(!problems(&json!({ "properties": properties })).is_empty());
}

#[test]
fn large_lists_are_compared_in_good_time() {
    let mut different: Vec<Value> = (0..40_000).map(|n| json!({ "n": n, "list": [n, "x"] })).collect();
    let options = json!({ "enum": different });
    let each = json!({ "items": options });
    let unique = json!({ "uniqueItems": true });
    let list = json!(different);
    assert_eq!(quickly(move || (check(&unique, &list), check(&each, &list))), (Ok(()), Ok(())));
    different.push(json!({ "n": 7.0, "list": [7, "x"] }));
    let list = json!(different);
    let wrong = quickly(move || check(&json!({ "uniqueItems": true }), &list));
    assert!(matches!(wrong, Err(Rejected::Violations(_))));
}

#[test]
fn references_that_lead_nowhere_are_problems_where_they_are() {
    for reference in [
        "#/$defs/nope",
        "#$defs/a",
        "#/$defs/a/",
        "#/allOf/01",
        "#/allOf/+0",
        "#/allOf/1",
        "#/$defs/%zz",
        "#/%ff",
        "#nope",
        "#/enum/0",
        "#/properties",
        "other",
        "http://[",
        "https://json-schema.org/draft/2019-09/schema",
        "https://json-schema.org/draft/2020-12/schema#/nope",
    ] {
        let schema = json!({
            "$defs": { "a": { "type": "integer" } }, "allOf": [true], "enum": [5],
            "properties": { "x/y": { "$ref": reference } },
        });
        // A reference to `properties` leads to an object, which then is a schema with an odd keyword.
        let expected = if reference == "#/properties" { vec![] } else { vec!["/properties/x~1y/$ref"] };
        assert_eq!(pointers(&schema), expected, "{reference}");
    }
}

#[test]
fn references_find_what_is_there() {
    let schema = |reference: &str| {
        json!({
            "$id": "http://example.com/root.json",
            "$defs": {
                "a b/c~d%é": { "type": "integer" },
                "named": { "$anchor": "name", "type": "integer" },
                "inner": { "$id": "inner/", "$defs": { "x": { "type": "integer" }, "y": { "$ref": "#/$defs/x" } } },
                "urn": { "$id": "urn:example:it", "type": "integer" },
            },
            "odd": { "place": { "type": "integer", "$ref": "#/$defs/named" } },
            "$ref": reference,
        })
    };
    for reference in [
        "#/$defs/a%20b~1c~0d%25%C3%A9",
        "#/$defs/a b~1c~0d%25é",
        "#name",
        "root.json#name",
        "http://example.com/root.json#/$defs/named",
        "inner/#/$defs/y",
        "/inner/#/$defs/x",
        "#/$defs/inner/$defs/y",
        "urn:example:it",
        "#/odd/place",
    ] {
        let schema = schema(reference);
        assert_eq!(problems(&schema), [], "{reference}");
        assert_eq!(check(&schema, &json!(1)), Ok(()), "{reference}");
        assert!(check(&schema, &json!("x")).is_err(), "{reference}");
    }
    let meta = json!({ "$ref": "https://json-schema.org/draft/2020-12/schema" });
    assert_eq!(check(&meta, &json!({ "type": "object" })), Ok(()));
    assert!(matches!(check(&meta, &json!({ "type": 5 })), Err(Rejected::Violations(_))));
}

#[test]
fn what_a_reference_makes_a_schema_must_be_one() {
    let schema = json!({ "odd": { "type": 5 }, "$ref": "#/odd" });
    assert_eq!(pointers(&schema), ["/$ref"]);
    let schema = json!({ "odd": { "pattern": "(" }, "$ref": "#/odd" });
    assert_eq!(pointers(&schema), ["/odd/pattern"]);
}

#[test]
fn identifiers_deceive_nobody() {
    // One that calls itself the metaschema is taken for it in its own document only.
    let meta = "https://json-schema.org/draft/2020-12/schema";
    let impostor = json!({ "$id": meta, "type": "integer", "properties": { "a": { "$ref": meta } } });
    assert_eq!(check(&impostor, &json!(1)), Ok(()));
    assert_eq!(problems(&json!({ "type": 5 })).len(), 1);
    // Two of one name: the first has it.
    let twice =
        json!({ "$defs": { "a": { "$id": "x", "type": "integer" }, "b": { "$id": "x" } }, "$ref": "x" });
    assert!(check(&twice, &json!("s")).is_err());
    // Data is no schema.
    let data = json!({ "const": { "$id": "x" }, "enum": [{ "$anchor": "y" }], "default": { "$id": "x" } });
    assert_eq!(problems(&data), []);
    assert_eq!(pointers(&json!({ "const": { "$anchor": "y" }, "$ref": "#y" })), ["/$ref"]);
    for id in ["#x", "x#y", "http://["] {
        assert_eq!(pointers(&json!({ "$id": id })), ["/$id"], "{id}");
    }
    // A draft by another name changes nothing.
    let older = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [false] });
    assert!(check(&older, &json!([1])).is_err());
}

#[test]
fn no_more_is_told_than_is_read() {
    let schema = json!({ "items": { "type": "string" }, "additionalProperties": false });
    let Err(Rejected::Violations(violations)) = check(&schema, &json!(vec![1; 100_000])) else { panic!() };
    assert_eq!(violations.len(), 100);
    let many: Map<String, Value> = (0..10_000).map(|n| (format!("n{n}"), json!(n))).collect();
    let closed = json!({ "properties": { "a": true }, "additionalProperties": false });
    let Err(Rejected::Violations(violations)) = check(&closed, &Value::Object(many)) else { panic!() };
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].message.chars().count(), 201);
}

#[test]
fn patterns_take_no_memory_for_what_their_groups_hold() {
    let pattern = "(a?)".repeat(4_000);
    assert_eq!(quickly(move || check(&json!({ "pattern": pattern }), &json!("aaa"))), Ok(()));
}

#[test]
fn long_names_above_many_references_are_refused() {
    let references: Vec<Value> = (0..10_000).map(|_| json!({ "$ref": "#" })).collect();
    let name = "n".repeat(250_000);
    let schema = json!({ "properties": { name: { "allOf": references } } });
    assert!(!quickly(move || problems(&schema)).is_empty());
}

#[test]
fn many_references_to_what_is_no_schema_are_not_each_looked_into() {
    let members: Map<String, Value> = (0..20_000).map(|n| (format!("p{n}"), json!({}))).collect();
    let references: Map<String, Value> =
        (0..5_000).map(|n| (format!("a{n}"), json!({ "$ref": "#/odd" }))).collect();
    let schema = json!({ "odd": { "$id": 5, "properties": members }, "properties": references });
    assert!(!quickly(move || problems(&schema)).is_empty());
}

#[test]
fn long_names_draw_on_the_budget() {
    let name = "k".repeat(1_000_000);
    let (members, text) = (json!({ name.clone(): 1 }), json!(name));
    for (schema, value) in [
        (json!({ "const": 5 }), &members),
        (json!({ "enum": [5, 6] }), &members),
        (json!({ "required": [name] }), &members),
        (json!({ "dependentRequired": { name.clone(): [name] } }), &members),
        (json!({ "properties": { "other": false } }), &members),
        (json!({ "patternProperties": { "^x": false } }), &members),
        (json!({ "propertyNames": { "maxLength": 5 } }), &members),
        (json!({ "minLength": 5 }), &text),
        (json!({ "pattern": "^x" }), &text),
    ] {
        let mut left = BUDGET;
        let _ = check_within(&schema, value, &mut left);
        assert!(BUDGET - left >= 1_000_000 / 32, "{} steps for {:.40}", BUDGET - left, schema.to_string());
    }
}

#[test]
fn problems_of_unused_definitions_do_not_hide_those_of_used_ones() {
    let unused: Map<String, Value> =
        (0..2_000).map(|n| (format!("u{n}"), json!({ "$ref": "#/nowhere" }))).collect();
    let schema = json!({ "$defs": unused, "properties": { "a": { "pattern": "(?=a)" } } });
    assert!(!problems(&schema).is_empty());
    let few = json!({ "$defs": { "u": { "pattern": "(?=a)" } }, "properties": { "a": { "pattern": "a" } } });
    assert_eq!(problems(&few), []);
}
