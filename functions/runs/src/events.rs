//! `GET /v1/workflows/{id}/runs/{run_id}/events`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanRead, CommonErrors, Cursor, Page, Path, Query};
use shared::services::run::{self, EventView};
use shared::types::ids::{RunId, RunRef, WorkflowId};
use shared::{AppState, Error, Result};
use utoipa::{IntoParams, ToSchema};

use crate::wait;

/// Where to begin and how long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before; the same as `after` its last event.
    cursor: Option<String>,
    /// Events with a greater `seq`.
    after: Option<u64>,
    /// When there is none yet: answer when there is, or the run is over, or after so many seconds, at most 20.
    #[param(maximum = 20)]
    wait_s: Option<u64>,
}

/// Events, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Events {
    /// In order of `seq`.
    events: Vec<EventView>,
    /// Where to go on, when there is more already.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Read a run's events, oldest first.
///
/// Whoever asks again with `after` the last `seq` seen misses nothing and sees nothing twice.
#[utoipa::path(get, path = "/v1/workflows/{id}/runs/{run_id}/events", tag = "runs",
               params(("id" = uuid::Uuid, Path), ("run_id" = uuid::Uuid, Path), EventsQuery),
               responses((status = 200, body = Events), CommonErrors))]
pub async fn run_events(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path((id, run_id)): Path<(WorkflowId, RunId)>,
    Query(query): Query<EventsQuery>,
) -> Result<Json<Events>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let wait = wait::from_query(query.wait_s)?;
    let after = match (page.after()?, query.after) {
        (Some(_), Some(_)) => return Err(Error::invalid("after: give either after or cursor, not both.")),
        (from_cursor, from_query) => from_cursor.or(from_query).unwrap_or(0),
    };
    let key = RunRef { place: caller.place, run_id };
    let listed = run::events(&state, &key, id, (after, page.limit), wait).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(Events { events: listed.rows, next_cursor }))
}
