//! The executor of `mcp_call`.

use crate::run::{FailureCode, Outcome, RunInput};
use crate::secrets::Mask;
use crate::state::AppState;
use crate::workflow::steps::McpCall;

use super::effect::{Attempt, Performed};

/// A call of a tool of an MCP server.
#[derive(Debug)]
pub struct ToolCall {
    tool_name: String,
}

impl ToolCall {
    /// The call of a step.
    pub(super) fn of(call: &McpCall, _: &RunInput) -> Result<Self, Outcome> {
        Ok(Self { tool_name: call.tool_name.clone() })
    }

    pub(super) async fn perform(&self, _: &AppState, _: &Attempt, _: &mut Mask) -> Performed {
        // Publishing refuses step types that this version cannot execute.
        let error = format!("This version cannot call tools ({}).", self.tool_name);
        std::future::ready(Outcome::failure(FailureCode::DependencyUnavailable, error).into()).await
    }
}
