//! What the project has registered.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::own::Context;
use crate::api::Answer;

/// The project's servers and instances, as far as a thousand each.
pub(super) struct Connectors {
    /// By id.
    pub(super) servers: BTreeMap<String, Value>,
    instances: Vec<Value>,
    /// Whether there are more than were read.
    pub(super) is_cut: bool,
}

impl Connectors {
    pub(super) async fn read(context: Context<'_>) -> Result<Self, Answer> {
        let (servers, servers_cut) = context.entries("/v1/mcp/servers", "servers").await?;
        let (instances, instances_cut) = context.entries("/v1/mcp/instances", "instances").await?;
        let servers = servers.into_iter().map(|server| (text(&server, "id").to_owned(), server)).collect();
        Ok(Self { servers, instances, is_cut: servers_cut || instances_cut })
    }

    /// A server's instances, as authors of `mcp_call` steps choose among them.
    pub(super) fn of_server(&self, server: &Value) -> Vec<Value> {
        let own = self.instances.iter().filter(|instance| instance["server_id"] == server["id"]);
        own.map(|instance| {
            json!({
                "instance_id": instance["id"], "name": instance["name"], "enabled": instance["enabled"],
                "has_connection": server["auth_mode"] == "none" || instance["connection_id"].is_string(),
            })
        })
        .collect()
    }
}

/// A text of what a route answered; empty when there is none.
pub(super) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}
