//! Inbound webhooks as their owners manage them. What senders call is `webhook_ingress`, with rights of its own.

mod create;
mod delete;
mod deliveries;
mod get;
mod list;
mod patch;
mod rotate;

shared::function! {
    routes!(list::list_inbound_webhooks, create::create_inbound_webhook),
    routes!(get::get_inbound_webhook, patch::patch_inbound_webhook, delete::delete_inbound_webhook),
    routes!(rotate::rotate_signing_secret),
    routes!(deliveries::list_deliveries),
}
