//! No secret leaves its store: values are planted through the API, and then looked for in every file that the process
//! wrote, in every row of its table as it is read, in what it logged at the level `trace`, in what it answers, and in the
//! OpenAPI document.

use std::path::Path;

use it::{LocalProcess, McpStandIn, Models, graph, openai_says, stored_values, tool_call};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::llm_wire::ask;

/// Somebody who calls the process over HTTP.
struct Caller {
    http: reqwest::Client,
    base_url: String,
    token: String,
    /// Every answer, but those that show a secret once.
    answers: String,
}

impl Caller {
    async fn send(&self, method: &str, path: &str, headers: &[(&str, String)], body: &str) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.base_url));
        request = request.bearer_auth(&self.token).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
    }

    async fn call(&mut self, method: &str, path: &str, body: Value) -> Value {
        let (_, answer) = self.send(method, path, &[], &body.to_string()).await;
        self.answers.push_str(&answer.to_string());
        answer
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn holds(bytes: &[u8], value: &str) -> bool {
    bytes.windows(value.len()).any(|window| window == value.as_bytes())
}

/// What is no secret, and must be found where it was put: in a script, an input, and a result that a script makes of two
/// parts.
const HARMLESS: [&str; 3] = ["harmless-in-a-script", "harmless-in-an-input", "harmless-in-a-result"];

fn planted(number: u8) -> String {
    format!("planted-value-{number}-of-a-credential")
}

/// Makes, changes, shows and deletes connections, well and badly.
async fn use_connections(caller: &mut Caller) {
    let credentials = |number| json!({ "api_key": planted(number), "second": planted(number + 1) });
    let new = |number| json!({ "display_name": "c", "provider": "p", "service": "api_key", "credentials": credentials(number) });
    let made = caller.call("POST", "/v1/connections", new(0)).await;
    let connection = format!("/v1/connections/{}", made["id"].as_str().unwrap());
    caller.call("PATCH", &connection, json!({ "credentials": { "api_key": planted(2) } })).await;
    caller.call("POST", "/v1/connections", json!({ "credentials": credentials(3), "service": "none" })).await;
    caller.call("POST", "/v1/connections", json!({ "credentials": [planted(3)] })).await;
    let doomed = caller.call("POST", "/v1/connections", new(5)).await;
    caller.call("DELETE", &format!("/v1/connections/{}", doomed["id"].as_str().unwrap()), json!({})).await;
    for path in [connection.clone(), format!("{connection}/credentials"), "/v1/connections".to_owned()] {
        caller.call("GET", &path, json!({})).await;
    }
}

/// Subscribes a sender, delivers well and badly, and reads all that tells of it; the secrets to sign with.
async fn use_webhooks(caller: &mut Caller) -> Vec<String> {
    let script = "return { input = input, said = 'harmless-' .. 'in-a-result' } -- harmless-in-a-script";
    let graph = json!({ "steps": [{ "id": "a", "type": "lua_script", "script": script }] });
    let workflow = caller.call("POST", "/v1/workflows", json!({ "name": "w", "graph": graph })).await;
    let id = workflow["id"].as_str().unwrap();
    let workflow = format!("/v1/workflows/{id}");
    caller.call("POST", &format!("{workflow}/versions"), json!({})).await;

    // These answers show a secret, this once.
    let subscription = json!({ "workflow_id": id, "name": "w", "automation_bearer": caller.token });
    let (status, made) = caller.send("POST", "/v1/inbound-webhooks", &[], &subscription.to_string()).await;
    assert_eq!(status, 201, "{made:#}");
    let path = made["ingress_path"].as_str().unwrap().to_owned();
    let (_, rotated) = caller.send("POST", &format!("{path}/rotate-secret"), &[], "{}").await;
    let signing: Vec<String> = [&made, &rotated]
        .iter()
        .map(|answer| answer["signing_secret"].as_str().unwrap().to_owned())
        .collect();
    let nobody = it::Client::new(axum::Router::new());
    let sender = it::Sender { client: nobody, path: path.clone(), secret: signing[0].clone() };
    let body = r#"{"order_id":"harmless-in-an-input"}"#;
    let signature = [("x-agentruntime-signature", sender.sign(body.as_bytes()))];
    let (status, accepted) = caller.send("POST", &path, &signature, body).await;
    assert_eq!(status, 202, "{accepted:#}");
    caller.answers.push_str(&accepted.to_string());
    use_issued_secrets(caller, &subscription).await;
    // Somebody mixes the secret up with the signature.
    caller.send("POST", &path, &[("x-agentruntime-signature", signing[1].clone())], body).await;
    let run = format!("{workflow}/runs/{}", accepted["run_id"].as_str().unwrap());
    for path in [
        format!("{run}?wait_s=20"),
        format!("{run}/events"),
        format!("{run}/context"),
        path.clone(),
        format!("{path}/deliveries"),
        "/v1/inbound-webhooks".to_owned(),
        "/openapi.json".to_owned(),
    ] {
        caller.call("GET", &path, json!({})).await;
    }
    signing
}

/// Sets secrets that senders have issued, well and badly.
async fn use_issued_secrets(caller: &mut Caller, subscription: &Value) {
    let mut new = subscription.clone();
    new["sender"] = json!("slack");
    new["signing_secret"] = json!(planted(9));
    let made = caller.call("POST", "/v1/inbound-webhooks", new.clone()).await;
    let path = made["ingress_path"].as_str().unwrap().to_owned();
    caller.call("PATCH", &path, json!({ "signing_secret": planted(10) })).await;
    caller.call("POST", &format!("{path}/rotate-secret"), json!({ "signing_secret": planted(11) })).await;
    // Stripe's look otherwise.
    new["sender"] = json!("stripe");
    new["signing_secret"] = json!(planted(12));
    caller.call("POST", "/v1/inbound-webhooks", new).await;
    caller.call("PATCH", &path, json!({ "signing_secret": [planted(12)] })).await;
    caller.call("PATCH", &path, json!({ "signing": planted(12), "signing_secret": planted(12) })).await;
    caller.call("GET", &path, json!({})).await;
    caller.call("GET", "/v1/audit", json!({})).await;
}

/// Lets steps call a tool and a model with credentials; both quote them in their answers, and the model also where it
/// refuses them.
async fn use_outside(caller: &mut Caller) {
    let (of_tools, of_models) = (planted(7), planted(8));
    let tools = McpStandIn::start().await;
    let quotes = format!("Incorrect API key provided: {of_models}.");
    let refuses = ResponseTemplate::new(401).set_body_json(json!({ "error": { "message": quotes } }));
    let models = Models::answering([openai_says(&quotes, 1, 1), refuses]).await;
    let key = json!({ "provider": "openai", "api_key": of_models, "base_url": models.url() });
    caller.call("POST", "/v1/llm-provider-keys", key).await;
    let id = |of: &Value| of["id"].as_str().unwrap().to_owned();
    let new = json!({ "display_name": "c", "provider": "p", "service": "api_key",
                      "credentials": { "api_key": of_tools } });
    let connection = id(&caller.call("POST", "/v1/connections", new).await);
    let new = json!({ "name": "Tools", "canonical_url": tools.url });
    let server = id(&caller.call("POST", "/v1/mcp/servers", new).await);
    let instance = id(&caller.call("POST", "/v1/mcp/instances", json!({ "server_id": server })).await);
    let inject = |place: &str| json!({ "credential_key": "api_key", "as": place, "name": "X-Api-Key" });
    let spec = json!({ "connection_id": connection, "inject": [
        { "credential_key": "api_key", "as": "bearer" }, inject("header"), inject("query") ] });
    let profile = json!({ "name": "P", "source_spec": spec });
    caller.call("POST", &format!("/v1/mcp/instances/{instance}/config-profiles"), profile).await;
    for path in ["validate", "tools/leak/call"] {
        caller.call("POST", &format!("/v1/mcp/instances/{instance}/{path}"), json!({})).await;
    }
    let leaks = tool_call("leak", &[], &instance, "leak", &json!({}));
    let steps = graph([leaks, ask("direct.openai.gpt-4.1", &json!({ "depends_on": ["leak"] }))]);
    let workflow = id(&caller.call("POST", "/v1/workflows", json!({ "name": "w", "graph": steps })).await);
    let workflow = format!("/v1/workflows/{workflow}");
    caller.call("POST", &format!("{workflow}/versions"), json!({})).await;
    for status in ["completed", "failed"] {
        let start = json!({ "command": "start", "params": {} });
        let run = caller.call("POST", &format!("{workflow}/command"), start).await;
        let run = format!("{workflow}/runs/{}", run["run_id"].as_str().unwrap());
        let over = caller.call("GET", &format!("{run}?wait_s=20"), json!({})).await;
        assert_eq!(over["status"], status, "{over:#}");
        for path in ["events", "context", "summary"] {
            caller.call("GET", &format!("{run}/{path}"), json!({})).await;
        }
    }
    let used = tools.calls().iter().filter(|call| call.authorization.contains(&of_tools)).count();
    assert_eq!((used, models.requests().await.len()), (3, 2), "the credentials were used");
    caller.call("GET", "/v1/llm-provider-keys", json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_planted_secret_is_in_files_logs_or_answers() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join(".local");
    let log = folder.path().join("log");
    let process = LocalProcess::logging(Path::new(env!("CARGO_BIN_EXE_local-process")), &data, &log);
    let mut caller = Caller {
        http: it::http_client(),
        base_url: process.base_url.clone(),
        token: process.token.clone(),
        answers: String::new(),
    };
    use_connections(&mut caller).await;
    let signing = use_webhooks(&mut caller).await;
    use_outside(&mut caller).await;
    process.kill();

    let mut secrets: Vec<String> = (0..=12).map(planted).collect();
    // What a library decodes is a secret as well.
    secrets.extend(signing.iter().map(|secret| secret.trim_start_matches("whsec_").to_owned()));
    secrets.push(caller.token.clone());
    let logged = std::fs::read(&log).unwrap();
    assert!(holds(&logged, "\"DEBUG\"") && holds(&logged, "/v1/inbound-webhooks"), "the log has everything");
    let files = files(&data);
    // SQLite keeps what is new in a file beside the database.
    assert!(
        files.iter().any(|(path, bytes)| path.contains("dynamodb.sqlite") && holds(bytes, "CONNECTIONS"))
    );
    let values = stored_values(&data.join("dynamodb.sqlite")).await;
    for harmless in HARMLESS {
        assert!(
            values.iter().any(|value| value.holds(harmless)),
            "{harmless} is not found, so nothing would be"
        );
    }
    for secret in &secrets {
        let found = values.iter().find(|value| value.holds(secret));
        assert!(found.is_none(), "{secret} is in {}", found.map_or("", |value| &*value.place));
        assert!(!holds(&logged, secret), "{secret} is in the log");
        assert!(!caller.answers.contains(secret), "{secret} is in an answer");
        for (path, bytes) in &files {
            // This file is there to hand the first token to scripts.
            assert!(path.ends_with("credentials.json") || !holds(bytes, secret), "{secret} is in {path}");
        }
    }
}
