//! The audit trail: who did what, readable by those who may, and never less than what was done.

use std::time::Duration;

use it::{Client, Fault, Faults, TestApp, Workspace, graph, human, lua, workflow};
use serde_json::{Value, json};
use shared::types::clock::Clock;
use shared::types::role::Role;

use crate::isolation::Owner;
use crate::routes::{Who, routes, some_path};
use crate::run_reads::text;

async fn acme() -> (TestApp, Clock, Workspace) {
    let clock = Clock::manual("2026-09-21T08:00:00Z".parse().unwrap());
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    (app, clock, acme)
}

async fn entries(acme: &Workspace, query: &str) -> Vec<Value> {
    acme.client.get(&format!("/v1/audit{query}")).await.expect(200)["entries"].as_array().unwrap().clone()
}

/// Action, outcome and status of entries, oldest first.
async fn told(acme: &Workspace, query: &str) -> Vec<(String, String, u64)> {
    let tell = |entry: &Value| {
        let status = entry["status"].as_u64().unwrap_or_default();
        (text(entry, "action").to_owned(), text(entry, "outcome").to_owned(), status)
    };
    let mut told: Vec<_> = entries(acme, query).await.iter().map(tell).collect();
    told.reverse();
    told
}

#[tokio::test]
async fn what_was_done_stands_in_the_trail_with_who_did_it() {
    let (app, clock, acme) = acme().await;
    clock.advance(Duration::from_millis(1));
    let client = acme.client.with("x-request-id", "r-1");
    let made = client.post("/v1/workflows", &workflow("w")).await.expect(201);
    let id = text(&made, "id");
    let entry = entries(&acme, "?limit=1").await.remove(0);
    let expected = json!({
        "id": entry["id"], "at": "2026-09-21T08:00:00.001Z", "action": "workflow.create", "outcome": "done",
        "status": 201, "target": "POST /v1/workflows", "made": id, "request_id": "r-1",
        "actor": { "pat_id": entry["actor"]["pat_id"], "member_id": entry["actor"]["member_id"],
                   "role": "tenant_admin" }
    });
    assert_eq!(entry, expected);
    let first = acme.client.get("/v1/pats").await.expect(200)["pats"][0].clone();
    assert_eq!(entry["actor"]["pat_id"], first["id"]);
    assert_eq!(entry["actor"]["member_id"], first["member_id"]);

    let run = acme.begin(&graph([human("ask", &[])]), json!({})).await;
    app.work().await;
    let command = format!("/v1/workflows/{}/command", run.workflow);
    for name in ["pause", "resume"] {
        client.post(&command, &json!({ "command": name, "params": { "run_id": run.id } })).await.expect(200);
    }
    let answer = json!({ "approved": true });
    client.post(&run.path("/tasks/ask/complete"), &answer).await.expect(200);
    client.post(&run.path("/tasks/ask/complete"), &answer).await.refused(409, "TASK_CLOSED");
    let pat = client.post("/v1/pats", &json!({ "display_name": "t" })).await.expect(201);
    let pat = format!("/v1/pats/{}", text(&pat, "id"));
    client.get(&format!("{pat}/reveal")).await.refused(410, "ALREADY_SHOWN");
    client.delete(&pat).await.expect(204);
    client
        .post("/v1/workflows/validate", &json!({ "graph": graph([lua("a", "return {}")]) }))
        .await
        .expect(200);
    let tell = |action: &str, outcome: &str, status| (action.to_owned(), outcome.to_owned(), status);
    let expected = [
        tell("workspace.create", "done", 0),
        tell("workflow.create", "done", 201),
        tell("workflow.create", "done", 201),
        tell("workflow.publish", "done", 201),
        tell("run.start", "done", 200),
        tell("run.pause", "done", 200),
        tell("run.resume", "done", 200),
        tell("task.complete", "done", 200),
        tell("task.complete", "refused", 409),
        tell("pat.create", "done", 201),
        tell("pat.reveal", "refused", 410),
        tell("pat.delete", "done", 204),
    ];
    // The clock stands still, and entries of one moment have no order.
    let mut got = told(&acme, "?limit=100").await;
    got.sort();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(got, expected);
    let start = entries(&acme, "?action=run.start").await;
    assert_eq!(start[0]["made"], run.id);
}

#[tokio::test]
async fn the_trail_is_filtered_paged_and_forgotten_after_90_days() {
    let (app, clock, acme) = acme().await;
    clock.advance(Duration::from_millis(1));
    let other = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await;
    for n in 0..5 {
        clock.advance(Duration::from_secs(60));
        let client = if n % 2 == 0 { &acme.client } else { &other.client };
        client.post("/v1/workflows", &workflow("w")).await.expect(201);
    }
    acme.client.post("/v1/pats", &json!({ "display_name": "t" })).await.expect(201);
    let count = async |query: &str| entries(&acme, query).await.len();
    assert_eq!(count("?limit=100").await, 7);
    assert_eq!(count("?action=workflow.create").await, 5);
    assert_eq!(count("?action=workflow").await, 5);
    assert_eq!(count("?action=work").await, 0);
    assert_eq!(count("?outcome=refused").await, 0);
    assert_eq!(count("?since=2026-09-21T08:05:00Z").await, 2);
    assert_eq!(count("?until=2026-09-21T08:02:00Z").await, 2);
    assert_eq!(count("?since=2026-09-21T08:02:00Z&until=2026-09-21T08:02:00Z").await, 0);
    let theirs = entries(&acme, "?since=2026-09-21T08:02:00Z&until=2026-09-21T08:02:01Z").await.remove(0);
    let pat = theirs["actor"]["pat_id"].as_str().unwrap();
    assert_eq!(count(&format!("?pat_id={pat}")).await, 2);
    let member = theirs["actor"]["member_id"].as_str().unwrap();
    assert_eq!(count(&format!("?member_id={member}")).await, 2);
    let (mut ids, mut path) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let page = acme.client.get(&format!("/v1/audit{path}")).await.expect(200);
        let page_ids = page["entries"].as_array().unwrap().iter().map(|entry| text(entry, "id").to_owned());
        ids.extend(page_ids);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("?limit=3&cursor={cursor}");
    }
    let all: Vec<String> =
        entries(&acme, "?limit=100").await.iter().map(|e| text(e, "id").to_owned()).collect();
    assert_eq!(ids, all);
    for bad in
        ["?limit=0", "?cursor=bm90aGluZw", "?outcome=well", "?since=yesterday", "?actor=x", "?pat_id=1"]
    {
        acme.client.get(&format!("/v1/audit{bad}")).await.refused(422, "INVALID_REQUEST");
    }
    clock.advance(Duration::from_secs(90 * 24 * 3600 - 210));
    assert_eq!(count("?limit=100").await, 5);
    clock.advance(Duration::from_secs(3600));
    assert_eq!(count("?limit=100").await, 0, "although no database has removed them yet");
}

#[tokio::test]
async fn a_trail_is_read_by_its_projects_admins() {
    let (app, _, acme) = acme().await;
    let place = ("acme", "default");
    app.member(place, Role::ProjectContributor, &[], None)
        .await
        .client
        .get("/v1/audit")
        .await
        .refused(403, "ROLE_TOO_LOW");
    let admin = app.member(place, Role::ProjectAdmin, &[], None).await.client;
    admin.get("/v1/audit").await.expect(200);
    acme.client.post("/v1/projects", &json!({ "project_id": "prod" })).await.expect(201);
    let pat =
        acme.client.post("/v1/pats", &json!({ "display_name": "t", "project_id": "prod" })).await.expect(201);
    let prod = app.anyone.bearer(text(&pat, "token"));
    assert_eq!(prod.get("/v1/audit").await.expect(200)["entries"], json!([]));
    prod.post("/v1/workflows", &workflow("w")).await.expect(201);
    admin.get("/v1/audit?project_id=prod").await.refused(403, "ROLE_TOO_LOW");
    let theirs = acme.client.get("/v1/audit?project_id=prod").await.expect(200);
    assert_eq!(theirs["entries"].as_array().unwrap().len(), 1);
    acme.client.get("/v1/audit?project_id=none").await.refused(422, "INVALID_REQUEST");
}

/// Whatever a caller does that is no GET leaves an entry, except what changes nothing.
#[tokio::test]
async fn every_route_that_changes_something_leaves_an_entry() {
    let (app, clock, acme) = acme().await;
    for route in routes().iter().filter(|route| matches!(route.who, Who::Token(..))) {
        clock.advance(Duration::from_secs(1));
        let caller = app.member(("acme", "default"), Role::TenantAdmin, &[], None).await.client;
        caller.send(route.method(), &some_path(route.template()), route.body).await;
        let left = entries(&acme, &format!("?since={}", clock.now())).await.len();
        let changes_nothing = route.method() == "GET" && !route.name.ends_with("/reveal")
            // What sends a credential is traced, and a check of a server alone sends none.
            || ["workflows/validate", "{id}/validate", "/resolve"].iter().any(|end| route.name.ends_with(end))
                && !route.name.contains("/instances/{id}/validate")
            || route.name.ends_with("discounts/validate");
        assert_eq!(left, usize::from(!changes_nothing), "{}", route.name);
    }
}

/// What a caller sends to each route that makes something; `Owner` has what the paths and bodies name.
fn creating(owner: &Owner) -> Vec<(&'static str, Value)> {
    let steps = graph([lua("a", "return { changed = true }")]);
    let credentials = json!({ "key": "value-of-a-connection" });
    vec![
        ("/v1/workflows", workflow("w")),
        // The draft that it publishes is another one than the version that there is.
        ("/v1/workflows/{id}/versions", json!({})),
        ("/v1/workflows/{id}/triggers", json!({ "cron": "0 10 * * *" })),
        ("/v1/llm-provider-keys", json!({ "provider": "anthropic", "api_key": "sk-test", "name": "k" })),
        ("/v1/pats", json!({ "display_name": "t" })),
        ("/v1/projects", json!({ "project_id": "one-more" })),
        ("/v1/members", json!({ "display_name": "m", "role": "project_viewer" })),
        (
            "/v1/connections",
            json!({ "display_name": "c", "provider": "p", "service": "custom", "credentials": credentials }),
        ),
        (
            "/v1/inbound-webhooks",
            json!({ "workflow_id": owner.workflow, "name": "w", "automation_bearer": owner.workspace.token }),
        ),
        ("/v1/mcp/servers", json!({ "name": "Another", "canonical_url": "http://127.0.0.1:1/other" })),
        (
            "/v1/mcp/servers/{id}/versions",
            json!({ "version": "2.0", "tools": [{ "name": "t" }], "confirm_dropped": true }),
        ),
        ("/v1/mcp/instances", json!({ "server_id": owner.thing("/v1/mcp/servers/{id}"), "name": "Another" })),
        ("/v1/mcp/instances/{id}/config-profiles", json!({ "name": "Another" })),
        ("draft", steps),
    ]
}

/// Routes that make something and leave no entry of this kind.
const TRACED_OTHERWISE: [&str; 4] = [
    // In the workspace, by what it makes; `onboarding` shows that.
    "/v1/onboarding/workspaces",
    "/v1/onboarding/workspaces/{tenant_id}/admins",
    // In the ledger, which is a trail of its own.
    "/v1/billing/grants",
    "/v1/billing/codes",
];

/// Every POST that answers 201, as the document says.
fn routes_that_make_something() -> Vec<String> {
    let document = serde_json::to_value(local::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let makes = |methods: &Value| methods["post"]["responses"].get("201").is_some();
    paths.filter(|(_, methods)| makes(methods)).map(|(path, _)| path.clone()).collect()
}

#[tokio::test]
async fn an_entry_says_what_was_made_whatever_the_route_makes() {
    let (app, clock, acme) = acme().await;
    let owner = Owner::of(&app, acme).await;
    let client = &owner.workspace.client;
    let bodies = creating(&owner);
    let (_, draft) = bodies.last().unwrap();
    client.patch(&owner.path("/v1/workflows/{id}"), &json!({ "graph": draft })).await.expect(200);
    for template in routes_that_make_something() {
        if TRACED_OTHERWISE.contains(&&*template) {
            continue;
        }
        let body = bodies.iter().find(|(path, _)| *path == template);
        let (_, body) =
            body.unwrap_or_else(|| panic!("{template} makes something; add its body to `creating`"));
        clock.advance(Duration::from_secs(1));
        let answer = client.post(&owner.path(&template), body).await.expect(201);
        let entry = entries(&owner.workspace, &format!("?since={}", clock.now())).await.remove(0);
        assert_eq!(entry["outcome"], "done", "{template}: {entry:#}");
        let made = entry["made"].as_str().unwrap_or_else(|| panic!("{template}: no `made` in {entry:#}"));
        assert!(tells(&answer, made), "{template}: made {made}, answered {answer:#}");
    }
}

/// Whether an answer has this as an id, or as the number of a version.
fn tells(answer: &Value, made: &str) -> bool {
    let ids = [&answer["id"], &answer["subscription"]["id"], &answer["project_id"]];
    let numbers = [&answer["version"], &answer["number"]];
    let number: Option<u64> = made.parse().ok();
    ids.iter().any(|id| *id == made) || numbers.iter().any(|own| number.is_some() && own.as_u64() == number)
}

#[tokio::test]
async fn a_start_that_is_refused_leaves_an_entry() {
    let (app, clock, acme) = acme().await;
    let draft = acme.create(&graph([lua("a", "return {}")])).await;
    let published = acme.publish(&graph([lua("a", "return {}")])).await;
    let start = |params: Value| json!({ "command": "start", "params": params });
    let run = json!({ "run_id": "0199c000-0000-7000-8000-000000000001" });
    for (workflow, body, action, status) in [
        (&draft, start(json!({})), "run.start", 409),
        (&published, start(json!({ "version": 7 })), "run.start", 422),
        (&published, start(json!({ "run_id": "x" })), "run.start", 422),
        (&published, json!({ "command": "begin" }), "run.command", 422),
        (&published, json!({ "command": "pause", "params": run }), "run.pause", 404),
    ] {
        clock.advance(Duration::from_secs(1));
        let answer = acme.client.post(&format!("/v1/workflows/{workflow}/command"), &body).await;
        assert_eq!(answer.status, status, "{body}: {:#}", answer.body);
        let query = format!("?since={}", clock.now());
        assert_eq!(told(&acme, &query).await, [(action.to_owned(), "refused".to_owned(), u64::from(status))]);
        assert_eq!(entries(&acme, &query).await[0]["made"], Value::Null);
    }
    // One that is accepted leaves one, and so does one that is asked for again: nothing is done then.
    clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        acme.command_start(&published, run.clone()).await.expect(200);
    }
    let done = [("run.start".to_owned(), "done".to_owned(), 200)];
    assert_eq!(told(&acme, &format!("?since={}", clock.now())).await, done);
    // Whoever was not admitted leaves none.
    clock.advance(Duration::from_secs(1));
    let viewer = app.member(("acme", "default"), Role::ProjectViewer, &[], None).await.client;
    let command = format!("/v1/workflows/{published}/command");
    viewer.post(&command, &start(json!({}))).await.refused(403, "ROLE_TOO_LOW");
    assert!(told(&acme, &format!("?since={}", clock.now())).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_without_a_trace_under_every_fault() {
    let (app, clock, acme) = acme().await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let (command, start) =
        (format!("/v1/workflows/{id}/command"), json!({ "command": "start", "params": {} }));
    let made = async |list: &str, array: &str| {
        let list = acme.client.get(&format!("{list}?limit=100")).await.expect(200);
        list[array].as_array().unwrap().len()
    };
    let new = workflow("w");
    for (path, body, list, array, action) in [
        ("/v1/workflows", &new, "/v1/workflows", "workflows", "workflow.create"),
        (&*command, &start, "/v1/runs", "runs", "run.start"),
    ] {
        let send = async |faults: &Faults| {
            let process = app.stores.state(clock.clone(), &[faults.interceptor()]);
            Client::new(local::router(process)).bearer(&acme.token).post(path, body).await
        };
        // As many as there are, however the route is built.
        let none = Faults::default();
        send(&none).await;
        let calls = none.calls();
        assert!(calls > 2, "{path}: {calls} calls");
        for (call, fault) in
            (0..calls).flat_map(|call| Fault::ways().into_iter().map(move |fault| (call, fault)))
        {
            let since = clock.now();
            clock.advance(Duration::from_secs(1));
            let before = made(list, array).await;
            let answer = send(&Faults::at(call, fault)).await;
            let done = made(list, array).await - before;
            let query = format!("?action={action}&since={}", since.plus(Duration::from_millis(1)));
            let traces = told(&acme, &query).await;
            let what = format!("{path}: call {call} of {calls}, {fault:?}: {} {traces:?}", answer.status);
            assert!(traces.len() >= done, "{what}");
            if answer.status.is_success() {
                assert!(traces.len() == 1 && traces[0].1 != "refused", "{what}");
            }
            if action == "run.start" {
                // One that came to nothing may be noted as such.
                let done_of = traces.iter().filter(|(_, outcome, _)| outcome == "done").count();
                assert_eq!(done_of, done, "{what}: they come to be together");
            }
        }
    }
}
