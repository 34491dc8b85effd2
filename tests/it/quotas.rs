//! How many there may be of what tenants make: below a quota, at it, above it, and when several ask for the last place.

use std::time::Duration;

use it::{Client, Fault, Faults, Run, TestApp, Workspace, call, for_each, graph, human, lua, with, workflow};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};
use shared::types::quotas::{Quota, Quotas};
use shared::types::role::Role;
use shared::worker::{Message, handle};
use tokio::task::JoinSet;
use tokio::time::Instant;

async fn acme(quotas: Quotas) -> (TestApp, Workspace) {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::with_quotas(clock, quotas).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

fn only(quota: Quota, most: u64) -> Quotas {
    Quotas::default().with(quota, most)
}

fn message(body: String) -> Message {
    Message { id: "m".to_owned(), body, receive_count: 1 }
}

fn in_a_minute() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// How many runs the workspace has.
async fn runs(acme: &Workspace) -> usize {
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let page = acme.client.get(&format!("/v1/runs?limit=100{cursor}")).await.expect(200);
        count += page["runs"].as_array().unwrap().len();
        let Some(next) = page["next_cursor"].as_str() else { return count };
        cursor = format!("&cursor={next}");
    }
}

/// Calls this workflow once for each of so many items.
fn fan_out(items: usize, workflow: &str, more: &Value) -> Value {
    let body = with(call("go", &[], workflow, &json!({})), more);
    let items: Vec<usize> = (0..items).collect();
    let step = for_each("all", &json!(items), &[body]);
    graph([with(step, &json!({ "for_each_max_parallel": 100 }))])
}

async fn over(app: &TestApp, run: &Run) -> Value {
    app.work().await;
    for _ in 0..20 {
        let view = run.view().await;
        if !view["ended_at"].is_null() {
            return view;
        }
        app.pass(Duration::from_secs(61)).await;
    }
    run.view().await
}

#[tokio::test]
async fn one_start_cannot_make_500_to_the_8th_runs() {
    for waits in [true, false] {
        let (app, acme) = acme(only(Quota::Descendants, 60)).await;
        let mut below = acme.publish(&graph([lua("a", "return {}")])).await;
        for _ in 0..3 {
            below = acme.publish(&fan_out(20, &below, &json!({ "wait": waits }))).await;
        }
        let run = acme.begin_again(&below, json!({})).await;
        let view = over(&app, &run).await;
        app.work().await;
        assert_eq!(runs(&acme).await, 61, "the root and its descendants: {view:#}");
        if waits {
            assert_eq!(view["status"], "failed", "{view:#}");
            let told = view["error"].as_str().unwrap();
            assert!(told.contains("at most 60 runs below it") && told.contains("descendants"), "{told}");
        }
    }
}

#[tokio::test]
async fn a_root_has_as_many_descendants_as_it_may_and_no_more() {
    for (items, status, code) in [
        (4, "completed", json!(null)),
        (5, "completed", json!(null)),
        (6, "failed", json!("FOR_EACH_FAILED")),
    ] {
        let (app, acme) = acme(only(Quota::Descendants, 5)).await;
        let child = acme.publish(&graph([lua("a", "return {}")])).await;
        let run = acme.begin(&fan_out(items, &child, &json!({})), json!({})).await;
        let view = over(&app, &run).await;
        assert_eq!((&view["status"], &view["failure_code"]), (&json!(status), &code), "{items}: {view:#}");
        assert_eq!(runs(&acme).await, 1 + items.min(5));
    }
}

#[tokio::test]
async fn a_step_fails_by_the_code_of_the_limit() {
    let (app, acme) = acme(only(Quota::Descendants, 1)).await;
    let child = acme.publish(&graph([lua("a", "return {}")])).await;
    let run = acme
        .begin(
            &graph([call("one", &[], &child, &json!({})), call("two", &["one"], &child, &json!({}))]),
            json!({}),
        )
        .await;
    let view = over(&app, &run).await;
    assert_eq!(
        (&view["failure_code"], &view["failed_step_id"]),
        (&json!("DESCENDANT_LIMIT_REACHED"), &json!("two")),
        "{view:#}"
    );
    assert!(view["error"].as_str().unwrap().contains("descendants"), "names the quota: {view:#}");
    // A retry is somebody's command: it may start as many again.
    run.retry(&json!({})).await.expect(200);
    let view = over(&app, &run).await;
    assert_eq!(view["status"], "completed", "{view:#}");
    assert_eq!(runs(&acme).await, 3);
}

#[tokio::test]
async fn siblings_that_race_share_one_limit() {
    let (app, acme) = acme(only(Quota::Descendants, 25)).await;
    let leaf = acme.publish(&graph([lua("a", "return {}")])).await;
    let middle = acme.publish(&fan_out(10, &leaf, &json!({ "continue_on_error": true }))).await;
    let run = acme.begin(&fan_out(5, &middle, &json!({ "continue_on_error": true })), json!({})).await;
    // Several processes work at the same time, each on a message of its own.
    for _ in 0..40 {
        let bodies = app.take_messages().await;
        if bodies.is_empty() {
            break;
        }
        let mut processes = JoinSet::new();
        for body in bodies {
            let state = app.stores.state(app.state.clock.clone(), &[]);
            processes.spawn(async move { handle(&state, [message(body)], in_a_minute()).await });
        }
        processes.join_all().await;
    }
    over(&app, &run).await;
    assert_eq!(runs(&acme).await, 26, "never one more, and none is lost");
}

#[tokio::test]
async fn descendants_are_counted_before_they_are_started() {
    let mut crashes = 0;
    for call_number in 0..40 {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let (app, acme) = acme(only(Quota::Descendants, 3)).await;
            let child = acme.publish(&graph([human("ask", &[])])).await;
            let run = acme.begin(&fan_out(6, &child, &json!({})), json!({})).await;
            let faults = Faults::at(call_number, fault);
            let dying = app.stores.faulty_state(app.state.clock.clone(), &faults);
            for body in app.take_messages().await {
                handle(&dying, [message(body)], in_a_minute()).await;
            }
            crashes += usize::from(faults.calls() > call_number);
            for _ in 0..4 {
                app.pass(Duration::from_secs(61)).await;
            }
            let (all, view) = (runs(&acme).await, run.view().await);
            assert!(all <= 4, "call {call_number}, {fault:?}: {all} runs: {view:#}");
        }
    }
    assert!(crashes > 8, "processes died in {crashes} places");
}

#[tokio::test]
async fn a_tenant_has_as_many_live_runs_as_it_may() {
    let (app, acme) = acme(only(Quota::LiveRuns, 3)).await;
    let other = app.workspace("globex").await;
    let asks = acme.publish(&graph([human("ask", &[])])).await;
    let command = format!("/v1/workflows/{asks}/command");
    let start = json!({ "command": "start", "params": {} });
    let mut begun = Vec::new();
    for _ in 0..3 {
        begun.push(acme.begin_again(&asks, json!({})).await);
    }
    app.work().await;
    let refused = acme.client.post(&command, &start).await;
    assert_eq!(refused.header("retry-after"), Some("5"), "{refused:?}");
    let told = refused.refused(429, "TENANT_RUN_LIMIT")["error"].as_str().unwrap().to_owned();
    assert!(told.contains('3') && told.contains("live_runs"), "{told}");
    // Others are not concerned.
    other.begin(&graph([human("ask", &[])]), json!({})).await;
    // What was started before is answered alike.
    let known = json!({ "command": "start", "params": { "run_id": begun[0].id } });
    assert_eq!(acme.client.post(&command, &known).await.expect(200)["run_id"], begun[0].id.as_str());
    // A failed run that is to go on is one more.
    begun[1].stop().await;
    app.state.clock.advance(Duration::from_secs(6));
    acme.begin_again(&asks, json!({})).await;
    begun[1].retry(&json!({})).await.refused(429, "TENANT_RUN_LIMIT");
    // All projects of the workspace together.
    acme.client.post("/v1/projects", &json!({ "project_id": "second" })).await.expect(201);
    let second = app.member(("acme", "second"), Role::ProjectContributor, &[], None).await;
    let there = second.publish(&graph([human("ask", &[])])).await;
    // Those of other projects count once a project has some itself.
    second.begin_again(&there, json!({})).await;
    app.state.clock.advance(Duration::from_secs(6));
    let answer = second.client.post(&format!("/v1/workflows/{there}/command"), &start).await;
    answer.refused(429, "TENANT_RUN_LIMIT");
}

#[tokio::test]
async fn children_of_admitted_runs_are_started_beyond_the_limit() {
    let (app, acme) = acme(only(Quota::LiveRuns, 2)).await;
    let asks = acme.publish(&graph([human("ask", &[])])).await;
    let run = acme.begin(&fan_out(3, &asks, &json!({})), json!({})).await;
    app.work().await;
    assert_eq!(run.status().await, "running", "two more than a start would have been admitted for");
    // Twice as many are the end of it: the step fails, and says why.
    let (app, acme) = self::acme(only(Quota::LiveRuns, 2)).await;
    let asks = acme.publish(&graph([human("ask", &[])])).await;
    let run = acme.begin(&fan_out(6, &asks, &json!({})), json!({})).await;
    let view = over(&app, &run).await;
    assert_eq!(view["status"], "failed", "{view:#}");
    assert!(view["error"].as_str().unwrap().contains("live runs"), "{view:#}");
}

#[tokio::test]
async fn a_trigger_that_meets_the_limit_says_so() {
    let (app, acme) = acme(only(Quota::LiveRuns, 1)).await;
    let asks = acme.publish(&graph([human("ask", &[])])).await;
    let triggers = format!("/v1/workflows/{asks}/triggers");
    acme.client.post(&triggers, &json!({ "cron": "* * * * *" })).await.expect(201);
    acme.begin_again(&asks, json!({})).await;
    app.pass(Duration::from_secs(61)).await;
    let trigger = acme.client.get(&triggers).await.expect(200)["triggers"][0].clone();
    assert_eq!(trigger["last_error"]["code"], "TENANT_RUN_LIMIT", "{trigger:#}");
    assert_eq!(runs(&acme).await, 1);
}

/// Makes things of one kind.
struct Maker {
    quota: Quota,
    path: String,
    new: Box<dyn Fn(usize) -> Value>,
}

async fn makers(acme: &Workspace) -> Vec<Maker> {
    let of = acme.publish(&graph([lua("a", "return {}")])).await;
    let id = |made: Value| made["id"].as_str().unwrap().to_owned();
    let pat = json!({ "display_name": "hooks", "scopes": ["workflow:run"] });
    let pat = id(acme.client.post("/v1/pats", &pat).await.expect(201));
    let server =
        |n: usize| json!({ "name": format!("server {n}"), "canonical_url": "https://mcp.example.com/mcp" });
    let registered = id(acme.client.post("/v1/mcp/servers", &server(100)).await.expect(201));
    let instance = json!({ "server_id": registered });
    let made = id(acme.client.post("/v1/mcp/instances", &instance).await.expect(201));
    let triggers = format!("/v1/workflows/{of}/triggers");
    let maker =
        |quota, path: &str, new: Box<dyn Fn(usize) -> Value>| Maker { quota, path: path.to_owned(), new };
    vec![
        maker(
            Quota::Connections,
            "/v1/connections",
            Box::new(|n| {
                json!({ "display_name": format!("c{n}"), "provider": "custom", "service": "custom",
                    "credentials": { "k": "s3cret-value-0001" } })
            }),
        ),
        maker(Quota::Workflows, "/v1/workflows", Box::new(|n| workflow(&format!("w{n}")))),
        maker(Quota::Triggers, &triggers, Box::new(|_| json!({ "cron": "0 0 1 1 *" }))),
        maker(Quota::McpServers, "/v1/mcp/servers", Box::new(server)),
        maker(Quota::McpInstances, "/v1/mcp/instances", Box::new(move |_| instance.clone())),
        maker(
            Quota::McpProfiles,
            &format!("/v1/mcp/instances/{made}/config-profiles"),
            Box::new(|n| json!({ "name": format!("p{n}"), "source_spec": {} })),
        ),
        maker(
            Quota::Webhooks,
            "/v1/inbound-webhooks",
            Box::new(
                move |n| json!({ "workflow_id": of, "name": format!("h{n}"), "automation_pat_id": pat }),
            ),
        ),
        maker(Quota::Projects, "/v1/projects", Box::new(|n| json!({ "project_id": format!("p{n}") }))),
        maker(
            Quota::Members,
            "/v1/members",
            Box::new(|n| json!({ "display_name": format!("m{n}"), "role": "project_viewer" })),
        ),
    ]
}

async fn there(acme: &Workspace, maker: &Maker) -> u64 {
    let listed = acme.client.get(&format!("{}?limit=100", maker.path)).await.expect(200);
    listed.as_object().unwrap().values().find_map(Value::as_array).unwrap().len() as u64
}

/// The workspace in a deployment that has set another quota.
fn under(app: &TestApp, acme: &Workspace, quota: Quota, most: u64) -> Workspace {
    let mut stores = app.stores.clone();
    stores.quotas = only(quota, most);
    let state = stores.state(app.state.clock.clone(), &[]);
    Workspace { client: Client::new(local::router(state)).bearer(&acme.token), ..acme.clone() }
}

#[tokio::test]
async fn each_quota_refuses_one_more_and_nothing_else() {
    let (app, owner) = acme(Quotas::default()).await;
    for maker in makers(&owner).await {
        let Maker { quota, path, new } = &maker;
        let most = there(&owner, &maker).await + 3;
        let acme = under(&app, &owner, *quota, most);
        let mut made = Value::Null;
        for n in 0..3 {
            made = acme.client.post(path, &new(n)).await.expect(201);
        }
        let told = acme.client.post(path, &new(3)).await.refused(409, "QUOTA_EXCEEDED");
        let told = told["error"].as_str().unwrap();
        assert!(told.contains(&format!("at most {most}")) && told.contains(quota.name()), "{told}");
        assert_eq!(there(&acme, &maker).await, most, "{path}");
        // There is room again when one is deleted or archived; profiles go with their instance.
        let name = made["id"].as_str().or(made["project_id"].as_str());
        let name = name.or(made["subscription"]["id"].as_str()).unwrap();
        let here = format!("{path}/{name}");
        if *quota != Quota::McpProfiles {
            acme.client.delete(&here).await.expect(204);
            acme.client.post(path, &new(4)).await.expect(201);
            acme.client.post(path, &new(5)).await.refused(409, "QUOTA_EXCEEDED");
        }
        if matches!(quota, Quota::Workflows | Quota::Projects) {
            acme.client.post(&format!("{here}/restore"), &json!({})).await.refused(409, "QUOTA_EXCEEDED");
        }
        // Who has more than a quota that was lowered keeps it.
        let lowered = under(&app, &owner, *quota, 1);
        assert!(there(&lowered, &maker).await >= 3);
        lowered.client.post(path, &new(6)).await.refused(409, "QUOTA_EXCEEDED");
    }
}

#[tokio::test]
async fn the_last_place_under_a_quota_is_taken_once() {
    let (app, owner) = acme(Quotas::default()).await;
    for maker in makers(&owner).await.into_iter().filter(|maker| maker.quota != Quota::McpProfiles) {
        let most = there(&owner, &maker).await + 2;
        let mut asking = JoinSet::new();
        for n in 0..8 {
            // A process each.
            let acme = under(&app, &owner, maker.quota, most);
            let (path, new) = (maker.path.clone(), (maker.new)(n));
            asking.spawn(async move { acme.client.post(&path, &new).await.status.as_u16() });
        }
        let mut answers = asking.join_all().await;
        answers.sort_unstable();
        assert_eq!(answers, [201, 201, 409, 409, 409, 409, 409, 409], "{}", maker.path);
        assert_eq!(there(&owner, &maker).await, most, "{}", maker.path);
    }
}

#[tokio::test]
async fn a_request_made_again_finds_its_own_at_the_quota() {
    let (app, owner) = acme(Quotas::default()).await;
    let path = "/v1/connections";
    let new = json!({ "display_name": "c", "provider": "custom", "service": "custom",
                      "credentials": { "k": "s3cret-value-0001" } });
    let acme = under(&app, &owner, Quota::Connections, 1);
    let keyed = acme.client.with("idempotency-key", "once");
    let first = keyed.post(path, &new).await.expect(201);
    assert_eq!(keyed.post(path, &new).await.expect(201), first);
    acme.client.post(path, &new).await.refused(409, "QUOTA_EXCEEDED");
}
