//! Tenants and projects cannot meet: every route of the table in [`crate::routes`], called with the ids of another
//! place, answers as if there were nothing, and changes nothing.

use std::collections::BTreeMap;

use it::{TestApp, Workspace, graph, human, lua};
use serde_json::{Value, json};
use shared::types::clock::Clock;
use shared::types::role::Role;

use crate::routes::{Others, Route, routes};

/// Somebody with one of each kind of thing.
pub struct Owner {
    pub workspace: Workspace,
    pub workflow: String,
    run: String,
    /// What each parameter of a path names, by the path up to and including it.
    things: Vec<(&'static str, String)>,
}

impl Owner {
    pub async fn of(app: &TestApp, workspace: Workspace) -> Self {
        let graph = graph([lua("a", "return { secret = input.secret }"), human("ask", &[])]);
        let workflow = workspace.publish(&graph).await;
        let validate = format!("/v1/workflows/{workflow}/validate");
        workspace.client.post(&validate, &json!({})).await.expect(200);
        let run = workspace.start(&workflow, json!({ "secret": "s3cret" })).await;
        app.work().await;
        let tool = json!({ "name": format!("tool_{}", workflow.replace('-', "")), "description": "s3cret" });
        let tool = json!({ "expose_as_tool": tool });
        workspace.client.patch(&format!("/v1/workflows/{workflow}"), &tool).await.expect(200);
        let made = async |path: &str, new: Value| {
            let made = workspace.client.post(path, &new).await.expect(201);
            made["id"].as_str().unwrap().to_owned()
        };
        let triggers = format!("/v1/workflows/{workflow}/triggers");
        let trigger = made(&triggers, json!({ "cron": "0 9 * * *", "params": { "secret": "s3cret" } })).await;
        let pat = made("/v1/pats", json!({ "display_name": "s3cret" })).await;
        let role = json!({ "display_name": "s3cret", "role": "project_viewer" });
        let member = made("/v1/members", role).await;
        let project = format!("apart-of-{}-{}", workspace.tenant_id, workspace.project_id);
        workspace.client.post("/v1/projects", &json!({ "project_id": project })).await.expect(201);
        let credentials = json!({ "display_name": "c", "provider": "p", "service": "custom",
                                  "credentials": { "key": "s3cret-of-a-connection" } });
        let connection = made("/v1/connections", credentials).await;
        let webhook = workspace.subscribe(&workflow, json!({ "name": "s3cret" })).await.path;
        let new =
            json!({ "name": "Server", "canonical_url": "http://127.0.0.1:1/mcp", "description": "s3cret" });
        let server = made("/v1/mcp/servers", new).await;
        let version = json!({ "tools": [{ "name": "s3cret" }], "activate": true });
        let versions = format!("/v1/mcp/servers/{server}/versions");
        workspace.client.post(&versions, &version).await.expect(201);
        let instance = made("/v1/mcp/instances", json!({ "server_id": server })).await;
        let profiles = format!("/v1/mcp/instances/{instance}/config-profiles");
        let profile = made(&profiles, json!({ "name": "s3cret" })).await;
        let key = made("/v1/llm-provider-keys", json!({ "provider": "openai", "api_key": "sk-test" })).await;
        let things = vec![
            ("/v1/llm-provider-keys/{id}", key),
            ("/v1/connections/{id}", connection.clone()),
            ("/v1/inbound-webhooks/{id}", webhook.rsplit('/').next().unwrap_or_default().to_owned()),
            ("/v1/mcp/servers/{id}", server),
            ("/v1/mcp/servers/{id}/connections/{connection_id}", connection),
            ("/v1/mcp/instances/{id}", instance),
            ("/v1/mcp/instances/{id}/tools/{tool_name}", "s3cret".to_owned()),
            ("/v1/mcp/instances/{id}/config-profiles/{profile_id}", profile),
            ("/v1/workflows/{id}", workflow.clone()),
            ("/v1/workflows/{id}/versions/{n}", "1".to_owned()),
            ("/v1/workflows/{id}/triggers/{trigger_id}", trigger),
            ("/v1/workflows/{id}/runs/{run_id}", run.clone()),
            ("/v1/workflows/{id}/runs/{run_id}/tasks/{task_id}", "ask".to_owned()),
            ("/v1/pats/{id}", pat),
            ("/v1/projects/{project_id}", project),
            ("/v1/members/{id}", member),
        ];
        Self { workspace, workflow, run, things }
    }

    /// What the parameter at the end of this path names.
    pub fn thing(&self, template: &str) -> &str {
        let thing = self.things.iter().find(|(path, _)| *path == template);
        &thing.unwrap_or_else(|| panic!("{template} names a thing that an `Owner` has none of; add it")).1
    }

    pub fn path(&self, template: &str) -> String {
        mixed(template, |_| self)
    }

    /// Everything that the owner can read.
    async fn views(&self) -> BTreeMap<String, Value> {
        let mut views = BTreeMap::new();
        for route in routes() {
            // Reading leaves its own traces, so the trail is not what it was.
            if route.method() == "GET" && route.template() != "/v1/audit" {
                let path = self.path(route.template());
                let answer = self.workspace.client.get(&path).await;
                assert!(![401, 403, 404].contains(&answer.status.as_u16()), "{path}: {:#}", answer.body);
                let mut body = answer.body;
                if let Some(body) = body.as_object_mut() {
                    body.remove("request_id");
                }
                views.insert(path, body);
            }
        }
        views
    }
}

/// A path whose parameters, counted from 0, name things of these owners.
fn mixed<'a>(template: &str, owner: impl Fn(usize) -> &'a Owner) -> String {
    let (mut path, mut done) = (String::new(), 0);
    for (number, (open, _)) in template.match_indices('{').enumerate() {
        let close = open + template[open..].find('}').unwrap() + 1;
        path.push_str(&template[done..open]);
        path.push_str(owner(number).thing(&template[..close]));
        done = close;
    }
    path + &template[done..]
}

/// What somebody gets who calls a route with the owner's ids, and with the owner's and their own mixed.
async fn is_nothing(route: &Route, owner: &Owner, stranger: &Owner) {
    let template = route.template();
    let own = stranger.path(template);
    for mix in 0..1_usize << template.matches('{').count() {
        let path = mixed(template, |number| if mix >> number & 1 == 0 { owner } else { stranger });
        if path != own {
            let answer = stranger.workspace.client.send(route.method(), &path, route.body).await;
            answer.refused(404, "NOT_FOUND");
        }
    }
}

/// None of the owner's ids in a list, whatever it is filtered by, and the stranger's own where there are any.
async fn is_not_listed(route: &Route, queries: &[&str], owner: &Owner, stranger: &Owner) {
    let client = &stranger.workspace.client;
    let lists_workflows = ["/v1/workflows", "/v1/runs", "/v1/tasks/pending"].contains(&route.template());
    for query in queries.iter().chain([&""]) {
        let text = client.get(&format!("{}{query}", route.template())).await.expect(200).to_string();
        let long = |thing: &&(&str, String)| thing.1.len() > 8;
        for (_, id) in owner.things.iter().filter(long) {
            assert!(
                stranger.things.iter().any(|(_, own)| own == id) || !text.contains(id),
                "{query}: {text}"
            );
        }
        assert!(!lists_workflows || text.contains(&stranger.workflow), "{}{query}: {text}", route.name);
    }
}

/// Calls every route with the owner's ids, and with the ids mixed.
async fn nothing_is_reached(owner: &Owner, stranger: &Owner, same_tenant: bool) {
    let before = owner.views().await;
    for route in routes() {
        match route.others {
            Others::NamesNothing => {}
            Others::TenantThing | Others::TenantList(_) if same_tenant => {}
            Others::Thing | Others::TenantThing => is_nothing(&route, owner, stranger).await,
            Others::List(queries) | Others::TenantList(queries) => {
                is_not_listed(&route, queries, owner, stranger).await;
            }
        }
    }
    let other = format!("/v1/runs?workflow_id={}", owner.workflow);
    if !same_tenant {
        let text = stranger.workspace.client.get(&other).await.expect(200).to_string();
        assert!(!text.contains(&owner.run), "{text}");
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
