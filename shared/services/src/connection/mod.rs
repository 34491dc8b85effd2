//! Connections: credentials for systems outside. Their values live in the secret store, their names and everything
//! else in a row; [`secrets::custody`](platform::secrets) keeps the two together.
//!
//! A step that needs credentials asks [`credentials`]. What a connection is used by is in
//! [`store::ConnectionUse`](store::ConnectionUse).

mod credentials;
pub mod hosts;
mod secret_parts;
mod view;

use std::time::Duration;

pub use credentials::{
    CredentialChanges, CredentialWarning, Credentials, LARGEST_VALUE, LONGEST_KEY, MOST_KEYS,
    MaskedCredential,
};
pub use view::{ConnectionStatus, ConnectionView};

use crate::auth::Caller;
use crate::custody::{Deposit, deposit, destroy};
use crate::quotas::within;
use crate::state::AppState;
use platform::boxed;
use platform::secrets::SecretKind;
use store::{ConnectionRecord, ConnectionUser, Counted, Entered, Listed, QuotaGuard, StoreError};
use types::error::{ErrorCode, Kind};
use types::ids::{ConnectionId, Place, SecretVersion};
use types::{Error, Result};

/// How often a change is tried while others change the same connection.
const MOST_TRIES: usize = 5;
/// How old a row is whose missing secret is lost, and not only new.
const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// How many users a refused deletion names.
const MOST_NAMED: usize = 10;

/// What kind of credentials a connection holds; callers name it in requests.
pub type Service = store::service::Service;

/// What a new connection is made from; its texts were checked.
#[derive(Debug)]
pub struct NewConnection {
    /// Its name.
    pub name: String,
    /// Whose system it is for.
    pub provider: String,
    /// What kind of credentials it holds.
    pub service: Service,
    /// The credentials.
    pub credentials: CredentialChanges,
    /// The hosts that they may be sent to; when absent, those of servers that the caller binds it to.
    pub allowed_hosts: Option<Vec<String>>,
}

/// What to change of a connection; its texts were checked.
#[derive(Debug)]
pub struct ConnectionChange {
    /// Its name.
    pub name: Option<String>,
    /// Merged by key.
    pub credentials: Option<CredentialChanges>,
    /// The hosts that they may be sent to.
    pub allowed_hosts: Option<Vec<String>>,
}

/// Makes a connection.
///
/// # Errors
/// Invalid when the credentials are not what the service needs; conflict when the project has as many as it may;
/// unavailable when a store does not answer, and then nothing was made.
#[boxed]
pub async fn create(state: &AppState, caller: &Caller, new: NewConnection) -> Result<ConnectionView> {
    let now = state.clock.now();
    let mut credentials = Credentials::default();
    credentials.merge(&new.credentials, now)?;
    credentials.check(new.service)?;
    let warnings = credentials.warnings(new.service);
    let record = made(state, caller, new, &credentials).await?;
    Ok(ConnectionView::new(record, []).warning(warnings))
}

async fn made(
    state: &AppState,
    caller: &Caller,
    new: NewConnection,
    credentials: &Credentials,
) -> Result<ConnectionRecord> {
    let (place, now) = (&caller.place, state.clock.now());
    let allowed_hosts = new.allowed_hosts.as_deref().map(hosts::checked).transpose()?;
    let id = ConnectionId::new(now);
    let entered = allowed_hosts.is_none().then_some(Entered { pat_id: caller.pat_id, at: now });
    let hosts = allowed_hosts.unwrap_or_default();
    let (new, hosts, entered) = (&new, &hosts, &entered);
    let make = |guard| async move {
        let deposit = keep(state, place, id, credentials).await?;
        let record = ConnectionRecord {
            id,
            place: place.clone(),
            name: new.name.clone(),
            provider: new.provider.clone(),
            service: new.service,
            credential_keys: credentials.keys(),
            secret: deposit.secret().version,
            allowed_hosts: Some(hosts.clone()),
            entered: entered.clone(),
            revision: 1,
            created_at: now,
            updated_at: now,
        };
        kept(state, record, deposit, guard).await
    };
    within(state, Counted::Connections(place.clone()), make).await
}

async fn kept(
    state: &AppState,
    record: ConnectionRecord,
    deposit: Deposit,
    guard: QuotaGuard,
) -> Result<ConnectionRecord> {
    match state.store.create_connection(&record, guard).await {
        Ok(()) => Ok(record),
        Err(error) => {
            deposit.abandon(state).await;
            match error {
                // A request that is carried out again after a crash finds what it has made: the same id, of the same
                // request.
                StoreError::Conflict => {
                    let found = state.store.connection(&record.place, record.id).await?;
                    found.ok_or(StoreError::Conflict.into())
                }
                other => Err(other.into()),
            }
        }
    }
}

/// Changes a connection.
///
/// # Errors
/// Not found; invalid when the credentials would no longer be what the service needs; unavailable when a store does
/// not answer, and then nothing was changed.
#[boxed]
pub async fn change(
    state: &AppState,
    caller: &Caller,
    id: ConnectionId,
    change: &ConnectionChange,
) -> Result<ConnectionView> {
    let (record, warnings) = changed(state, caller, id, change).await?;
    Ok(with_users(state, record).await?.warning(warnings))
}

async fn changed(
    state: &AppState,
    caller: &Caller,
    id: ConnectionId,
    change: &ConnectionChange,
) -> Result<(ConnectionRecord, Vec<CredentialWarning>)> {
    let hosts = change.allowed_hosts.as_deref().map(hosts::checked).transpose()?;
    let mut missing = None;
    for _ in 0..MOST_TRIES {
        let mut record = hosts::settled(state, find(state, &caller.place, id).await?).await?;
        match change_once(state, caller, &mut record, (change, hosts.as_deref()), missing).await {
            Ok(warnings) => return Ok((record, warnings)),
            Err(Attempt::Missing(version)) if missing == Some(version) => return Err(not_seen_yet(id)),
            Err(Attempt::Missing(version)) => missing = Some(version),
            Err(Attempt::Overtaken) => {}
            Err(Attempt::Failed(error)) => return Err(error),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Why one attempt did not succeed.
enum Attempt {
    /// Somebody else was faster: look again.
    Overtaken,
    /// The secret of this version is not there: somebody has just put another in its place, unless it is still the one
    /// that the row names.
    Missing(SecretVersion),
    Failed(Error),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Attempt {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Overtaken,
            other => Self::Failed(other.into()),
        }
    }
}

async fn change_once(
    state: &AppState,
    caller: &Caller,
    record: &mut ConnectionRecord,
    (change, hosts): (&ConnectionChange, Option<&[String]>),
    missing: Option<SecretVersion>,
) -> Result<Vec<CredentialWarning>, Attempt> {
    let (now, is_settled) = (state.clock.now(), is_settled(state, record));
    record.updated_at = now;
    if let Some(name) = &change.name {
        record.name.clone_from(name);
    }
    let Some(changes) = &change.credentials else {
        hosts::change(record, hosts, false)?;
        state.store.save_connection(record, None).await?;
        return Ok(Vec::new());
    };
    let before = record.secret_ref();
    let mut credentials = match state.secrets.read(&before).await? {
        Some(secret) => Credentials::read(&secret)?,
        // Nobody has replaced it: it is lost, as after a restore of the table. What is given now is all there is.
        None if missing == Some(before.version) && is_settled => Credentials::default(),
        None => return Err(Attempt::Missing(before.version)),
    };
    credentials.merge(changes, now)?;
    credentials.check(record.service)?;
    let is_entered = changes.sets_all(&credentials.keys());
    hosts::change(record, hosts, is_entered)?;
    hosts::entered(record, caller.pat_id, now, is_entered);
    let deposit = keep(state, &record.place, record.id, &credentials).await?;
    record.secret = deposit.secret().version;
    record.credential_keys = credentials.keys();
    if let Err(error) = state.store.save_connection(record, Some(before.version)).await {
        deposit.abandon(state).await;
        return Err(error.into());
    }
    destroy(state, &before).await;
    Ok(credentials.warnings(record.service))
}

async fn keep(
    state: &AppState,
    place: &Place,
    id: ConnectionId,
    credentials: &Credentials,
) -> Result<Deposit> {
    deposit(state, place, SecretKind::Connection, id.into(), credentials.write()?).await
}

/// Deletes a connection. When this returns, nothing can read its credentials any more; they are destroyed at once, or
/// by a sweep while the secret store does not answer.
///
/// # Errors
/// Not found; conflict `CONNECTION_IN_USE`, naming its users, unless `force` is set.
#[boxed]
pub async fn delete(state: &AppState, place: &Place, id: ConnectionId, force: bool) -> Result<()> {
    for _ in 0..MOST_TRIES {
        let record = find(state, place, id).await?;
        if !force {
            in_use(&state.store.connection_users(place, id).await?)?;
        }
        match state.store.delete_connection(&record, state.clock.now()).await {
            Ok(()) => {
                destroy(state, &record.secret_ref()).await;
                return Ok(());
            }
            Err(StoreError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

fn in_use(users: &[ConnectionUser]) -> Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    let name = |user: &ConnectionUser| match user {
        ConnectionUser::Instance(instance) => format!("instance {instance}"),
        ConnectionUser::Override(workflow, instance) => {
            format!("workflow {workflow} (for instance {instance})")
        }
    };
    let mut named: Vec<String> = users.iter().take(MOST_NAMED).map(name).collect();
    if users.len() > MOST_NAMED {
        named.push(format!("{} more", users.len() - MOST_NAMED));
    }
    Err(Error::conflict(
        ErrorCode::ConnectionInUse,
        format!(
            "The connection is used by {}. Let them use another, or delete it all the same with ?force=true.",
            named.join(", ")
        ),
    ))
}

/// A connection of this place.
///
/// # Errors
/// Not found.
#[boxed]
pub async fn find(state: &AppState, place: &Place, id: ConnectionId) -> Result<ConnectionRecord> {
    state.store.connection(place, id).await?.ok_or_else(|| Error::not_found("connection"))
}

/// A connection of this place with those who use it.
///
/// # Errors
/// Not found; unavailable when the database does not answer.
#[boxed]
pub async fn get(state: &AppState, place: &Place, id: ConnectionId) -> Result<ConnectionView> {
    let record = find(state, place, id).await?;
    with_users(state, record).await
}

async fn with_users(state: &AppState, record: ConnectionRecord) -> Result<ConnectionView> {
    let users = state.store.connection_users(&record.place, record.id).await?;
    Ok(ConnectionView::new(record, users))
}

/// The connections of this place, newest first, each with those who use it.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    place: &Place,
    limit: usize,
    after: Option<ConnectionId>,
) -> Result<Listed<ConnectionView>> {
    let listed = state.store.list_connections(place, limit, after).await?;
    let uses = state.store.uses_of_listed(place, &listed.rows).await?;
    let view = |row: ConnectionRecord| {
        let id = row.id;
        let users = uses.iter().filter(|each| each.connection == id).map(|each| each.user);
        ConnectionView::new(row, users)
    };
    Ok(Listed { rows: listed.rows.into_iter().map(view).collect(), next: listed.next })
}

/// What may be shown of a connection's credentials, in their order.
///
/// # Errors
/// As [`credentials`].
#[boxed]
pub async fn masked_credentials(
    state: &AppState,
    place: &Place,
    id: ConnectionId,
) -> Result<Vec<MaskedCredential>> {
    let (record, credentials) = credentials(state, place, id).await?;
    Ok(credentials.masked(record.service))
}

/// The credentials of a connection, which may have been read up to a minute ago if they have not changed since.
///
/// # Errors
/// Not found; a conflict when they are lost; unavailable when a store does not answer.
#[boxed]
pub async fn credentials(
    state: &AppState,
    place: &Place,
    id: ConnectionId,
) -> Result<(ConnectionRecord, Credentials)> {
    let mut record = find(state, place, id).await?;
    for _ in 0..MOST_TRIES {
        if let Some(secret) = state.secrets.read(&record.secret_ref()).await? {
            return Ok((record, Credentials::read(&secret)?));
        }
        // The row was read before somebody changed the credentials, unless it still names the same.
        let again = find(state, place, id).await?;
        if std::mem::replace(&mut record, again).secret == record.secret {
            break;
        }
    }
    if !is_settled(state, &record) {
        return Err(not_seen_yet(id));
    }
    let message = format!(
        "The credentials of connection {id} are not in the secret store any more; give them anew (PATCH)."
    );
    Err(Error::new(Kind::Conflict, ErrorCode::CredentialsMissing, message))
}

/// Whether the secret store has had time to show everybody the secret that the row names.
fn is_settled(state: &AppState, record: &ConnectionRecord) -> bool {
    state.clock.now().since(record.updated_at) > SETTLED_AFTER
}

fn not_seen_yet(id: ConnectionId) -> Error {
    Error::unavailable("The secret store", format!("the new secret of connection {id} is missing"))
}
