//! What a tenant of a local process does over HTTP.

use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

/// How long anything may take.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// A tenant, by one of its tokens.
#[derive(Debug, Clone)]
pub struct Tenant {
    http: Client,
    base_url: String,
    token: String,
}

impl Tenant {
    /// Of the process at this address.
    pub fn new(base_url: &str, token: &str) -> Self {
        Self { http: it::http_client(), base_url: base_url.to_owned(), token: token.to_owned() }
    }

    /// Another one, which this one, the operator, opens.
    pub async fn open(&self, slug: &str) -> Self {
        let opened = self.post("/v1/onboarding/workspaces", &json!({ "name": slug, "slug": slug })).await;
        Self { token: opened["token"].as_str().expect("a token").to_owned(), ..self.clone() }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> reqwest::Result<(StatusCode, Vec<u8>)> {
        let url = format!("{}{path}", self.base_url);
        let mut request = self.http.request(method, url).bearer_auth(&self.token).timeout(MAX_WAIT);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await?;
        Ok((answer.status(), answer.bytes().await?.into()))
    }

    /// Sends a request, and answers only what became of it.
    pub async fn status(&self, method: Method, path: &str, body: Option<String>) -> String {
        match self.send(method, path, body).await {
            Ok((status, _)) => status.as_u16().to_string(),
            Err(_) => "no answer".to_owned(),
        }
    }

    /// # Panics
    /// When it is refused.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) =
            self.send(Method::POST, path, Some(body.to_string())).await.expect("an answer");
        let answer = serde_json::from_slice(&answer).unwrap_or_default();
        assert!(status.is_success(), "POST {path}: {status} {answer:#}");
        answer
    }

    /// Null when there is no answer.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.send(Method::GET, path, None).await;
        answer.ok().and_then(|(_, answer)| serde_json::from_slice(&answer).ok()).unwrap_or_default()
    }

    /// Publishes a workflow, and returns its id.
    pub async fn publish(&self, graph: &Value) -> String {
        let made = self.post("/v1/workflows", &json!({ "name": "w", "graph": graph })).await;
        let id = made["id"].as_str().expect("an id").to_owned();
        self.post(&format!("/v1/workflows/{id}/versions"), &json!({})).await;
        id
    }

    /// Starts a run, and returns its path.
    pub async fn start_run(&self, workflow: &str) -> String {
        let path = format!("/v1/workflows/{workflow}/command");
        let started = self.post(&path, &json!({ "command": "start" })).await;
        format!("/v1/workflows/{workflow}/runs/{}", started["run_id"].as_str().expect("an id"))
    }

    /// Waits until a run is over, and says how it ended.
    pub async fn ended(&self, run: &str) -> String {
        let until = Instant::now() + MAX_WAIT;
        while Instant::now() < until {
            let view = self.get(&format!("{run}?wait_s=20")).await;
            match view["status"].as_str() {
                None => return "no answer".to_owned(),
                Some("failed") => return view["failure_code"].as_str().unwrap_or_default().to_owned(),
                Some(status @ ("completed" | "stopped")) => return status.to_owned(),
                Some(_) => {}
            }
        }
        "not over".to_owned()
    }

    /// An MCP server at this address with what it needs to be called.
    pub async fn mcp_instance(&self, url: &str) -> String {
        let new = json!({ "name": "Back office", "canonical_url": url });
        let server = self.post("/v1/mcp/servers", &new).await;
        let id = server["id"].as_str().expect("an id").to_owned();
        let path = format!("/v1/mcp/servers/{id}");
        self.post(&format!("{path}/discover"), &json!({})).await;
        self.post(&format!("{path}/versions"), &json!({ "activate": true })).await;
        let instance = self.post("/v1/mcp/instances", &json!({ "server_id": id })).await;
        instance["id"].as_str().expect("an id").to_owned()
    }
}
