//! `GET /v1/analytics/runs-count`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadAnalytics, CommonErrors, Query};
use shared::services::analytics::{self, RunsCountView};
use shared::{AppState, Result};

use crate::query::RangeQuery;

/// How many runs ended, and how.
#[utoipa::path(get, path = "/v1/analytics/runs-count", tag = "analytics", params(RangeQuery),
               responses((status = 200, body = RunsCountView), CommonErrors))]
pub async fn runs_count(
    State(state): State<AppState>,
    CanReadAnalytics(caller): CanReadAnalytics,
    Query(query): Query<RangeQuery>,
) -> Result<Json<RunsCountView>> {
    analytics::runs_count(&state, &caller.place, query.into()).await.map(Json)
}
