//! `catalog_bff_request`: any route of `/v1/mcp/*`, given by its method and path.

use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use shared::{Error, Result};

use super::route::plain;
use crate::api::{Answer, Call, encoded, segment};

/// What all these routes' paths begin with.
pub const PREFIX: &str = "/v1/mcp/";

/// Of the tool.
pub const DESCRIPTION: &str = "Sends a request to a route of /v1/mcp/*: the platform's catalog of MCP servers \
    (GET /v1/mcp/platform-catalog), servers, their versions and discovery (/v1/mcp/servers…), instances, their config \
    profiles and tools (/v1/mcp/instances…), all tools of the project (GET /v1/mcp/tools?q=). The answer is the route's \
    status and body. The routes and their fields are in /openapi.json.";

/// What the tool takes.
pub fn input() -> Value {
    json!({
        "type": "object",
        "properties": {
            "method": { "type": "string", "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"],
                        "description": "The method; GET reads." },
            "path": { "type": "string", "pattern": "^/v1/mcp/",
                      "description": "The path with its ids, such as /v1/mcp/servers; without the query." },
            "query": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] },
                       "description": "The query, by parameter." },
            "body": { "type": "object", "description": "The body of POST, PUT and PATCH." }
        },
        "required": ["method", "path"],
        "additionalProperties": false
    })
}

/// What the tool answers.
pub fn output() -> Value {
    json!({
        "type": "object",
        "properties": {
            "status": { "type": "integer", "description": "The status of the route's answer." },
            "body": { "description": "The route's answer; null when it is empty." }
        },
        "required": ["status", "body"]
    })
}

/// The request for these arguments.
///
/// # Errors
/// Invalid, naming the argument.
pub fn call(mut given: Map<String, Value>) -> Result<Call> {
    let (method, path) = (given.remove("method"), given.remove("path"));
    let (query, body) = (given.remove("query"), given.remove("body"));
    if let Some(unknown) = given.keys().next() {
        let message = format!("{unknown}: there is no such argument; there are: method, path, query, body.");
        return Err(Error::invalid(message));
    }
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let method = methods.into_iter().find(|each| method.as_ref().is_some_and(|given| given == each.as_str()));
    let method = method.ok_or_else(|| Error::invalid("method: must be GET, POST, PUT, PATCH or DELETE."))?;
    let mut target = path_to(path.as_ref().and_then(Value::as_str).unwrap_or_default())?;
    append(&mut target, query)?;
    let body = match body {
        None | Some(Value::Null) => (method != Method::GET && method != Method::DELETE).then(|| json!({})),
        Some(body @ Value::Object(_)) => Some(body),
        Some(_) => return Err(Error::invalid("body: must be an object.")),
    };
    Ok(Call { method, target, headers: HeaderMap::new(), body })
}

/// The status and body of a success, or the answer that is none.
pub fn succeeded(answer: Answer) -> Result<Value, Answer> {
    match answer.status.is_success() {
        true => Ok(json!({ "status": answer.status.as_u16(), "body": answer.body })),
        false => Err(answer),
    }
}

/// The path as it is sent. Each segment is a name that is written anew: what it is escaped as says nothing, what it
/// means is looked at.
///
/// # Errors
/// Invalid when it is no path of these routes.
fn path_to(path: &str) -> Result<String> {
    let wrong = || Error::invalid(format!("path: must be one of {PREFIX}… with its ids, without a query."));
    let rest = path.strip_prefix(PREFIX).filter(|rest| !rest.contains(['?', '#', '\\'])).ok_or_else(wrong)?;
    let name = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().map_err(|_| wrong())?;
        segment("path", &text).map_err(|_| wrong())
    };
    let names: Vec<String> = rest.split('/').map(name).collect::<Result<_>>()?;
    Ok(format!("{PREFIX}{}", names.join("/")))
}

fn append(target: &mut String, query: Option<Value>) -> Result<()> {
    let query = match query {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(query)) => query,
        Some(_) => return Err(Error::invalid("query: must be an object.")),
    };
    for (number, (name, value)) in query.iter().enumerate() {
        let text = plain(&format!("query.{name}"), value)?;
        target.push(if number == 0 { '?' } else { '&' });
        target.push_str(&format!("{}={}", encoded(name), encoded(&text)));
    }
    Ok(())
}
