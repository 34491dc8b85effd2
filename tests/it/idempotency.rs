//! `Idempotency-Key`: the same request is carried out once and answered alike; nothing is done twice, whatever
//! crashes on the way.

use std::time::Duration;

use it::{Answer, Client, Fault, Faults, OPERATOR_TOKEN, TestApp, Workspace, graph, lua, workflow};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};
use shared::types::role::Role;

use crate::requests::Counted;
use crate::routes::{Who, routes, some_path};
use crate::run_reads::text;

const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

async fn acme() -> (TestApp, Clock, Workspace) {
    let clock = Clock::manual(START);
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    (app, clock, acme)
}

fn keyed(client: &Client, key: &str) -> Client {
    client.with("idempotency-key", key)
}

/// What came is the first answer again.
#[track_caller]
fn is_replay(again: &Answer, first: &Answer) {
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(first.header("idempotency-replayed"), None);
    for name in ["content-type", "etag", "location"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

async fn count(acme: &Workspace) -> usize {
    acme.client.get("/v1/workflows?limit=100").await.expect(200)["workflows"].as_array().unwrap().len()
}

#[tokio::test]
async fn the_same_request_is_carried_out_once_and_answered_alike() {
    let (_app, clock, acme) = acme().await;
    let client = keyed(&acme.client, "k-1");
    let first = client.post("/v1/workflows", &workflow("w")).await;
    assert_eq!(first.status, 201);
    for _ in 0..2 {
        clock.advance(Duration::from_secs(3600));
        is_replay(&client.post("/v1/workflows", &workflow("w")).await, &first);
    }
    assert_eq!(count(&acme).await, 1);
    // A refusal is an answer, too.
    let invalid = json!({ "name": "" });
    let refused = keyed(&acme.client, "k-2").post("/v1/workflows", &invalid).await;
    assert_eq!(refused.status, 422);
    is_replay(&keyed(&acme.client, "k-2").post("/v1/workflows", &invalid).await, &refused);
    // After 24 hours the key is free.
    clock.advance(Duration::from_secs(22 * 3600));
    let new = client.post("/v1/workflows", &workflow("w")).await;
    assert_eq!((new.status.as_u16(), new.header("idempotency-replayed")), (201, None));
    assert_ne!(new.body["id"], first.body["id"]);
}

#[tokio::test]
async fn the_same_key_for_another_request_is_refused() {
    let (_app, _, acme) = acme().await;
    let client = keyed(&acme.client, "k");
    let made = client.post("/v1/workflows", &workflow("w")).await.expect(201);
    client.post("/v1/workflows", &workflow("other")).await.refused(409, "IDEMPOTENCY_KEY_REUSED");
    let other = acme.client.post("/v1/workflows", &workflow("w")).await.expect(201);
    let publish = |id: &Value| format!("/v1/workflows/{}/versions", id.as_str().unwrap());
    client.post(&publish(&made["id"]), &json!({})).await.expect(201);
    // The same route with another id is another request.
    client.post(&publish(&other["id"]), &json!({})).await.refused(409, "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn a_key_is_its_callers_own() {
    let (app, _, acme) = acme().await;
    let colleague = app.member(("acme", "default"), Role::ProjectContributor, &[], None).await;
    let other = app.workspace("other").await;
    let mut ids = Vec::new();
    for client in [&acme.client, &colleague.client, &other.client] {
        let made = keyed(client, "k").post("/v1/workflows", &workflow("w")).await.expect(201);
        ids.push(text(&made, "id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn keys_have_1_to_255_printable_characters() {
    let (_app, _, acme) = acme().await;
    let longest = "k".repeat(255);
    keyed(&acme.client, &longest).post("/v1/workflows", &workflow("w")).await.expect(201);
    for bad in ["", &"k".repeat(256), "é"] {
        let answer = keyed(&acme.client, bad).post("/v1/workflows", &workflow("w")).await;
        answer.refused(422, "INVALID_REQUEST");
    }
    assert_eq!(count(&acme).await, 1);
    // Of other methods it is none of our business.
    keyed(&acme.client, "").get("/v1/workflows").await.expect(200);
}

#[tokio::test]
async fn a_token_is_shown_again_to_whoever_asks_again_and_is_not_in_the_database() {
    let (app, _, acme) = acme().await;
    let client = keyed(&acme.client, "k");
    let first = client.post("/v1/pats", &json!({ "display_name": "t" })).await;
    let again = client.post("/v1/pats", &json!({ "display_name": "t" })).await;
    is_replay(&again, &first);
    let token = text(&first.body, "token");
    app.anyone.bearer(token).get("/v1/workflows").await.expect(200);
    let rows = app.stores.dynamodb(&[]).scan().table_name(app.stores.table()).send().await.unwrap();
    let rows = format!("{:?}", rows.items());
    assert!(rows.contains("token_hint") && !rows.contains(&token[36..]), "no row holds a token");
    let operator = keyed(&app.operator(), "k");
    let opened = operator.post("/v1/onboarding/workspaces", &json!({ "name": "n", "slug": "n" })).await;
    assert_eq!(opened.status, 201);
    is_replay(
        &operator.post("/v1/onboarding/workspaces", &json!({ "name": "n", "slug": "n" })).await,
        &opened,
    );
}

#[tokio::test]
async fn a_large_answer_is_kept_whole() {
    let (_app, _, acme) = acme().await;
    let step = |n: u64| lua(&format!("s{n}"), &format!("return {{ x = '{}' }}", it::noise(60_000, n)));
    let new = json!({ "name": "w", "graph": graph((0..8).map(step)) });
    let client = keyed(&acme.client, "k");
    let first = client.post("/v1/workflows", &new).await;
    assert_eq!(first.status, 201, "{:#}", first.body);
    is_replay(&client.post("/v1/workflows", &new).await, &first);
}

#[tokio::test]
async fn a_second_request_while_the_first_is_running_is_told_to_wait() {
    let (app, clock, acme) = acme().await;
    // A process dies after it has claimed the request.
    let faults = Faults::at(4, Fault::CrashBefore);
    let dying = Client::new(local::router(app.stores.state(clock.clone(), &[faults.interceptor()])));
    let dying = keyed(&dying.bearer(&acme.token), "k");
    let died = dying.post("/v1/workflows", &workflow("w")).await;
    assert!(died.status.is_server_error() && faults.is_dead(), "{}", died.status);
    let client = keyed(&acme.client, "k");
    let wait = client.post("/v1/workflows", &workflow("w")).await;
    // Most requests take milliseconds; how long it may take at most is in the words.
    assert_eq!(wait.header("retry-after"), Some("1"));
    let wait = wait.refused(409, "IDEMPOTENCY_IN_PROGRESS");
    assert!(text(&wait, "error").contains("35 seconds"), "{wait:#}");
    client.post("/v1/workflows", &workflow("other")).await.refused(409, "IDEMPOTENCY_KEY_REUSED");
    clock.advance(Duration::from_secs(35));
    client.post("/v1/workflows", &workflow("w")).await.expect(201);
    assert_eq!(count(&acme).await, 1);
}

#[tokio::test]
async fn of_two_at_the_same_moment_one_is_carried_out() {
    let (_app, _, acme) = acme().await;
    let client = keyed(&acme.client, "k");
    let (body, path) = (workflow("w"), "/v1/workflows");
    let (one, two, three) =
        tokio::join!(client.post(path, &body), client.post(path, &body), client.post(path, &body));
    for answer in [&one, &two, &three] {
        match answer.status.as_u16() {
            201 => {}
            409 => assert_eq!(answer.body["code"], "IDEMPOTENCY_IN_PROGRESS"),
            other => panic!("{other}: {:#}", answer.body),
        }
    }
    assert_eq!(count(&acme).await, 1);
}

#[tokio::test]
async fn requests_without_a_key_cost_nothing_and_those_with_one_two_writes() {
    let (app, clock, acme) = acme().await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let counted = Counted::default();
    let client = Client::new(local::router(app.stores.state(clock, &[counted.interceptor()])));
    let client = client.bearer(&acme.token);
    let path = format!("/v1/workflows/{id}/command");
    let start = json!({ "command": "start", "params": {} });
    client.post(&path, &start).await.expect(200);
    let cold: usize =
        counted.take().into_iter().filter(|(name, _)| name != "SendMessage").map(|(_, n)| n).sum();
    assert!(cold <= 4, "a start takes at most 4 requests, also the first one: {cold}");
    client.post(&path, &start).await.expect(200);
    let warm = counted.take();
    assert_eq!((warm.get("GetItem"), warm.get("BatchGetItem")), (None, Some(&1)), "{warm:?}");
    assert_eq!(warm.get("TransactWriteItems"), Some(&1), "{warm:?}");
    assert_eq!(warm.get("PutItem"), None, "{warm:?}");
    keyed(&client, "k").post(&path, &start).await.expect(200);
    assert_eq!(counted.take().get("PutItem"), Some(&2));
    keyed(&client, "k").post(&path, &start).await.expect(200);
    assert_eq!(counted.take().values().sum::<usize>(), 1, "a replay is one look");
}

/// Every POST that a token or the operator may make takes a key, whatever it comes to.
#[tokio::test]
async fn every_post_is_answered_alike_when_it_is_sent_again() {
    let (app, _, acme) = acme().await;
    for (number, route) in routes().iter().filter(|route| route.method() == "POST").enumerate() {
        let client = match route.who {
            Who::Token(..) => acme.client.clone(),
            Who::Operator => app.operator(),
            Who::Open | Who::OwnProof(_) => continue,
        };
        let client = keyed(&client, &format!("key-{number}"));
        let path = some_path(route.template());
        let first = client.send("POST", &path, route.body).await;
        // Here nothing is sold; `billing_stripe` repeats what is.
        if first.body["code"] == "BILLING_PROVIDER_NOT_CONFIGURED" {
            continue;
        }
        assert!(!first.status.is_server_error(), "{}: {:#}", route.name, first.body);
        is_replay(&client.send("POST", &path, route.body).await, &first);
    }
}

/// A request under a key, and how often what it does may be there afterwards.
struct Doing {
    name: &'static str,
    path: String,
    body: Value,
    /// The list of what it makes; none of the operator's, who has none.
    things: Option<String>,
    /// The list's name in its answer.
    array: &'static str,
}

/// Sends a request to a process that fails at one call, and then to healthy ones until it is answered.
async fn until_answered(
    world: &(TestApp, Clock, Workspace),
    doing: &Doing,
    key: &str,
    faults: &Faults,
) -> Answer {
    let (app, clock, acme) = world;
    let faulty = Client::new(local::router(app.stores.state(clock.clone(), &[faults.interceptor()])));
    let bearer = |client: &Client| match doing.things {
        Some(_) => client.bearer(&acme.token),
        None => client.bearer(OPERATOR_TOKEN),
    };
    let faulty = keyed(&bearer(&faulty), key);
    let answer = faulty.post(&doing.path, &doing.body).await;
    if answer.status.is_success() {
        return answer;
    }
    let healthy = keyed(&bearer(&app.anyone), key);
    for _ in 0..3 {
        let answer = healthy.post(&doing.path, &doing.body).await;
        if answer.status != 409 || answer.body["code"] != "IDEMPOTENCY_IN_PROGRESS" {
            return answer;
        }
        clock.advance(Duration::from_secs(36));
    }
    panic!("{}: nobody answers", doing.name);
}

async fn nothing_is_done_twice(doing: impl Fn(&str) -> Doing) {
    let world = acme().await;
    let (app, _, acme) = &world;
    let workflow = acme.publish(&graph([lua("a", "return {}")])).await;
    let there = async |doing: &Doing| -> usize {
        let Some(things) = &doing.things else { return 0 };
        let list = acme.client.get(&format!("{things}?limit=100")).await.expect(200);
        list[doing.array].as_array().unwrap().len()
    };
    let none = Faults::default();
    until_answered(&world, &doing(&workflow), "none", &none).await;
    for call in 0..none.calls() {
        for (nth, fault) in Fault::ways().into_iter().enumerate() {
            let mut one = doing(&workflow);
            if let Some(slug) = one.body.get_mut("slug") {
                *slug = json!(format!("s-{call}-{nth}"));
            }
            if let Some(project) = one.body.get_mut("project_id") {
                *project = json!(format!("p-{call}-{nth}"));
            }
            let what = format!("{}: call {call}, {fault:?}", one.name);
            let before = there(&one).await;
            let answer = until_answered(&world, &one, &what, &Faults::at(call, fault)).await;
            assert!(answer.status.is_success(), "{what}: {} {:#}", answer.status, answer.body);
            if one.things.is_some() {
                assert_eq!(there(&one).await, before + 1, "{what}: done once");
            }
            if let Some(token) = answer.body["token"].as_str() {
                app.anyone.bearer(token).get("/v1/workflows").await.expect(200);
                let id = answer.body["id"].as_str();
                if let Some(id) = id {
                    acme.client.delete(&format!("/v1/pats/{id}")).await.expect(204);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_made_once_under_every_fault() {
    nothing_is_done_twice(|_| Doing {
        name: "pats",
        path: "/v1/pats".to_owned(),
        body: json!({ "display_name": "t" }),
        things: Some("/v1/pats".to_owned()),
        array: "pats",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workflow_is_made_once_under_every_fault() {
    nothing_is_done_twice(|_| Doing {
        name: "workflows",
        path: "/v1/workflows".to_owned(),
        body: workflow("w"),
        things: Some("/v1/workflows".to_owned()),
        array: "workflows",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_is_made_once_under_every_fault() {
    nothing_is_done_twice(|workflow| Doing {
        name: "triggers",
        path: format!("/v1/workflows/{workflow}/triggers"),
        body: json!({ "cron": "0 9 * * *" }),
        things: Some(format!("/v1/workflows/{workflow}/triggers")),
        array: "triggers",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_started_once_under_every_fault() {
    nothing_is_done_twice(|workflow| Doing {
        name: "runs",
        path: format!("/v1/workflows/{workflow}/command"),
        body: json!({ "command": "start", "params": {} }),
        things: Some("/v1/runs".to_owned()),
        array: "runs",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_and_projects_are_made_once_under_every_fault() {
    nothing_is_done_twice(|_| Doing {
        name: "members",
        path: "/v1/members".to_owned(),
        body: json!({ "display_name": "m", "role": "project_viewer" }),
        things: Some("/v1/members".to_owned()),
        array: "members",
    })
    .await;
    nothing_is_done_twice(|_| Doing {
        name: "projects",
        path: "/v1/projects".to_owned(),
        body: json!({ "project_id": "p" }),
        things: Some("/v1/projects".to_owned()),
        array: "projects",
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_workspace_is_opened_once_and_its_token_works_under_every_fault() {
    nothing_is_done_twice(|_| Doing {
        name: "workspaces",
        path: "/v1/onboarding/workspaces".to_owned(),
        body: json!({ "name": "n", "slug": "n" }),
        things: None,
        array: "",
    })
    .await;
}
