//! A tool as the list of all has it.

use rmcp::model::Tool;
use shared::services::auth::Caller;

use super::{Own, Route};

/// A tool and what a call of it does.
#[derive(Debug)]
pub struct Entry {
    /// As clients see it.
    pub tool: Tool,
    /// What a call does.
    pub action: Action,
    /// Whether its answers hold secrets.
    pub risk: bool,
    /// Whether a caller may use it.
    pub(super) allows: fn(&Caller) -> bool,
}

/// What a call of a tool does.
#[derive(Debug)]
pub enum Action {
    /// Sends a request to a route.
    Route(Route),
    /// Sends a request to a route that the call names.
    Catalog,
    /// Looks at several routes, or at none.
    Own(&'static Own),
}
