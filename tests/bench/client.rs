//! One keep-alive connection to the server. It costs little, because client and server share the machine.

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection with a token.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    authorization: String,
}

impl Connection {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens there.
    pub async fn open(base_url: &str, token: &str) -> Self {
        let host = base_url.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).await.expect("somebody who listens");
        stream.set_nodelay(true).expect("a TCP connection");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        Self { sender, host, authorization: format!("Bearer {token}") }
    }

    /// Sends a POST that waits for what it started, or a GET without a body.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(&mut self, path: &str, body: Option<Bytes>) -> hyper::Result<(StatusCode, Bytes)> {
        self.request(path, body, &[("prefer", "wait=10".to_owned())]).await
    }

    /// Sends a POST that waits for nothing, or a GET without a body.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_now(&mut self, path: &str, body: Option<Bytes>) -> hyper::Result<(StatusCode, Bytes)> {
        self.request(path, body, &[]).await
    }

    /// Sends a POST with these headers.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send_with(
        &mut self,
        path: &str,
        body: Bytes,
        headers: &[(&'static str, String)],
    ) -> hyper::Result<(StatusCode, Bytes)> {
        self.request(path, Some(body), headers).await
    }

    async fn request(
        &mut self,
        path: &str,
        body: Option<Bytes>,
        headers: &[(&'static str, String)],
    ) -> hyper::Result<(StatusCode, Bytes)> {
        self.sender.ready().await?;
        let mut request = Request::builder()
            .method(if body.is_some() { "POST" } else { "GET" })
            .uri(path)
            .header(header::HOST, &self.host)
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body.unwrap_or_default())).expect("a request");
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}
