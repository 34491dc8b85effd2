//! `GET /v1/tasks/pending` and `GET /v1/workflows/{id}/runs/{run_id}/tasks/pending`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanRead, CanReadTasks, CommonErrors, Cursor, Page, Path, Query};
use shared::services::tasks::{self, Task};
use shared::types::ids::{RunId, RunRef, WorkflowId};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Which part of the inbox.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Open human tasks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tasks {
    /// The tasks.
    tasks: Vec<Task>,
    /// Where to go on, when there may be more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the open human tasks of the projects in which the caller has a role, newest first.
#[utoipa::path(get, path = "/v1/tasks/pending", tag = "tasks", params(InboxQuery),
               responses((status = 200, body = Tasks), CommonErrors))]
pub async fn inbox(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Query(query): Query<InboxQuery>,
) -> Result<Json<Tasks>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = tasks::inbox(&state, &caller, page.limit, page.after.as_deref()).await?;
    Ok(Json(Tasks { tasks: listed.rows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}

/// List the open human tasks of a run.
#[utoipa::path(get, path = "/v1/workflows/{id}/runs/{run_id}/tasks/pending", tag = "tasks",
               params(("id" = uuid::Uuid, Path), ("run_id" = uuid::Uuid, Path)),
               responses((status = 200, body = Tasks), CommonErrors))]
pub async fn pending_of_run(
    State(state): State<AppState>,
    CanReadTasks(caller): CanReadTasks,
    Path((workflow_id, run_id)): Path<(WorkflowId, RunId)>,
) -> Result<Json<Tasks>> {
    let key = RunRef { place: caller.place, run_id };
    let tasks = tasks::pending_of_run(&state, &key, workflow_id).await?;
    Ok(Json(Tasks { tasks, next_cursor: None }))
}
