//! Entries of the ledger: written once, never changed.

use serde::{Deserialize, Serialize};

use super::account::Used;
use super::{Bucket, Microcredits};
use types::clock::Timestamp;
use types::ids::{ProjectId, RunId, WorkflowId};

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// When.
    pub at: Timestamp,
    /// What caused it; no two entries of a tenant have the same.
    pub cause: String,
    /// How much.
    pub microcredits: Microcredits,
    /// What it is.
    pub what: What,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Credits that were given.
    Grant {
        /// For what.
        bucket: Bucket,
        /// When what is left of them lapses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
        /// For people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// Its place among the changes of the account.
        change: Change,
    },
    /// What was left and is no more.
    Lapse {
        /// Of this bucket.
        bucket: Bucket,
        /// Only of what ended at this time; all of the bucket when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expired: Option<Timestamp>,
        /// Its place among the changes of the account.
        change: Change,
    },
    /// What a run has used since its last debit.
    Debit {
        /// The run.
        run_id: RunId,
        /// Its project.
        project_id: ProjectId,
        /// Its workflow.
        workflow_id: WorkflowId,
        /// How many attempts succeeded.
        steps: u64,
        /// It was used while nothing was refused.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        free: bool,
    },
}

/// Where a grant or lapse stands among the changes of an account: from these, and from the debits, the account can be
/// worked out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Counted from 1.
    pub nth: u64,
    /// What was used by then.
    pub used: Used,
}
