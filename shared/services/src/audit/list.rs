//! A project's trail, read.

use std::time::Duration;

use super::view::{AuditEntry, AuditOutcome};
use crate::auth::Caller;
use crate::state::AppState;
use platform::boxed;
use store::{AUDIT_KEPT_FOR, AuditRecord, Listed, TrailSpan};
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::ids::{AuditId, MemberId, PatId, Place, ProjectId};
use types::role::Role;
use types::{Error, Result};

/// Which entries; what is absent narrows nothing.
#[derive(Debug)]
pub struct TrailFilter {
    /// Only entries with this action, or with actions on this kind of thing.
    pub action: Option<String>,
    /// Only what was done with this token.
    pub pat_id: Option<PatId>,
    /// Only what was done by this member.
    pub member_id: Option<MemberId>,
    /// Only entries with this outcome.
    pub outcome: Option<AuditOutcome>,
    /// None before this time.
    pub since: Option<Timestamp>,
    /// None at or after this time.
    pub until: Option<Timestamp>,
    /// The project whose trail it is; the caller's when absent.
    pub project_id: Option<String>,
}

/// Entries of a project's trail, newest first, from behind `after`; with a rare filter there may be fewer than `limit`
/// and still more to come.
///
/// # Errors
/// Forbidden `ROLE_TOO_LOW` when another project is named by anybody but a tenant admin; invalid when the workspace has
/// no such project.
#[boxed]
pub async fn list(
    state: &AppState,
    caller: &Caller,
    filter: &TrailFilter,
    limit: usize,
    after: Option<AuditId>,
) -> Result<Listed<AuditEntry>> {
    let place = match filter.project_id.as_deref() {
        Some(other) if other != caller.place.project_id.as_str() => {
            other_project(state, caller, other).await?
        }
        _ => caller.place.clone(),
    };
    let span = filter.span(state.clock.now());
    let within = |id: AuditId| id >= AuditId::first_of(span.since) && id < AuditId::first_of(span.until);
    if span.since >= span.until || after.is_some_and(|id| !within(id)) {
        return Ok(Listed { rows: Vec::new(), next: None });
    }
    let keep = |record: &AuditRecord| filter.keeps(record);
    let listed = state.store.list_trail(&place, span, limit, after, keep).await?;
    Ok(Listed { rows: listed.rows.into_iter().map(AuditEntry::from).collect(), next: listed.next })
}

impl TrailFilter {
    /// The time that is asked for, as far as entries are kept.
    fn span(&self, now: Timestamp) -> TrailSpan {
        let oldest = now.minus(AUDIT_KEPT_FOR);
        // Entries of this millisecond are before the next.
        let end = now.plus(Duration::from_millis(1));
        TrailSpan {
            since: self.since.map_or(oldest, |since| since.max(oldest)),
            until: self.until.map_or(end, |until| until.min(end)),
        }
    }

    fn keeps(&self, record: &AuditRecord) -> bool {
        self.action.as_deref().is_none_or(|action| {
            let rest = record.action.strip_prefix(action);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }) && self.pat_id.is_none_or(|id| record.actor.pat_id == Some(id))
            && self.member_id.is_none_or(|id| record.actor.member_id == Some(id))
            && self.outcome.is_none_or(|outcome| outcome == record.outcome.into())
    }
}

async fn other_project(state: &AppState, caller: &Caller, asked: &str) -> Result<Place> {
    if caller.role < Role::TenantAdmin {
        let message = "project_id: only a tenant_admin may read another project's trail.";
        return Err(Error::new(Kind::Forbidden, ErrorCode::RoleTooLow, message));
    }
    let project_id: ProjectId = asked.parse().map_err(|why| Error::invalid(format!("project_id: {why}.")))?;
    let tenant_id = caller.place.tenant_id.clone();
    let found = state.store.project(&tenant_id, &project_id).await?;
    found.ok_or_else(|| Error::invalid("project_id: the workspace has no such project."))?;
    Ok(Place { tenant_id, project_id })
}
