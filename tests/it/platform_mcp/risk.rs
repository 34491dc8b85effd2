//! Tools that answer with secrets: there only where the deployment says so.

use it::{Client, McpClient, TestApp, Workspace, graph, lua};
use serde_json::json;
use shared::types::clock::Clock;
use shared::types::role::Role;
use shared::types::scope::Scope;

use super::tools::{Caller, TOOLS};

const RISK: [&str; 3] = ["inbound_webhooks_create", "inbound_webhooks_rotate_secret", "pats_create"];

/// The same workspace at a deployment that has these tools.
fn with_risk(app: &TestApp, workspace: &Workspace) -> Workspace {
    let router = Client::new(local::router(app.stores.state_with_risk_tools(Clock::System)));
    Workspace { client: router.bearer(&workspace.token), ..workspace.clone() }
}

#[tokio::test]
async fn tools_that_answer_with_secrets_are_absent_unless_the_deployment_enables_them() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let without = McpClient::new(&acme.client);
    for tool in RISK {
        let params = json!({ "name": tool, "arguments": {} });
        assert_eq!(
            without.request("tools/call", &params).await.expect(200)["error"]["code"],
            -32602,
            "{tool}"
        );
    }
    let names: Vec<String> = McpClient::new(&with_risk(&app, &acme).client)
        .tools()
        .await
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .filter(|name| !TOOLS.contains(&name.as_str()))
        .collect();
    assert_eq!(names, RISK);
}

#[tokio::test]
async fn a_webhook_is_made_and_its_secret_rotated_by_those_who_may() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&with_risk(&app, &acme)).await;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let new = json!({ "workflow_id": workflow, "name": "Orders", "automation_bearer": acme.token });
    let made = tools.call("inbound_webhooks_create", new.clone()).await;
    let first = made["signing_secret"].as_str().unwrap();
    assert!(first.starts_with("whsec_"));
    let rotate = json!({ "subscription_id": made["subscription"]["id"], "grace_s": 0 });
    let rotated = tools.call("inbound_webhooks_rotate_secret", rotate.clone()).await;
    assert_ne!(rotated["signing_secret"], first);

    let reader = app.member(("acme", "default"), Role::TenantAdmin, &[Scope::IntegrationRead], None).await;
    let reader = McpClient::new(&with_risk(&app, &reader).client);
    reader.refused("inbound_webhooks_create", &new, 403, "SCOPE_MISSING").await;
    let stranger = McpClient::new(&with_risk(&app, &app.workspace("other").await).client);
    stranger.refused("inbound_webhooks_rotate_secret", &rotate, 404, "NOT_FOUND").await;
}

#[tokio::test]
async fn a_token_is_made_used_and_revoked_by_those_who_may_and_is_worth_no_more_than_theirs() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let mut tools = Caller::of(&with_risk(&app, &acme)).await;
    let new = json!({ "display_name": "CI", "scopes": ["workflow:read"] });
    let made = tools.call("pats_create", new.clone()).await;
    let token = made["token"].as_str().unwrap();
    app.anyone.bearer(token).get("/v1/workflows").await.expect(200);
    let listed = tools.call("pats_list", json!({ "limit": 100 })).await.to_string();
    assert!(listed.contains(made["id"].as_str().unwrap()) && !listed.contains(token), "{listed}");

    let here = ("acme", "default");
    let runner = app.member(here, Role::ProjectContributor, &[Scope::WorkflowRun], None).await;
    let runner = McpClient::new(&with_risk(&app, &runner).client);
    runner.refused("pats_create", &new, 403, "SCOPE_MISSING").await;
    let issuer = app.member(here, Role::ProjectContributor, &[Scope::PatWrite], None).await;
    let issuer = McpClient::new(&with_risk(&app, &issuer).client);
    issuer.refused("pats_create", &new, 403, "SCOPE_EXCEEDED").await;
    let revoke = json!({ "pat_id": made["id"] });
    let stranger = McpClient::new(&with_risk(&app, &app.workspace("other").await).client);
    stranger.refused("pats_revoke", &revoke, 404, "NOT_FOUND").await;

    tools.call("pats_revoke", revoke.clone()).await;
    tools.mcp.refused("pats_revoke", &revoke, 404, "NOT_FOUND").await;
    // A process that has nothing in memory.
    let fresh = Client::new(local::router(app.stores.state(Clock::System, &[])));
    fresh.bearer(token).get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
}
