//! The HTTP client of the SDK, on the one that calls the world as well.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use crate::tls;

/// As long as the SDK's own client waits for a connection.
const CONNECT: Duration = Duration::from_millis(3_100);

/// A client for the SDK, made at once: what a function does before its first event is not billed by its memory's share of
/// a processor.
pub fn http_client() -> SharedHttpClient {
    SharedHttpClient::new(Client(SharedHttpConnector::new(Connector(build()))))
}

/// A client, to be built, that trusts whom AWS's servers are signed by.
///
/// # Errors
/// What of it cannot be made.
pub fn https_client_builder() -> Result<reqwest::ClientBuilder, String> {
    let tls = tls::for_aws().map_err(|error| format!("TLS: {error}"))?;
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls);
    Ok(builder.redirect(reqwest::redirect::Policy::none()).http1_only().connect_timeout(CONNECT))
}

fn build() -> Result<reqwest::Client, String> {
    https_client_builder()?.build().map_err(|error| format!("the client cannot be built: {error}"))
}

/// The SDK asks for a connector at every attempt; this hands out the same one.
#[derive(Debug)]
struct Client(SharedHttpConnector);

impl HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.0.clone()
    }
}

#[derive(Debug)]
struct Connector(Result<reqwest::Client, String>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let client = client.map_err(|why| ConnectorError::user(why.into()))?;
            send(&client, request).await
        })
    }
}

/// Answers are read whole: those of DynamoDB, SQS and Secrets Manager are JSON, and the SDK's tries again what breaks off.
async fn send(client: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let (parts, body) = request.into_parts();
    let body = body.bytes().ok_or_else(|| ConnectorError::user("a body that is a stream".into()))?.to_vec();
    let request = reqwest::Request::try_from(http::Request::from_parts(parts, body));
    let request = request.map_err(|error| ConnectorError::user(error.into()))?;
    let answer = client.execute(request).await.map_err(told)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = http::Response::new(SdkBody::from(answer.bytes().await.map_err(told)?));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}

/// What passes: the SDK tries again after timeouts and what the network does.
fn told(error: reqwest::Error) -> ConnectorError {
    let never_connected = error.is_connect();
    let told = match () {
        () if error.is_timeout() => ConnectorError::timeout(error.into()),
        () if error.is_builder() => ConnectorError::user(error.into()),
        () => ConnectorError::io(error.into()),
    };
    if never_connected { told.never_connected() } else { told }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Sends a request to a server that answers with these bytes and closes; what the server got, and what came of it.
    async fn exchange(answer: &'static [u8]) -> (String, Result<HttpResponse, ConnectorError>) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("http://{}/", server.local_addr().unwrap());
        let got = thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut got = vec![0; 4096];
            let read = stream.read(&mut got).unwrap();
            stream.write_all(answer).unwrap();
            String::from_utf8_lossy(&got[..read]).to_lowercase()
        });
        let sent = send(&build().unwrap(), request(&uri)).await;
        (got.join().unwrap(), sent)
    }

    fn request(uri: &str) -> HttpRequest {
        let request = http::Request::post(uri).header("x-amz-target", "DynamoDB_20120810.GetItem");
        HttpRequest::try_from(request.body(SdkBody::from("{}")).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_request_goes_out_as_it_was_signed_and_its_answer_comes_back_whole() {
        let answer = b"HTTP/1.1 400 Bad Request\r\nx-amzn-requestid: 7\r\ncontent-length: 2\r\n\r\n[]";
        let (got, answered) = exchange(answer).await;
        assert!(got.starts_with("post / http/1.1\r\n") && got.ends_with("\r\n\r\n{}"), "{got}");
        assert!(got.contains("x-amz-target: dynamodb_20120810.getitem\r\n"), "{got}");
        let answered = answered.unwrap();
        assert_eq!(answered.status().as_u16(), 400);
        assert_eq!(answered.headers().get("x-amzn-requestid"), Some("7"));
        assert_eq!(answered.body().bytes(), Some(b"[]".as_slice()));
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer() {
        let answer = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n";
        let (_, answered) = exchange(answer).await;
        assert_eq!(answered.unwrap().status().as_u16(), 307);
    }

    #[tokio::test]
    async fn what_the_network_does_may_pass() {
        let (_, broken) = exchange(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf").await;
        assert!(broken.unwrap_err().is_io());
        let (_, closed) = exchange(b"").await;
        assert!(closed.unwrap_err().is_io());
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let refused = send(&build().unwrap(), request(&format!("http://{free}/"))).await;
        assert!(refused.unwrap_err().is_io());
    }
}
