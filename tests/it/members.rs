//! Members and projects: who has which role where, and what becomes of tokens when that changes.

use std::collections::BTreeSet;

use it::{Client, Gate, TestApp, Workspace, graph, lua, workflow};
use serde_json::{Value, json};
use shared::types::clock::Clock;

use crate::run_reads::text;

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

async fn member(acme: &Workspace, new: Value) -> String {
    text(&acme.client.post("/v1/members", &new).await.expect(201), "id").to_owned()
}

/// A token of a member's, and its caller.
async fn token_of(app: &TestApp, acme: &Workspace, member: &str, more: Value) -> (String, Client) {
    let mut new = json!({ "display_name": "t", "member_id": member });
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let pat = acme.client.post("/v1/pats", &new).await.expect(201);
    (text(&pat, "id").to_owned(), app.anyone.bearer(text(&pat, "token")))
}

#[tokio::test]
async fn a_workspace_begins_with_a_project_and_an_admin() {
    let (_app, acme) = acme().await;
    let projects = acme.client.get("/v1/projects").await.expect(200)["projects"].clone();
    let project = &projects[0];
    let expected = json!([{
        "project_id": "default", "tenant_id": "acme", "name": "default", "description": "", "status": "active",
        "created_at": project["created_at"], "updated_at": project["created_at"]
    }]);
    assert_eq!(projects, expected);
    let members = acme.client.get("/v1/members").await.expect(200)["members"].clone();
    let first = &members[0];
    let expected = json!([{
        "id": first["id"], "display_name": "First admin", "email": null, "role": "tenant_admin",
        "project_roles": {}, "tokens": 1, "created_at": first["created_at"], "updated_at": first["created_at"]
    }]);
    assert_eq!(members, expected);
    assert_eq!(acme.client.get(&format!("/v1/members/{}", text(first, "id"))).await.expect(200), *first);
    assert_eq!(acme.client.get("/v1/projects/default").await.expect(200), *project);
}

#[tokio::test]
async fn an_admin_makes_a_project_and_comes_into_it() {
    let (app, acme) = acme().await;
    let new = json!({ "project_id": "prod", "name": "Production", "description": "for customers" });
    let made = acme.client.post("/v1/projects", &new).await.expect(201);
    assert_eq!((&made["name"], &made["status"]), (&json!("Production"), &json!("active")));
    acme.client.post("/v1/projects", &new).await.refused(409, "PROJECT_EXISTS");
    acme.client.post("/v1/projects", &json!({ "project_id": "A" })).await.refused(422, "INVALID_REQUEST");
    acme.client.get("/v1/projects/none").await.refused(404, "NOT_FOUND");
    acme.client.get("/v1/projects/A%20B").await.refused(404, "NOT_FOUND");
    let pat =
        acme.client.post("/v1/pats", &json!({ "display_name": "t", "project_id": "prod" })).await.expect(201);
    assert_eq!((&pat["project_id"], &pat["role"]), (&json!("prod"), &json!("tenant_admin")));
    let prod = app.anyone.bearer(text(&pat, "token")).with("x-project-id", "prod");
    let made = prod.post("/v1/workflows", &workflow("w")).await.expect(201);
    assert_eq!(made["project_id"], "prod");
    assert_eq!(acme.client.get("/v1/workflows").await.expect(200)["workflows"], json!([]));
    let patch = json!({ "name": "Live", "description": "" });
    let patched = acme.client.patch("/v1/projects/prod", &patch).await.expect(200);
    assert_eq!((&patched["name"], &patched["description"]), (&json!("Live"), &json!("")));
    let page = acme.client.get("/v1/projects?limit=1").await.expect(200);
    assert_eq!(page["projects"][0]["project_id"], "default");
    let rest = format!("/v1/projects?limit=1&cursor={}", text(&page, "next_cursor"));
    assert_eq!(acme.client.get(&rest).await.expect(200)["projects"][0]["name"], "Live");
}

#[tokio::test]
async fn an_archived_project_lets_nobody_in_until_it_is_restored() {
    let (app, acme) = acme().await;
    acme.client.post("/v1/projects", &json!({ "project_id": "prod" })).await.expect(201);
    let new = json!({ "display_name": "t", "project_id": "prod" });
    let pat = acme.client.post("/v1/pats", &new).await.expect(201);
    let prod = app.anyone.bearer(text(&pat, "token"));
    let made = prod.post("/v1/workflows", &workflow("w")).await.expect(201);
    acme.client.delete("/v1/projects/prod").await.refused(409, "PROJECT_NOT_EMPTY");
    prod.delete(&format!("/v1/workflows/{}", text(&made, "id"))).await.expect(204);
    acme.client.delete("/v1/projects/default").await.refused(409, "OWN_PROJECT");
    acme.client.delete("/v1/projects/prod").await.expect(204);
    acme.client.delete("/v1/projects/prod").await.expect(204);
    prod.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    acme.client.post("/v1/pats", &new).await.refused(409, "PROJECT_ARCHIVED");
    assert_eq!(acme.client.get("/v1/projects/prod").await.expect(200)["status"], "archived");
    let restored = acme.client.post("/v1/projects/prod/restore", &json!({})).await.expect(200);
    assert_eq!(restored["status"], "active");
    acme.client.post("/v1/projects/prod/restore", &json!({})).await.expect(200);
    prod.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    let pat = acme.client.post("/v1/pats", &new).await.expect(201);
    let again = app.anyone.bearer(text(&pat, "token"));
    let list = again.get("/v1/workflows?status=archived").await.expect(200);
    assert_eq!(list["workflows"][0]["id"], made["id"], "what was in it is there");
}

#[tokio::test]
async fn lists_of_the_workspace_show_projects_in_which_the_caller_has_a_role() {
    let (app, acme) = acme().await;
    let ask = json!({ "id": "ask", "type": "human_task", "task_type": "approval" });
    for project in ["one", "two"] {
        acme.client.post("/v1/projects", &json!({ "project_id": project })).await.expect(201);
    }
    let admin = text(&acme.client.get("/v1/members").await.expect(200)["members"][0], "id").to_owned();
    for project in ["default", "one", "two"] {
        let (_, there) = token_of(&app, &acme, &admin, json!({ "project_id": project })).await;
        let made =
            there.post("/v1/workflows", &json!({ "name": project, "graph": graph([ask.clone()]) })).await;
        let id = text(&made.expect(201), "id").to_owned();
        there.post(&format!("/v1/workflows/{id}/versions"), &json!({})).await.expect(201);
        // What lies between the others is more than a page.
        for _ in 0..if project == "one" { 8 } else { 1 } {
            there
                .post(&format!("/v1/workflows/{id}/command"), &json!({ "command": "start" }))
                .await
                .expect(200);
        }
    }
    app.work().await;
    let seen = async |client: &Client| {
        let of = |list: &Value, key: &str| -> BTreeSet<String> {
            list[key].as_array().unwrap().iter().map(|row| text(row, "project_id").to_owned()).collect()
        };
        let runs = client.get("/v1/runs").await.expect(200);
        let tasks = client.get("/v1/tasks/pending").await.expect(200);
        (of(&runs, "runs"), of(&tasks, "tasks"))
    };
    let both = |projects: &[&str]| {
        let projects: BTreeSet<String> = projects.iter().map(|&project| project.to_owned()).collect();
        (projects.clone(), projects)
    };
    assert_eq!(seen(&acme.client).await, both(&["default", "one", "two"]), "an admin sees all");
    let roles = json!({ "default": "project_contributor", "two": "project_viewer" });
    let alex = member(&acme, json!({ "display_name": "Alex", "project_roles": roles })).await;
    let (_, alexs) = token_of(&app, &acme, &alex, json!({})).await;
    assert_eq!(seen(&alexs).await, both(&["default", "two"]));
    let there = alexs.get("/v1/runs?project_id=one").await.expect(200);
    assert_eq!(there, json!({ "runs": [] }));
    // Page by page it is the same: what is left out fills no page.
    let first = alexs.get("/v1/tasks/pending?limit=1").await.expect(200);
    assert_eq!(text(&first["tasks"][0], "project_id"), "two");
    let cursor = text(&first, "next_cursor");
    let second = alexs.get(&format!("/v1/tasks/pending?limit=1&cursor={cursor}")).await.expect(200);
    assert_eq!(text(&second["tasks"][0], "project_id"), "default");
    // A role in the whole workspace is one in each project.
    let path = format!("/v1/members/{alex}");
    acme.client.patch(&path, &json!({ "role": "project_viewer" })).await.expect(200);
    assert_eq!(seen(&alexs).await, both(&["default", "one", "two"]));
}

#[tokio::test]
async fn a_change_of_a_members_role_reaches_its_tokens_at_once() {
    let (app, acme) = acme().await;
    let alex = member(
        &acme,
        json!({ "display_name": "Alex", "email": "alex@example.com",
                                     "project_roles": { "default": "project_contributor" } }),
    )
    .await;
    let path = format!("/v1/members/{alex}");
    let (_, token) = token_of(&app, &acme, &alex, json!({})).await;
    token.post("/v1/workflows", &workflow("w")).await.expect(201);
    let role = |role: &str| json!({ "project_roles": { "default": role } });
    acme.client.patch(&path, &role("project_viewer")).await.expect(200);
    token.post("/v1/workflows", &workflow("w")).await.refused(403, "ROLE_TOO_LOW");
    token.get("/v1/workflows").await.expect(200);
    // More than it was made with a token never gets.
    acme.client.patch(&path, &role("project_admin")).await.expect(200);
    token.post("/v1/workflows", &workflow("w")).await.expect(201);
    token.get("/v1/audit").await.refused(403, "ROLE_TOO_LOW");
    // A role in the whole workspace counts where it is the higher one.
    let everywhere = json!({ "role": "project_viewer", "project_roles": {} });
    acme.client.patch(&path, &everywhere).await.expect(200);
    token.post("/v1/workflows", &workflow("w")).await.refused(403, "ROLE_TOO_LOW");
    // Where there is none left the token ends, and does not come back with a role.
    acme.client.post("/v1/projects", &json!({ "project_id": "prod" })).await.expect(201);
    let elsewhere = json!({ "role": null, "project_roles": { "prod": "project_admin" } });
    assert_eq!(acme.client.patch(&path, &elsewhere).await.expect(200)["tokens"], 0);
    token.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    acme.client.patch(&path, &json!({ "role": "project_viewer" })).await.expect(200);
    token.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_member_that_is_removed_takes_its_tokens_along() {
    let (app, acme) = acme().await;
    let alex = member(&acme, json!({ "display_name": "Alex", "role": "project_admin" })).await;
    let (_, one) = token_of(&app, &acme, &alex, json!({})).await;
    let (_, other) = token_of(&app, &acme, &alex, json!({ "role": "project_viewer" })).await;
    one.get("/v1/workflows").await.expect(200);
    other.get("/v1/workflows").await.expect(200);
    let path = format!("/v1/members/{alex}");
    acme.client.delete(&path).await.expect(204);
    for token in [one, other] {
        token.get("/v1/workflows").await.refused(401, "UNAUTHENTICATED");
    }
    acme.client.get(&path).await.refused(404, "NOT_FOUND");
    acme.client.delete(&path).await.refused(404, "NOT_FOUND");
    let new = json!({ "display_name": "t", "member_id": alex });
    acme.client.post("/v1/pats", &new).await.refused(422, "INVALID_REQUEST");
    assert_eq!(acme.client.get("/v1/pats").await.expect(200)["pats"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_workspace_keeps_an_admin() {
    let (app, acme) = acme().await;
    let first = text(&acme.client.get("/v1/members").await.expect(200)["members"][0], "id").to_owned();
    let first = format!("/v1/members/{first}");
    let viewer = json!({ "role": "project_viewer" });
    acme.client.delete(&first).await.refused(409, "LAST_ADMIN");
    acme.client.patch(&first, &viewer).await.refused(409, "LAST_ADMIN");
    acme.client.patch(&first, &json!({ "display_name": "Root" })).await.expect(200);
    let second = member(&acme, json!({ "display_name": "Second", "role": "tenant_admin" })).await;
    let (_, second_token) = token_of(&app, &acme, &second, json!({})).await;
    acme.client.patch(&first, &viewer).await.expect(200);
    acme.client.get("/v1/members").await.refused(403, "ROLE_TOO_LOW");
    second_token.delete(&format!("/v1/members/{second}")).await.refused(409, "LAST_ADMIN");
    second_token.delete(&first).await.expect(204);
    assert_eq!(second_token.get("/v1/members").await.expect(200)["members"].as_array().unwrap().len(), 1);
}

/// One is held up before each of its calls to the stores while the other leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_admins_that_leave_at_the_same_moment_do_not_both() {
    let app = TestApp::without_worker(Clock::System).await;
    let mut losers = BTreeSet::new();
    for at in 0.. {
        let acme = app.workspace(&format!("acme-{at}")).await;
        let first = text(&acme.client.get("/v1/members").await.expect(200)["members"][0], "id").to_owned();
        let second = member(&acme, json!({ "display_name": "Second", "role": "tenant_admin" })).await;
        let (_, other) = token_of(&app, &acme, &second, json!({})).await;
        let (gate, keeper) = Gate::at(at);
        let process = app.stores.state(Clock::System, &[gate.interceptor()]);
        let held = Client::new(local::router(process)).bearer(&acme.token);
        let mut leaving = tokio::spawn(async move { held.delete(&format!("/v1/members/{first}")).await });
        tokio::select! {
            _ = keeper.reached => {}
            // It made fewer calls: there is no moment left.
            left = &mut leaving => {
                left.unwrap().expect(204);
                assert!(at > 2, "{at} calls");
                break;
            }
        }
        let theirs = other.delete(&format!("/v1/members/{second}")).await;
        keeper.go_on.send(()).unwrap();
        let ours = leaving.await.unwrap();
        let told = format!("before call {at}: {:#} {:#}", ours.body, theirs.body);
        let answers = [("first", &ours), ("second", &theirs)];
        let refused: Vec<_> = answers.iter().filter(|(_, answer)| answer.status == 409).collect();
        let left = answers.iter().filter(|(_, answer)| answer.status == 204).count();
        assert_eq!((left, refused.len()), (1, 1), "{told}");
        assert_eq!(refused[0].1.body["code"], "LAST_ADMIN", "{told}");
        losers.insert(refused[0].0);
        let stays = if refused[0].0 == "first" { &acme.client } else { &other };
        let members = stays.get("/v1/members").await.expect(200);
        let roles: Vec<_> =
            members["members"].as_array().unwrap().iter().map(|one| text(one, "role")).collect();
        assert_eq!(roles, ["tenant_admin"], "{told}");
    }
    assert_eq!(losers, BTreeSet::from(["first", "second"]), "each was the last one once");
}

#[tokio::test]
async fn what_cannot_be_a_member_is_refused_by_name() {
    let (_app, acme) = acme().await;
    for (new, named) in [
        (json!({ "role": "project_viewer" }), "display_name"),
        (json!({ "display_name": "", "role": "project_viewer" }), "display_name"),
        (json!({ "display_name": "n" }), "role"),
        (json!({ "display_name": "n", "role": "king" }), "role"),
        (json!({ "display_name": "n", "role": "project_viewer", "email": "nobody" }), "email"),
        (json!({ "display_name": "n", "project_roles": { "none": "project_viewer" } }), "project_roles.none"),
        (
            json!({ "display_name": "n", "project_roles": { "default": "tenant_admin" } }),
            "project_roles.default",
        ),
        (json!({ "display_name": "n", "project_roles": { "A B": "project_viewer" } }), "project_roles"),
        (json!({ "display_name": "n", "role": "project_viewer", "password": "x" }), "password"),
    ] {
        let refused = acme.client.post("/v1/members", &new).await.refused(422, "INVALID_REQUEST");
        assert!(text(&refused, "error").contains(named), "{new}: {refused:#}");
    }
    let alex = member(&acme, json!({ "display_name": "n", "role": "project_viewer" })).await;
    let none = json!({ "role": null });
    acme.client.patch(&format!("/v1/members/{alex}"), &none).await.refused(422, "INVALID_REQUEST");
    let nobody = json!({ "display_name": "t", "member_id": alex, "role": "project_admin" });
    acme.client.post("/v1/pats", &nobody).await.refused(403, "ROLE_EXCEEDED");
}

#[tokio::test]
async fn a_token_of_another_project_does_not_reach_this_one() {
    let (app, acme) = acme().await;
    acme.client.post("/v1/projects", &json!({ "project_id": "prod" })).await.expect(201);
    let alex =
        member(&acme, json!({ "display_name": "Alex", "project_roles": { "prod": "project_admin" } })).await;
    let here = json!({ "display_name": "t", "member_id": alex });
    acme.client.post("/v1/pats", &here).await.refused(422, "INVALID_REQUEST");
    let (id, token) = token_of(&app, &acme, &alex, json!({ "project_id": "prod" })).await;
    let own = acme.publish(&graph([lua("a", "return {}")])).await;
    token.get(&format!("/v1/workflows/{own}")).await.refused(404, "NOT_FOUND");
    acme.client.delete(&format!("/v1/pats/{id}")).await.refused(404, "NOT_FOUND");
    token.get("/v1/members").await.refused(403, "ROLE_TOO_LOW");
}
