//! State in DynamoDB: one table, one file per aggregate. The embedded server of the local process and of the
//! tests speaks the same wire API, so there is no second implementation.

mod access;
mod answer;
mod answers;
mod audit;
mod blob;
mod connections;
mod counters;
mod deadlines;
pub mod delivery;
mod item;
mod keys;
mod ledger;
mod llm_keys;
mod mcp;
mod members;
mod pats;
mod projects;
mod quota_guard;
mod quotas;
mod run_lists;
mod runs;
mod schema;
pub mod sender;
pub mod service;
mod standings;
mod tasks;
mod tenants;
#[cfg(test)]
mod tests;
mod trail;
mod triggers;
mod unowned;
mod validations;
mod walk;
mod webhooks;
mod workflow_tools;
mod workflows;

use aws_sdk_dynamodb::Client;

use types::clock::Clock;

pub use answers::{ANSWERS_KEPT_FOR, Claim, Claimed, KeyedRequest, OWNED_FOR};
pub use audit::TrailSpan;
pub use blob::stored_json;
pub use blob::{decode as decode_value, encode as encode_value};
pub use connections::{ConnectionRecord, ConnectionUse, ConnectionUser, Entered};
pub use counters::Spread;
pub use deadlines::{Due, DuePage, DueRow};
pub use keys::DEADLINE_SHARDS;
pub use ledger::BeforeStart;
pub use llm_keys::{LlmKeyRecord, MOST_LLM_KEYS};
pub use mcp::{InstanceRecord, McpServerRecord, McpVersionRecord, NewMcpVersion, ProfileRecord};
pub use members::{MOST_PATS, MemberRecord};
pub use pats::{PatChange, PatRecord};
pub use projects::ProjectRecord;
pub use quota_guard::QuotaGuard;
pub use quotas::Counted;
pub use run_lists::{Feed, RunRow};
pub use runs::{Beside, FirstRun, PageIndex, RunChange, RunRecord, StoredInput};
pub use tasks::TaskRecord;
pub use tenants::{NewAdmin, NewTenant};
pub use trail::{AUDIT_KEPT_FOR, Actor, AuditRecord, CredentialUse, Outcome as AuditOutcome};
pub use triggers::{MOST_TRIGGERS, TriggerRecord};
pub use unowned::DueSecret;
pub use walk::Listed;
pub use webhooks::{DeliveryRecord, Receipt, SigningKey, SubscriptionRecord};
pub use workflow_tools::{ToolChange, WorkflowToolRecord};
pub use workflows::{Draft, NewVersion, Version, WorkflowRecord, WorkflowStatus};

/// What led to an error: another one, or a sentence.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a read or write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The row is not as the writer expected it: somebody else was faster, or it exists already.
    #[error("the row has changed")]
    Conflict,
    /// A transaction is writing the row just now, and nothing is known of what comes of it. Of a counter, another row
    /// will do.
    #[error("a row is being written by others")]
    Busy,
    /// DynamoDB does not answer, or not now.
    #[error("DynamoDB: {0}")]
    Unavailable(Cause),
    /// A row cannot be read, or a value cannot be written.
    #[error("stored data: {0}")]
    Corrupt(Cause),
    /// A row was written by a later version of this program.
    #[error("a row of form {0}, which this version does not know")]
    Newer(u64),
}

impl From<StoreError> for types::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::overtaken(),
            StoreError::Busy => {
                Self::unavailable("The database", "a row was being written by others every time")
            }
            StoreError::Unavailable(cause) => {
                Self::unavailable("The database", "DynamoDB").with_source(cause)
            }
            StoreError::Corrupt(cause) => Self::internal_from(cause).with_context("stored data"),
            StoreError::Newer(form) => Self::newer("A row", form),
        }
    }
}

/// The table. Cloning shares the client.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
    /// Measures the pauses before what was refused is sent again.
    clock: Clock,
}

impl Store {
    /// The table of this name behind this client.
    pub fn new(client: Client, table: impl Into<String>, clock: Clock) -> Self {
        Self { client, table: table.into(), clock }
    }
}
