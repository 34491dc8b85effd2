//! What can be bought.

use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;
use billing::plans::{Interval, Plan, PlanSettings};
use types::Result;

/// What can be bought.
#[derive(Debug, Serialize, ToSchema)]
pub struct Plans {
    /// The plans of this deployment's product.
    plans: Vec<PlanView>,
}

/// A plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanView {
    /// Its name for machines.
    #[schema(example = "pro")]
    plan_code: String,
    /// The payment provider's price; absent when nothing is paid, or the deployment has set none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "price_…")]
    stripe_price_id: Option<String>,
    /// The price per interval, in the currency's smallest unit.
    #[schema(example = 4900)]
    amount: u64,
    /// The currency, in three small letters.
    #[schema(example = "usd")]
    currency: String,
    /// How often it is paid.
    interval: Interval,
    /// How many of them a period has.
    interval_count: u8,
    /// Its name for people.
    #[schema(example = "AgentRuntime Pro")]
    product_name: String,
    /// Whether it can be tried.
    trial_enabled: bool,
    /// Whether a trial begins with a checkout.
    #[serde(skip_serializing_if = "Option::is_none")]
    trial_requires_card: Option<bool>,
    /// How long a trial is.
    #[serde(skip_serializing_if = "Option::is_none")]
    trial_days: Option<u32>,
    /// What a trial grants, in microcredits.
    #[serde(skip_serializing_if = "Option::is_none")]
    trial_credits_granted: Option<u64>,
    /// Whether new workspaces are offered it first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    onboarding_default: bool,
    /// Whether new workspaces may choose it themselves.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    self_serve_onboarding: bool,
}

impl PlanView {
    fn of(plan: &Plan, settings: &PlanSettings) -> Self {
        Self {
            plan_code: plan.plan_code.clone(),
            stripe_price_id: settings.price_of(plan).map(str::to_owned),
            amount: plan.amount,
            currency: plan.currency.clone(),
            interval: plan.interval,
            interval_count: 1,
            product_name: plan.product_name.clone(),
            trial_enabled: plan.trial.is_some(),
            trial_requires_card: plan.trial.map(|trial| trial.requires_card),
            trial_days: plan.trial.map(|trial| trial.days),
            trial_credits_granted: plan.trial.map(|trial| trial.microcredits),
            onboarding_default: plan.onboarding_default,
            self_serve_onboarding: plan.self_serve_onboarding,
        }
    }
}

/// The plans that can be bought.
///
/// # Errors
/// When this deployment has no catalog that can be read.
pub fn plans(state: &AppState) -> Result<Plans> {
    let settings = &state.config.plans;
    let listed = settings.product()?.plans.iter().filter(|plan| !plan.hidden);
    Ok(Plans { plans: listed.map(|plan| PlanView::of(plan, settings)).collect() })
}
