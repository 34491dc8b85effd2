//! The one way out: every call to MCP servers, models and whatever else a tenant names goes through this client.
//!
//! It promises that nothing is called that the deployment does not allow (checked on the addresses that are
//! connected to, after names were resolved, so that a name cannot turn private in between), that an answer is
//! bounded in size and time, that redirects lead nowhere but to another path of the same server, and that no
//! error quotes a URL, which may hold a credential. What comes back is the caller's to read.

mod address;
mod policy;

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use tokio::time::{Instant, timeout_at};

use crate::memory::Memory;

pub use address::{Allowed, InvalidAllowed};
pub use policy::OutboundPolicy;
pub use reqwest::Url;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// Shorter than what servers and load balancers keep idle connections for.
const IDLE: Duration = Duration::from_secs(20);
const MOST_IDLE: usize = 16;
/// The most bytes of an answer's headers. The parser itself stops at 100 headers and about 400 KiB.
const LARGEST_HEADERS: usize = 64 * 1024;
/// Redirects on the same server that are followed.
const MOST_REDIRECTS: usize = 3;

/// Why a call did not give an answer. No text quotes a URL, a header or a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The deployment's rules do not allow it.
    #[error("{0}")]
    Refused(String),
    /// There was no answer in this time.
    #[error("there was no whole answer within {0:?}")]
    Timeout(Duration),
    /// No connection came about.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The answer leads to another server, which is not followed.
    #[error("the server redirects to {0}; use that address if it is the right one")]
    Redirected(String),
    /// The answer is larger than this many bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke off, or the answer is not HTTP.
    #[error("the answer cannot be read: {0}")]
    Broken(String),
    /// The request cannot be written.
    #[error("the request cannot be sent: {0}")]
    Invalid(String),
}

impl OutboundError {
    /// Whether trying again may pass.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Timeout(_) | Self::Unreachable(_) | Self::Broken(_) => true,
            Self::Refused(_) | Self::Redirected(_) | Self::TooLarge(_) | Self::Invalid(_) => false,
        }
    }
}

/// What an answer may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the request until the last byte.
    pub time: Duration,
    /// Bytes of the body.
    pub bytes: usize,
}

/// An answer whose body is still to be read.
#[derive(Debug)]
pub struct Answer {
    /// Its status; redirects are errors.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: reqwest::Response,
    limits: Limits,
    until: Instant,
    read: usize,
}

impl Answer {
    /// The next piece of the body; none at its end.
    ///
    /// # Errors
    /// When the body is over its limits or breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let chunk = timeout_at(self.until, self.body.chunk())
            .await
            .map_err(|_| OutboundError::Timeout(self.limits.time))?
            .map_err(told)?;
        self.read += chunk.as_ref().map_or(0, Bytes::len);
        if self.read > self.limits.bytes {
            return Err(OutboundError::TooLarge(self.limits.bytes));
        }
        Ok(chunk)
    }

    /// The whole body.
    ///
    /// # Errors
    /// When the body is over its limits or breaks off.
    pub async fn bytes(mut self) -> Result<Vec<u8>, OutboundError> {
        if self.body.content_length().is_some_and(|length| length > self.limits.bytes as u64) {
            return Err(OutboundError::TooLarge(self.limits.bytes));
        }
        let mut whole = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// How long the server asks to wait before another try: the header `Retry-After`, in seconds or as a date.
    pub fn retry_after(&self, now: types::clock::Timestamp) -> Option<Duration> {
        retry_after(&self.headers, now)
    }
}

/// Whether trying again may pass after an answer with this status.
pub const fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429 | 500..=599)
}

/// How long an answer's `Retry-After` asks to wait, in seconds or until a date.
pub fn retry_after(headers: &HeaderMap, now: types::clock::Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    // Some servers write fractions.
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok().filter(|wait| wait.as_secs() <= u32::MAX.into());
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(types::clock::Timestamp::from_millis(at.as_millisecond()).since(now))
}

type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
type Lookup = Arc<dyn Fn(String) -> Looking + Send + Sync>;

/// The client. Built when it is first used: most environments of most functions never call anybody, and reading
/// the certificates of the world takes longer than all the rest of a start.
pub struct Outbound {
    policy: Arc<OutboundPolicy>,
    lookup: Lookup,
    client: OnceLock<Result<reqwest::Client, OutboundError>>,
    memory: Memory,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Outbound {
    /// Under these rules.
    pub fn new(policy: OutboundPolicy) -> Self {
        Self::with_lookup(policy, Arc::new(|host| Box::pin(system_lookup(host))))
    }

    fn with_lookup(policy: OutboundPolicy, lookup: Lookup) -> Self {
        Self { policy: Arc::new(policy), lookup, client: OnceLock::new(), memory: Memory::default() }
    }

    /// With the process's memory for what is read out of answers.
    #[must_use]
    pub fn within(mut self, memory: Memory) -> Self {
        self.memory = memory;
        self
    }

    /// The memory for what is read out of answers.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Reads an address as far as it can be judged without resolving its name.
    ///
    /// # Errors
    /// Refused, saying why.
    pub fn url(&self, text: &str) -> Result<Url, OutboundError> {
        self.policy.url(text)
    }

    /// Sends a request; the answer's body is read by the caller, within the limits.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        limits: Limits,
    ) -> Result<Answer, OutboundError> {
        let until = Instant::now() + limits.time;
        let url = self.policy.url(&request.uri().to_string())?;
        let client = self.client()?;
        let request = reqwest::Request::try_from(request)
            .map_err(|error| OutboundError::Invalid(error.without_url().to_string()))?;
        let body = timeout_at(until, client.execute(request))
            .await
            .map_err(|_| OutboundError::Timeout(limits.time))?
            .map_err(told)?;
        let status = body.status();
        let headers = body.headers().clone();
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            return Err(OutboundError::Redirected(origin_of(&url, &headers)));
        }
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size > LARGEST_HEADERS {
            return Err(OutboundError::TooLarge(LARGEST_HEADERS));
        }
        Ok(Answer { status, headers, body, limits, until, read: 0 })
    }

    fn client(&self) -> Result<&reqwest::Client, OutboundError> {
        self.client.get_or_init(|| self.build()).as_ref().map_err(Clone::clone)
    }

    fn build(&self) -> Result<reqwest::Client, OutboundError> {
        let tls =
            crate::tls::for_the_world().map_err(|error| OutboundError::Invalid(format!("TLS: {error}")))?;
        let guard = Guard { policy: Arc::clone(&self.policy), lookup: Arc::clone(&self.lookup) };
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // A proxy would resolve names behind our back.
            .no_proxy()
            .dns_resolver(guard)
            .redirect(redirect::Policy::custom(|attempt| match is_same_server(&attempt) {
                true => attempt.follow(),
                false => attempt.stop(),
            }))
            .referer(false)
            .http1_only()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MOST_IDLE)
            .user_agent(concat!("AgentRuntime/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| OutboundError::Invalid(format!("the client cannot be built: {error}")))
    }
}

/// Only what keeps the method, the body and the server: `/mcp` that is now `/mcp/`.
fn is_same_server(attempt: &redirect::Attempt<'_>) -> bool {
    let keeps_body =
        matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let same = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
    keeps_body && same && attempt.previous().len() <= MOST_REDIRECTS
}

/// Scheme, host and port of where a redirect leads.
fn origin_of(from: &Url, headers: &HeaderMap) -> String {
    let location = headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
    match location.and_then(|to| from.join(to).ok()) {
        Some(to) => to.origin().ascii_serialization(),
        None => "nowhere".to_owned(),
    }
}

async fn system_lookup(host: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
}

/// Resolves names and lets only addresses through that may be called: it is these that are connected to.
struct Guard {
    policy: Arc<OutboundPolicy>,
    lookup: Lookup,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookup) = (Arc::clone(&self.policy), Arc::clone(&self.lookup));
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let addresses = lookup(host.clone()).await?;
            // One that may not be called is enough: whoever answers with such a mixture has no good reason.
            for address in &addresses {
                policy.address(&host, *address)?;
            }
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// What went wrong, without the URL.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn told(error: reqwest::Error) -> OutboundError {
    let mut deepest: &dyn StdError = &error;
    while let Some(source) = deepest.source() {
        if let Some(ours) = source.downcast_ref::<OutboundError>() {
            return ours.clone();
        }
        deepest = source;
    }
    // The outer texts name the URL, the innermost is the system's or the parser's.
    let why = match std::ptr::addr_eq(deepest, &raw const error) {
        true => "it was broken off".to_owned(),
        false => deepest.to_string(),
    };
    match () {
        () if error.is_timeout() && error.is_connect() => OutboundError::Unreachable("timeout".to_owned()),
        () if error.is_connect() => OutboundError::Unreachable(why),
        () if error.is_builder() => OutboundError::Invalid(why),
        () => OutboundError::Broken(why),
    }
}

#[cfg(test)]
mod tests;
