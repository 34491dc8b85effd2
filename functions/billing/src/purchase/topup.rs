//! `POST /v1/billing/topups/payg/intent`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::services::billing::purchase::topup::{self, TopupIntent};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// Credits to buy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Topup {
    /// What is paid, in the currency's smallest unit.
    #[schema(example = 2000)]
    amount_cents: u64,
    /// What is expected for it; when present it must be what the amount buys.
    #[schema(example = 20_000_000)]
    microcredits: Option<u64>,
    /// The currency, in three small letters; the product's when absent.
    #[schema(example = "usd")]
    currency: Option<String>,
    /// The same key again is the same payment; 1–255 characters.
    #[schema(min_length = 1, max_length = 255)]
    idempotency_key: Option<String>,
}

/// Begin to buy credits. They are there when the payment has succeeded, and stay whatever becomes of the plan.
#[utoipa::path(post, path = "/v1/billing/topups/payg/intent", tag = "billing", request_body = Topup,
               responses((status = 200, body = TopupIntent), CommonErrors))]
pub async fn begin_topup(
    State(state): State<AppState>,
    CanChangeBilling(caller): CanChangeBilling,
    Body(asked): Body<Topup>,
) -> Result<Json<TopupIntent>> {
    let Topup { amount_cents, microcredits, currency, idempotency_key } = asked;
    let asked = topup::Topup { amount_cents, microcredits, currency, idempotency_key };
    topup::begin(&state, &caller.place.tenant_id, &asked).await.map(Json)
}
