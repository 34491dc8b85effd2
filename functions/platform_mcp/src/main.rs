//! The Lambda function `platform_mcp`.

shared::function_main!(platform_mcp::router);
