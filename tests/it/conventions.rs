//! What every route has in common: who may call, how requests are read, how errors look. And onboarding, where
//! callers come from.

use std::time::Duration;

use it::{Client, TestApp, graph, lua};
use serde_json::{Value, json};
use shared::auth::{Role, Scope};
use shared::clock::{Clock, Timestamp};

const MIB: usize = 1024 * 1024;
const ID: &str = "0199c000-0000-7000-8000-000000000001";

fn workflow(name: &str) -> Value {
    json!({ "name": name, "graph": graph([lua("a", "return {}")]) })
}

/// A readable request to create a workflow of exactly so many bytes.
fn body_of(bytes: usize) -> String {
    let mut body = workflow("large").to_string();
    body.push_str(&" ".repeat(bytes - body.len()));
    body
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

async fn app() -> TestApp {
    TestApp::without_worker(Clock::System).await
}

#[tokio::test]
async fn without_a_valid_token_the_answer_is_401_in_the_same_words() {
    let app = app().await;
    let acme = app.workspace("acme").await;
    let swap = |at: usize| {
        let mut text = acme.token.clone().into_bytes();
        text[at] = if text[at] == b'a' { b'b' } else { b'a' };
        String::from_utf8(text).unwrap()
    };
    let stranger = app.anyone.clone();
    let nobody = stranger.get("/v1/workflows").await;
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
    nobody.refused(401, "UNAUTHENTICATED");
    for value in ["", "Bearer", "Bearer ", &acme.token, &format!("Basic {}", acme.token)] {
        let answer = stranger.with("authorization", value).get("/v1/workflows").await;
        answer.refused(401, "UNAUTHENTICATED");
    }
    let mut sentences = Vec::new();
    let forged = format!("{}{}", &acme.token[..36], &app.workspace("other").await.token[36..]);
    for token in ["pat_x", "garbage", &swap(10), &swap(50), &swap(acme.token.len() - 1), &forged] {
        let body = stranger.bearer(token).get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
        sentences.push(body["error"].as_str().unwrap().to_owned());
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 1, "{sentences:?}");
    let lower_case = stranger.with("authorization", &format!("bearer {}", acme.token));
    lower_case.get("/v1/workflows").await.expect(200);
}

#[tokio::test]
async fn a_well_formed_token_that_nobody_issued_is_refused() {
    let app = app().await;
    let elsewhere = TestApp::without_worker(Clock::System).await.workspace("acme").await;
    app.anyone.bearer(&elsewhere.token).get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_token_ends_when_it_expires_although_it_was_used_before() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    app.workspace("acme").await;
    let end = clock.now().plus(Duration::from_secs(10));
    let guest = app.member(("acme", "default"), Role::ProjectViewer, &[], Some(end)).await;
    guest.client.get("/v1/workflows").await.expect(200);
    clock.advance(Duration::from_millis(9_999));
    guest.client.get("/v1/workflows").await.expect(200);
    clock.advance(Duration::from_millis(1));
    guest.client.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn headers_may_name_the_tokens_own_place_and_no_other() {
    let app = app().await;
    let acme = app.workspace("acme").await;
    app.workspace("other").await;
    let own = acme.client.with("x-tenant-id", "acme").with("x-project-id", "default");
    own.get("/v1/workflows").await.expect(200);
    for (header, value) in [
        ("x-tenant-id", "other"),
        ("x-tenant-id", "nobody"),
        ("x-tenant-id", ""),
        ("x-project-id", "other"),
        ("x-project-id", "DEFAULT"),
    ] {
        let client = acme.client.with(header, value);
        client.get("/v1/workflows").await.refused(403, "WRONG_PLACE");
        client.post("/v1/workflows", &workflow("w")).await.refused(403, "WRONG_PLACE");
    }
}

/// Every scoped route of the document as method, path with ids filled in, and the scope that it needs.
fn scoped_routes() -> Vec<(String, String, Scope)> {
    let document = serde_json::to_value(local::openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let scope = match (method.as_str(), path.as_str()) {
                (_, "/v1/health" | "/openapi.json" | "/v1/onboarding/workspaces") => continue,
                ("get", _) => Scope::WorkflowRead,
                (_, path) if ["/command", "/retry", "/complete"].iter().any(|end| path.ends_with(end)) => {
                    Scope::WorkflowRun
                }
                _ => Scope::WorkflowWrite,
            };
            let path = path.replace("{id}", ID).replace("{run_id}", ID).replace("{trigger_id}", ID);
            let path = path.replace("{n}", "1").replace("{task_id}", "ask");
            routes.push((method.to_uppercase(), path, scope));
        }
    }
    assert!(routes.len() > 15, "{routes:?}");
    routes
}

#[tokio::test]
async fn a_viewer_reads_and_changes_nothing() {
    let app = app().await;
    app.workspace("acme").await;
    let place = ("acme", "default");
    let viewer = app.member(place, Role::ProjectViewer, &[], None).await;
    let contributor = app.member(place, Role::ProjectContributor, &[], None).await;
    for (method, path, scope) in scoped_routes() {
        let answer = viewer.client.send(&method, &path, "{}").await;
        // What a run asks people is not for viewers; the tenant's inbox is.
        if scope == Scope::WorkflowRead && !path.ends_with(&format!("{ID}/tasks/pending")) {
            assert_ne!(answer.status, 403, "{method} {path}: {:#}", answer.body);
        } else {
            answer.refused(403, "ROLE_TOO_LOW");
        }
        let answer = contributor.client.send(&method, &path, "{}").await;
        assert_ne!(answer.status, 403, "{method} {path}: {:#}", answer.body);
    }
}

#[tokio::test]
async fn scopes_narrow_a_role_to_the_routes_they_name() {
    let app = app().await;
    app.workspace("acme").await;
    for scope in [Scope::WorkflowRead, Scope::WorkflowRun, Scope::WorkflowWrite] {
        let narrow = app.member(("acme", "default"), Role::TenantAdmin, &[scope], None).await;
        for (method, path, needed) in scoped_routes() {
            let answer = narrow.client.send(&method, &path, "{}").await;
            if scope == needed {
                assert_ne!(answer.status, 403, "{method} {path} with {scope:?}: {:#}", answer.body);
            } else {
                answer.refused(403, "SCOPE_MISSING");
            }
        }
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_answer_in_json() {
    let app = app().await;
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
    let app = app().await;
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
async fn bodies_that_are_not_one_json_value_are_400() {
    let app = app().await;
    let acme = app.workspace("acme").await;
    let whole = workflow("w").to_string();
    let mut not_utf8 = whole.clone().into_bytes();
    let at = whole.find("\"w\"").unwrap() + 1;
    not_utf8[at] = 0xff;
    let bodies: [Vec<u8>; 8] = [
        b"{".to_vec(),
        b"{\"name\": }".to_vec(),
        b"name=w".to_vec(),
        whole.as_bytes()[..whole.len() - 1].to_vec(),
        format!("{whole} x").into_bytes(),
        format!("{whole}{whole}").into_bytes(),
        not_utf8,
        b"\xef\xbb\xbf{}".to_vec(),
    ];
    for body in bodies {
        let text = String::from_utf8_lossy(&body).into_owned();
        let answer = acme.client.send("POST", "/v1/workflows", body).await;
        assert_eq!(answer.status, 400, "{text}: {:#}", answer.body);
        answer.refused(400, "UNREADABLE");
    }
    assert_eq!(acme.client.get("/v1/workflows").await.expect(200), json!({ "workflows": [] }));
}

#[tokio::test]
async fn bodies_that_are_json_but_no_object_are_422_and_name_nothing_internal() {
    let app = app().await;
    let acme = app.workspace("acme").await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let graph = graph([lua("a", "return {}")]);
    for (path, body) in [
        ("/v1/workflows".to_owned(), json!(["by position", "", graph])),
        ("/v1/workflows".to_owned(), json!("text")),
        ("/v1/workflows".to_owned(), Value::Null),
        (format!("/v1/workflows/{id}/command"), json!(["start", {}])),
        (format!("/v1/workflows/{id}/command"), json!(1)),
        (format!("/v1/workflows/{id}/versions"), json!([])),
        ("/v1/workflows/validate".to_owned(), json!([graph])),
    ] {
        let answer = acme.client.post(&path, &body).await.refused(422, "INVALID_REQUEST");
        let error = answer["error"].as_str().unwrap();
        assert!(!error.contains("struct") && error.contains("object"), "{path} {body}: {error}");
    }
}

#[tokio::test]
async fn deeply_nested_json_is_refused_and_harms_nobody() {
    let app = app().await;
    let acme = app.workspace("acme").await;
    for depth in [127, 128, 1_000, 500_000] {
        for body in [
            nested(depth),
            format!("{{\"name\":\"w\",\"graph\":{}}}", nested(depth)),
            format!("{{\"name\":\"w\",\"graph\":{{\"steps\":[],\"params\":{}}}}}", nested(depth)),
        ] {
            let answer = acme.client.send("POST", "/v1/workflows", body).await;
            assert!(answer.status.is_client_error(), "{depth}: {} {:#}", answer.status, answer.body);
        }
    }
}

#[tokio::test]
async fn a_body_of_1_mib_is_read_and_one_byte_more_is_413() {
    let app = app().await;
    let acme = app.workspace("acme").await;
    acme.client.send("POST", "/v1/workflows", body_of(MIB)).await.expect(201);
    acme.client.send("POST", "/v1/workflows", body_of(MIB + 1)).await.refused(413, "TOO_LARGE");
    acme.client.send("POST", "/v1/workflows", vec![b'x'; 3 * MIB]).await.refused(413, "TOO_LARGE");
    // Who may not call learns nothing about the body.
    app.anyone.send("POST", "/v1/workflows", body_of(MIB + 1)).await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn unknown_and_misread_fields_of_bodies_are_named() {
    let app = app().await;
    let acme = app.workspace("acme").await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let refused = async |client: &Client, method: &str, path: &str, body: Value, named: &str| {
        let answer = client.send(method, path, body.to_string()).await;
        let body = answer.refused(422, "INVALID_REQUEST");
        assert!(body["error"].as_str().unwrap().contains(named), "{method} {path}: {body:#}");
    };
    let of = |rest: &str| format!("/v1/workflows/{id}{rest}");
    let typo = json!({ "nmae": 1 });
    for (method, path) in [
        ("POST", "/v1/workflows".to_owned()),
        ("PATCH", of("")),
        ("POST", of("/versions")),
        ("POST", of("/validate")),
        ("POST", "/v1/workflows/validate".to_owned()),
        ("POST", of("/command")),
    ] {
        refused(&acme.client, method, &path, typo.clone(), "nmae").await;
    }
    let new = json!({ "name": "n", "slug": "n", "project": "p" });
    refused(&app.operator(), "POST", "/v1/onboarding/workspaces", new, "project").await;
    refused(&acme.client, "POST", "/v1/workflows", json!({ "name": 1, "graph": {} }), "name").await;
    refused(&acme.client, "POST", "/v1/workflows", json!({ "name": "w" }), "graph").await;
    refused(&acme.client, "POST", &of("/command"), json!({ "command": "stat" }), "stat").await;
    refused(&acme.client, "POST", &of("/command"), json!({ "command": "start", "params": [] }), "params")
        .await;
    let params = json!({ "command": "start", "params": { "version": "one" } });
    refused(&acme.client, "POST", &of("/command"), params, "params.version").await;
    let params = json!({ "command": "start", "params": { "trigger_steps": { "a": 1 } } });
    refused(&acme.client, "POST", &of("/command"), params, "params.trigger_steps.a").await;
    let params = json!({ "command": "start", "params": { "trigger_type": "sun" } });
    refused(&acme.client, "POST", &of("/command"), params, "params.trigger_type").await;
    let params = json!({ "command": "start", "params": { "run_id": "1" } });
    refused(&acme.client, "POST", &of("/command"), params, "params.run_id").await;
}

#[tokio::test]
async fn unknown_and_impossible_query_parameters_are_named() {
    let app = app().await;
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
    let app = app().await;
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
    let app = app().await;
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
    let app = app().await;
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
async fn a_post_whose_fields_are_all_optional_needs_no_body() {
    let app = app().await;
    let acme = app.workspace("acme").await;
    let id = acme.create(&graph([lua("a", "return {}")])).await;
    let post = async |rest: &str| acme.client.send("POST", &format!("/v1/workflows/{id}{rest}"), "").await;
    post("/versions").await.expect(201);
    assert_eq!(post("/validate").await.expect(200)["valid"], true);
    post("/restore").await.expect(200);
    let missing = post("/command").await.refused(422, "INVALID_REQUEST");
    assert!(missing["error"].as_str().unwrap().contains("command"));
}

#[tokio::test]
async fn names_are_trimmed_and_have_1_to_200_characters_on_one_line() {
    let app = app().await;
    let acme = app.workspace("acme").await;
    let longest = "ä".repeat(200);
    let create = async |name: &str| acme.client.post("/v1/workflows", &workflow(name)).await;
    let made = create(&format!("  {longest}\n")).await.expect(201);
    assert_eq!(made["name"], longest);
    let id = made["id"].as_str().unwrap();
    let patch = async |body: Value| acme.client.patch(&format!("/v1/workflows/{id}"), &body).await;
    for bad in ["", "   ", &"ä".repeat(201), "two\nlines", "nul\0"] {
        for refused in [create(bad).await, patch(json!({ "name": bad })).await] {
            let body = refused.refused(422, "INVALID_REQUEST");
            assert!(body["error"].as_str().unwrap().starts_with("name:"), "{body:#}");
        }
    }
    assert_eq!(patch(json!({ "name": " x " })).await.expect(200)["name"], "x");
    let text = "ä".repeat(2000);
    let patched = patch(json!({ "description": format!(" {text} ") })).await.expect(200);
    assert_eq!(patched["description"], text);
    let too_long = json!({ "description": "ä".repeat(2001) });
    let refused = patch(too_long).await.refused(422, "INVALID_REQUEST");
    assert!(refused["error"].as_str().unwrap().starts_with("description:"));
}

#[tokio::test]
async fn health_and_the_document_need_no_token() {
    let app = app().await;
    let health = app.anyone.get("/v1/health").await.expect(200);
    assert_eq!(health, json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }));
    let document = app.anyone.get("/openapi.json").await;
    assert_eq!(document.header("content-type"), Some("application/json"));
    assert_eq!(document.expect(200)["openapi"], "3.1.0");
}

#[tokio::test]
async fn an_operator_opens_a_workspace_and_gets_its_first_token() {
    let app = app().await;
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
    let app = app().await;
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
    let app = app().await;
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
    let app = app().await;
    let acme = app.workspace("acme").await;
    let new = json!({ "name": "n", "slug": "n" });
    for client in [&app.anyone, &acme.client, &app.anyone.bearer("wrong"), &app.anyone.bearer("")] {
        client.post("/v1/onboarding/workspaces", &new).await.refused(401, "UNAUTHENTICATED");
    }
    app.operator().get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    app.operator().post("/v1/onboarding/workspaces", &new).await.expect(201);
}
