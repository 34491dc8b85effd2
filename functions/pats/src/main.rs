//! The Lambda function `pats`.

shared::function_main!(pats::router);
