//! State in DynamoDB: one table, one file per aggregate. The embedded server of the local process and of the
//! tests speaks the same wire API, so there is no second implementation.

mod answers;
mod audit;
mod blob;
mod connections;
mod counters;
mod deadlines;
mod item;
mod keys;
mod ledger;
mod llm_keys;
mod mcp;
mod members;
mod pats;
mod projects;
mod run_lists;
mod runs;
mod schema;
mod standings;
mod tasks;
mod tenants;
mod triggers;
mod unowned;
mod walk;
mod webhooks;
mod workflows;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;

pub use answers::{ANSWERS_KEPT_FOR, Claim, Claimed, KeyedRequest, OWNED_FOR};
pub use audit::TrailSpan;
pub use blob::stored_json;
pub(crate) use blob::{decode as decode_value, encode as encode_value};
pub use connections::{ConnectionRecord, ConnectionUse, ConnectionUser};
pub use counters::Spread;
pub use deadlines::{Due, DuePage, DueRun};
pub use item::FORM;
pub use keys::DEADLINE_SHARDS;
pub use llm_keys::{LlmKeyRecord, MOST_LLM_KEYS};
pub use mcp::{InstanceRecord, McpServerRecord, McpVersionRecord, NewMcpVersion, ProfileRecord};
pub use members::{MOST_PATS, MemberRecord};
pub use pats::{PatChange, PatRecord};
pub use projects::ProjectRecord;
pub use run_lists::{Feed, RunRow};
pub use runs::{Beside, FirstRun, PageIndex, RunChange, RunRecord, StoredInput};
pub use tasks::TaskRecord;
pub use tenants::{NewAdmin, NewTenant};
pub use triggers::{MOST_TRIGGERS, TriggerRecord};
pub use unowned::DueSecret;
pub use walk::Listed;
pub use webhooks::{DeliveryRecord, Receipt, SigningKey, SubscriptionRecord};
pub use workflows::{Draft, NewVersion, Version, WorkflowRecord, WorkflowStatus};

/// Why a read or write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The row is not as the writer expected it: somebody else was faster, or it exists already.
    #[error("the row has changed")]
    Conflict,
    /// A row that many write, a counter, is being written just now; another will do.
    #[error("a counter is busy")]
    Busy,
    /// DynamoDB does not answer, or not now.
    #[error("DynamoDB: {0}")]
    Unavailable(String),
    /// A row cannot be read, or a value cannot be written.
    #[error("stored data: {0}")]
    Corrupt(String),
    /// A row was written by a later version of this program.
    #[error("a row of form {0}, which this version does not know")]
    Newer(u64),
}

impl From<StoreError> for crate::Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::conflict(
                "CONFLICT",
                "Somebody else changed this at the same time; read it again and retry.",
            ),
            StoreError::Busy => Self::unavailable("The database", "a counter was busy every time"),
            StoreError::Unavailable(context) => Self::unavailable("The database", context),
            StoreError::Corrupt(context) => Self::internal(context),
            StoreError::Newer(form) => Self::newer("A row", form),
        }
    }
}

impl<E, R> From<SdkError<E, R>> for StoreError
where
    E: ProvideErrorMetadata + std::fmt::Debug + 'static,
    R: std::fmt::Debug,
{
    fn from(error: SdkError<E, R>) -> Self {
        if error.code() == Some("ConditionalCheckFailedException") {
            return Self::Conflict;
        }
        match &error {
            // The request itself was refused: trying again cannot help.
            SdkError::ServiceError(service) if service.err().code() == Some("ValidationException") => {
                Self::Corrupt(format!("DynamoDB refused a request: {:?}", service.err().message()))
            }
            _ => Self::Unavailable(describe(&error)),
        }
    }
}

fn describe<E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(service) => {
            format!("{:?}: {:?}", service.err().code(), service.err().message())
        }
        SdkError::ConstructionFailure(_) => "the request could not be built".to_owned(),
        SdkError::TimeoutError(_) => "timeout".to_owned(),
        SdkError::DispatchFailure(failure) => format!("dispatch: {failure:?}"),
        SdkError::ResponseError(_) => "unreadable answer".to_owned(),
        _ => "unknown failure".to_owned(),
    }
}

/// A transaction that was cancelled because a condition did not hold, or because it met another, is a
/// conflict: the caller reads again and decides anew. If it met another only on its last writes, those after `own`,
/// which add to counters, then what it says of everything else still holds.
fn transaction_error<R: std::fmt::Debug>(
    error: SdkError<TransactWriteItemsError, R>,
    own: usize,
) -> StoreError {
    if let SdkError::ServiceError(service) = &error
        && let TransactWriteItemsError::TransactionCanceledException(cancelled) = service.err()
    {
        let codes: Vec<&str> =
            cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap_or("None")).collect();
        let is_met = |code: &&str| matches!(*code, "ConditionalCheckFailed" | "TransactionConflict");
        let (owned, counters) = codes.split_at(own.min(codes.len()));
        if owned.iter().any(is_met) {
            return StoreError::Conflict;
        }
        if counters.iter().any(is_met) {
            return StoreError::Busy;
        }
        return StoreError::Unavailable(format!("transaction cancelled: {codes:?}"));
    }
    error.into()
}

/// The table. Cloning shares the client.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
}

impl Store {
    /// The table of this name behind this client.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}
