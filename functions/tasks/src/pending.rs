//! `GET /v1/tasks/pending` and `GET /v1/workflows/{id}/runs/{run_id}/tasks/pending`.

use std::collections::{BTreeSet, HashMap};

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::api::{CanRead, CanReadTasks, CommonErrors, Cursor, Page, Path, Query};
use shared::store::{TaskRecord, WorkflowRecord};
use shared::types::clock::Timestamp;
use shared::types::ids::{RunId, RunRef, WorkflowId};
use shared::{AppState, Error, Result};
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

/// An open human task.
#[derive(Debug, Serialize, ToSchema)]
pub struct Task {
    /// The step's id; for the review of a failed item the loop's id with the item, such as `each:3`.
    id: String,
    /// The run that waits.
    #[schema(value_type = uuid::Uuid)]
    run_id: RunId,
    /// Its workflow.
    #[schema(value_type = uuid::Uuid)]
    workflow_id: WorkflowId,
    /// The workflow's name.
    workflow_name: String,
    /// Its project.
    project_id: String,
    /// The step that waits.
    step_id: String,
    /// The type that the author gave it; `item_review` for a failed item.
    task_type: String,
    /// What the person needs to see.
    #[schema(value_type = Object)]
    payload: Value,
    /// When it was put.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the answer is no longer waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// List the open human tasks of the whole tenant, newest first.
#[utoipa::path(get, path = "/v1/tasks/pending", tag = "tasks", params(InboxQuery),
               responses((status = 200, body = Tasks), CommonErrors))]
pub async fn inbox(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Query(query): Query<InboxQuery>,
) -> Result<Json<Tasks>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    if page.after.as_deref().is_some_and(|after| !is_position(after)) {
        return Err(Error::invalid("cursor: is not one of this list's."));
    }
    let listed = state.store.inbox(&caller.place.tenant_id, page.limit, page.after.as_deref()).await?;
    let tasks = with_names(&state, listed.rows).await?;
    Ok(Json(Tasks { tasks, next_cursor: listed.next.as_deref().map(Cursor::write) }))
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
    let record = state.store.run(&key).await?;
    record.filter(|record| record.run.workflow_id == workflow_id).ok_or_else(|| Error::not_found("run"))?;
    let rows = state.store.tasks_of_run(&key).await?;
    Ok(Json(Tasks { tasks: with_names(&state, rows).await?, next_cursor: None }))
}

async fn with_names(state: &AppState, rows: Vec<TaskRecord>) -> Result<Vec<Task>> {
    let wanted: BTreeSet<_> = rows.iter().map(|row| (row.run.place.clone(), row.workflow_id)).collect();
    let workflows = state.store.workflows(&wanted).await?;
    Ok(rows.into_iter().map(|row| view(row, &workflows)).collect())
}

fn view(row: TaskRecord, workflows: &HashMap<WorkflowId, WorkflowRecord>) -> Task {
    Task {
        id: row.task_id,
        run_id: row.run.run_id,
        workflow_id: row.workflow_id,
        workflow_name: workflows.get(&row.workflow_id).map(|record| record.name.clone()).unwrap_or_default(),
        project_id: row.run.place.project_id.to_string(),
        step_id: row.step_id,
        task_type: row.task_type,
        payload: row.payload,
        created_at: row.created_at,
        expires_at: row.expires_at,
    }
}

/// A place in the inbox: time, `#`, run id, `#`, place in the run.
fn is_position(text: &str) -> bool {
    let mut parts = text.splitn(3, '#');
    let mut part = || parts.next().unwrap_or_default();
    part().parse::<Timestamp>().is_ok() && part().parse::<RunId>().is_ok() && !part().is_empty()
}
