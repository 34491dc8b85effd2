//! Workspaces: an operator opens one, and its first token comes of it.

use std::time::Duration;

use it::{Client, Fault, Faults, OPERATOR_TOKEN, TestApp, workflow};
use serde_json::{Value, json};
use shared::types::clock::Clock;

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
async fn an_operator_lets_somebody_into_a_workspace_that_has_locked_itself_out() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    acme.client.post("/v1/projects", &json!({ "project_id": "prod" })).await.expect(201);
    let kept = acme.client.post("/v1/workflows", &workflow("kept")).await.expect(201);
    let only = acme.client.get("/v1/pats").await.expect(200)["pats"][0]["id"].clone();
    acme.client.delete(&format!("/v1/pats/{}", only.as_str().unwrap())).await.expect(204);
    acme.client.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");

    let admins = "/v1/onboarding/workspaces/acme/admins";
    let made = app.operator().send("POST", admins, "").await.expect(201);
    let token = made["token"].as_str().unwrap();
    let expected = json!({ "member_id": made["member_id"], "tenant_id": "acme", "project_id": "default",
                           "token": token });
    assert_eq!(made, expected);
    let back = app.anyone.bearer(token);
    assert_eq!(back.get("/v1/workflows").await.expect(200)["workflows"][0]["id"], kept["id"]);
    let members = back.get("/v1/members").await.expect(200);
    let told: Vec<_> = members["members"].as_array().unwrap().iter().collect();
    assert_eq!((told.len(), &told[0]["display_name"]), (2, &json!("Admin made by the operator")));
    assert_eq!(
        (&told[0]["id"], &told[0]["role"], &told[0]["tokens"]),
        (&made["member_id"], &json!("tenant_admin"), &json!(1))
    );
    // The workspace counts two admins now, so the first can go.
    let first = format!("/v1/members/{}", told[1]["id"].as_str().unwrap());
    back.delete(&first).await.expect(204);
    let own = format!("/v1/members/{}", made["member_id"].as_str().unwrap());
    back.delete(&own).await.refused(409, "LAST_ADMIN");

    let named = json!({ "display_name": " Alex ", "project_id": "prod" });
    let alex = app.operator().post(admins, &named).await.expect(201);
    assert_eq!(alex["project_id"], "prod");
    let trail = app.anyone.bearer(alex["token"].as_str().unwrap()).get("/v1/audit").await.expect(200);
    let entry = &trail["entries"][0];
    assert_eq!(
        (&entry["action"], &entry["made"], &entry["outcome"]),
        (&json!("admin.create"), &alex["member_id"], &json!("done"))
    );
    assert_eq!(entry["actor"], json!({}), "the operator");
}

#[tokio::test]
async fn an_admin_is_made_for_what_is_there_and_once_for_a_key() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    acme.client.post("/v1/projects", &json!({ "project_id": "old" })).await.expect(201);
    acme.client.delete("/v1/projects/old").await.expect(204);
    let operator = app.operator();
    let admins = "/v1/onboarding/workspaces/acme/admins";
    for missing in ["nobody", "Not-A-Slug"] {
        let path = format!("/v1/onboarding/workspaces/{missing}/admins");
        operator.post(&path, &json!({})).await.refused(404, "NOT_FOUND");
    }
    for (body, named) in [
        (json!({ "project_id": "nowhere" }), "project_id"),
        (json!({ "project_id": "A" }), "project_id"),
        (json!({ "display_name": "" }), "display_name"),
        (json!({ "role": "project_viewer" }), "role"),
    ] {
        let refused = operator.post(admins, &body).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains(named), "{refused:#}");
    }
    operator.post(admins, &json!({ "project_id": "old" })).await.refused(409, "PROJECT_ARCHIVED");
    acme.client.post(admins, &json!({})).await.refused(401, "UNAUTHENTICATED");
    let count =
        async || acme.client.get("/v1/members").await.expect(200)["members"].as_array().unwrap().len();
    assert_eq!(count().await, 1);
    let keyed = operator.with("idempotency-key", "k");
    let first = keyed.post(admins, &json!({})).await.expect(201);
    assert_eq!(keyed.post(admins, &json!({})).await.expect(201), first);
    assert_eq!(count().await, 2);
}

#[tokio::test]
async fn an_admin_is_made_once_and_can_come_in_whatever_fails() {
    for call in 0..8 {
        for fault in Fault::ways() {
            let clock = Clock::manual("2026-09-21T08:00:00Z".parse().unwrap());
            let app = TestApp::without_worker(clock.clone()).await;
            let acme = app.workspace("acme").await;
            let faults = Faults::at(call, fault);
            let process =
                Client::new(local::router(app.stores.state(clock.clone(), &[faults.interceptor()])));
            let client = process.bearer(OPERATOR_TOKEN).with("idempotency-key", "k");
            let admins = "/v1/onboarding/workspaces/acme/admins";
            let _ = client.post(admins, &json!({})).await;
            // Whoever had the request may have died.
            clock.advance(Duration::from_secs(35));
            let healthy = app.operator().with("idempotency-key", "k");
            let made = healthy.post(admins, &json!({})).await.expect(201);
            let back = app.anyone.bearer(made["token"].as_str().unwrap());
            let members = back.get("/v1/members").await.expect(200);
            assert_eq!(members["members"].as_array().unwrap().len(), 2, "call {call}, {fault:?}");
            // Counted once: when this one goes, the first is the last.
            back.delete(&format!("/v1/members/{}", made["member_id"].as_str().unwrap())).await.expect(204);
            let first = acme.client.get("/v1/members").await.expect(200)["members"][0]["id"].clone();
            let first = format!("/v1/members/{}", first.as_str().unwrap());
            acme.client.delete(&first).await.refused(409, "LAST_ADMIN");
        }
    }
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
