//! Servers: registered, read, changed, deleted; and sessions with them.

use std::time::Duration;

use super::slug;
use super::view::ServerView;
use crate::connection::hosts;
use crate::quotas::within;
use crate::state::AppState;
use clients::mcp::{McpError, Session, Target};
use platform::boxed;
use store::{Counted, Listed, McpServerRecord, QuotaGuard, StoreError};
use types::error::ErrorCode;
use types::ids::{McpServerId, Place};
use types::mcp::{AuthMode, Mode, ServerStatus};
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

/// A server of this place.
///
/// # Errors
/// Not found.
#[boxed]
pub async fn find(state: &AppState, place: &Place, id: McpServerId) -> Result<McpServerRecord> {
    state.store.mcp_server(place, id).await?.ok_or_else(|| Error::not_found("MCP server"))
}

/// A server of this place with the tools of its active version.
///
/// # Errors
/// Not found; unavailable when the database does not answer.
#[boxed]
pub async fn get(state: &AppState, place: &Place, id: McpServerId) -> Result<ServerView> {
    let record = find(state, place, id).await?;
    let tools = match record.active_version {
        Some(version) => Some(state.mcp.tools(&state.store, place, id, version).await?),
        None => None,
    };
    Ok(ServerView::with_tools(record, tools.as_deref().map(Vec::as_slice)))
}

/// The servers of this place, newest first.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    place: &Place,
    limit: usize,
    after: Option<McpServerId>,
) -> Result<Listed<McpServerRecord>> {
    Ok(state.store.list_mcp_servers(place, limit, after).await?)
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
            ErrorCode::ServiceInUse,
            format!("name: another server of this project has the service {service:?}; choose another name."),
        ),
        other => other.into(),
    }
}

/// Registers a server.
///
/// # Errors
/// Invalid when the address may not be called; conflict when the name's slug is in use, or the project has as many servers
/// as it may.
#[boxed]
pub async fn register(state: &AppState, place: &Place, new: NewServer) -> Result<McpServerRecord> {
    let record = record(state, place, new)?;
    let make = |guard| keep(state, &record, guard);
    within(state, Counted::McpServers(place.clone()), make).await?;
    Ok(record)
}

async fn keep(state: &AppState, record: &McpServerRecord, guard: QuotaGuard) -> Result<()> {
    let made = state.store.create_mcp_server(record, guard).await;
    // It may be the quota's guard that did not hold.
    if matches!(made, Err(StoreError::Conflict))
        && !state.store.has_mcp_slug(&record.place, &record.service).await?
    {
        return Err(StoreError::Conflict.into());
    }
    made.map_err(|error| slug_in_use(error, &record.service))
}

/// Changes a server.
///
/// # Errors
/// Not found; invalid; conflict when the new name's slug is in use.
#[boxed]
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
        let url = checked_url(state, &url)?;
        if url != record.canonical_url {
            // Connections of older versions are bound to where the server is now.
            hosts::settle_all(state, place).await?;
        }
        record.canonical_url = url;
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
#[boxed]
pub async fn delete(state: &AppState, place: &Place, id: McpServerId) -> Result<()> {
    let record = find(state, place, id).await?;
    let (_, instances) = state.store.all_mcp(place).await?;
    let users: Vec<String> =
        instances.iter().filter(|each| each.server_id == id).map(|each| each.id.to_string()).collect();
    if !users.is_empty() {
        let message = format!("The server has the instances {}; delete them first.", users.join(", "));
        return Err(Error::conflict(ErrorCode::McpServerInUse, message));
    }
    Ok(state.store.delete_mcp_server(&record).await?)
}

/// The session with a target.
///
/// # Errors
/// When the server does not answer as it should.
#[boxed]
pub async fn open(state: &AppState, place: &Place, target: &Target) -> Result<Session, McpError> {
    state.mcp.sessions.open(&state.outbound, &state.clock, place, target).await
}
