//! Who did what. Every request that changes something leaves an entry: by whom, what, where, and how it ended. The
//! entry is written when the caller has been admitted and before the route does anything, and gets its outcome
//! before the answer is given; so nothing is done without a trace, and an entry that still says `begun` is one whose
//! process died. Where the act is a transaction anyway, or too hot for two writes more, the entry rides in it.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Result;
use crate::auth::{Caller, Role};
use crate::clock::Timestamp;
use crate::ids::{AuditId, MemberId, PatId, Place};
use crate::state::AppState;
use crate::store::StoreError;

/// How long entries are kept.
pub const AUDIT_KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3600);
/// The most characters of a target: paths are shorter, unless somebody plays with them.
const LONGEST_TARGET: usize = 500;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
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

impl From<&Caller> for Actor {
    fn from(caller: &Caller) -> Self {
        Self { pat_id: Some(caller.pat_id), member_id: Some(caller.member_id), role: Some(caller.role) }
    }
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

    fn end(&mut self, status: u16) {
        self.status = Some(status);
        self.outcome = match status {
            0..400 => Outcome::Done,
            400..500 => Outcome::Refused,
            _ => Outcome::Failed,
        };
    }
}

/// What a route leaves in the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traced {
    /// An entry with this action, written by the layer around all routes.
    Always(Cow<'static, str>),
    /// The handler says what it does and when, by [`crate::http::Trail`]; this is the action of a request that is refused
    /// before it does.
    ByHandler(Cow<'static, str>),
    /// Nothing: it changes nothing.
    Never,
}

/// The routes for which method and path do not say it: what changes nothing although it is a POST, what has a
/// better name than its path, what the handler names itself.
#[rustfmt::skip]
const EXCEPTIONS: &[(&str, &str, Traced)] = &[
    ("POST", "/v1/workflows/validate", Traced::Never),
    ("POST", "/v1/workflows/{id}/validate", Traced::Never),
    ("POST", "/v1/mcp/servers/{id}/validate", Traced::Never),
    ("POST", "/v1/mcp/servers/{id}/connections/{connection_id}/validate", Traced::Never),
    ("POST", "/v1/mcp/instances/{id}/validate", Traced::Never),
    ("POST", "/v1/mcp/instances/resolve", Traced::Never),
    ("POST", "/v1/llm/resolve", Traced::Never),
    ("POST", "/v1/billing/discounts/validate", Traced::Never),
    ("POST", "/v1/workflows/{id}/command", Traced::ByHandler(Cow::Borrowed("run.command"))),
    ("POST", "/v1/workflows/{id}/versions", Traced::Always(Cow::Borrowed("workflow.publish"))),
    ("GET", "/v1/pats/{id}/reveal", Traced::Always(Cow::Borrowed("pat.reveal"))),
    // What operators do to a workspace is traced in the workspace, with what it makes.
    ("POST", "/v1/onboarding/workspaces", Traced::Never),
    ("POST", "/v1/onboarding/workspaces/{tenant_id}/admins", Traced::Never),
    // Operators' changes are in the ledger, which is a trail of its own.
    ("POST", "/v1/billing/grants", Traced::Never),
    ("PUT", "/v1/billing/action-pricing", Traced::Never),
    ("POST", "/v1/billing/codes", Traced::Never),
    // Each call of a tool is a request of its own.
    ("POST", "/mcp", Traced::Never),
];

/// What this route leaves in the trail: everything that is not a GET leaves an entry, named after its path.
pub fn traced(method: &str, route: &str) -> Traced {
    let exception = EXCEPTIONS.iter().find(|(m, path, _)| *m == method && *path == route);
    match (exception, method) {
        (Some((_, _, traced)), _) => traced.clone(),
        (None, "GET" | "HEAD" | "OPTIONS") => Traced::Never,
        (None, _) => Traced::Always(Cow::Owned(action(method, route))),
    }
}

/// `POST /v1/workflows/{id}/triggers` is `trigger.create`, `DELETE /v1/pats/{id}` is `pat.delete`,
/// `POST …/tasks/{task_id}/complete` is `task.complete`.
fn action(method: &str, route: &str) -> String {
    let parts: Vec<&str> = route.split('/').filter(|part| !part.is_empty() && *part != "v1").collect();
    let literals: Vec<&str> = parts.iter().copied().filter(|part| !part.starts_with('{')).collect();
    let last = literals.last().copied().unwrap_or("request");
    let parent = literals.iter().rev().nth(1).copied().unwrap_or(last);
    let ends_with_id = parts.last().is_some_and(|part| part.starts_with('{'));
    let one = |many: &str| many.strip_suffix('s').unwrap_or(many).to_owned();
    match method {
        "DELETE" => format!("{}.delete", one(last)),
        "PUT" => format!("{}.replace", one(last)),
        "PATCH" => format!("{}.update", one(last)),
        // Only collections end with an s, and only what is done to a thing does not.
        _ if ends_with_id || last.ends_with('s') || literals.len() == 1 => format!("{}.create", one(last)),
        _ => format!("{}.{last}", one(parent)),
    }
}

/// Writes an entry before its act.
///
/// # Errors
/// When the database does not answer; then nothing may be done.
pub async fn begin(state: &AppState, record: &AuditRecord) -> Result<()> {
    Ok(state.store.keep_trace(record).await?)
}

/// Writes how an act ended. If that fails the entry goes on saying that it began.
pub async fn end(state: &AppState, mut record: AuditRecord, status: u16, made: Option<String>) {
    record.made = made;
    record.end(status);
    if let Err(error) = state.store.end_trace(&record).await {
        tracing::warn!(%error, audit_id = %record.id, "the outcome of a request could not be written");
    }
}

/// Writes the entry of an act that came to nothing, whose entry would have ridden in it. If it was done after all, the
/// entry is there and stays.
pub async fn refuse(state: &AppState, mut record: AuditRecord, status: u16) {
    record.end(status);
    match state.store.keep_new_trace(&record).await {
        Ok(()) | Err(StoreError::Conflict) => {}
        Err(error) => tracing::warn!(%error, "a refused request could not be noted in the audit trail"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_follow_from_method_and_path() {
        let named = |method, route| match traced(method, route) {
            Traced::Always(action) => action.into_owned(),
            other => format!("{other:?}"),
        };
        for (method, route, action) in [
            ("POST", "/v1/workflows", "workflow.create"),
            ("PATCH", "/v1/workflows/{id}", "workflow.update"),
            ("DELETE", "/v1/workflows/{id}", "workflow.delete"),
            ("POST", "/v1/workflows/{id}/restore", "workflow.restore"),
            ("POST", "/v1/workflows/{id}/versions", "workflow.publish"),
            ("POST", "/v1/workflows/{id}/triggers", "trigger.create"),
            ("PUT", "/v1/workflows/{id}/connection-overrides", "connection-override.replace"),
            ("POST", "/v1/workflows/{id}/runs/{run_id}/retry", "run.retry"),
            ("POST", "/v1/workflows/{id}/runs/{run_id}/tasks/{task_id}/complete", "task.complete"),
            ("POST", "/v1/inbound-webhooks/{id}/rotate-secret", "inbound-webhook.rotate-secret"),
            ("POST", "/v1/mcp/servers/{id}/discover", "server.discover"),
            ("GET", "/v1/pats/{id}/reveal", "pat.reveal"),
            ("GET", "/v1/pats", "Never"),
            ("POST", "/v1/workflows/validate", "Never"),
            ("POST", "/v1/workflows/{id}/command", "ByHandler(\"run.command\")"),
        ] {
            assert_eq!(named(method, route), action, "{method} {route}");
        }
    }
}
