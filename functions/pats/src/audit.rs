//! `GET /v1/audit`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanAudit, CommonErrors, Cursor, Page, Query};
use shared::store::TrailSpan;
use shared::store::{AUDIT_KEPT_FOR, Actor, AuditOutcome as Outcome, AuditRecord};
use shared::types::clock::Timestamp;
use shared::types::error::Kind;
use shared::types::ids::{AuditId, MemberId, PatId, Place, ProjectId};
use shared::types::role::Role;
use shared::{AppState, Error, Result};
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
    outcome: Option<Outcome>,
    /// None before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// None at or after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Another project of the workspace; tenant admins only.
    project_id: Option<String>,
}

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
    outcome: Outcome,
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
    /// Finds the request in the logs.
    request_id: String,
}

impl From<AuditRecord> for AuditEntry {
    fn from(record: AuditRecord) -> Self {
        let AuditRecord { id, at, action, outcome, status, actor, target, made, request_id, place: _ } =
            record;
        Self { id, at, action, outcome, status, actor, target, made, request_id }
    }
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
    let place = match query.project_id.as_deref() {
        Some(other) if other != caller.place.project_id.as_str() => {
            other_project(&state, &caller.place, caller.role, other).await?
        }
        _ => caller.place,
    };
    let now = state.clock.now();
    let oldest = now.minus(AUDIT_KEPT_FOR);
    // Entries of this millisecond are before the next.
    let end = now.plus(std::time::Duration::from_millis(1));
    let span = TrailSpan {
        since: query.since.map_or(oldest, |since| since.max(oldest)),
        until: query.until.map_or(end, |until| until.min(end)),
    };
    let within = |id: AuditId| id >= AuditId::first_of(span.since) && id < AuditId::first_of(span.until);
    if span.since >= span.until || after.is_some_and(|id| !within(id)) {
        return Ok(Json(AuditTrail { entries: Vec::new(), next_cursor: None }));
    }
    let action = query.action.as_deref();
    let keep = |record: &AuditRecord| {
        action.is_none_or(|action| {
            let rest = record.action.strip_prefix(action);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }) && query.pat_id.is_none_or(|id| record.actor.pat_id == Some(id))
            && query.member_id.is_none_or(|id| record.actor.member_id == Some(id))
            && query.outcome.is_none_or(|outcome| record.outcome == outcome)
    };
    let listed = state.store.list_trail(&place, span, page.limit, after, keep).await?;
    let entries = listed.rows.into_iter().map(AuditEntry::from).collect();
    Ok(Json(AuditTrail { entries, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}

async fn other_project(state: &AppState, own: &Place, role: Role, asked: &str) -> Result<Place> {
    if role < Role::TenantAdmin {
        let message = "project_id: only a tenant_admin may read another project's trail.";
        return Err(Error::new(Kind::Forbidden, "ROLE_TOO_LOW", message));
    }
    let project_id: ProjectId = asked.parse().map_err(|why| Error::invalid(format!("project_id: {why}.")))?;
    let found = state.store.project(&own.tenant_id, &project_id).await?;
    found.ok_or_else(|| Error::invalid("project_id: the workspace has no such project."))?;
    Ok(Place { tenant_id: own.tenant_id.clone(), project_id })
}
