//! The Lambda function `analytics`.

shared::function_main!(analytics::router);
