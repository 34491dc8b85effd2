//! `catalog_tools_search`: tools by name or by words, with the instances to call them on.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::api::CanReadMcp;

use super::super::Effect;
use super::super::own::{Context, Outcome, Own};
use super::paging::{MAX_NAMES, Paging};
use super::registered::{Connectors, text};
use crate::api::{Answer, encoded};

/// The tool.
pub const TOOL: Own = Own {
    name: "catalog_tools_search",
    title: "Search tools of connectors",
    description: "Finds tools among the project's instances: those of exactly the names in tools, and those whose name or \
        description has all words of query. Answers by connector, each with its tools and with the instances that all of \
        them can be called on; choose one with has_connection. Then catalog_tools_schema for the arguments.",
    effect: Effect::READS,
    allows: CanReadMcp::allows,
    input,
    output,
    run: |context, given| Box::pin(search(context, given)),
};

fn input() -> Value {
    Paging::input(json!({
        "tools": { "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": MAX_NAMES,
                   "description": "Exact names." },
        "query": { "type": "string", "description": "Words, in any case." }
    }))
}

fn output() -> Value {
    let connectors = json!({ "type": "array", "items": {
        "type": "object",
        "properties": {
            "connector": { "type": "string", "description": "Its slug." },
            "server_id": { "type": "string" },
            "name": { "type": "string" },
            "tools": { "type": "array", "items": {
                "type": "object",
                "properties": { "name": { "type": "string" }, "description": { "type": "string" } },
                "required": ["name", "description"] } },
            "instances": { "type": "array", "items": {
                "type": "object",
                "properties": { "instance_id": { "type": "string" }, "name": { "type": "string" },
                                "enabled": { "type": "boolean" }, "has_connection": { "type": "boolean" } },
                "required": ["instance_id", "name", "enabled", "has_connection"] } }
        },
        "required": ["connector", "server_id", "name", "tools", "instances"] } });
    Paging::output("connectors", &connectors, "Tools")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    tools: Option<Vec<String>>,
    query: Option<String>,
    page: Option<usize>,
    page_size: Option<usize>,
}

async fn search(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let arguments: Arguments = context.arguments(given)?;
    let paging = Paging::checked(&context, arguments.page, arguments.page_size)?;
    let query = arguments.query.filter(|query| !query.trim().is_empty());
    let names = arguments.tools.unwrap_or_default();
    if names.is_empty() && query.is_none() {
        return Err(context.invalid("tools, query: give exact names, words to look for, or both.".to_owned()));
    }
    if names.len() > MAX_NAMES {
        return Err(context.invalid(format!("tools: at most {MAX_NAMES} names.")));
    }
    let mut found = Found::default();
    for name in names {
        found.read(context, &format!("name={}", encoded(&name))).await?;
    }
    if let Some(query) = query {
        found.read(context, &format!("q={}", encoded(&query))).await?;
    }
    let connectors = Connectors::read(context).await?;
    let total = found.tools.len();
    let page = paging.of(found.tools.into_iter().collect());
    let page = by_connector(&connectors, page);
    Ok(paging.answer("connectors", &page.into(), total, found.is_cut || connectors.is_cut))
}

/// Tools, each once for all instances of its server.
#[derive(Default)]
struct Found {
    /// Server, name, description.
    tools: BTreeSet<(String, String, String)>,
    is_cut: bool,
}

impl Found {
    async fn read(&mut self, context: Context<'_>, filter: &str) -> Result<(), Answer> {
        let (rows, is_cut) = context.entries(&format!("/v1/mcp/tools?{filter}&"), "tools").await?;
        let key = |row: &Value| -> (String, String, String) {
            ["server_id", "name", "description"].map(|name| text(row, name).to_owned()).into()
        };
        self.tools.extend(rows.iter().map(key));
        self.is_cut |= is_cut;
        Ok(())
    }
}

fn by_connector(connectors: &Connectors, tools: Vec<(String, String, String)>) -> Vec<Value> {
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for (server, name, description) in tools {
        let tool = json!({ "name": name, "description": description });
        match groups.last_mut().filter(|(last, _)| *last == server) {
            Some((_, tools)) => tools.push(tool),
            None => groups.push((server, vec![tool])),
        }
    }
    // A server may have gone since its tools were read.
    let shown = |(id, tools): (String, Vec<Value>)| {
        let server = connectors.servers.get(&id)?;
        Some(json!({ "connector": server["service"], "server_id": id, "name": server["name"], "tools": tools,
                     "instances": connectors.of_server(server) }))
    };
    groups.into_iter().filter_map(shown).collect()
}
