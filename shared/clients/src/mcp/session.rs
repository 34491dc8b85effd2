//! Sessions with servers: opened by the first call, kept for the next ones of the same environment, and given up
//! when they are no longer used or something is wrong with them.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use rmcp::RoleClient;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientCapabilities, ClientConfig, ClientRequest, Implementation,
    ListToolsRequest, PaginatedRequestParams, RequestMetaObject, ServerResult,
};
use rmcp::service::{RunningService, serve_client};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::error::McpError;
use super::transport::{Backend, BackendState, transparent};
use super::words::{shown, unexpected};
use platform::cache::{Cache, Stay};
use platform::outbound_http::{Outbound, OutboundError, Url};
use platform::secrets::Mask;
use types::Error;
use types::clock::Clock;
use types::error::{ErrorCode, Kind};
use types::ids::Place;
use types::json_cost::MAX_COST;
use types::json_text::JsonText;

/// The key of a call's `_meta` that names the attempt: the same for every delivery of it.
const ATTEMPT_KEY: &str = "agentruntime/attempt";
/// The key of a call's `_meta` that holds the settings of the instance's profile.
const SETTINGS_KEY: &str = "agentruntime/settings";

/// A session that nobody uses ends after this time.
const IDLE: Duration = Duration::from_secs(120);
const MOST_SESSIONS: u64 = 128;
/// As many calls of one session at a time as a worker makes for a run.
const CALLS_AT_ONCE: usize = 128;
/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// Pages of tools that are read.
const MOST_PAGES: usize = 100;

/// What to do when a server wants credentials that nobody gave.
const NO_CONNECTION: &str = "no connection was named or bound: make one with POST /v1/connections, then send its id as \
                             connection_id with POST …/discover, or name it in the active config profile of an instance.";

/// Whom to call, and with what.
pub struct Target {
    /// The address, with credentials that belong into its query.
    pub url: Url,
    /// Credentials that belong into headers.
    pub headers: HeaderMap,
    /// What must not be seen of what the server says.
    pub mask: Arc<Mask>,
    /// Whether it goes with credentials of a connection.
    pub authenticated: bool,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.url.origin().ascii_serialization())
    }
}

/// Headers that are the transport's: where a request goes, how it is framed and what concerns one connection (RFC 9110,
/// sections 7.2 and 7.6.1), and what the protocol itself says. Credentials and profiles cannot set them.
const RESERVED: [&str; 19] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "mcp-protocol-version",
    "mcp-session-id",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a name can be that of a header which is not the transport's.
pub fn is_settable(name: &str) -> bool {
    HeaderName::try_from(name).is_ok_and(|name| !RESERVED.contains(&name.as_str()))
}

impl Target {
    /// Adds a header whose value is a secret.
    ///
    /// # Errors
    /// When it cannot stand in a header, or is the transport's own.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), McpError> {
        let unusable =
            |what: &str| McpError::Unusable(format!("the {what} of the header {name:?} cannot be sent"));
        if !is_settable(name) {
            let why = "is no name of a header, or one that the connection itself sets";
            return Err(McpError::Unusable(format!("{name:?} {why}; give the credential another key")));
        }
        let name = HeaderName::try_from(name).map_err(|_| unusable("name"))?;
        let mut value = HeaderValue::try_from(value).map_err(|_| unusable("value"))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }

    /// An error of this target in a sentence, with what to do where the server wants credentials.
    pub fn explained(&self, error: &McpError) -> String {
        match (error.asks_for_credentials(), self.authenticated) {
            (false, _) => format!("{error}."),
            (true, true) => format!("{error}; it does not take the connection's credentials."),
            (true, false) => format!("{error}; it asks for credentials, and {NO_CONNECTION}"),
        }
    }

    /// An error of this target, for whoever called it.
    pub fn error(&self, error: &McpError) -> Error {
        let code = match error.asks_for_credentials() && !self.authenticated {
            true => ErrorCode::ConnectionRequired,
            false => ErrorCode::McpServer,
        };
        let message = format!("The MCP server cannot be used: {}", self.explained(error));
        Error::new(Kind::Invalid, code, message)
    }

    /// What tells it from other targets; nothing can be read out of it.
    fn fingerprint(&self, place: &Place) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [place.tenant_id.as_str(), place.project_id.as_str(), self.url.as_str()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        for (name, value) in &self.headers {
            hash.update(name.as_str().len().to_be_bytes());
            hash.update(name.as_str());
            hash.update(value.len().to_be_bytes());
            hash.update(value.as_bytes());
        }
        // A session masks what it was opened with.
        self.mask.hash_into(&mut hash);
        hash.finalize().into()
    }
}

type Running = RunningService<RoleClient, ClientConfig>;
type Opening = Arc<OnceCell<Arc<Running>>>;

/// The sessions of this environment.
#[derive(Clone)]
pub struct Sessions {
    open: Arc<Cache<[u8; 32], Opening>>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self { open: Arc::new(Cache::new(MOST_SESSIONS, Stay::Unused(IDLE))) }
    }
}

/// An open session.
#[derive(Clone)]
pub struct Session {
    running: Arc<Running>,
    of: Sessions,
    key: [u8; 32],
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of the protocol that was agreed on.
    pub protocol_version: String,
}

impl Sessions {
    /// The session with this target; opened when there is none.
    ///
    /// # Errors
    /// When the server does not answer as it should.
    pub async fn open(
        &self,
        outbound: &Arc<Outbound>,
        clock: &Clock,
        place: &Place,
        target: &Target,
    ) -> Result<Session, McpError> {
        let key = target.fingerprint(place);
        let cell = self.open.get_or_make(key, Opening::default);
        if cell.get().is_some_and(|running| running.is_closed()) {
            self.open.remove(&key);
            return Box::pin(self.open(outbound, clock, place, target)).await;
        }
        let backend = || Backend {
            outbound: Arc::clone(outbound),
            clock: clock.clone(),
            url: target.url.clone(),
            headers: target.headers.clone(),
            mask: Arc::clone(&target.mask),
            state: Arc::new(Mutex::new(BackendState::default())),
        };
        // Many steps at once open one session: the others wait for the first, or take over when it gives up.
        let running = cell.get_or_try_init(|| connect(backend())).await?;
        Ok(Session { running: Arc::clone(running), of: self.clone(), key })
    }
}

async fn connect(backend: Backend) -> Result<Arc<Running>, McpError> {
    let config = StreamableHttpClientTransportConfig::with_uri(backend.url.origin().ascii_serialization())
        .max_concurrent_requests(CALLS_AT_ONCE);
    let transport = StreamableHttpClientTransport::with_client(backend, config);
    let ours = Implementation::new("agentruntime", env!("CARGO_PKG_VERSION"));
    let client = ClientConfig::new(ClientCapabilities::default(), ours);
    let opened = tokio::time::timeout(HANDSHAKE, serve_client(client, transport)).await;
    Ok(Arc::new(opened.map_err(|_| McpError::Timeout(HANDSHAKE))??))
}

impl Session {
    /// What the server says of itself.
    pub fn greeting(&self) -> Option<Greeting> {
        let info = self.running.peer().peer_info()?;
        Some(Greeting {
            name: info.server_info.as_ref().map(|server| shown(&server.name)).unwrap_or_default(),
            version: info.server_info.as_ref().map(|server| shown(&server.version)).unwrap_or_default(),
            protocol_version: shown(info.protocol_version.as_str()),
        })
    }

    /// Every tool of the server as it describes it, page by page, until there are more than `most`.
    ///
    /// # Errors
    /// When the server does not answer as it should, or its pages do not end.
    pub async fn tools(&self, most: usize) -> Result<Vec<Value>, McpError> {
        // Whoever does not wait for the end gives the session up, and with it a request that is still under way.
        let mut abandoned = Abandoned(Some(self));
        let tools = self.pages(most).await;
        abandoned.0 = None;
        tools
    }

    async fn pages(&self, most: usize) -> Result<Vec<Value>, McpError> {
        let mut tools = Vec::new();
        let mut cursor = None;
        let mut cost = 0_usize;
        for _ in 0..MOST_PAGES {
            let request = ListToolsRequest {
                params: Some(PaginatedRequestParams::default().with_cursor(cursor.clone())),
                ..ListToolsRequest::default()
            };
            let request = ClientRequest::ListToolsRequest(request);
            let answer = self.ended(self.running.peer().send_request(request).await)?;
            let answer = transparent(answer)?;
            cost = cost.saturating_add(answer.cost());
            if cost > MAX_COST {
                return Err(McpError::Unusable("its list of tools is too large to be read".to_owned()));
            }
            let (found, next) = page(answer.to_value())?;
            tools.extend(found);
            let next = next.filter(|next| !next.is_empty());
            if next.is_none() || tools.len() > most {
                return Ok(tools);
            }
            if next == cursor {
                return Err(McpError::Protocol("its list of tools goes round in a circle".to_owned()));
            }
            cursor = next;
        }
        Err(McpError::Protocol(format!("its list of tools has more than {MOST_PAGES} pages")))
    }

    /// Calls a tool and returns its result as it came, as text. Dropped before its end, it tells the server so.
    ///
    /// # Errors
    /// When the server does not answer as it should.
    pub async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        attempt: Option<&str>,
        settings: &Map<String, Value>,
    ) -> Result<JsonText, McpError> {
        let mut params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let mut meta = RequestMetaObject::new();
        if let Some(attempt) = attempt {
            meta.0.0.insert(ATTEMPT_KEY.to_owned(), attempt.into());
        }
        if !settings.is_empty() {
            meta.0.0.insert(SETTINGS_KEY.to_owned(), Value::Object(settings.clone()));
        }
        params.meta = Some(meta);
        match self.ended(self.running.peer().call_tool_once(params).await)? {
            CallToolResponse::Complete(result) => transparent(ServerResult::CallToolResult(result)),
            _ => Err(McpError::Protocol("the answer cannot be read".to_owned())),
        }
    }

    fn ended<T>(&self, ended: Result<T, rmcp::ServiceError>) -> Result<T, McpError> {
        ended.map_err(McpError::from).inspect_err(|error| {
            if error.ends_session() {
                self.of.open.remove(&self.key);
            }
        })
    }
}

/// The tools of a page, and the cursor of the next.
fn page(mut result: Value) -> Result<(Vec<Value>, Option<String>), McpError> {
    let wrong = |field: &str, found: Option<&Value>, expected: &str| {
        let what = unexpected(field, found, expected);
        Err(McpError::Protocol(format!("in the answer to tools/list, {what}")))
    };
    if !result.is_object() {
        return wrong("result", Some(&result), "an object");
    }
    let next = match result["nextCursor"].take() {
        Value::Null => None,
        Value::String(next) => Some(next),
        other => return wrong("result.nextCursor", Some(&other), "a string"),
    };
    match result.get_mut("tools").map(Value::take) {
        Some(Value::Array(tools)) => Ok((tools, next)),
        other => wrong("result.tools", other.as_ref(), "a list"),
    }
}

/// Gives a session up when it is dropped.
struct Abandoned<'s>(Option<&'s Session>);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.of.open.remove(&session.key);
        }
    }
}

impl From<OutboundError> for McpError {
    fn from(error: OutboundError) -> Self {
        Self::Outbound(error)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_of_tools_is_a_list_and_the_next_cursor() {
        let (tools, next) = page(json!({ "tools": [1, 2], "nextCursor": "c" })).unwrap();
        assert_eq!((tools, next.as_deref()), (vec![json!(1), json!(2)], Some("c")));
        assert_eq!(page(json!({ "tools": [], "nextCursor": null })).unwrap(), (vec![], None));
        for (answer, field) in [
            (json!([]), "result"),
            (json!({}), "result.tools"),
            (json!({ "tools": {} }), "result.tools"),
            (json!({ "tools": [], "nextCursor": 5 }), "result.nextCursor"),
        ] {
            let error = page(answer).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }

    fn target(authenticated: bool) -> Target {
        let url = "https://example.com/mcp?key=hidden".parse().unwrap();
        Target { url, headers: HeaderMap::new(), mask: Arc::new(Mask::default()), authenticated }
    }

    #[test]
    fn a_credential_sets_no_header_of_the_transport() {
        for name in
            ["Host", "host", "Connection", "Transfer-Encoding", "CONTENT-LENGTH", "te", "Upgrade", "Expect"]
        {
            let error = target(true).header(name, "x").unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("another key"), "{error}");
        }
        for name in ["", "a b", "a:b", "a\r\nhost", ":authority", "ü"] {
            assert!(target(true).header(name, "x").is_err(), "{name:?}");
        }
        for name in ["Authorization", "X-Api-Key", "Cookie", "x-host"] {
            let mut target = target(true);
            target.header(name, "x").unwrap();
            assert_eq!(target.headers.len(), 1, "{name}");
        }
    }

    #[test]
    fn a_server_that_wants_credentials_is_explained_by_what_it_got() {
        let refused = McpError::Http { status: 401, details: None, retry_after: None };
        assert!(target(false).explained(&refused).contains("POST /v1/connections"));
        assert!(target(true).explained(&refused).contains("the connection's credentials"));
        let failed = McpError::Http { status: 500, details: None, retry_after: None };
        assert_eq!(target(false).explained(&failed), "the server answered with HTTP 500.");
    }

    #[test]
    fn a_targets_secrets_are_sent_and_not_printed() {
        let mut target = target(true);
        target.header("x-key", "hidden").unwrap();
        target.header("not a name", "v").unwrap_err();
        let error = target.header("x-key", "hidden\n").unwrap_err().to_string();
        assert!(!error.contains("hidden"), "{error}");
        assert!(!format!("{target:?} {:?}", target.headers).contains("hidden"));
    }

    #[test]
    fn sessions_are_one_projects_and_one_credentials() {
        let place = |tenant: &str| Place {
            tenant_id: tenant.parse().unwrap(),
            project_id: "default".parse().unwrap(),
        };
        let mut other = target(true);
        other.header("x-key", "v").unwrap();
        let same = target(true).fingerprint(&place("acme"));
        assert_eq!(target(false).fingerprint(&place("acme")), same);
        assert_ne!(target(true).fingerprint(&place("beta")), same);
        assert_ne!(other.fingerprint(&place("acme")), same);
    }
}
