//! `GET /v1/analytics/runs-timeseries`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadAnalytics, CommonErrors, Query};
use shared::services::analytics::{self, RunsSeriesView};
use shared::{AppState, Result};

use crate::query::RangeQuery;

/// Runs that ended, by hour or by day.
#[utoipa::path(get, path = "/v1/analytics/runs-timeseries", tag = "analytics", params(RangeQuery),
               responses((status = 200, body = RunsSeriesView), CommonErrors))]
pub async fn runs_timeseries(
    State(state): State<AppState>,
    CanReadAnalytics(caller): CanReadAnalytics,
    Query(query): Query<RangeQuery>,
) -> Result<Json<RunsSeriesView>> {
    analytics::runs_timeseries(&state, &caller.place, query.into()).await.map(Json)
}
