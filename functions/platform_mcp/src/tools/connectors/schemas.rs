//! `catalog_tools_schema`: what tools take and answer.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::api::CanReadMcp;

use super::super::Effect;
use super::super::own::{Context, Outcome, Own};
use super::paging::MAX_NAMES;
use super::registered::text;
use crate::api::{Answer, encoded, segment};

/// The most bytes of schemas of an answer: those beyond are asked for by themselves.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The tool.
pub const TOOL: Own = Own {
    name: "catalog_tools_schema",
    title: "Read the schemas of tools",
    description: "Reads the input_schema and output_schema of up to 20 tools by their exact names, as catalog_tools_search \
        gives them. The schemas are the server's, the same for all of its instances. Build an mcp_call step's tool_args \
        from input_schema, and references to {{steps.<id>.result.*}} from output_schema. errors names the tools that \
        could not be read; the others are answered all the same.",
    effect: Effect::READS,
    allows: CanReadMcp::allows,
    input,
    output,
    run: |context, given| Box::pin(schemas(context, given)),
};

fn input() -> Value {
    json!({
        "type": "object",
        "properties": { "tools": {
            "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": MAX_NAMES,
            "description": "Exact names of tools." } },
        "required": ["tools"],
        "additionalProperties": false
    })
}

fn output() -> Value {
    json!({
        "type": "object",
        "properties": {
            "tools": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "name": { "type": "string" },
                    "connector": { "type": "string", "description": "The server's slug." },
                    "server_id": { "type": "string" },
                    "description": { "type": "string" },
                    "input_schema": { "type": "object" },
                    "output_schema": { "type": "object", "description": "Absent when the server gives none." },
                    "annotations": { "type": "object", "description": "The server's hints." }
                },
                "required": ["name", "connector", "server_id", "input_schema"] } },
            "errors": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "name": { "type": "string" },
                    "code": { "type": "string", "enum": ["not_found", "schema_unavailable", "server_detail_failed"] },
                    "message": { "type": "string" }
                },
                "required": ["name", "code", "message"] } }
        },
        "required": ["tools", "errors"]
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    tools: Vec<String>,
}

async fn schemas(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let Arguments { mut tools } = context.arguments(given)?;
    if tools.is_empty() || tools.len() > MAX_NAMES {
        return Err(
            context.invalid(format!("tools: must have 1 to {MAX_NAMES} names, it has {}.", tools.len()))
        );
    }
    let mut seen = BTreeSet::new();
    tools.retain(|name| seen.insert(name.clone()));
    let mut reading = Reading::default();
    for name in &tools {
        let target = format!("/v1/mcp/tools?name={}&", encoded(name));
        let mut servers: Vec<String> = context
            .entries(&target, "tools")
            .await?
            .0
            .iter()
            .map(|row| text(row, "server_id").to_owned())
            .collect();
        servers.sort();
        servers.dedup();
        if servers.is_empty() {
            reading.fail(
                name,
                "not_found",
                "no instance of the project has a tool of this name; see catalog_tools_search",
            );
        }
        for server in servers {
            reading.read(context, name, &server).await?;
        }
    }
    Ok(json!({ "tools": reading.tools, "errors": reading.errors }))
}

#[derive(Default)]
struct Reading {
    servers: BTreeMap<String, Value>,
    tools: Vec<Value>,
    bytes: usize,
    errors: Vec<Value>,
}

impl Reading {
    fn fail(&mut self, name: &str, code: &str, message: &str) {
        self.errors.push(json!({ "name": name, "code": code, "message": message }));
    }

    /// One tool of one server.
    async fn read(&mut self, context: Context<'_>, name: &str, id: &str) -> Result<(), Answer> {
        if !self.servers.contains_key(id) {
            let path = segment("server_id", id).map_err(|error| context.refusal(&error))?;
            match context.get(&format!("/v1/mcp/servers/{path}")).await {
                Ok(server) => drop(self.servers.insert(id.to_owned(), server)),
                Err(refused) if refused.status == StatusCode::FORBIDDEN => return Err(refused),
                Err(refused) => {
                    self.fail(name, "server_detail_failed", text(&refused.body, "error"));
                    return Ok(());
                }
            }
        }
        let found = self.servers.get(id).and_then(|server| {
            let mut tools = server["tools"].as_array()?.iter();
            let tool = tools.find(|tool| tool["name"] == name)?;
            Some((server["service"].clone(), tool.clone()))
        });
        let Some((connector, tool)) = found else {
            self.fail(name, "not_found", "the server has no such tool any more");
            return Ok(());
        };
        let size = tool.to_string().len();
        if self.bytes + size > MAX_BYTES {
            self.fail(
                name,
                "schema_unavailable",
                "the schemas of this call are too large together; ask for this one alone",
            );
            return Ok(());
        }
        self.bytes += size;
        let mut shown = json!({ "name": name, "connector": connector, "server_id": id });
        for field in ["description", "input_schema", "output_schema", "annotations"] {
            if let Some(value) = tool.get(field) {
                shown[field] = value.clone();
            }
        }
        self.tools.push(shown);
        Ok(())
    }
}
