//! The Lambda function `billing`.

shared::function_main!(billing::router);
