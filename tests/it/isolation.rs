//! Tenants and projects cannot meet: every route of the document, called with the ids of another place,
//! answers as if there were nothing, and changes nothing. A route without a case here fails the test.

use std::collections::BTreeMap;

use it::{TestApp, Workspace, graph, human, lua};
use serde_json::{Value, json};
use shared::auth::Role;
use shared::clock::Clock;

/// What a stranger must get.
enum Expect {
    /// 404: the path names a thing of another place.
    Nothing,
    /// 200, and none of the owner's ids in it.
    NotInList,
    /// The route names no thing: it is open, or makes something of the caller's own.
    NamesNothing,
}

/// The body of a call that the owner could make, and what it must come to for a stranger.
fn case(method: &str, path: &str) -> Option<(Value, Expect)> {
    use Expect::{NamesNothing, NotInList, Nothing};
    let none = json!({});
    Some(match (method, path) {
        ("get", "/v1/health" | "/openapi.json" | "/v1/workflows/schema") => (none, NamesNothing),
        ("post", "/v1/onboarding/workspaces" | "/v1/workflows" | "/v1/workflows/validate") => {
            (none, NamesNothing)
        }
        // They tell of the caller's own project.
        ("get", path) if path.starts_with("/v1/analytics/") => (none, NamesNothing),
        ("get", "/v1/workflows" | "/v1/runs" | "/v1/tasks/pending") => (none, NotInList),
        ("get", "/v1/workflows/{id}") => (none, Nothing),
        ("patch", "/v1/workflows/{id}") => (json!({ "name": "stolen" }), Nothing),
        ("delete", "/v1/workflows/{id}") => (none, Nothing),
        ("post", "/v1/workflows/{id}/restore" | "/v1/workflows/{id}/validate") => (none, Nothing),
        ("get", "/v1/workflows/{id}/versions" | "/v1/workflows/{id}/versions/{n}") => (none, Nothing),
        ("post", "/v1/workflows/{id}/versions") => (json!({ "changelog": "stolen" }), Nothing),
        ("get", "/v1/workflows/{id}/triggers") => (none, Nothing),
        ("post", "/v1/workflows/{id}/triggers") => (json!({ "cron": "0 9 * * *" }), Nothing),
        ("patch", "/v1/workflows/{id}/triggers/{trigger_id}") => (json!({ "name": "stolen" }), Nothing),
        ("delete", "/v1/workflows/{id}/triggers/{trigger_id}") => (none, Nothing),
        ("post", "/v1/workflows/{id}/command") => (json!({ "command": "start" }), Nothing),
        ("get", "/v1/workflows/{id}/runs" | "/v1/workflows/{id}/runs/{run_id}") => (none, Nothing),
        ("get", "/v1/workflows/{id}/runs/{run_id}/summary") => (none, Nothing),
        ("get", "/v1/workflows/{id}/runs/{run_id}/events") => (none, Nothing),
        ("get", "/v1/workflows/{id}/runs/{run_id}/context") => (none, Nothing),
        ("post", "/v1/workflows/{id}/runs/{run_id}/retry") => (none, Nothing),
        ("get", "/v1/workflows/{id}/runs/{run_id}/tasks/pending") => (none, Nothing),
        ("post", "/v1/workflows/{id}/runs/{run_id}/tasks/{task_id}/complete") => {
            (json!({ "approved": true }), Nothing)
        }
        _ => return None,
    })
}

/// Method and path of every route in the document.
fn routes() -> Vec<(String, String)> {
    let document = serde_json::to_value(local::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().clone();
    let of_path = |(path, methods): (String, Value)| {
        let methods: Vec<String> = methods.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(move |method| (method, path.clone()))
    };
    paths.into_iter().flat_map(of_path).collect()
}

/// Somebody with a workflow, a version, a trigger and a run that waits for a person.
struct Owner {
    workspace: Workspace,
    workflow: String,
    run: String,
    trigger: String,
}

impl Owner {
    async fn of(app: &TestApp, workspace: Workspace) -> Self {
        let graph = graph([lua("a", "return { secret = input.secret }"), human("ask", &[])]);
        let workflow = workspace.publish(&graph).await;
        let run = workspace.start(&workflow, json!({ "secret": "s3cret" })).await;
        app.work().await;
        let new = json!({ "cron": "0 9 * * *", "params": { "secret": "s3cret" } });
        let made =
            workspace.client.post(&format!("/v1/workflows/{workflow}/triggers"), &new).await.expect(201);
        let trigger = made["id"].as_str().unwrap().to_owned();
        Self { workspace, workflow, run, trigger }
    }

    fn path(&self, template: &str) -> String {
        let path = template.replace("{id}", &self.workflow).replace("{run_id}", &self.run);
        path.replace("{trigger_id}", &self.trigger).replace("{n}", "1").replace("{task_id}", "ask")
    }

    /// Everything that the owner can read.
    async fn views(&self) -> BTreeMap<String, Value> {
        let mut views = BTreeMap::new();
        for (method, path) in routes() {
            if method == "get" {
                let path = self.path(&path);
                views.insert(path.clone(), self.workspace.client.get(&path).await.expect(200));
            }
        }
        views
    }
}

/// Calls every route with the owner's ids, and with the ids mixed.
async fn nothing_is_reached(owner: &Owner, stranger: &Owner, one_feed: bool) {
    let before = owner.views().await;
    for (method, template) in routes() {
        let what = format!("{method} {template}");
        let Some((body, expect)) = case(&method, &template) else {
            panic!("{what} has no case for a caller from another place; add one to `case`");
        };
        let call = async |path: String| {
            stranger.workspace.client.send(&method.to_uppercase(), &path, body.to_string()).await
        };
        match expect {
            Expect::NamesNothing => {}
            Expect::Nothing => {
                call(owner.path(&template)).await.refused(404, "NOT_FOUND");
                let mixed = template.replace("{id}", &stranger.workflow);
                for (parameter, own) in [("{run_id}", &stranger.run), ("{trigger_id}", &stranger.trigger)] {
                    if mixed.contains(parameter) {
                        call(owner.path(&mixed)).await.refused(404, "NOT_FOUND");
                        let mixed = template.replace(parameter, own);
                        call(owner.path(&mixed)).await.refused(404, "NOT_FOUND");
                    }
                }
            }
            // The feed of runs and the inbox are the whole tenant's, by contract.
            Expect::NotInList if one_feed && ["/v1/runs", "/v1/tasks/pending"].contains(&&*template) => {}
            Expect::NotInList => {
                // The inbox has no filters.
                let all = if template == "/v1/tasks/pending" { 2 } else { 5 };
                let filters =
                    ["?limit=100", "?limit=1", "?status=archived,draft,published", "?project_id=default"];
                let of_workflow = format!("?workflow_id={}", owner.workflow);
                for filter in filters.into_iter().map(str::to_owned).chain([of_workflow]).take(all) {
                    let answer = call(format!("{template}{filter}")).await;
                    let text = answer.body.to_string();
                    assert!(
                        !text.contains(&owner.workflow) && !text.contains(&owner.run),
                        "{what}{filter}: {text}"
                    );
                }
                assert!(call(template.clone()).await.expect(200).to_string().contains(&stranger.workflow));
            }
        }
    }
    assert_eq!(owner.views().await, before, "a stranger has changed something");
}

#[tokio::test]
async fn another_tenants_things_do_not_exist() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = Owner::of(&app, app.workspace("acme").await).await;
    let other = Owner::of(&app, app.workspace("other").await).await;
    nothing_is_reached(&acme, &other, false).await;
    nothing_is_reached(&other, &acme, false).await;
}

#[tokio::test]
async fn another_projects_things_do_not_exist() {
    let app = TestApp::without_worker(Clock::System).await;
    let one = Owner::of(&app, app.workspace("acme").await).await;
    let member = app.member(("acme", "second"), Role::TenantAdmin, &[], None).await;
    let second = Owner::of(&app, member).await;
    let filtered = second.workspace.client.get("/v1/runs?project_id=second").await.expect(200);
    assert_eq!(filtered["runs"].as_array().unwrap().len(), 1);
    nothing_is_reached(&one, &second, true).await;
    nothing_is_reached(&second, &one, true).await;
}

#[tokio::test]
async fn one_run_id_in_two_tenants_is_two_runs() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = Owner::of(&app, app.workspace("acme").await).await;
    let other = Owner::of(&app, app.workspace("other").await).await;
    let before = acme.views().await;
    let params = json!({ "run_id": acme.run, "trigger_payload": { "secret": "another" } });
    assert_eq!(other.workspace.start(&other.workflow, params).await, acme.run);
    app.work().await;
    let own = other.workspace.known_run(&other.workflow, &acme.run);
    assert_eq!(own.result("a").await["secret"], "another");
    assert_eq!(acme.views().await, before);
}

#[tokio::test]
async fn every_route_but_the_open_ones_wants_a_valid_token() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = Owner::of(&app, app.workspace("acme").await).await;
    let before = acme.views().await;
    let garbage = [
        app.anyone.clone(),
        app.anyone.bearer("garbage"),
        app.anyone.bearer(&acme.workspace.token[..acme.workspace.token.len() - 1]),
        app.anyone.with("authorization", &format!("Basic {}", acme.workspace.token)),
    ];
    for (method, template) in routes() {
        let body = case(&method, &template).map_or(Value::Null, |(body, _)| body);
        for client in &garbage {
            let answer = client.send(&method.to_uppercase(), &acme.path(&template), body.to_string()).await;
            if template == "/v1/health" || template == "/openapi.json" {
                answer.expect(200);
            } else {
                answer.refused(401, "UNAUTHENTICATED");
            }
        }
    }
    assert_eq!(acme.views().await, before);
}
