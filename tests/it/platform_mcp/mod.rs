//! The MCP server: its transport, its tools, and that they may what their routes may.

mod connectors;
mod exposed;
mod paths;
mod permission;
mod risk;
mod runs;
mod tools;
mod transport;
