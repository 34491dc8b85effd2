//! `GET /v1/workflows/{id}/triggers`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanRead, CommonErrors, Cursor, Page, Path, Query};
use shared::services::triggers::{self, TriggerView};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TriggersQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Triggers, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Triggers {
    /// The triggers.
    triggers: Vec<TriggerView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List a workflow's triggers, newest first.
#[utoipa::path(get, path = "/v1/workflows/{id}/triggers", tag = "workflows",
               params(("id" = uuid::Uuid, Path), TriggersQuery),
               responses((status = 200, body = Triggers), CommonErrors))]
pub async fn list_triggers(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path(id): Path<WorkflowId>,
    Query(query): Query<TriggersQuery>,
) -> Result<Json<Triggers>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = triggers::list(&state, &caller.place, id, page.limit, page.after.as_deref()).await?;
    Ok(Json(Triggers { triggers: listed.rows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
