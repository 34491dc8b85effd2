//! What a workspace has left, what it has used, and what that costs; plans, and what is paid for them.

mod codes;
mod config;
mod discounts;
mod grant;
mod payment_history;
mod plans;
mod pricing;
mod purchase;
mod standing;
mod stripe_webhook;
mod usage;
mod usage_dimensions;
mod usage_history;

use axum::Router;
use shared::api::{Routes, finish};
use shared::{AppState, routes};
use utoipa::openapi::OpenApi;

fn collect<R: Routes>() -> R {
    R::none()
        .with(routes!(usage::usage))
        .with(routes!(usage_history::usage_history))
        .with(routes!(usage_dimensions::usage_dimensions))
        .with(routes!(pricing::pricing, pricing::set_price))
        .with(routes!(grant::grant))
        .with(routes!(plans::get_plans))
        .with(routes!(standing::get_status))
        .with(routes!(standing::get_summary))
        .with(routes!(payment_history::list_payments))
        .with(routes!(config::get_stripe_config))
        .with(routes!(purchase::trial::begin_trial))
        .with(routes!(purchase::subscribe::subscribe))
        .with(routes!(purchase::change_plan::change_plan))
        .with(routes!(purchase::cancel::cancel))
        .with(routes!(purchase::convert_trial::convert_trial))
        .with(routes!(purchase::topup::begin_topup))
        .with(routes!(codes::create_code))
        .with(routes!(codes::apply_code))
        .with(routes!(discounts::validate_discount))
        .with(routes!(stripe_webhook::receive_event))
}

/// The routes.
pub fn routes() -> Router<AppState> {
    collect()
}

/// Their description.
pub fn openapi() -> OpenApi {
    collect()
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes(), state)
}
