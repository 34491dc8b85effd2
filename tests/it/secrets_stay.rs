//! No secret leaves its place: what callers were given or sent as secrets is looked for, byte by byte, in every file
//! that a process wrote, in every row of its table as it is read, in its log at trace level, in all that it answers later, and in the examples of its
//! document.
//!
//! Here for tokens, however often they are shown; `planted_secrets` has what connections and webhooks hold.

use std::path::{Path, PathBuf};

use it::{LocalProcess, graph, lua, stored_values};
use reqwest::Client;
use serde_json::{Value, json};

/// A value that must not turn up, and what it is.
struct Planted {
    what: &'static str,
    value: String,
}

/// Somebody who uses a process, and all that it answered once the secrets had been given.
struct Api {
    http: Client,
    process: LocalProcess,
    answers: String,
    calls: usize,
}

impl Api {
    async fn call(&mut self, method: &str, path: &str, token: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.process.base_url);
        let request = self.http.request(method.parse().unwrap(), url).bearer_auth(token);
        self.calls += 1;
        let key = format!("k-{}", self.calls);
        let request = if method == "POST" { request.header("idempotency-key", key) } else { request };
        let text = request.body(body.to_string()).send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        if answer["token"].is_null() {
            self.answers.push_str(&text);
        }
        answer
    }
}

/// Hands every kind of secret to the process, or has it make one.
async fn plant(api: &mut Api) -> Vec<Planted> {
    let (first, operator) = (api.process.token.clone(), api.process.operator_token.clone());
    let mut planted = vec![
        Planted { what: "the operator token", value: operator.clone() },
        // The id in front is public.
        Planted { what: "the first token", value: first[36..].to_owned() },
    ];
    let token = |answer: Value| answer["token"].as_str().unwrap()[36..].to_owned();
    let workspace = json!({ "name": "n", "slug": "planted" });
    let opened = api.call("POST", "/v1/onboarding/workspaces", &operator, workspace).await;
    planted.push(Planted { what: "the token of a workspace", value: token(opened) });
    let made = api.call("POST", "/v1/pats", &first, json!({ "display_name": "n" })).await;
    planted.push(Planted { what: "a token", value: token(made) });
    planted
}

/// Does what people do with the secrets, and reads what can be read.
async fn use_and_read(api: &mut Api) {
    let token = api.process.token.clone();
    let new = json!({ "name": "w", "graph": graph([lua("a", "return { input = input } -- harmless-in-a-script")]) });
    let made = api.call("POST", "/v1/workflows", &token, new).await;
    let workflow = format!("/v1/workflows/{}", made["id"].as_str().unwrap());
    api.call("POST", &format!("{workflow}/versions"), &token, json!({})).await;
    let start = json!({ "command": "start", "params": { "k": "harmless-in-an-input" } });
    let started = api.call("POST", &format!("{workflow}/command"), &token, start).await;
    let run = format!("{workflow}/runs/{}", started["run_id"].as_str().unwrap());
    api.call("GET", &format!("{run}?wait_s=20"), &token, Value::Null).await;
    for path in [format!("{run}/events"), format!("{run}/context")] {
        api.call("GET", &path, &token, Value::Null).await;
    }
    for path in ["/v1/pats", "/v1/members", "/v1/projects", "/v1/audit", "/v1/runs"] {
        api.call("GET", path, &token, Value::Null).await;
    }
    // Refused in every way that names what was wrong.
    let operator = api.process.operator_token.clone();
    for wrong in [format!("{token}x"), token[..84].to_owned(), operator] {
        api.call("GET", "/v1/workflows", &wrong, Value::Null).await;
        api.call("POST", "/v1/workflows", &wrong, json!({ "name": "w" })).await;
    }
    api.call("POST", "/v1/onboarding/workspaces", &token, json!({ "name": "n", "slug": "m" })).await;
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_file_a_log_or_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let program = Path::new(env!("CARGO_BIN_EXE_local-process"));
    let process = LocalProcess::logging(program, &data, &log);
    let mut api = Api { http: it::http_client(), process, answers: String::new(), calls: 0 };
    let planted = plant(&mut api).await;
    use_and_read(&mut api).await;
    api.process.kill();
    let mut places = vec![("what was answered".to_owned(), api.answers.into_bytes())];
    for path in files(folder.path()) {
        // For its owner's scripts, and readable by nobody else.
        if path.file_name().is_some_and(|name| name != "credentials.json") {
            places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    assert!(places.iter().any(|(name, bytes)| name.ends_with("dynamodb.sqlite") && !bytes.is_empty()));
    // Most values are compressed in the file: here as they are read.
    let values = stored_values(&data.join("dynamodb.sqlite")).await;
    for harmless in ["harmless-in-a-script", "harmless-in-an-input"] {
        assert!(
            values.iter().any(|value| value.holds(harmless)),
            "{harmless} is not found, so nothing would be"
        );
    }
    places.extend(values.into_iter().map(|value| (value.place, value.bytes)));
    assert!(
        places.iter().any(|(name, bytes)| name.ends_with("log") && bytes.len() > 1000),
        "a log at trace level"
    );
    for Planted { what, value } in &planted {
        assert!(value.len() >= 16, "{what} is too short to be looked for");
        for (place, bytes) in &places {
            let found = bytes.windows(value.len()).any(|window| window == value.as_bytes());
            assert!(!found, "{what} is in {place}");
        }
    }
}

#[test]
fn the_documents_examples_hold_no_secret() {
    let document = local::openapi().to_json().unwrap();
    for prefix in ["pat_", "whsec_", "sk-", "sk_"] {
        for (at, _) in document.match_indices(prefix) {
            let rest = document[at + prefix.len()..].chars().take_while(char::is_ascii_alphanumeric).count();
            assert!(rest < 16, "{}", &document[at..at + prefix.len() + rest]);
        }
    }
}
