//! The Lambda function `connections`.

shared::function_main!(connections::router);
