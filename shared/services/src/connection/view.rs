//! Connections as callers see them: never a value.

use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use super::credentials::CredentialWarning;
use store::service::Service;
use store::{ConnectionRecord, ConnectionUser};
use types::clock::Timestamp;
use types::ids::{ConnectionId, InstanceId};

/// Whether a connection can be used.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStatus {
    /// Its credentials are kept.
    Active,
}

/// A connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionView {
    /// The connection.
    #[schema(value_type = uuid::Uuid)]
    id: ConnectionId,
    /// Its name.
    #[schema(example = "Ticket system")]
    name: String,
    /// Whose system it is for.
    #[schema(example = "custom")]
    provider: String,
    /// What kind of credentials it holds.
    service: Service,
    /// Whether it can be used; one that is not there yet, or no longer, is not shown.
    status: ConnectionStatus,
    /// The names of its credentials.
    #[schema(example = json!(["api_key"]))]
    credential_keys: Vec<String>,
    /// The hosts that its credentials may be sent to, each with its port unless that is 443; null for a connection of an older
    /// version that has not been used since.
    #[schema(example = json!(["mcp.example.com"]))]
    allowed_hosts: Option<Vec<String>>,
    /// The instances of MCP servers that use it: by their active profile, or by a workflow's override.
    #[schema(value_type = Vec<uuid::Uuid>)]
    used_by: Vec<InstanceId>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When somebody changed it.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// What is to be known of credentials, where they were just set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<CredentialWarning>,
}

impl ConnectionView {
    /// A connection and who uses it.
    pub(super) fn new(record: ConnectionRecord, users: impl IntoIterator<Item = ConnectionUser>) -> Self {
        Self {
            id: record.id,
            name: record.name,
            provider: record.provider,
            service: record.service,
            status: ConnectionStatus::Active,
            credential_keys: record.credential_keys,
            allowed_hosts: record.allowed_hosts,
            used_by: instances(users),
            created_at: record.created_at,
            updated_at: record.updated_at,
            warnings: Vec::new(),
        }
    }

    /// The same, with what is to be known of its credentials.
    pub(super) fn warning(self, warnings: Vec<CredentialWarning>) -> Self {
        Self { warnings, ..self }
    }
}

/// The instances that use a connection, each once.
fn instances(users: impl IntoIterator<Item = ConnectionUser>) -> Vec<InstanceId> {
    users.into_iter().map(ConnectionUser::instance).collect::<BTreeSet<_>>().into_iter().collect()
}
