//! Whom a call goes to and with which credentials: a binding, which holds ids only, made into a target, which holds
//! what is secret.

use std::sync::Arc;

use http::HeaderMap;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::audit::{self, Sender};
use crate::connection::{self, Credentials, hosts};
use crate::state::AppState;
use clients::mcp::McpError;
use clients::mcp::Target;
use engine::binding::Binding;
use platform::boxed;
use platform::secrets::Mask;
use store::{ConnectionRecord, CredentialUse, InstanceRecord, McpServerRecord};
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
    sender: &Sender<'_>,
    mask: &mut Mask,
) -> Result<Target> {
    let how = (server.auth_mode, &[][..]);
    target(state, &server.place, &server.canonical_url, how, connection, sender, mask).await
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
    sender: &Sender<'_>,
    mask: &mut Mask,
) -> Result<Target> {
    let how = (binding.auth_mode, &binding.inject[..]);
    target(state, place, &binding.url, how, binding.connection_id, sender, mask).await
}

async fn target(
    state: &AppState,
    place: &Place,
    url: &str,
    (auth_mode, inject): (AuthMode, &[Injection]),
    connection: Option<ConnectionId>,
    sender: &Sender<'_>,
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
    if auth_mode != AuthMode::None || !inject.is_empty() {
        may_be_sent(state, record, &target, sender).await?;
    }
    apply(&mut target, auth_mode, inject, &credentials)?;
    Ok(target)
}

/// Whether a connection's credentials may be sent to a target; leaves a trace in either case.
async fn may_be_sent(
    state: &AppState,
    record: ConnectionRecord,
    target: &Target,
    sender: &Sender<'_>,
) -> Result<()> {
    let record = hosts::settled(state, record).await?;
    let host = hosts::host_of(&target.url).unwrap_or_default();
    let refused = hosts::check(&record, &host);
    let status = refused.as_ref().map_or_else(|_| 422, |()| 200);
    let sent = CredentialUse { connection_id: Some(record.id), provider_key_id: None, host };
    audit::note_sending(state, &record.place, sender, sent, status).await?;
    refused
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
