//! Schemas of others, which nobody here can correct: what of a schema cannot be checked is left out and reported, and
//! the rest is checked.
//!
//! What is left out must never make a schema stricter. A keyword is left out of a schema by not asking it; what the
//! schema decides about others (`not`, `oneOf`, `if`, `maxContains`, `unevaluated…`) is then loosened wherever it
//! depends on what was left out.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    evaluate::{Answer, evaluate},
    index::{Index, Lenient},
    metaschema,
    rules::{Id, Rule, Schema},
    violation::{BUDGET, VIOLATIONS_MAX, Violation},
};

/// Keywords that only annotate: whatever stands there, nothing is left unchecked.
const ANNOTATIONS: [&str; 13] = [
    "$comment",
    "$vocabulary",
    "contentEncoding",
    "contentMediaType",
    "default",
    "deprecated",
    "description",
    "examples",
    "format",
    "readOnly",
    "title",
    "writeOnly",
    "$schema",
];
/// Keywords of which a part that is wrong makes the whole unusable.
const UNDIVIDED: [&str; 4] = ["type", "enum", "required", "dependentRequired"];
/// They are one rule, which looks itself at what it can use.
const MEMBERS: [&str; 3] = ["properties", "patternProperties", "additionalProperties"];
/// Keywords whose value has schemas by name.
const NAMED: [&str; 6] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
/// The dialects whose keywords mean what is checked here, or are left out where they do not.
const DIALECTS: &str = "json-schema.org/";

/// A part of a schema that values are not checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// Where in the schema, below `$`.
    pub path: String,
    /// The keyword that is not checked.
    pub keyword: String,
    /// Why.
    pub message: String,
}

/// What of a schema is not checked; empty when all of it is.
pub fn unchecked(schema: &Value) -> Vec<Unchecked> {
    let (_, mut left_out) = usable_in_part(schema);
    let dialect = schema.get("$schema").and_then(Value::as_str);
    if dialect.is_some_and(|dialect| !dialect.contains(DIALECTS)) {
        let message = "the dialect is not known; its keywords are checked as those of 2020-12";
        left_out.push(Unchecked {
            path: "$.$schema".to_owned(),
            keyword: "$schema".to_owned(),
            message: message.to_owned(),
        });
    }
    left_out
}

/// Checks a value against what of a schema can be checked. What would take too long to find out counts as satisfied.
///
/// # Errors
/// What is wrong with the value.
pub fn check_in_part(schema: &Value, value: &Value) -> Result<(), Vec<Violation>> {
    let (Some(index), _) = usable_in_part(schema) else { return Ok(()) };
    let mut budget = BUDGET;
    match evaluate(&index, value, &mut budget) {
        Answer::Satisfied | Answer::TooComplex => Ok(()),
        Answer::Violated(violations) => Err(violations),
    }
}

/// What of a schema can be evaluated; nothing when it is not even looked through.
fn usable_in_part(schema: &Value) -> (Option<Index<'_>>, Vec<Unchecked>) {
    let whole = |why: &str| {
        let why = format!("nothing of the schema is checked: {why}");
        (None, vec![Unchecked { path: "$".to_owned(), keyword: String::new(), message: why }])
    };
    if !schema.is_object() && !schema.is_boolean() {
        return whole("a schema is an object or a boolean");
    }
    let mut budget = BUDGET;
    let wrong = metaschema::violations(schema, &mut budget);
    if wrong.len() >= VIOLATIONS_MAX {
        return whole("too much of it is invalid");
    }
    if let Some(violation) = wrong.iter().find(|violation| violation.pointer.is_empty()) {
        return whole(&violation.message);
    }
    let invalid = wrong.into_iter().map(|violation| (violation.pointer, violation.message)).collect();
    let mut index = Index::empty(schema, budget);
    index.lenient = Some(Lenient { invalid, ..Lenient::default() });
    index.add_document(schema);
    // Pointers into other documents may be the same.
    if let Some(lenient) = &mut index.lenient {
        lenient.invalid.clear();
    }
    index.resolve_pending();
    let mut left_out: Vec<Unchecked> = index.take_problems().into_iter().map(Unchecked::from).collect();
    let mut seen = HashSet::new();
    left_out.retain(|each| seen.insert(each.path.clone()));
    if index.schemas.is_empty() {
        return (None, left_out);
    }
    index.loosen();
    (Some(index), left_out)
}

impl From<Violation> for Unchecked {
    fn from(violation: Violation) -> Self {
        // A schema that is none is named by what it stands below.
        let mut parts = violation.pointer.rsplit('/').take(2);
        let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let is_entry = last.parse::<usize>().is_ok() || NAMED.contains(&before);
        let keyword = match &*violation.keyword {
            "" if is_entry => before,
            "" => last,
            keyword => keyword,
        };
        Self { path: violation.path, keyword: keyword.to_owned(), message: violation.message }
    }
}

impl<'s> Index<'s> {
    /// Whether the keyword where the walk is violates the metaschema, so that it is not asked.
    pub(super) fn is_left_out(&mut self, keyword: &str) -> bool {
        let Some(lenient) = &self.lenient else { return false };
        if lenient.invalid.is_empty() || ANNOTATIONS.contains(&keyword) {
            return false;
        }
        let below = format!("{}/", self.pointer);
        let part = |(pointer, why): (&String, &String)| {
            (UNDIVIDED.contains(&keyword) && pointer.starts_with(&below)).then(|| why.clone())
        };
        let whole = lenient.invalid.get(&self.pointer).cloned();
        let Some(why) = whole.or_else(|| lenient.invalid.iter().find_map(part)) else { return false };
        self.problem(keyword, &why);
        !MEMBERS.contains(&keyword)
    }

    /// A schema that anything satisfies, in place of one that is left out.
    pub(super) fn anything(&mut self) -> Option<Id> {
        let next = self.schemas.len();
        let lenient = self.lenient.as_mut()?;
        if let Some(known) = lenient.anything {
            return Some(known);
        }
        lenient.anything = Some(next);
        lenient.tainted.insert(next);
        self.schemas.push(Schema { rules: Vec::new(), resource: 0, wants_marks: false });
        Some(next)
    }

    /// Loosens what would be stricter because something below it was left out.
    fn loosen(&mut self) {
        let tainted = self.tainted();
        if !tainted.contains(&true) {
            return;
        }
        for (_, schema) in self.schemas.iter_mut().enumerate().filter(|(id, _)| tainted[*id]) {
            let has = |id: &Id| tainted[*id];
            schema.rules.retain(|rule| match rule {
                Rule::Not(_, schema) | Rule::If(schema, ..) => !has(schema),
                Rule::UnevaluatedProperties(_) | Rule::UnevaluatedItems(_) => false,
                _ => true,
            });
            for rule in &mut schema.rules {
                match rule {
                    Rule::OneOf(schemas) if schemas.iter().any(has) => {
                        *rule = Rule::AnyOf(std::mem::take(schemas));
                    }
                    Rule::Contains(contains) if has(&contains.schema) => contains.at_most = u64::MAX,
                    _ => {}
                }
            }
            schema.wants_marks = false;
        }
    }

    /// Which schemas depend on what was left out.
    fn tainted(&self) -> Vec<bool> {
        let mut tainted = vec![false; self.schemas.len()];
        let mut open: Vec<Id> =
            self.lenient.iter().flat_map(|lenient| lenient.tainted.iter().copied()).collect();
        if open.is_empty() {
            return tainted;
        }
        let mut above: Vec<Vec<Id>> = vec![Vec::new(); self.schemas.len()];
        for (id, schema) in self.schemas.iter().enumerate() {
            for rule in &schema.rules {
                self.below(rule).into_iter().for_each(|below| above[below].push(id));
                // Where it leads is known only on the way.
                if let Rule::Reference(reference) = rule
                    && self.references[*reference].dynamic.is_some()
                {
                    open.push(id);
                }
            }
        }
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut tainted[id], true) {
                open.extend(&above[id]);
            }
        }
        tainted
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn left_out(schema: &Value) -> Vec<(String, String)> {
        unchecked(schema).into_iter().map(|each| (each.path, each.keyword)).collect()
    }

    #[test]
    fn left_out_parts_are_named_and_the_rest_is_checked() {
        let rest = json!({ "type": "string", "minLength": 2 });
        for (keyword, value) in [
            ("pattern", json!("^(?=a)")),
            ("pattern", json!("(?<!a)b")),
            ("pattern", json!("(a)\\1")),
            ("pattern", json!("(")),
            ("pattern", json!("a".repeat(20_000))),
            ("pattern", json!(5)),
            ("$ref", json!("https://example.com/other.json")),
            ("$ref", json!("#/$defs/nowhere")),
            ("$ref", json!("#nowhere")),
            ("$ref", json!({})),
            ("maxLength", json!("ten")),
            ("maxLength", json!(-1)),
            ("enum", json!("a")),
            ("required", json!(true)),
            ("required", json!([1])),
            ("exclusiveMinimum", json!(true)),
            ("multipleOf", json!(0)),
            ("items", json!([{ "type": "string" }])),
            ("items", json!("string")),
            ("additionalProperties", json!("no")),
            ("properties", json!([])),
            ("patternProperties", json!([])),
            ("allOf", json!({})),
            ("allOf", json!([])),
            ("anyOf", json!([])),
            ("not", json!("x")),
            ("if", json!("x")),
            ("dependentRequired", json!({ "a": "b" })),
        ] {
            let mut part = rest.clone();
            part[keyword] = value.clone();
            let schema = json!({ "type": "object", "properties": { "a": part, "b": { "type": "number" } } });
            let found = left_out(&schema);
            assert_eq!(found.len(), 1, "{keyword} {value}: {found:?}");
            assert_eq!(found[0].1, keyword, "{value}");
            assert!(found[0].0.starts_with("$.properties.a"), "{found:?}");
            assert_eq!(check_in_part(&schema, &json!({ "a": "abc", "b": 1 })), Ok(()), "{keyword} {value}");
            for wrong in [json!({ "a": "x" }), json!({ "a": 5 }), json!({ "a": "abc", "b": "x" })] {
                assert!(check_in_part(&schema, &wrong).is_err(), "{keyword} {value}: {wrong}");
            }
        }
    }

    #[test]
    fn a_type_or_a_definition_that_is_wrong_is_left_out_alone() {
        let schema = json!({ "type": "object", "properties": {
            "a": { "type": "strin", "minimum": 5 }, "b": 5, "c": { "$ref": "#/$defs/c" }, "d": { "title": 5 },
        }, "required": ["a"], "$defs": { "c": { "type": "string", "pattern": "(?=x)" }, "unused": { "pattern": "(" } } });
        let found = left_out(&schema);
        let keywords: Vec<&str> = found.iter().map(|(_, keyword)| keyword.as_str()).collect();
        assert_eq!(keywords.len(), 3, "{found:?}");
        for keyword in ["type", "properties", "pattern"] {
            assert!(keywords.contains(&keyword), "{found:?}");
        }
        assert_eq!(check_in_part(&schema, &json!({ "a": "x", "b": [], "c": "y", "d": 1 })), Ok(()));
        for wrong in [json!({}), json!({ "a": 4 }), json!({ "a": 5, "c": 5 })] {
            assert!(check_in_part(&schema, &wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_left_out_never_makes_a_schema_stricter() {
        let ahead = json!({ "pattern": "(?=a)" });
        for (schema, value) in [
            (json!({ "not": ahead }), json!("b")),
            (json!({ "not": { "$ref": "#/$defs/x" }, "$defs": { "x": ahead } }), json!("b")),
            (json!({ "oneOf": [ahead, { "type": "string" }] }), json!("b")),
            (json!({ "if": ahead, "then": false }), json!("b")),
            (json!({ "contains": ahead, "maxContains": 0, "minContains": 0 }), json!(["b"])),
            (
                json!({ "patternProperties": { "(?=a)": {} }, "additionalProperties": false }),
                json!({ "a": 1 }),
            ),
            (
                json!({ "patternProperties": { "(?=a)": {} }, "unevaluatedProperties": false }),
                json!({ "a": 1 }),
            ),
            (
                json!({ "allOf": [{ "$ref": "https://other.example" }], "unevaluatedProperties": false }),
                json!({ "a": 1 }),
            ),
            (json!({ "properties": [], "additionalProperties": false }), json!({ "a": 1 })),
            (json!({ "anyOf": [] }), json!(1)),
            (json!({ "$ref": "#" }), json!(1)),
            (json!({ "items": [5], "unevaluatedItems": false }), json!([1])),
            (json!({ "contains": {}, "minContains": "0" }), json!([])),
            (json!({ "$dynamicRef": "#gone", "not": { "$dynamicRef": "#gone" } }), json!(1)),
            (json!("string"), json!(1)),
            (json!({ "propertyNames": ahead }), json!({ "b": 1 })),
        ] {
            assert_eq!(check_in_part(&schema, &value), Ok(()), "{schema}");
        }
        assert_eq!(left_out(&json!({ "$schema": "https://example.com/dialect" }))[0].1, "$schema");
        assert_eq!(left_out(&json!({ "$schema": "http://json-schema.org/draft-07/schema#" })), []);
        assert_eq!(left_out(&json!([]))[0].0, "$");
    }
}
