//! The Lambda function `llm`.

shared::function_main!(llm::router);
