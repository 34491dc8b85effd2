//! `GET /v1/runs` and `GET /v1/workflows/{id}/runs`.

use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanRead, CommonErrors, Cursor, Page, Path, Query};
use shared::engine::RunStatus;
use shared::services::run::RunView;
use shared::store::{Feed, Listed, RunRow};
use shared::types::clock::Timestamp;
use shared::types::ids::{ProjectId, RunId, WorkflowId};
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

impl From<Listed<RunRow>> for Runs {
    fn from(listed: Listed<RunRow>) -> Self {
        let next_cursor = listed.next.as_deref().map(Cursor::write);
        Self { runs: listed.rows.into_iter().map(RunView::from).collect(), next_cursor }
    }
}

/// List the runs of the whole tenant, newest first.
#[utoipa::path(get, path = "/v1/runs", tag = "runs", params(RunsQuery),
               responses((status = 200, body = Runs), CommonErrors))]
pub async fn list_runs(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Query(query): Query<RunsQuery>,
) -> Result<Json<Runs>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let wanted = statuses(query.status.as_deref())?;
    let since = time("since", query.since.as_deref())?;
    let workflow: Option<WorkflowId> = parsed("workflow_id", query.workflow_id.as_deref())?;
    let project: Option<ProjectId> = parsed("project_id", query.project_id.as_deref())?;
    let keep = |row: &RunRow| {
        wanted.contains(&row.status)
            && workflow.is_none_or(|id| id == row.workflow_id)
            && project.as_ref().is_none_or(|id| *id == row.project_id)
    };
    let feed = Feed::Tenant(&caller.place.tenant_id);
    let after = page.after()?.map(|Position(place)| place);
    let listed = state.store.list_runs(feed, page.limit, after, since, keep).await?;
    Ok(Json(listed.into()))
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
    let wanted = statuses(query.status.as_deref())?;
    let since = time("since", query.since.as_deref())?;
    state.store.workflow(&caller.place, id).await?.ok_or_else(|| Error::not_found("workflow"))?;
    let keep = |row: &RunRow| wanted.contains(&row.status);
    let feed = Feed::Workflow(&caller.place, id);
    let after = page.after()?.map(|Position(place)| place);
    let listed = state.store.list_runs(feed, page.limit, after, since, keep).await?;
    Ok(Json(listed.into()))
}

/// A place in a list of runs: start time, `#`, run id.
struct Position(String);

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (started_at, id) = text.split_once('#').ok_or(())?;
        let is_one = started_at.parse::<Timestamp>().is_ok() && id.parse::<RunId>().is_ok();
        is_one.then(|| Self(text.to_owned())).ok_or(())
    }
}

fn statuses(text: Option<&str>) -> Result<Vec<RunStatus>> {
    let Some(text) = text else { return Ok(RunStatus::ALL.to_vec()) };
    let one = |name: &str| {
        let known = || RunStatus::ALL.map(RunStatus::as_str).join(", ");
        RunStatus::parse(name.trim())
            .ok_or_else(|| Error::invalid(format!("status: {name:?} is none of {}.", known())))
    };
    text.split(',').map(one).collect()
}

fn time(field: &str, text: Option<&str>) -> Result<Option<Timestamp>> {
    let invalid =
        |_| Error::invalid(format!("{field}: must be a time as RFC 3339 writes it, 2026-01-31T08:00:00Z."));
    text.map(|text| text.parse().map_err(invalid)).transpose()
}

fn parsed<T: FromStr<Err = shared::types::ids::InvalidId>>(
    field: &str,
    text: Option<&str>,
) -> Result<Option<T>> {
    text.map(|text| text.parse().map_err(|why| Error::invalid(format!("{field}: {why}.")))).transpose()
}
