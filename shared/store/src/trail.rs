//! An entry of the audit trail.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use types::clock::Timestamp;
use types::ids::{AuditId, ConnectionId, MemberId, PatId, Place};
use types::role::Role;

/// How long entries are kept.
pub const AUDIT_KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3600);
/// The most characters of a target: paths are shorter, unless somebody plays with them.
const LONGEST_TARGET: usize = 500;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is under way, or was when its process died: look at the thing itself.
    Begun,
    /// It was done.
    Done,
    /// It was refused, and nothing was done.
    Refused,
    /// It failed; it may have been done.
    Failed,
}

/// Who did it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Actor {
    /// The token; none for the operator's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub pat_id: Option<PatId>,
    /// Whose token it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schema(value_type = Option<uuid::Uuid>)]
    pub member_id: Option<MemberId>,
    /// The role that the token had.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub role: Option<Role>,
}

/// A credential that leaves, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialUse {
    /// The connection whose credentials they are.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connection_id: Option<ConnectionId>,
    /// The key of a model provider; one of the deployment's by its name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider_key_id: Option<String>,
    /// The host, with its port unless that is 443.
    pub host: String,
}

/// An entry of the audit trail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditRecord {
    /// The entry; ids follow time.
    pub id: AuditId,
    /// Whose trail it stands in.
    #[serde(flatten)]
    pub place: Place,
    /// When.
    pub at: Timestamp,
    /// What: `workflow.publish`, `run.start`.
    pub action: String,
    /// Method and path.
    pub target: String,
    /// What was made: its id; of a version its number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made: Option<String>,
    /// The credential that was sent out, or would have been.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sent: Option<CredentialUse>,
    /// Who.
    pub actor: Actor,
    /// Finds the request in the logs.
    pub request_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The status of the answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
}

impl AuditRecord {
    /// An entry of something that begins now.
    pub fn new(now: Timestamp, place: &Place, actor: Actor, action: impl Into<String>, target: &str) -> Self {
        Self {
            id: AuditId::fresh(now),
            place: place.clone(),
            at: now,
            action: action.into(),
            target: target.chars().take(LONGEST_TARGET).collect(),
            made: None,
            sent: None,
            actor,
            request_id: String::new(),
            outcome: Outcome::Begun,
            status: None,
        }
    }

    /// The same, of an act that makes this.
    #[must_use]
    pub fn made(mut self: Box<Self>, id: String) -> Box<Self> {
        self.made = Some(id);
        self
    }

    /// Ends it with the status of the answer.
    pub fn end(&mut self, status: u16) {
        self.status = Some(status);
        self.outcome = match status {
            0..400 => Outcome::Done,
            400..500 => Outcome::Refused,
            _ => Outcome::Failed,
        };
    }
}
