//! Pause, resume, stop and retry, in every state a run can be in; and going on in a new run.

use std::time::Duration;

use it::{Run, TestApp, Workspace, graph, human, lua, lua_after, with};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

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
    assert_eq!(shared::worker::sweep(&app.state, app.state.clock.now()).await.unwrap(), 0, "nothing is due");
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

/// `a` fails until `mended` is there, then `b` wants a number; both say what they saw.
fn mended_by_input() -> Value {
    let mut graph = graph([
        lua("first", "return { n = input.n }"),
        lua_after("a", &["first"], "if not input.mended then error('broken') end return { input = input }"),
        lua_after("b", &["a"], "if input.n < 10 then error('too few') end return { input = input }"),
    ]);
    graph["input_schema"] = json!({ "type": "object", "required": ["n"],
        "properties": { "n": { "type": "integer" }, "unit": { "type": "string", "default": "kg" } } });
    graph
}

#[tokio::test]
async fn a_retry_lays_its_input_over_the_runs_for_the_steps_that_are_executed_again() {
    let (app, acme) = acme().await;
    // Inputs in the run's row and in rows of their own, at the start and afterwards.
    for (before, after) in [("", ""), ("", "long"), ("long", ""), ("long", "long")] {
        let text = |kind: &str| kind.repeat(2000);
        let params = json!({ "trigger_payload": { "n": 1, "text": text(before), "gone": "here", "id": 9_007_199_254_740_993_u64 },
                             "trigger_steps": { "b": { "of_step": true } } });
        let run = acme.begin(&mended_by_input(), params).await;
        app.work().await;
        assert_eq!(run.outcomes().await, ["first completed", "a failed", "b blocked"]);
        let overlay = json!({ "mended": true, "text": text(after), "gone": null, "deep": { "x": [1] } });
        run.retry(&json!({ "input": overlay })).await.expect(200);
        app.work().await;
        assert_eq!(run.outcomes().await, ["first completed", "a completed", "b failed"]);
        // A later retry keeps what an earlier one brought.
        run.retry(&json!({ "input": { "n": 10 } })).await.expect(200);
        app.work().await;
        let now = json!({ "n": 10, "text": text(after), "gone": null, "id": 9_007_199_254_740_993_u64,
                          "unit": "kg", "mended": true, "deep": { "x": [1] } });
        let mut of_b = now.clone();
        of_b["of_step"] = json!(true);
        let context = run.context().await;
        assert_eq!((&context["input"], &context["steps"]["b"]["result"]["input"]), (&now, &of_b));
        assert_eq!(
            context["steps"]["first"]["result"],
            json!({ "n": 1 }),
            "what was settled is not executed again"
        );
        assert_eq!(context["steps"]["a"]["result"]["input"]["n"], 1);
        let retried: Vec<Value> =
            run.events().await.into_iter().filter(|e| e["data"]["reason"] == "retried").collect();
        assert_eq!(retried[0]["data"]["input_keys"], json!(["deep", "gone", "mended", "text"]));
        assert_eq!(retried[1]["data"]["input_keys"], json!(["n"]));
    }
}

#[tokio::test]
async fn a_retry_with_an_input_that_cannot_be_taken_changes_nothing() {
    let (app, acme) = acme().await;
    let run = acme.begin(&mended_by_input(), json!({ "n": 1, "text": "x".repeat(600_000) })).await;
    app.work().await;
    let events = run.events().await.len();
    let refused =
        run.retry(&json!({ "input": { "n": "ten", "mended": true } })).await.refused(422, "INVALID_REQUEST");
    assert_eq!(refused["issues"][0]["json_path"], "$.n", "{refused:#}");
    assert!(refused["error"].as_str().unwrap().starts_with("input: "), "{refused:#}");
    let refused =
        run.retry(&json!({ "input": { "more": "x".repeat(600_000) } })).await.refused(422, "INVALID_REQUEST");
    assert!(refused["error"].as_str().unwrap().contains("1048576"), "{refused:#}");
    for wrong in [json!([1]), json!("n"), json!(1)] {
        let refused = run.retry(&json!({ "input": wrong })).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains("field input: "), "{refused:#}");
    }
    assert_eq!((run.status().await.as_str(), run.events().await.len()), ("failed", events));
    assert_eq!(run.context().await["input"]["n"], 1);
    // Null is what clients write for what they do not use, and an empty object changes nothing.
    run.retry(&json!({ "input": null, "from_step_id": null })).await.expect(200);
    app.work().await;
    run.retry(&json!({ "input": {}, "from_step_id": "first" })).await.expect(200);
    run.retry(&json!({ "input": { "n": 2 } })).await.refused(409, "RUN_STATE");
    app.work().await;
    assert_eq!(run.context().await["steps"]["first"]["result"], json!({ "n": 1 }));
    run.retry(&json!({ "input": { "n": 2 }, "from_step_id": "first" })).await.expect(200);
    app.work().await;
    assert_eq!(run.context().await["steps"]["first"]["result"], json!({ "n": 2 }));
}

#[tokio::test]
async fn of_retries_at_the_same_time_one_brings_its_input() {
    let (app, acme) = acme().await;
    let run = acme.begin(&mended_by_input(), json!({ "n": 1, "text": "x".repeat(3000) })).await;
    app.work().await;
    let retry = |key: &str| {
        let (run, body) = (run.clone(), json!({ "input": { key: "y".repeat(3000) } }));
        async move { run.retry(&body).await }
    };
    let answers = tokio::join!(retry("one"), retry("two"));
    let won = match (answers.0.status.as_u16(), answers.1.status.as_u16()) {
        (200, 409) => ("one", "two"),
        (409, 200) => ("two", "one"),
        others => panic!("{others:?}"),
    };
    let input = run.context().await["input"].clone();
    assert_eq!((input[won.0].as_str().map(str::len), input.get(won.1)), (Some(3000), None));
    app.work().await;
    assert_eq!(run.outcomes().await, ["first completed", "a failed", "b blocked"]);
}

#[tokio::test]
async fn a_run_that_goes_on_from_a_retried_one_takes_its_input_as_it_is_now() {
    let (app, acme) = acme().await;
    let run = acme.begin(&mended_by_input(), json!({ "n": 1 })).await;
    app.work().await;
    let retry = json!({ "input": { "mended": true } });
    let path = run.path("/retry");
    let keyed = acme.client.with("idempotency-key", "retry-1");
    let first = keyed.post(&path, &retry).await.expect(200);
    app.work().await;
    assert_eq!(run.status().await, "failed");
    let again = keyed.post(&path, &retry).await.expect(200);
    assert_eq!(
        (first, run.status().await.as_str()),
        (again, "failed"),
        "the answer is repeated, not the retry"
    );
    let params = json!({ "resume_from_run_id": run.id });
    let other = acme.begin_again(&run.workflow, params).await;
    app.work().await;
    assert_eq!(other.context().await["input"], json!({ "n": 1, "unit": "kg", "mended": true }));
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
