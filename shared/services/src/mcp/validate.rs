//! Checking whether a server can be used: without credentials, with a connection's, or as an instance of it says.

use serde::Serialize;
use utoipa::ToSchema;

use super::instance::find_with_server;
use super::server::{ASKING, find, open};
use super::target::{binding_of, of_binding, of_server};
use crate::audit::Sender;
use crate::auth::Caller;
use crate::connection;
use crate::state::AppState;
use clients::mcp::tools::Offer;
use clients::mcp::{McpError, Target, tools};
use platform::boxed;
use platform::secrets::Mask;
use store::McpServerRecord;
use types::Result;
use types::ids::{ConnectionId, InstanceId, McpServerId};
use types::mcp::ToolSpec;

/// As the audit trail names it.
const VALIDATING: &str = "validate";

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServerCheck {
    /// What.
    pub name: CheckName,
    /// What came of it.
    pub status: CheckStatus,
    /// In words.
    pub message: String,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// Whether the address may be called and answers.
    Reachability,
    /// Whether it speaks MCP.
    Handshake,
    /// Whether it has tools, and those of the active version.
    Tools,
    /// Whether their schemas can be used.
    Schema,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed,
    /// A check before it failed.
    Skipped,
}

/// Whether a server can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Validity {
    /// Whether all checks passed.
    pub valid: bool,
    /// The checks, in their order.
    pub checks: Vec<ServerCheck>,
}

/// Checks a server without credentials.
///
/// # Errors
/// Not found.
#[boxed]
pub async fn server(state: &AppState, caller: &Caller, id: McpServerId) -> Result<Validity> {
    let server = find(state, &caller.place, id).await?;
    Ok(with(state, caller, &server, None).await)
}

/// Checks a server with a connection's credentials.
///
/// # Errors
/// Not found when there is no such server or connection.
#[boxed]
pub async fn server_with_connection(
    state: &AppState,
    caller: &Caller,
    id: McpServerId,
    connection: ConnectionId,
) -> Result<Validity> {
    let server = find(state, &caller.place, id).await?;
    connection::find(state, &caller.place, connection).await?;
    Ok(with(state, caller, &server, Some(connection)).await)
}

async fn with(
    state: &AppState,
    caller: &Caller,
    server: &McpServerRecord,
    connection: Option<ConnectionId>,
) -> Validity {
    let mut mask = Mask::default();
    let sender = Sender::Caller(caller, VALIDATING);
    let target = of_server(state, server, connection, &sender, &mut mask).await;
    validate(state, server, target, &mask).await
}

/// Checks an instance with what its active profile says.
///
/// # Errors
/// Not found; internal when its row is damaged.
#[boxed]
pub async fn instance(state: &AppState, caller: &Caller, id: InstanceId) -> Result<Validity> {
    let place = &caller.place;
    let (instance, server) = find_with_server(state, place, id).await?;
    let binding = binding_of(&instance, &server, None)?;
    let mut mask = Mask::default();
    let target = of_binding(state, place, &binding, &Sender::Caller(caller, VALIDATING), &mut mask).await;
    Ok(validate(state, &server, target, &mask).await)
}

/// Checks a target: whether it answers, speaks MCP, has tools and schemas that can be used.
async fn validate(
    state: &AppState,
    record: &McpServerRecord,
    target: Result<Target>,
    mask: &Mask,
) -> Validity {
    let mut checks = Vec::new();
    let mut note = |name, outcome: Result<String, String>| {
        let (status, message) = match outcome {
            Ok(message) => (CheckStatus::Passed, message),
            Err(message) => (CheckStatus::Failed, message),
        };
        checks.push(ServerCheck { name, status, message: mask.text(&message).into_owned() });
    };
    match target {
        Err(error) => note(CheckName::Reachability, Err(error.message)),
        Ok(target) => {
            let asking = ask(state, record, &target, &mut note);
            if tokio::time::timeout(ASKING, asking).await.is_err() {
                let late = format!("It did not answer within {} s.", ASKING.as_secs());
                note(CheckName::Reachability, Err(late));
            }
        }
    }
    // The latest word on each counts; what nobody came to is skipped.
    let all = [CheckName::Reachability, CheckName::Handshake, CheckName::Tools, CheckName::Schema];
    let checks: Vec<ServerCheck> = all
        .into_iter()
        .map(|name| {
            let found = checks.iter().rev().find(|check| check.name == name).cloned();
            let message = "A check before it failed.".to_owned();
            found.unwrap_or(ServerCheck { name, status: CheckStatus::Skipped, message })
        })
        .collect();
    Validity { valid: checks.iter().all(|check| check.status == CheckStatus::Passed), checks }
}

async fn ask(
    state: &AppState,
    record: &McpServerRecord,
    target: &Target,
    note: &mut impl FnMut(CheckName, Result<String, String>),
) {
    let told = |error: &McpError| target.explained(error);
    let session = match open(state, &record.place, target).await {
        Ok(session) => session,
        Err(
            error @ (McpError::Protocol(_)
            | McpError::Rpc { .. }
            | McpError::Http { .. }
            | McpError::Unanswered { .. }),
        ) => {
            note(CheckName::Reachability, Ok("It answers.".to_owned()));
            return note(CheckName::Handshake, Err(told(&error)));
        }
        Err(error) => return note(CheckName::Reachability, Err(told(&error))),
    };
    note(CheckName::Reachability, Ok("It answers.".to_owned()));
    let greeting = session.greeting();
    let said = greeting.map_or_else(String::new, |greeting| {
        format!("{} {} speaks version {}.", greeting.name, greeting.version, greeting.protocol_version)
    });
    note(CheckName::Handshake, Ok(said));
    let offer = match tools::ask(&session).await {
        Ok(offer) => offer,
        Err(error) => return note(CheckName::Tools, Err(told(&error))),
    };
    let looking = state.threads.run_soon(&record.place.tenant_id, move || offer.looked_through());
    let Offer { tools, warnings } = match looking.await {
        Ok(offer) => offer,
        Err(error) => return note(CheckName::Tools, Err(error.message)),
    };
    note(CheckName::Tools, compared(state, record, &tools).await);
    let schema = match &warnings[..] {
        [] => "All schemas can be used.".to_owned(),
        [first, ..] => {
            let count = warnings.len();
            format!("The tools can be used; {count} of their parts cannot, the first: {first}.")
        }
    };
    note(CheckName::Schema, Ok(schema));
}

/// Whether the tools are there that the active version promises.
async fn compared(state: &AppState, record: &McpServerRecord, tools: &[ToolSpec]) -> Result<String, String> {
    if tools.is_empty() {
        return Err("It has no tools.".to_owned());
    }
    let Some(number) = record.active_version else { return Ok(format!("It has {} tools.", tools.len())) };
    let promised = state.mcp.tools(&state.store, &record.place, record.id, number).await;
    let promised = promised.map_err(|error| error.message)?;
    let is_gone = |tool: &&ToolSpec| !tools.iter().any(|other| other.name == tool.name);
    let gone: Vec<&str> = promised.iter().filter(is_gone).map(|tool| tool.name.as_str()).take(10).collect();
    match gone.is_empty() {
        true => Ok(format!("It has {} tools, with all of the active version.", tools.len())),
        false => Err(format!("It no longer has tools of the active version: {}.", gone.join(", "))),
    }
}
