//! What a tenant admin does about the workspace's plan.

pub mod cancel;
pub mod change_plan;
pub mod convert_trial;
pub mod subscribe;
pub mod topup;
pub mod trial;

use serde::Deserialize;
use shared::services::billing::purchase;
use utoipa::ToSchema;

/// A plan, by one of its names, and what its checkout needs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanChoice {
    /// The plan.
    #[schema(example = "pro")]
    plan_code: Option<String>,
    /// The plan by the payment provider's price.
    #[schema(example = "price_…")]
    stripe_price_id: Option<String>,
    /// Where a checkout leads when it is paid; the deployment's own page when absent.
    #[schema(max_length = 2000, example = "https://console.example.com/billing")]
    success_url: Option<String>,
    /// Where it leads when it is not; as `success_url` when absent.
    #[schema(max_length = 2000)]
    cancel_url: Option<String>,
    /// A discount code for a checkout.
    #[schema(max_length = 200)]
    discount_code: Option<String>,
}

impl From<PlanChoice> for purchase::PlanChoice {
    fn from(choice: PlanChoice) -> Self {
        let PlanChoice { plan_code, stripe_price_id, success_url, cancel_url, discount_code } = choice;
        Self { plan_code, stripe_price_id, success_url, cancel_url, discount_code }
    }
}
