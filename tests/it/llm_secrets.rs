//! A provider that sends back the key it was called with: in every adapter, status and place, the key is in no answer,
//! row, file or line of the log, whole or in half.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use it::{LocalProcess, Models, graph, stored_values};
use serde_json::{Value, json};
use wiremock::{Request, Respond, ResponseTemplate};

use crate::llm_wire::ask;

/// Long enough for its halves to be told.
const SECRET: &str = "planted-9f8e7d6c5b4a39281706-of-a-model";

/// Sends back what it was called with, each time in another way.
struct Echo(AtomicUsize);

const WAYS: usize = 12;

impl Respond for Echo {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let sent = ["authorization", "x-api-key", "x-goog-api-key", "x-amz-security-token"].iter();
        let sent: Vec<&str> = sent.filter_map(|name| request.headers.get(*name)?.to_str().ok()).collect();
        let sent = sent.join(" ");
        // So that a cut at 500 characters goes through it.
        let late = format!("{}{sent}", "x".repeat(475));
        let status = [400, 401, 403, 404, 429, 500, 503][self.0.load(Ordering::Relaxed) % 7];
        let error = |body: &Value| ResponseTemplate::new(status).set_body_json(body);
        let answer = |body: &Value| ResponseTemplate::new(200).set_body_json(body);
        match self.0.fetch_add(1, Ordering::Relaxed) % WAYS {
            0 => error(&json!({ "error": { "message": sent } })),
            1 => error(&json!({ "error": { "message": late, "code": sent } })),
            2 => error(&json!({ "detail": [{ "loc": [sent], "msg": late }] })),
            3 => ResponseTemplate::new(status).set_body_raw(late.into_bytes(), "text/plain"),
            4 => error(&json!({})).insert_header("x-amzn-errortype", sent.as_str()),
            5 => ResponseTemplate::new(200)
                .set_body_raw(format!("<title>{late}</title>").into_bytes(), "text/html"),
            6 => ResponseTemplate::new(200)
                .set_body_raw(format!("{{\"{sent}").into_bytes(), "application/json"),
            7 => answer(&json!({ "error": { "message": late, "code": sent } })),
            8 => answer(
                &json!({ "content": [{ "type": sent }], "model": sent, "choices": [{ "finish_reason": sent,
                     "message": { "content": [{ "type": sent }], "tool_calls": [sent] }, "model": sent }],
                     "candidates": [{ "finishReason": sent, "finishMessage": late }],
                     "output": { "message": { "content": [{ (sent.as_str()): 1 }] } } }),
            ),
            9 => answer(
                &json!({ "model": sent, "choices": [{ "finish_reason": "stop", "message": { "content": late } }],
                     "content": [{ "type": "text", "text": sent }],
                     "candidates": [{ "content": { "parts": [{ "text": late }] } }],
                     "output": { "message": { "content": [{ "text": late }] } } }),
            ),
            10 => ResponseTemplate::new(302)
                .insert_header("location", format!("https://{SECRET}.example/").as_str()),
            _ => error(&json!(sent)),
        }
    }
}

fn keys(url: &str) -> Vec<(Value, &'static str)> {
    let key = |provider: &str| json!({ "provider": provider, "api_key": SECRET, "base_url": url });
    let region = json!({ "region": "eu-central-1" });
    let signed = json!({ "provider": "bedrock", "base_url": url, "region": "eu-central-1",
                         "access_key_id": "AKIDEXAMPLE", "secret_access_key": format!("{SECRET}-key"),
                         "session_token": SECRET });
    vec![
        (key("openai"), "direct.openai.gpt-4.1"),
        (key("openai_compatible"), "direct.openai_compatible.llama3.2"),
        (key("anthropic"), "direct.anthropic.claude-sonnet-4-5"),
        (key("google"), "direct.google.gemini-2.5-flash"),
        (it::with(key("bedrock"), &region), "direct.bedrock.meta.llama3-3-70b-instruct-v1:0"),
        (signed, "direct.bedrock.anthropic.claude-3-haiku-20240307-v1:0"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_echoed_key_is_in_no_answer_row_file_or_log() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let process = LocalProcess::logging(Path::new(env!("CARGO_BIN_EXE_local-process")), &data, &log);
    let http = it::http_client();
    let mut answers = String::new();
    let mut call = async |verb: &str, path: &str, body: Value| -> Value {
        let request = http.request(verb.parse().unwrap(), format!("{}{path}", process.base_url));
        let request = request.bearer_auth(&process.token).body(body.to_string());
        let text = request.send().await.unwrap().text().await.unwrap();
        answers.push_str(&text);
        serde_json::from_str(&text).unwrap_or_default()
    };
    let mut outcomes = Vec::new();
    let models = Models::responding(Echo(AtomicUsize::new(0))).await;
    for (key, model) in keys(&models.url()) {
        let key = call("POST", "/v1/llm-provider-keys", key).await;
        let schema = json!({ "output_schema": { "type": "object" } });
        for way in 0..WAYS {
            let fields = json!({ "llm_credential_id": key["id"] });
            let step = ask(model, &if way % 2 == 0 { fields } else { it::with(fields, &schema) });
            let workflow =
                call("POST", "/v1/workflows", json!({ "name": "w", "graph": graph([step]) })).await;
            let workflow = format!("/v1/workflows/{}", workflow["id"].as_str().unwrap());
            call("POST", &format!("{workflow}/versions"), json!({})).await;
            let start = json!({ "command": "start", "params": {} });
            let run = call("POST", &format!("{workflow}/command"), start).await;
            let run = format!("{workflow}/runs/{}", run["run_id"].as_str().unwrap());
            outcomes.push(call("GET", &format!("{run}?wait_s=20"), json!({})).await["status"].clone());
            for path in ["events", "context", "summary"] {
                call("GET", &format!("{run}/{path}"), json!({})).await;
            }
        }
    }
    assert!(outcomes.contains(&json!("completed")) && outcomes.contains(&json!("failed")), "{outcomes:?}");
    assert!(answers.contains("•••"), "it was sent back");
    process.kill();
    // A half that a cut has left begins like the key.
    let half = &SECRET[..12];
    let holds = |bytes: &[u8]| bytes.windows(half.len()).any(|window| window == half.as_bytes());
    let place = answers.find(half).map(|at| &answers[at.saturating_sub(300)..at + 60]);
    assert_eq!(place, None, "in an answer");
    let logged = std::fs::read(&log).unwrap();
    assert!(logged.len() > 1000, "a log at trace level");
    let line = String::from_utf8_lossy(&logged).lines().find(|line| line.contains(half)).map(str::to_owned);
    assert_eq!(line, None, "in the log");
    for value in stored_values(&data.join("dynamodb.sqlite")).await {
        assert!(!value.holds(half), "in {}", value.place);
    }
    for entry in std::fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.is_dir() || !holds(&std::fs::read(&path).unwrap()), "in {}", path.display());
    }
}
