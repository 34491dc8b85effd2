//! Starting runs: what a caller may say, and what becomes of it.

use it::{TestApp, graph, lua, lua_after, noise};
use serde_json::{Value, json};

use crate::run_reads::{T0, acme, deep, echo, run, text};

#[tokio::test]
async fn params_are_the_input_unless_there_is_a_trigger_payload() {
    let (app, _clock, acme) = acme().await;
    let id = acme.publish(&echo()).await;
    for (params, input) in [
        (json!({ "a": 1, "b": { "c": [] } }), json!({ "a": 1, "b": { "c": [] } })),
        (json!({ "a": 1, "external_user_id": "u", "trigger_type": "mcp" }), json!({ "a": 1 })),
        (json!({ "trigger_payload": { "version": 7 }, "version": 1 }), json!({ "version": 7 })),
        (json!({ "trigger_payload": {} }), json!({})),
        (json!({}), json!({})),
    ] {
        let run = acme.start(&id, params.clone()).await;
        app.work().await;
        let run = acme.finished(&id, &run).await;
        assert_eq!(acme.of_run(&run, "context").await["input"], input, "{params}");
    }
    let beside = json!({ "trigger_payload": {}, "k": 1 });
    let refused = acme.command_start(&id, beside).await.refused(422, "INVALID_REQUEST");
    assert!(text(&refused, "error").contains("params.k"), "{refused:#}");
    acme.command_start(&id, json!({ "trigger_payload": [] })).await.refused(422, "INVALID_REQUEST");
    let longest = json!({ "external_user_id": "ä".repeat(256) });
    acme.command_start(&id, longest).await.expect(200);
    let too_long = json!({ "external_user_id": "ä".repeat(257) });
    acme.command_start(&id, too_long).await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn the_run_and_its_caller_are_visible_to_scripts() {
    let (app, _clock, acme) = acme().await;
    let graph = graph([lua("a", "return { run = run }")]);
    let mut run =
        run(&app, &acme, &graph, json!({ "external_user_id": "u-1", "trigger_type": "webhook" })).await;
    let expected = json!({
        "run_id": run["run_id"], "workflow_id": run["workflow_id"], "version": 1, "started_at": T0,
        "trigger_type": "webhook", "external_user_id": "u-1", "external_id": "u-1", "tenant_id": "acme",
        "project_id": "default"
    });
    let seen = run["outputs"]["a"]["run"].as_object_mut().unwrap();
    seen.retain(|_, value| !value.is_null());
    assert_eq!(json!(seen), expected);
}

#[tokio::test]
async fn a_clients_own_run_id_starts_one_run_however_often_it_is_sent() {
    let (app, _clock, acme) = acme().await;
    let id = acme.publish(&graph([lua("a", "return { r = math.random() }")])).await;
    let own = "11111111-2222-4333-8444-555555555555";
    let params = json!({ "run_id": own, "trigger_payload": { "k": 1 } });
    let start = async || acme.command_start(&id, params.clone()).await.expect(200);
    let (one, other) = tokio::join!(start(), start());
    assert_eq!(one, other);
    assert_eq!(one["run_id"], own);
    app.work().await;
    let run = acme.finished(&id, own).await;
    let events = acme.events(&run).await;
    let again = start().await;
    assert_eq!((&again["run_id"], &again["status"]), (&json!(own), &json!("completed")));
    app.work().await;
    assert_eq!(acme.finished(&id, own).await, run);
    assert_eq!(acme.events(&run).await, events, "it is executed once");
    let list = acme.client.get("/v1/runs").await.expect(200);
    assert_eq!(list["runs"].as_array().unwrap().len(), 1);
    let other = acme.publish(&echo()).await;
    acme.command_start(&other, params.clone()).await.refused(409, "RUN_ID_IN_USE");
    acme.client.get(&format!("/v1/workflows/{other}/runs/{own}")).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn prefer_wait_brings_the_outputs_with_the_answer() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let graph = graph([lua("a", "return { n = 1 }"), lua_after("b", &["a"], "return { n = 2 }")]);
    let id = acme.publish(&graph).await;
    let command = json!({ "command": "start" });
    let path = format!("/v1/workflows/{id}/command");
    let answer = acme.client.with("prefer", "wait=20").post(&path, &command).await.expect(200);
    assert_eq!((&answer["status"], &answer["outputs"]), (&json!("completed"), &json!({ "b": { "n": 2 } })));
    // Sent again, the same run answers at once with the same outputs.
    let params = json!({ "command": "start", "params": { "run_id": answer["run_id"] } });
    let again = acme.client.with("prefer", "wait=20").post(&path, &params).await.expect(200);
    assert_eq!(again, answer);
    let failing = acme.publish(&it::graph([lua("a", "error('no')")])).await;
    let path = format!("/v1/workflows/{failing}/command");
    let answer = acme.client.with("prefer", "wait=20").post(&path, &command).await.expect(200);
    assert_eq!((&answer["status"], &answer["outputs"]), (&json!("failed"), &json!({})));
}

#[tokio::test]
async fn prefer_wait_does_not_hold_back_a_run_that_takes_longer() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.publish(&echo()).await;
    let client = acme.client.with("prefer", "wait=0");
    let command = json!({ "command": "start" });
    let answer = client.post(&format!("/v1/workflows/{id}/command"), &command).await.expect(200);
    assert_eq!((&answer["status"], answer.get("outputs")), (&json!("running"), None));
}

#[tokio::test]
async fn a_large_input_comes_back_as_it_went_in() {
    let (app, _clock, acme) = acme().await;
    let pad = noise(900_000, 1);
    let graph = graph([lua("a", "return { n = #input.pad, last = string.sub(input.pad, -8) }")]);
    let run = run(&app, &acme, &graph, json!({ "trigger_payload": { "pad": pad } })).await;
    assert_eq!(run["outputs"]["a"], json!({ "n": 900_000, "last": pad[pad.len() - 8..] }));
    assert!(acme.of_run(&run, "context").await["input"]["pad"] == pad.as_str());
}

#[tokio::test]
async fn an_input_as_deep_as_a_request_may_be_is_carried_through() {
    let (app, _clock, acme) = acme().await;
    let id = acme.publish(&graph([lua("a", "return { kind = type(input.d) }")])).await;
    // serde_json reads 127 levels, two of which are the command's own.
    for depth in [64, 110, 120, 122, 125] {
        let input = deep(depth);
        let started = acme.command_start(&id, json!({ "trigger_payload": input })).await;
        if started.status == 422 {
            continue; // A limit that is told is fine.
        }
        let run = text(&started.expect(200), "run_id").to_owned();
        app.work().await;
        let run = acme.finished(&id, &run).await;
        assert_eq!(run["outputs"]["a"]["kind"], "table", "{depth}: {run:#}");
        assert_eq!(acme.of_run(&run, "context?step_id=a").await["input"], input, "{depth}");
    }
}

#[tokio::test]
async fn an_input_schema_fills_defaults_and_refuses_what_does_not_satisfy_it() {
    let (app, _clock, acme) = acme().await;
    let mut graph = echo();
    graph["input_schema"] = json!({
        "type": "object", "required": ["order", "count"], "additionalProperties": false,
        "properties": { "order": { "type": "string" }, "count": { "type": "integer", "default": 3, "minimum": 1 } }
    });
    let id = acme.publish(&graph).await;
    for (params, input) in [
        (json!({ "order": "1" }), json!({ "order": "1", "count": 3 })),
        (json!({ "order": "1", "count": 5 }), json!({ "order": "1", "count": 5 })),
    ] {
        let run = acme.start(&id, params).await;
        app.work().await;
        assert_eq!(acme.finished(&id, &run).await["outputs"]["a"]["input"], input);
    }
    for (params, place) in [
        (json!({}), "$"),
        (json!({ "order": 1 }), "$.order"),
        (json!({ "order": "1", "count": 0 }), "$.count"),
        (json!({ "order": "1", "count": null }), "$.count"),
        (json!({ "order": "1", "more": 1 }), "$"),
    ] {
        let refused = acme.command_start(&id, params).await.refused(422, "INVALID_REQUEST");
        let issue = &refused["issues"][0];
        assert_eq!(
            (&issue["code"], &issue["json_path"]),
            (&json!("input_invalid"), &json!(place)),
            "{refused:#}"
        );
    }
    let list = acme.client.get("/v1/runs").await.expect(200);
    assert_eq!(list["runs"].as_array().unwrap().len(), 2, "a refused start leaves nothing");
}

#[tokio::test]
async fn saved_defaults_stand_below_the_request_when_it_asks_for_them() {
    let (app, _clock, acme) = acme().await;
    let id = acme.publish(&graph([lua("a", "return { input = input, user = run.external_user_id }")])).await;
    let setup = json!({ "trigger_payload": { "a": 1, "b": 1 }, "external_user_id": "saved" });
    let body = json!({ "run_setup": &setup });
    acme.client.patch(&format!("/v1/workflows/{id}"), &body).await.expect(200);
    // A version keeps the defaults that were saved when it was published: these are a new one's, the graph the same.
    let versions = format!("/v1/workflows/{id}/versions");
    let published = acme.client.post(&versions, &json!({})).await.expect(201);
    assert_eq!((&published["version"], &published["run_setup"]), (&json!(2), &setup));
    acme.client.post(&versions, &json!({})).await.expect(200);
    acme.client.patch(&format!("/v1/workflows/{id}"), &json!({ "run_setup": {} })).await.expect(200);
    let run = acme.start(&id, json!({ "use_run_setup_defaults": true, "version": 1 })).await;
    app.work().await;
    assert_eq!(acme.finished(&id, &run).await["outputs"]["a"]["input"], json!({}), "version 1 has none");
    for (params, input, user) in [
        (json!({ "b": 2 }), json!({ "b": 2 }), Value::Null),
        (json!({ "b": 2, "use_run_setup_defaults": false }), json!({ "b": 2 }), Value::Null),
        (json!({ "b": 2, "use_run_setup_defaults": true }), json!({ "a": 1, "b": 2 }), json!("saved")),
        (
            json!({ "use_run_setup_defaults": true, "external_user_id": "own" }),
            json!({ "a": 1, "b": 1 }),
            json!("own"),
        ),
    ] {
        let run = acme.start(&id, params.clone()).await;
        app.work().await;
        let run = acme.finished(&id, &run).await;
        assert_eq!(run["outputs"]["a"]["input"], input, "{params}");
        assert_eq!(run["outputs"]["a"]["user"], user, "{params}");
    }
}

#[tokio::test]
async fn trigger_steps_lay_fields_over_the_input_of_one_step() {
    let (app, _clock, acme) = acme().await;
    let mut gated = lua("gated", "return {}");
    gated["condition"] = json!("{{ input.k }} == 2");
    let graph = graph([lua("a", "return { input = input }"), lua("b", "return { input = input }"), gated]);
    let params = json!({
        "trigger_payload": { "k": 1, "l": 1 }, "trigger_steps": { "b": { "k": 2, "m": 3 }, "gated": { "k": 2 } }
    });
    let run = run(&app, &acme, &graph, params).await;
    assert_eq!(run["outputs"]["a"]["input"], json!({ "k": 1, "l": 1 }));
    assert_eq!(run["outputs"]["b"]["input"], json!({ "k": 2, "l": 1, "m": 3 }));
    assert_eq!(run["steps"][2]["status"], "completed");
    let id = text(&run, "workflow_id");
    let unknown = json!({ "trigger_steps": { "nobody": {} } });
    let refused = acme.command_start(id, unknown).await.refused(422, "INVALID_REQUEST");
    assert_eq!(refused["issues"][0]["code"], "unknown_step");
}

#[tokio::test]
async fn a_root_that_does_not_start_by_itself_needs_an_entry_grant() {
    let (app, _clock, acme) = acme().await;
    let mut entry = lua("entry", "return { k = input.k }");
    entry["no_auto_start"] = json!(true);
    let graph = graph([
        entry,
        lua("usual", "return {}"),
        lua_after("after_entry", &["entry"], "return {}"),
        lua_after("after_both", &["entry", "usual"], "return { s = steps.entry.status }"),
    ]);
    let id = acme.publish(&graph).await;
    let statuses = async |params: Value| {
        let run = acme.start(&id, params).await;
        app.work().await;
        let run = acme.finished(&id, &run).await;
        assert_eq!(run["status"], "completed", "{run:#}");
        let steps = run["steps"].as_array().unwrap().clone();
        steps.iter().map(|s| s["reason"].as_str().unwrap_or(text(s, "status")).to_owned()).collect::<Vec<_>>()
    };
    let out = "out_of_scope";
    assert_eq!(statuses(json!({})).await, [out, "completed", out, "completed"]);
    assert_eq!(statuses(json!({ "trigger_steps": { "entry": {} } })).await, ["completed"; 4]);
    assert_eq!(
        statuses(json!({ "trigger_steps": { "usual": {} } })).await,
        [out, "completed", out, "completed"]
    );
    let excluded = json!({ "excluded_step_ids": ["usual"] });
    assert_eq!(statuses(excluded).await, [out; 4]);
    let refused = async |ids: Value| acme.command_start(&id, json!({ "excluded_step_ids": ids })).await;
    for (ids, code) in [(json!(["after_both"]), "not_a_root"), (json!(["gone"]), "unknown_step")] {
        let body = refused(ids).await.refused(422, "INVALID_REQUEST");
        assert_eq!(body["issues"][0]["code"], code);
    }
    refused(json!("usual")).await.refused(422, "INVALID_REQUEST");
}

#[tokio::test]
async fn a_run_from_which_everything_is_left_out_is_over_at_once() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.publish(&echo()).await;
    let started = acme.command_start(&id, json!({ "excluded_step_ids": ["a"] })).await.expect(200);
    assert_eq!(started["status"], "completed");
    let run = acme.finished(&id, text(&started, "run_id")).await;
    assert_eq!((&run["status"], &run["steps"][0]["reason"]), (&json!("completed"), &json!("out_of_scope")));
}

#[tokio::test]
async fn a_start_that_was_accepted_is_answered_again_after_its_workflow_was_archived() {
    let (app, _clock, acme) = acme().await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    let params = json!({ "run_id": "0190a000-0000-7000-8000-00000000000a", "trigger_payload": {} });
    let first = acme.command_start(&id, params.clone()).await.expect(200);
    app.work().await;
    acme.client.delete(&format!("/v1/workflows/{id}")).await;
    let again = acme.command_start(&id, params).await.expect(200);
    assert_eq!((&again["run_id"], &again["started_at"]), (&first["run_id"], &first["started_at"]));
    assert_eq!(again["status"], "completed");
    acme.command_start(&id, json!({})).await.refused(409, "WORKFLOW_ARCHIVED");
}

#[tokio::test]
async fn parameters_of_a_recovery_are_refused_rather_than_taken_for_input() {
    let (_app, _clock, acme) = acme().await;
    let id = acme.publish(&graph([lua("a", "return {}")])).await;
    for key in ["resume_from_run_id", "from_step_id"] {
        let refused = acme.command_start(&id, json!({ key: "x" })).await.refused(422, "INVALID_REQUEST");
        assert!(refused["error"].as_str().unwrap().contains(key), "{refused}");
    }
}

/// Keys of a start's `params` that are neither input nor known.
const RESERVED: [&str; 6] =
    ["segment_id", "team_id", "user_id", "principal_id", "budget_microcredits", "on_budget"];

#[tokio::test]
async fn reserved_params_are_refused_and_never_taken_as_input() {
    let (app, _clock, acme) = acme().await;
    let id = acme.publish(&echo()).await;
    let workflow = format!("/v1/workflows/{id}");
    for key in RESERVED {
        let told = |refusal: Value, place: &str| {
            let error = text(&refusal, "error").to_owned();
            assert!(error.starts_with(&format!("{place}.{key}: is reserved")), "{error}");
            assert!(error.contains("trigger_payload"), "it says what to do: {error}");
        };
        for params in [json!({ key: "x", "a": 1 }), json!({ key: 7, "trigger_payload": {} })] {
            told(acme.command_start(&id, params.clone()).await.refused(422, "INVALID_REQUEST"), "params");
            let setup = json!({ "run_setup": params });
            told(acme.client.patch(&workflow, &setup).await.refused(422, "INVALID_REQUEST"), "run_setup");
            let trigger = json!({ "cron": "0 9 * * *", "params": params });
            let triggers = format!("{workflow}/triggers");
            told(acme.client.post(&triggers, &trigger).await.refused(422, "INVALID_REQUEST"), "params");
        }
        // Inside the payload and a webhook's body it is a key like any other.
        let run = acme.start(&id, json!({ "trigger_payload": { key: "x" }, "external_user_id": "u" })).await;
        app.work().await;
        let run = acme.finished(&id, &run).await;
        assert_eq!(acme.of_run(&run, "context").await["input"], json!({ key: "x" }));
    }
    for params in [json!({ "reuse_completed_steps": true }), json!({ "reuse_completed_steps": 1 })] {
        acme.command_start(&id, params).await.refused(422, "INVALID_REQUEST");
    }
    let nulls = json!({ "segment_id": null, "team_id": null, "a": 1 });
    let run = acme.start(&id, nulls).await;
    app.work().await;
    let run = acme.finished(&id, &run).await;
    assert_eq!(acme.of_run(&run, "context").await["input"], json!({ "a": 1 }), "null is not given");
    let mut body = json!({});
    for key in RESERVED {
        body[key] = json!("x");
    }
    let sender = acme.subscribe(&id, json!({})).await;
    let accepted = sender.deliver(body.to_string().as_bytes()).await.expect(202);
    app.work().await;
    let run = acme.finished(&id, text(&accepted, "run_id")).await;
    assert_eq!(acme.of_run(&run, "context").await["input"], body);
}
