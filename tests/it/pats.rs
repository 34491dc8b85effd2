//! Tokens: made, shown once, listed, revoked; never worth more than who made them.

use std::time::Duration;

use it::{Client, TestApp, Workspace, workflow};
use serde_json::{Value, json};
use shared::services::auth::PlainToken;
use shared::types::clock::{Clock, Timestamp};
use shared::types::role::Role;
use shared::types::scope::Scope;

use crate::run_reads::text;

const ACME: (&str, &str) = ("acme", "default");

async fn acme() -> (TestApp, Clock, Workspace) {
    let clock = Clock::manual("2026-09-21T07:59:59Z".parse().unwrap());
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    // What comes now comes after its first token.
    clock.advance(Duration::from_secs(1));
    (app, clock, acme)
}

async fn made(client: &Client, new: Value) -> Value {
    client.post("/v1/pats", &new).await.expect(201)
}

async fn listed(client: &Client) -> Vec<Value> {
    client.get("/v1/pats?limit=100").await.expect(200)["pats"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_token_is_shown_once_and_works() {
    let (app, _, acme) = acme().await;
    let new = json!({ "display_name": " CI ", "scopes": ["workflow:read", "workflow:run", "workflow:read"],
                      "expires_at": "2026-10-01T00:00:00Z" });
    let pat = made(&acme.client, new).await;
    let token = text(&pat, "token");
    assert!(PlainToken::parse(token).is_some_and(|plain| plain.id().to_string() == text(&pat, "id")));
    let hint = format!("pat_…{}", &token[token.len() - 4..]);
    let shown = json!({
        "id": pat["id"], "display_name": "CI", "token_hint": hint, "member_id": pat["member_id"],
        "project_id": "default", "role": "tenant_admin", "scopes": ["workflow:read", "workflow:run"],
        "created_at": "2026-09-21T08:00:00.000Z", "expires_at": "2026-10-01T00:00:00.000Z", "last_used_at": null
    });
    let mut expected = shown.clone();
    expected["token"] = json!(token);
    assert_eq!(pat, expected);
    let pats = listed(&acme.client).await;
    assert_eq!(pats[0], shown);
    assert_eq!(text(&pats[1], "display_name"), "First token");
    assert_eq!(pats.len(), 2);
    let client = app.anyone.bearer(token);
    client.get("/v1/workflows").await.expect(200);
    client.post("/v1/workflows", &workflow("w")).await.refused(403, "SCOPE_MISSING");
    let reveal = format!("/v1/pats/{}/reveal", text(&pat, "id"));
    acme.client.get(&reveal).await.refused(410, "ALREADY_SHOWN");
}

#[tokio::test]
async fn what_cannot_be_a_token_is_refused_by_name() {
    let (_app, _, acme) = acme().await;
    for (new, named) in [
        (json!({}), "display_name"),
        (json!({ "display_name": " " }), "display_name"),
        (json!({ "display_name": "x".repeat(201) }), "display_name"),
        (json!({ "display_name": "n", "scopes": ["workflow:admin"] }), "scopes"),
        (json!({ "display_name": "n", "scopes": "workflow:read" }), "scopes"),
        (
            json!({ "display_name": "n", "expires_at": "tomorrow" }),
            "expires_at: must be a time with its zone",
        ),
        (json!({ "display_name": "n", "expires_at": "2026-09-30T08:00:00" }), "such as 2026-01-31T12:00:00Z"),
        (json!({ "display_name": "n", "expires_at": 1_790_000_000 }), "expires_at"),
        (json!({ "display_name": "n", "expires_at": "2026-09-21T08:00:00Z" }), "expires_at"),
        (json!({ "display_name": "n", "role": "owner" }), "role"),
        (json!({ "display_name": "n", "project_id": "A" }), "project_id"),
        (json!({ "display_name": "n", "project_id": "nowhere" }), "project_id"),
        (json!({ "display_name": "n", "member_id": "0199c000-0000-7000-8000-000000000001" }), "member_id"),
        (json!({ "display_name": "n", "token": "pat_x" }), "token"),
    ] {
        let refused = acme.client.post("/v1/pats", &new).await.refused(422, "INVALID_REQUEST");
        assert!(text(&refused, "error").contains(named), "{new}: {refused:#}");
    }
    assert_eq!(listed(&acme.client).await.len(), 1);
}

#[tokio::test]
async fn nobody_makes_a_token_that_may_do_more_than_they_may() {
    let (app, _, _) = acme().await;
    let contributor = app.member(ACME, Role::ProjectContributor, &[], None).await.client;
    let refused = async |client: &Client, new: Value, code: &str| {
        client.post("/v1/pats", &new).await.refused(403, code);
    };
    for role in ["project_admin", "tenant_admin"] {
        refused(&contributor, json!({ "display_name": "n", "role": role }), "ROLE_EXCEEDED").await;
    }
    assert_eq!(made(&contributor, json!({ "display_name": "n" })).await["role"], "project_contributor");
    let viewer = made(&contributor, json!({ "display_name": "n", "role": "project_viewer" })).await;
    let viewer = app.anyone.bearer(text(&viewer, "token"));
    viewer.get("/v1/workflows").await.expect(200);
    viewer.post("/v1/workflows", &workflow("w")).await.refused(403, "ROLE_TOO_LOW");
    viewer.get("/v1/pats").await.refused(403, "ROLE_TOO_LOW");
    for field in ["project_id", "member_id"] {
        let other = if field == "project_id" { "other" } else { "0199c000-0000-7000-8000-000000000001" };
        refused(&contributor, json!({ "display_name": "n", field: other }), "ROLE_TOO_LOW").await;
    }
    let narrow = app
        .member(ACME, Role::ProjectContributor, &[Scope::PatWrite, Scope::WorkflowRead], None)
        .await
        .client;
    refused(&narrow, json!({ "display_name": "n" }), "SCOPE_EXCEEDED").await;
    refused(&narrow, json!({ "display_name": "n", "scopes": ["workflow:run"] }), "SCOPE_EXCEEDED").await;
    let all = json!({ "display_name": "n", "scopes": ["workflow:read", "pat:write"] });
    made(&narrow, all).await;
}

#[tokio::test]
async fn what_scopes_grant_is_compared_and_not_their_names() {
    let (app, _, acme) = acme().await;
    let with = async |client: &Client, scopes: Value| {
        client.post("/v1/pats", &json!({ "display_name": "n", "scopes": scopes })).await
    };
    let own = json!(["pat:write", "workflow:edit", "mcp:read", "llm:read", "webhook:manage"]);
    let made = with(&acme.client, own.clone()).await.expect(201);
    assert_eq!(made["scopes"], own, "kept and answered as given");
    assert_eq!(listed(&acme.client).await[0]["scopes"], own);
    let narrow = app.anyone.bearer(text(&made, "token"));
    for granted in [
        json!(["workflow:write"]),
        json!(["pat:read"]),
        json!(["vault:read", "pat:read"]),
        // The parts of it are all there.
        json!(["integration:read"]),
        json!(["memory:read", "work:write"]),
    ] {
        let pat = with(&narrow, granted.clone()).await.expect(201);
        assert_eq!(pat["scopes"], granted);
    }
    for (exceeded, named) in [
        (json!([]), "webhook:manage"),
        (json!(["integration:write"]), "integration:write"),
        (json!(["mcp:read", "mcp:write"]), "mcp:write"),
        (json!(["analytics:read"]), "analytics:read"),
        (json!(["agent:read"]), "agent:read"),
        (json!(["mcp:execute"]), "mcp:execute"),
    ] {
        let refused = with(&narrow, exceeded).await.refused(403, "SCOPE_EXCEEDED");
        assert!(text(&refused, "error").contains(named), "{refused:#}");
    }
    let unknown = with(&acme.client, json!(["mcp:admin"])).await.refused(422, "INVALID_REQUEST");
    for known in ["mcp:admin", "workflow:read", "mcp:execute", "vault:write", "work:write"] {
        assert!(text(&unknown, "error").contains(known), "{unknown:#}");
    }
}

#[tokio::test]
async fn a_token_whose_scopes_grant_nothing_may_nothing() {
    let (app, _, acme) = acme().await;
    let pat = made(&acme.client, json!({ "display_name": "n", "scopes": ["memory:read"] })).await;
    let client = app.anyone.bearer(text(&pat, "token"));
    client.get("/v1/workflows").await.refused(403, "SCOPE_MISSING");
    client.get("/v1/pats").await.refused(403, "SCOPE_MISSING");
    let flow = acme.publish(&it::graph([it::lua("a", "return {}")])).await;
    let start = json!({ "command": "start" });
    client.post(&format!("/v1/workflows/{flow}/command"), &start).await.refused(403, "SCOPE_MISSING");
    // Nor may it be what a webhook starts runs with.
    let hook = json!({ "workflow_id": flow, "name": "w", "automation_pat_id": pat["id"] });
    let refused = acme.client.post("/v1/inbound-webhooks", &hook).await.refused(422, "INVALID_REQUEST");
    assert!(text(&refused, "error").contains("workflow:run"), "{refused:#}");
}

#[tokio::test]
async fn nobody_makes_a_token_that_lasts_longer_than_their_own() {
    let (app, clock, acme) = acme().await;
    let end = "2026-09-21T09:00:00.000Z";
    let own = made(&acme.client, json!({ "display_name": "n", "expires_at": end })).await;
    let client = app.anyone.bearer(text(&own, "token"));
    // What is not said is the maker's own end, whoever and wherever it is for.
    let member = json!({ "display_name": "m", "role": "tenant_admin" });
    let member = client.post("/v1/members", &member).await.expect(201);
    client.post("/v1/projects", &json!({ "project_id": "prod" })).await.expect(201);
    let mut tokens = Vec::new();
    for new in [
        json!({ "display_name": "n" }),
        json!({ "display_name": "n", "expires_at": null }),
        json!({ "display_name": "n", "expires_at": "2026-09-21T11:00:00+02:00" }),
        json!({ "display_name": "n", "member_id": member["id"] }),
        json!({ "display_name": "n", "project_id": "prod" }),
    ] {
        let pat = made(&client, new.clone()).await;
        assert_eq!(pat["expires_at"], end, "{new}");
        tokens.push(text(&pat, "token").to_owned());
    }
    // Nor by way of those.
    let grandchild = made(&app.anyone.bearer(&tokens[0]), json!({ "display_name": "n" })).await;
    assert_eq!(grandchild["expires_at"], end);
    tokens.push(text(&grandchild, "token").to_owned());
    let sooner = "2026-09-21T08:30:00.000Z";
    assert_eq!(
        made(&client, json!({ "display_name": "n", "expires_at": sooner })).await["expires_at"],
        sooner
    );
    let later = json!({ "display_name": "n", "expires_at": "2026-09-21T09:00:00.001Z" });
    let refused = client.post("/v1/pats", &later).await.refused(403, "EXPIRY_EXCEEDED");
    assert!(text(&refused, "error").contains(end), "{refused:#}");
    clock.advance(Duration::from_secs(3600));
    for token in tokens {
        app.anyone.bearer(&token).get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    }
    // A token without an end makes what it likes.
    assert_eq!(made(&acme.client, json!({ "display_name": "n" })).await["expires_at"], Value::Null);
}

/// Another environment, which has its own memory of tokens.
fn elsewhere(app: &TestApp, clock: &Clock) -> Client {
    Client::new(local::router(app.stores.state(clock.clone(), &[])))
}

#[tokio::test]
async fn a_revoked_token_ends_within_a_minute_elsewhere_however_much_it_is_used() {
    let (app, clock, acme) = acme().await;
    let pat = made(&acme.client, json!({ "display_name": "n" })).await;
    let client = elsewhere(&app, &clock).bearer(text(&pat, "token"));
    client.get("/v1/workflows").await.expect(200);
    acme.client.delete(&format!("/v1/pats/{}", text(&pat, "id"))).await.expect(204);
    let mut worked = Duration::ZERO;
    for _ in 0..12 {
        clock.advance(Duration::from_secs(5));
        if client.get("/v1/workflows").await.status == 401 {
            break;
        }
        worked += Duration::from_secs(5);
    }
    assert!(worked < Duration::from_secs(60), "it works {worked:?} after it was revoked");
    assert!(worked >= Duration::from_secs(30), "a row is read for each request, or nearly");
    client.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_revoked_token_ends_at_once_here() {
    let (app, clock, acme) = acme().await;
    let pat = made(&acme.client, json!({ "display_name": "n" })).await;
    let client = app.anyone.bearer(text(&pat, "token"));
    client.get("/v1/workflows").await.expect(200);
    let path = format!("/v1/pats/{}", text(&pat, "id"));
    assert_eq!(acme.client.delete(&path).await.expect(204), Value::Null);
    client.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    let elsewhere = elsewhere(&app, &clock);
    elsewhere.bearer(text(&pat, "token")).get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    acme.client.delete(&path).await.refused(404, "NOT_FOUND");
    acme.client.get(&format!("{path}/reveal")).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn ones_own_tokens_can_be_revoked_and_others_by_admins() {
    let (app, _, acme) = acme().await;
    let one = app.member(ACME, Role::ProjectContributor, &[], None).await.client;
    let other = app.member(ACME, Role::ProjectContributor, &[], None).await.client;
    let admin = app.member(ACME, Role::ProjectAdmin, &[], None).await.client;
    let path = |pat: &Value| format!("/v1/pats/{}", text(pat, "id"));
    let own = made(&one, json!({ "display_name": "n" })).await;
    other.delete(&path(&own)).await.refused(403, "ROLE_TOO_LOW");
    one.delete(&path(&own)).await.expect(204);
    let own = made(&one, json!({ "display_name": "n" })).await;
    admin.delete(&path(&own)).await.expect(204);
    let first =
        listed(&acme.client).await.into_iter().find(|pat| pat["display_name"] == "First token").unwrap();
    admin.delete(&path(&first)).await.refused(403, "ROLE_TOO_LOW");
    acme.client.get("/v1/workflows").await.expect(200);
    acme.client.delete(&path(&first)).await.expect(204);
    acme.client.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_day_of_last_use_is_noted_once_a_day() {
    let (app, clock, acme) = acme().await;
    let pat = made(&acme.client, json!({ "display_name": "n" })).await;
    let client = app.anyone.bearer(text(&pat, "token"));
    let last = async || listed(&acme.client).await[0]["last_used_at"].clone();
    assert_eq!(last().await, Value::Null);
    client.get("/v1/workflows").await.expect(200);
    clock.advance(Duration::from_secs(3600));
    client.get("/v1/workflows").await.expect(200);
    assert_eq!(last().await, "2026-09-21T00:00:00.000Z");
    clock.advance(Duration::from_secs(24 * 3600));
    client.get("/v1/workflows").await.expect(200);
    assert_eq!(last().await, "2026-09-22T00:00:00.000Z");
}

#[tokio::test]
async fn noting_the_day_costs_one_write_a_token_and_day_whatever_comes() {
    let (app, clock, acme) = acme().await;
    let counted = crate::requests::Counted::default();
    let client = Client::new(local::router(app.stores.state(clock.clone(), &[counted.interceptor()])))
        .bearer(&acme.token);
    for _ in 0..5 {
        client.get("/v1/workflows").await.expect(200);
    }
    assert_eq!(counted.of("UpdateItem"), 1);
    // Another environment finds the day in the row.
    let other = crate::requests::Counted::default();
    let elsewhere = Client::new(local::router(app.stores.state(clock.clone(), &[other.interceptor()])))
        .bearer(&acme.token);
    elsewhere.get("/v1/workflows").await.expect(200);
    assert_eq!(other.of("UpdateItem"), 0);
    clock.advance(Duration::from_secs(24 * 3600));
    client.get("/v1/workflows").await.expect(200);
    client.get("/v1/workflows").await.expect(200);
    assert_eq!(counted.of("UpdateItem"), 2);
}

#[tokio::test]
async fn tokens_are_listed_page_by_page_newest_first() {
    let (_app, clock, acme) = acme().await;
    for n in 0..5 {
        clock.advance(Duration::from_millis(1));
        made(&acme.client, json!({ "display_name": format!("t{n}") })).await;
    }
    let (mut names, mut path) = (Vec::new(), "/v1/pats?limit=2".to_owned());
    loop {
        let page = acme.client.get(&path).await.expect(200);
        let pats = page["pats"].as_array().unwrap();
        assert!(pats.len() <= 2);
        names.extend(pats.iter().map(|pat| text(pat, "display_name").to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/pats?limit=2&cursor={cursor}");
    }
    assert_eq!(names, ["t4", "t3", "t2", "t1", "t0", "First token"]);
    acme.client.get("/v1/pats?limit=101").await.refused(422, "INVALID_REQUEST");
    acme.client.get("/v1/pats?cursor=bm90aGluZw").await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_member_has_at_most_ninety_tokens() {
    let (_app, _, acme) = acme().await;
    for _ in 1..90 {
        made(&acme.client, json!({ "display_name": "n" })).await;
    }
    acme.client.post("/v1/pats", &json!({ "display_name": "n" })).await.refused(409, "TOO_MANY_TOKENS");
    let last = listed(&acme.client).await[0].clone();
    acme.client.delete(&format!("/v1/pats/{}", text(&last, "id"))).await.expect(204);
    made(&acme.client, json!({ "display_name": "n" })).await;
}

#[tokio::test]
async fn tokens_whose_time_is_over_make_room_for_others() {
    let (_app, clock, acme) = acme().await;
    for (name, end) in [("second", "2026-09-21T08:00:20Z"), ("first", "2026-09-21T08:00:10Z")] {
        made(&acme.client, json!({ "display_name": name, "expires_at": end })).await;
    }
    for _ in 3..90 {
        made(&acme.client, json!({ "display_name": "n" })).await;
    }
    let new = json!({ "display_name": "new" });
    acme.client.post("/v1/pats", &new).await.refused(409, "TOO_MANY_TOKENS");
    clock.advance(Duration::from_secs(20));
    let named = async |name: &str| listed(&acme.client).await.iter().any(|pat| pat["display_name"] == name);
    assert!(named("first").await && named("second").await, "they are listed as long as there is room");
    made(&acme.client, new.clone()).await;
    assert!(!named("first").await && named("second").await, "the one that ended first goes first");
    made(&acme.client, new.clone()).await;
    assert!(!named("second").await);
    acme.client.post("/v1/pats", &new).await.refused(409, "TOO_MANY_TOKENS");
    assert_eq!(listed(&acme.client).await.len(), 90);
    acme.client.get("/v1/workflows").await.expect(200);
}

#[tokio::test]
async fn tokens_made_at_the_same_moment_all_stay() {
    let (_app, _, acme) = acme().await;
    let new = json!({ "display_name": "n" });
    let (one, two, three) = tokio::join!(
        acme.client.post("/v1/pats", &new),
        acme.client.post("/v1/pats", &new),
        acme.client.post("/v1/pats", &new),
    );
    let made = [one, two, three].iter().filter(|answer| answer.status == 201).count();
    assert_eq!(listed(&acme.client).await.len(), made + 1);
}

#[tokio::test]
async fn a_token_that_ends_is_listed_with_its_end() {
    let (app, clock, acme) = acme().await;
    let end: Timestamp = "2026-09-21T08:00:10Z".parse().unwrap();
    let pat = made(&acme.client, json!({ "display_name": "n", "expires_at": end.to_string() })).await;
    let client = app.anyone.bearer(text(&pat, "token"));
    client.get("/v1/workflows").await.expect(200);
    clock.advance(Duration::from_secs(10));
    client.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    assert_eq!(listed(&acme.client).await[0]["expires_at"], end.to_string());
}
