//! `GET /v1/analytics/usage-timeseries`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadAnalytics, CommonErrors, Query};
use shared::services::analytics::{self, UsageSeriesView};
use shared::{AppState, Result};

use crate::query::RangeQuery;

/// What was used, by hour or by day.
#[utoipa::path(get, path = "/v1/analytics/usage-timeseries", tag = "analytics", params(RangeQuery),
               responses((status = 200, body = UsageSeriesView), CommonErrors))]
pub async fn usage_timeseries(
    State(state): State<AppState>,
    CanReadAnalytics(caller): CanReadAnalytics,
    Query(query): Query<RangeQuery>,
) -> Result<Json<UsageSeriesView>> {
    analytics::usage_timeseries(&state, &caller.place, query.into()).await.map(Json)
}
