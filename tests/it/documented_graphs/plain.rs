//! Graphs that need nothing but themselves: scripts, loops, people, children, episodes.

use serde_json::{Value, json};

use super::{Scene, documented, entry};

#[tokio::test]
async fn echo_answers_with_its_input() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("01-echo", &entry("01-echo")["start_params"]).await, [""; 0]);
    let (_, outputs) = scene.completed("01-echo").await;
    let input = json!({ "colour": "teal", "lot": "A-17" });
    assert_eq!(outputs, json!({ "ping": { "message": "ok", "input": input } }));
}

#[tokio::test]
async fn for_each_gives_its_results_in_order() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("05-for-each-lua", &json!({})).await, [""; 0]);
    let (run, outputs) = scene.completed("05-for-each-lua").await;
    let each = &outputs["each"];
    let head = ["count", "max_parallel", "succeeded_count", "failed_count"].map(|key| &each[key]);
    assert_eq!(head, [3, 10, 3, 0]);
    let made = json!({ "index": 1, "label": "beta" });
    assert_eq!(each["results"][1], json!({ "index": 1, "body": { "process": made }, "result": made }));
    let events = run.events().await;
    let inner = |kind: &str| {
        let of_inner =
            |event: &&Value| event["step_id"] == "each#body#process" && event["event_type"] == kind;
        let mut indexes: Vec<u64> =
            events.iter().filter(of_inner).map(|event| event["data"]["index"].as_u64().unwrap()).collect();
        indexes.sort_unstable();
        indexes
    };
    assert_eq!((inner("step_started"), inner("step_completed")), (vec![0, 1, 2], vec![0, 1, 2]));
}

#[tokio::test]
async fn while_ends_at_its_cap_without_failing() {
    let scene = Scene::new().await;
    let report = scene.validate("08-while-eval-cap", &json!({})).await;
    assert_eq!(report["valid"], true, "{report:#}");
    let (_, outputs) = scene.completed("08-while-eval-cap").await;
    assert_eq!(outputs["after"], json!({ "n": 2, "why": "max_iterations" }));
}

#[tokio::test]
async fn scope_smoke_is_imported_and_runs() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("09-scope-smoke", &json!({})).await, [""; 0]);
    let (run, outputs) = scene.completed("09-scope-smoke").await;
    let each = run.result("each").await;
    let values: Vec<&Value> =
        each["results"].as_array().unwrap().iter().map(|round| &round["result"]["value"]).collect();
    assert_eq!((&each["count"], values), (&json!(2), vec![&json!(6), &json!(8)]));
    let again = run.result("again").await;
    assert_eq!((&again["iteration_count"], &again["stopped_reason"]), (&json!(2), &json!("condition_met")));
    assert_eq!(outputs["finish"], json!({ "count": 2 }));
}

#[tokio::test]
async fn a_person_decides_what_is_sent() {
    let scene = Scene::new().await;
    let params = &entry("10-human-gate")["start_params"];
    assert_eq!(scene.warnings("10-human-gate", params).await, [""; 0]);
    for (approved, last) in [(true, "send completed"), (false, "send condition_false")] {
        let run = scene.begin("10-human-gate").await;
        let summary = run.summary().await;
        let phase = (&summary["status"], &summary["orchestration_phase"]);
        assert_eq!(phase, (&json!("running"), &json!("awaiting_human")), "{summary:#}");
        let payload = json!({ "title": "Check the mail", "description": "Before it goes to pat@example.test",
                              "draft": "Dear pat@example.test" });
        assert_eq!(run.tasks().await[0]["payload"], payload);
        run.answer("approve", &json!({ "approved": approved })).await.expect(200);
        scene.app.work().await;
        assert_eq!(run.status().await, "completed");
        assert_eq!(run.outcomes().await, ["draft completed", "approve completed", last]);
        run.answer("approve", &json!({ "approved": true })).await.refused(409, "TASK_CLOSED");
    }
}

#[tokio::test]
async fn a_no_stops_the_branch_and_the_context_says_why() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("12-reject-without-condition", &json!({})).await, [""; 0]);
    let run = scene.begin("12-reject-without-condition").await;
    run.reject("ask").await;
    scene.app.work().await;
    assert_eq!(run.outcomes().await, ["ask completed", "act rejected", "other completed"]);
    assert_eq!(run.status().await, "completed");
    let context = scene.acme.client.get(&run.path("/context")).await.expect(200);
    let act = json!({ "status": "skipped", "reason": "rejected", "input": {} });
    assert_eq!(context["steps"]["act"], act, "{context:#}");
    assert!(context["steps"]["other"]["reason"].is_null(), "{context:#}");
}

#[tokio::test]
async fn skipped_steps_do_not_hold_up_what_follows() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("13-controls", &json!({})).await, ["step_disabled"]);
    let (run, _) = scene.completed("13-controls").await;
    let outcomes = ["check completed", "guarded condition_false", "off step_disabled", "after completed"];
    assert_eq!(run.outcomes().await, outcomes);
    let events = run.events().await;
    let off = events.iter().find(|event| event["step_id"] == "off").unwrap();
    assert_eq!(off["event_type"], "step_completed");
    assert_eq!(off["data"], json!({ "skipped": true, "reason": "step_disabled" }));
}

#[tokio::test]
async fn bad_input_fails_at_the_step_that_checks_it() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("15-validate-first", &json!({})).await, [""; 0]);
    let run = scene.begin("15-validate-first").await;
    let view = run.view().await;
    let failed = ["status", "failure_code", "failed_step_id"].map(|key| &view[key]);
    assert_eq!(failed, ["failed", "LUA_ERROR", "validate"], "{view:#}");
    assert_eq!(run.outcomes().await[1], "use blocked");
    let run = scene.begin_with("15-validate-first", json!({ "order_id": "7" })).await;
    assert_eq!(run.view().await["outputs"], json!({ "use": { "got": "7" } }));
}

#[tokio::test]
async fn a_failure_ends_what_runs_beside_it() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("16-fail-fast-parallel", &json!({})).await, [""; 0]);
    let run = scene.begin("16-fail-fast-parallel").await;
    assert_eq!(run.status().await, "failed");
    let events = run.events().await;
    let last = |step: &str| events.iter().rev().find(|event| event["step_id"] == step).unwrap().clone();
    assert_eq!(last("bad")["event_type"], "step_failed");
    let slow = last("slow");
    match slow["event_type"].as_str().unwrap() {
        "step_cancelled" => {
            let data = json!({ "cancelled": true, "reason": "run_failed", "caused_by_step_id": "bad" });
            assert_eq!(slow["data"], data);
        }
        // It was over before, or had not begun.
        "step_completed" => {}
        other => panic!("{other}: {events:#?}"),
    }
    assert_eq!(last("join")["data"], json!({ "skipped": true, "reason": "blocked" }));
}

#[tokio::test]
async fn a_child_gets_the_parents_whole_input() {
    let mut scene = Scene::new().await;
    let child = scene.publish("26-template-modifiers-child").await;
    scene.values.insert("REPLACE_CHILD_26", child);
    assert_eq!(scene.warnings("28-workflow-call-parent-input", &json!({ "a": 1 })).await, [""; 0]);
    let run = scene.begin("28-workflow-call-parent-input").await;
    let result = run.result("child").await;
    assert_eq!(result["status"], "completed", "{:#}", run.view().await);
    assert_eq!(result["output"], json!({ "show": { "seen": { "a": 1 } } }));
    assert!(result["child_run_id"].is_string());
}

#[tokio::test]
async fn a_batch_is_a_child_run_per_item() {
    let mut scene = Scene::new().await;
    let child = scene.publish("26-template-modifiers-child").await;
    scene.values.insert("REPLACE_CHILD_26", child);
    assert_eq!(scene.warnings("29-batch-children", &json!({})).await, [""; 0]);
    let (_, outputs) = scene.completed("29-batch-children").await;
    let each = &outputs["each"];
    assert_eq!(each["succeeded_count"], 3, "{each:#}");
    let results = each["results"].as_array().unwrap();
    let mut children: Vec<&str> =
        results.iter().map(|round| round["result"]["child_run_id"].as_str().unwrap()).collect();
    children.sort_unstable();
    children.dedup();
    assert_eq!(children.len(), 3);
    assert_eq!(results[2]["result"]["output"], json!({ "show": { "seen": { "n": 3 } } }));
}

#[tokio::test]
async fn items_are_a_list_and_nothing_else() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("32-for-each-singleton", &json!({})).await, [""; 0]);
    let run = scene.begin("32-for-each-singleton").await;
    let view = run.view().await;
    assert_eq!((&view["status"], &view["failed_step_id"]), (&json!("failed"), &json!("each")), "{view:#}");
    assert!(view["error"].as_str().unwrap().contains("for_each_items"), "{view:#}");
}

#[tokio::test]
async fn an_empty_table_is_an_empty_list_of_items() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("33-empty-lua-list", &json!({})).await, [""; 0]);
    let (_, outputs) = scene.completed("33-empty-lua-list").await;
    assert_eq!((&outputs["each"]["count"], &outputs["each"]["results"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn a_spine_that_never_closes_is_warned_of_and_runs() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("39-episode-spine-never-closes", &json!({})).await, ["episode_never_closes"]);
    let run = scene.begin_with("39-episode-spine-never-closes", json!({})).await;
    assert_eq!(run.status().await, "completed");
    assert_eq!(run.outcomes().await, ["fetch completed", "report completed", "side out_of_scope"]);
}

#[tokio::test]
async fn terminal_means_nothing_without_an_episode() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("40-terminal-without-episode", &json!({})).await, [""; 0]);
    let (run, _) = scene.completed("40-terminal-without-episode").await;
    let outcomes = ["quick", "first", "second", "third"].map(|step| format!("{step} completed"));
    assert_eq!(run.outcomes().await, outcomes);
}

#[tokio::test]
async fn trigger_steps_are_laid_over_the_input() {
    let scene = Scene::new().await;
    let params = &entry("42-trigger-steps-overlay")["start_params"];
    assert_eq!(scene.warnings("42-trigger-steps-overlay", params).await, [""; 0]);
    let (_, outputs) = scene.completed("42-trigger-steps-overlay").await;
    let made = json!({ "plain": { "topic": "t", "limit": 5 }, "gated": { "topic": "t", "text": "hi" } });
    assert_eq!(outputs, made);
}

#[tokio::test]
async fn a_run_knows_whom_it_is_for() {
    let scene = Scene::new().await;
    let params = &entry("55-run-identity")["start_params"];
    assert_eq!(scene.warnings("55-run-identity", params).await, [""; 0]);
    let (run, outputs) = scene.completed("55-run-identity").await;
    let who = &outputs["who"];
    assert_eq!((&who["ext"], &who["user"]), (&json!("cust_9"), &json!("cust_9")), "{who:#}");
    // There are no principals and segments yet.
    assert_eq!((&who["principal"], &who["segment"]), (&Value::Null, &Value::Null), "{who:#}");
    assert_eq!((&who["id"], &who["kind"]), (&json!(run.id), &json!("api")), "{who:#}");
    assert!(who["started"].is_string(), "{who:#}");
}

#[tokio::test]
async fn a_list_at_the_top_stays_a_list() {
    let scene = Scene::new().await;
    assert_eq!(scene.warnings("60-lua-top-level-list", &json!({})).await, [""; 0]);
    let (run, outputs) = scene.completed("60-lua-top-level-list").await;
    assert_eq!(run.result("rows").await, json!(["a", "b"]));
    assert_eq!(outputs["n"], json!({ "first": "a" }));
}

#[tokio::test]
async fn root_keys_are_kept_and_mean_nothing() {
    let scene = Scene::new().await;
    let mut graph = documented("01-echo");
    let plain = scene.acme.publish(&graph).await;
    let more = json!({ "name": 7, "description": null, "tenant_id": {}, "workflow_id": [1], "params": "x",
                       "nodes": [{ "id": "n", "data": { "label": "é" } }], "edges": [], "example_trigger_payload": 0.1,
                       "canonical_schema_ref": "https://example.test/schema.json" });
    for (key, value) in more.as_object().unwrap() {
        graph[key] = value.clone();
    }
    let workflow = scene.acme.publish(&graph).await;
    for (workflow, graph) in [(&plain, documented("01-echo")), (&workflow, graph)] {
        let version =
            scene.acme.client.get(&format!("/v1/workflows/{workflow}/versions/1")).await.expect(200);
        assert_eq!(version["graph_snapshot"], graph);
        let run = scene.acme.begin_again(workflow, json!({ "a": 1 })).await;
        scene.app.work().await;
        let made = json!({ "ping": { "message": "ok", "input": { "a": 1 } } });
        assert_eq!(run.view().await["outputs"], made);
    }
}
