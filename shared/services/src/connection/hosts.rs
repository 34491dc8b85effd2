//! The hosts that a connection's credentials may be sent to. Whoever enters the values says which; nobody else can have them
//! sent anywhere, by no route and no step.
//!
//! A connection that was entered without hosts takes those of the servers that it is bound to with the same token, within
//! [`ADOPTS_FOR`]: clients that know nothing of hosts do just that. A row of an older version has none: those of the
//! servers that it is bound to are written down before anything is bound or sent anew ([`settled`]).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::state::AppState;
use platform::boxed;
use platform::outbound_http::Url;
use store::{ConnectionRecord, ConnectionUser, Entered, StoreError};
use types::clock::Timestamp;
use types::error::{ErrorCode, Kind};
use types::ids::{ConnectionId, InstanceId, McpServerId, PatId, Place};
use types::{Error, Result};

/// The most hosts of a connection.
pub const MAX_HOSTS: usize = 20;
/// The most characters of a host with its port: a name has up to 253.
const MAX_HOST: usize = 300;
/// How long after its values were entered a connection without hosts takes those of servers that it is bound to.
const ADOPTS_FOR: Duration = Duration::from_secs(24 * 3600);
/// How often a change is tried while others change the same connection.
const MAX_TRIES: usize = 5;
/// How many rows of a project are read at a time.
const PAGE: usize = 100;

/// The host of an address, as `allowed_hosts` has it: in small letters, in ASCII, with its port unless that is 443.
pub fn host_of(url: &Url) -> Option<String> {
    let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
    match (url.port(), url.scheme()) {
        (Some(port), _) => Some(format!("{host}:{port}")),
        (None, "http") => Some(format!("{host}:80")),
        (None, _) => Some(host),
    }
    .filter(|host| !host.is_empty() && !host.starts_with(':'))
}

/// Hosts as they are kept.
///
/// # Errors
/// Invalid, naming the entry.
pub(super) fn checked(hosts: &[String]) -> Result<Vec<String>> {
    if hosts.len() > MAX_HOSTS {
        return Err(Error::invalid(format!("allowed_hosts: at most {MAX_HOSTS} of them.")));
    }
    let mut checked = Vec::new();
    for (index, entry) in hosts.iter().enumerate() {
        let host = checked_host(entry).ok_or_else(|| {
            Error::invalid(format!(
                "allowed_hosts[{index}]: must be a host, with its port unless that is 443, such as mcp.example.com or \
                 localhost:8080; no wildcards, no path and no user."
            ))
        })?;
        if !checked.contains(&host) {
            checked.push(host);
        }
    }
    Ok(checked)
}

fn checked_host(entry: &str) -> Option<String> {
    let entry = entry.trim();
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '*' | '\\' | '@' | '%');
    if entry.is_empty() || entry.len() > MAX_HOST || !entry.chars().all(is_plain) {
        return None;
    }
    let is_url = entry.starts_with("https://") || entry.starts_with("http://");
    let url = if is_url { Url::parse(entry) } else { Url::parse(&format!("https://{entry}")) }.ok()?;
    let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    host_of(&url).filter(|_| is_bare)
}

/// The row with its hosts: one of an older version gets those of the servers that it is bound to now.
///
/// # Errors
/// Not found; unavailable when the database does not answer.
#[boxed]
pub async fn settled(state: &AppState, mut record: ConnectionRecord) -> Result<ConnectionRecord> {
    for _ in 0..MAX_TRIES {
        if record.allowed_hosts.is_some() {
            return Ok(record);
        }
        let hosts = bound_hosts(state, &record).await?;
        record.allowed_hosts = Some(hosts);
        match state.store.save_connection(&mut record, None).await {
            Ok(()) => return Ok(record),
            Err(StoreError::Conflict) => record = find(state, &record.place, record.id).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Conflict.into())
}

async fn find(state: &AppState, place: &Place, id: ConnectionId) -> Result<ConnectionRecord> {
    state.store.connection(place, id).await?.ok_or_else(|| Error::not_found("connection"))
}

/// The hosts of the servers that a connection is bound to.
async fn bound_hosts(state: &AppState, record: &ConnectionRecord) -> Result<Vec<String>> {
    let users = state.store.connection_users(&record.place, record.id).await?;
    let users: BTreeSet<InstanceId> = users.into_iter().map(ConnectionUser::instance).collect();
    let instances = state.store.instances_of(&record.place, users).await?;
    let servers: BTreeSet<McpServerId> = instances.values().map(|instance| instance.server_id).collect();
    let servers = state.store.mcp_servers_of(&record.place, servers).await?;
    let urls = servers.values().filter_map(|server| Url::parse(&server.canonical_url).ok());
    let mut hosts: Vec<String> = urls.filter_map(|url| host_of(&url)).collect();
    hosts.sort();
    hosts.dedup();
    Ok(hosts)
}

/// Writes down the hosts of all connections of a project that have none yet, before an address changes that they are
/// bound to. Only rows of older versions have none.
///
/// # Errors
/// Unavailable when the database does not answer.
#[boxed]
pub async fn settle_all(state: &AppState, place: &Place) -> Result<()> {
    let mut after = None;
    loop {
        let listed = state.store.list_connections(place, PAGE, after).await?;
        for record in listed.rows {
            match settled(state, record).await {
                Err(error) if error.kind != Kind::NotFound => return Err(error),
                _ => {}
            }
        }
        after = listed.next.and_then(|id| id.parse().ok());
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Notes that a connection is about to be bound to a server by the holder of a token.
///
/// # Errors
/// Not found; unavailable when the database does not answer.
#[boxed]
pub async fn binding(state: &AppState, place: &Place, id: ConnectionId, by: PatId, url: &str) -> Result<()> {
    for _ in 0..MAX_TRIES {
        let mut record = settled(state, find(state, place, id).await?).await?;
        let adopts = record
            .entered
            .as_ref()
            .is_some_and(|entered| entered.pat_id == by && state.clock.now().since(entered.at) < ADOPTS_FOR);
        let host = Url::parse(url).ok().and_then(|url| host_of(&url));
        let Some(host) = host.filter(|host| adopts && !allows(&record, host)) else { return Ok(()) };
        let hosts = record.allowed_hosts.get_or_insert_default();
        if hosts.len() >= MAX_HOSTS {
            return Ok(());
        }
        hosts.push(host);
        match state.store.save_connection(&mut record, None).await {
            Err(StoreError::Conflict) => {}
            saved => return Ok(saved?),
        }
    }
    Err(StoreError::Conflict.into())
}

/// Puts other hosts in place of a connection's, which is settled. Those that are added need all values to be entered again:
/// whoever cannot see a credential must not have it sent to themselves.
///
/// # Errors
/// Invalid `CREDENTIALS_REQUIRED`, naming a host.
pub(super) fn change(
    record: &mut ConnectionRecord,
    hosts: Option<&[String]>,
    is_entered: bool,
) -> Result<()> {
    let Some(hosts) = hosts else { return Ok(()) };
    if let Some(added) = hosts.iter().find(|host| !allows(record, host) && !is_entered) {
        let message = format!(
            "credentials: to allow another host ({added}), all values must be entered again in the same request: {}. Hosts \
             can be removed without.",
            record.credential_keys.join(", ")
        );
        return Err(Error::new(Kind::Invalid, ErrorCode::CredentialsRequired, message));
    }
    record.allowed_hosts = Some(hosts.to_vec());
    record.entered = None;
    Ok(())
}

/// Notes who has entered values: all of them, or some beside those of others. Only a connection whose hosts nobody has
/// chosen takes those that it is bound to.
pub(super) fn entered(record: &mut ConnectionRecord, by: PatId, at: Timestamp, is_all: bool) {
    let is_own = record.entered.as_ref().is_some_and(|entered| entered.pat_id == by);
    match is_all {
        true if record.entered.is_some() => record.entered = Some(Entered { pat_id: by, at }),
        false if !is_own => record.entered = None,
        _ => {}
    }
}

fn allows(record: &ConnectionRecord, host: &str) -> bool {
    record.allowed_hosts.iter().flatten().any(|allowed| allowed == host)
}

/// Whether credentials may be sent to a host, which must be known by now.
///
/// # Errors
/// Invalid `CONNECTION_HOST_NOT_ALLOWED`, saying how to allow it.
pub(crate) fn check(record: &ConnectionRecord, host: &str) -> Result<()> {
    if allows(record, host) {
        return Ok(());
    }
    let allowed = match record.allowed_hosts.as_deref() {
        None | Some([]) => "it may be sent nowhere yet".to_owned(),
        Some(hosts) => format!("it may be sent to {}", hosts.join(", ")),
    };
    let message = format!(
        "The connection {:?} may not be sent to {host}: {allowed}. Whoever knows its values can allow the host: PATCH \
         /v1/connections/{} with \"allowed_hosts\" and all of its \"credentials\".",
        record.name, record.id
    );
    Err(Error::new(Kind::Invalid, ErrorCode::ConnectionHostNotAllowed, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_whole_and_in_one_form() {
        for (entry, host) in [
            ("API.Example.com", Some("api.example.com")),
            ("api.example.com.", Some("api.example.com")),
            ("api.example.com:443", Some("api.example.com")),
            ("api.example.com:8443", Some("api.example.com:8443")),
            ("https://api.example.com/", Some("api.example.com")),
            ("http://localhost", Some("localhost:80")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("[::1]:8080", Some("[::1]:8080")),
            ("127.0.0.1:9000", Some("127.0.0.1:9000")),
            ("*.example.com", None),
            ("good.example@evil.example", None),
            ("api.example.com/path", None),
            ("api.example.com?x", None),
            ("api.example.com#x", None),
            ("api.example.com\\evil", None),
            ("a b", None),
            ("", None),
            (":80", None),
            ("ftp://example.com", None),
        ] {
            assert_eq!(checked_host(entry).as_deref(), host, "{entry}");
        }
        let of = |url: &str| host_of(&Url::parse(url).unwrap()).unwrap();
        assert_eq!(of("https://api.example.com.attacker.example/mcp"), "api.example.com.attacker.example");
        assert_eq!(of("https://api.example.com@evil.example/"), "evil.example");
        assert_eq!(of("https://API.example.com.:443/x"), "api.example.com");
        assert_eq!(of("http://api.example.com/x"), "api.example.com:80");
        assert!(checked(&vec!["a.example".to_owned(); MAX_HOSTS + 1]).is_err());
        assert_eq!(checked(&["a.example".to_owned(), "A.example".to_owned()]).unwrap(), ["a.example"]);
    }
}
