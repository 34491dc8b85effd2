//! The Lambda function `inbound_webhooks`.

shared::function_main!(inbound_webhooks::router);
