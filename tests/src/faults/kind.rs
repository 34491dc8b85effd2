//! What AWS answers instead of doing what it is asked, and of what.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::{Value, json};

/// What a caller hears instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: the connection is dropped.
    Dropped,
    /// Nothing in time.
    Timeout,
    /// HTTP 500 `InternalServerError`.
    Internal,
    /// `ThrottlingException`.
    Throttling,
    /// `ProvisionedThroughputExceededException`.
    Throughput,
    /// `RequestLimitExceeded`.
    RequestLimit,
    /// `ConditionalCheckFailedException`.
    Condition,
    /// `TransactionConflictException`: a transaction is writing the item.
    Conflict,
    /// `TransactionInProgressException`: an attempt with the same token is under way.
    InProgress,
    /// A cancelled transaction, because of a condition.
    CancelledByCondition,
    /// A cancelled transaction, because of another one.
    CancelledByConflict,
    /// A cancelled transaction with `ThrottlingError`.
    CancelledByThrottling,
    /// A cancelled transaction with `ProvisionedThroughputExceeded`.
    CancelledByThroughput,
    /// An answer in which all keys are unprocessed.
    Unprocessed,
    /// `ValidationException`: a defect of ours, which no other attempt mends. Nothing of AWS's, so it takes no turns.
    Refused,
}

/// What is asked of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `GetItem`, `Query`, `Scan`.
    Read,
    /// `BatchGetItem`.
    BatchRead,
    /// `PutItem`, `UpdateItem`, `DeleteItem`.
    Write {
        /// Whether it has a condition.
        is_conditional: bool,
    },
    /// `TransactWriteItems`.
    Transaction {
        /// Whether one of its writes has a condition.
        is_conditional: bool,
    },
    /// Of the queue.
    Message,
    /// Of the secret store.
    Secret,
}

impl Operation {
    /// Of a request to DynamoDB.
    pub(super) fn of(target: &str, body: &Value) -> Self {
        match target.rsplit('.').next().unwrap_or_default() {
            "BatchGetItem" => Self::BatchRead,
            "TransactWriteItems" => {
                let is_conditional = writes(body).any(has_condition);
                Self::Transaction { is_conditional }
            }
            "PutItem" | "UpdateItem" | "DeleteItem" => Self::Write { is_conditional: has_condition(body) },
            _ => Self::Read,
        }
    }
}

/// Whether somebody else may just have seen to it that this write's condition does not hold. One on what is there, or is
/// not, fails only where that is so: it is left to the tests in which it is.
fn has_condition(write: &Value) -> bool {
    let guards = ["rev = :rev", "revision = :revision", "deadline_sk = :old"];
    write["ConditionExpression"].as_str().is_some_and(|condition| guards.contains(&condition))
}

/// The writes of a transaction.
fn writes(body: &Value) -> impl Iterator<Item = &Value> {
    let items = body["TransactItems"].as_array().into_iter().flatten();
    items.filter_map(|item| item.as_object()?.values().next())
}

impl Kind {
    /// Every kind that AWS has. `UnprocessedItems` is not among them: nothing uses `BatchWriteItem`.
    pub const ALL: [Self; 14] = [
        Self::Dropped,
        Self::Timeout,
        Self::Internal,
        Self::Throttling,
        Self::Throughput,
        Self::RequestLimit,
        Self::Condition,
        Self::Conflict,
        Self::InProgress,
        Self::CancelledByCondition,
        Self::CancelledByConflict,
        Self::CancelledByThrottling,
        Self::CancelledByThroughput,
        Self::Unprocessed,
    ];

    /// The table of what AWS can answer: to which operations, and whether only to one that had no effect.
    pub fn is_possible(self, operation: &Operation, is_before: bool) -> bool {
        use Operation::{BatchRead, Message, Read, Secret, Transaction, Write};
        let is_dynamodb = !matches!(operation, Message | Secret);
        match self {
            // The network and broken machines: anywhere, and nobody knows what was done.
            Self::Dropped | Self::Timeout => true,
            Self::Internal => matches!(operation, Read | BatchRead | Write { .. } | Transaction { .. }),
            // Refusals: what is refused was not done.
            Self::Throttling | Self::Throughput | Self::RequestLimit | Self::Refused => {
                is_before && is_dynamodb
            }
            Self::Condition => is_before && *operation == (Write { is_conditional: true }),
            Self::Conflict => is_before && matches!(operation, Write { .. }),
            Self::CancelledByCondition => is_before && *operation == (Transaction { is_conditional: true }),
            Self::CancelledByConflict | Self::CancelledByThrottling | Self::CancelledByThroughput => {
                is_before && matches!(operation, Transaction { .. })
            }
            // An attempt that is under way may be carried out, or not.
            Self::InProgress => matches!(operation, Transaction { .. }),
            Self::Unprocessed => is_before && *operation == BatchRead,
        }
    }

    /// Status and body of the answer to this request; none when there is no answer.
    pub(super) fn answer(self, operation: &Operation, body: &Value, call: usize) -> Option<(u16, String)> {
        let error = |name: &str| (400, exception(name, &json!({})));
        Some(match self {
            Self::Dropped | Self::Timeout => return None,
            Self::Internal => (500, exception("InternalServerError", &json!({}))),
            Self::Throttling => error("ThrottlingException"),
            Self::Throughput => error("ProvisionedThroughputExceededException"),
            Self::RequestLimit => error("RequestLimitExceeded"),
            Self::Refused => error("ValidationException"),
            Self::Condition => error("ConditionalCheckFailedException"),
            Self::Conflict => error("TransactionConflictException"),
            Self::InProgress => error("TransactionInProgressException"),
            Self::CancelledByCondition => cancelled("ConditionalCheckFailed", body, call),
            Self::CancelledByConflict => cancelled("TransactionConflict", body, call),
            Self::CancelledByThrottling => cancelled("ThrottlingError", body, call),
            Self::CancelledByThroughput => cancelled("ProvisionedThroughputExceeded", body, call),
            Self::Unprocessed => {
                debug_assert_eq!(*operation, Operation::BatchRead);
                (200, json!({ "Responses": {}, "UnprocessedKeys": body["RequestItems"] }).to_string())
            }
        })
    }

    /// What the SDK hears of a request that is not answered.
    pub(super) fn connector_error(self) -> BoxError {
        match self {
            Self::Timeout => ConnectorError::timeout("no answer in time".into()).into(),
            _ => ConnectorError::io("the connection was dropped".into()).into(),
        }
    }
}

fn exception(name: &str, more: &Value) -> String {
    let mut body = more.clone();
    body["__type"] = json!(format!("com.amazonaws.dynamodb.v20120810#{name}"));
    body["message"] = json!("a fault of a test");
    body.to_string()
}

/// A transaction that was cancelled because of one of its writes, another one for each call.
fn cancelled(code: &str, body: &Value, call: usize) -> (u16, String) {
    let needs_condition = code == "ConditionalCheckFailed";
    let is_it = |write: &Value| !needs_condition || has_condition(write);
    let may: Vec<usize> =
        writes(body).enumerate().filter(|(_, write)| is_it(write)).map(|(at, _)| at).collect();
    let it = may[call % may.len()];
    let code_at = |at: usize| if at == it { code } else { "None" };
    let reasons: Vec<Value> = (0..writes(body).count()).map(|at| json!({ "Code": code_at(at) })).collect();
    (400, exception("TransactionCanceledException", &json!({ "CancellationReasons": reasons })))
}
