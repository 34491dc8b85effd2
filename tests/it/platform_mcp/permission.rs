//! A tool may what its route may: roles, scopes, places.

use std::collections::BTreeSet;

use it::{McpClient, TestApp, Workspace, graph, human};
use serde_json::{Value, json};
use shared::types::clock::Clock;
use shared::types::role::Role;
use shared::types::scope::{Permission, Scope};

use super::tools::TOOLS;
use crate::routes::{Who, table as routes};

/// A workflow with a run that waits for two decisions, and what else a tool can name.
struct Things {
    workflow: String,
    run: String,
    server: String,
    subscription: String,
    pat: String,
}

impl Things {
    async fn of(app: &TestApp, workspace: &Workspace) -> Self {
        let workflow = workspace.publish(&graph([human("ask", &[]), human("also", &[])])).await;
        let made = async |path: &str, new: Value| {
            workspace.client.post(path, &new).await.expect(201)["id"].as_str().unwrap().to_owned()
        };
        let name = format!("Server {workflow}");
        let server =
            made("/v1/mcp/servers", json!({ "name": name, "canonical_url": "http://127.0.0.1:1/mcp" }));
        let server = server.await;
        let pat = made("/v1/pats", json!({ "display_name": "p", "scopes": ["workflow:read"] })).await;
        let subscription = workspace.subscribe(&workflow, json!({})).await.path;
        let subscription = subscription.rsplit('/').next().unwrap().to_owned();
        let run = workspace.start(&workflow, json!({ "secret": "s3cret" })).await;
        app.work().await;
        Self { workflow, run, server, subscription, pat }
    }

    /// Arguments with which the owner's call of this tool succeeds.
    fn arguments(&self, tool: &str) -> Value {
        let (workflow, run) = (&self.workflow, &self.run);
        match tool {
            "workflows_create" => json!({ "name": "n", "graph": graph([human("ask", &[])]) }),
            "workflows_patch" | "workflows_update" => {
                json!({ "workflow_id": workflow, "description": "changed" })
            }
            "catalog_tools_schema" => json!({ "tools": ["nothing"] }),
            "catalog_tools_search" => json!({ "query": "nothing" }),
            "catalog_servers_get" => json!({ "server_id": self.server }),
            "inbound_webhooks_delete" => json!({ "subscription_id": self.subscription }),
            "pats_revoke" => json!({ "pat_id": self.pat }),
            "workflow_run" => json!({ "workflow_id": workflow, "wait": false }),
            "workflow_inspect" => json!({ "workflow_id": workflow, "run_id": run }),
            "workflow_await" => json!({ "workflow_id": workflow, "run_id": run, "wait_s": 1 }),
            "workflow_approve" => {
                json!({ "workflow_id": workflow, "run_id": run, "task_id": "also" })
            }
            "workflows_stream_websocket" => {
                json!({ "workflow_id": workflow, "run_id": run, "max_messages": 1, "duration_s": 1 })
            }
            "workflows_execute_command" => json!({ "workflow_id": workflow, "command": "start" }),
            "tasks_complete" => {
                json!({ "workflow_id": workflow, "run_id": run, "task_id": "ask", "approved": true })
            }
            "workflows_get" | "workflows_list_runs" | "workflows_publish_version" | "workflows_validate" => {
                json!({ "workflow_id": workflow })
            }
            "runs_get_context" | "runs_get_summary" | "runs_list_events" | "tasks_list_pending_run" => {
                json!({ "workflow_id": workflow, "run_id": run })
            }
            "catalog_bff_request" => json!({ "method": "GET", "path": "/v1/mcp/servers" }),
            _ => json!({}),
        }
    }
}

/// What the route behind a tool wants.
fn needs(tool: &str) -> (Role, Option<Permission>) {
    match tool {
        "ar_get_started" => (Role::ProjectViewer, None),
        "inbound_webhooks_delete" => (Role::ProjectContributor, Some(Permission::WebhookWrite)),
        "inbound_webhooks_list" => (Role::ProjectContributor, Some(Permission::WebhookRead)),
        tool if tool.starts_with("catalog_") => (Role::ProjectContributor, Some(Permission::McpRead)),
        "pats_list" => (Role::ProjectContributor, Some(Permission::PatRead)),
        "pats_revoke" => (Role::ProjectContributor, Some(Permission::PatWrite)),
        "workflows_create"
        | "workflows_patch"
        | "workflows_publish_version"
        | "workflows_update"
        | "workflows_validate" => (Role::ProjectContributor, Some(Permission::WorkflowWrite)),
        "workflows_execute_command" | "tasks_complete" | "workflow_run" | "workflow_approve" => {
            (Role::ProjectContributor, Some(Permission::WorkflowRun))
        }
        // They read nothing.
        tool if tool.ends_with("_contract") => (Role::ProjectViewer, None),
        "tasks_list_pending_run" => (Role::ProjectContributor, Some(Permission::WorkflowRead)),
        tool if tool.starts_with("analytics_") => (Role::ProjectViewer, Some(Permission::AnalyticsRead)),
        _ => (Role::ProjectViewer, Some(Permission::WorkflowRead)),
    }
}

/// What the routes that a call of `catalog_bff_request` can name want.
fn behind_the_catalog() -> BTreeSet<Permission> {
    let routes = routes().into_iter().filter(|route| route.template().starts_with("/v1/mcp/"));
    let permission = |who: Who| match who {
        Who::Token(_, permission) => permission,
        other => panic!("{other:?}: a route of MCP is called with a token"),
    };
    routes.map(|route| permission(route.who)).collect()
}

/// The names of the tools that are listed.
async fn names(mcp: &McpClient) -> Vec<String> {
    mcp.tools().await.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_tool_needs_the_role_of_its_route() {
    let app = TestApp::without_worker(Clock::System).await;
    let things = Things::of(&app, &app.workspace("acme").await).await;
    let viewer = app.member(("acme", "default"), Role::ProjectViewer, &[], None).await;
    let mcp = McpClient::new(&viewer.client);
    let for_viewers = |tool: &&str| needs(tool).0 == Role::ProjectViewer;
    let listed: Vec<&str> = TOOLS.iter().copied().filter(for_viewers).collect();
    assert_eq!(names(&mcp).await, listed, "the list shows what the caller may use");
    for tool in TOOLS {
        let arguments = things.arguments(tool);
        match needs(tool).0 {
            Role::ProjectViewer => drop(mcp.call(tool, &arguments).await),
            _ => drop(mcp.refused(tool, &arguments, 403, "ROLE_TOO_LOW").await),
        }
    }
}

#[tokio::test]
async fn a_tool_needs_the_scope_of_its_route() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let scopes = [
        Scope::WorkflowRead,
        Scope::WorkflowRun,
        Scope::WorkflowWrite,
        Scope::BillingRead,
        Scope::IntegrationRead,
        Scope::IntegrationWrite,
        Scope::PatWrite,
        Scope::WorkflowEdit,
        Scope::McpRead,
        Scope::McpWrite,
        Scope::McpExecute,
        Scope::AnalyticsRead,
        Scope::MemoryRead,
    ];
    for scope in scopes {
        let things = Things::of(&app, &acme).await;
        let narrow = app.member(("acme", "default"), Role::TenantAdmin, &[scope], None).await;
        let mcp = McpClient::new(&narrow.client);
        let grants = |needed: &Permission| scope.grants().contains(needed);
        // Its calls name their routes; whoever may use any of them is shown the way.
        let any = |tool: &str| tool == "catalog_bff_request" && behind_the_catalog().iter().any(grants);
        let listed = |tool: &&str| any(tool) || needs(tool).1.as_ref().is_none_or(grants);
        let listed: Vec<&str> = TOOLS.iter().copied().filter(listed).collect();
        assert_eq!(names(&mcp).await, listed, "{scope:?}");
        for tool in TOOLS {
            let arguments = things.arguments(tool);
            match needs(tool).1 {
                Some(needed) if !scope.grants().contains(&needed) => {
                    let refused = mcp.refused(tool, &arguments, 403, "SCOPE_MISSING").await;
                    assert!(
                        refused["error"].as_str().unwrap().contains(&needed.granting_scopes()),
                        "{refused:#}"
                    );
                }
                _ => drop(mcp.call(tool, &arguments).await),
            }
        }
    }
}

#[tokio::test]
async fn who_may_change_or_try_and_not_read_has_its_routes() {
    let app = TestApp::without_worker(Clock::System).await;
    app.workspace("acme").await;
    let of = async |scope: Scope| {
        let member = app.member(("acme", "default"), Role::ProjectContributor, &[scope], None).await;
        McpClient::new(&member.client)
    };
    let tool = "catalog_bff_request";
    let (writes, tries) = (of(Scope::McpWrite).await, of(Scope::McpExecute).await);
    for mcp in [&writes, &tries] {
        assert!(names(mcp).await.contains(&tool.to_owned()));
        mcp.refused(tool, &json!({ "method": "GET", "path": "/v1/mcp/servers" }), 403, "SCOPE_MISSING").await;
    }
    let new = json!({ "name": "Desk", "canonical_url": "http://127.0.0.1:1/mcp" });
    let post = json!({ "method": "POST", "path": "/v1/mcp/servers", "body": new });
    assert_eq!(writes.call(tool, &post).await["status"], 201);
    tries.refused(tool, &post, 403, "SCOPE_MISSING").await;
    // The route was reached, and there is no such instance.
    let path = "/v1/mcp/instances/0199c000-0000-7000-8000-000000000001/tools/none/call";
    tries.refused(tool, &json!({ "method": "POST", "path": path }), 404, "NOT_FOUND").await;
    let neither = of(Scope::VaultWrite).await;
    assert!(!names(&neither).await.contains(&tool.to_owned()));
}

#[tokio::test]
async fn another_tenants_things_do_not_exist() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let things = Things::of(&app, &acme).await;
    let owner = McpClient::new(&acme.client);
    let of_run = things.arguments("runs_get_summary");
    let before =
        (owner.call("runs_get_summary", &of_run).await, owner.call("workflows_list", &json!({})).await);
    let strangers =
        [app.workspace("other").await, app.member(("acme", "second"), Role::TenantAdmin, &[], None).await];
    for (stranger, own_tenant) in strangers.iter().zip([false, true]) {
        let mcp = McpClient::new(&stranger.client);
        for tool in TOOLS {
            let arguments = things.arguments(tool);
            if ["workflow_id", "server_id", "pat_id", "subscription_id"]
                .iter()
                .any(|id| arguments.get(id).is_some())
            {
                mcp.refused(tool, &arguments, 404, "NOT_FOUND").await;
            // The feed of runs and the inbox are the whole tenant's.
            } else if !(own_tenant
                && ["runs_list_tenant", "tasks_list_pending", "ar_health_summary"].contains(tool))
            {
                let answer = mcp.call(tool, &arguments).await.to_string();
                assert!(
                    !answer.contains(&things.workflow) && !answer.contains(&things.run),
                    "{tool}: {answer}"
                );
            }
        }
        // A header that names another place is refused before any tool is.
        let elsewhere =
            stranger.client.with("content-type", "application/json").with("x-project-id", "third");
        let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
        elsewhere.post("/mcp", &ping).await.refused(403, "WRONG_PLACE");
    }
    let after =
        (owner.call("runs_get_summary", &of_run).await, owner.call("workflows_list", &json!({})).await);
    assert_eq!(before, after);
}
