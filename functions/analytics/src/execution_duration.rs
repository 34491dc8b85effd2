//! `GET /v1/analytics/execution-duration`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadAnalytics, CommonErrors, Query};
use shared::services::analytics::{self, DurationView};
use shared::{AppState, Result};

use crate::query::RangeQuery;

/// How long runs took.
#[utoipa::path(get, path = "/v1/analytics/execution-duration", tag = "analytics", params(RangeQuery),
               responses((status = 200, body = DurationView), CommonErrors))]
pub async fn execution_duration(
    State(state): State<AppState>,
    CanReadAnalytics(caller): CanReadAnalytics,
    Query(query): Query<RangeQuery>,
) -> Result<Json<DurationView>> {
    analytics::execution_duration(&state, &caller.place, query.into()).await.map(Json)
}
