//! What every route has in common: paths and methods, query parameters, request ids, how errors look.

use it::{TestApp, graph, lua};
use serde_json::json;
use shared::types::clock::Clock;

const ID: &str = "0199c000-0000-7000-8000-000000000001";

#[tokio::test]
async fn unknown_routes_and_methods_answer_in_json() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    for path in ["/", "/v1", "/v1/nothing", "/v2/workflows", "/v1/workflows/", "/openapi.yaml"] {
        acme.client.get(path).await.refused(404, "NO_SUCH_ROUTE");
        app.anyone.post(path, &json!({})).await.refused(404, "NO_SUCH_ROUTE");
    }
    let refused = acme.client.delete("/v1/workflows").await;
    let mut allowed: Vec<&str> = refused.header("allow").unwrap_or_default().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"], "RFC 9110 wants Allow in a 405");
    refused.refused(405, "METHOD_NOT_ALLOWED");
    acme.client.send("PUT", &format!("/v1/workflows/{ID}"), "{}").await.refused(405, "METHOD_NOT_ALLOWED");
    acme.client.get(&format!("/v1/workflows/{ID}/command")).await.refused(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn a_path_that_cannot_name_a_thing_is_404() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let own = acme.create(&graph([lua("a", "return {}")])).await;
    let plain = own.replace('-', "");
    for id in ["x", "..%2f..", "%00", "0", &plain, "%ff"] {
        acme.client.get(&format!("/v1/workflows/{id}")).await.refused(404, "NOT_FOUND");
        acme.client.get(&format!("/v1/workflows/{own}/runs/{id}")).await.refused(404, "NOT_FOUND");
    }
    for n in ["x", "-1", "1.0", "99999999999999999999"] {
        acme.client.get(&format!("/v1/workflows/{own}/versions/{n}")).await.refused(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn unknown_and_impossible_query_parameters_are_named() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let run = acme.start(&id, json!({})).await;
    let of = |rest: &str| format!("/v1/workflows/{id}{rest}");
    let lists = ["/v1/workflows".to_owned(), "/v1/runs".to_owned(), of("/versions"), of("/runs")];
    let events = of(&format!("/runs/{run}/events"));
    let refused = async |path: String, named: &str| {
        let body = acme.client.get(&path).await.refused(422, "INVALID_REQUEST");
        assert!(body["error"].as_str().unwrap().contains(named), "{path}: {body:#}");
    };
    for path in lists.iter().chain([&events]) {
        for (query, named) in [
            ("limt=5", "limt"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=ten", "limit"),
            ("limit=1&limit=2", "limit"),
            ("cursor=!", "cursor"),
            ("cursor=", "cursor"),
        ] {
            refused(format!("{path}?{query}"), named).await;
        }
    }
    refused(of(&format!("/runs/{run}?wait=1")), "wait").await;
    refused(of(&format!("/runs/{run}?wait_s=21")), "wait_s").await;
    refused(format!("{events}?wait_s=21"), "wait_s").await;
    refused(format!("{events}?after=-1"), "after").await;
    refused(of(&format!("/runs/{run}/context?step=a")), "step").await;
    refused("/v1/workflows?status=gone".to_owned(), "status").await;
    refused("/v1/runs?status=gone".to_owned(), "status").await;
    refused("/v1/runs?since=yesterday".to_owned(), "since").await;
    refused("/v1/runs?workflow_id=1".to_owned(), "workflow_id").await;
    refused("/v1/runs?project_id=A".to_owned(), "project_id").await;
}

#[tokio::test]
async fn a_cursor_that_no_answer_gave_is_422() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let run = acme.start(&id, json!({})).await;
    // Base64url of "-", "#", "nothing", "99999999999".
    for cursor in ["LQ", "Iw", "bm90aGluZw", "OTk5OTk5OTk5OTk"] {
        for path in [
            "/v1/workflows".to_owned(),
            "/v1/runs".to_owned(),
            format!("/v1/workflows/{id}/runs"),
            format!("/v1/workflows/{id}/versions"),
        ] {
            acme.client.get(&format!("{path}?cursor={cursor}")).await.refused(422, "INVALID_REQUEST");
        }
    }
    let events = format!("/v1/workflows/{id}/runs/{run}/events?cursor=bm90aGluZw");
    acme.client.get(&events).await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_callers_request_id_is_kept_when_it_can_stand_in_a_log() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let longest = "x".repeat(128);
    for id in ["req-1", "A_b.c:9", longest.as_str()] {
        let client = acme.client.with("x-request-id", id);
        assert_eq!(client.get("/v1/workflows").await.header("x-request-id"), Some(id));
        let refused = client.get(&format!("/v1/workflows/{ID}")).await.refused(404, "NOT_FOUND");
        assert_eq!(refused["request_id"], id);
        let refused = client.get("/v1/nothing").await.refused(404, "NO_SUCH_ROUTE");
        assert_eq!(refused["request_id"], id);
    }
    let mut given = Vec::new();
    for id in ["", "two words", "line\tbreak", "é", "\"", &"x".repeat(129)] {
        let answer = acme.client.with("x-request-id", id).get("/v1/workflows").await;
        let own = answer.header("x-request-id").unwrap().to_owned();
        assert!(own.len() == 36 && own != id, "{own}");
        given.push(own);
    }
    given.push(app.anyone.get("/v1/health").await.header("x-request-id").unwrap().to_owned());
    let count = given.len();
    given.sort();
    given.dedup();
    assert_eq!(given.len(), count, "each request has an id of its own");
}

#[tokio::test]
async fn an_error_says_what_and_where_and_carries_the_request_id() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let client = acme.client.with("x-request-id", "r-1");
    let answer = client.get(&format!("/v1/workflows/{ID}")).await.refused(404, "NOT_FOUND");
    let expected = json!({
        "error": "There is no such workflow in this project.", "code": "NOT_FOUND", "request_id": "r-1"
    });
    assert_eq!(answer, expected);
    let unreadable = json!({ "name": "w", "graph": { "steps": [{ "id": 1 }] } });
    let answer = client.post("/v1/workflows", &unreadable).await.refused(422, "GRAPH_UNREADABLE");
    for issue in answer["issues"].as_array().unwrap() {
        for key in ["severity", "check", "code", "json_path", "message"] {
            assert!(issue[key].is_string(), "{key} in {issue:#}");
        }
    }
}

#[tokio::test]
async fn health_and_the_document_need_no_token() {
    let app = TestApp::without_worker(Clock::System).await;
    let health = app.anyone.get("/v1/health").await.expect(200);
    assert_eq!(health, json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }));
    let document = app.anyone.get("/openapi.json").await;
    assert_eq!(document.header("content-type"), Some("application/json"));
    assert_eq!(document.expect(200)["openapi"], "3.1.0");
}
