//! `GET /v1/analytics/success-rate`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadAnalytics, CommonErrors, Query};
use shared::services::analytics::{self, SuccessRateView};
use shared::{AppState, Result};

use crate::query::RangeQuery;

/// Which part of the runs that ended has completed.
#[utoipa::path(get, path = "/v1/analytics/success-rate", tag = "analytics", params(RangeQuery),
               responses((status = 200, body = SuccessRateView), CommonErrors))]
pub async fn success_rate(
    State(state): State<AppState>,
    CanReadAnalytics(caller): CanReadAnalytics,
    Query(query): Query<RangeQuery>,
) -> Result<Json<SuccessRateView>> {
    analytics::success_rate(&state, &caller.place, query.into()).await.map(Json)
}
