//! `GET` and `PUT /v1/billing/action-pricing`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanReadBilling, CommonErrors, Operator};
use shared::billing::Action;
use shared::services::billing::{self, PricingView};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A price to agree on with a workspace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrice {
    /// The workspace.
    #[schema(example = "acme")]
    tenant_id: String,
    /// The action.
    action: Action,
    /// What one costs it from now on; the usual price when null.
    microcredits: Option<u64>,
}

/// What actions cost this workspace.
///
/// A run pays the price of its start to its end.
#[utoipa::path(get, path = "/v1/billing/action-pricing", tag = "billing",
               responses((status = 200, body = PricingView), CommonErrors))]
pub async fn pricing(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
) -> Result<Json<PricingView>> {
    billing::pricing(&state, &caller.place.tenant_id).await.map(Json)
}

/// Agree on a price with a workspace.
///
/// The bearer is the operator token. Runs that have started keep their price.
#[utoipa::path(put, path = "/v1/billing/action-pricing", tag = "operators", request_body = NewPrice,
               responses((status = 200, body = PricingView), CommonErrors))]
pub async fn set_price(
    State(state): State<AppState>,
    _: Operator,
    Body(new): Body<NewPrice>,
) -> Result<Json<PricingView>> {
    let NewPrice { tenant_id, action, microcredits } = new;
    billing::agree(&state, &tenant_id, action, microcredits).await.map(Json)
}
