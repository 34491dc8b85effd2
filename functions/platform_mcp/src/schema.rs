//! From the description of a route to the schemas of a tool: its parameters and the fields of its body become the
//! input, its first successful answer the output. What the description refers to moves into `$defs`.

use serde_json::{Map, Value, json};

/// A schema as MCP carries it.
pub type Schema = Map<String, Value>;

const DOCUMENT: &[u8] = include_bytes!("../../../docs/openapi.json");
const COMPONENTS: &str = "#/components/schemas/";
/// The formats that JSON Schema 2020-12 names; those of OpenAPI (`int32`) are unknown to validators.
const FORMATS: [&str; 4] = ["date", "date-time", "uri", "uuid"];

/// Where a tool's argument goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Into the path.
    Path,
    /// Into the query.
    Query,
    /// Into a header.
    Header,
    /// Into the body.
    Body,
}

/// A parameter or a field of the body.
#[derive(Debug, Clone)]
pub struct Field {
    /// As the route names it.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Whether it may not be left out.
    pub required: bool,
    /// What it may be.
    pub schema: Value,
}

/// The OpenAPI document.
#[derive(Debug)]
pub struct Document(Value);

impl Document {
    /// Of all routes, as it is committed.
    pub fn of_the_api() -> Self {
        Self(serde_json::from_slice(DOCUMENT).unwrap_or_default())
    }

    /// Whether there are routes under this path.
    pub fn has_under(&self, prefix: &str) -> bool {
        self.0["paths"].as_object().is_some_and(|paths| paths.keys().any(|path| path.starts_with(prefix)))
    }

    /// The description of a route; none when there is no such route.
    pub fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        self.0.get("paths")?.get(path)?.get(method)
    }

    /// What a route takes.
    pub fn fields(&self, operation: &Value) -> Vec<Field> {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let mut fields: Vec<Field> = parameters.filter_map(parameter).collect();
        let body = self.resolved(&operation["requestBody"]["content"]["application/json"]["schema"]);
        let required = body["required"].as_array().cloned().unwrap_or_default();
        let of_body = body["properties"].as_object().into_iter().flatten();
        fields.extend(of_body.map(|(name, schema)| Field {
            name: name.clone(),
            place: Place::Body,
            required: required.iter().any(|each| each == name),
            schema: portable(schema),
        }));
        fields
    }

    /// What a route answers when it succeeds; an empty answer is an empty object.
    pub fn output(&self, operation: &Value) -> Schema {
        let content = |status: &str| {
            operation.get("responses")?.get(status)?.pointer("/content/application~1json/schema")
        };
        let answer = ["200", "201", "202"].into_iter().find_map(content);
        let schema = answer.map_or_else(|| json!({}), |schema| portable(self.resolved(schema)));
        self.object(schema.as_object().cloned().unwrap_or_default())
    }

    /// The schema as one of an object that needs nothing outside itself.
    pub fn object(&self, mut schema: Schema) -> Schema {
        schema.insert("type".to_owned(), "object".into());
        let mut definitions = Map::new();
        let mut open = referred(&Value::Object(schema.clone()));
        while let Some(name) = open.pop() {
            if !definitions.contains_key(&name) {
                let definition = portable(&self.0["components"]["schemas"][&name]);
                open.extend(referred(&definition));
                definitions.insert(name, definition);
            }
        }
        if !definitions.is_empty() {
            schema.insert("$defs".to_owned(), Value::Object(definitions));
        }
        schema
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let component = schema["$ref"].as_str().and_then(|name| name.strip_prefix(COMPONENTS));
        component.map_or(schema, |name| &self.0["components"]["schemas"][name])
    }
}

fn parameter(parameter: &Value) -> Option<Field> {
    let place = match parameter["in"].as_str()? {
        "path" => Place::Path,
        "query" => Place::Query,
        "header" => Place::Header,
        _ => return None,
    };
    let mut schema = portable(&parameter["schema"]);
    if let (Some(schema), Some(description)) = (schema.as_object_mut(), parameter.get("description")) {
        schema.insert("description".to_owned(), description.clone());
    }
    let required = parameter["required"].as_bool().unwrap_or(false);
    Some(Field { name: parameter["name"].as_str()?.to_owned(), place, required, schema })
}

/// A schema of the document as JSON Schema 2020-12.
///
/// `oneOf` becomes `anyOf`: the document writes the variants of an answer so, and what satisfies the longer of two
/// satisfies the shorter one as well.
fn portable(schema: &Value) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    let mut out = Map::new();
    for (keyword, value) in schema {
        let value = match (keyword.as_str(), value) {
            ("example" | "examples", _) => continue,
            ("format", Value::String(format)) if !FORMATS.contains(&format.as_str()) => continue,
            ("$ref", Value::String(reference)) => reference.replace(COMPONENTS, "#/$defs/").into(),
            // Their keys are names, not keywords.
            ("properties" | "patternProperties", Value::Object(named)) => {
                named.iter().map(|(name, schema)| (name.clone(), portable(schema))).collect()
            }
            ("default" | "const" | "enum", value) => value.clone(),
            (_, Value::Array(items)) => items.iter().map(portable).collect(),
            (_, value) => portable(value),
        };
        let keyword = if keyword == "oneOf" { "anyOf" } else { keyword };
        out.insert(keyword.to_owned(), value);
    }
    Value::Object(out)
}

/// The definitions that a schema refers to.
fn referred(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(map) => {
            let own = map.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
            own.map(str::to_owned).into_iter().chain(map.values().flat_map(referred)).collect()
        }
        Value::Array(items) => items.iter().flat_map(referred).collect(),
        _ => Vec::new(),
    }
}
