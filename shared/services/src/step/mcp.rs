//! The executor of `mcp_call`: arguments are checked against the tool's schema and filled with its defaults, the
//! tool is called with the credentials that the run was bound to, and what comes of it becomes the step's result.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::audit::Sender;
use crate::mcp::bind::{Reference, key};
use crate::mcp::target::of_binding;
use crate::state::AppState;
use clients::mcp::{McpError, NoResult, arguments, value};
use engine::binding::Binding;
use engine::{FailureCode, Outcome, RunInput, StepFailure};
use platform::secrets::Mask;
use types::error::{ErrorCode, Kind};
use types::json_text::JsonText;
use types::mcp::ToolSpec;
use workflow::steps::{McpCall, Templated};

use super::attempt::{Attempt, Performed};

/// A call of a tool of an MCP server.
#[derive(Debug)]
pub struct ToolCall {
    binding: Binding,
    tool: String,
    arguments: Map<String, Value>,
}

impl ToolCall {
    /// The call of a step whose fields are expanded.
    ///
    /// # Errors
    /// The failure of a step that calls what was not there when the run started.
    pub(super) fn of(call: &McpCall, run: &RunInput) -> Result<Self, Outcome> {
        let arguments = match &call.tool_args {
            Some(Templated::Value(arguments)) => arguments.clone(),
            Some(Templated::Template(_)) | None => Map::new(),
        };
        let binding = Reference::of(call)
            .and_then(|reference| run.mcp.get(&key(&reference, call.connection_resolution)));
        let Some(binding) = binding else {
            let named = call.instance_id.as_deref().or(call.server_url.as_deref()).unwrap_or_default();
            let error = format!("The MCP server {named:?} was not there when the run started.");
            return Err(Outcome::failure(FailureCode::ConnectionUnavailable, error));
        };
        Ok(Self { binding: binding.clone(), tool: call.tool_name.clone(), arguments })
    }

    pub(super) async fn perform(&self, state: &AppState, attempt: &Attempt, mask: &mut Mask) -> Performed {
        match self.called(state, attempt, mask).await {
            Ok(result) => Outcome::success(result),
            Err(failure) => Outcome::Failure(failure),
        }
        .into()
    }

    async fn called(
        &self,
        state: &AppState,
        attempt: &Attempt,
        mask: &mut Mask,
    ) -> Result<JsonText, StepFailure> {
        let Binding { server_id, version, settings, .. } = &self.binding;
        let arguments = match version {
            Some(version) => {
                let tools = state.mcp.tools(&state.store, &attempt.place, *server_id, *version).await;
                self.checked(state, attempt, &tools.map_err(|error| unready(&error))?).await?
            }
            // Nothing is published: the server decides.
            None => self.arguments.clone(),
        };
        let target =
            of_binding(state, &attempt.place, &self.binding, &Sender::Step(&attempt.key), mask).await;
        let target = target.map_err(|error| unready(&error))?;
        let what = format!("The tool {:?} could not be called", self.tool);
        let failed = |error: McpError| StepFailure {
            error: format!("{what}: {}", target.explained(&error)),
            ..failure(&error, &what)
        };
        let session = crate::mcp::server::open(state, &attempt.place, &target).await.map_err(failed)?;
        let result =
            session.call(&self.tool, arguments, Some(&attempt.key), settings).await.map_err(failed)?;
        // As it came, and as the result.
        let _room = state.memory.answer(result.cost().saturating_mul(2)).await;
        value(result.to_value()).map(JsonText::from).map_err(|no_result| match no_result {
            NoResult::Failed(said) => {
                let error = format!("The tool {:?} failed: {said}", self.tool);
                StepFailure { may_pass: true, ..StepFailure::new(FailureCode::McpToolFailed, error) }
            }
            NoResult::Unreadable(error) => {
                failure(&error, &format!("The result of the tool {:?} cannot be used", self.tool))
            }
        })
    }

    async fn checked(
        &self,
        state: &AppState,
        attempt: &Attempt,
        tools: &Arc<Vec<ToolSpec>>,
    ) -> Result<Map<String, Value>, StepFailure> {
        let refused = |error: String| StepFailure::new(FailureCode::McpToolFailed, error);
        let Some(at) = tools.iter().position(|tool| tool.name == self.tool) else {
            return Err(refused(format!("The server's active version has no tool {:?}.", self.tool)));
        };
        let (tools, given) = (Arc::clone(tools), self.arguments.clone());
        let checked = state.threads.run(attempt.holder(), move || arguments(&tools, at, given));
        checked
            .await
            .map_err(|error| unready(&error))?
            .map_err(|why| refused(format!("The tool {:?} does not take these arguments: {why}.", self.tool)))
    }
}

/// What is needed for a call is not to be had.
fn unready(error: &types::Error) -> StepFailure {
    let code = match error.kind {
        Kind::Unavailable { .. } | Kind::Internal => FailureCode::DependencyUnavailable,
        _ if matches!(error.code, ErrorCode::ConnectionUnavailable | ErrorCode::ConnectionHostNotAllowed) => {
            FailureCode::ConnectionUnavailable
        }
        _ => FailureCode::McpToolFailed,
    };
    StepFailure::new(code, error.message.clone())
}

/// The failure of a step whose call of a server came to this; `what` says what was called.
fn failure(error: &McpError, what: &str) -> StepFailure {
    let (code, retry_after) = match error {
        McpError::Http { status: 401 | 403, retry_after, .. } => {
            (FailureCode::ConnectionUnavailable, *retry_after)
        }
        McpError::Http { retry_after, .. } => (FailureCode::McpToolFailed, *retry_after),
        _ => (FailureCode::McpToolFailed, None),
    };
    let message = format!("{what}: {error}.");
    StepFailure { may_pass: error.may_pass(), retry_after, ..StepFailure::new(code, message) }
}
