//! An MCP server that writes HTTP byte by byte, as a test has it answer: what a framework would not let a server send.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// The method of HTTP.
    pub http_method: String,
    /// The JSON-RPC message.
    pub message: Value,
    head: String,
}

impl RawRequest {
    /// A header's value; empty when it is absent.
    pub fn header(&self, name: &str) -> String {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    }

    /// The method of JSON-RPC.
    pub fn method(&self) -> &str {
        self.message["method"].as_str().unwrap_or_default()
    }
}

/// What a server answers.
#[derive(Debug, Clone)]
pub struct RawReply {
    status: u16,
    headers: Vec<(String, String)>,
    pieces: Vec<Vec<u8>>,
}

impl RawReply {
    /// An answer in one piece.
    pub fn new(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), media_type.to_owned())];
        Self { status, headers, pieces: vec![body.into()] }
    }

    /// An answer of JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// The result of a request.
    pub fn result(request: &RawRequest, result: &Value) -> Self {
        Self::json(200, &json!({ "jsonrpc": "2.0", "id": request.message["id"], "result": result }))
    }

    /// What a server says that needs no session: it greets, and takes notifications.
    pub fn usual(request: &RawRequest) -> Self {
        match request.method() {
            "initialize" => {
                let result = json!({ "protocolVersion": request.message["params"]["protocolVersion"],
                                     "capabilities": { "tools": {} },
                                     "serverInfo": { "name": "raw", "version": "1" } });
                Self::result(request, &result)
            }
            "tools/list" => {
                let any = json!({ "type": "object" });
                Self::result(request, &json!({ "tools": [{ "name": "t", "inputSchema": any }] }))
            }
            _ => Self::new(202, "text/plain", ""),
        }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In pieces of so many bytes.
    #[must_use]
    pub fn cut(mut self, size: usize) -> Self {
        self.pieces = self.pieces.concat().chunks(size).map(<[u8]>::to_vec).collect();
        self
    }
}

/// The server.
#[derive(Debug, Clone)]
pub struct RawMcp {
    /// Its address.
    pub url: String,
    seen: Arc<Mutex<Vec<RawRequest>>>,
}

impl RawMcp {
    /// Starts one that answers like this.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(answer: impl Fn(&RawRequest) -> RawReply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<RawRequest>>> = Arc::default();
        let (answer, kept) = (Arc::new(answer), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
                tokio::spawn(async move { serve(stream, &*answer, &kept).await });
            }
        });
        Self { url, seen }
    }

    /// Starts one whose calls of tools have this answer, and which is usual otherwise.
    pub async fn calling(answer: impl Fn(&RawRequest) -> RawReply + Send + Sync + 'static) -> Self {
        let answer = move |request: &RawRequest| match request.method() {
            "tools/call" => answer(request),
            _ => RawReply::usual(request),
        };
        Self::start(answer).await
    }

    /// The requests of this method so far.
    pub fn requests(&self, method: &str) -> Vec<RawRequest> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|request| request.method() == method).cloned().collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &(impl Fn(&RawRequest) -> RawReply + Send + Sync),
    seen: &Mutex<Vec<RawRequest>>,
) -> Option<()> {
    let mut bytes = Vec::new();
    let end = loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            break end;
        }
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let http_method = head.split(' ').next().unwrap_or_default().to_owned();
    let mut request = RawRequest { http_method, message: Value::Null, head };
    let length: usize = request.header("content-length").parse().unwrap_or(0);
    while bytes.len() < end + 4 + length {
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    }
    request.message = serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    let reply = answer(&request);
    let mut head =
        format!("HTTP/1.1 {} Status\r\ntransfer-encoding: chunked\r\nconnection: close\r\n", reply.status);
    reply.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{head}\r\n").as_bytes()).await.ok()?;
    for piece in reply.pieces.iter().filter(|piece| !piece.is_empty()) {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.ok()?;
        stream.write_all(piece).await.ok()?;
        stream.write_all(b"\r\n").await.ok()?;
        stream.flush().await.ok()?;
        tokio::task::yield_now().await;
    }
    stream.write_all(b"0\r\n\r\n").await.ok()?;
    stream.shutdown().await.ok()
}
