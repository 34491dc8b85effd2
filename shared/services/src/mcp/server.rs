//! Servers: registering, asking for tools, publishing them, and checking whether they can be used.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::slug;
use crate::state::AppState;
use clients::mcp::McpError;
use clients::mcp::tools;
use clients::mcp::tools::Offer;
use clients::mcp::{Session, Target};
use platform::secrets::Mask;
use store::{McpServerRecord, StoreError};
use types::ids::{McpServerId, Place};
use types::mcp::{AuthMode, Mode, ServerStatus, ToolSpec};
use types::text;
use types::{Error, Result};

/// How long asking a server may take: API Gateway waits for 30 s.
pub(super) const ASKING: Duration = Duration::from_secs(22);

/// What a new server is made from; its texts were checked.
#[derive(Debug)]
pub struct NewServer {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Whose it is.
    pub mode: Mode,
    /// How calls authenticate.
    pub auth_mode: AuthMode,
    /// What it is for.
    pub description: String,
    /// The entry of the catalog that it is made from.
    pub catalog_id: Option<String>,
}

/// What to change of a server; its texts were checked.
#[derive(Debug, Default)]
pub struct ServerChange {
    /// Its name, and with it its slug.
    pub name: Option<String>,
    /// Its address.
    pub url: Option<String>,
    /// How calls authenticate.
    pub auth_mode: Option<AuthMode>,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it may be called.
    pub enabled: Option<bool>,
    /// The version whose tools count.
    pub active_version: Option<u32>,
}

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

/// A server of this place.
///
/// # Errors
/// Not found.
pub async fn find(state: &AppState, place: &Place, id: McpServerId) -> Result<McpServerRecord> {
    state.store.mcp_server(place, id).await?.ok_or_else(|| Error::not_found("MCP server"))
}

pub(super) fn record(state: &AppState, place: &Place, new: NewServer) -> Result<McpServerRecord> {
    let url = checked_url(state, &new.url)?;
    let now = state.clock.now();
    Ok(McpServerRecord {
        id: McpServerId::new(now),
        place: place.clone(),
        service: slug(&new.name)?,
        name: new.name,
        canonical_url: url,
        mode: new.mode,
        auth_mode: new.auth_mode,
        description: new.description,
        status: ServerStatus::Draft,
        tool_count: 0,
        active_version: None,
        latest_version: 0,
        discovered: false,
        catalog_id: new.catalog_id,
        revision: 1,
        created_at: now,
        updated_at: now,
    })
}

fn checked_url(state: &AppState, url: &str) -> Result<String> {
    let url = text::url("canonical_url", url)?;
    let url = state.outbound.url(url).map_err(|why| Error::invalid(format!("canonical_url: {why}.")))?;
    Ok(url.to_string())
}

fn slug_in_use(error: StoreError, service: &str) -> Error {
    match error {
        StoreError::Conflict => Error::conflict(
            "SERVICE_IN_USE",
            format!("name: another server of this project has the service {service:?}; choose another name."),
        ),
        other => other.into(),
    }
}

/// Registers a server.
///
/// # Errors
/// Invalid when the address may not be called; conflict when the name's slug is in use.
pub async fn register(state: &AppState, place: &Place, new: NewServer) -> Result<McpServerRecord> {
    let record = record(state, place, new)?;
    match state.store.create_mcp_server(&record).await {
        Ok(()) => Ok(record),
        Err(error) => Err(slug_in_use(error, &record.service)),
    }
}

/// Changes a server.
///
/// # Errors
/// Not found; invalid; conflict when the new name's slug is in use.
pub async fn change(
    state: &AppState,
    place: &Place,
    id: McpServerId,
    change: ServerChange,
) -> Result<McpServerRecord> {
    let mut record = find(state, place, id).await?;
    let before = record.service.clone();
    if let Some(name) = change.name {
        record.service = slug(&name)?;
        record.name = name;
    }
    if let Some(url) = change.url {
        record.canonical_url = checked_url(state, &url)?;
    }
    record.auth_mode = change.auth_mode.unwrap_or(record.auth_mode);
    record.description = change.description.unwrap_or(record.description);
    record.updated_at = state.clock.now();
    if let Some(number) = change.active_version {
        let there = state.store.mcp_version(place, id, number).await?;
        let version =
            there.ok_or_else(|| Error::invalid(format!("active_version: there is no version {number}.")))?;
        let tools = state.store.mcp_tools(place, id, number).await?;
        record.active_version = Some(number);
        record.tool_count = version.tool_count;
        set_status(&mut record, change.enabled);
        state.store.activate_tools(&mut record, &tools).await?;
        if before == record.service {
            return Ok(record);
        }
    }
    set_status(&mut record, change.enabled);
    match state.store.save_mcp_server(&mut record, Some(&before)).await {
        Ok(()) => Ok(record),
        Err(error) if before != record.service => Err(slug_in_use(error, &record.service)),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn set_status(record: &mut McpServerRecord, enabled: Option<bool>) {
    let enabled = enabled.unwrap_or(record.status != ServerStatus::Disabled);
    record.status = match (enabled, record.active_version) {
        (false, _) => ServerStatus::Disabled,
        (true, Some(_)) => ServerStatus::Active,
        (true, None) => ServerStatus::Draft,
    };
}

/// Deletes a server that has no instances.
///
/// # Errors
/// Not found; conflict `MCP_SERVER_IN_USE`, naming its instances.
pub async fn delete(state: &AppState, place: &Place, id: McpServerId) -> Result<()> {
    let record = find(state, place, id).await?;
    let (_, instances) = state.store.all_mcp(place).await?;
    let users: Vec<String> =
        instances.iter().filter(|each| each.server_id == id).map(|each| each.id.to_string()).collect();
    if !users.is_empty() {
        let message = format!("The server has the instances {}; delete them first.", users.join(", "));
        return Err(Error::conflict("MCP_SERVER_IN_USE", message));
    }
    Ok(state.store.delete_mcp_server(&record).await?)
}

/// The session with a target.
///
/// # Errors
/// When the server does not answer as it should.
pub async fn open(state: &AppState, place: &Place, target: &Target) -> Result<Session, McpError> {
    state.mcp.sessions.open(&state.outbound, &state.clock, place, target).await
}

/// Checks a target: whether it answers, speaks MCP, has tools and schemas that can be used.
pub async fn validate(
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
    let Offer { tools, warnings } = match tools::ask(&session).await {
        Ok(offer) => offer,
        Err(error) => return note(CheckName::Tools, Err(told(&error))),
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
