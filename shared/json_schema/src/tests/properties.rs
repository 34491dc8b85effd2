//! Against the usual validator, which says the same wherever both are asked.

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

use super::{Rejected, check, problems};
use crate::violation::MESSAGE_SHOWN;
use types::suggest::cut;

const NAMES: [&str; 4] = ["a", "b", "ab", "c/~"];
const PATTERNS: [&str; 6] = ["^a", "b$", r"\d", "^.{2,}$", "(", r"^[\w/]+$"];
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
/// Keywords whose value is a schema.
const ONE: [&str; 11] = [
    "not",
    "if",
    "then",
    "else",
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
const LIMITS: [&str; 8] = [
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minContains",
    "maxContains",
];
const BOUNDS: [&str; 4] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

/// What was said of a place: where, by which keyword, and what.
type Said = Vec<(String, String, String)>;

fn number() -> impl Strategy<Value = Value> {
    select(vec![
        json!(0),
        json!(1),
        json!(2),
        json!(1.0),
        json!(-1),
        json!(0.5),
        json!(1.5),
        json!(0.1),
        json!(0.3),
        json!(9_007_199_254_740_993_u64),
        json!(9_007_199_254_740_992.0),
        json!(1e300),
    ])
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => number(),
        1 => select(vec![json!(null), json!(true), json!(false)]),
        2 => select(vec![json!(""), json!("a"), json!("ab"), json!("éß1"), json!("b1")]),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            members(inner, 4).prop_map(Value::Object),
        ]
    })
}

fn members(value: impl Strategy<Value = Value>, most: usize) -> impl Strategy<Value = Map<String, Value>> {
    vec((select(&NAMES[..]), value), 0..most)
        .prop_map(|entries| entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn names() -> impl Strategy<Value = Value> {
    vec(select(&NAMES[..]), 0..3).prop_map(Value::from)
}

/// A keyword without schemas, mostly with a value that it can have.
fn assertion() -> BoxedStrategy<(String, Value)> {
    let types = prop_oneof![
        4 => select(&TYPES[..]).prop_map(Value::from),
        1 => vec(select(&TYPES[..]), 0..3).prop_map(Value::from),
    ];
    let entry = |keyword: &str, value: BoxedStrategy<Value>| (Just(keyword.to_owned()), value).boxed();
    let sized = |value: i64| if value == 3 { json!(3.0) } else { json!(value) };
    prop_oneof![
        3 => entry("type", types.boxed()),
        1 => entry("const", value().boxed()),
        1 => entry("enum", vec(value(), 0..6).prop_map(Value::from).boxed()),
        2 => entry("required", names().boxed()),
        1 => entry("uniqueItems", any::<bool>().prop_map(Value::from).boxed()),
        1 => entry("pattern", select(&PATTERNS[..]).prop_map(Value::from).boxed()),
        1 => entry("dependentRequired", members(names(), 3).prop_map(Value::Object).boxed()),
        1 => entry("format", Just(json!("date")).boxed()),
        2 => (select(&LIMITS[..]).prop_map(str::to_owned), (0i64..4).prop_map(sized)),
        2 => (select(&BOUNDS[..]).prop_map(str::to_owned), number()),
        // Others are multiples of integers that only floats cannot hold, which the usual validator uses.
        1 => entry("multipleOf", select(vec![json!(1), json!(2.0), json!(0.5), json!(0.1)]).boxed()),
        // Mostly wrong.
        1 => (prop_oneof![select(&LIMITS[..]), select(&ONE[..]), select(&["$defs", "allOf", "$ref", "$comment"][..])]
            .prop_map(str::to_owned), value()),
    ]
    .boxed()
}

fn reference() -> BoxedStrategy<Value> {
    select(&["#/$defs/a", "#/$defs/b", "#named", "#/%24defs/a"][..])
        .prop_map(|target| json!({ "$ref": target }))
        .boxed()
}

/// A keyword with schemas below it. Those of members and items may come back to the whole.
fn applicator(schema: BoxedStrategy<Value>) -> BoxedStrategy<(String, Value)> {
    let below = prop_oneof![6 => schema.clone(), 1 => Just(json!({ "$ref": "#" }))].boxed();
    let by_pattern = vec((select(&PATTERNS[..]), below.clone()), 1..3).prop_map(|entries| {
        Value::Object(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    });
    prop_oneof![
        4 => (Just("properties".to_owned()), members(below.clone(), 4).prop_map(Value::Object)),
        1 => (Just("patternProperties".to_owned()), by_pattern),
        1 => (Just("dependentSchemas".to_owned()), members(schema.clone(), 2).prop_map(Value::Object)),
        1 => (Just("dependencies".to_owned()), members(schema.clone(), 2).prop_map(Value::Object)),
        1 => (Just("prefixItems".to_owned()), vec(below.clone(), 1..3).prop_map(Value::from)),
        1 => (Just("items".to_owned()), below),
        3 => (select(&["allOf", "anyOf", "oneOf"][..]).prop_map(str::to_owned),
            vec(schema.clone(), 1..4).prop_map(Value::from)),
        5 => (select(&ONE[..]).prop_map(str::to_owned), schema),
    ]
    .boxed()
}

fn object(entries: Vec<(String, Value)>) -> Value {
    Value::Object(entries.into_iter().collect())
}

/// A schema; its references lead to the definitions, which have none at their own level.
fn schema(references: bool) -> BoxedStrategy<Value> {
    let plain = vec(assertion(), 0..3).prop_map(object);
    let leaf = prop_oneof![
        6 => plain,
        1 => any::<bool>().prop_map(Value::from),
        if references { 2 } else { 1 } => if references { reference() } else { Just(json!({})).boxed() },
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        (vec(assertion(), 0..2), vec(applicator(inner.boxed()), 1..4), option::weighted(0.2, reference()))
            .prop_map(move |(mut entries, applicators, reference)| {
                entries.extend(applicators);
                if let (true, Some(Value::Object(reference))) = (references, reference) {
                    entries.extend(reference);
                }
                object(entries)
            })
            .boxed()
    })
    .boxed()
}

fn document() -> impl Strategy<Value = Value> {
    (schema(true), schema(false), schema(false)).prop_map(|(mut schema, a, b)| {
        if let Some(map) = schema.as_object_mut() {
            map.insert(
                "$defs".to_owned(),
                json!({ "a": a, "b": b, "c": { "$anchor": "named", "anyOf": [true] } }),
            );
        }
        schema
    })
}

fn said<'e>(errors: impl Iterator<Item = ValidationError<'e>>) -> Said {
    let mut said: Said = errors
        .map(|error| {
            let message = cut(&error.masked().to_string(), MESSAGE_SHOWN).into_owned();
            (error.instance_path().to_string(), error.kind().keyword().to_owned(), message)
        })
        .collect();
    said.sort();
    said
}

fn ours(violations: &[super::super::Violation]) -> Said {
    let mut said: Said =
        violations.iter().map(|it| (it.pointer.clone(), it.keyword.clone(), it.message.clone())).collect();
    said.sort();
    said
}

/// Where the usual validator looks elsewhere for problems: for other documents also in definitions that nothing refers to;
/// and not into an `if` that nothing depends on, though what that looks at counts as evaluated.
fn is_judged_otherwise(map: &Map<String, Value>) -> bool {
    let reference = map.get("$ref").and_then(Value::as_str);
    let is_bare = map.contains_key("if") && !map.contains_key("then") && !map.contains_key("else");
    is_bare || reference.is_some_and(|reference| !reference.starts_with('#'))
}

/// An empty reference is one to the document (RFC 3986, 4.4); the usual validator looks at nothing there.
fn refers_to_nothing(map: &Map<String, Value>) -> bool {
    map.get("$ref").is_some_and(|reference| reference == "")
}

fn has(schema: &Value, is_such: fn(&Map<String, Value>) -> bool) -> bool {
    match schema {
        Value::Object(map) => is_such(map) || map.values().any(|below| has(below, is_such)),
        Value::Array(items) => items.iter().any(|below| has(below, is_such)),
        _ => false,
    }
}

fn usual(schema: &Value) -> Option<Validator> {
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    options.with_pattern_options(PatternOptions::regex()).build(schema).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_usual_validator_says_the_same(schema in document(), values in vec(value(), 1..8)) {
        let found = problems(&schema);
        let wrong = said(jsonschema::draft202012::meta::validator().iter_errors(&schema));
        if !wrong.is_empty() {
            prop_assert_eq!(ours(&found), wrong);
            return Ok(());
        }
        let usual = usual(&schema);
        if !has(&schema, is_judged_otherwise) {
            prop_assert_eq!(usual.is_some(), found.is_empty(), "{:?}", found);
        }
        let is_comparable = found.is_empty() && !has(&schema, refers_to_nothing);
        let Some(usual) = usual.filter(|_| is_comparable) else { return Ok(()) };
        for value in &values {
            match check(&schema, value) {
                Ok(()) => prop_assert!(usual.is_valid(value), "{}", value),
                Err(Rejected::Violations(found)) => {
                    prop_assert!(!usual.is_valid(value), "{}", value);
                    prop_assert_eq!(ours(&found), said(usual.iter_errors(value)), "{}", value);
                }
                Err(other) => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

#[test]
fn an_empty_reference_is_one_to_the_document() {
    for reference in ["", "#"] {
        let schema = json!({ "minimum": 1, "items": { "$ref": reference } });
        assert!(check(&schema, &json!([[1]])).is_ok());
        assert!(check(&schema, &json!([[0]])).is_err(), "{reference:?}");
    }
}
