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

shared::function! {
    routes!(usage::usage),
    routes!(usage_history::usage_history),
    routes!(usage_dimensions::usage_dimensions),
    routes!(pricing::pricing, pricing::set_price),
    routes!(grant::grant),
    routes!(plans::get_plans),
    routes!(standing::get_status),
    routes!(standing::get_summary),
    routes!(payment_history::list_payments),
    routes!(config::get_stripe_config),
    routes!(purchase::trial::begin_trial),
    routes!(purchase::subscribe::subscribe),
    routes!(purchase::change_plan::change_plan),
    routes!(purchase::cancel::cancel),
    routes!(purchase::convert_trial::convert_trial),
    routes!(purchase::topup::begin_topup),
    routes!(codes::create_code),
    routes!(codes::apply_code),
    routes!(discounts::validate_discount),
    routes!(stripe_webhook::receive_event),
}
