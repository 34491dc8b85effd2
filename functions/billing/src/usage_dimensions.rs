//! `GET /v1/billing/usage-dimensions`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{CanReadUsage, CommonErrors, Query};
use shared::services::analytics::{Asked, Window};
use shared::services::billing::{self, DimensionsView};
use shared::types::clock::Timestamp;
use shared::{AppState, Result};
use utoipa::IntoParams;

/// Which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DimensionsQuery {
    /// `week` (7 days), `month` (30 days; when nothing is said) or `all`; whole days in UTC, today included.
    #[param(inline)]
    window: Option<Window>,
    /// Instead of a window: from this time (RFC 3339) on, as whole days.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Until this time (RFC 3339), as whole days; now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

/// What runs that ended have used, by project, by action and by step type.
#[utoipa::path(get, path = "/v1/billing/usage-dimensions", tag = "billing", params(DimensionsQuery),
               responses((status = 200, body = DimensionsView), CommonErrors))]
pub async fn usage_dimensions(
    State(state): State<AppState>,
    CanReadUsage(caller): CanReadUsage,
    Query(query): Query<DimensionsQuery>,
) -> Result<Json<DimensionsView>> {
    let DimensionsQuery { window, from, to } = query;
    let asked = Asked { window, from, to, granularity: None };
    billing::dimensions(&state, &caller.place.tenant_id, asked).await.map(Json)
}
