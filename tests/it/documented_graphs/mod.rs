//! Graphs as the hosted product documents and exports them, with what each of them must do here. `graphs/index.json`
//! says where each comes from and what its run is started with; tools and models are stand-ins.
//!
//! Of what the index lists, this comes with later parts of the product: agents (44, 46), principals and segments (34,
//! 35 and 55 run here without them), external agents (56).

mod plain;
mod refused;
mod tools;

use std::collections::BTreeMap;

use it::{McpStandIn, Models, Run, TestApp, ToolCall, Workspace, openai_says};
use serde_json::{Value, json};
use shared::json_schema;
use shared::types::clock::Clock;
use shared::workflow::graph_schema;

macro_rules! graphs {
    ($($name:literal),* $(,)?) => {
        /// The files, by name.
        const GRAPHS: &[(&str, &str)] = &[$(($name, include_str!(concat!("graphs/", $name, ".json")))),*];
    };
}

graphs!(
    "01-echo",
    "02-mcp-diamond",
    "03-mcp-missing-tool-name",
    "04-mcp-lua-llm-pipeline",
    "05-for-each-lua",
    "06-for-each-over-llm-json",
    "08-while-eval-cap",
    "09-scope-smoke",
    "10-human-gate",
    "12-reject-without-condition",
    "13-controls",
    "15-validate-first",
    "16-fail-fast-parallel",
    "19-form-ingest",
    "20-form-digest",
    "21-pr-review",
    "23-weekly-report",
    "25-support-reply",
    "26-template-modifiers-child",
    "28-workflow-call-parent-input",
    "29-batch-children",
    "32-for-each-singleton",
    "33-empty-lua-list",
    "34-embedded-export",
    "35-embedded-bootstrap",
    "39-episode-spine-never-closes",
    "40-terminal-without-episode",
    "42-trigger-steps-overlay",
    "44-handoff",
    "46-for-each-agent",
    "47-legacy-for-each-body",
    "48-nested-loop",
    "49-cycle",
    "50-bracket-template",
    "51-nested-braces",
    "52-missing-dependency",
    "55-run-identity",
    "56-external-agent",
    "57-server-id-field",
    "60-lua-top-level-list",
);

/// The graph whose file has this name.
fn documented(name: &str) -> Value {
    let (_, text) = GRAPHS.iter().find(|(known, _)| *known == name).expect("a graph of this name");
    serde_json::from_str(text).expect("JSON")
}

/// What the index says of a graph.
fn entry(name: &str) -> Value {
    let index: Vec<Value> = serde_json::from_str(include_str!("graphs/index.json")).expect("JSON");
    let file = format!("{name}.json");
    index.into_iter().find(|entry| entry["file"] == file.as_str()).expect("an entry of the index")
}

#[test]
fn every_graph_of_the_index_is_here() {
    let index: Vec<Value> = serde_json::from_str(include_str!("graphs/index.json")).unwrap();
    let files: Vec<String> = GRAPHS.iter().map(|(name, _)| format!("{name}.json")).collect();
    let listed: Vec<&str> = index.iter().filter_map(|entry| entry["file"].as_str()).collect();
    assert_eq!(listed, files);
}

/// The graph with other values for what stands in it for something of a deployment.
fn filled(graph: &Value, values: &BTreeMap<&str, String>) -> Value {
    match graph {
        Value::String(text) => json!(values.get(text.as_str()).unwrap_or(text)),
        Value::Array(items) => items.iter().map(|item| filled(item, values)).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), filled(value, values))).collect(),
        other => other.clone(),
    }
}

/// A workspace with what a graph needs.
struct Scene {
    app: TestApp,
    acme: Workspace,
    values: BTreeMap<&'static str, String>,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::without_worker(Clock::System).await;
        let acme = app.workspace("acme").await;
        Self { app, acme, values: BTreeMap::new() }
    }

    /// With an MCP server of these tools, at the placeholder `url`; and at `instance` the id of its instance.
    async fn server(
        &mut self,
        (url, instance): (&'static str, &'static str),
        tools: &[&str],
        answer: fn(&ToolCall) -> Value,
    ) -> McpStandIn {
        let tool = |name: &&str| json!({ "name": name, "inputSchema": { "type": "object" } });
        let server = McpStandIn::answering(tools.iter().map(tool).collect(), answer).await;
        let post = async |path: String, body: Value, status: u16| {
            self.acme.client.post(&path, &body).await.expect(status)
        };
        let new = json!({ "name": format!("Server {}", tools[0]), "canonical_url": server.url });
        let made = post("/v1/mcp/servers".to_owned(), new, 201).await;
        let path = format!("/v1/mcp/servers/{}", made["id"].as_str().unwrap());
        post(format!("{path}/discover"), json!({}), 200).await;
        post(format!("{path}/versions"), json!({ "activate": true }), 201).await;
        let made = post("/v1/mcp/instances".to_owned(), json!({ "server_id": made["id"] }), 201).await;
        self.values.insert(url, server.url.clone());
        self.values.insert(instance, made["id"].as_str().unwrap().to_owned());
        server
    }

    /// With a model that answers this.
    async fn model(&self, text: &str) -> Models {
        let models = Models::answering([openai_says(text, 12, 3)]).await;
        self.acme.openai_key(&models, "sk-test-0123456789").await;
        models
    }

    fn graph(&self, name: &str) -> Value {
        filled(&documented(name), &self.values)
    }

    /// What a validation of the graph says when a run would be started with these params.
    async fn validate(&self, name: &str, params: &Value) -> Value {
        let mut body = json!({ "graph": self.graph(name) });
        if !params.is_null() {
            body["params"] = params.clone();
        }
        let report = self.acme.client.post("/v1/workflows/validate", &body).await.expect(200);
        assert_eq!(report["valid"], report["readiness"] == "ready", "{report:#}");
        report
    }

    /// The codes of what a validation finds; none of them an error.
    async fn warnings(&self, name: &str, params: &Value) -> Vec<String> {
        let report = self.validate(name, params).await;
        assert_eq!((&report["valid"], &report["blockers"]), (&json!(true), &json!([])), "{name}: {report:#}");
        codes(&report)
    }

    /// Publishes the graph; the draft and the version are what was sent.
    async fn publish(&self, name: &str) -> String {
        let graph = self.graph(name);
        json_schema::check(&graph_schema(), &graph).expect("the schema of graphs accepts it");
        let workflow = self.acme.publish(&graph).await;
        let client = &self.acme.client;
        let draft = client.get(&format!("/v1/workflows/{workflow}")).await.expect(200);
        let version = client.get(&format!("/v1/workflows/{workflow}/versions/1")).await.expect(200);
        assert_eq!((&draft["graph"], &version["graph_snapshot"]), (&graph, &graph), "{name}");
        workflow
    }

    /// Publishes the graph and starts a run as the index says; it has come as far as it comes.
    async fn begin(&self, name: &str) -> Run {
        self.begin_with(name, entry(name)["start_params"].clone()).await
    }

    async fn begin_with(&self, name: &str, params: Value) -> Run {
        let run = self.acme.begin_again(&self.publish(name).await, params).await;
        self.app.work().await;
        run
    }

    /// The same for a run that completes; with its outputs.
    async fn completed(&self, name: &str) -> (Run, Value) {
        let run = self.begin(name).await;
        let view = run.view().await;
        assert_eq!(view["status"], "completed", "{name}: {view:#}");
        (run, view["outputs"].clone())
    }
}

/// The codes of a report's issues.
fn codes(report: &Value) -> Vec<String> {
    let issues = report["issues"].as_array().into_iter().flatten();
    issues.map(|issue| issue["code"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The issues of a report, as `code step place`.
fn found(report: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let issues = report["issues"].as_array().into_iter().flatten();
    issues
        .map(|issue| {
            let [code, step, place] = ["code", "step_id", "json_path"].map(|key| text(&issue[key]));
            format!("{code} {step} {place}")
        })
        .collect()
}

/// A tool's answer with this structure.
fn structured(content: Value) -> Value {
    let mut answer = json!({ "content": [] });
    answer["structuredContent"] = content;
    answer
}

/// A tool's answer with this JSON as text.
fn text(content: &Value) -> Value {
    json!({ "content": [{ "type": "text", "text": content.to_string() }] })
}
