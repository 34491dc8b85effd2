//! How runs advance: what runs side by side, what is skipped and why, how failures end a run, what is tried
//! again.

use std::time::Duration;

use it::{TestApp, Workspace, graph, lua, lua_after};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

/// Longer than a test may take; whoever needs it is cancelled.
const ENDLESS: &str = "while true do end";
const BUSY: &str = "local n = 0 for i = 1, 400000 do n = n + i % 7 end return { n = n }";

fn with(mut step: Value, fields: Value) -> Value {
    let Value::Object(fields) = fields else { panic!("no object: {fields}") };
    for (key, value) in fields {
        step[key] = value;
    }
    step
}

fn step<'a>(run: &'a Value, id: &str) -> &'a Value {
    run["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap()
}

/// `status`, or the reason of a skipped step, in the graph's order.
fn outcomes(run: &Value) -> Vec<&str> {
    let steps = run["steps"].as_array().unwrap().iter();
    steps.map(|step| step["reason"].as_str().or(step["status"].as_str()).unwrap()).collect()
}

/// Events as `type step`, in order.
fn story(events: &[Value]) -> Vec<String> {
    let line = |event: &Value| {
        let step = event["step_id"].as_str().unwrap_or("run");
        format!("{} {step}", event["event_type"].as_str().unwrap())
    };
    events.iter().map(line).collect()
}

fn find<'a>(events: &'a [Value], event_type: &str, id: &str) -> &'a Value {
    let is_it = |event: &&Value| event["event_type"] == event_type && event["step_id"] == id;
    events.iter().find(is_it).unwrap_or_else(|| panic!("no {event_type} of {id} in {events:#?}"))
}

async fn now(acme: &Workspace, workflow: &str, run: &str) -> Value {
    acme.client.get(&format!("/v1/workflows/{workflow}/runs/{run}")).await.expect(200)
}

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

#[tokio::test]
async fn the_branches_of_a_diamond_run_side_by_side() {
    let (_app, acme) = acme().await;
    let graph = graph([
        lua("a", "return { go = true, n = 2 }"),
        with(
            lua_after("b", &["a"], BUSY),
            json!({ "condition": "{{ steps.a.result.missing | steps.a.result.go }}" }),
        ),
        with(lua_after("c", &["a"], BUSY), json!({ "condition": "{{ steps.a.result.n }} >= 2" })),
        with(
            lua_after("d", &["b", "c"], "return { n = steps.b.result.n }"),
            json!({ "skip_when": "{{ input.skip | false }}" }),
        ),
        lua_after("e", &["d"], "return { same = steps.d.result.n ~= nil }"),
    ]);
    let run = acme.run(&graph, json!({})).await;
    assert_eq!(run["status"], "completed", "{run:#}");
    assert_eq!(outcomes(&run), ["completed"; 5]);
    assert_eq!(run["outputs"], json!({ "e": { "same": true } }));
    let time = |id: &str, key: &str| step(&run, id)[key].as_str().unwrap().to_owned();
    assert!(
        time("b", "started_at") <= time("c", "ended_at") && time("c", "started_at") <= time("b", "ended_at")
    );
    let story = story(&acme.events(&run).await);
    let at = |line: &str| story.iter().position(|told| told == line).unwrap();
    let first_end = at("step_completed b").min(at("step_completed c"));
    assert!(at("step_started b").max(at("step_started c")) < first_end, "{story:?}");
    assert!(at("step_completed a") < at("step_started b").min(at("step_started c")));
    assert!(at("step_started d") > at("step_completed b").max(at("step_completed c")));
}

#[tokio::test]
async fn a_skipped_step_says_why_and_lets_its_dependants_go_on() {
    let (_app, acme) = acme().await;
    let graph = graph([
        with(lua("off", "error('never')"), json!({ "enabled": false })),
        with(lua_after("unmet", &["off"], "error('never')"), json!({ "condition": "{{ input.no }}" })),
        with(lua_after("skipped", &["unmet"], "error('never')"), json!({ "skip_when": "{{ input.yes }}" })),
        with(
            lua_after("both", &["skipped"], "error('never')"),
            json!({ "condition": "{{ input.yes }}", "skip_when": "{{ input.yes }}" }),
        ),
        with(
            lua_after("off_first", &["both"], "error('never')"),
            json!({ "enabled": false, "condition": "{{ input.no }}" }),
        ),
        lua_after(
            "last",
            &["off", "off_first"],
            "return { off = steps.off.status, result = steps.off.result == nil }",
        ),
    ]);
    let run = acme.run(&graph, json!({ "yes": "true" })).await;
    assert_eq!(
        outcomes(&run),
        ["step_disabled", "condition_false", "skip_when", "skip_when", "step_disabled", "completed"]
    );
    assert_eq!(run["status"], "completed");
    assert_eq!(run["outputs"]["last"], json!({ "off": "skipped", "result": true }));
    let events = acme.events(&run).await;
    let data = &find(&events, "step_completed", "unmet")["data"];
    assert_eq!(*data, json!({ "skipped": true, "reason": "condition_false" }));
    let summary = acme.of_run(&run, "summary").await;
    assert_eq!((&summary["steps"]["skipped"], &summary["steps"]["completed"]), (&json!(5), &json!(1)));
    assert_eq!(summary["steps_executed"], 1, "skipped steps are free");
    let context = acme.of_run(&run, "context").await;
    let off = json!({ "status": "skipped", "reason": "step_disabled", "input": {} });
    assert_eq!(context["steps"]["off"], off);
}

#[tokio::test]
async fn conditions_take_values_for_true_as_the_language_says() {
    let (_app, acme) = acme().await;
    let falsy = json!([false, null, 0, "", "false", "0", [], {}]);
    let truthy = json!([true, 1, -1, 0.5, "no", " ", [0], { "k": null }]);
    let gate = |id: String, template: String| with(lua(&id, "return {}"), json!({ "condition": template }));
    let steps = |list: &Value, name: &str| -> Vec<Value> {
        let count = list.as_array().unwrap().len();
        (0..count).map(|n| gate(format!("{name}{n}"), format!("{{{{ input.{name}.{n} }}}}"))).collect()
    };
    let mut all = steps(&falsy, "falsy");
    all.extend(steps(&truthy, "truthy"));
    for (name, condition) in [
        ("unset", "{{ input.nothing.at.all }}"),
        ("ne", "{{ input.truthy.1 }} != 1"),
        ("lt", "{{ input.truthy.1 }} < 1"),
        ("eq", "{{ input.truthy.4 }} == \"yes\""),
    ] {
        all.insert(8, gate(name.to_owned(), condition.to_owned()));
    }
    for (name, condition) in [("le", "{{ input.truthy.1 }} <= 1"), ("gt", "{{ input.truthy.1 }} > 0.5")] {
        all.push(gate(name.to_owned(), condition.to_owned()));
    }
    let run = acme.run(&graph(all), json!({ "falsy": falsy, "truthy": truthy })).await;
    let expected = [vec!["condition_false"; 12], vec!["completed"; 10]].concat();
    assert_eq!(outcomes(&run), expected, "{run:#}");
}

/// Two branches, one of which fails while the other is under way.
fn failing() -> Value {
    graph([
        lua("a", "return {}"),
        lua_after("slow", &["a"], ENDLESS),
        lua_after("bad", &["a"], "local n = nil\nreturn { n.field }"),
        lua_after("after_slow", &["slow"], "return {}"),
        lua_after("after_both", &["slow", "bad"], "return {}"),
        lua_after("last", &["after_both"], "return {}"),
    ])
}

#[tokio::test]
async fn a_failing_branch_cancels_its_sibling_and_blocks_what_comes_after() {
    let (_app, acme) = acme().await;
    let run = acme.run(&failing(), json!({})).await;
    assert_eq!(
        outcomes(&run),
        ["completed", "cancelled", "failed", "blocked", "blocked", "blocked"],
        "{run:#}"
    );
    assert_eq!(run["status"], "failed");
    assert_eq!((&run["failure_code"], &run["failed_step_id"]), (&json!("LUA_ERROR"), &json!("bad")));
    let error = run["error"].as_str().unwrap();
    assert!(error.starts_with("line 2: "), "{error}");
    assert_eq!(run["outputs"], json!({}));
    let bad = step(&run, "bad");
    assert_eq!(
        (&bad["failure_code"], &bad["error"], &bad["attempt"]),
        (&json!("LUA_ERROR"), &json!(error), &json!(1))
    );
    let summary = acme.of_run(&run, "summary").await;
    assert_eq!(
        (
            &summary["failure_code"],
            &summary["failed_step_id"],
            &summary["error"],
            &summary["orchestration_phase"]
        ),
        (&json!("LUA_ERROR"), &json!("bad"), &json!(error), &json!("done"))
    );
    let counts = &summary["steps"];
    assert_eq!(
        (&counts["completed"], &counts["cancelled"], &counts["failed"], &counts["skipped"]),
        (&json!(1), &json!(1), &json!(1), &json!(3))
    );
}

#[tokio::test]
async fn the_event_log_tells_how_a_failure_ended_the_run() {
    let (_app, acme) = acme().await;
    let run = acme.run(&failing(), json!({})).await;
    let error = run["error"].as_str().unwrap();
    let events = acme.events(&run).await;
    let expected = [
        "step_failed bad",
        "step_cancelled slow",
        "step_completed after_slow",
        "step_completed after_both",
        "step_completed last",
        "state_changed run",
    ];
    assert!(story(&events).ends_with(&expected.map(str::to_owned)), "{:?}", story(&events));
    assert_eq!(
        find(&events, "step_failed", "bad")["data"],
        json!({ "attempt": 1, "code": "LUA_ERROR", "error": error, "will_retry": false })
    );
    assert_eq!(
        find(&events, "step_cancelled", "slow")["data"],
        json!({ "cancelled": true, "reason": "run_failed", "caused_by_step_id": "bad" })
    );
    assert_eq!(
        find(&events, "step_completed", "last")["data"],
        json!({ "skipped": true, "reason": "blocked" })
    );
    let last = events.last().unwrap();
    assert_eq!(last["data"], json!({ "from": "running", "to": "failed", "reason": "step_failed" }));
}

#[tokio::test]
async fn a_failure_that_is_kept_lets_the_run_go_on() {
    let (_app, acme) = acme().await;
    let graph = graph([
        with(lua("bad", "error('no')"), json!({ "continue_on_error": true })),
        with(
            lua_after("fallback", &["bad"], "return { s = steps.bad }"),
            json!({ "condition": "{{ steps.bad.error.code }} == \"LUA_ERROR\"" }),
        ),
        with(lua_after("usual", &["bad"], "return {}"), json!({ "condition": "{{ steps.bad.result }}" })),
    ]);
    let run = acme.run(&graph, json!({})).await;
    assert_eq!(run["status"], "completed", "{run:#}");
    assert_eq!(outcomes(&run), ["failed", "completed", "condition_false"]);
    let error = json!({ "code": "LUA_ERROR", "message": "line 1: no" });
    assert_eq!(run["outputs"]["fallback"]["s"], json!({ "status": "failed", "error": error, "input": {} }));
    assert_eq!(run.get("failure_code"), None);
    let context = acme.of_run(&run, "context").await;
    assert_eq!(context["steps"]["bad"], json!({ "status": "failed", "input": {}, "error": error }));
}

#[tokio::test]
async fn a_timeout_is_tried_again_as_often_as_the_step_says() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    let fields = json!({ "timeout_s": 0.02, "retry_count": 2, "retry_backoff_s": 4 });
    let id = acme.publish(&graph([with(lua("slow", ENDLESS), fields)])).await;
    let run = acme.start(&id, json!({})).await;
    app.work().await;
    for attempt in 2..=3 {
        let now = now(&acme, &id, &run).await;
        let slow = step(&now, "slow");
        assert_eq!((&slow["status"], &slow["attempt"]), (&json!("queued"), &json!(attempt)), "{now:#}");
        assert!(slow["next_attempt_at"].is_string());
        assert_eq!(acme.of_run(&now, "summary").await["orchestration_phase"], "retrying");
        clock.advance(Duration::from_secs(61));
        assert_eq!(shared::worker::sweep(&app.state, clock.now()).await.unwrap(), 1);
        app.work().await;
    }
    let run = acme.finished(&id, &run).await;
    assert_eq!((&run["status"], &run["failure_code"]), (&json!("failed"), &json!("LUA_TIMEOUT")));
    assert_eq!(step(&run, "slow")["attempt"], 3);
    let events = acme.events(&run).await;
    let failed: Vec<&Value> =
        events.iter().filter(|e| e["event_type"] == "step_failed").map(|e| &e["data"]).collect();
    assert_eq!(failed.len(), 3);
    for (data, attempt) in failed.iter().zip(1..) {
        assert_eq!((&data["attempt"], &data["code"]), (&json!(attempt), &json!("LUA_TIMEOUT")));
        assert_eq!(data["will_retry"], attempt < 3);
        match data["retry_in_s"].as_f64() {
            // Full jitter of a wait that doubles.
            Some(wait) => assert!(attempt < 3 && (0.0..=f64::from(2 << attempt)).contains(&wait), "{data}"),
            None => assert_eq!(attempt, 3),
        }
    }
    let started: Vec<&Value> =
        events.iter().filter(|e| e["event_type"] == "step_started").map(|e| &e["data"]["attempt"]).collect();
    assert_eq!(started, [1, 2, 3]);
}

#[tokio::test]
async fn a_retry_is_not_made_before_its_time() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    let fields = json!({ "timeout_s": 0.02, "retry_count": 1, "retry_backoff_s": 300 });
    let id = acme.publish(&graph([with(lua("slow", ENDLESS), fields)])).await;
    let run = acme.start(&id, json!({})).await;
    app.work().await;
    let key = json!({ "tenant_id": "acme", "project_id": "default", "run_id": run }).to_string();
    let message = shared::worker::Message { id: "early".to_owned(), body: key, receive_count: 2 };
    let far = tokio::time::Instant::now() + Duration::from_secs(3600);
    shared::worker::handle(&app.state, [message], far).await;
    let now = now(&acme, &id, &run).await;
    // Jitter may be next to nothing; then there is nothing to see.
    if step(&now, "slow")["next_attempt_at"].as_str() > Some("2026-09-21T14:13:20.001Z") {
        assert_eq!(
            (&step(&now, "slow")["status"], &step(&now, "slow")["attempt"]),
            (&json!("queued"), &json!(2))
        );
    }
}

#[tokio::test]
async fn what_cannot_pass_is_not_tried_again() {
    let (_app, acme) = acme().await;
    for (script, code) in [
        ("error('no')", "LUA_ERROR"),
        ("return 1", "LUA_RETURN_TYPE"),
        ("return { x = string.rep('x', 1048576) }", "RESULT_TOO_LARGE"),
    ] {
        let run = acme.run(&graph([with(lua("a", script), json!({ "retry_count": 5 }))]), json!({})).await;
        assert_eq!((&run["status"], &run["failure_code"]), (&json!("failed"), &json!(code)));
        let events = acme.events(&run).await;
        let failed: Vec<&Value> = events.iter().filter(|e| e["event_type"] == "step_failed").collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0]["data"]["will_retry"], false);
    }
}

#[tokio::test]
async fn a_run_of_many_kept_failures_with_long_messages_ends() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let script =
        "local t = {} for i = 1, 1900 do t[i] = string.char(math.random(35, 91)) end error(table.concat(t))";
    let steps = (0..400).map(|n| with(lua(&format!("s{n}"), script), json!({ "continue_on_error": true })));
    let run = acme.begin(&graph(steps), json!({})).await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
}
