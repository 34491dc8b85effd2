//! The pages "Runs", "Human tasks", "Events" and "Recovery".

use it::{graph, lua, lua_after};
use serde_json::json;

use super::{Reader, has, text};

pub(super) async fn start_a_run(reader: &Reader) -> String {
    let params = json!({ "customer_email": "kim@example.com", "order_id": "12345" });
    let started = reader.command("start", params.clone()).await;
    assert_eq!((&started["status"], &started["workflow_id"]), (&json!("running"), &json!(reader.workflow)));
    has(&started, &["run_id", "started_at", "version"]);
    reader.app.work().await;
    let run = text(&started, "run_id");
    let context = reader.api.get(&reader.path(&format!("/runs/{run}/context"))).await.expect(200);
    assert_eq!(context["input"], params, "the params are the input");
    assert_eq!(context["steps"]["ping"]["result"], json!({ "message": "ok", "input": params }));

    let given = json!({
        "trigger_type": "api",
        "trigger_payload": { "message": "Hello" },
        "trigger_steps": { "ping": { "prompt": "for this step" } },
        "use_run_setup_defaults": true
    });
    let started = reader.command("start", given).await;
    reader.app.work().await;
    let path = reader.path(&format!("/runs/{}/context", text(&started, "run_id")));
    let context = reader.api.get(&path).await.expect(200);
    assert_eq!(context["input"], json!({ "topic": "weekly", "message": "Hello" }), "request keys win");
    assert_eq!(context["steps"]["ping"]["result"]["input"]["prompt"], "for this step");

    // A client's own run id, and a wait for the end.
    let own = "0199c000-0000-4000-8000-00000000000a";
    assert_eq!(reader.command("start", json!({ "run_id": own })).await["run_id"], own);
    assert_eq!(reader.command("start", json!({ "run_id": own })).await["run_id"], own);
    reader.app.work().await;
    let command = json!({ "command": "start", "params": { "run_id": own } });
    let waited =
        reader.api.with("prefer", "wait=5").post(&reader.path("/command"), &command).await.expect(200);
    assert_eq!(
        (&waited["status"], &waited["outputs"]["ping"]["message"]),
        (&json!("completed"), &json!("ok"))
    );
    run
}

pub(super) async fn read_a_run(reader: &Reader, run: &str) {
    let of_run =
        async |rest: &str| reader.api.get(&reader.path(&format!("/runs/{run}{rest}"))).await.expect(200);
    let whole = of_run("?wait_s=1").await;
    has(
        &whole,
        &[
            "run_id",
            "workflow_id",
            "version",
            "status",
            "trigger_type",
            "started_at",
            "ended_at",
            "outputs.ping",
        ],
    );
    assert_eq!(
        (&whole["steps"][0]["id"], &whole["steps"][0]["status"]),
        (&json!("ping"), &json!("completed"))
    );
    has(&whole["steps"][0], &["attempt", "started_at", "ended_at", "name", "type"]);
    let summary = of_run("/summary").await;
    assert_eq!((&summary["status"], &summary["run_complete"]), (&json!("completed"), &json!(true)));
    has(
        &summary,
        &[
            "orchestration_phase",
            "steps.total",
            "steps.completed",
            "pending_tasks",
            "credits_used_microcredits",
            "tokens_in",
            "tokens_out",
        ],
    );
    let events = of_run("/events").await;
    let events = events["events"].as_array().unwrap();
    let types: Vec<&str> = events.iter().map(|event| event["event_type"].as_str().unwrap()).collect();
    for expected in ["run_started", "step_started", "step_completed", "state_changed"] {
        assert!(types.contains(&expected), "{expected}: {types:?}");
    }
    for event in events {
        has(event, &["id", "seq", "run_id", "event_type", "data"]);
    }
    let later = of_run("/events?after=1&limit=1&wait_s=1").await;
    assert_eq!(later["events"][0]["seq"], 2);
    let of_workflow = reader.api.get(&reader.path("/runs?status=completed&limit=100")).await.expect(200);
    assert!(
        of_workflow["runs"].as_array().unwrap().iter().any(|each| each["run_id"] == run),
        "{of_workflow:#}"
    );
    let feed = reader
        .api
        .get(&format!("/v1/runs?workflow_id={}&project_id=default", reader.workflow))
        .await
        .expect(200);
    has(&feed["runs"][0], &["run_id", "workflow_id", "project_id", "status", "started_at"]);
}

pub(super) async fn pause_resume_stop(reader: &Reader) {
    for mode in [None, Some("immediate"), Some("graceful")] {
        let run = text(&reader.command("start", json!({})).await, "run_id");
        let paused = reader.command("pause", json!({ "run_id": run })).await;
        assert_eq!(paused, json!({ "run_id": run, "status": "paused", "workflow_id": reader.workflow }));
        assert_eq!(reader.command("resume", json!({ "run_id": run })).await["status"], "running");
        reader.command("pause", json!({ "run_id": run })).await;
        let stop = match mode {
            None => json!({ "run_id": run }),
            Some(mode) => json!({ "run_id": run, "mode": mode }),
        };
        assert_eq!(reader.command("stop", stop).await["status"], "stopped");
    }
    reader.app.work().await;
}

pub(super) async fn complete_a_human_task(reader: &Reader) {
    let asks = graph([
        json!({ "id": "approve-review", "type": "human_task", "task_type": "approval",
                "task_payload": { "title": "Post it?", "comment_body": "draft" } }),
        json!({ "id": "post", "type": "lua_script", "depends_on": ["approve-review"],
                "script": "return steps['approve-review'].result" }),
    ]);
    let workflow = reader.acme.publish(&asks).await;
    let run = reader.acme.start(&workflow, json!({})).await;
    reader.app.work().await;
    let of_run = format!("/v1/workflows/{workflow}/runs/{run}");
    let open = reader.api.get(&format!("{of_run}/tasks/pending")).await.expect(200);
    has(
        &open["tasks"][0],
        &["id", "run_id", "workflow_id", "workflow_name", "step_id", "task_type", "payload", "created_at"],
    );
    assert_eq!(open["tasks"][0]["payload"]["title"], "Post it?");
    let inbox = reader.api.get("/v1/tasks/pending").await.expect(200);
    assert!(inbox["tasks"].as_array().unwrap().iter().any(|task| task["run_id"] == *run), "{inbox:#}");
    let answer = json!({ "approved": true, "result": { "comment_body": "edited" } });
    let complete = format!("{of_run}/tasks/approve-review/complete");
    let done = reader.api.post(&complete, &answer).await.expect(200);
    assert_eq!(done, json!({ "status": "completed", "task_id": "approve-review", "approved": true }));
    reader.api.post(&complete, &json!({ "approved": true })).await.refused(409, "TASK_CLOSED");
    reader.app.work().await;
    let context = reader.api.get(&format!("{of_run}/context")).await.expect(200);
    assert_eq!(context["steps"]["post"]["result"]["comment_body"], "edited", "{context:#}");
    assert_eq!(context["steps"]["post"]["result"]["approved"], true, "the result always says so");
}

pub(super) async fn failures_in_events(reader: &Reader) {
    let fails = graph([
        lua("bad", "error('no such order')"),
        lua_after("after", &["bad"], "return {}"),
        json!({ "id": "off", "type": "lua_script", "enabled": false, "script": "return {}" }),
    ]);
    let workflow = reader.acme.publish(&fails).await;
    let run = reader.acme.start(&workflow, json!({})).await;
    reader.app.work().await;
    let events =
        reader.api.get(&format!("/v1/workflows/{workflow}/runs/{run}/events?limit=100")).await.expect(200);
    let events = events["events"].as_array().unwrap().clone();
    let of_step = |step: &str, kind: &str| {
        let event = events.iter().find(|event| event["step_id"] == step && event["event_type"] == kind);
        event.unwrap_or_else(|| panic!("no {kind} of {step} in {events:#?}")).clone()
    };
    assert!(of_step("bad", "step_failed")["data"].to_string().contains("no such order"));
    for (step, reason) in [("after", "blocked"), ("off", "step_disabled")] {
        let skipped = of_step(step, "step_completed");
        assert_eq!(
            (&skipped["data"]["skipped"], &skipped["data"]["reason"]),
            (&json!(true), &json!(reason)),
            "{step}"
        );
    }
}

pub(super) async fn recover_a_run(reader: &Reader) {
    let steps =
        |script: &str| graph([lua("first", "return { n = 1 }"), lua_after("second", &["first"], script)]);
    let workflow = reader.acme.publish(&steps("error('down')")).await;
    let failed = reader.acme.start(&workflow, json!({ "q": 1 })).await;
    reader.app.work().await;
    let path = format!("/v1/workflows/{workflow}");
    let retried =
        reader.api.post(&format!("{path}/runs/{failed}/retry"), &json!({ "from_step_id": "second" })).await;
    has(&retried.expect(200), &["run_id", "status"]);
    reader.app.work().await;
    reader
        .api
        .patch(&path, &json!({ "graph": steps("return { n = steps.first.result.n + 1 }") }))
        .await
        .expect(200);
    reader.api.post(&format!("{path}/versions"), &json!({})).await.expect(201);
    let resume =
        json!({ "command": "start", "params": { "resume_from_run_id": failed, "from_step_id": "second" } });
    let resumed = reader.api.post(&format!("{path}/command"), &resume).await.expect(200);
    reader.app.work().await;
    let run = reader.api.get(&format!("{path}/runs/{}", text(&resumed, "run_id"))).await.expect(200);
    assert_eq!(
        (&run["status"], &run["outputs"]["second"]),
        (&json!("completed"), &json!({ "n": 2 })),
        "{run:#}"
    );
}
