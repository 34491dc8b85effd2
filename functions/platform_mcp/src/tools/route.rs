//! From a tool's arguments to a request: each goes where the route wants it. What the route checks is left to it;
//! here only names and kinds are looked at, so that no argument is lost and none reaches beyond its place.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value, json};
use shared::{Error, Result};
use uuid::Uuid;

use super::Definition;
use crate::api::{Call, encoded, segment};
use crate::schema::{Field, Place, Schema};

/// A tool's way to its route.
#[derive(Debug)]
pub struct Route {
    definition: &'static Definition,
    method: Method,
    arguments: Vec<Argument>,
}

#[derive(Debug)]
struct Argument {
    /// As the tool names it.
    name: String,
    /// As the route takes it.
    field: Field,
}

impl Route {
    /// To the route of this definition, which takes these fields.
    pub fn new(definition: &'static Definition, fields: Vec<Field>) -> Option<Self> {
        let method = definition.method.to_ascii_uppercase().parse().ok()?;
        let arguments = fields.into_iter().map(|field| argument(definition, field)).collect();
        Some(Self { definition, method, arguments })
    }

    /// What the tool takes.
    pub fn input(&self) -> Schema {
        let properties: Map<String, Value> =
            self.arguments.iter().map(|each| (each.name.clone(), each.field.schema.clone())).collect();
        let required: Vec<&str> = self
            .arguments
            .iter()
            .filter(|each| each.field.required && !self.may_lack(each))
            .map(|each| each.name.as_str())
            .collect();
        let mut schema = Map::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), Value::Object(properties));
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        schema.insert("additionalProperties".to_owned(), false.into());
        schema
    }

    /// The request for these arguments.
    ///
    /// # Errors
    /// Invalid, naming the argument.
    pub fn call(&self, mut given: Map<String, Value>) -> Result<Call> {
        let known = |name: &&String| !self.arguments.iter().any(|each| each.name == **name);
        if let Some(unknown) = given.keys().find(known) {
            let names: Vec<&str> = self.arguments.iter().map(|each| each.name.as_str()).collect();
            let message = format!("{unknown}: there is no such argument; there are: {}.", names.join(", "));
            return Err(Error::invalid(message));
        }
        let mut target = self.definition.path.to_owned();
        let (mut query, mut headers, mut body) = (Vec::new(), HeaderMap::new(), Map::new());
        for argument in &self.arguments {
            let value = given.remove(&argument.name);
            match argument.field.place {
                Place::Path => target = self.fill(&target, argument, value)?,
                // A null is what models send for what they leave out.
                _ if value.as_ref().is_none_or(|value| value.is_null() && !argument.field.required) => {}
                Place::Query => {
                    let text = plain(&argument.name, &value.unwrap_or_default())?;
                    query.push(format!("{}={}", argument.field.name, encoded(&text)));
                }
                Place::Header => {
                    let (name, value) = header(argument, &value.unwrap_or_default())?;
                    headers.insert(name, value);
                }
                Place::Body => {
                    body.insert(argument.field.name.clone(), value.unwrap_or_default());
                }
            }
        }
        if !query.is_empty() {
            target = format!("{target}?{}", query.join("&"));
        }
        if let Some(amend) = self.definition.amend {
            amend(&mut body);
        }
        let body = (self.method != Method::GET).then_some(Value::Object(body));
        Ok(Call { method: self.method.clone(), target, headers, body })
    }

    fn may_lack(&self, argument: &Argument) -> bool {
        self.definition.without_id.is_some() && argument.name == self.definition.id
    }

    fn fill(&self, target: &str, argument: &Argument, value: Option<Value>) -> Result<String> {
        match (value, self.definition.without_id) {
            (None | Some(Value::Null), Some(path)) if self.may_lack(argument) => Ok(path.to_owned()),
            (None | Some(Value::Null), _) => Err(Error::invalid(format!("{}: is missing.", argument.name))),
            (Some(value), _) => {
                let text = plain(&argument.name, &value)?;
                // Others could lead to another route: `schema` stands where a workflow's id does.
                let is_uuid = || text.len() == 36 && Uuid::try_parse(&text).is_ok();
                if argument.field.schema["format"] == "uuid" && !is_uuid() {
                    return Err(Error::invalid(format!("{}: is not an id.", argument.name)));
                }
                let segment = segment(&argument.name, &text)?;
                Ok(target.replace(&format!("{{{}}}", argument.field.name), &segment))
            }
        }
    }
}

/// A field of the route as the tool shows it: ids by what they name, headers by what they are for.
fn argument(definition: &Definition, mut field: Field) -> Argument {
    let name = match (field.place, field.name.as_str()) {
        (Place::Path, "id") => definition.id.to_owned(),
        (Place::Header, "Prefer") => {
            field.schema = json!({
                "type": "integer", "minimum": 1, "maximum": 20,
                "description": "Of start: answer when the run is over, with its outputs, or after so many seconds."
            });
            "wait_s".to_owned()
        }
        (Place::Header, name) => name.to_ascii_lowercase().replace('-', "_"),
        (_, name) => name.to_owned(),
    };
    let described = definition.notes.iter().chain(NOTES).find(|(of, _)| *of == name);
    if let (Some((_, description)), Some(schema)) = (described, field.schema.as_object_mut())
        && (definition.notes.iter().any(|(of, _)| *of == name) || !schema.contains_key("description"))
    {
        schema.insert("description".to_owned(), (*description).into());
    }
    Argument { name, field }
}

/// What arguments mean that the routes do not describe: parts of their paths.
const NOTES: &[(&str, &str)] = &[
    ("workflow_id", "The workflow's id, as workflows_list and workflows_create give it."),
    ("run_id", "The run's id, as workflows_execute_command and workflows_list_runs give it."),
    ("task_id", "The task's id, as tasks_list_pending gives it."),
    ("server_id", "The MCP server's id, as catalog_connectors_browse and catalog_tools_search give it."),
    ("subscription_id", "The webhook's id, as inbound_webhooks_list gives it."),
    ("pat_id", "The token's id, as pats_list gives it."),
    (
        "expose_as_tool",
        "Offers the workflow, once it is published, as a tool of its own: name (letters, digits, underscores), description \
         (what it does and when to use it) and, if the graph's input_schema does not say it, the input_schema.",
    ),
    ("if_match", "The etag of the state that you have read: the change is refused if there is a newer one."),
    ("idempotency_key", "A key of your own for this one change: sent again with it, it is not made again."),
];

/// A value as text in a path or a query.
pub fn plain(name: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(yes) => Ok(yes.to_string()),
        _ => Err(Error::invalid(format!("{name}: must be a string, a number or a boolean."))),
    }
}

fn header(argument: &Argument, value: &Value) -> Result<(HeaderName, HeaderValue)> {
    let unusable = |_| Error::invalid(format!("{}: has characters that cannot be sent.", argument.name));
    let text = plain(&argument.name, value)?;
    if argument.field.name != "Prefer" {
        let value = HeaderValue::from_str(&text).map_err(unusable)?;
        let name = argument.field.name.parse().map_err(|_| Error::internal("a header without a name"))?;
        return Ok((name, value));
    }
    let seconds = text.parse::<u64>().ok().filter(|seconds| (1..=20).contains(seconds));
    let seconds = seconds.ok_or_else(|| Error::invalid("wait_s: must be 1 to 20."))?;
    let value = HeaderValue::from_str(&format!("wait={seconds}")).map_err(unusable)?;
    Ok((HeaderName::from_static("prefer"), value))
}
