//! Tools that find connectors and their tools for the author of a graph: which there are, which of them can be called
//! now, and what their tools take.

mod paging;
mod registered;
mod schemas;
mod search;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::api::CanReadMcp;

use super::Effect;
use super::own::{Context, Outcome, Own};
use paging::Paging;
use registered::{Connectors, text};

/// The tools.
pub const TOOLS: &[Own] = &[
    Own {
        name: "catalog_connectors_browse",
        title: "Browse connectors",
        description: "Lists connectors by name in three groups: ready (an instance can be called now), needs_connection \
            (the server is registered, but no instance has the credentials that it asks for, or it is disabled) and catalog \
            (well-known servers and registered ones without an instance). Start here, then catalog_tools_search.",
        effect: Effect::READS,
        allows: CanReadMcp::allows,
        input: browse_input,
        output: browse_output,
        run: |context, given| Box::pin(browse(context, given)),
    },
    search::TOOL,
    schemas::TOOL,
];

fn browse_input() -> Value {
    Paging::input(json!({}))
}

fn browse_output() -> Value {
    let group = |description: &str| {
        json!({
            "type": "object", "description": description,
            "properties": { "connectors": { "type": "array", "items": {
                "type": "object",
                "properties": {
                    "connector": { "type": "string", "description": "Its slug." },
                    "name": { "type": "string" },
                    "description": { "type": "string" },
                    "server_id": { "type": "string", "description": "When it is registered." },
                    "catalog_id": { "type": "string", "description":
                        "When it is not: POST /v1/mcp/instances with it makes an instance." },
                    "status": { "type": "string" },
                    "tool_count": { "type": "integer" },
                    "instances": { "type": "integer", "description": "How many there are." }
                },
                "required": ["connector", "name"]
            } } },
            "required": ["connectors"]
        })
    };
    let groups = json!({
        "type": "object",
        "properties": {
            "ready": group("Can be called now."),
            "needs_connection": group("Registered, but no instance has credentials, or it is disabled."),
            "catalog": group("Without an instance.")
        },
        "required": ["ready", "needs_connection", "catalog"]
    });
    Paging::output("groups", &groups, "Connectors")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BrowseArguments {
    page: Option<usize>,
    page_size: Option<usize>,
}

async fn browse(context: Context<'_>, given: Map<String, Value>) -> Outcome {
    let arguments: BrowseArguments = context.arguments(given)?;
    let paging = Paging::checked(&context, arguments.page, arguments.page_size)?;
    let catalog = context.get("/v1/mcp/platform-catalog").await?;
    let connectors = Connectors::read(context).await?;
    let mut all: Vec<(&str, Value)> =
        connectors.servers.values().map(|server| grouped(&connectors, server)).collect();
    let is_registered =
        |entry: &Value| connectors.servers.values().any(|server| server["catalog_id"] == entry["id"]);
    let entries = catalog["entries"].as_array().into_iter().flatten().filter(|entry| !is_registered(entry));
    all.extend(entries.map(|entry| {
        let shown = json!({ "connector": entry["id"], "catalog_id": entry["id"], "name": entry["name"],
                            "description": entry["description"] });
        ("catalog", shown)
    }));
    all.sort_by(|(_, one), (_, other)| text(one, "connector").cmp(text(other, "connector")));
    let total = all.len();
    let mut groups: BTreeMap<&str, Vec<Value>> =
        ["ready", "needs_connection", "catalog"].map(|group| (group, Vec::new())).into();
    for (group, connector) in paging.of(all) {
        groups.entry(group).or_default().push(connector);
    }
    let groups: Map<String, Value> =
        groups.into_iter().map(|(group, all)| (group.to_owned(), json!({ "connectors": all }))).collect();
    Ok(paging.answer("groups", &groups.into(), total, connectors.is_cut))
}

/// A registered server and the group that it belongs to.
fn grouped(connectors: &Connectors, server: &Value) -> (&'static str, Value) {
    let instances = connectors.of_server(server);
    let callable = |instance: &Value| instance["enabled"] == true && instance["has_connection"] == true;
    let group = match server["status"] != "disabled" && instances.iter().any(callable) {
        true => "ready",
        false if instances.is_empty() => "catalog",
        false => "needs_connection",
    };
    let shown = json!({
        "connector": server["service"], "name": server["name"], "description": server["description"],
        "server_id": server["id"], "status": server["status"], "tool_count": server["tool_count"],
        "instances": instances.len(),
    });
    (group, shown)
}
