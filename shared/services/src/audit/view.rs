//! Entries as callers see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use store::{Actor, AuditRecord};
use types::clock::Timestamp;
use types::ids::{AuditId, ConnectionId};

/// An entry of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// The entry.
    #[schema(value_type = uuid::Uuid)]
    id: AuditId,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What.
    #[schema(example = "pat.create")]
    action: String,
    /// How it ended. `begun` is an entry whose request is under way, or was when its process died.
    outcome: AuditOutcome,
    /// The status of the answer; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// Who. Empty for the operator.
    actor: Actor,
    /// Method and path of the request.
    #[schema(example = "POST /v1/pats")]
    target: String,
    /// What was made: its id; of a version its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<String>,
    /// With the action `credential.send`: the connection whose credentials were sent, or were refused to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    connection_id: Option<ConnectionId>,
    /// With the action `credential.send`: the key of a model provider that was sent; one of the deployment's by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_key_id: Option<String>,
    /// With the action `credential.send`: where to, with the port unless that is 443.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "mcp.example.com")]
    host: Option<String>,
    /// Finds the request in the logs.
    request_id: String,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It is under way, or was when its process died: look at the thing itself.
    Begun,
    /// It was done.
    Done,
    /// It was refused, and nothing was done.
    Refused,
    /// It failed; it may have been done.
    Failed,
}

impl From<store::AuditOutcome> for AuditOutcome {
    fn from(outcome: store::AuditOutcome) -> Self {
        match outcome {
            store::AuditOutcome::Begun => Self::Begun,
            store::AuditOutcome::Done => Self::Done,
            store::AuditOutcome::Refused => Self::Refused,
            store::AuditOutcome::Failed => Self::Failed,
        }
    }
}

impl From<AuditRecord> for AuditEntry {
    fn from(record: AuditRecord) -> Self {
        let AuditRecord { id, at, action, outcome, status, actor, target, made, sent, request_id, place: _ } =
            record;
        let outcome = outcome.into();
        let (connection_id, provider_key_id, host) = match sent {
            Some(sent) => (sent.connection_id, sent.provider_key_id, Some(sent.host)),
            None => (None, None, None),
        };
        Self {
            id,
            at,
            action,
            outcome,
            status,
            actor,
            target,
            made,
            connection_id,
            provider_key_id,
            host,
            request_id,
        }
    }
}
