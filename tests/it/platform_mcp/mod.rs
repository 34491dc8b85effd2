//! The MCP server: its transport, its tools, and that they may what their routes may.

mod permission;
mod risk;
mod tools;
mod transport;
