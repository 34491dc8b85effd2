//! The connections that a workflow uses instead of what the profiles of instances say.

use std::collections::{BTreeMap, BTreeSet};

use crate::auth::Caller;
use crate::connection::{self, hosts};
use crate::state::AppState;
use platform::boxed;
use types::error::Kind;
use types::ids::{ConnectionId, InstanceId, McpServerId, Place, WorkflowId};
use types::mcp::Overrides;
use types::{Error, Result};

/// The most overrides of a workflow: they are written in one transaction.
const MOST_OVERRIDES: usize = 40;

/// A workflow's overrides.
///
/// # Errors
/// Not found when there is no such workflow; unavailable when the database does not answer.
#[boxed]
pub async fn get(state: &AppState, place: &Place, workflow: WorkflowId) -> Result<Overrides> {
    if state.store.workflow(place, workflow).await?.is_none() {
        return Err(Error::not_found("workflow"));
    }
    Ok(state.store.overrides(place, workflow).await?)
}

/// Replaces the connections that a workflow uses instead of what profiles say. Runs under way keep theirs.
///
/// # Errors
/// Not found when there is no such workflow; invalid when an instance stands there twice, or an id is unknown.
#[boxed]
pub async fn replace(
    state: &AppState,
    caller: &Caller,
    workflow: WorkflowId,
    pairs: &[(InstanceId, ConnectionId)],
) -> Result<()> {
    let place = &caller.place;
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
    let known = state.store.instances_of(place, by_instance.keys().copied()).await?;
    if let Some(unknown) = by_instance.keys().find(|id| !known.contains_key(id)) {
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
    let servers: BTreeSet<McpServerId> = known.values().map(|instance| instance.server_id).collect();
    let servers = state.store.mcp_servers_of(place, servers).await?;
    for (instance, connection) in &by_instance {
        let is_new = before.by_instance.get(instance) != Some(connection);
        let server = known.get(instance).and_then(|instance| servers.get(&instance.server_id));
        if let Some(server) = server.filter(|_| is_new) {
            hosts::binding(state, place, *connection, caller.pat_id, &server.canonical_url).await?;
        }
    }
    let after = Overrides { by_instance, revision: before.revision + 1 };
    Ok(state.store.save_overrides(place, workflow, &before, &after).await?)
}
