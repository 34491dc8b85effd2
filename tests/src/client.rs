//! An HTTP client of the product inside the process: requests go through the real router, without a socket.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null when it is empty, and a text when it is plain text.
    pub body: Value,
}

impl Answer {
    /// The body of an answer with this status.
    ///
    /// # Panics
    /// With any other.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    /// The body of an error with this status and code, in the shape that every error has.
    ///
    /// # Panics
    /// With any other answer.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status.as_u16(), self.body["code"].as_str()),
            (status, Some(code)),
            "{:#}",
            self.body
        );
        assert!(self.body["error"].as_str().is_some_and(|text| !text.is_empty()), "{:#}", self.body);
        assert_eq!(self.body["request_id"].as_str(), self.header("x-request-id"), "{:#}", self.body);
        let keys = self.body.as_object().into_iter().flat_map(|body| body.keys());
        for key in keys {
            assert!(["error", "code", "request_id", "issues"].contains(&key.as_str()), "{:#}", self.body);
        }
        self.body
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Somebody who calls the API.
#[derive(Debug, Clone)]
pub struct Client {
    router: Router,
    headers: Vec<(String, String)>,
}

impl Client {
    /// Somebody without a token.
    pub fn new(router: Router) -> Self {
        Self { router, headers: Vec::new() }
    }

    /// The same with this header on each request.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same with this token.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// Sends a request with these bytes as its body.
    ///
    /// # Panics
    /// When the answer is not JSON.
    pub async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(body.into()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("routers do not fail");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let is_text =
            parts.headers.get("content-type").is_some_and(|kind| kind == "text/plain; charset=utf-8");
        let body = match bytes.is_empty() {
            true => Value::Null,
            false if is_text => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
            false => serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("not JSON: {bytes:?}")),
        };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, Body::empty()).await
    }

    /// Sends a POST with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body.to_string()).await
    }

    /// Sends a PUT with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, body.to_string()).await
    }

    /// Sends a PATCH with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send("PATCH", path, body.to_string()).await
    }

    /// Sends a DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, Body::empty()).await
    }
}

/// Somebody with a workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Calls with its first token.
    pub client: Client,
    /// Its id.
    pub tenant_id: String,
    /// Its project.
    pub project_id: String,
    /// Its first token.
    pub token: String,
}

impl Workspace {
    /// Creates a workflow and returns its id.
    pub async fn create(&self, graph: &Value) -> String {
        let new = json!({ "name": "test", "graph": graph });
        text(&self.client.post("/v1/workflows", &new).await.expect(201), "id")
    }

    /// Creates a workflow, publishes it and returns its id.
    pub async fn publish(&self, graph: &Value) -> String {
        let id = self.create(graph).await;
        self.client.post(&format!("/v1/workflows/{id}/versions"), &json!({})).await.expect(201);
        id
    }

    /// Sends a start with these params.
    pub async fn command_start(&self, workflow: &str, params: Value) -> Answer {
        let command = json!({ "command": "start", "params": params });
        self.client.post(&format!("/v1/workflows/{workflow}/command"), &command).await
    }

    /// Starts a run and returns its id.
    pub async fn start(&self, workflow: &str, params: Value) -> String {
        text(&self.command_start(workflow, params).await.expect(200), "run_id")
    }

    /// A run when it is over, or after 20 s.
    pub async fn finished(&self, workflow: &str, run: &str) -> Value {
        self.client.get(&format!("/v1/workflows/{workflow}/runs/{run}?wait_s=20")).await.expect(200)
    }

    /// Publishes, starts and waits: the finished run.
    pub async fn run(&self, graph: &Value, params: Value) -> Value {
        let workflow = self.publish(graph).await;
        let run = self.start(&workflow, params).await;
        self.finished(&workflow, &run).await
    }

    /// What of a run: `summary`, `context`, …
    pub async fn of_run(&self, run: &Value, what: &str) -> Value {
        let path = format!("/v1/workflows/{}/runs/{}/{what}", text(run, "workflow_id"), text(run, "run_id"));
        self.client.get(&path).await.expect(200)
    }

    /// Every event of a run.
    pub async fn events(&self, run: &Value) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event["seq"].as_u64().unwrap_or(0));
            let page = self.of_run(run, &format!("events?limit=100&after={after}")).await;
            events.extend(page["events"].as_array().cloned().unwrap_or_default());
            if page["next_cursor"].is_null() {
                return events;
            }
        }
    }
}

#[track_caller]
fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value:#}")).to_owned()
}
