//! `GET /v1/analytics/live-runs`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadAnalytics, CommonErrors, Query};
use shared::services::analytics::{self, LiveRunsView};
use shared::{AppState, Result};

use crate::query::RangeQuery;

/// How many runs of the project are not over, now. A range may be given as everywhere; it changes nothing.
#[utoipa::path(get, path = "/v1/analytics/live-runs", tag = "analytics", params(RangeQuery),
               responses((status = 200, body = LiveRunsView), CommonErrors))]
pub async fn live_runs(
    State(state): State<AppState>,
    CanReadAnalytics(caller): CanReadAnalytics,
    Query(query): Query<RangeQuery>,
) -> Result<Json<LiveRunsView>> {
    analytics::live_runs(&state, &caller.place, query.into()).await.map(Json)
}
