//! Instances of servers, the profiles that say with which credentials they are called, and the connections that a
//! workflow uses instead.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::catalog;
use super::server::{self, NewServer};
use super::target::{binding_of, of_binding};
use crate::connection;
use crate::state::AppState;
use clients::mcp::McpError;
use clients::mcp::NoResult;
use clients::mcp::shown;
use platform::blocking::blocking;
use platform::secrets::Mask;
use store::{InstanceRecord, McpServerRecord, ProfileRecord};
use types::error::Kind;
use types::ids::{ConnectionId, InstanceId, McpServerId, Place, ProfileId, WorkflowId};
use types::mcp::{InjectAs, Overrides, ServerStatus, SourceSpec};
use types::{Error, Result};
use workflow::input::fill_defaults_and_check_in_part;

/// How long trying a tool may take: API Gateway waits for 30 s.
const TRYING: Duration = Duration::from_secs(25);
/// The most overrides of a workflow: they are written in one transaction.
const MOST_OVERRIDES: usize = 40;
/// The most credentials that a profile places.
const MOST_INJECTED: usize = 20;
/// The most bytes of a profile.
const LARGEST_PROFILE: usize = 64 * 1024;
/// Headers that are the protocol's own.
const RESERVED: [&str; 9] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "transfer-encoding",
];

/// An instance of this place.
///
/// # Errors
/// Not found.
pub async fn find(state: &AppState, place: &Place, id: InstanceId) -> Result<InstanceRecord> {
    state.store.instance(place, id).await?.ok_or_else(|| Error::not_found("instance"))
}

/// An instance with its server.
///
/// # Errors
/// Not found.
pub async fn find_with_server(
    state: &AppState,
    place: &Place,
    id: InstanceId,
) -> Result<(InstanceRecord, McpServerRecord)> {
    let instance = find(state, place, id).await?;
    let server = server::find(state, place, instance.server_id).await?;
    Ok((instance, server))
}

fn new(state: &AppState, place: &Place, server: &McpServerRecord, name: Option<String>) -> InstanceRecord {
    let now = state.clock.now();
    InstanceRecord {
        id: InstanceId::new(now),
        place: place.clone(),
        server_id: server.id,
        name: name.unwrap_or_else(|| server.name.clone()),
        enabled: true,
        active_profile: None,
        source: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    }
}

/// Makes an instance of a server.
///
/// # Errors
/// Invalid when there is no such server.
pub async fn create(
    state: &AppState,
    place: &Place,
    server_id: McpServerId,
    name: Option<String>,
) -> Result<InstanceRecord> {
    let server = state.store.mcp_server(place, server_id).await?;
    let server =
        server.ok_or_else(|| Error::invalid("server_id: there is no such MCP server in this project."))?;
    let instance = new(state, place, &server, name);
    state.store.create_instance(&instance).await?;
    Ok(instance)
}

/// Makes an instance of an entry of the platform's catalog, and registers its server unless the project has it.
///
/// # Errors
/// Invalid when there is no such entry, or the deployment does not call its address.
pub async fn of_catalog(
    state: &AppState,
    place: &Place,
    catalog_id: &str,
    name: Option<String>,
) -> Result<InstanceRecord> {
    let entry = catalog::find(catalog_id).ok_or_else(|| {
        Error::invalid("catalog_id: there is no such entry; see GET /v1/mcp/platform-catalog.")
    })?;
    let (servers, _) = state.store.all_mcp(place).await?;
    if let Some(server) = servers.iter().find(|server| server.catalog_id.as_deref() == Some(catalog_id)) {
        let instance = new(state, place, server, name);
        state.store.create_instance(&instance).await?;
        return Ok(instance);
    }
    let (server, instance) = from_entry(state, place, entry, name)?;
    match state.store.create_mcp_server_with(&server, &instance).await {
        Ok(()) => Ok(instance),
        Err(store::StoreError::Conflict) => Err(Error::conflict(
            "SERVICE_IN_USE",
            format!(
                "Another server of this project has the service {:?}; rename it, or make an instance of it.",
                server.service
            ),
        )),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn from_entry(
    state: &AppState,
    place: &Place,
    entry: &catalog::CatalogEntry,
    name: Option<String>,
) -> Result<(McpServerRecord, InstanceRecord)> {
    let server = NewServer {
        name: entry.name.clone(),
        url: entry.url.clone(),
        mode: types::mcp::Mode::ThirdParty,
        auth_mode: entry.auth_mode(),
        description: entry.description.clone(),
        catalog_id: Some(entry.id.clone()),
    };
    let server = server::record(state, place, server)?;
    let instance = new(state, place, &server, name);
    Ok((server, instance))
}

/// Changes an instance's name, or whether it may be called.
///
/// # Errors
/// Not found.
pub async fn change(
    state: &AppState,
    place: &Place,
    id: InstanceId,
    name: Option<String>,
    enabled: Option<bool>,
) -> Result<InstanceRecord> {
    let mut record = find(state, place, id).await?;
    record.name = name.unwrap_or(record.name);
    record.enabled = enabled.unwrap_or(record.enabled);
    record.updated_at = state.clock.now();
    state.store.save_instance(&mut record, None, (None, None)).await?;
    Ok(record)
}

/// Deletes an instance with its profiles. Runs under way find it gone at their next call.
///
/// # Errors
/// Not found.
pub async fn delete(state: &AppState, place: &Place, id: InstanceId) -> Result<()> {
    let record = find(state, place, id).await?;
    let connection = record.source()?.connection_id;
    Ok(state.store.delete_instance(&record, connection).await?)
}

/// Whether a profile can be kept: names, the connection, and `config` against the server's schema.
async fn check(state: &AppState, server: &McpServerRecord, spec: &SourceSpec) -> Result<()> {
    if spec.inject.len() > MOST_INJECTED {
        return Err(Error::invalid(format!("source_spec.inject: at most {MOST_INJECTED} entries.")));
    }
    if serde_json::to_vec(spec).map_or(0, |json| json.len()) > LARGEST_PROFILE {
        return Err(Error::invalid("source_spec: larger than 64 KiB of JSON."));
    }
    if !spec.inject.is_empty() && spec.connection_id.is_none() {
        return Err(Error::invalid("source_spec.connection_id: is needed where something is injected."));
    }
    for (index, each) in spec.inject.iter().enumerate() {
        let at = format!("source_spec.inject[{index}]");
        let name = each.name.as_deref().unwrap_or(&each.credential_key);
        match each.place {
            InjectAs::Bearer if each.name.is_some() => {
                return Err(Error::invalid(format!("{at}.name: a bearer has none.")));
            }
            InjectAs::Header => {
                let valid = http::HeaderName::try_from(name).is_ok();
                let reserved = RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved));
                if !valid || reserved {
                    return Err(Error::invalid(format!(
                        "{at}.name: {:?} cannot be set as a header.",
                        shown(name)
                    )));
                }
            }
            InjectAs::Query if name.is_empty() || name.chars().any(char::is_control) => {
                return Err(Error::invalid(format!(
                    "{at}.name: {:?} cannot be the name of a parameter.",
                    shown(name)
                )));
            }
            InjectAs::Bearer | InjectAs::Query => {}
        }
    }
    if let Some(id) = spec.connection_id {
        let there = state.store.connection(&server.place, id).await?;
        let there = there.ok_or_else(|| {
            Error::invalid("source_spec.connection_id: there is no such connection in this project.")
        })?;
        let missing = spec.inject.iter().find(|each| !there.credential_keys.contains(&each.credential_key));
        if let Some(each) = missing {
            let message = format!("source_spec.inject: the connection has no key {:?}.", each.credential_key);
            return Err(Error::invalid(message));
        }
    }
    let Some(number) = server.active_version else { return Ok(()) };
    let version = state.store.mcp_version(&server.place, server.id, number).await?;
    let Some(schema) = version.and_then(|version| version.config_schema) else { return Ok(()) };
    let schema: Value = serde_json::from_str(&schema).map_err(|error| Error::internal(error.to_string()))?;
    let config = Value::Object(spec.config.clone());
    let filled = blocking(move || fill_defaults_and_check_in_part(&schema, config)).await?;
    filled.map(|_| ()).map_err(|issues| {
        let first = issues.first().map(|issue| issue.message.replace("input_schema", "the schema"));
        let first = first.unwrap_or_default().replace("the input does", "it does");
        Error::invalid(format!("source_spec.config: {first}")).with_issues(issues)
    })
}

fn connection_of(text: &str) -> Result<SourceSpec> {
    serde_json::from_str(text).map_err(|error| Error::internal(error.to_string()))
}

fn written(spec: &SourceSpec) -> Result<String> {
    serde_json::to_string(spec).map_err(|error| Error::internal(error.to_string()))
}

/// Makes a profile; the first of an instance is active at once.
///
/// # Errors
/// Not found; invalid, naming what is wrong.
pub async fn create_profile(
    state: &AppState,
    place: &Place,
    id: InstanceId,
    name: String,
    spec: &SourceSpec,
) -> Result<(InstanceRecord, ProfileRecord)> {
    let (mut instance, server) = find_with_server(state, place, id).await?;
    check(state, &server, spec).await?;
    let now = state.clock.now();
    let mut profile = ProfileRecord {
        id: ProfileId::new(now),
        name,
        source_spec: written(spec)?,
        revision: 0,
        created_at: now,
        updated_at: now,
    };
    if instance.active_profile.is_none() {
        activate(state, &mut instance, &mut profile, spec).await?;
    } else {
        state.store.save_profile(place, id, &mut profile).await?;
    }
    Ok((instance, profile))
}

async fn activate(
    state: &AppState,
    instance: &mut InstanceRecord,
    profile: &mut ProfileRecord,
    spec: &SourceSpec,
) -> Result<()> {
    let before = instance.source()?.connection_id;
    instance.active_profile = Some(profile.id);
    instance.source = Some(profile.source_spec.clone());
    instance.updated_at = state.clock.now();
    Ok(state.store.save_instance(instance, Some(profile), (before, spec.connection_id)).await?)
}

/// A profile of an instance.
///
/// # Errors
/// Not found.
pub async fn find_profile(
    state: &AppState,
    place: &Place,
    instance: InstanceId,
    id: ProfileId,
) -> Result<ProfileRecord> {
    let found = state.store.profile(place, instance, id).await?;
    found.ok_or_else(|| Error::not_found("config profile"))
}

/// Changes a profile. Runs that start after the answer use it, when it is active.
///
/// # Errors
/// Not found; invalid, naming what is wrong.
pub async fn change_profile(
    state: &AppState,
    place: &Place,
    (instance_id, id): (InstanceId, ProfileId),
    name: Option<String>,
    spec: Option<SourceSpec>,
) -> Result<(InstanceRecord, ProfileRecord)> {
    let (mut instance, server) = find_with_server(state, place, instance_id).await?;
    let mut profile = find_profile(state, place, instance_id, id).await?;
    profile.name = name.unwrap_or(profile.name);
    if let Some(spec) = &spec {
        check(state, &server, spec).await?;
        profile.source_spec = written(spec)?;
    }
    profile.updated_at = state.clock.now();
    if instance.active_profile == Some(id) {
        let spec = connection_of(&profile.source_spec)?;
        activate(state, &mut instance, &mut profile, &spec).await?;
    } else {
        state.store.save_profile(place, instance_id, &mut profile).await?;
    }
    Ok((instance, profile))
}

/// Makes a profile the one that counts.
///
/// # Errors
/// Not found; invalid when it no longer fits the server or its connection is gone.
pub async fn set_active(
    state: &AppState,
    place: &Place,
    (instance_id, id): (InstanceId, ProfileId),
) -> Result<(InstanceRecord, ProfileRecord)> {
    let (mut instance, server) = find_with_server(state, place, instance_id).await?;
    let mut profile = find_profile(state, place, instance_id, id).await?;
    let spec = connection_of(&profile.source_spec)?;
    check(state, &server, &spec).await?;
    activate(state, &mut instance, &mut profile, &spec).await?;
    Ok((instance, profile))
}

/// Replaces the connections that a workflow uses instead of what profiles say. Runs under way keep theirs.
///
/// # Errors
/// Not found when there is no such workflow; invalid when an instance stands there twice, or an id is unknown.
pub async fn set_overrides(
    state: &AppState,
    place: &Place,
    workflow: WorkflowId,
    pairs: &[(InstanceId, ConnectionId)],
) -> Result<()> {
    if state.store.workflow(place, workflow).await?.is_none() {
        return Err(Error::not_found("workflow"));
    }
    if pairs.len() > MOST_OVERRIDES {
        return Err(Error::invalid(format!("overrides: at most {MOST_OVERRIDES} of them.")));
    }
    let by_instance: BTreeMap<InstanceId, ConnectionId> = pairs.iter().copied().collect();
    if by_instance.len() < pairs.len() {
        return Err(Error::invalid("overrides: an instance stands there twice."));
    }
    let known: BTreeSet<InstanceId> =
        state.store.instances_of(place, by_instance.keys().copied()).await?.into_keys().collect();
    if let Some(unknown) = by_instance.keys().find(|id| !known.contains(id)) {
        return Err(Error::invalid(format!("overrides: there is no instance {unknown} in this project.")));
    }
    for id in by_instance.values().copied().collect::<BTreeSet<_>>() {
        match connection::find(state, place, id).await {
            Ok(_) => {}
            Err(error) if error.kind == Kind::NotFound => {
                return Err(Error::invalid(format!(
                    "overrides: there is no connection {id} in this project."
                )));
            }
            Err(error) => return Err(error),
        }
    }
    let before = state.store.overrides(place, workflow).await?;
    let after = Overrides { by_instance, revision: before.revision + 1 };
    Ok(state.store.save_overrides(place, workflow, &before, &after).await?)
}

/// Tries a tool of an instance; the inner error is the tool's own word of its failure.
///
/// # Errors
/// Not found when there is no such instance or tool; invalid when the arguments are not what the tool takes, or the
/// server cannot be used.
pub async fn try_tool(
    state: &AppState,
    place: &Place,
    id: InstanceId,
    tool: &str,
    arguments: Map<String, Value>,
) -> Result<Result<Value, String>> {
    let (instance, server) = find_with_server(state, place, id).await?;
    if !instance.enabled || server.status == ServerStatus::Disabled {
        let message = "The instance or its server is disabled.";
        return Err(Error::conflict("MCP_INSTANCE_DISABLED", message));
    }
    let binding = binding_of(&instance, &server, None)?;
    let arguments = match binding.version {
        None => arguments,
        Some(version) => {
            let tools = state.mcp.tools(&state.store, place, server.id, version).await?;
            let at = tools.iter().position(|each| each.name == tool);
            let at = at.ok_or_else(|| Error::not_found("tool"))?;
            clients::mcp::arguments_apart(&tools, at, arguments)
                .await?
                .map_err(|why| Error::invalid(format!("arguments: {why}.")))?
        }
    };
    let mut mask = Mask::default();
    let target = of_binding(state, place, &binding, &mut mask).await?;
    let calling = async {
        let session = server::open(state, place, &target).await?;
        session.call(tool, arguments, None, &binding.settings).await
    };
    let called = tokio::time::timeout(TRYING, calling).await.unwrap_or(Err(McpError::Timeout(TRYING)));
    let masked = |text: &str| mask.text(text).into_owned();
    let refused = |error: &McpError| {
        let error = target.error(error);
        Error { message: masked(&error.message), ..error }
    };
    match clients::mcp::value(called.map_err(|error| refused(&error))?) {
        Ok(value) => Ok(Ok(mask.value(value))),
        Err(NoResult::Failed(said)) => Ok(Err(masked(&said))),
        Err(NoResult::Unreadable(error)) => {
            Err(Error { message: masked(&format!("The tool {tool:?}: {error}.")), ..refused(&error) })
        }
    }
}
