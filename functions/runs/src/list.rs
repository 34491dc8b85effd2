//! `GET /v1/runs` and `GET /v1/workflows/{id}/runs`.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanRead, CommonErrors, Cursor, Page, Path, Query};
use shared::services::run::{self, RunFilter, RunView};
use shared::types::clock::Timestamp;
use shared::types::ids::{InvalidId, WorkflowId};
use shared::{AppState, Error, Result};
use utoipa::{IntoParams, ToSchema};

/// Which of the tenant's runs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunsQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// `pending`, `running`, `paused`, `draining`, `completed`, `failed`, `stopped`, separated by commas.
    status: Option<String>,
    /// Of this workflow.
    #[param(value_type = Option<uuid::Uuid>)]
    workflow_id: Option<String>,
    /// Of this project.
    project_id: Option<String>,
    /// Started at this time (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<String>,
}

/// Which of a workflow's runs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WorkflowRunsQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// `pending`, `running`, `paused`, `draining`, `completed`, `failed`, `stopped`, separated by commas.
    status: Option<String>,
    /// Started at this time (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<String>,
}

/// Runs, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Runs {
    /// Without their steps.
    runs: Vec<RunView>,
    /// Where to go on, when there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the runs of the projects in which the caller has a role, newest first.
#[utoipa::path(get, path = "/v1/runs", tag = "runs", params(RunsQuery),
               responses((status = 200, body = Runs), CommonErrors))]
pub async fn list_runs(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Query(query): Query<RunsQuery>,
) -> Result<Json<Runs>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let filter = RunFilter {
        statuses: run::statuses(query.status.as_deref())?,
        since: time("since", query.since.as_deref())?,
        workflow_id: parsed("workflow_id", query.workflow_id.as_deref())?,
        project_id: parsed("project_id", query.project_id.as_deref())?,
    };
    let listed = run::list(&state, &caller, &filter, page.limit, page.after).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(Runs { runs: listed.rows, next_cursor }))
}

/// List a workflow's runs, newest first.
#[utoipa::path(get, path = "/v1/workflows/{id}/runs", tag = "runs",
               params(("id" = uuid::Uuid, Path), WorkflowRunsQuery),
               responses((status = 200, body = Runs), CommonErrors))]
pub async fn list_workflow_runs(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path(id): Path<WorkflowId>,
    Query(query): Query<WorkflowRunsQuery>,
) -> Result<Json<Runs>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let filter = RunFilter {
        statuses: run::statuses(query.status.as_deref())?,
        since: time("since", query.since.as_deref())?,
        workflow_id: None,
        project_id: None,
    };
    let listed = run::list_of_workflow(&state, &caller.place, id, &filter, page.limit, page.after).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(Runs { runs: listed.rows, next_cursor }))
}

fn time(field: &str, text: Option<&str>) -> Result<Option<Timestamp>> {
    let invalid =
        |_| Error::invalid(format!("{field}: must be a time as RFC 3339 writes it, 2026-01-31T08:00:00Z."));
    text.map(|text| text.parse().map_err(invalid)).transpose()
}

fn parsed<T: FromStr<Err = InvalidId>>(field: &str, text: Option<&str>) -> Result<Option<T>> {
    text.map(|text| text.parse().map_err(|why| Error::invalid(format!("{field}: {why}.")))).transpose()
}
