//! Whom a call goes to and with which credentials: a binding, which holds ids only, made into a target, which holds
//! what is secret.

use std::sync::Arc;

use http::HeaderMap;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::connection::{self, Credentials};
use crate::state::AppState;
use clients::mcp::McpError;
use clients::mcp::Target;
use engine::binding::Binding;
use platform::boxed;
use platform::secrets::Mask;
use store::{InstanceRecord, McpServerRecord};
use types::error::{ErrorCode, Kind};
use types::ids::{ConnectionId, Place};
use types::mcp::{AuthMode, InjectAs, Injection, SourceSpec};
use types::{Error, Result};

/// Of an instance as it is now, with this connection instead of its profile's.
///
/// # Errors
/// When the instance's row is damaged.
pub fn binding_of(
    instance: &InstanceRecord,
    server: &McpServerRecord,
    connection: Option<ConnectionId>,
) -> Result<Binding> {
    let SourceSpec { connection_id, inject, env, config } = instance.source()?;
    let mut settings = Map::new();
    if !env.is_empty() {
        settings.insert("env".to_owned(), serde_json::json!(env));
    }
    if !config.is_empty() {
        settings.insert("config".to_owned(), Value::Object(config));
    }
    Ok(Binding {
        instance_id: instance.id,
        server_id: server.id,
        url: server.canonical_url.clone(),
        version: server.active_version,
        auth_mode: server.auth_mode,
        connection_id: connection.or(connection_id),
        provider: None,
        inject,
        settings,
    })
}

/// The target of a server without an instance, with or without credentials: with none of a connection it is called
/// without.
///
/// # Errors
/// When the address may not be called, or the connection cannot be used.
#[boxed]
pub async fn of_server(
    state: &AppState,
    server: &McpServerRecord,
    connection: Option<ConnectionId>,
    mask: &mut Mask,
) -> Result<Target> {
    target(state, &server.place, &server.canonical_url, (server.auth_mode, &[]), connection, mask).await
}

/// The target of a binding.
///
/// # Errors
/// When the address may not be called, or the connection cannot be used.
#[boxed]
pub async fn of_binding(
    state: &AppState,
    place: &Place,
    binding: &Binding,
    mask: &mut Mask,
) -> Result<Target> {
    let how = (binding.auth_mode, &binding.inject[..]);
    target(state, place, &binding.url, how, binding.connection_id, mask).await
}

async fn target(
    state: &AppState,
    place: &Place,
    url: &str,
    (auth_mode, inject): (AuthMode, &[Injection]),
    connection: Option<ConnectionId>,
    mask: &mut Mask,
) -> Result<Target> {
    let url = state.outbound.url(url).map_err(McpError::from)?;
    let mut target = Target { url, headers: HeaderMap::new(), mask: Arc::default(), authenticated: false };
    let Some(id) = connection else {
        // Whatever its `auth_mode` says: some take calls without, and the others ask for credentials themselves.
        return match inject {
            [] => Ok(target),
            _ => Err(unavailable("The profile places credentials, and there is no connection for them.")),
        };
    };
    let (record, credentials) = match connection::credentials(state, place, id).await {
        Ok(found) => found,
        Err(error) if error.kind == Kind::NotFound => {
            return Err(unavailable(&format!("The connection {id} is not there any more.")));
        }
        Err(error) if error.kind == Kind::Conflict => return Err(unavailable(&error.message)),
        Err(error) => return Err(error),
    };
    let mut own = Mask::default();
    for secret in credentials.secrets(record.service) {
        mask.note(&secret);
        own.note(&secret);
    }
    target.mask = Arc::new(own);
    target.authenticated = true;
    apply(&mut target, auth_mode, inject, &credentials)?;
    Ok(target)
}

fn apply(
    target: &mut Target,
    auth_mode: AuthMode,
    inject: &[Injection],
    credentials: &Credentials,
) -> Result<()> {
    if inject.is_empty() {
        match auth_mode {
            AuthMode::None => {}
            AuthMode::Token => {
                let first = credentials.first();
                let first = first.ok_or_else(|| unavailable("The connection has no credentials."))?;
                target.header("authorization", &format!("Bearer {}", first.expose_secret()))?;
            }
            AuthMode::Headers => {
                for key in credentials.keys() {
                    if let Some(value) = credentials.get(&key) {
                        target.header(&key, value.expose_secret())?;
                    }
                }
            }
        }
    }
    for Injection { credential_key, place, name } in inject {
        let missing = || unavailable(&format!("The connection has no key {credential_key:?}."));
        let value = credentials.get(credential_key).ok_or_else(missing)?.expose_secret();
        let name = name.as_deref().unwrap_or(credential_key);
        match place {
            InjectAs::Bearer => target.header("authorization", &format!("Bearer {value}"))?,
            InjectAs::Header => target.header(name, value)?,
            InjectAs::Query => {
                target.url.query_pairs_mut().append_pair(name, value);
            }
        }
    }
    Ok(())
}

/// The connection that a call needs is not to be had.
fn unavailable(message: &str) -> Error {
    Error::new(Kind::Invalid, ErrorCode::ConnectionUnavailable, message)
}
