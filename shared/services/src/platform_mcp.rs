//! The API at its address, for a function that has none of the other functions' code.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};

use platform::aws;
use platform::boxed;
use platform::trace::{self, Trace};
use types::error::{ErrorCode, Kind};
use types::{Error, Result};

/// When to try again what the API did not answer.
pub const AGAIN: Duration = Duration::from_secs(1);

/// How long a connection is kept: one that was kept while this environment was frozen is closed by the other side.
const KEPT: Duration = Duration::from_secs(5);
/// The gateway gives up after 30 s, and so does whoever calls this function.
const PATIENCE: Duration = Duration::from_secs(27);

/// A client of the API, made at its first request.
#[derive(Debug, Clone)]
pub struct Remote(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: String,
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl Remote {
    /// Of the API at this address, such as `https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com`.
    pub fn new(url: &str) -> Self {
        Self(Arc::new(Inner { url: url.trim_end_matches('/').to_owned(), client: OnceLock::new() }))
    }

    /// Sends a request, a second time where it can be asked twice and nobody answered.
    ///
    /// # Errors
    /// Unavailable when nobody answers; internal when the address is missing or the request cannot be written down.
    #[boxed]
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        let client = self.0.client.get_or_init(client).as_ref();
        let client = client.map_err(|why| Error::internal(format!("the client of the API: {why}")))?;
        let request = self.addressed(request)?;
        let twice = request.method() == Method::GET || request.headers().contains_key("idempotency-key");
        let again = if twice { request.try_clone() } else { None };
        let begun = Instant::now();
        let first = match answer(client, request).await {
            Ok(answered) => return Ok(answered),
            Err(error) => error,
        };
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let Some(mut again) = again.filter(|_| !first.is_timeout() && !left.is_zero()) else {
            let never_connected = first.is_connect();
            return Err(unanswered(first, never_connected));
        };
        *again.timeout_mut() = Some(left);
        let second = answer(client, again).await;
        second.map_err(|second| {
            let never_connected = first.is_connect() && second.is_connect();
            unanswered(second, never_connected)
        })
    }

    fn addressed(&self, request: Request<Bytes>) -> Result<reqwest::Request> {
        if self.0.url.is_empty() {
            return Err(Error::internal("PLATFORM_MCP_API_URL does not say where the API is"));
        }
        let (mut parts, body) = request.into_parts();
        let url = format!("{}{}", self.0.url, parts.uri);
        let unwritable = |why: String| Error::internal(format!("a request to the API: {why}"));
        parts.uri = url.parse().map_err(|error: http::uri::InvalidUri| unwritable(error.to_string()))?;
        if let Some(Ok(value)) = Trace::current().map(|trace| HeaderValue::from_str(trace.header())) {
            parts.headers.insert(trace::HEADER, value);
        }
        let request = reqwest::Request::try_from(Request::from_parts(parts, body));
        let mut request = request.map_err(|error| unwritable(error.to_string()))?;
        *request.timeout_mut() = Some(PATIENCE);
        Ok(request)
    }
}

fn client() -> Result<reqwest::Client, String> {
    let client = aws::https_client_builder()?.pool_idle_timeout(KEPT).build();
    client.map_err(|error| error.to_string())
}

async fn answer(client: &reqwest::Client, request: reqwest::Request) -> reqwest::Result<Response<Bytes>> {
    let answer = client.execute(request).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(answer.bytes().await?);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Without the address, whose query is the caller's.
fn unanswered(error: reqwest::Error, never_connected: bool) -> Error {
    let (code, message) = match never_connected {
        true => {
            (ErrorCode::ApiUnreachable, "The API cannot be reached; nothing was done. Try again in a moment.")
        }
        false => (
            ErrorCode::ApiUnanswered,
            "The API did not answer in time or broke off. Look whether what was asked for is done before trying again.",
        ),
    };
    Error::new(Kind::Unavailable { retry_after: AGAIN }, code, message).with_source(error.without_url())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn the_work_at_the_address_is_of_the_same_trace() {
        let api = TcpListener::bind("127.0.0.1:0").unwrap();
        let remote = Remote::new(&format!("http://{}", api.local_addr().unwrap()));
        let asked = thread::spawn(move || {
            let (mut stream, _) = api.accept().unwrap();
            let mut got = vec![0; 8192];
            let read = stream.read(&mut got).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
            String::from_utf8_lossy(&got[..read]).into_owned()
        });
        let header = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1";
        let request = Request::get("/v1/workflows").body(Bytes::new()).unwrap();
        Trace::around(Trace::parse(header), remote.send(request)).await.unwrap();
        let asked = asked.join().unwrap();
        assert!(asked.contains(&format!("x-amzn-trace-id: {header}\r\n")), "{asked}");
    }
}
