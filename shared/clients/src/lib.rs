//! Clients of what others run: providers of models, servers of MCP, the payment provider. They take what they need by
//! narrow arguments and keep no state of the product.

pub mod llm;
pub mod mcp;
pub mod stripe;
