//! The Lambda function `webhook_ingress`.

shared::function_main!(webhook_ingress::router);
