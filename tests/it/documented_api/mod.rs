//! The hosted product's API pages, call by call, as a client that was written by them calls: what they send, with values
//! of ours, and the statuses and fields that they promise. A file is a few pages, a function a section of them.

mod integrations;
mod runs;
mod workflows;
mod workspace;

use it::{Client, StripeStandIn, TestApp, Workspace};
use serde_json::{Value, json};
use shared::types::clock::Clock;

/// Each of these fields is there.
#[track_caller]
fn has(answer: &Value, fields: &[&str]) {
    for field in fields {
        let pointer = format!("/{}", field.replace('.', "/"));
        assert!(
            answer.pointer(&pointer).is_some_and(|value| !value.is_null()),
            "{field} is not in {answer:#}"
        );
    }
}

#[track_caller]
fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap_or_else(|| panic!("no {field} in {answer:#}")).to_owned()
}

/// A client as the page "Authentication" sets it up.
struct Reader {
    app: TestApp,
    acme: Workspace,
    api: Client,
    workflow: String,
}

impl Reader {
    fn path(&self, rest: &str) -> String {
        format!("/v1/workflows/{}{rest}", self.workflow)
    }

    async fn command(&self, command: &str, params: Value) -> Value {
        let body = json!({ "command": command, "params": params });
        self.api.post(&self.path("/command"), &body).await.expect(200)
    }
}

#[tokio::test]
async fn the_documented_calls_work_as_they_stand() {
    let stripe = StripeStandIn::start(Clock::System).await;
    let app = TestApp::selling(Clock::System, &stripe).await;
    let acme = app.workspace("acme").await;
    let api = acme.client.with("x-tenant-id", "acme").with("x-project-id", "default");
    let api = api.with("content-type", "application/json");
    assert_eq!(api.get("/v1/workflows").await.expect(200), json!({ "workflows": [] }));
    let workflow = workflows::create_a_workflow(&api).await;
    let reader = Reader { app, acme, api, workflow };
    workflows::change_and_publish(&reader).await;
    let run = runs::start_a_run(&reader).await;
    runs::read_a_run(&reader, &run).await;
    runs::pause_resume_stop(&reader).await;
    runs::complete_a_human_task(&reader).await;
    runs::failures_in_events(&reader).await;
    runs::recover_a_run(&reader).await;
    integrations::inbound_webhooks(&reader).await;
    let connection = integrations::connections(&reader).await;
    integrations::register_an_mcp_server(&reader, &connection).await;
    workspace::tokens(&reader).await;
    workspace::billing(&reader).await;
    workspace::analytics(&reader).await;
    workspace::models(&reader).await;
    workspace::errors(&reader).await;
    workspace::platform_mcp(&reader).await;
    workflows::archive(&reader).await;
}
