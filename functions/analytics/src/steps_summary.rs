//! `GET /v1/analytics/steps-summary`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadAnalytics, CommonErrors, Query};
use shared::services::analytics::{self, StepsSummaryView};
use shared::{AppState, Result};

use crate::query::RangeQuery;

/// What steps were executed, by type: how many, how long they took, their tokens.
#[utoipa::path(get, path = "/v1/analytics/steps-summary", tag = "analytics", params(RangeQuery),
               responses((status = 200, body = StepsSummaryView), CommonErrors))]
pub async fn steps_summary(
    State(state): State<AppState>,
    CanReadAnalytics(caller): CanReadAnalytics,
    Query(query): Query<RangeQuery>,
) -> Result<Json<StepsSummaryView>> {
    analytics::steps_summary(&state, &caller.place, query.into()).await.map(Json)
}
