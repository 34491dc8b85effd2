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
    routes!(CanReadBilling: usage::usage),
    routes!(CanReadBilling: usage_history::usage_history),
    routes!(CanReadUsage: usage_dimensions::usage_dimensions),
    routes!(CanReadBilling: pricing::pricing, Operator: pricing::set_price),
    routes!(Operator: grant::grant),
    routes!(CanReadBilling: plans::get_plans),
    routes!(CanReadBilling: standing::get_status),
    routes!(CanReadBilling: standing::get_summary),
    routes!(CanReadBilling: payment_history::list_payments),
    routes!(CanReadBilling: config::get_stripe_config),
    routes!(CanChangeBilling: purchase::trial::begin_trial),
    routes!(CanChangeBilling: purchase::subscribe::subscribe),
    routes!(CanChangeBilling: purchase::change_plan::change_plan),
    routes!(CanChangeBilling: purchase::cancel::cancel),
    routes!(CanChangeBilling: purchase::convert_trial::convert_trial),
    routes!(CanChangeBilling: purchase::topup::begin_topup),
    routes!(Operator: codes::create_code),
    routes!(CanChangeBilling: codes::apply_code),
    routes!(CanChangeBilling: discounts::validate_discount),
    routes!(Open: stripe_webhook::receive_event),
}
