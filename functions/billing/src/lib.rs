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
use shared::AppState;
use shared::http::{document, finish};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The routes with their description.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(document())
        .routes(routes!(usage::usage))
        .routes(routes!(usage_history::usage_history))
        .routes(routes!(usage_dimensions::usage_dimensions))
        .routes(routes!(pricing::pricing, pricing::set_price))
        .routes(routes!(grant::grant))
        .routes(routes!(plans::get_plans))
        .routes(routes!(standing::get_status))
        .routes(routes!(standing::get_summary))
        .routes(routes!(payment_history::list_payments))
        .routes(routes!(config::get_stripe_config))
        .routes(routes!(purchase::trial::begin_trial))
        .routes(routes!(purchase::subscribe::subscribe))
        .routes(routes!(purchase::change_plan::change_plan))
        .routes(routes!(purchase::cancel::cancel))
        .routes(routes!(purchase::convert_trial::convert_trial))
        .routes(routes!(purchase::topup::begin_topup))
        .routes(routes!(codes::create_code))
        .routes(routes!(codes::apply_code))
        .routes(routes!(discounts::validate_discount))
        .routes(routes!(stripe_webhook::receive_event))
}

/// The function as a service.
pub fn router(state: AppState) -> Router {
    finish(routes().into(), state)
}
