//! A review of a pull request, whole: a code host's webhook starts it, a script reads the event, two tools fetch what
//! it is about, a model drafts a review, a person decides, and only then a tool posts it. Code host and model are
//! stand-ins behind HTTP.

use it::{
    McpStandIn, Models, Run, Sender, TestApp, ToolCall, Workspace, graph, human, lua, openai_says, tool_call,
    with,
};
use serde_json::{Value, json};
use shared::types::clock::Clock;

use crate::llm_wire::ask;

const HOST_TOKEN: &str = "ghp-of-the-code-host-0123456789";
const DIFF: &str = "-let most = 10;\n+let most = 100;\n";
const DRAFT: &str = "The limit is ten times what the docs say.";

/// The code host's tools: two that read and one that posts.
async fn code_host() -> McpStandIn {
    let tool = |name: &str, more: Value| {
        let mut properties = json!({ "repo": { "type": "string" }, "number": { "type": "integer" } });
        let fields = more.as_object().unwrap().clone();
        properties.as_object_mut().unwrap().extend(fields);
        let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
        let schema = json!({ "type": "object", "required": required, "properties": properties,
                             "additionalProperties": false });
        json!({ "name": name, "description": name, "inputSchema": schema })
    };
    let text = json!({ "body": { "type": "string" }, "event": { "enum": ["COMMENT", "REQUEST_CHANGES"] } });
    let tools =
        vec![tool("get_pull_request", json!({})), tool("get_diff", json!({})), tool("create_review", text)];
    McpStandIn::answering(tools, answer).await
}

fn answer(call: &ToolCall) -> Value {
    let content = |text: &str| json!({ "content": [{ "type": "text", "text": text }] });
    match call.name.as_str() {
        "get_pull_request" => content(r#"{ "title": "Raise the limit", "author": "sam" }"#),
        "get_diff" => content(DIFF),
        _ => json!({ "content": [], "structuredContent": { "review_id": 7 } }),
    }
}

/// The workflow, on this instance of the code host.
fn review(host: &str) -> Value {
    let of_the_pr =
        json!({ "repo": "{{ steps.parse.result.repo }}", "number": "{{ steps.parse.result.number }}" });
    let prompt = "Review {{ steps.fetch-pr.result.title }} by {{ steps.fetch-pr.result.author }}:\n\
                  {{ steps.fetch-diff.result.content.0.text }}";
    let schema = json!({ "type": "object", "required": ["body", "event"], "properties": {
        "body": { "type": "string" }, "event": { "enum": ["COMMENT", "REQUEST_CHANGES"] } } });
    let drafted = json!({ "id": "draft", "depends_on": ["fetch-pr", "fetch-diff"], "prompt": prompt,
                          "output_schema": schema });
    let shown = json!({ "title": "Post this review?", "draft": "{{ steps.draft.result.json.body }}" });
    let posted = json!({ "repo": "{{ steps.parse.result.repo }}", "number": "{{ steps.parse.result.number }}",
                         "body": "{{ steps.approve.result.body | steps.draft.result.json.body }}",
                         "event": "{{ steps.draft.result.json.event }}" });
    graph([
        lua(
            "parse",
            "local repo, number = string.match(input.pull_request.url, '^https://[^/]+/(.+)/pull/(%d+)$')
             return { repo = repo, number = tonumber(number) }",
        ),
        tool_call("fetch-pr", &["parse"], host, "get_pull_request", &of_the_pr),
        tool_call("fetch-diff", &["parse"], host, "get_diff", &of_the_pr),
        ask("direct.openai.gpt-4.1", &drafted),
        with(human("approve", &["draft"]), &json!({ "task_payload": shown })),
        with(
            tool_call("post", &["approve"], host, "create_review", &posted),
            &json!({ "condition": "{{ steps.approve.result.approved }}" }),
        ),
    ])
}

/// All that takes part.
struct Scene {
    app: TestApp,
    acme: Workspace,
    host: McpStandIn,
    models: Models,
    workflow: String,
    sender: Sender,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::without_worker(Clock::System).await;
        let acme = app.workspace("acme").await;
        let host = code_host().await;
        let instance = acme.mcp_instance(&host.url).await;
        acme.mcp_profile(&instance, &acme.connection(HOST_TOKEN).await).await;
        let drafted = json!({ "body": DRAFT, "event": "REQUEST_CHANGES" }).to_string();
        let models = Models::answering([openai_says(&drafted, 120, 30)]).await;
        acme.openai_key(&models, "sk-test-0123456789").await;
        let workflow = acme.publish(&review(&instance)).await;
        let sender = acme.subscribe(&workflow, json!({})).await;
        Self { app, acme, host, models, workflow, sender }
    }

    /// The code host tells of a pull request, and the run comes as far as its question.
    async fn opened(&self) -> Run {
        let event = json!({ "action": "opened", "pull_request": { "url": "https://code.example/acme/shop/pull/42" } });
        let accepted = self.sender.deliver(event.to_string().as_bytes()).await.expect(202);
        self.app.work().await;
        let run = self.acme.known_run(&self.workflow, accepted["run_id"].as_str().unwrap());
        assert_eq!(run.summary().await["orchestration_phase"], "awaiting_human", "{:#}", run.view().await);
        run
    }

    /// The tools that were called, and their arguments.
    fn called(&self) -> Vec<(String, Value)> {
        let mut calls: Vec<(String, Value)> =
            self.host.calls().into_iter().map(|call| (call.name, call.arguments)).collect();
        // The two that read go side by side.
        calls.sort_by(|a, b| a.0.cmp(&b.0));
        calls
    }
}

fn reads() -> Vec<(String, Value)> {
    let of_the_pr = json!({ "repo": "acme/shop", "number": 42 });
    vec![("get_diff".to_owned(), of_the_pr.clone()), ("get_pull_request".to_owned(), of_the_pr)]
}

#[tokio::test]
async fn an_approved_review_is_posted_as_the_person_left_it() {
    let scene = Scene::new().await;
    let run = scene.opened().await;
    assert_eq!(scene.called(), reads(), "nothing is posted before somebody has decided");
    let prompt = scene.models.bodies().await[0]["messages"][0]["content"].clone();
    assert_eq!(prompt, format!("Review Raise the limit by sam:\n{DIFF}"));
    let task = &run.tasks().await[0];
    assert_eq!(task["payload"], json!({ "title": "Post this review?", "draft": DRAFT }));

    let edited = "The limit is ten times what the docs say; please mend either.";
    let answer = json!({ "approved": true, "result": { "body": edited } });
    run.answer("approve", &answer).await.expect(200);
    scene.app.work().await;
    let view = run.view().await;
    assert_eq!(view["status"], "completed", "{view:#}");
    assert_eq!(view["outputs"], json!({ "post": { "review_id": 7 } }));
    let posted = json!({ "repo": "acme/shop", "number": 42, "body": edited, "event": "REQUEST_CHANGES" });
    assert_eq!(scene.called()[0], ("create_review".to_owned(), posted));
    assert_eq!(scene.called().len(), 3, "each tool is called once");
    for call in scene.host.calls() {
        assert_eq!(call.authorization, format!("Bearer {HOST_TOKEN}"));
    }
    let summary = run.summary().await;
    assert_eq!((&summary["tokens_in"], &summary["tokens_out"]), (&json!(120), &json!(30)));
}

#[tokio::test]
async fn a_review_that_is_approved_as_it_stands_is_posted_as_the_model_wrote_it() {
    let scene = Scene::new().await;
    let run = scene.opened().await;
    run.approve("approve").await;
    scene.app.work().await;
    assert_eq!(run.status().await, "completed");
    assert_eq!(scene.called()[0].1["body"], DRAFT);
}

#[tokio::test]
async fn a_rejected_review_is_not_posted_and_the_run_completes() {
    let scene = Scene::new().await;
    let run = scene.opened().await;
    run.reject("approve").await;
    scene.app.work().await;
    assert_eq!(run.status().await, "completed");
    let outcomes = run.outcomes().await;
    assert_eq!(outcomes.last().map(String::as_str), Some("post condition_false"), "{outcomes:?}");
    assert_eq!(scene.called(), reads(), "nothing is posted");
}
