//! What stands in for Lambda and for AWS while functions are measured; both listen on loopback.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use embedded::EmbeddedDynamo;
use http::{HeaderMap, StatusCode};
use it::OPERATOR_TOKEN;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

/// The runtime API of one start of one function.
#[derive(Debug)]
pub struct Runtime {
    /// Where it is, as `host:port`.
    pub address: String,
    polled: mpsc::Receiver<()>,
    event: mpsc::Sender<String>,
    answer: mpsc::Receiver<String>,
    server: JoinHandle<()>,
}

/// What the routes of the runtime API share.
#[derive(Clone)]
struct Invocations {
    polled: mpsc::Sender<()>,
    events: Arc<Mutex<mpsc::Receiver<String>>>,
    answered: mpsc::Sender<String>,
}

impl Runtime {
    /// Waits for a function.
    pub async fn start() -> Self {
        let (polled, was_polled) = mpsc::channel(8);
        let (event, events) = mpsc::channel(1);
        let (answered, answer) = mpsc::channel(8);
        let state = Invocations { polled, events: Arc::new(Mutex::new(events)), answered };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(answer_came))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(answer_came))
            .route("/2018-06-01/runtime/init/error", post(answer_came))
            .with_state(state);
        let (address, server) = serve(router).await;
        Self { address, polled: was_polled, event, answer, server }
    }

    /// Returns when the function asks for its first event.
    pub async fn first_poll(&mut self) {
        self.polled.recv().await.expect("a poll");
    }

    /// Hands over an event; what the function answers.
    pub async fn answer_to(&mut self, event: &str) -> String {
        self.event.send(event.to_owned()).await.expect("somebody who polls");
        self.answer.recv().await.expect("an answer")
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn next(State(state): State<Invocations>) -> Response {
    let _ = state.polled.send(()).await;
    let Some(event) = state.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:bench"),
        ("lambda-runtime-trace-id", "Root=1-67891233-abcdef012345678912345678;Sampled=0"),
        ("content-type", "application/json"),
    ];
    (headers, event).into_response()
}

async fn answer_came(State(state): State<Invocations>, body: String) -> (StatusCode, &'static str) {
    let _ = state.answered.send(body).await;
    (StatusCode::ACCEPTED, "{}")
}

/// DynamoDB, and what else of AWS a first event asks for.
#[derive(Debug)]
pub struct Aws {
    /// Where it is.
    pub url: String,
    server: JoinHandle<()>,
}

impl Aws {
    /// On this database.
    pub async fn start(dynamo: EmbeddedDynamo) -> Self {
        let (address, server) = serve(Router::new().fallback(asked).with_state(dynamo)).await;
        Self { url: format!("http://{address}"), server }
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn asked(State(dynamo): State<EmbeddedDynamo>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (status, answer) = match target.split_once('.') {
        Some(("secretsmanager", operation)) => {
            let request = serde_json::from_slice(&body).unwrap_or_default();
            secret(operation, &request)
        }
        Some(("AmazonSQS", _)) => (200, json!({ "MessageId": "m" }).to_string().into()),
        _ => dynamo.answer(target, &body).await.unwrap_or((500, Vec::new())),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/x-amz-json-1.0")], answer).into_response()
}

fn secret(operation: &str, request: &Value) -> (u16, Vec<u8>) {
    let value = match request["SecretId"].as_str() {
        Some("token-key") => "key-for-hashing-tokens",
        Some("operator-token") => OPERATOR_TOKEN,
        _ => "",
    };
    match operation {
        "GetSecretValue" if value.is_empty() => {
            (400, json!({ "__type": "ResourceNotFoundException" }).to_string().into())
        }
        _ => (200, json!({ "ARN": "arn", "Name": "n", "SecretString": value }).to_string().into()),
    }
}

/// Serves on a free port.
pub async fn serve(router: Router) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    (address, server)
}
