//! The Lambda function `tasks`.

shared::function_main!(tasks::router);
