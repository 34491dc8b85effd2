//! Pause, resume, stop and retry, in every state a run can be in; and going on in a new run.

use std::time::Duration;

use it::{Run, TestApp, Workspace, graph, human, lua, lua_after, with};
use serde_json::{Value, json};
use shared::clock::{Clock, Timestamp};

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

/// A run that waits for a person, with a step after it.
async fn waiting(app: &TestApp, acme: &Workspace) -> Run {
    let graph = graph([human("ask", &[]), lua_after("post", &["ask"], "return {}")]);
    let run = acme.begin(&graph, json!({})).await;
    app.work().await;
    run
}

#[tokio::test]
async fn nothing_new_starts_in_a_paused_run_until_it_is_resumed() {
    let (app, acme) = acme().await;
    let run = waiting(&app, &acme).await;
    let paused = json!({ "run_id": run.id, "status": "paused", "workflow_id": run.workflow });
    assert_eq!(run.pause().await, paused);
    assert_eq!(run.pause().await, paused, "it has taken effect already");
    assert_eq!(run.summary().await["orchestration_phase"], "paused");
    run.approve("ask").await;
    app.work().await;
    app.pass(Duration::from_secs(3600)).await;
    assert_eq!(run.outcomes().await, ["ask completed", "post pending"], "what was under way is committed");
    assert_eq!(run.resume().await["status"], "running");
    app.work().await;
    assert_eq!(run.status().await, "completed");
    let story = run.story().await;
    let changes: Vec<&String> = story.iter().filter(|line| line.starts_with("state_changed")).collect();
    assert_eq!(
        changes,
        ["state_changed running", "state_changed paused", "state_changed running", "state_changed completed"]
    );
}

#[tokio::test]
async fn a_pause_costs_nothing_and_does_not_use_up_anybodys_time() {
    let (app, acme) = acme().await;
    let ask = with(human("ask", &[]), &json!({ "timeout_s": 600 }));
    let run = acme.begin(&graph([ask]), json!({})).await;
    app.work().await;
    app.pass(Duration::from_secs(300)).await;
    run.pause().await;
    app.state.clock.advance(Duration::from_secs(86_400));
    assert_eq!(sweep::sweep(&app.state, app.state.clock.now()).await.unwrap(), 0, "nothing is due");
    run.resume().await;
    let expires_at = run.step("ask").await["expires_at"].clone();
    assert_eq!(expires_at, "2026-09-22T14:23:20.000Z", "600 s and a day after it was put");
    assert_eq!(run.tasks().await[0]["expires_at"], expires_at, "the person who is asked sees that too");
    app.pass(Duration::from_secs(200)).await;
    assert_eq!(run.status().await, "running");
    app.pass(Duration::from_secs(200)).await;
    assert_eq!(run.view().await["failure_code"], "HUMAN_TASK_FAILED");
}

#[tokio::test]
async fn a_stop_is_at_once_and_final() {
    let (app, acme) = acme().await;
    for paused in [false, true] {
        let run = waiting(&app, &acme).await;
        if paused {
            run.pause().await;
        }
        assert_eq!(run.stop().await["status"], "stopped");
        assert_eq!(run.stop().await["status"], "stopped", "it has taken effect already");
        let view = run.view().await;
        assert_eq!((&view["failure_code"], &view["status"]), (&json!("RUN_STOPPED"), &json!("stopped")));
        assert_eq!(run.outcomes().await, ["ask cancelled", "post blocked"]);
        run.answer("ask", &json!({ "approved": true })).await.refused(409, "TASK_CLOSED");
        run.command("pause", None).await.refused(409, "RUN_STATE");
        run.command("resume", None).await.refused(409, "RUN_STATE");
        let events = run.events().await;
        let cancelled = events.iter().find(|event| event["event_type"] == "step_cancelled").unwrap();
        assert_eq!(cancelled["data"], json!({ "cancelled": true, "reason": "run_stopped" }));
        app.pass(Duration::from_secs(3600)).await;
        assert_eq!(run.events().await.len(), events.len(), "terminal is final");
    }
}

#[tokio::test]
async fn a_graceful_stop_waits_for_what_is_under_way() {
    let (app, acme) = acme().await;
    let run = waiting(&app, &acme).await;
    assert_eq!(run.stop_gracefully().await["status"], "draining");
    assert_eq!(run.stop_gracefully().await["status"], "draining", "it has taken effect already");
    assert_eq!(run.summary().await["orchestration_phase"], "draining");
    run.command("pause", None).await.refused(409, "RUN_STATE");
    run.command("resume", None).await.refused(409, "RUN_STATE");
    run.approve("ask").await;
    assert_eq!(run.status().await, "stopped");
    assert_eq!(run.outcomes().await, ["ask completed", "post blocked"]);
    assert_eq!(run.view().await["failure_code"], "RUN_STOPPED");
}

#[tokio::test]
async fn a_drain_ends_after_fifteen_minutes_or_by_an_immediate_stop() {
    let (app, acme) = acme().await;
    let run = waiting(&app, &acme).await;
    run.stop_gracefully().await;
    app.pass(Duration::from_secs(14 * 60)).await;
    assert_eq!(run.status().await, "draining");
    app.pass(Duration::from_secs(70)).await;
    let view = run.view().await;
    assert_eq!((&view["status"], &view["failure_code"]), (&json!("stopped"), &json!("DRAIN_TIMEOUT")));
    let run = waiting(&app, &acme).await;
    run.stop_gracefully().await;
    assert_eq!(run.stop().await["status"], "stopped");
    let idle = acme.begin(&graph([lua("a", "return {}")]), json!({})).await;
    assert_eq!(idle.stop_gracefully().await["status"], "stopped", "nothing is under way");
}

#[tokio::test]
async fn commands_that_do_not_fit_say_which_state_they_met() {
    let (app, acme) = acme().await;
    let run = acme.begin(&graph([lua("a", "return {}")]), json!({})).await;
    assert_eq!(run.resume().await["status"], "running", "it is running already");
    run.retry(&json!({})).await.refused(409, "RUN_STATE");
    app.work().await;
    for command in ["pause", "resume", "stop"] {
        let refused = run.command(command, None).await.refused(409, "RUN_STATE");
        assert!(refused["error"].as_str().unwrap().contains("completed"), "{refused:#}");
    }
    run.retry(&json!({})).await.refused(409, "RUN_STATE");
    let path = format!("/v1/workflows/{}/command", run.workflow);
    for params in [
        json!({}),
        json!({ "run_id": "x" }),
        json!({ "run_id": run.id, "mode": "later" }),
        json!({ "run_id": run.id, "colour": 1 }),
    ] {
        let body = json!({ "command": "stop", "params": params });
        acme.client.post(&path, &body).await.refused(422, "INVALID_REQUEST");
    }
    let nobody = json!({ "command": "stop", "params": { "run_id": "0199c1f0-5a00-7000-8000-000000000001" } });
    acme.client.post(&path, &nobody).await.refused(404, "NOT_FOUND");
}

/// Fails until the input says that it is mended; the input of a run never changes, so a retry fails again.
fn failing() -> Value {
    graph([
        lua("a", "return { n = 1 }"),
        lua_after(
            "b",
            &["a"],
            "if not input.mended then error('broken') end return { n = steps.a.result.n + 1 }",
        ),
        lua_after("c", &["b"], "return { n = steps.b.result.n + 1 }"),
    ])
}

#[tokio::test]
async fn a_retry_goes_on_in_the_same_run_from_where_it_failed() {
    let (app, acme) = acme().await;
    let run = acme.begin(&failing(), json!({})).await;
    app.work().await;
    assert_eq!(run.outcomes().await, ["a completed", "b failed", "c blocked"]);
    let answer = run.retry(&json!({})).await.expect(200);
    assert_eq!(answer, json!({ "run_id": run.id, "status": "running", "workflow_id": run.workflow }));
    app.work().await;
    assert_eq!(run.status().await, "failed");
    assert_eq!(run.step("b").await["attempt"], 2, "the log tells the attempts apart");
    let started = run.story().await.iter().filter(|line| *line == "step_started a").count();
    assert_eq!(started, 1, "what was settled is not executed again");
    run.retry(&json!({ "from_step_id": "a" })).await.expect(200);
    app.work().await;
    let started = run.story().await.iter().filter(|line| *line == "step_started a").count();
    assert_eq!(started, 2);
    run.retry(&json!({ "from_step_id": "nope" })).await.refused(422, "INVALID_REQUEST");
    run.retry(&json!({ "from_step_id": "c" })).await.refused(422, "INVALID_REQUEST");
    run.retry(&json!({ "colour": 1 })).await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_stopped_run_can_be_retried_and_its_task_is_put_again() {
    let (app, acme) = acme().await;
    let run = waiting(&app, &acme).await;
    run.stop().await;
    run.retry(&json!({})).await.expect(200);
    app.work().await;
    assert_eq!(run.tasks().await.len(), 1);
    run.approve("ask").await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
    assert_eq!(run.view().await["failure_code"], Value::Null);
}

#[tokio::test]
async fn a_new_run_takes_over_what_another_had_settled() {
    let (app, acme) = acme().await;
    let failed = acme.begin(&failing(), json!({ "k": 1 })).await;
    app.work().await;
    let resume = |more: Value| {
        let mut params = json!({ "resume_from_run_id": failed.id });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let run = acme.begin_again(&failed.workflow, resume(json!({ "mended": true }))).await;
    app.work().await;
    assert_eq!(run.status().await, "completed", "{:#}", run.view().await);
    assert_eq!(run.result("c").await, json!({ "n": 3 }));
    let events = run.events().await;
    assert_eq!(events[0]["data"]["resumed_from_run_id"], json!(failed.id));
    let reused = events.iter().find(|event| event["step_id"] == "a").unwrap();
    assert_eq!((&reused["event_type"], &reused["data"]["reused"]), (&json!("step_completed"), &json!(true)));
    assert!(!run.story().await.contains(&"step_started a".to_owned()));
    let again = acme.begin_again(&failed.workflow, resume(json!({}))).await;
    app.work().await;
    let context = acme.client.get(&again.path("/context")).await.expect(200);
    assert_eq!(context["input"], json!({ "k": 1 }), "without an input of its own it has the other's");
    let from_a = resume(json!({ "from_step_id": "a", "trigger_payload": { "mended": true } }));
    let run = acme.begin_again(&failed.workflow, from_a).await;
    app.work().await;
    assert!(run.story().await.contains(&"step_started a".to_owned()));
    let refused = [
        (json!({ "from_step_id": "c" }), 422, "INVALID_REQUEST"),
        (json!({ "from_step_id": "nope" }), 422, "INVALID_REQUEST"),
        (json!({ "resume_from_run_id": "nope" }), 422, "INVALID_REQUEST"),
        (json!({ "resume_from_run_id": "0199c1f0-5a00-7000-8000-000000000001" }), 404, "NOT_FOUND"),
        (json!({ "resume_from_run_id": run.id }), 409, "RUN_NOT_RECOVERABLE"),
    ];
    for (more, status, code) in refused {
        acme.command_start(&failed.workflow, resume(more)).await.refused(status, code);
    }
    let alone = json!({ "from_step_id": "a" });
    acme.command_start(&failed.workflow, alone).await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_mended_version_goes_on_from_the_step_that_was_changed() {
    let (app, acme) = acme().await;
    let failed = acme.begin(&failing(), json!({})).await;
    app.work().await;
    let mut mended = failing();
    mended["steps"][1]["script"] = json!("return { n = 10 }");
    let path = format!("/v1/workflows/{}", failed.workflow);
    acme.client.patch(&path, &json!({ "graph": mended })).await.expect(200);
    acme.client.post(&format!("{path}/versions"), &json!({})).await.expect(201);
    let run = acme.begin_again(&failed.workflow, json!({ "resume_from_run_id": failed.id })).await;
    app.work().await;
    assert_eq!((run.view().await["version"].clone(), run.result("c").await), (json!(2), json!({ "n": 11 })));
    assert!(!run.story().await.contains(&"step_started a".to_owned()));
}

#[tokio::test]
async fn much_that_is_taken_over_is_read_back_as_it_was() {
    let (app, acme) = acme().await;
    let big = "return { text = string.rep(run.run_id, 8000) }";
    let mut steps: Vec<Value> = (0..6).map(|at| lua(&format!("big{at}"), big)).collect();
    let all = "if not input.ok then error('no') end local n = 0 for _, s in pairs(steps) do n = n + #s.result.text end return { n = n }";
    steps.push(lua_after("sum", &["big0", "big1", "big2", "big3", "big4", "big5"], all));
    let failed = acme.begin(&graph(steps), json!({})).await;
    app.work().await;
    let params = json!({ "resume_from_run_id": failed.id, "ok": true });
    let run = acme.begin_again(&failed.workflow, params).await;
    app.work().await;
    assert_eq!(run.result("sum").await, json!({ "n": 6 * 36 * 8000 }), "{:#}", run.view().await);
    assert_eq!(run.result("big3").await, failed.result("big3").await);
    let seqs: Vec<u64> = run.events().await.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn completing_a_terminal_step_leaves_out_what_has_not_started() {
    let (app, acme) = acme().await;
    let steps = graph([
        with(lua("answer", "return {}"), &json!({ "terminal": true })),
        with(lua("gated", "return {}"), &json!({ "no_auto_start": true })),
        human("ask", &[]),
        lua_after("later", &["ask"], "return {}"),
    ]);
    let run = acme.begin(&steps, json!({})).await;
    app.work().await;
    assert_eq!(run.outcomes().await[0], "answer completed");
    assert_eq!(run.outcomes().await[3], "later out_of_scope");
}
