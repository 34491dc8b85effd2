use serde_json::{Value, json};

use super::fill_defaults_and_check;

fn schema() -> Value {
    json!({
        "type": "object", "required": ["customer", "limit"],
        "properties": {
            "customer": { "type": "object", "properties": { "tier": { "type": "string", "default": "x" } } },
            "limit": { "type": "integer", "default": 10 },
            "tags": { "type": "array", "items": { "type": "string" }, "default": [] },
        },
    })
}

#[test]
fn top_level_defaults_fill_missing_keys_before_the_check() {
    let filled = fill_defaults_and_check(Some(&schema()), json!({ "customer": {} }));
    assert_eq!(filled, Ok(json!({ "customer": {}, "limit": 10, "tags": [] })));
}

#[test]
fn what_is_given_is_kept_even_when_it_is_null() {
    let issues =
        fill_defaults_and_check(Some(&schema()), json!({ "customer": {}, "limit": null })).unwrap_err();
    assert_eq!(issues.len(), 1);
    assert_eq!(issues[0].json_path, "$.limit");
}

#[test]
fn every_violation_is_reported_with_its_path() {
    let issues =
        fill_defaults_and_check(Some(&schema()), json!({ "limit": "x", "tags": ["a", 1] })).unwrap_err();
    let found: Vec<_> = issues.iter().map(|issue| (issue.code, issue.json_path.as_str())).collect();
    assert_eq!(found, [("input_invalid", "$"), ("input_invalid", "$.limit"), ("input_invalid", "$.tags[1]")]);
}

#[test]
fn without_a_schema_anything_goes() {
    assert_eq!(fill_defaults_and_check(None, json!([1])), Ok(json!([1])));
}

#[test]
fn an_input_that_is_no_object_is_the_schemas_to_judge() {
    assert!(fill_defaults_and_check(Some(&schema()), json!("text")).is_err());
    assert_eq!(fill_defaults_and_check(Some(&json!({})), json!("text")), Ok(json!("text")));
}

#[test]
fn a_bad_schema_refuses_every_input_and_names_itself() {
    let issues = fill_defaults_and_check(Some(&json!({ "type": "objekt" })), json!({})).unwrap_err();
    assert_eq!(issues[0].code, "invalid_schema");
}

#[test]
fn a_schema_that_takes_too_long_refuses_rather_than_stalls() {
    let mut defs = serde_json::Map::new();
    for level in 0..40 {
        let below = json!({ "$ref": format!("#/$defs/d{}", level + 1) });
        defs.insert(format!("d{level}"), json!({ "allOf": [below, below] }));
    }
    defs.insert("d40".to_owned(), json!({}));
    let schema = json!({ "$ref": "#/$defs/d0", "$defs": defs });
    let issues = fill_defaults_and_check(Some(&schema), json!({})).unwrap_err();
    assert_eq!(issues[0].code, "schema_too_complex");
}
