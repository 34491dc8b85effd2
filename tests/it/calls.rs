//! `workflow_call`: child runs, what comes back from them, and what becomes of them when nobody waits any more.

use std::time::Duration;

use it::{Run, TestApp, Workspace, call, for_each, graph, human, lua, lua_after, with};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

/// The child that a step waits for.
async fn child(parent: &Run, step: &str, workflow: &str) -> Run {
    let id = parent.step(step).await["child_run_id"].as_str().expect("a child").to_owned();
    parent.owner.known_run(workflow, &id)
}

#[tokio::test]
async fn a_child_run_gets_its_input_and_gives_back_its_outputs() {
    let (app, acme) = acme().await;
    let shout =
        graph([lua("a", "return { text = input.text .. '!' }"), lua_after("b", &["a"], "return { n = 1 }")]);
    let child_workflow = acme.publish(&shout).await;
    let mut named = call("named", &[], &child_workflow, &json!({ "text": "{{ input.word }}" }));
    named["output_from"] = json!("a");
    let run = acme
        .begin(
            &graph([named, call("plain", &["named"], &child_workflow, &json!({ "text": "x" }))]),
            json!({ "word": "hello" }),
        )
        .await;
    app.work().await;
    assert_eq!(run.status().await, "completed", "{:#}", run.view().await);
    let named = run.result("named").await;
    assert_eq!((&named["status"], &named["output"]), (&json!("completed"), &json!({ "text": "hello!" })));
    assert_eq!(run.result("plain").await["output"], json!({ "b": { "n": 1 } }));
    let child = acme.known_run(&child_workflow, named["child_run_id"].as_str().unwrap()).view().await;
    assert_eq!((&child["parent_run_id"], &child["status"]), (&json!(run.id), &json!("completed")));
}

#[tokio::test]
async fn a_step_that_does_not_wait_goes_on_at_once() {
    let (app, acme) = acme().await;
    let child_workflow = acme.publish(&graph([human("ask", &[])])).await;
    let call = with(call("go", &[], &child_workflow, &json!({})), &json!({ "wait": false }));
    let run = acme.begin(&graph([call]), json!({})).await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
    let result = run.result("go").await;
    assert_eq!(result["status"], "running");
    let child = acme.known_run(&child_workflow, result["child_run_id"].as_str().unwrap());
    assert_eq!(child.summary().await["orchestration_phase"], "awaiting_human");
}

#[tokio::test]
async fn a_child_that_fails_or_is_stopped_fails_its_step() {
    let (app, acme) = acme().await;
    let bad = acme.publish(&graph([lua("a", "error('broken')")])).await;
    let run = acme.begin(&graph([call("go", &[], &bad, &json!({}))]), json!({})).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!(view["failure_code"], "CHILD_RUN_FAILED");
    assert!(view["error"].as_str().unwrap().contains("broken"), "{view:#}");
    let ask = acme.publish(&graph([human("ask", &[])])).await;
    let run = acme.begin(&graph([call("go", &[], &ask, &json!({}))]), json!({})).await;
    app.work().await;
    assert_eq!(run.step("go").await["status"], "waiting");
    child(&run, "go", &ask).await.stop().await;
    app.work().await;
    let view = run.view().await;
    assert_eq!(view["failure_code"], "CHILD_RUN_FAILED");
    assert!(view["error"].as_str().unwrap().contains("RUN_STOPPED"), "{view:#}");
}

#[tokio::test]
async fn a_child_that_cannot_be_started_fails_its_step_with_the_reason() {
    let (app, acme) = acme().await;
    let draft = acme.create(&graph([lua("a", "return {}")])).await;
    let mut strict = graph([lua("a", "return {}")]);
    strict["input_schema"] = json!({ "type": "object", "required": ["x"] });
    let strict = acme.publish(&strict).await;
    for (workflow, why) in [(draft, "no published version"), (strict, "input_schema")] {
        let run = acme.begin(&graph([call("go", &[], &workflow, &json!({}))]), json!({})).await;
        app.work().await;
        let view = run.view().await;
        assert_eq!(view["failure_code"], "CHILD_RUN_FAILED");
        assert!(view["error"].as_str().unwrap().contains(why), "{why}: {view:#}");
    }
}

#[tokio::test]
async fn a_stop_is_passed_on_to_children_and_their_children() {
    let (app, acme) = acme().await;
    let inner = acme.publish(&graph([human("ask", &[])])).await;
    let middle = acme.publish(&graph([call("inner", &[], &inner, &json!({}))])).await;
    let run = acme.begin(&graph([call("middle", &[], &middle, &json!({}))]), json!({})).await;
    app.work().await;
    let middle = child(&run, "middle", &middle).await;
    let inner = child(&middle, "inner", &inner).await;
    assert_eq!(run.stop().await["status"], "stopped");
    app.work().await;
    assert_eq!([middle.status().await, inner.status().await], ["stopped", "stopped"]);
    assert_eq!(acme.client.get("/v1/tasks/pending").await.expect(200)["tasks"], json!([]));
}

#[tokio::test]
async fn a_failure_elsewhere_and_a_timeout_stop_the_child_too() {
    let (app, acme) = acme().await;
    let ask = acme.publish(&graph([human("ask", &[])])).await;
    let run = acme
        .begin(
            &graph([
                call("go", &[], &ask, &json!({})),
                human("first", &[]),
                lua_after("bad", &["first"], "error('x')"),
            ]),
            json!({}),
        )
        .await;
    app.work().await;
    let waiting = child(&run, "go", &ask).await;
    run.approve("first").await;
    app.work().await;
    assert_eq!([run.status().await, waiting.status().await], ["failed", "stopped"]);
    assert_eq!(run.outcomes().await[0], "go cancelled");
    let slow = with(call("go", &[], &ask, &json!({})), &json!({ "timeout_s": 60 }));
    let run = acme.begin(&graph([slow]), json!({})).await;
    app.work().await;
    let waiting = child(&run, "go", &ask).await;
    app.pass(Duration::from_secs(130)).await;
    assert_eq!(run.view().await["failure_code"], "STEP_TIMEOUT");
    assert_eq!(waiting.status().await, "stopped");
}

#[tokio::test]
async fn workflows_that_call_each_other_in_a_circle_are_caught() {
    let (app, acme) = acme().await;
    let a = acme.create(&graph([lua("x", "return {}")])).await;
    let b = acme.publish(&graph([call("a", &[], &a, &json!({}))])).await;
    let graph_a = json!({ "graph": graph([call("b", &[], &b, &json!({}))]) });
    acme.client.patch(&format!("/v1/workflows/{a}"), &graph_a).await.expect(200);
    acme.client.post(&format!("/v1/workflows/{a}/versions"), &json!({})).await.expect(201);
    let run = acme.begin_again(&a, json!({})).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!(view["failure_code"], "CHILD_RUN_FAILED");
    assert!(view["error"].as_str().unwrap().contains("circle"), "{view:#}");
}

#[tokio::test]
async fn calls_nest_eight_deep_and_no_deeper() {
    let (app, acme) = acme().await;
    let mut workflow = acme.publish(&graph([lua("end", "return { deep = true }")])).await;
    for _ in 0..8 {
        workflow = acme.publish(&graph([call("next", &[], &workflow, &json!({}))])).await;
    }
    let run = acme.begin_again(&workflow, json!({})).await;
    app.work().await;
    assert_eq!(run.status().await, "completed", "{:#}", run.view().await);
    let deeper = acme.publish(&graph([call("next", &[], &workflow, &json!({}))])).await;
    let run = acme.begin_again(&deeper, json!({})).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!(view["status"], "failed");
    assert!(view["error"].as_str().unwrap().contains("more than 8 deep"), "{view:#}");
}

#[tokio::test]
async fn items_may_call_workflows_and_wait_side_by_side() {
    let (app, acme) = acme().await;
    let ask =
        acme.publish(&graph([human("ask", &[]), lua_after("b", &["ask"], "return { n = input.n }")])).await;
    let body = [
        call("go", &[], &ask, &json!({ "n": "{{ item }}" })),
        lua("read", "return { n = body.go.output.b.n, key = steps.go.input.input.n }"),
    ];
    let each = with(for_each("each", &json!([7, 8, 9]), &body), &json!({ "for_each_max_parallel": 2 }));
    let run = acme.begin(&graph([each]), json!({})).await;
    app.work().await;
    for left in [2, 2, 1] {
        let inbox = acme.client.get("/v1/tasks/pending").await.expect(200)["tasks"].clone();
        assert_eq!(inbox.as_array().unwrap().len(), left);
        let oldest = inbox.as_array().unwrap().last().unwrap().clone();
        acme.known_run(&ask, oldest["run_id"].as_str().unwrap()).approve("ask").await;
        app.work().await;
    }
    let results = run.result("each").await["results"].clone();
    let read: Vec<&Value> = results.as_array().unwrap().iter().map(|round| &round["result"]).collect();
    assert_eq!(
        read,
        [&json!({ "n": 7, "key": 7 }), &json!({ "n": 8, "key": 8 }), &json!({ "n": 9, "key": 9 })]
    );
}

#[tokio::test]
async fn a_parent_whose_childs_message_was_lost_looks_for_itself() {
    let (app, acme) = acme().await;
    let ask = acme.publish(&graph([human("ask", &[])])).await;
    let run = acme.begin(&graph([call("go", &[], &ask, &json!({}))]), json!({})).await;
    app.work().await;
    child(&run, "go", &ask).await.approve("ask").await;
    app.lose_messages();
    assert_eq!(run.status().await, "running");
    app.pass(Duration::from_secs(16 * 60)).await;
    assert_eq!(run.status().await, "completed");
}

#[tokio::test]
async fn a_parent_whose_child_takes_days_is_looked_at_ever_more_rarely() {
    let (app, acme) = acme().await;
    let ask = acme.publish(&graph([human("ask", &[])])).await;
    let calls = with(call("go", &[], &ask, &json!({})), &json!({ "timeout_s": 30 * 86_400 }));
    let run = acme.begin(&graph([calls]), json!({})).await;
    app.work().await;
    let mut looks = 0;
    for _ in 0..2 * 24 * 6 {
        app.state.clock.advance(Duration::from_secs(600));
        looks += shared::worker::sweep(&app.state, app.state.clock.now()).await.unwrap();
        app.work().await;
    }
    assert!((5..=16).contains(&looks), "{looks} looks in two days");
    child(&run, "go", &ask).await.approve("ask").await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
}

#[tokio::test]
async fn a_call_of_nothing_or_of_itself_is_refused_before_it_runs() {
    let (_app, acme) = acme().await;
    let stranger = "0199c1f0-5a00-7000-8000-000000000001";
    let workflow = acme.create(&graph([call("go", &[], stranger, &json!({}))])).await;
    let path = format!("/v1/workflows/{workflow}");
    let codes = async || {
        let report = acme.client.post(&format!("{path}/validate"), &json!({})).await.expect(200);
        report["issues"].as_array().unwrap().iter().map(|issue| issue["code"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(codes().await, ["called_workflow_not_found"]);
    acme.client.post(&format!("{path}/versions"), &json!({})).await.refused(422, "GRAPH_INVALID");
    let own = json!({ "graph": graph([call("go", &[], &workflow, &json!({}))]) });
    acme.client.patch(&path, &own).await.expect(200);
    assert_eq!(codes().await, ["workflow_calls_itself"]);
    let draft = acme.create(&graph([lua("a", "return {}")])).await;
    let other = json!({ "graph": graph([call("go", &[], &draft, &json!({}))]) });
    acme.client.patch(&path, &other).await.expect(200);
    assert_eq!(codes().await, ["called_workflow_not_published"], "a warning");
    acme.client.post(&format!("{path}/versions"), &json!({})).await.expect(201);
}
