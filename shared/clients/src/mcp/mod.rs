//! Servers of MCP: sessions, calls, and what comes back.

pub mod error;
mod events;
mod message;
pub mod result;
pub mod session;
pub mod tools;
mod transport;
pub mod words;

pub use error::McpError;
pub use result::{NoResult, arguments, value};
pub use session::{Greeting, Session, Sessions, Target, is_settable};
pub use tools::ToolWarning;
pub use words::shown;
