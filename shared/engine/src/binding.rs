//! What a step that calls a server is bound to: ids only, kept with the run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use types::ids::{ConnectionId, InstanceId, McpServerId};
use types::mcp::{AuthMode, Injection};

/// Bindings by what steps call their server: `instance_id` or `server_url`, as it is written there.
pub type Bindings = BTreeMap<String, Binding>;

/// What a run calls an instance with. Fixed at its start; ids and names only, never a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The instance.
    pub instance_id: InstanceId,
    /// Its server.
    pub server_id: McpServerId,
    /// The server's address.
    pub url: String,
    /// The version whose tools count; none when nothing is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// How calls authenticate when `inject` is empty.
    #[serde(default)]
    pub auth_mode: AuthMode,
    /// The connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_id: Option<ConnectionId>,
    /// Whose system the connection is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Which credentials go where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inject: Vec<Injection>,
    /// Settings that go with each call.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub settings: Map<String, Value>,
}
