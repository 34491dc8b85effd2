//! `POST /v1/billing/discounts/validate`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::clients::stripe::{PromotionCode, Provider};
use shared::types::error::Kind;
use shared::types::text;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

/// A code to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscountCode {
    /// As people enter it, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "LAUNCH20")]
    code: String,
}

/// What a discount code does.
#[derive(Debug, Serialize, ToSchema)]
pub struct Discount {
    /// The code.
    code: String,
    /// Whether it can be used.
    valid: bool,
    /// How much of the price it takes away.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_off: Option<f64>,
    /// What it takes away, in the currency's smallest unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_off: Option<u64>,
    /// The currency of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    /// For how long: `once`, `repeating` or `forever`.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<String>,
    /// For how many months, when repeating.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_in_months: Option<u32>,
}

impl From<PromotionCode> for Discount {
    fn from(found: PromotionCode) -> Self {
        let PromotionCode { code, coupon, .. } = found;
        Self {
            code,
            valid: true,
            percent_off: coupon.percent_off,
            amount_off: coupon.amount_off,
            currency: coupon.currency,
            duration: Some(coupon.duration),
            duration_in_months: coupon.duration_in_months,
        }
    }
}

/// Look at a discount code. It is used by naming it as the `discount_code` of a checkout.
#[utoipa::path(post, path = "/v1/billing/discounts/validate", tag = "billing", request_body = DiscountCode,
               responses((status = 200, body = Discount), CommonErrors))]
pub async fn validate_discount(
    State(state): State<AppState>,
    CanChangeBilling(_caller): CanChangeBilling,
    Body(asked): Body<DiscountCode>,
) -> Result<Json<Discount>> {
    let code = text::name("code", &asked.code)?;
    let provider = shared::services::billing::provider(&state).await?;
    let found = provider.promotion(&code).await?.map(Discount::from);
    Ok(Json(found.unwrap_or(Discount {
        code,
        valid: false,
        percent_off: None,
        amount_off: None,
        currency: None,
        duration: None,
        duration_in_months: None,
    })))
}

/// A code that can be used.
pub async fn find(provider: &Provider<'_>, code: &str) -> Result<PromotionCode> {
    let code = text::name("discount_code", code)?;
    let unknown = || {
        let message =
            "discount_code: there is none of this name that can be used; check it, or leave it out.";
        Error::new(Kind::Invalid, "DISCOUNT_UNKNOWN", message)
    };
    provider.promotion(&code).await?.ok_or_else(unknown)
}
