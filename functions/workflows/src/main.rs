//! The Lambda function `workflows`.

shared::function_main!(workflows::router);
