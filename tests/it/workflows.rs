//! Workflows: made, read, listed, changed, put away. Versions have a file of their own.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use it::{Answer, TestApp, Workspace, graph, lua, noise};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

const T0: &str = "2026-09-21T14:13:20.000Z";
const T1: &str = "2026-09-21T14:13:21.000Z";
const GRAPH_MAX: usize = 512 * 1024;

/// An app whose clock stands at [`T0`], and a workspace.
async fn acme() -> (TestApp, Clock, Workspace) {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    (app, clock, acme)
}

fn plain() -> Value {
    graph([lua("a", "return {}")])
}

/// A graph of exactly so many bytes of JSON that does not compress.
fn graph_of(bytes: usize, seed: u64) -> Value {
    let mut graph = plain();
    graph["steps"][0]["metadata"] = json!({ "pad": "" });
    let room = bytes - graph.to_string().len();
    graph["steps"][0]["metadata"]["pad"] = json!(noise(room, seed));
    graph
}

async fn patch(acme: &Workspace, id: &str, body: Value) -> Answer {
    acme.client.patch(&format!("/v1/workflows/{id}"), &body).await
}

async fn get(acme: &Workspace, id: &str) -> Value {
    acme.client.get(&format!("/v1/workflows/{id}")).await.expect(200)
}

/// The names of the workflows on every page of a list, and how long the pages were.
async fn walk(acme: &Workspace, query: &str) -> (Vec<String>, Vec<usize>) {
    let (mut names, mut pages, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = acme.client.get(&format!("/v1/workflows?{query}{cursor}")).await.expect(200);
        let rows = page["workflows"].as_array().unwrap();
        names.extend(rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        pages.push(rows.len());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (names, pages),
        }
    }
}

/// Makes workflows `w0` … `w<n-1>`, a millisecond apart.
async fn many(acme: &Workspace, clock: &Clock, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        clock.advance(Duration::from_millis(1));
        let body = json!({ "name": format!("w{number}"), "graph": plain() });
        let made = acme.client.post("/v1/workflows", &body).await.expect(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    ids
}

#[tokio::test]
async fn a_workflow_is_made_and_read_whole() {
    let (_app, clock, acme) = acme().await;
    let graph = json!({ "steps": [{ "id": "echo", "type": "lua_script", "name": "Echo", "timeout_s": 10,
                                    "script": "return { message = 'ok', input = input }" }] });
    let new = json!({ "name": "order-triage", "description": " Sorts new orders ", "graph": graph });
    let made = acme.client.post("/v1/workflows", &new).await;
    let etag = made.header("etag").unwrap().to_owned();
    let made = made.expect(201);
    let id = made["id"].as_str().unwrap();
    let expected = json!({
        "id": id, "name": "order-triage", "description": "Sorts new orders", "tenant_id": "acme",
        "project_id": "default", "status": "draft", "latest_version": null, "etag": etag, "graph": graph,
        "created_at": T0, "updated_at": T0
    });
    assert_eq!(made, expected);
    clock.advance(Duration::from_secs(1));
    let read = acme.client.get(&format!("/v1/workflows/{id}")).await;
    assert_eq!(read.header("etag"), Some(etag.as_str()));
    assert_eq!(read.expect(200), expected);
    let mut listed = expected;
    listed.as_object_mut().unwrap().remove("graph");
    let list = acme.client.get("/v1/workflows").await.expect(200);
    assert_eq!(list, json!({ "workflows": [listed] }));
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let (_app, clock, acme) = acme().await;
    let id = acme.create(&plain()).await;
    let before = get(&acme, &id).await;
    clock.advance(Duration::from_secs(1));
    let mut expected = before.clone();
    let changes = [
        json!({ "name": "new" }),
        json!({ "description": "what for" }),
        json!({ "graph": graph([lua("b", "return { 1 }")]) }),
        json!({ "run_setup": { "trigger_payload": { "k": 1 } } }),
        json!({}),
    ];
    for change in changes {
        let patched = patch(&acme, &id, change.clone()).await.expect(200);
        for (key, value) in change.as_object().unwrap() {
            expected[key] = value.clone();
        }
        expected["updated_at"] = json!(T1);
        assert_ne!(patched["etag"], expected["etag"], "{change}");
        expected["etag"] = patched["etag"].clone();
        assert_eq!(patched, expected, "{change}");
        assert_eq!(get(&acme, &id).await, expected, "{change}");
    }
}

#[tokio::test]
async fn an_archived_workflow_is_out_of_the_way_until_it_is_restored() {
    let (_app, clock, acme) = acme().await;
    let id = acme.publish(&plain()).await;
    let path = format!("/v1/workflows/{id}");
    let before = get(&acme, &id).await;
    assert_eq!(before["status"], "published");
    clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        let gone = acme.client.delete(&path).await;
        assert_eq!((gone.status.as_u16(), gone.body), (204, Value::Null));
    }
    let archived = get(&acme, &id).await;
    assert_eq!((&archived["status"], &archived["updated_at"]), (&json!("archived"), &json!(T1)));
    assert_eq!(archived["graph"], before["graph"]);
    assert_eq!(walk(&acme, "").await.0, [""; 0]);
    assert_eq!(walk(&acme, "status=archived").await.0, ["test"]);
    acme.command_start(&id, json!({})).await.refused(409, "WORKFLOW_ARCHIVED");
    let restored = acme.client.send("POST", &format!("{path}/restore"), "").await.expect(200);
    assert_eq!((&restored["status"], &restored["graph"]), (&json!("published"), &before["graph"]));
    assert_eq!(restored, get(&acme, &id).await);
    acme.command_start(&id, json!({})).await.expect(200);
    let again = acme.client.send("POST", &format!("{path}/restore"), "").await.expect(200);
    assert_eq!(again, restored, "restoring what is not archived changes nothing");
}

#[tokio::test]
async fn a_run_under_way_goes_on_when_its_workflow_is_archived() {
    let (app, _clock, acme) = acme().await;
    let id = acme.publish(&plain()).await;
    let run = acme.start(&id, json!({})).await;
    acme.client.delete(&format!("/v1/workflows/{id}")).await;
    app.work().await;
    assert_eq!(acme.finished(&id, &run).await["status"], "completed");
}

#[tokio::test]
async fn lists_are_newest_first_and_filter_by_status_and_name() {
    let (_app, clock, acme) = acme().await;
    let ids = many(&acme, &clock, 4).await;
    patch(&acme, &ids[0], json!({ "name": "Ordering ÄÖ" })).await.expect(200);
    acme.client.post(&format!("/v1/workflows/{}/versions", ids[1]), &json!({})).await.expect(201);
    acme.client.delete(&format!("/v1/workflows/{}", ids[2])).await;
    let names = async |query: &str| walk(&acme, query).await.0.join(" ");
    assert_eq!(names("").await, "w3 w1 Ordering ÄÖ");
    assert_eq!(names("status=draft").await, "w3 Ordering ÄÖ");
    assert_eq!(names("status=published").await, "w1");
    assert_eq!(names("status=archived").await, "w2");
    assert_eq!(names("status=archived,%20draft,published").await, "w3 w2 w1 Ordering ÄÖ");
    assert_eq!(names("q=W").await, "w3 w1");
    assert_eq!(names("q=%C3%A4%C3%B6").await, "Ordering ÄÖ");
    assert_eq!(names("q=nothing").await, "");
    assert_eq!(names("q=w&status=archived&limit=1").await, "w2");
}

#[tokio::test]
async fn a_walk_over_more_than_100_workflows_has_no_gap_and_no_duplicate() {
    let (_app, clock, acme) = acme().await;
    let ids = many(&acme, &clock, 121).await;
    for id in ids.iter().step_by(2) {
        acme.client.delete(&format!("/v1/workflows/{id}")).await;
    }
    let numbers = |step: usize, from: usize| -> Vec<String> {
        (0..121).rev().filter(|n| n % step == from).map(|n| format!("w{n}")).collect()
    };
    let all = "status=draft,archived";
    assert_eq!(walk(&acme, all).await, (numbers(1, 0), vec![20, 20, 20, 20, 20, 20, 1]));
    assert_eq!(walk(&acme, &format!("{all}&limit=100")).await, (numbers(1, 0), vec![100, 21]));
    assert_eq!(walk(&acme, &format!("{all}&limit=11")).await, (numbers(1, 0), vec![11; 11]));
    assert_eq!(walk(&acme, "limit=10").await.0, numbers(2, 1));
    assert_eq!(walk(&acme, "status=archived&limit=60").await.0, numbers(2, 0));
}

#[tokio::test]
async fn a_walk_misses_nothing_when_rows_are_large() {
    let (_app, clock, acme) = acme().await;
    let ids = many(&acme, &clock, 20).await;
    // More than the 1 MiB that DynamoDB looks at in one query.
    for (seed, id) in (1..).zip(&ids) {
        let setup = json!({ "run_setup": { "trigger_payload": { "pad": noise(60_000, seed) } } });
        patch(&acme, id, setup).await.expect(200);
    }
    let expected: Vec<String> = (0..20).rev().map(|number| format!("w{number}")).collect();
    assert_eq!(walk(&acme, "limit=100").await.0, expected);
    assert_eq!(walk(&acme, "limit=20").await.0, expected);
    assert_eq!(walk(&acme, "limit=5&q=w").await.0, expected);
}

#[tokio::test]
async fn if_match_lets_only_the_state_that_was_seen_be_changed() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.create(&plain()).await;
    let path = format!("/v1/workflows/{id}");
    let seen = get(&acme, &id).await["etag"].as_str().unwrap().to_owned();
    let with = |tag: &str| acme.client.with("if-match", tag);
    let changed = with(&seen).patch(&path, &json!({ "name": "one" })).await;
    let now = changed.header("etag").unwrap().to_owned();
    changed.expect(200);
    with(&seen).patch(&path, &json!({ "name": "two" })).await.refused(412, "STALE");
    with("\"other\"").patch(&path, &json!({ "name": "two" })).await.refused(412, "STALE");
    assert_eq!(get(&acme, &id).await["name"], "one");
    with(&format!("\"x\", {now}")).patch(&path, &json!({ "name": "three" })).await.expect(200);
    with("*").patch(&path, &json!({ "name": "four" })).await.expect(200);
    assert_eq!(get(&acme, &id).await["name"], "four");
}

#[tokio::test]
async fn of_concurrent_patches_with_if_match_one_wins_and_the_others_know() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.create(&plain()).await;
    for round in 0..5 {
        let seen = get(&acme, &id).await["etag"].as_str().unwrap().to_owned();
        let client = acme.client.with("if-match", &seen);
        let write = async |n: u32| {
            let script = format!("return {{ {n} }}");
            let body = json!({ "name": format!("{round}-{n}"), "graph": graph([lua("a", &script)]) });
            (client.patch(&format!("/v1/workflows/{id}"), &body).await.status.as_u16(), body)
        };
        let (a, b, c) = tokio::join!(write(1), write(2), write(3));
        let (won, lost): (Vec<_>, Vec<_>) = [a, b, c].into_iter().partition(|(status, _)| *status == 200);
        assert_eq!(won.len(), 1, "{won:?} {lost:?}");
        assert!(lost.iter().all(|(status, _)| *status == 412), "{lost:?}");
        let now = get(&acme, &id).await;
        assert_eq!((&now["name"], &now["graph"]), (&won[0].1["name"], &won[0].1["graph"]));
    }
}

#[tokio::test]
async fn concurrent_patches_without_if_match_leave_one_whole_state() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.create(&plain()).await;
    for round in 0..5 {
        let write = async |n: u32| {
            let script = format!("return {{ {n} }}");
            let body = json!({ "name": format!("{round}-{n}"), "graph": graph([lua("a", &script)]) });
            let answer = patch(&acme, &id, body.clone()).await;
            if answer.status != 200 {
                answer.refused(409, "CONFLICT");
                return None;
            }
            Some(body)
        };
        let (a, b, c) = tokio::join!(write(1), write(2), write(3));
        let now = get(&acme, &id).await;
        let kept = [a, b, c].into_iter().flatten();
        assert_eq!(
            kept.filter(|body| now["graph"] == body["graph"] && now["name"] == body["name"]).count(),
            1
        );
    }
}

#[tokio::test]
async fn whoever_reads_while_a_draft_is_replaced_sees_one_state_or_the_other() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.create(&plain()).await;
    for n in 0..20 {
        let graph = graph([lua("a", &format!("return {{ {n} }}"))]);
        let body = json!({ "graph": graph, "description": n.to_string() });
        let read = async || {
            for _ in 0..n {
                tokio::task::yield_now().await;
            }
            acme.client.get(&format!("/v1/workflows/{id}")).await
        };
        let before = get(&acme, &id).await;
        let (patched, one, other) = tokio::join!(patch(&acme, &id, body), read(), read());
        let after = patched.expect(200);
        for read in [one.expect(200), other.expect(200)] {
            assert!(read == before || read == after, "{read:#}");
        }
    }
}

#[tokio::test]
async fn an_unreadable_graph_is_refused_with_its_issues_and_nothing_is_kept() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.create(&plain()).await;
    let before = get(&acme, &id).await;
    let graphs = [
        (json!(null), "$"),
        (json!([]), "$"),
        (json!({}), "$"),
        (json!({ "steps": "none" }), "$.steps"),
        (json!({ "steps": [{ "type": "lua_script", "script": "" }] }), "$.steps[0]"),
        (json!({ "steps": [{ "id": "a", "type": "lua", "script": "" }] }), "$.steps[0].type"),
        (
            json!({ "steps": [lua("a", ""), { "id": "b", "type": "lua_script", "script": 1 }] }),
            "$.steps[1].script",
        ),
    ];
    for (graph, place) in graphs {
        let new = json!({ "name": "w", "graph": graph });
        let created = acme.client.post("/v1/workflows", &new).await;
        let patched = patch(&acme, &id, json!({ "graph": graph, "name": "changed" })).await;
        for answer in [created, patched] {
            if graph.is_null() && answer.status == 200 {
                continue; // A null in a patch says nothing about the graph.
            }
            let body = answer.refused(422, "GRAPH_UNREADABLE");
            let issues = body["issues"].as_array().unwrap();
            let at_place =
                |issue: &&Value| issue["json_path"].as_str().is_some_and(|path| path.starts_with(place));
            assert!(issues.iter().filter(at_place).count() > 0, "{place}: {body:#}");
        }
    }
    assert_eq!(walk(&acme, "").await.0.len(), 1);
    let after = get(&acme, &id).await;
    assert_eq!(after["graph"], before["graph"]);
}

#[tokio::test]
async fn a_draft_need_not_be_valid_yet() {
    let (_app, _clock, acme) = acme().await;
    let cycle = json!({ "steps": [
        { "id": "a", "type": "lua_script", "script": "return", "depends_on": ["b"] },
        { "id": "b", "type": "lua_script", "script": "this is no lua", "depends_on": ["a", "gone"] },
        { "id": "b", "type": "llm_call", "prompt": "{{ nothing", "model": "m" },
    ] });
    let id = acme.create(&cycle).await;
    assert_eq!(get(&acme, &id).await["graph"], cycle);
}

#[tokio::test]
async fn saved_start_defaults_are_read_as_a_start_reads_them() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.create(&plain()).await;
    let setup =
        json!({ "trigger_payload": { "k": 1 }, "trigger_steps": { "a": {} }, "external_user_id": "u" });
    let patched = patch(&acme, &id, json!({ "run_setup": setup })).await.expect(200);
    assert_eq!(patched["run_setup"], setup);
    for (bad, named) in [
        (json!({ "trigger_payload": 1 }), "run_setup.trigger_payload"),
        (json!({ "trigger_steps": { "a": 1 } }), "run_setup.trigger_steps.a"),
        (json!({ "trigger_payload": {}, "more": 1 }), "run_setup.more"),
        (json!({ "trigger_type": "sun" }), "run_setup.trigger_type"),
        (json!({ "trigger_payload": { "pad": "x".repeat(65_536) } }), "run_setup"),
        (json!([]), "run_setup"),
    ] {
        let refused = patch(&acme, &id, json!({ "run_setup": bad })).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains(named), "{named}: {refused:#}");
    }
    assert_eq!(get(&acme, &id).await["run_setup"], setup);
    let removed = patch(&acme, &id, json!({ "run_setup": {} })).await.expect(200);
    assert_eq!(removed.get("run_setup"), None);
}

#[tokio::test]
async fn a_graph_has_at_most_512_kib() {
    let (_app, _clock, acme) = acme().await;
    let largest = graph_of(GRAPH_MAX, 1);
    let id = acme.create(&largest).await;
    assert_eq!(get(&acme, &id).await["graph"], largest);
    let larger = graph_of(GRAPH_MAX + 1, 2);
    let created = acme.client.post("/v1/workflows", &json!({ "name": "w", "graph": larger })).await;
    for answer in [created, patch(&acme, &id, json!({ "graph": larger })).await] {
        let body = answer.refused(422, "GRAPH_UNREADABLE");
        assert_eq!(body["issues"][0]["code"], "graph_too_large");
    }
    acme.client.post(&format!("/v1/workflows/{id}/versions"), &json!({})).await.expect(201);
    let version = acme.client.get(&format!("/v1/workflows/{id}/versions/1")).await.expect(200);
    assert_eq!(version["graph_snapshot"], largest);
}

#[tokio::test]
async fn a_draft_that_is_replaced_many_times_leaves_no_rows_behind() {
    let (app, _clock, acme) = acme().await;
    let id = acme.create(&graph_of(500_000, 1)).await;
    let rows = async || {
        let client = app.stores.dynamodb(&[]);
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let found = client
            .query()
            .table_name(app.stores.table())
            .key_condition_expression("pk = :pk AND begins_with(sk, :draft)")
            .expression_attribute_values(":pk", text(&format!("T#acme#P#default#WF#{id}")))
            .expression_attribute_values(":draft", text("DRAFT#"))
            .projection_expression("sk")
            .send()
            .await
            .unwrap();
        found.items().iter().map(|item| item["sk"].as_s().unwrap().clone()).collect::<BTreeSet<_>>()
    };
    let first = rows().await;
    assert_eq!(first.len(), 2, "{first:?}");
    for seed in 2..5 {
        let graph = graph_of(500_000, seed);
        patch(&acme, &id, json!({ "graph": graph })).await.expect(200);
        assert_eq!(rows().await.len(), 2);
    }
    assert!(rows().await.is_disjoint(&first));
    patch(&acme, &id, json!({ "graph": plain() })).await.expect(200);
    assert_eq!(rows().await.len(), 1);
    assert_eq!(get(&acme, &id).await["graph"], plain());
}
