//! `for_each` and `while`: rounds, what they see, how many run at a time, and what becomes of failed ones.

use std::time::Duration;

use it::{TestApp, Workspace, for_each, graph, lua, lua_after, repeat, with};
use serde_json::{Value, json};
use shared::types::clock::{Clock, Timestamp};

async fn acme() -> (TestApp, Workspace) {
    let app = TestApp::without_worker(Clock::manual(Timestamp::from_millis(1_790_000_000_000))).await;
    let acme = app.workspace("acme").await;
    (app, acme)
}

#[tokio::test]
async fn every_item_goes_through_the_body_and_the_results_are_in_their_order() {
    let (app, acme) = acme().await;
    let body = [
        lua("double", "return { n = item.n * 2, at = index, same = foreach.item.n == item.n }"),
        lua("tag", "return { text = body.double.n .. '/' .. steps.list.result.unit .. '/' .. input.who }"),
    ];
    let list = lua("list", "return { unit = 'kg', items = { { n = 1 }, { n = 2 }, { n = 3 } } }");
    let mut each = for_each("each", &json!("{{ steps.list.result.items }}"), &body);
    each["depends_on"] = json!(["list"]);
    each["for_each_max_parallel"] = json!(2);
    let run = acme.begin(&graph([list, each]), json!({ "who": "ada" })).await;
    app.work().await;
    let result = run.result("each").await;
    let round = |index: u64| {
        let n = (index + 1) * 2;
        json!({ "index": index, "body": { "double": { "n": n, "at": index, "same": true },
                "tag": { "text": format!("{n}/kg/ada") } }, "result": { "text": format!("{n}/kg/ada") } })
    };
    assert_eq!(
        result,
        json!({ "count": 3, "max_parallel": 2, "succeeded_count": 3, "failed_count": 0,
                "results": [round(0), round(1), round(2)] })
    );
    let story = run.story().await;
    let iterations = run.events().await.into_iter().filter(|e| e["event_type"] == "iteration_completed");
    let mut indexes: Vec<u64> = iterations.map(|e| e["data"]["index"].as_u64().unwrap()).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, [0, 1, 2]);
    assert_eq!(story.iter().filter(|line| *line == "step_completed each#body#tag").count(), 3);
    let of_tag = run.events().await;
    let of_tag = of_tag
        .iter()
        .find(|e| e["step_id"] == "each#body#tag" && e["event_type"] == "step_completed")
        .unwrap();
    assert_eq!(of_tag["data"]["loop_step_id"], "each");
    assert!(of_tag["data"]["index"].is_u64() && of_tag["data"]["result"]["text"].is_string());
}

#[tokio::test]
async fn scripts_read_inner_outputs_in_every_form() {
    let (app, acme) = acme().await;
    let body = [
        lua("fetch-pr", "return { n = item.n, gone = input.gone, id = input.id }"),
        lua(
            "read",
            "local all = { body['fetch-pr'], body.fetch_pr.result, steps['fetch-pr'].result, steps.fetch_pr.result }
             for _, output in ipairs(all) do assert(output.n == item.n and output.id == input.id) end
             return { n = body.fetch_pr.result.n + steps.fetch_pr.result.n, kept = body.fetch_pr.result,
                      status = steps.fetch_pr.status }",
        ),
    ];
    let each = for_each("each", &json!([{ "n": 1 }]), &body);
    let count = [
        lua("add-one", "local prev = loop.prev.add_one return { n = (prev and prev.result.n or 0) + 1 }"),
        lua(
            "look",
            "return { n = body['add-one'].result.n, same = steps.add_one.result.n == body.add_one.n,
                              before = loop.prev.look and loop.prev.look.result.n }",
        ),
    ];
    let mut repeated = repeat("again", 5, "", &count);
    repeated.as_object_mut().unwrap().remove("while_condition");
    repeated["while_eval_script"] =
        json!("return { pass = steps.look.result.n >= 2 and body.look.result.n >= 2 }");
    let input = json!({ "gone": null, "id": 9_007_199_254_740_993_u64 });
    let run = acme.begin(&graph([each, repeated]), input).await;
    app.work().await;
    let each = run.result("each").await;
    assert_eq!(
        each["results"][0]["result"],
        json!({
            "n": 2, "kept": { "n": 1, "id": 9_007_199_254_740_993_u64 }, "status": "completed",
        })
    );
    let again = run.result("again").await;
    assert_eq!(
        again["last"],
        json!({ "add-one": { "n": 2 }, "look": { "n": 2, "same": true, "before": 1 } })
    );
}

/// Later steps of the round see what a step after it in the graph would see of one outside a loop.
#[tokio::test]
async fn a_failed_inner_step_that_lets_the_round_go_on_reads_as_failed() {
    let (app, acme) = acme().await;
    let bad = with(lua("bad-one", "error('no such order')"), &json!({ "continue_on_error": true }));
    let look = "local s = steps.bad_one
        return { status = s.status, code = s.error.code, message = s.error.message, has_result = s.result ~= nil,
                 kept = body.bad_one.error.code, good = steps.good.status, good_error = steps.good.error ~= nil }";
    let told = with(
        lua("told", "return { told = true }"),
        &json!({ "condition": "{{ steps.bad-one.status }} == \"failed\"" }),
    );
    let asks = acme.publish(&graph([lua("pass", "return input")])).await;
    let called = json!({ "id": "called", "type": "workflow_call", "workflow_id": asks, "output_from": "pass",
                         "input": { "said": "{{ steps.bad-one.error.code }}: {{ steps.bad-one.error.message }}" } });
    let body = [bad, lua("good", "return {}"), lua("look", look), told, called];
    let outer = with(lua("outer", "error('no such order')"), &json!({ "continue_on_error": true }));
    let mut each = for_each("each", &json!([1, 2]), &body);
    each["depends_on"] = json!(["outer"]);
    let same = "local s = steps.outer
        return { status = s.status, code = s.error.code, message = s.error.message, has_result = s.result ~= nil }";
    let run = acme.begin(&graph([outer, each, lua_after("same", &["outer"], same)]), json!({})).await;
    app.work().await;
    let result = run.result("each").await;
    let outer = run.result("same").await;
    for round in result["results"].as_array().unwrap() {
        let look = &round["body"]["look"];
        for key in ["status", "code", "message", "has_result"] {
            assert_eq!(look[key], outer[key], "{key}: {look:#}");
        }
        assert_eq!((&look["status"], &look["has_result"]), (&json!("failed"), &json!(false)));
        assert_eq!((&look["kept"], &look["good"]), (&json!("LUA_ERROR"), &json!("completed")));
        assert_eq!(look["good_error"], false);
        assert_eq!(round["body"]["told"], json!({ "told": true }));
        let said = &round["body"]["called"]["output"];
        let message = outer["message"].as_str().unwrap();
        assert_eq!(said, &json!({ "said": format!("LUA_ERROR: {message}") }));
    }
}

#[tokio::test]
async fn an_empty_list_is_done_at_once_and_more_than_500_items_are_refused() {
    let (app, acme) = acme().await;
    let body = [lua("one", "return {}")];
    let each = for_each("each", &json!("{{ input.items }}"), &body);
    let workflow = acme.publish(&graph([each])).await;
    for items in [json!([]), json!({})] {
        let run = acme.begin_again(&workflow, json!({ "items": items })).await;
        app.work().await;
        let result = run.result("each").await;
        assert_eq!((&result["count"], &result["results"]), (&json!(0), &json!([])));
    }
    let many = |count: usize| json!({ "items": vec![1; count] });
    let run = acme.begin_again(&workflow, many(500)).await;
    app.work().await;
    assert_eq!(run.result("each").await["succeeded_count"], 500);
    let run = acme.begin_again(&workflow, many(501)).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!(view["failure_code"], "FOR_EACH_FAILED");
    assert!(view["error"].as_str().unwrap().contains("501 items"), "{view:#}");
    let run = acme.begin_again(&workflow, json!({ "items": "no list" })).await;
    app.work().await;
    assert_eq!(run.view().await["failure_code"], "TEMPLATE_UNRESOLVED");
}

fn failing(policy: &str) -> Value {
    let body = [lua("check", "if item == 2 then error('two is bad') end return { ok = item }")];
    let each = for_each("each", &json!([1, 2, 3]), &body);
    with(each, &json!({ "for_each_error_policy": policy, "for_each_max_parallel": 1 }))
}

#[tokio::test]
async fn a_failed_item_fails_the_loop_unless_it_is_to_go_on() {
    let (app, acme) = acme().await;
    let run =
        acme.begin(&graph([failing("fail_fast"), lua_after("b", &["each"], "return {}")]), json!({})).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!((&view["failure_code"], &view["failed_step_id"]), (&json!("FOR_EACH_FAILED"), &json!("each")));
    let error = view["error"].as_str().unwrap();
    assert!(error.contains("item 1, step check") && error.contains("two is bad"), "{error}");
    let run = acme.begin(&graph([failing("continue_on_error")]), json!({})).await;
    app.work().await;
    let result = run.result("each").await;
    assert_eq!(
        (&result["succeeded_count"], &result["failed_count"], &result["partial_success"]),
        (&json!(2), &json!(1), &json!(true))
    );
    assert_eq!(result["results"][1]["error"]["code"], "LUA_ERROR");
    assert_eq!(result["results"][1]["error"]["step_id"], "check");
    assert_eq!(result["results"][2]["result"], json!({ "ok": 3 }));
}

/// Fails for the second item unless the flag is set, which a script cannot change: the run is retried with
/// another input in real life; here the clock decides.
fn mended_later(policy: &str, until: i64) -> Value {
    let script =
        format!("if item == 2 and time.now() < {until} then error('not yet') end return {{ ok = item }}");
    let each = for_each("each", &json!([1, 2, 3]), &[lua("check", &script)]);
    with(each, &json!({ "for_each_error_policy": policy, "for_each_max_parallel": 1 }))
}

#[tokio::test]
async fn the_policy_pause_pauses_the_run_at_the_failed_item_and_resume_tries_it_again() {
    let (app, acme) = acme().await;
    let mended = Clock::System.now().as_seconds() + 3600;
    let run = acme.begin(&graph([mended_later("pause", mended)]), json!({})).await;
    app.work().await;
    assert_eq!(run.status().await, "paused");
    let progress = run.step("each").await["progress"].clone();
    assert_eq!((&progress["succeeded"], &progress["open"][0]["status"]), (&json!(1), &json!("held")));
    assert_eq!(progress["open"][0]["index"], 1);
    run.resume().await;
    app.work().await;
    assert_eq!(run.status().await, "paused", "it fails again");
    let failures: Vec<Value> =
        run.events().await.into_iter().filter(|e| e["event_type"] == "step_failed").collect();
    let attempts: Vec<&Value> = failures.iter().map(|e| &e["data"]["attempt"]).collect();
    assert_eq!(attempts, [&json!(1), &json!(2)], "the log tells the attempts apart");
    run.stop().await;
    assert_eq!(run.outcomes().await, ["each cancelled"]);
}

#[tokio::test]
async fn the_policy_human_review_asks_a_person_about_each_failed_item() {
    let (app, acme) = acme().await;
    let body = [lua("check", "if item < 3 then error('bad') end return { ok = item }")];
    let each = for_each("each", &json!([1, 2, 3]), &body);
    let run = acme
        .begin(&graph([with(each, &json!({ "for_each_error_policy": "human_review" }))]), json!({}))
        .await;
    app.work().await;
    let tasks = run.tasks().await;
    assert_eq!(tasks.len(), 1, "one at a time");
    assert_eq!((&tasks[0]["step_id"], &tasks[0]["task_type"]), (&json!("each"), &json!("item_review")));
    // Items run side by side, and either may have failed first.
    let (first, other) = if tasks[0]["id"] == "each:0" { ("each:0", "each:1") } else { ("each:1", "each:0") };
    assert_eq!(tasks[0]["id"], first);
    assert_eq!(tasks[0]["payload"]["error"]["code"], "LUA_ERROR");
    run.approve(first).await;
    app.work().await;
    let failures = run.events().await.into_iter().filter(|e| e["event_type"] == "step_failed").count();
    assert_eq!(failures, 3, "tried again and failed again");
    assert_eq!(run.tasks().await[0]["id"], other, "the other one has waited for longer");
    run.reject(other).await;
    run.answer(other, &json!({ "approved": true })).await.refused(409, "TASK_CLOSED");
    app.work().await;
    assert_eq!(run.tasks().await[0]["id"], first);
    run.reject(first).await;
    app.work().await;
    let result = run.result("each").await;
    assert_eq!((&result["succeeded_count"], &result["failed_count"]), (&json!(1), &json!(2)));
    assert_eq!(result["results"][0]["error"]["code"], "LUA_ERROR");
}

#[tokio::test]
async fn a_loop_and_its_items_end_in_their_time() {
    let (app, acme) = acme().await;
    let ask = acme.publish(&graph([it::human("ask", &[])])).await;
    let body = [json!({ "id": "call", "type": "workflow_call", "workflow_id": ask })];
    let each = with(
        for_each("each", &json!([1, 2]), &body),
        &json!({
            "for_each_item_timeout_s": 100, "for_each_error_policy": "continue_on_error", "timeout_s": 3600,
        }),
    );
    let run = acme.begin(&graph([each.clone()]), json!({})).await;
    app.work().await;
    app.pass(Duration::from_secs(170)).await;
    let result = run.result("each").await;
    assert_eq!(result["failed_count"], 2, "{:#}", run.view().await);
    assert_eq!(result["results"][0]["error"]["code"], "STEP_TIMEOUT");
    assert!(acme.client.get("/v1/tasks/pending").await.expect(200)["tasks"].as_array().unwrap().is_empty());
    let late = with(each, &json!({ "timeout_s": 50 }));
    let run = acme.begin(&graph([late]), json!({})).await;
    app.work().await;
    app.pass(Duration::from_secs(90)).await;
    assert_eq!(run.view().await["failure_code"], "STEP_TIMEOUT");
}

#[tokio::test]
async fn a_while_runs_until_its_condition_holds_and_sees_the_round_before() {
    let (app, acme) = acme().await;
    let count = lua("count", "return { n = (loop.prev.count and loop.prev.count.n or 0) + loop.iteration }");
    let run = acme.begin(&graph([repeat("loop", 10, "{{ body.count.n }} >= 6", &[count])]), json!({})).await;
    app.work().await;
    let result = run.result("loop").await;
    assert_eq!(
        (&result["iteration_count"], &result["max_iterations"], &result["stopped_reason"], &result["last"]),
        (&json!(4), &json!(10), &json!("condition_met"), &json!({ "count": { "n": 6 } }))
    );
    let rounds: Vec<&Value> =
        result["iterations"].as_array().unwrap().iter().map(|round| &round["body"]["count"]["n"]).collect();
    assert_eq!(rounds, [&json!(0), &json!(1), &json!(3), &json!(6)]);
}

#[tokio::test]
async fn a_while_ends_at_its_most_iterations_and_its_script_wins_over_its_condition() {
    let (app, acme) = acme().await;
    let mut forever =
        repeat("loop", 3, "{{ body.one.done }}", &[lua("one", "return { at = loop.iteration }")]);
    let run = acme.begin(&graph([forever.clone()]), json!({})).await;
    app.work().await;
    let result = run.result("loop").await;
    assert_eq!(
        (&result["iteration_count"], &result["stopped_reason"]),
        (&json!(3), &json!("max_iterations"))
    );
    forever["while_mode"] = json!("while");
    let run = acme.begin(&graph([forever.clone()]), json!({})).await;
    app.work().await;
    assert_eq!(run.result("loop").await["iteration_count"], 1, "it goes on while the condition holds");
    forever["while_eval_script"] = json!("return { pass = body.one.at < 1 }");
    let run = acme.begin(&graph([forever.clone()]), json!({})).await;
    app.work().await;
    assert_eq!(run.result("loop").await["iteration_count"], 2);
    forever["while_eval_script"] = json!("return { passed = true }");
    let run = acme.begin(&graph([forever]), json!({})).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!((&view["failure_code"], &view["failed_step_id"]), (&json!("LUA_RETURN_TYPE"), &json!("loop")));
}

#[tokio::test]
async fn inner_steps_have_gates_retries_and_kept_errors_of_their_own() {
    let (app, acme) = acme().await;
    let body = [
        with(lua("off", "error('never')"), &json!({ "enabled": false })),
        with(lua("odd", "return { odd = true }"), &json!({ "condition": "{{ item }} == 1" })),
        with(lua("bad", "error('kept')"), &json!({ "continue_on_error": true })),
        with(
            lua("last", "return { saw = body.bad.error.code, odd = body.odd ~= nil }"),
            &json!({
                "skip_when": "{{ index }} == 2",
            }),
        ),
    ];
    let run = acme.begin(&graph([for_each("each", &json!([1, 2, 3]), &body)]), json!({})).await;
    app.work().await;
    let results = run.result("each").await["results"].clone();
    assert_eq!(results[0]["result"], json!({ "saw": "LUA_ERROR", "odd": true }));
    assert_eq!(results[1]["result"], json!({ "saw": "LUA_ERROR", "odd": false }));
    assert_eq!(results[2]["body"]["last"], Value::Null);
    assert_eq!(results[2]["body"]["bad"]["error"]["code"], "LUA_ERROR");
}

#[tokio::test]
async fn what_the_rounds_make_together_is_bounded() {
    let (app, acme) = acme().await;
    let body = [lua("big", "return { text = string.rep('x', 150 * 1024) }")];
    let run = acme.begin(&graph([for_each("each", &json!([1, 2, 3]), &body)]), json!({})).await;
    app.work().await;
    assert_eq!(run.status().await, "completed");
    let run = acme.begin(&graph([for_each("each", &json!([1, 2, 3, 4]), &body)]), json!({})).await;
    app.work().await;
    // An item's last output stands in its result twice.
    let view = run.view().await;
    assert_eq!(view["failure_code"], "RESULT_TOO_LARGE");
    let error = view["error"].as_str().unwrap();
    for named in ["bytes of JSON", "1048576 (1 MiB)", "return only what is read later", "output_from"] {
        assert!(error.contains(named), "{error}");
    }
    let body = [lua("big", "return { text = string.rep('x', 600 * 1024) }")];
    let run = acme.begin(&graph([for_each("each", &json!([1, 2]), &body)]), json!({})).await;
    app.work().await;
    let view = run.view().await;
    assert_eq!(view["failure_code"], "RESULT_TOO_LARGE");
    assert!(view["error"].as_str().unwrap().contains("With step \"big\" of iteration "), "{view:#}");
}

#[tokio::test]
async fn a_thousand_iterations_and_what_they_made_survive_the_closing_of_pages() {
    let (app, acme) = acme().await;
    let count = lua("count", "return { n = (loop.prev.count and loop.prev.count.n or 0) + 1 }");
    let run = acme.begin(&graph([repeat("loop", 1000, "{{ body.count.nope }}", &[count])]), json!({})).await;
    app.work().await;
    let result = run.result("loop").await;
    assert_eq!((&result["iteration_count"], &result["last"]["count"]["n"]), (&json!(1000), &json!(1000)));
    let seqs: Vec<u64> = run.events().await.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_inner_steps_id_of_the_events_leads_to_its_loop() {
    let (app, acme) = acme().await;
    let fails = lua("one", "if index == 1 and not input.ok then error('no') end return { n = index }");
    let steps = [
        for_each("each", &json!([1, 2]), &[fails]),
        with(
            repeat("again", 2, "{{ while.iteration }} == 1", &[lua("one", "return {}")]),
            &json!({ "depends_on": ["each"] }),
        ),
    ];
    let workflow = acme.publish(&graph(steps)).await;
    let run = acme.begin_again(&workflow, json!({})).await;
    app.work().await;
    let events = run.events().await;
    let failed = events.iter().find(|event| event["event_type"] == "step_failed").unwrap();
    assert_eq!((&failed["step_id"], &failed["data"]["index"]), (&json!("each#body#one"), &json!(1)));
    let context = async |id: &str| acme.client.get(&run.path(&format!("/context?step_id={id}"))).await;
    let of_loop = context("each").await.expect(200);
    assert_eq!(context("each%23body%23one").await.expect(200), of_loop);
    for gone in ["each%23body%23two", "again%23body%23each", "x%23body%23one", "one"] {
        context(gone).await.refused(404, "NOT_FOUND");
    }
    let from = json!({ "resume_from_run_id": run.id, "from_step_id": "each#body#one", "trigger_payload": { "ok": 1 },
                       "reuse_completed_steps": true });
    let next = acme.begin_again(&workflow, from).await;
    app.work().await;
    assert_eq!(next.status().await, "completed", "{:#}", next.view().await);
    let story = next.story().await;
    for id in ["each#body#one", "again#body#one"] {
        assert!(story.contains(&format!("step_completed {id}")), "{story:#?}");
    }
    run.retry(&json!({ "from_step_id": "each#body#gone" })).await.refused(422, "INVALID_REQUEST");
    run.retry(&json!({ "from_step_id": "each#body#one" })).await.expect(200);
}
