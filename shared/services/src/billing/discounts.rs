//! Discounts of the payment provider's.

use serde::Serialize;
use utoipa::ToSchema;

use super::provider::provider;
use crate::state::AppState;
use clients::stripe::{PromotionCode, Provider};
use platform::boxed;
use types::error::{ErrorCode, Kind};
use types::{Error, Result, text};

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

/// Looks at a discount code.
///
/// # Errors
/// Invalid when it cannot be one; unavailable when this deployment takes no payments, or the provider does not answer.
#[boxed]
pub async fn validate(state: &AppState, code: &str) -> Result<Discount> {
    let code = text::name("code", code)?;
    let provider = provider(state).await?;
    let found = provider.promotion(&code).await?.map(Discount::from);
    Ok(found.unwrap_or(Discount {
        code,
        valid: false,
        percent_off: None,
        amount_off: None,
        currency: None,
        duration: None,
        duration_in_months: None,
    }))
}

/// A code that can be used.
pub(super) async fn find(provider: &Provider<'_>, code: &str) -> Result<PromotionCode> {
    let code = text::name("discount_code", code)?;
    let unknown = || {
        let message =
            "discount_code: there is none of this name that can be used; check it, or leave it out.";
        Error::new(Kind::Invalid, ErrorCode::DiscountUnknown, message)
    };
    provider.promotion(&code).await?.ok_or_else(unknown)
}
