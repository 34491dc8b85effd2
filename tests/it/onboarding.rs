//! Workspaces: an operator opens one, and its first token comes of it.

use it::{TestApp, workflow};
use serde_json::{Value, json};
use shared::clock::Clock;

#[tokio::test]
async fn an_operator_opens_a_workspace_and_gets_its_first_token() {
    let app = TestApp::without_worker(Clock::System).await;
    let new = json!({ "name": " Acme ", "slug": "acme", "project_id": "prod" });
    let opened = app.operator().post("/v1/onboarding/workspaces", &new).await.expect(201);
    let token = opened["token"].as_str().unwrap();
    assert_eq!(opened, json!({ "tenant_id": "acme", "project_id": "prod", "token": token }));
    assert!(token.starts_with("pat_") && token.len() == 85, "{token}");
    let made = app.anyone.bearer(token).post("/v1/workflows", &workflow("w")).await.expect(201);
    assert_eq!((&made["tenant_id"], &made["project_id"]), (&json!("acme"), &json!("prod")));
    let other = app.workspace("other").await;
    assert_eq!((other.tenant_id.as_str(), other.project_id.as_str()), ("other", "default"));
}

#[tokio::test]
async fn a_slug_is_given_once() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let new = json!({ "name": "Another", "slug": "acme", "project_id": "new" });
    app.operator().post("/v1/onboarding/workspaces", &new).await.refused(409, "SLUG_IN_USE");
    acme.client.get("/v1/workflows").await.expect(200);
    let (operator, body) = (app.operator(), json!({ "name": "Race", "slug": "race" }));
    let post = async || operator.post("/v1/onboarding/workspaces", &body).await.status.as_u16();
    let (one, other) = tokio::join!(post(), post());
    assert_eq!([one.min(other), one.max(other)], [201, 409]);
}

#[tokio::test]
async fn slugs_are_dns_labels() {
    let app = TestApp::without_worker(Clock::System).await;
    let open = async |body: Value| app.operator().post("/v1/onboarding/workspaces", &body).await;
    let longest = "x".repeat(63);
    open(json!({ "name": "n", "slug": longest, "project_id": "0" })).await.expect(201);
    for bad in ["", "-a", "a-", "Acme", "a b", "a#b", "ä", "a_b", " a", &"x".repeat(64)] {
        let refused = open(json!({ "name": "n", "slug": bad })).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().starts_with("slug:"), "{refused:#}");
        let body = json!({ "name": "n", "slug": "fine", "project_id": bad });
        let refused = open(body).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().starts_with("project_id:"), "{refused:#}");
    }
    open(json!({ "name": " ", "slug": "fine" })).await.refused(422, "INVALID_REQUEST");
    open(json!({ "name": "n", "slug": "fine" })).await.expect(201);
}

#[tokio::test]
async fn operators_and_token_holders_are_not_each_other() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let new = json!({ "name": "n", "slug": "n" });
    for client in [&app.anyone, &acme.client, &app.anyone.bearer("wrong"), &app.anyone.bearer("")] {
        client.post("/v1/onboarding/workspaces", &new).await.refused(401, "UNAUTHENTICATED");
    }
    app.operator().get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    app.operator().post("/v1/onboarding/workspaces", &new).await.expect(201);
}
