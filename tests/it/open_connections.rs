//! The local process's port: who says nothing, says it slowly or does not listen holds no place for long.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use it::TestApp;
use local::ConnectionLimits;
use shared::types::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Far from what a busy machine takes for an honest request, and short enough to wait for.
const SOON: Duration = Duration::from_millis(500);
const NEVER: Duration = Duration::from_secs(3600);
const PATIENT: ConnectionLimits = ConnectionLimits { count: 64, head: NEVER, answer: NEVER };
const REQUEST: &[u8] = b"GET /small HTTP/1.1\r\nhost: localhost\r\n\r\n";

struct Server {
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, limits: ConnectionLimits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(local::serve(listener, router, limits, stopped));
        Self { address, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn end(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

fn router() -> Router {
    let large = || async { vec![b'x'; 64 * 1024 * 1024] };
    let echo = |body: String| async { body };
    Router::new()
        .route("/small", get(|| async { "small" }))
        .route("/large", get(large))
        .route("/echo", post(echo))
}

/// What comes until the other side ends it.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What comes until this has come.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = stream.read_u8().await.unwrap_or_else(|error| panic!("{error} after {text}"));
        text.push(char::from(byte));
    }
    text
}

#[tokio::test]
async fn who_says_nothing_or_a_part_or_no_more_is_sent_away() {
    let server = Server::start(router(), ConnectionLimits { head: SOON, ..PATIENT }).await;
    for part in ["", "GET /small HTTP/1.1\r\n", "GET /small HTTP/1.1\r\nhost: localhost\r\nx: "] {
        let mut stream = server.connect().await;
        stream.write_all(part.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{part:?}: {answer}");
    }
    // After an answer, too.
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(until(&mut stream, "small").await.starts_with("HTTP/1.1 200"));
    let more = rest(&mut stream).await;
    assert!(!more.contains("200"), "{more}");
    server.end().await;
}

#[tokio::test]
async fn who_sends_a_head_byte_by_byte_is_sent_away() {
    let server = Server::start(router(), ConnectionLimits { head: SOON, ..PATIENT }).await;
    let (mut answers, mut sender) = server.connect().await.into_split();
    let drip = tokio::spawn(async move {
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        let _ = sender.write_all(b"GET /small HTTP/1.1\r\nx: ").await;
        // Without an end, but for the server's.
        while sender.write_all(b"y").await.is_ok() {
            pause.tick().await;
        }
    });
    let mut bytes = Vec::new();
    let _ = answers.read_to_end(&mut bytes).await;
    let answer = String::from_utf8_lossy(&bytes);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    drop(answers);
    drip.await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn a_head_of_many_megabytes_is_not_kept() {
    let server = Server::start(router(), PATIENT).await;
    let (mut answers, mut sender) = server.connect().await.into_split();
    let endless = tokio::spawn(async move {
        let _ = sender.write_all(b"GET /small HTTP/1.1\r\nx: ").await;
        while sender.write_all(&[b'y'; 4096]).await.is_ok() {}
    });
    let mut bytes = Vec::new();
    let _ = answers.read_to_end(&mut bytes).await;
    let answer = String::from_utf8_lossy(&bytes);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    drop(answers);
    endless.await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let server = Server::start(router(), ConnectionLimits { count: 2, head: SOON, ..PATIENT }).await;
    let (first, second) = (server.connect().await, server.connect().await);
    let mut third = server.connect().await;
    third.write_all(REQUEST).await.unwrap();
    assert!(until(&mut third, "small").await.starts_with("HTTP/1.1 200"));
    // One of the two had to go before: what says nothing has ended.
    let has_ended = |stream: &TcpStream| stream.try_read(&mut [0; 8]).is_ok_and(|read| read == 0);
    assert!(has_ended(&first) || has_ended(&second));
    server.end().await;
}

#[tokio::test]
async fn who_does_not_take_the_answer_is_sent_away() {
    let server = Server::start(router(), ConnectionLimits { count: 1, answer: SOON, ..PATIENT }).await;
    let mut deaf = server.connect().await;
    deaf.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    // There is no other place: this is answered once the other has ended.
    let mut next = server.connect().await;
    next.write_all(REQUEST).await.unwrap();
    assert!(until(&mut next, "small").await.starts_with("HTTP/1.1 200"));
    let taken = rest(&mut deaf).await.len();
    assert!(taken < 64 * 1024 * 1024, "{taken}");
    drop(next);
    server.end().await;
}

#[tokio::test]
async fn a_request_under_way_is_answered_before_the_end() {
    let server = Server::start(router(), PATIENT).await;
    let mut stream = server.connect().await;
    let head = b"POST /echo HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head).await.unwrap();
    // The handler is asking for the body.
    until(&mut stream, "\r\n\r\n").await;
    let idle = server.connect().await;
    server.stop.send_replace(true);
    stream.write_all(b"whole").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("whole"), "{answer}");
    drop(idle);
    server.task.await.unwrap();
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_408_on_the_wire() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let state = app.stores.state_with(Clock::System, |config| config.body_deadline = SOON);
    let server = Server::start(local::router(state), PATIENT).await;
    let (mut answers, mut sender) = server.connect().await.into_split();
    let head = format!(
        "POST /v1/workflows HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: 1000000\r\n\r\n",
        acme.token
    );
    let drip = tokio::spawn(async move {
        let mut pause = tokio::time::interval(Duration::from_millis(5));
        let _ = sender.write_all(head.as_bytes()).await;
        while sender.write_all(b" ").await.is_ok() {
            pause.tick().await;
        }
    });
    let mut bytes = Vec::new();
    let _ = answers.read_to_end(&mut bytes).await;
    let answer = String::from_utf8_lossy(&bytes);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("BODY_TIMEOUT"), "{answer}");
    drop(answers);
    drip.await.unwrap();
    server.end().await;
}
