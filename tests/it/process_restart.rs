//! The local process starts again on its data: its queue was in memory and is gone.

use std::path::Path;

use embedded::EmbeddedDynamo;
use it::{LocalProcess, Stores, Workspace, graph, issue_token, lua};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::types::clock::Clock;
use shared::types::role::Role;

#[tokio::test]
async fn a_restart_goes_on_at_once_with_runs_whose_messages_were_in_the_queue() {
    let data = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_local-process"));
    LocalProcess::start(program, data.path()).kill();
    let credentials = std::fs::read_to_string(data.path().join("credentials.json")).unwrap();
    let credentials: Value = serde_json::from_str(&credentials).unwrap();
    let id = |name: &str| credentials[name].as_str().unwrap().to_owned();

    // A process that accepts runs and dies before it looks at any message.
    let dynamo = EmbeddedDynamo::open(Some(&data.path().join("dynamodb.sqlite"))).await.unwrap();
    let state = Stores::on(dynamo.clone(), "agentruntime").state(Clock::System, &[]);
    let (tenant_id, project_id) = (id("tenant_id"), id("project_id"));
    let token = issue_token(&state, (&tenant_id, &project_id), Role::TenantAdmin, &[], None).await;
    let client = it::Client::new(local::router(state)).bearer(token.reveal());
    let token = token.reveal().to_owned();
    let acme = Workspace { client, tenant_id, project_id, token };
    let mut accepted = Vec::new();
    for _ in 0..3 {
        let run = acme.begin(&graph([lua("a", "return { n = 1 }")]), json!({})).await;
        assert_ne!(run.status().await, "completed");
        accepted.push(run.path(""));
    }
    dynamo.shutdown().await;

    let restarted_at = Timestamp::now();
    let process = LocalProcess::start(program, data.path());
    for run in accepted {
        let read = it::http_client().get(format!("{}{run}?wait_s=20", process.base_url));
        let read = read.bearer_auth(&process.token).send().await.unwrap();
        let read: Value = read.json().await.unwrap();
        assert_eq!(read["status"], "completed", "{read:#}");
        let ended_at: Timestamp = read["ended_at"].as_str().unwrap().parse().unwrap();
        // A sweep that goes by deadlines would come after a minute.
        assert!(ended_at.duration_since(restarted_at) < SignedDuration::from_secs(15), "{read:#}");
    }
}
