//! The Lambda function `mcp_servers`.

shared::function_main!(mcp_servers::router);
