//! The Lambda function `runs`.

shared::function_main!(runs::router);
