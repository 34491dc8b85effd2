//! A tool may what its route may: roles, scopes, places.

use it::{McpClient, TestApp, Workspace, graph, human};
use serde_json::{Value, json};
use shared::auth::{Role, Scope};
use shared::clock::Clock;

use super::tools::TOOLS;

/// A workflow with a run that waits for a person.
struct Things {
    workflow: String,
    run: String,
}

impl Things {
    async fn of(app: &TestApp, workspace: &Workspace) -> Self {
        let workflow = workspace.publish(&graph([human("ask", &[])])).await;
        let run = workspace.start(&workflow, json!({ "secret": "s3cret" })).await;
        app.work().await;
        Self { workflow, run }
    }

    /// Arguments with which the owner's call of this tool succeeds.
    fn arguments(&self, tool: &str) -> Value {
        let (workflow, run) = (&self.workflow, &self.run);
        match tool {
            "workflows_create" => json!({ "name": "n", "graph": graph([human("ask", &[])]) }),
            "workflows_patch" => json!({ "workflow_id": workflow, "description": "changed" }),
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
fn needs(tool: &str) -> (Role, Option<Scope>) {
    match tool {
        "ar_get_started" => (Role::ProjectViewer, None),
        "catalog_bff_request" => (Role::ProjectContributor, Some(Scope::IntegrationRead)),
        "workflows_create" | "workflows_patch" | "workflows_publish_version" | "workflows_validate" => {
            (Role::ProjectContributor, Some(Scope::WorkflowWrite))
        }
        "workflows_execute_command" | "tasks_complete" => {
            (Role::ProjectContributor, Some(Scope::WorkflowRun))
        }
        "tasks_list_pending_run" => (Role::ProjectContributor, Some(Scope::WorkflowRead)),
        _ => (Role::ProjectViewer, Some(Scope::WorkflowRead)),
    }
}

#[tokio::test]
async fn a_tool_needs_the_role_of_its_route() {
    let app = TestApp::without_worker(Clock::System).await;
    let things = Things::of(&app, &app.workspace("acme").await).await;
    let viewer = app.member(("acme", "default"), Role::ProjectViewer, &[], None).await;
    let mcp = McpClient::new(&viewer.client);
    assert_eq!(mcp.tools().await.len(), TOOLS.len(), "the list is the same for all");
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
    ];
    for scope in scopes {
        let things = Things::of(&app, &acme).await;
        let narrow = app.member(("acme", "default"), Role::TenantAdmin, &[scope], None).await;
        let mcp = McpClient::new(&narrow.client);
        for tool in TOOLS {
            let arguments = things.arguments(tool);
            match needs(tool).1 {
                Some(needed) if needed != scope => {
                    let refused = mcp.refused(tool, &arguments, 403, "SCOPE_MISSING").await;
                    assert!(refused["error"].as_str().unwrap().contains(needed.as_str()), "{refused:#}");
                }
                _ => drop(mcp.call(tool, &arguments).await),
            }
        }
    }
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
            if arguments.get("workflow_id").is_some() {
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
