//! What a server offers: asking it for its tools, and publishing them as a version, whose tools never change.

use serde_json::Value;

use super::server::{ASKING, find, open, set_status};
use super::target::{binding_of, of_binding, of_server};
use super::view::{Discovered, McpVersionView};
use crate::audit::Sender;
use crate::auth::Caller;
use crate::lists;
use crate::state::AppState;
use clients::mcp::Target;
use clients::mcp::tools::Offer;
use clients::mcp::{Greeting, McpError, shown, tools};
use platform::boxed;
use platform::secrets::Mask;
use store::{Listed, McpServerRecord, McpVersionRecord, NewMcpVersion};
use types::error::{ErrorCode, Kind};
use types::ids::{ConnectionId, McpServerId, Place};
use types::mcp::{AuthMode, ToolSpec};
use types::{Error, Result};

/// The most characters of a version's name.
const LONGEST_VERSION: usize = 64;
/// The most tools that an error names.
const MAX_NAMED: usize = 20;

/// Tools to publish.
#[derive(Debug, Default)]
pub struct Publish {
    /// What to call the version; its number when absent.
    pub version: Option<String>,
    /// The tools; those that were discovered last when absent.
    pub tools: Option<Vec<ToolSpec>>,
    /// The JSON Schema of an instance's `config`.
    pub config_schema: Option<Value>,
    /// Whether they count from now on.
    pub activate: bool,
    /// Whether tools of the active version may be missing.
    pub confirm_dropped: bool,
}

/// Asks a server for its tools and keeps them until they are published: with the connection that is named, else with
/// what an instance of it is bound to, else without credentials.
///
/// # Errors
/// Not found; invalid when the server cannot be used or has no tools, `CONNECTION_REQUIRED` when it wants credentials
/// and there are none.
#[boxed]
pub async fn discover(
    state: &AppState,
    caller: &Caller,
    id: McpServerId,
    connection: Option<ConnectionId>,
) -> Result<Discovered> {
    let place = &caller.place;
    let mut record = find(state, place, id).await?;
    let mut mask = Mask::default();
    let sender = Sender::Caller(caller, "discover");
    let target = target(state, &record, connection, &sender, &mut mask).await?;
    let asking = async {
        let session = open(state, place, &target).await?;
        let offer = tools::ask(&session).await?;
        Ok((offer, session))
    };
    let asked = tokio::time::timeout(ASKING, asking).await;
    let asked = asked.unwrap_or(Err(McpError::Timeout(ASKING)));
    let (offer, session) = asked.map_err(|error| masked(target.error(&error), &mask))?;
    let looking = state.threads.run_soon(&place.tenant_id, move || offer.looked_through());
    let Offer { tools, warnings } = looking.await?;
    if tools.is_empty() {
        let why = warnings.first().map(|warning| format!(" that can be used: {warning}"));
        let message = format!("The server has no tools{}.", why.unwrap_or_default());
        return Err(Error::new(Kind::Invalid, ErrorCode::NoTools, message));
    }
    record.discovered = true;
    if record.active_version.is_none() {
        record.tool_count = u32::try_from(tools.len()).unwrap_or(u32::MAX);
    }
    record.updated_at = state.clock.now();
    state.store.keep_discovered(&mut record, &tools).await?;
    let greeting = session.greeting();
    let said = |what: fn(Greeting) -> String| greeting.clone().map(what).unwrap_or_default();
    Ok(Discovered {
        server_name: said(|greeting| greeting.name),
        server_version: said(|greeting| greeting.version),
        protocol_version: said(|greeting| greeting.protocol_version),
        tool_count: tools.len(),
        tools,
        authenticated: target.authenticated,
        warnings,
    })
}

/// Whom to ask for a server's tools, and with what. What a server's instances are bound to is looked up only where
/// nothing is named and the server wants something.
async fn target(
    state: &AppState,
    record: &McpServerRecord,
    connection: Option<ConnectionId>,
    sender: &Sender<'_>,
    mask: &mut Mask,
) -> Result<Target> {
    if connection.is_none() && record.auth_mode != AuthMode::None {
        let (_, instances) = state.store.all_mcp(&record.place).await?;
        for instance in instances.iter().filter(|each| each.server_id == record.id && each.enabled) {
            let binding = binding_of(instance, record, None)?;
            if binding.connection_id.is_some() {
                return of_binding(state, &record.place, &binding, sender, mask).await;
            }
        }
    }
    of_server(state, record, connection, sender, mask).await
}

fn masked(error: Error, mask: &Mask) -> Error {
    Error { message: mask.text(&error.message).into_owned(), ..error }
}

/// Refuses tools among which those of the active version are not all: steps of published workflows may call them.
async fn refuse_dropping(state: &AppState, record: &McpServerRecord, tools: &[ToolSpec]) -> Result<()> {
    let Some(number) = record.active_version else { return Ok(()) };
    let active = state.mcp.tools(&state.store, &record.place, record.id, number).await?;
    let is_gone = |tool: &&ToolSpec| !tools.iter().any(|other| other.name == tool.name);
    let gone: Vec<String> = active.iter().filter(is_gone).map(|tool| shown(&tool.name)).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let more = gone.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = gone.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!(
        "The active version {number} has tools that these are without: {named}{more}. Steps that call them would fail; \
         send \"confirm_dropped\": true to publish nevertheless."
    );
    Err(Error::conflict(ErrorCode::ToolsDropped, message))
}

/// The published catalogs of a server, newest first, without their tools. They go on after the one with the number
/// `after`.
///
/// # Errors
/// Not found; invalid when `after` is no number; unavailable when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    place: &Place,
    id: McpServerId,
    limit: usize,
    after: Option<&str>,
) -> Result<Listed<McpVersionView>> {
    let server = find(state, place, id).await?;
    let listed = state.store.list_mcp_versions(place, id, limit, lists::after(after)?).await?;
    let view = |row| McpVersionView::new(&server, row, None);
    Ok(Listed { rows: listed.rows.into_iter().map(view).collect(), next: listed.next })
}

/// Publishes a catalog of tools.
///
/// # Errors
/// Not found; invalid when there are no tools or they cannot be kept; conflict when the version's name is taken, tools of
/// the active version would be gone, or somebody else publishes at the same moment.
#[boxed]
pub async fn publish(
    state: &AppState,
    place: &Place,
    id: McpServerId,
    publish: Publish,
) -> Result<McpVersionView> {
    let mut record = find(state, place, id).await?;
    let tools = match publish.tools {
        Some(tools) => tools,
        None => state.store.discovered(place, id).await?.unwrap_or_default(),
    };
    if tools.is_empty() {
        return Err(Error::invalid(
            "tools: there are none; send them, or discover the server's with POST …/discover.",
        ));
    }
    tools::check(&tools).map_err(|why| Error::invalid(format!("tools: {why}.")))?;
    let config_schema = publish.config_schema;
    let check = move || {
        let warnings = tools::unchecked(&tools, config_schema.as_ref());
        (tools, config_schema, warnings)
    };
    let (tools, config_schema, warnings) = state.threads.run_soon(&place.tenant_id, check).await?;
    if config_schema.as_ref().is_some_and(|schema| !schema.is_object()) {
        return Err(Error::invalid("config_schema: must be a JSON Schema, which is an object."));
    }
    if !publish.confirm_dropped {
        refuse_dropping(state, &record, &tools).await?;
    }
    let number = record.latest_version + 1;
    let version = publish.version.unwrap_or_else(|| number.to_string());
    check_version(state, place, id, &version).await?;
    let now = state.clock.now();
    let row = McpVersionRecord {
        number,
        version,
        tool_count: u32::try_from(tools.len()).unwrap_or(u32::MAX),
        config_schema: config_schema.map(|schema| schema.to_string()),
        published_at: now,
    };
    record.latest_version = number;
    record.updated_at = now;
    if publish.activate {
        record.active_version = Some(number);
        record.tool_count = row.tool_count;
        set_status(&mut record, None);
    }
    let new = NewMcpVersion { version: &row, tools: &tools, activate: publish.activate };
    state.store.publish_tools(&mut record, &new).await?;
    let mut view = McpVersionView::new(&record, row, Some(tools));
    view.warnings = warnings;
    Ok(view)
}

async fn check_version(state: &AppState, place: &Place, id: McpServerId, version: &str) -> Result<()> {
    let length = version.chars().count();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if length == 0 || length > LONGEST_VERSION || !version.chars().all(plain) {
        return Err(Error::invalid(format!(
            "version: must have 1 to {LONGEST_VERSION} of A-Z a-z 0-9 . _ - and '+'."
        )));
    }
    let known = state.store.list_mcp_versions(place, id, 100, None).await?;
    if known.rows.iter().any(|row| row.version == version) {
        return Err(Error::conflict(
            ErrorCode::VersionExists,
            format!("version: {version:?} is published already."),
        ));
    }
    Ok(())
}
