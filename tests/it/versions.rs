//! Published versions: immutable, numbered, and what runs execute.

use std::time::Duration;

use it::{TestApp, Workspace, graph, lua};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

const T0: &str = "2026-09-21T14:13:20.000Z";

fn returning(n: usize) -> Value {
    graph([lua("a", &format!("return {{ n = {n} }}"))])
}

async fn acme() -> (TestApp, Clock, Workspace) {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    (app, clock, acme)
}

async fn save(acme: &Workspace, id: &str, graph: &Value) {
    acme.client.patch(&format!("/v1/workflows/{id}"), &json!({ "graph": graph })).await.expect(200);
}

fn versions(id: &str) -> String {
    format!("/v1/workflows/{id}/versions")
}

#[tokio::test]
async fn publishing_keeps_the_draft_as_version_1() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.create(&returning(1)).await;
    let published = acme.client.post(&versions(&id), &json!({ "changelog": " first " })).await.expect(201);
    let hash = published["graph_hash"].as_str().unwrap();
    assert!(hash.starts_with("sha256:") && hash.len() == 71, "{hash}");
    let expected = json!({
        "version": 1, "workflow_id": id, "published_at": T0, "changelog": "first", "graph_hash": hash,
        "graph_snapshot": returning(1)
    });
    assert_eq!(published, expected);
    assert_eq!(acme.client.get(&format!("{}/1", versions(&id))).await.expect(200), expected);
    let mut listed = expected;
    listed.as_object_mut().unwrap().remove("graph_snapshot");
    assert_eq!(acme.client.get(&versions(&id)).await.expect(200), json!({ "versions": [listed] }));
    let workflow = acme.client.get(&format!("/v1/workflows/{id}")).await.expect(200);
    assert_eq!((&workflow["status"], &workflow["latest_version"]), (&json!("published"), &json!(1)));
}

#[tokio::test]
async fn publishing_an_equal_graph_answers_with_the_version_there_is() {
    let (_app, clock, acme) = acme().await;
    let id =
        acme.create(&json!({ "steps": [{ "id": "a", "type": "lua_script", "script": "return {}" }] })).await;
    let first = acme.client.post(&versions(&id), &json!({ "changelog": "first" })).await.expect(201);
    clock.advance(Duration::from_secs(1));
    let again = acme.client.post(&versions(&id), &json!({ "changelog": "again" })).await.expect(200);
    assert_eq!(again, first);
    // The order of keys is not part of a graph.
    save(&acme, &id, &json!({ "steps": [{ "script": "return {}", "type": "lua_script", "id": "a" }] })).await;
    assert_eq!(acme.client.post(&versions(&id), &json!({})).await.expect(200)["version"], 1);
    save(&acme, &id, &returning(2)).await;
    let second = acme.client.post(&versions(&id), &json!({})).await.expect(201);
    assert_eq!((&second["version"], &second["changelog"]), (&json!(2), &json!("")));
    // Equal to an older version, not to the latest: a new one.
    save(&acme, &id, &first["graph_snapshot"]).await;
    assert_eq!(acme.client.post(&versions(&id), &json!({})).await.expect(201)["version"], 3);
}

#[tokio::test]
async fn a_version_does_not_change_with_the_draft() {
    let (app, _clock, acme) = acme().await;
    let id = acme.publish(&returning(1)).await;
    let before = acme.client.get(&format!("{}/1", versions(&id))).await.expect(200);
    save(&acme, &id, &returning(2)).await;
    assert_eq!(acme.client.get(&format!("{}/1", versions(&id))).await.expect(200), before);
    let run = acme.start(&id, json!({})).await;
    acme.client.post(&versions(&id), &json!({})).await.expect(201);
    app.work().await;
    let run = acme.finished(&id, &run).await;
    assert_eq!((&run["version"], &run["outputs"]["a"]["n"]), (&json!(1), &json!(1)), "it keeps its version");
}

#[tokio::test]
async fn versions_are_listed_newest_first_and_walked_by_cursor() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.publish(&returning(1)).await;
    for n in 2..=12 {
        save(&acme, &id, &returning(n)).await;
        assert_eq!(acme.client.post(&versions(&id), &json!({})).await.expect(201)["version"], n);
    }
    for (limit, pages) in [("", 1), ("limit=5", 3), ("limit=6", 2), ("limit=1", 12)] {
        let (mut seen, mut cursor, mut count) = (Vec::new(), String::new(), 0);
        loop {
            let page = acme.client.get(&format!("{}?{limit}{cursor}", versions(&id))).await.expect(200);
            seen.extend(page["versions"].as_array().unwrap().iter().map(|v| v["version"].as_u64().unwrap()));
            count += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, (1..=12).rev().collect::<Vec<u64>>(), "{limit}");
        assert_eq!(count, pages, "{limit}");
    }
    for n in ["0", "13"] {
        acme.client.get(&format!("{}/{n}", versions(&id))).await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_graph_with_errors_is_not_published() {
    let (_app, _clock, acme) = acme().await;
    let cases = [
        (
            graph([json!({ "id": "a", "type": "agent_call", "prompt": "p", "agent_id": "m" })]),
            "step_type_unavailable",
        ),
        (graph([lua("a", "this is no lua")]), "lua_syntax"),
        (graph([]), "no_steps"),
        (graph([lua("a", "return {}"), lua("a", "return {}")]), "duplicate_step_id"),
        (
            graph([json!({ "id": "a", "type": "lua_script", "script": "return {}", "scirpt": 1 })]),
            "unknown_field",
        ),
    ];
    for (graph, code) in cases {
        let id = acme.create(&graph).await;
        let refused = acme.client.post(&versions(&id), &json!({})).await.refused(422, "GRAPH_INVALID");
        let issue = &refused["issues"][0];
        assert_eq!((issue["severity"].as_str(), issue["code"].as_str()), (Some("error"), Some(code)));
        assert_eq!(acme.client.get(&versions(&id)).await.expect(200), json!({ "versions": [] }));
        acme.command_start(&id, json!({})).await.refused(409, "NOT_PUBLISHED");
    }
}

#[tokio::test]
async fn warnings_do_not_keep_a_graph_from_being_published() {
    let (_app, _clock, acme) = acme().await;
    let mut disabled = lua("a", "return {}");
    disabled["enabled"] = json!(false);
    let id = acme.create(&graph([disabled, lua("b", "return {}")])).await;
    acme.client.post(&versions(&id), &json!({})).await.expect(201);
}

#[tokio::test]
async fn an_archived_workflow_is_neither_published_nor_started() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.publish(&returning(1)).await;
    save(&acme, &id, &returning(2)).await;
    acme.client.delete(&format!("/v1/workflows/{id}")).await;
    acme.client.post(&versions(&id), &json!({})).await.refused(409, "WORKFLOW_ARCHIVED");
    acme.command_start(&id, json!({})).await.refused(409, "WORKFLOW_ARCHIVED");
    acme.command_start(&id, json!({ "version": 1 })).await.refused(409, "WORKFLOW_ARCHIVED");
    assert_eq!(acme.client.get(&versions(&id)).await.expect(200)["versions"].as_array().unwrap().len(), 1);
    assert_eq!(acme.client.get("/v1/runs").await.expect(200), json!({ "runs": [] }));
}

#[tokio::test]
async fn a_start_may_name_its_version() {
    let (app, _clock, acme) = acme().await;
    let id = acme.create(&returning(1)).await;
    acme.command_start(&id, json!({})).await.refused(409, "NOT_PUBLISHED");
    acme.command_start(&id, json!({ "version": 1 })).await.refused(409, "NOT_PUBLISHED");
    acme.client.post(&versions(&id), &json!({})).await.expect(201);
    save(&acme, &id, &returning(2)).await;
    acme.client.post(&versions(&id), &json!({})).await.expect(201);
    for (params, version) in [(json!({ "version": 1 }), 1), (json!({ "version": 2 }), 2), (json!({}), 2)] {
        let run = acme.command_start(&id, params).await.expect(200);
        assert_eq!(run["version"], version);
        app.work().await;
        let run = acme.finished(&id, run["run_id"].as_str().unwrap()).await;
        assert_eq!((&run["version"], &run["outputs"]["a"]["n"]), (&json!(version), &json!(version)));
    }
    for version in [0, 3, 4_294_967_295_u64] {
        let refused = acme.command_start(&id, json!({ "version": version })).await;
        let refused = refused.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains("version"), "{refused:#}");
    }
}

#[tokio::test]
async fn publishing_twice_at_once_makes_one_version() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.create(&returning(1)).await;
    let publish = async || acme.client.post(&versions(&id), &json!({})).await;
    let (one, other) = tokio::join!(publish(), publish());
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert!(statuses == [200, 201] || statuses == [201, 409], "{statuses:?}");
    let listed = acme.client.get(&versions(&id)).await.expect(200);
    assert_eq!(listed["versions"].as_array().unwrap().len(), 1);
}
