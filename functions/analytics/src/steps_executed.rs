//! `GET /v1/analytics/steps-executed`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadAnalytics, CommonErrors, Query};
use shared::services::analytics::{self, StepsView};
use shared::{AppState, Result};

use crate::query::RangeQuery;

/// How many step attempts succeeded.
#[utoipa::path(get, path = "/v1/analytics/steps-executed", tag = "analytics", params(RangeQuery),
               responses((status = 200, body = StepsView), CommonErrors))]
pub async fn steps_executed(
    State(state): State<AppState>,
    CanReadAnalytics(caller): CanReadAnalytics,
    Query(query): Query<RangeQuery>,
) -> Result<Json<StepsView>> {
    analytics::steps_executed(&state, &caller.place, query.into()).await.map(Json)
}
