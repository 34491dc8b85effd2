//! The list form of `input_schema`: `[ { "name", "type", "optional" } ]`, as exported graphs write it, and the JSON
//! Schema that it stands for.
//!
//! A graph keeps the form that its author wrote; whoever reads it ([`read`](super::read)) sees a JSON Schema.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::shape::wrong_type;
use types::issue::{Check, Issue};
use types::json_path;
use types::suggest::{closest, quote};

/// Where the list stands.
const PLACE: &str = "$.input_schema";

/// What a field's type may be called, and the type of JSON Schema that it is; none takes any value.
const TYPES: [(&str, Option<&str>); 22] = [
    ("string", Some("string")),
    ("number", Some("number")),
    ("integer", Some("integer")),
    ("boolean", Some("boolean")),
    ("object", Some("object")),
    ("array", Some("array")),
    ("null", Some("null")),
    ("any", None),
    ("json", None),
    ("text", Some("string")),
    ("short_text", Some("string")),
    ("long_text", Some("string")),
    ("email", Some("string")),
    ("url", Some("string")),
    ("date", Some("string")),
    ("datetime", Some("string")),
    ("int", Some("integer")),
    ("float", Some("number")),
    ("double", Some("number")),
    ("bool", Some("boolean")),
    ("list", Some("array")),
    ("map", Some("object")),
];

/// The keys of a field that are not keywords of its schema.
const OWN_KEYS: [&str; 4] = ["name", "type", "optional", "required"];

/// Both forms, for the JSON Schema of a graph.
pub(super) fn both_forms(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "object" },
            { "type": "array", "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": { "type": "string", "minLength": 1 },
                    "type": { "type": ["string", "array", "null"] },
                    "optional": { "type": ["boolean", "null"], "default": false },
                },
            } },
            { "type": "null" },
        ],
    })
}

/// The JSON Schema that a list of fields stands for. Further keys of a field (`description`, `default`, `enum`,
/// `form_visible`, …) are taken over into its schema.
pub(super) fn schema_of(fields: &[Value], issues: &mut Vec<Issue>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let path = format!("{PLACE}[{index}]");
        let Value::Object(field) = field else {
            issues.push(wrong_type(&path, "a field", "an object with a name and a type", field));
            continue;
        };
        let Some(name) = name(field, &path, issues) else { continue };
        let mut property: Map<String, Value> = field
            .iter()
            .filter(|(key, _)| !OWN_KEYS.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if let Some(types) = types(field.get("type"), &path, issues) {
            property.insert("type".to_owned(), types);
        }
        if is_required(field, &path, issues) {
            required.push(name);
        }
        if properties.insert(name.to_owned(), Value::Object(property)).is_some() {
            let message = format!("the field {:?} is there twice", quote(name));
            issues.push(error("invalid_value", &format!("{path}.name"), message).suggest("list it once"));
        }
    }
    let mut schema = json!({ "type": "object" });
    if !properties.is_empty() {
        schema["properties"] = Value::Object(properties);
        schema["required"] = json!(required);
    }
    schema
}

fn name<'a>(field: &'a Map<String, Value>, path: &str, issues: &mut Vec<Issue>) -> Option<&'a str> {
    let path = format!("{path}.name");
    match field.get("name") {
        Some(Value::String(name)) if !name.is_empty() => Some(name),
        Some(Value::String(_)) | Some(Value::Null) | None => {
            let issue = error("invalid_value", &path, "the field has no name".to_owned());
            issues.push(issue.suggest("add the name of the key that it describes"));
            None
        }
        Some(other) => {
            issues.push(wrong_type(&path, "name", "a string", other));
            None
        }
    }
}

/// The value of the keyword `type`; none takes any value.
fn types(written: Option<&Value>, path: &str, issues: &mut Vec<Issue>) -> Option<Value> {
    let path = format!("{path}.type");
    match written? {
        Value::Null => None,
        Value::String(name) => one_type(name, &path, issues).map(Value::from),
        Value::Array(names) if names.iter().all(Value::is_string) && !names.is_empty() => {
            let mut types: Vec<&str> = Vec::new();
            for name in names.iter().filter_map(Value::as_str) {
                let name = one_type(name, &path, issues)?;
                if !types.contains(&name) {
                    types.push(name);
                }
            }
            Some(json!(types))
        }
        other => {
            issues.push(wrong_type(&path, "type", "the name of a type", other));
            None
        }
    }
}

fn one_type(name: &str, path: &str, issues: &mut Vec<Issue>) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, found)) = TYPES.iter().find(|(known, _)| *known == lower) {
        return *found;
    }
    let known = TYPES.iter().map(|(known, _)| *known);
    let suggestion = match closest(&lower, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "use string, number, integer, boolean, object, array or any".to_owned(),
    };
    let message = format!("there is no type {:?}", quote(name));
    issues.push(error("invalid_value", path, message).suggest(suggestion));
    None
}

fn is_required(field: &Map<String, Value>, path: &str, issues: &mut Vec<Issue>) -> bool {
    let mut flag = |key: &str| match field.get(key) {
        None | Some(Value::Null) => None,
        Some(Value::Bool(flag)) => Some(*flag),
        Some(other) => {
            issues.push(wrong_type(&format!("{path}.{key}"), key, "true or false", other));
            None
        }
    };
    let (optional, required) = (flag("optional"), flag("required"));
    !optional.unwrap_or_else(|| required == Some(false))
}

fn error(code: &'static str, path: &str, message: String) -> Issue {
    Issue::error(Check::Graph, code, path, message)
}

/// Where a place in the schema of [`schema_of`] stands in the list.
pub(super) fn place_in_list(fields: &[Value], place: &str) -> Option<String> {
    let properties = place.strip_prefix(PLACE)?;
    fields.iter().enumerate().find_map(|(index, field)| {
        let property = json_path::key(".properties", field.get("name")?.as_str()?);
        let below = properties.strip_prefix(property.as_str())?;
        (below.is_empty() || below.starts_with(['.', '['])).then(|| format!("{PLACE}[{index}]{below}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(fields: &Value) -> Value {
        let mut issues = Vec::new();
        let schema = schema_of(fields.as_array().unwrap(), &mut issues);
        assert_eq!(issues, []);
        schema
    }

    #[test]
    fn a_field_is_required_unless_it_is_optional() {
        let schema = converted(&json!([
            { "name": "a", "type": "string" },
            { "name": "b", "type": "number", "optional": false },
            { "name": "c", "type": "boolean", "optional": true, "description": "a flag", "default": true },
            { "name": "d", "optional": null, "form_visible": false },
            { "name": "e", "type": ["int", "null"], "required": false },
        ]));
        let wanted = json!({
            "type": "object",
            "properties": {
                "a": { "type": "string" },
                "b": { "type": "number" },
                "c": { "type": "boolean", "description": "a flag", "default": true },
                "d": { "form_visible": false },
                "e": { "type": ["integer", "null"] },
            },
            "required": ["a", "b", "d"],
        });
        assert_eq!(schema, wanted);
        assert_eq!(converted(&json!([])), json!({ "type": "object" }));
        assert_eq!(converted(&json!([{ "name": "x", "type": "Any" }]))["properties"]["x"], json!({}));
    }

    #[test]
    fn what_is_wrong_with_a_field_is_said_where_it_is() {
        let fields = json!([
            1, {}, { "name": 5 }, { "name": "" }, { "name": "a", "type": "strin" }, { "name": "a", "type": 3 },
            { "name": "b", "optional": "yes" },
        ]);
        let mut issues = Vec::new();
        schema_of(fields.as_array().unwrap(), &mut issues);
        let found: Vec<String> =
            issues.iter().map(|issue| format!("{} {}", issue.code, issue.json_path)).collect();
        let wanted = [
            "invalid_type $.input_schema[0]",
            "invalid_value $.input_schema[1].name",
            "invalid_type $.input_schema[2].name",
            "invalid_value $.input_schema[3].name",
            "invalid_value $.input_schema[4].type",
            "invalid_type $.input_schema[5].type",
            "invalid_value $.input_schema[5].name",
            "invalid_type $.input_schema[6].optional",
        ];
        assert_eq!(found, wanted);
        assert_eq!(issues[4].suggestion, "did you mean \"string\"?");
    }

    #[test]
    fn places_in_the_schema_lead_back_to_the_list() {
        let fields = [json!({ "name": "a" }), json!({ "name": "a b" })];
        let at = |place: &str| place_in_list(&fields, place);
        assert_eq!(at("$.input_schema.properties.a.pattern").as_deref(), Some("$.input_schema[0].pattern"));
        assert_eq!(at("$.input_schema.properties[\"a b\"]").as_deref(), Some("$.input_schema[1]"));
        assert_eq!(at("$.input_schema.properties.ab"), None);
    }
}
