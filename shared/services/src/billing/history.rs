//! The ledger as callers see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::AppState;
use billing::{Bucket, LedgerEntry, Microcredits, What};
use platform::boxed;
use store::Listed;
use types::Result;
use types::clock::Timestamp;
use types::ids::{ProjectId, RunId, TenantId, WorkflowId};

/// What kind of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LedgerEntryKind)]
pub enum Kind {
    /// Credits that were given.
    Grant,
    /// What was left and is no more.
    Lapse,
    /// What a run has used.
    Debit,
}

/// An entry of the ledger.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntryView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What kind.
    kind: Kind,
    /// What caused it; no two entries have the same.
    #[schema(example = "run/0199c000-0000-7000-8000-000000000001/1")]
    cause: String,
    /// How much; a million of them is a credit.
    microcredits: Microcredits,
    /// Of grants and lapses: for what.
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<Bucket>,
    /// Of grants: when what is left of it lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Of grants: for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Of debits: the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    run_id: Option<RunId>,
    /// Of debits: its project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    project_id: Option<ProjectId>,
    /// Of debits: its workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    workflow_id: Option<WorkflowId>,
    /// Of debits: how many step attempts succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<u64>,
}

impl Kind {
    fn of(what: &What) -> Self {
        match what {
            What::Grant { .. } => Self::Grant,
            What::Lapse { .. } => Self::Lapse,
            What::Debit { .. } => Self::Debit,
        }
    }
}

impl From<LedgerEntry> for EntryView {
    fn from(entry: LedgerEntry) -> Self {
        let kind = Kind::of(&entry.what);
        let LedgerEntry { at, cause, microcredits, what } = entry;
        let bare = Self {
            at,
            kind,
            cause,
            microcredits,
            bucket: None,
            expires_at: None,
            note: None,
            run_id: None,
            project_id: None,
            workflow_id: None,
            steps: None,
        };
        match what {
            What::Grant { bucket, expires_at, note, .. } => {
                Self { bucket: Some(bucket), expires_at, note, ..bare }
            }
            What::Lapse { bucket, .. } => Self { bucket: Some(bucket), ..bare },
            What::Debit { run_id, project_id, workflow_id, steps, .. } => Self {
                run_id: Some(run_id),
                project_id: Some(project_id),
                workflow_id: Some(workflow_id),
                steps: Some(steps),
                ..bare
            },
        }
    }
}

/// The ledger of a workspace, newest first, after a place in it; with a kind only entries of this kind.
///
/// # Errors
/// When the database does not answer.
#[boxed]
pub async fn history(
    state: &AppState,
    tenant: &TenantId,
    only: Option<Kind>,
    limit: usize,
    after: Option<String>,
) -> Result<Listed<EntryView>> {
    let keep = |entry: &LedgerEntry| only.is_none_or(|kind| kind == Kind::of(&entry.what));
    let listed = state.store.list_ledger(tenant, limit, after, keep).await?;
    Ok(Listed { rows: listed.rows.into_iter().map(EntryView::from).collect(), next: listed.next })
}
