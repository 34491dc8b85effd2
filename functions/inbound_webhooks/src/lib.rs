//! Inbound webhooks as their owners manage them. What senders call is `webhook_ingress`, with rights of its own.

mod create;
mod delete;
mod deliveries;
mod get;
mod list;
mod patch;
mod rotate;

shared::function! {
    routes!(CanReadWebhooks: list::list_inbound_webhooks, CanWriteWebhooks: create::create_inbound_webhook),
    routes!(
        CanReadWebhooks: get::get_inbound_webhook,
        CanWriteWebhooks: patch::patch_inbound_webhook,
        CanWriteWebhooks: delete::delete_inbound_webhook,
    ),
    routes!(CanWriteWebhooks: rotate::rotate_signing_secret),
    routes!(CanReadWebhooks: deliveries::list_deliveries),
}
