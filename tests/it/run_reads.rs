//! Starting runs and reading them: what a start takes, what lists, events, summary and context show.

use std::time::{Duration, Instant};

use it::{Client, TestApp, Workspace, chain, graph, lua, lua_after};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

pub(crate) const T0: &str = "2026-09-21T14:13:20.000Z";
const MIB: usize = 1024 * 1024;

/// An app without a worker, whose clock stands at [`T0`], and a workspace.
pub(crate) async fn acme() -> (TestApp, Clock, Workspace) {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock.clone()).await;
    let acme = app.workspace("acme").await;
    (app, clock, acme)
}

pub(crate) fn echo() -> Value {
    graph([lua("a", "return { input = input }")])
}

/// Publishes, starts, works and reads.
pub(crate) async fn run(app: &TestApp, acme: &Workspace, graph: &Value, params: Value) -> Value {
    let id = acme.publish(graph).await;
    let run = acme.start(&id, params).await;
    app.work().await;
    acme.finished(&id, &run).await
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value:#}"))
}

pub(crate) fn deep(depth: usize) -> Value {
    (1..depth).fold(json!({}), |inner, _| json!({ "d": inner }))
}

#[tokio::test]
async fn a_start_answers_at_once_and_the_run_is_there() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.publish(&echo()).await;
    let started = acme.command_start(&id, json!({ "k": 1 })).await.expect(200);
    let run = text(&started, "run_id");
    let expected =
        json!({ "run_id": run, "status": "running", "workflow_id": id, "version": 1, "started_at": T0 });
    assert_eq!(started, expected);
    let read = acme.client.get(&format!("/v1/workflows/{id}/runs/{run}")).await.expect(200);
    let expected = json!({
        "run_id": run, "workflow_id": id, "project_id": "default", "version": 1, "status": "running",
        "trigger_type": "api", "started_at": T0, "outputs": {},
        "steps": [{ "id": "a", "name": "a", "type": "lua_script", "status": "pending", "attempt": 0 }]
    });
    assert_eq!(read, expected);
}

#[tokio::test]
async fn a_finished_run_reads_whole() {
    let (app, _clock, acme) = acme().await;
    let params =
        json!({ "trigger_payload": { "k": 1 }, "trigger_type": "manual", "external_user_id": "u-1" });
    let run = run(&app, &acme, &echo(), params).await;
    let expected = json!({
        "run_id": run["run_id"], "workflow_id": run["workflow_id"], "project_id": "default", "version": 1,
        "status": "completed", "trigger_type": "manual", "external_user_id": "u-1", "started_at": T0,
        "ended_at": T0, "outputs": { "a": { "input": { "k": 1 } } },
        "steps": [{ "id": "a", "name": "a", "type": "lua_script", "status": "completed", "attempt": 1,
                    "started_at": T0, "ended_at": T0 }]
    });
    assert_eq!(run, expected);
    let summary = acme.of_run(&run, "summary").await;
    let expected = json!({
        "run_id": run["run_id"], "workflow_id": run["workflow_id"], "version": 1, "status": "completed",
        "orchestration_phase": "done", "run_complete": true, "failure_code": null, "failed_step_id": null,
        "error": null, "pending_tasks": 0, "steps_executed": 1, "credits_used_microcredits": 1000, "tokens_in": 0,
        "tokens_out": 0, "started_at": T0, "ended_at": T0,
        "steps": { "total": 1, "pending": 0, "queued": 0, "running": 0, "waiting": 0, "completed": 1,
                   "skipped": 0, "failed": 0, "cancelled": 0 }
    });
    assert_eq!(summary, expected);
    let context = acme.of_run(&run, "context").await;
    let expected = json!({
        "input": { "k": 1 },
        "steps": { "a": { "status": "completed", "input": {}, "result": { "input": { "k": 1 } } } }
    });
    assert_eq!(context, expected);
}

#[tokio::test]
async fn events_tell_the_story_in_the_contracts_words() {
    let (app, _clock, acme) = acme().await;
    let graph = graph([lua("a", "print('one', 2) print() return { n = 1 }")]);
    let run = run(&app, &acme, &graph, json!({})).await;
    let expected: Vec<Value> = [
        ("run_started", None, json!({ "trigger_type": "api", "version": 1 })),
        ("state_changed", None, json!({ "from": "pending", "to": "running", "reason": "started" })),
        ("step_started", Some("a"), json!({ "attempt": 1, "input": {} })),
        ("step_log", Some("a"), json!({ "lines": ["one\t2", ""] })),
        ("step_completed", Some("a"), json!({ "duration_ms": 0, "result": { "n": 1 } })),
        (
            "state_changed",
            None,
            json!({ "from": "running", "to": "completed", "reason": "all_steps_settled" }),
        ),
    ]
    .into_iter()
    .zip(1..)
    .map(|((event_type, step, data), seq)| {
        let mut event = json!({
            "id": format!("{}:{seq}", text(&run, "run_id")), "seq": seq, "run_id": run["run_id"],
            "workflow_id": run["workflow_id"], "event_type": event_type, "timestamp": T0, "data": data
        });
        if let Some(step) = step {
            event["step_id"] = json!(step);
        }
        event
    })
    .collect();
    assert_eq!(acme.of_run(&run, "events").await, json!({ "events": expected }));
}

#[tokio::test]
async fn whoever_waits_is_answered_when_the_run_ends() {
    let (app, _clock, acme) = acme().await;
    let id = acme.publish(&echo()).await;
    // Once in the process that commits, once in another, which has to look.
    let elsewhere = local::router(app.stores.state(app.state.clock.clone(), &[]));
    let elsewhere = Client::new(elsewhere).bearer(&acme.token);
    for client in [&acme.client, &elsewhere] {
        let run = acme.start(&id, json!({})).await;
        let of = |rest: &str| format!("/v1/workflows/{id}/runs/{run}{rest}");
        let now = client.get(&of("?wait_s=0")).await.expect(200);
        assert_eq!(now["status"], "running");
        let none = client.get(&of("/events?after=2")).await.expect(200);
        assert_eq!(none, json!({ "events": [] }));
        let begun = Instant::now();
        let (path, events) = (of("?wait_s=20"), of("/events?after=2&wait_s=20"));
        let (run, events, ()) = tokio::join!(client.get(&path), client.get(&events), app.work());
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(run.expect(200)["status"], "completed");
        assert_eq!(events.expect(200)["events"][0]["seq"], 3);
        // Nothing comes after the end, so nobody waits for it.
        let after = client.get(&of("/events?after=5&wait_s=20")).await.expect(200);
        assert_eq!(after, json!({ "events": [] }));
    }
}

#[tokio::test]
async fn events_are_paged_by_cursor_and_by_after_without_gaps() {
    let (app, _clock, acme) = acme().await;
    let run = run(&app, &acme, &chain(60), json!({})).await;
    let all = acme.events(&run).await;
    assert_eq!(all.len(), 123);
    for limit in [9, 20, 100] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = acme.of_run(&run, &format!("events?limit={limit}{cursor}")).await;
            let events = page["events"].as_array().unwrap();
            assert!(!events.is_empty() && events.len() <= limit);
            seen.extend(events.clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, all, "limit={limit}");
    }
    assert_eq!(acme.of_run(&run, "events").await["events"].as_array().unwrap().len(), 20);
    for after in [0, 1, 60, 122] {
        let page = acme.of_run(&run, &format!("events?limit=100&after={after}")).await;
        assert_eq!(page["events"][0]["seq"], after + 1);
    }
    for after in [123, 124, u64::MAX] {
        assert_eq!(acme.of_run(&run, &format!("events?after={after}")).await, json!({ "events": [] }));
    }
    let cursor = acme.of_run(&run, "events?limit=1").await["next_cursor"].clone();
    let both = format!("events?after=1&cursor={}", cursor.as_str().unwrap());
    let path = format!("/v1/workflows/{}/runs/{}/{both}", text(&run, "workflow_id"), text(&run, "run_id"));
    acme.client.get(&path).await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_result_past_32_kib_is_left_out_of_its_event_and_whole_in_the_context() {
    let (app, _clock, acme) = acme().await;
    // {"x":"…"} is eight bytes more than its text.
    let script = |bytes: usize| format!("return {{ x = string.rep('x', {}) }}", bytes - 8);
    let graph = graph([
        lua("fits", &script(32 * 1024)),
        lua_after("not", &["fits"], &script(32 * 1024 + 1)),
        lua_after("reads", &["not"], "return { n = #steps['not'].result.x }"),
    ]);
    let run = run(&app, &acme, &graph, json!({})).await;
    assert_eq!(run["outputs"]["reads"]["n"], 32 * 1024 - 7);
    let events = acme.events(&run).await;
    let data = |id: &str| {
        let is_it = |event: &&Value| event["step_id"] == id && event["event_type"] == "step_completed";
        &events.iter().find(is_it).unwrap()["data"]
    };
    assert_eq!(data("fits")["result"]["x"].as_str().unwrap().len(), 32 * 1024 - 8);
    assert_eq!(data("fits").get("result_truncated"), None);
    assert_eq!(data("not").get("result"), None);
    assert_eq!(data("not")["result_truncated"], true);
    let context = acme.of_run(&run, "context").await;
    assert_eq!(context["steps"]["not"]["result"]["x"].as_str().unwrap().len(), 32 * 1024 - 7);
}

#[tokio::test]
async fn a_result_has_at_most_1_mib() {
    let (app, _clock, acme) = acme().await;
    let script = |bytes: usize| format!("return {{ x = string.rep('x', {}) }}", bytes - 8);
    let largest = run(&app, &acme, &graph([lua("a", &script(MIB))]), json!({})).await;
    assert_eq!(largest["outputs"]["a"]["x"].as_str().unwrap().len(), MIB - 8);
    let larger = run(&app, &acme, &graph([lua("a", &script(MIB + 1))]), json!({})).await;
    assert_eq!((&larger["status"], &larger["failure_code"]), (&json!("failed"), &json!("RESULT_TOO_LARGE")));
    assert_eq!(larger["steps"][0]["failure_code"], "RESULT_TOO_LARGE");
}

#[tokio::test]
async fn several_large_results_that_do_not_compress_are_kept() {
    let (app, _clock, acme) = acme().await;
    let script = "local t = {} for i = 1, 11000 do t[i] = string.format('%08x%08x%08x%08x%08x', \
                  math.random(0, 2147483647), math.random(0, 2147483647), math.random(0, 2147483647), \
                  math.random(0, 2147483647), math.random(0, 2147483647)) end \
                  return { x = table.concat(t) }";
    let ids = ["a", "b", "c", "d"];
    let mut steps: Vec<Value> = ids.iter().map(|id| lua(id, script)).collect();
    steps.push(lua_after(
        "sum",
        &ids,
        "local n = 0 for _, s in pairs(steps) do n = n + #s.result.x end return { n = n }",
    ));
    let run = run(&app, &acme, &graph(steps), json!({})).await;
    assert_eq!((&run["status"], &run["outputs"]["sum"]["n"]), (&json!("completed"), &json!(4 * 440_000)));
    for id in ids {
        let one = acme.of_run(&run, &format!("context?step_id={id}")).await;
        let steps = one["steps"].as_object().unwrap();
        assert_eq!(steps.keys().collect::<Vec<_>>(), [id]);
        assert_eq!(steps[id]["result"]["x"].as_str().unwrap().len(), 440_000);
    }
}

#[tokio::test]
async fn a_context_that_would_grow_too_large_leaves_results_to_be_asked_for_one_by_one() {
    let (app, _clock, acme) = acme().await;
    let big = "return { x = string.rep('x', 1000000) }";
    let ids = ["a", "b", "c", "d", "e", "f"];
    let steps = ids.iter().enumerate().map(|(at, id)| match at.checked_sub(1) {
        None => lua(id, big),
        Some(before) => lua_after(id, &[ids[before]], big),
    });
    let run = run(&app, &acme, &graph(steps), json!({})).await;
    let context = acme.of_run(&run, "context").await;
    let omitted = |id: &str| context["steps"][id]["result_omitted"] == true;
    assert!(!omitted("a") && omitted("f"));
    assert_eq!(context["steps"]["f"].get("result"), None);
    let one = acme.of_run(&run, "context?step_id=f").await;
    assert_eq!(one["steps"]["f"]["result"]["x"].as_str().unwrap().len(), 1_000_000);
    let path = format!("/v1/workflows/{}/runs/{}", text(&run, "workflow_id"), text(&run, "run_id"));
    acme.client.get(&format!("{path}/context?step_id=g")).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_result_as_deep_as_scripts_may_make_it_does_not_damage_its_run() {
    let (app, _clock, acme) = acme().await;
    for depth in [64, 110, 120, 123, 125, 126, 127, 128, 129, 500] {
        let script = format!("local t = {{}} for i = 2, {depth} do t = {{ d = t }} end return t");
        let id = acme
            .publish(&graph([lua("a", &script), lua_after("b", &["a"], "return { steps.a.status }")]))
            .await;
        let run = acme.start(&id, json!({})).await;
        app.work().await;
        let summary = acme.client.get(&format!("/v1/workflows/{id}/runs/{run}/summary")).await.expect(200);
        assert_eq!(summary["run_complete"], true, "{depth}");
    }
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_filtered() {
    let (app, clock, acme) = acme().await;
    let good = acme.publish(&echo()).await;
    let bad = acme.publish(&graph([lua("a", "error('no')")])).await;
    let mut ids = Vec::new();
    for workflow in [&good, &bad, &good] {
        ids.push(acme.start(workflow, json!({ "external_user_id": "u" })).await);
        clock.advance(Duration::from_secs(60));
    }
    app.work().await;
    ids.push(acme.start(&good, json!({})).await);
    let list = async |path: String| {
        let list = acme.client.get(&path).await.expect(200);
        let rows = list["runs"].as_array().unwrap().clone();
        let at = |row: &Value| ids.iter().position(|id| row["run_id"] == id.as_str()).unwrap();
        (rows.iter().map(at).collect::<Vec<_>>(), rows)
    };
    let (order, rows) = list("/v1/runs".to_owned()).await;
    assert_eq!(order, [3, 2, 1, 0]);
    let expected = json!({
        "run_id": ids[1], "workflow_id": bad, "project_id": "default", "version": 1, "status": "failed",
        "trigger_type": "api", "started_at": "2026-09-21T14:14:20.000Z",
        "ended_at": "2026-09-21T14:16:20.000Z", "external_user_id": "u", "failure_code": "LUA_ERROR"
    });
    assert_eq!(rows[2], expected);
    for (query, expected) in [
        ("status=running".to_owned(), vec![3]),
        ("status=completed".to_owned(), vec![2, 0]),
        ("status=failed,running".to_owned(), vec![3, 1]),
        (format!("workflow_id={bad}"), vec![1]),
        (format!("workflow_id={good}&status=completed&limit=1"), vec![2]),
        ("project_id=default".to_owned(), vec![3, 2, 1, 0]),
        ("project_id=other".to_owned(), vec![]),
        ("since=2026-09-21T14:15:20Z".to_owned(), vec![3, 2]),
        ("since=2026-09-21T14:15:20.001Z".to_owned(), vec![3]),
        ("since=2026-09-21T16:15:20%2B02:00".to_owned(), vec![3, 2]),
        ("since=2027-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        assert_eq!(list(format!("/v1/runs?{query}")).await.0, expected, "{query}");
    }
    assert_eq!(list(format!("/v1/workflows/{good}/runs")).await.0, [3, 2, 0]);
    assert_eq!(list(format!("/v1/workflows/{bad}/runs")).await.0, [1]);
    assert_eq!(list(format!("/v1/workflows/{good}/runs?status=completed")).await.0, [2, 0]);
    assert_eq!(list(format!("/v1/workflows/{good}/runs?since=2026-09-21T14:15:20Z")).await.0, [3, 2]);
}

#[tokio::test]
async fn a_walk_over_runs_has_no_gap_and_no_duplicate() {
    let (_app, clock, acme) = acme().await;
    let (one, other) = (acme.publish(&echo()).await, acme.publish(&echo()).await);
    let mut ids = Vec::new();
    for number in 0..28 {
        // Pairs start within the same millisecond.
        clock.advance(Duration::from_millis(number % 2));
        ids.push(acme.start(if number % 4 == 0 { &other } else { &one }, json!({})).await);
    }
    let walk = async |path: &str, limit: usize| {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = acme.client.get(&format!("{path}limit={limit}{cursor}")).await.expect(200);
            let rows = page["runs"].as_array().unwrap();
            seen.extend(
                rows.iter().map(|row| (text(row, "started_at").to_owned(), text(row, "run_id").to_owned())),
            );
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{path} {limit}: {seen:?}");
        seen.len()
    };
    for limit in [1, 13, 100] {
        assert_eq!(walk("/v1/runs?", limit).await, 28);
        assert_eq!(walk(&format!("/v1/workflows/{one}/runs?"), limit).await, 21);
        assert_eq!(walk(&format!("/v1/runs?workflow_id={other}&"), limit).await, 7);
    }
}

#[tokio::test]
async fn a_since_that_is_later_than_the_cursor_is_an_empty_page() {
    let (_app, clock, acme) = acme().await;
    let id = acme.publish(&echo()).await;
    for _ in 0..3 {
        acme.start(&id, json!({})).await;
        clock.advance(Duration::from_secs(1));
    }
    let cursor = text(&acme.client.get("/v1/runs?limit=1").await.expect(200), "next_cursor").to_owned();
    let page = acme.client.get(&format!("/v1/runs?cursor={cursor}&since=2030-01-01T00:00:00Z")).await;
    assert_eq!(page.expect(200), json!({ "runs": [] }));
}
