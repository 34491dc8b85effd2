//! What a fuzzer calls with bytes, and so do the crate's tests: a schema and a value are made of them, and must be judged
//! without a panic, within a budget, and as the usual validator judges them.

use arbitrary::{Result, Unstructured};
use json_schema::{Rejected, check, check_in_part, check_within, problems, unchecked};
use jsonschema::{Draft, PatternOptions};
use serde_json::{Map, Value, json};

/// How deep a schema or a value is made.
const DEPTH_MAX: usize = 4;
/// How many values a schema is asked about.
const VALUES: usize = 12;
const NAMES: [&str; 5] = ["a", "b", "ab", "c/~", "é"];
const PATTERNS: [&str; 6] = ["^a", "b$", r"\d", "^.{2,}$", r"^[\w/]+$", "(a|ab)*c?"];
const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
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
/// Keywords whose schemas are held against the same value, so that a reference there could lead in circles.
const BESIDE: [&str; 7] = ["not", "if", "then", "else", "allOf", "anyOf", "oneOf"];
/// Keywords whose schemas are held against members and items.
const BELOW: [&str; 10] = [
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "properties",
    "patternProperties",
    "prefixItems",
    "dependentSchemas",
];

/// Judges what the bytes make.
///
/// # Panics
/// When something is judged wrongly.
pub fn fuzz(data: &[u8]) {
    match data.split_first() {
        // Two texts, which a fuzzer finds by and by: any schema, of which it is not known what others make of it.
        Some((b'{', _)) => texts(data),
        _ => {
            let mut bytes = Unstructured::new(data);
            let Ok((schema, values)) = case(&mut bytes) else { return };
            // One is enough for these, which read the schema many times.
            within_budgets(&schema, &values[0]);
            like_the_usual_validator(&schema, &values);
        }
    }
}

/// A schema and a value as JSON texts, with a line's end between them.
fn texts(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n').map(serde_json::from_slice::<Value>);
    if let (Some(Ok(schema)), Some(Ok(value))) = (parts.next(), parts.next()) {
        within_budgets(&schema, &value);
    }
}

/// A smaller budget gives the same answer or none, and what leaves parts out never refuses what the whole accepts.
fn within_budgets(schema: &Value, value: &Value) {
    let whole = check(schema, value);
    for budget in [0, 10, 1_000, 100_000] {
        let mut left = budget;
        let answer = check_within(schema, value, &mut left);
        assert!(left <= budget, "{schema} {value}");
        match (&answer, &whole) {
            (Err(Rejected::TooComplex), _) => {}
            // What is wrong may take more than that something is.
            (Err(Rejected::Violations(_)), Err(Rejected::Violations(_))) => {}
            _ => assert_eq!(answer, whole, "{budget} for {schema} {value}"),
        }
    }
    let in_part = check_in_part(schema, value);
    match whole {
        Ok(()) => assert_eq!(in_part, Ok(()), "{schema} {value}"),
        Err(Rejected::Violations(violations)) => assert_eq!(in_part, Err(violations), "{schema} {value}"),
        Err(Rejected::BadSchema(problems)) => assert!(!problems.is_empty(), "{schema}"),
        Err(Rejected::TooComplex) => {}
    }
    assert_eq!(problems(schema).is_empty(), unchecked(schema).is_empty(), "{schema}");
}

fn like_the_usual_validator(schema: &Value, values: &[Value]) {
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    let usual = options.with_pattern_options(PatternOptions::regex()).build(schema);
    let found = problems(schema);
    let Ok(usual) = usual else {
        assert!(!found.is_empty(), "only the usual validator refuses {schema}");
        return;
    };
    assert_eq!(found, [], "the usual validator takes {schema}");
    for value in values {
        match check(schema, value) {
            Ok(()) => assert!(usual.is_valid(value), "{schema} {value}"),
            Err(Rejected::Violations(_)) => assert!(!usual.is_valid(value), "{schema} {value}"),
            Err(Rejected::TooComplex) => {}
            Err(Rejected::BadSchema(_)) => unreachable!("it has no problems"),
        }
    }
}

/// A schema that both know how to read, and values for it.
fn case(bytes: &mut Unstructured<'_>) -> Result<(Value, Vec<Value>)> {
    let mut whole = schema(bytes, DEPTH_MAX, Some("#/$defs/a"))?;
    // Definitions refer to nothing that is held against the same value.
    let definitions = json!({
        "a": schema(bytes, 2, None)?,
        "b": { "$dynamicAnchor": "named", "anyOf": [schema(bytes, 1, None)?, true] },
        "c": { "$anchor": "plain", "items": { "$dynamicRef": "#named" } },
    });
    if let Some(map) = whole.as_object_mut() {
        map.insert("$defs".to_owned(), definitions);
    }
    let values = (0..VALUES).map(|_| value(bytes, DEPTH_MAX)).collect::<Result<_>>()?;
    Ok((whole, values))
}

/// A schema, with references where they lead in no circles; `whole` leads out of the definitions.
fn schema(bytes: &mut Unstructured<'_>, depth: usize, whole: Option<&str>) -> Result<Value> {
    if bytes.ratio(1, 12)? {
        return Ok(Value::Bool(bytes.arbitrary()?));
    }
    let mut map = Map::new();
    for _ in 0..bytes.int_in_range(0..=2)? {
        let (keyword, value) = assertion(bytes)?;
        map.insert(keyword.to_owned(), value);
    }
    if let (Some(whole), true) = (whole, bytes.ratio(1, 5)?) {
        map.insert("$ref".to_owned(), json!(bytes.choose(&[whole, "#/%24defs/b", "#plain", "#named"])?));
    }
    if depth > 0 {
        for _ in 0..bytes.int_in_range(0..=3)? {
            let (keyword, value) = applicator(bytes, depth - 1, whole)?;
            map.insert(keyword.to_owned(), value);
        }
    }
    // The usual validator does not look into an `if` that nothing depends on, though what that looks at is evaluated.
    if map.contains_key("if") && !map.contains_key("then") && !map.contains_key("else") {
        map.insert("then".to_owned(), Value::Bool(true));
    }
    Ok(Value::Object(map))
}

fn assertion(bytes: &mut Unstructured<'_>) -> Result<(&'static str, Value)> {
    Ok(match bytes.int_in_range(0..=9)? {
        0 => ("type", json!(bytes.choose(&TYPES)?)),
        1 => ("type", json!([bytes.choose(&TYPES[..3])?, bytes.choose(&TYPES[3..])?])),
        2 => ("const", value(bytes, 2)?),
        3 => ("enum", json!([value(bytes, 1)?, value(bytes, 1)?])),
        4 => ("required", json!([bytes.choose(&NAMES)?])),
        5 => ("uniqueItems", Value::Bool(bytes.arbitrary()?)),
        6 => ("pattern", json!(bytes.choose(&PATTERNS)?)),
        7 => ("dependentRequired", json!({ *bytes.choose(&NAMES)?: [bytes.choose(&NAMES)?] })),
        8 => (*bytes.choose(&LIMITS)?, json!(bytes.int_in_range(0..=4)?)),
        _ => (*bytes.choose(&BOUNDS)?, number(bytes)?),
    })
}

fn applicator(
    bytes: &mut Unstructured<'_>,
    depth: usize,
    whole: Option<&str>,
) -> Result<(&'static str, Value)> {
    if bytes.arbitrary()? {
        let keyword = *bytes.choose(&BESIDE)?;
        let one = schema(bytes, depth, whole)?;
        let many = keyword.ends_with("Of");
        return Ok((keyword, if many { json!([one, schema(bytes, depth, whole)?]) } else { one }));
    }
    let keyword = *bytes.choose(&BELOW)?;
    let is_beside = keyword == "dependentSchemas";
    // Members and items are smaller, so that the way back to the whole ends.
    let one =
        if !is_beside && bytes.ratio(1, 8)? { json!({ "$ref": "#" }) } else { schema(bytes, depth, whole)? };
    Ok((
        keyword,
        match keyword {
            "properties" | "dependentSchemas" => json!({ *bytes.choose(&NAMES)?: one }),
            "patternProperties" => json!({ *bytes.choose(&PATTERNS)?: one }),
            "prefixItems" => json!([one]),
            _ => one,
        },
    ))
}

fn number(bytes: &mut Unstructured<'_>) -> Result<Value> {
    let numbers = [
        json!(0),
        json!(1),
        json!(1.0),
        json!(-1),
        json!(0.1),
        json!(1.5),
        json!(9_007_199_254_740_993_u64),
        json!(9_007_199_254_740_992.0),
        json!(1e300),
    ];
    Ok(bytes.choose(&numbers)?.clone())
}

fn value(bytes: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    Ok(match bytes.int_in_range(0..=if depth > 0 { 9 } else { 5 })? {
        0 => Value::Null,
        1 => Value::Bool(bytes.arbitrary()?),
        2 | 3 => number(bytes)?,
        4 | 5 => json!(bytes.choose(&["", "a", "ab", "éß1", "b1"])?),
        6 | 7 => {
            let count = bytes.int_in_range(0..=3)?;
            (0..count).map(|_| value(bytes, depth - 1)).collect::<Result<_>>()?
        }
        _ => {
            let mut map = Map::new();
            for _ in 0..bytes.int_in_range(0..=3)? {
                map.insert((*bytes.choose(&NAMES)?).to_owned(), value(bytes, depth - 1)?);
            }
            Value::Object(map)
        }
    })
}
