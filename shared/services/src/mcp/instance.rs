//! Instances of servers, and the profiles that say with which credentials they are called.

use std::time::Duration;

use serde_json::{Map, Value};

use super::catalog;
use super::server::{self, NewServer};
use super::target::{binding_of, of_binding};
use super::view::ProfileView;
use crate::audit::Sender;
use crate::auth::Caller;
use crate::connection::hosts;
use crate::lists;
use crate::quotas::{check as check_quota, within};
use crate::state::AppState;
use clients::mcp::shown;
use clients::mcp::{McpError, NoResult, is_settable};
use platform::boxed;
use platform::secrets::Mask;
use store::{Counted, InstanceRecord, Listed, McpServerRecord, ProfileRecord, QuotaGuard};
use types::error::ErrorCode;
use types::ids::{InstanceId, McpServerId, Place, ProfileId};
use types::mcp::{InjectAs, ServerStatus, SourceSpec};
use types::{Error, Result};
use workflow::input::fill_defaults_and_check_in_part;

/// How long trying a tool may take: API Gateway waits for 30 s.
const TRYING: Duration = Duration::from_secs(25);
/// The most credentials that a profile places.
const MOST_INJECTED: usize = 20;
/// The most bytes of a profile.
const LARGEST_PROFILE: usize = 64 * 1024;

/// An instance of this place.
///
/// # Errors
/// Not found.
#[boxed]
pub async fn find(state: &AppState, place: &Place, id: InstanceId) -> Result<InstanceRecord> {
    state.store.instance(place, id).await?.ok_or_else(|| Error::not_found("instance"))
}

/// An instance with its server.
///
/// # Errors
/// Not found.
#[boxed]
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

/// The instances of this place, newest first.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    place: &Place,
    limit: usize,
    after: Option<InstanceId>,
) -> Result<Listed<InstanceRecord>> {
    Ok(state.store.list_instances(place, limit, after).await?)
}

/// What an instance is made of.
#[derive(Debug)]
pub enum InstanceOf {
    /// A server.
    Server(McpServerId),
    /// An entry of the platform's catalog, by its id; its server is registered unless the project has it.
    CatalogEntry(String),
}

/// Makes an instance; with no name it has its server's.
///
/// # Errors
/// Invalid when there is no such server or entry, or the deployment does not call its address; conflict when another
/// server has the name of the entry's.
#[boxed]
pub async fn create(
    state: &AppState,
    place: &Place,
    of: InstanceOf,
    name: Option<String>,
) -> Result<InstanceRecord> {
    match of {
        InstanceOf::Server(id) => of_server(state, place, id, name).await,
        InstanceOf::CatalogEntry(id) => of_catalog(state, place, &id, name).await,
    }
}

async fn of_server(
    state: &AppState,
    place: &Place,
    server_id: McpServerId,
    name: Option<String>,
) -> Result<InstanceRecord> {
    let server = state.store.mcp_server(place, server_id).await?;
    let server =
        server.ok_or_else(|| Error::invalid("server_id: there is no such MCP server in this project."))?;
    keep(state, new(state, place, &server, name)).await
}

async fn keep(state: &AppState, instance: InstanceRecord) -> Result<InstanceRecord> {
    let kept = &instance;
    let make = |guard| async move { Ok(state.store.create_instance(kept, guard).await?) };
    within(state, Counted::McpInstances(instance.place.clone()), make).await?;
    Ok(instance)
}

async fn of_catalog(
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
        return keep(state, new(state, place, server, name)).await;
    }
    let (server, instance) = from_entry(state, place, entry, name)?;
    // There are as many of these servers as the catalog has entries, so they need no guard.
    check_quota(state, &Counted::McpServers(place.clone())).await?;
    check_quota(state, &Counted::McpInstances(place.clone())).await?;
    match state.store.create_mcp_server_with(&server, &instance, QuotaGuard::default()).await {
        Ok(()) => Ok(instance),
        Err(store::StoreError::Conflict) => Err(Error::conflict(
            ErrorCode::ServiceInUse,
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
#[boxed]
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
#[boxed]
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
                if !is_settable(name) {
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
    let schema: Value = serde_json::from_str(&schema).map_err(Error::internal_from)?;
    let config = Value::Object(spec.config.clone());
    let check = move || fill_defaults_and_check_in_part(&schema, config);
    let filled = state.threads.run_soon(&server.place.tenant_id, check).await?;
    filled.map(|_| ()).map_err(|issues| {
        let first = issues.first().map(|issue| issue.message.replace("input_schema", "the schema"));
        let first = first.unwrap_or_default().replace("the input does", "it does");
        Error::invalid(format!("source_spec.config: {first}")).with_issues(issues)
    })
}

fn connection_of(text: &str) -> Result<SourceSpec> {
    serde_json::from_str(text).map_err(Error::internal_from)
}

fn written(spec: &SourceSpec) -> Result<String> {
    serde_json::to_string(spec).map_err(Error::internal_from)
}

/// The profiles of an instance, newest first. They go on after the one with the id `after`.
///
/// # Errors
/// Not found; invalid when `after` is no id; unavailable when the database does not answer.
#[boxed]
pub async fn list_profiles(
    state: &AppState,
    place: &Place,
    id: InstanceId,
    limit: usize,
    after: Option<&str>,
) -> Result<Listed<ProfileView>> {
    let of = find(state, place, id).await?;
    let listed = state.store.list_profiles(place, id, limit, lists::after(after)?).await?;
    let rows = listed.rows.into_iter().map(|row| ProfileView::new(&of, row)).collect::<Result<_>>()?;
    Ok(Listed { rows, next: listed.next })
}

/// Makes a profile; the first of an instance is active at once.
///
/// # Errors
/// Not found; invalid, naming what is wrong.
#[boxed]
pub async fn create_profile(
    state: &AppState,
    caller: &Caller,
    id: InstanceId,
    name: String,
    spec: &SourceSpec,
) -> Result<ProfileView> {
    let place = &caller.place;
    let (mut instance, server) = find_with_server(state, place, id).await?;
    check(state, &server, spec).await?;
    check_quota(state, &Counted::McpProfiles(place.clone(), id)).await?;
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
        activate(state, caller, &server, &mut instance, &mut profile, spec).await?;
    } else {
        state.store.save_profile(place, id, &mut profile).await?;
    }
    ProfileView::new(&instance, profile)
}

async fn activate(
    state: &AppState,
    caller: &Caller,
    server: &McpServerRecord,
    instance: &mut InstanceRecord,
    profile: &mut ProfileRecord,
    spec: &SourceSpec,
) -> Result<()> {
    if let Some(connection) = spec.connection_id {
        hosts::binding(state, &caller.place, connection, caller.pat_id, &server.canonical_url).await?;
    }
    let before = instance.source()?.connection_id;
    instance.active_profile = Some(profile.id);
    instance.source = Some(profile.source_spec.clone());
    instance.updated_at = state.clock.now();
    Ok(state.store.save_instance(instance, Some(profile), (before, spec.connection_id)).await?)
}

async fn find_profile(
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
#[boxed]
pub async fn change_profile(
    state: &AppState,
    caller: &Caller,
    (instance_id, id): (InstanceId, ProfileId),
    name: Option<String>,
    spec: Option<SourceSpec>,
) -> Result<ProfileView> {
    let place = &caller.place;
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
        activate(state, caller, &server, &mut instance, &mut profile, &spec).await?;
    } else {
        state.store.save_profile(place, instance_id, &mut profile).await?;
    }
    ProfileView::new(&instance, profile)
}

/// Makes a profile the one that counts.
///
/// # Errors
/// Not found; invalid when it no longer fits the server or its connection is gone.
#[boxed]
pub async fn set_active(
    state: &AppState,
    caller: &Caller,
    (instance_id, id): (InstanceId, ProfileId),
) -> Result<ProfileView> {
    let place = &caller.place;
    let (mut instance, server) = find_with_server(state, place, instance_id).await?;
    let mut profile = find_profile(state, place, instance_id, id).await?;
    let spec = connection_of(&profile.source_spec)?;
    check(state, &server, &spec).await?;
    activate(state, caller, &server, &mut instance, &mut profile, &spec).await?;
    ProfileView::new(&instance, profile)
}

/// Tries a tool of an instance; the inner error is the tool's own word of its failure.
///
/// # Errors
/// Not found when there is no such instance or tool; invalid when the arguments are not what the tool takes, or the
/// server cannot be used.
#[boxed]
pub async fn try_tool(
    state: &AppState,
    caller: &Caller,
    id: InstanceId,
    tool: &str,
    arguments: Map<String, Value>,
) -> Result<Result<Value, String>> {
    let place = &caller.place;
    let (instance, server) = find_with_server(state, place, id).await?;
    if !instance.enabled || server.status == ServerStatus::Disabled {
        let message = "The instance or its server is disabled.";
        return Err(Error::conflict(ErrorCode::McpInstanceDisabled, message));
    }
    let binding = binding_of(&instance, &server, None)?;
    let arguments = match binding.version {
        None => arguments,
        Some(version) => {
            let tools = state.mcp.tools(&state.store, place, server.id, version).await?;
            let at = tools.iter().position(|each| each.name == tool);
            let at = at.ok_or_else(|| Error::not_found("tool"))?;
            let check = move || clients::mcp::arguments(&tools, at, arguments);
            let checked = state.threads.run_soon(&place.tenant_id, check).await?;
            checked.map_err(|why| Error::invalid(format!("arguments: {why}.")))?
        }
    };
    let mut mask = Mask::default();
    let target = of_binding(state, place, &binding, &Sender::Caller(caller, "try a tool"), &mut mask).await?;
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
    let called = called.map_err(|error| refused(&error))?;
    let _room = state.memory.answer(called.cost().saturating_mul(2)).await;
    match clients::mcp::value(called.to_value()) {
        Ok(value) => Ok(Ok(mask.value(value))),
        Err(NoResult::Failed(said)) => Ok(Err(masked(&said))),
        Err(NoResult::Unreadable(error)) => {
            Err(Error { message: masked(&format!("The tool {tool:?}: {error}.")), ..refused(&error) })
        }
    }
}
