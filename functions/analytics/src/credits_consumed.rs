//! `GET /v1/analytics/credits-consumed`.

use axum::Json;
use axum::extract::State;
use shared::api::{CanReadAnalytics, CommonErrors, Query};
use shared::services::analytics::{self, CreditsView};
use shared::{AppState, Result};

use crate::query::RangeQuery;

/// What the runs that ended have used.
#[utoipa::path(get, path = "/v1/analytics/credits-consumed", tag = "analytics", params(RangeQuery),
               responses((status = 200, body = CreditsView), CommonErrors))]
pub async fn credits_consumed(
    State(state): State<AppState>,
    CanReadAnalytics(caller): CanReadAnalytics,
    Query(query): Query<RangeQuery>,
) -> Result<Json<CreditsView>> {
    analytics::credits_consumed(&state, &caller.place, query.into()).await.map(Json)
}
