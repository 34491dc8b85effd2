//! Tools that answer with secrets: there only where the deployment says so.

use it::{Client, McpClient, TestApp, graph, lua};
use serde_json::json;
use shared::auth::{Role, Scope};
use shared::clock::Clock;

use super::tools::TOOLS;

const RISK: [&str; 2] = ["inbound_webhooks_create", "inbound_webhooks_rotate_secret"];

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
    let with =
        Client::new(local::router(app.stores.state_with_risk_tools(Clock::System))).bearer(&acme.token);
    let names: Vec<String> = McpClient::new(&with)
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
    let router = Client::new(local::router(app.stores.state_with_risk_tools(Clock::System)));
    let mcp = McpClient::new(&router.bearer(&acme.token));
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let new = json!({ "workflow_id": workflow, "name": "Orders", "automation_bearer": acme.token });
    let made = mcp.call("inbound_webhooks_create", &new).await;
    let first = made["signing_secret"].as_str().unwrap();
    assert!(first.starts_with("whsec_"));
    let rotate = json!({ "subscription_id": made["subscription"]["id"], "grace_s": 0 });
    let rotated = mcp.call("inbound_webhooks_rotate_secret", &rotate).await;
    assert_ne!(rotated["signing_secret"], first);

    let reader = app.member(("acme", "default"), Role::TenantAdmin, &[Scope::IntegrationRead], None).await;
    let reader = McpClient::new(&router.bearer(&reader.token));
    reader.refused("inbound_webhooks_create", &new, 403, "SCOPE_MISSING").await;
    let stranger = McpClient::new(&router.bearer(&app.workspace("other").await.token));
    stranger.refused("inbound_webhooks_rotate_secret", &rotate, 404, "NOT_FOUND").await;
}
