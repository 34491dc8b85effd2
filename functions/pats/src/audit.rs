//! `GET /v1/audit`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanAudit, CommonErrors, Cursor, Page, Query};
use shared::services::audit::{self, AuditEntry, AuditOutcome, TrailFilter};
use shared::types::clock::Timestamp;
use shared::types::ids::{AuditId, MemberId, PatId};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Which entries, and where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only entries with this action: `pat.create`, `run.start`; or with actions on this kind of thing: `pat`.
    #[param(example = "pat.create")]
    action: Option<String>,
    /// Only what was done with this token.
    #[param(value_type = Option<uuid::Uuid>)]
    pat_id: Option<PatId>,
    /// Only what was done by this member.
    #[param(value_type = Option<uuid::Uuid>)]
    member_id: Option<MemberId>,
    /// Only entries with this outcome.
    outcome: Option<AuditOutcome>,
    /// None before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// None at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Another project of the workspace; tenant admins only.
    project_id: Option<String>,
}

/// Entries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditTrail {
    /// The entries.
    entries: Vec<AuditEntry>,
    /// Where to go on, when there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Read who did what in the project, newest first. Entries are kept for 90 days.
#[utoipa::path(get, path = "/v1/audit", tag = "access", params(AuditQuery),
               responses((status = 200, body = AuditTrail), CommonErrors))]
pub async fn list_audit(
    State(state): State<AppState>,
    CanAudit(caller): CanAudit,
    Query(query): Query<AuditQuery>,
) -> Result<Json<AuditTrail>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let after = page.after::<AuditId>()?;
    let AuditQuery { action, pat_id, member_id, outcome, since, until, project_id, .. } = query;
    let filter = TrailFilter { action, pat_id, member_id, outcome, since, until, project_id };
    let listed = audit::list(&state, &caller, &filter, page.limit, after).await?;
    Ok(Json(AuditTrail { entries: listed.rows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
