//! `GET /v1/billing/usage-history`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadBilling, CommonErrors, Cursor, Page, Query};
use shared::billing::{Bucket, LedgerEntry, Microcredits, What};
use shared::types::clock::Timestamp;
use shared::types::ids::{ProjectId, RunId, WorkflowId};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Only entries of this kind.
    #[param(inline)]
    kind: Option<Kind>,
    /// How many, 1–100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

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

/// The ledger of a workspace, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryView {
    /// The entries.
    entries: Vec<EntryView>,
    /// Where more of them are.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
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

/// What was given to the workspace, what lapsed, and what its runs have used.
///
/// A run is debited at its end, and a long one after 50 steps or a minute. With `kind` a page may be short and
/// still have a `next_cursor`.
#[utoipa::path(get, path = "/v1/billing/usage-history", tag = "billing", params(HistoryQuery),
               responses((status = 200, body = HistoryView), CommonErrors))]
pub async fn usage_history(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryView>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let keep = |entry: &LedgerEntry| query.kind.is_none_or(|kind| kind == Kind::of(&entry.what));
    let tenant = &caller.place.tenant_id;
    let listed = state.store.list_ledger(tenant, page.limit, page.after, keep).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(HistoryView { entries: listed.rows.into_iter().map(Into::into).collect(), next_cursor }))
}
