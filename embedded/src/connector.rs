//! What the SDK client of an embedded server needs: an HTTP client that answers in this process, and
//! the authentication that needs no signature.

use aws_smithy_runtime_api::client::auth::{AuthSchemeId, AuthSchemeOption, AuthSchemeOptionsFuture};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use std::fmt;
use std::sync::Arc;

/// The region that the SDK client names; nothing depends on it.
const REGION: &str = "us-east-1";

/// Where the SDK client believes it sends requests. A client that lost its in-process HTTP client would
/// fail on this name instead of reaching AWS.
const ENDPOINT: &str = "http://embedded.invalid";

/// A service that answers AWS JSON requests in this process.
pub(super) trait JsonService: Send + Sync + fmt::Debug + 'static {
    /// Answers one request. `target` is the value of `X-Amz-Target`, `body` the request's JSON.
    ///
    /// # Errors
    ///
    /// [`Closed`] when the service has shut down.
    fn answer(&self, target: &str, body: &[u8]) -> impl Future<Output = Result<Answer, Closed>> + Send;
}

/// The service gives no answer: it has shut down, or a bug ended the request.
#[derive(Debug, thiserror::Error)]
#[error("the embedded service gives no answer; it has shut down")]
pub(super) struct Closed;

/// The answer to a request, as it would travel over HTTP.
#[derive(Debug)]
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// JSON body.
    pub(super) body: SdkBody,
}

impl Answer {
    /// An answer with this status and body.
    pub(super) fn new(status: u16, body: impl Into<SdkBody>) -> Self {
        Self { status, body: body.into() }
    }
}

/// Makes a service the HTTP client of an SDK client.
pub(super) fn http_client<S: JsonService>(service: Arc<S>) -> SharedHttpClient {
    SharedHttpClient::new(InProcess(SharedHttpConnector::new(Connector(service))))
}

/// What the SDK client is told, to which [`Unsigned`] is added.
pub(super) fn sdk_config(http_client: SharedHttpClient) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(ENDPOINT)
        .http_client(http_client)
        // What is inside the process does not come back by being asked again; the store sends again what tests refuse.
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

/// The SDK asks for a connector at every attempt; this hands out the same one.
#[derive(Debug)]
struct InProcess(SharedHttpConnector);

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.0.clone()
    }
}

#[derive(Debug)]
struct Connector<S>(Arc<S>);

impl<S: JsonService> HttpConnector for Connector<S> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let service = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let body = request.body().bytes().unwrap_or_default();
            let answer = service.answer(target, body).await;
            // Not an I/O error, which the SDK would retry for seconds while the process wants to end.
            respond(answer.map_err(|closed| ConnectorError::user(closed.into()))?)
        })
    }
}

fn respond(answer: Answer) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(answer.status).map_err(|error| ConnectorError::user(error.into()))?;
    let mut response = HttpResponse::new(status, answer.body);
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}

/// Authenticates a request that never leaves the process: not at all. Signing took a third of the SDK's
/// time per call.
#[derive(Debug)]
pub(super) struct Unsigned;

impl Unsigned {
    fn options<'a>() -> AuthSchemeOptionsFuture<'a> {
        AuthSchemeOptionsFuture::ready(Ok(vec![AuthSchemeOption::from(AuthSchemeId::new("noAuth"))]))
    }
}

impl aws_sdk_dynamodb::config::auth::ResolveAuthScheme for Unsigned {
    fn resolve_auth_scheme<'a>(
        &'a self,
        _: &'a aws_sdk_dynamodb::config::auth::Params,
        _: &'a aws_sdk_dynamodb::config::ConfigBag,
        _: &'a RuntimeComponents,
    ) -> AuthSchemeOptionsFuture<'a> {
        Self::options()
    }
}
