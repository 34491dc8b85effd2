use serde_json::{Value, json};

use super::{finds_in_steps, for_each, found, graph, llm, lua, while_loop, with};
use crate::steps::StepKind;
use crate::validate::{Request, validate};

fn step(kind: &str, more: Value) -> Value {
    with(json!({ "id": "s", "type": kind }), more)
}

fn human(more: Value) -> Value {
    with(step("human_task", json!({ "task_type": "t" })), more)
}

fn calls(more: Value) -> Value {
    with(step("workflow_call", json!({ "workflow_id": "w" })), more)
}

fn agent(more: Value) -> Value {
    with(step("agent_call", json!({ "agent_id": "a", "prompt": "p" })), more)
}

fn mcp(more: Value) -> Value {
    with(step("mcp_call", json!({ "tool_name": "t", "instance_id": "i" })), more)
}

fn body() -> Value {
    json!([lua("i", json!({}))])
}

/// One step that is out of range at `field`.
fn out_of_range(step: Value, field: &str) {
    let id = step["id"].as_str().unwrap().to_owned();
    finds_in_steps(json!([step]), &[&format!("error out_of_range $.steps[0].{field} ({id})")]);
}

#[test]
fn what_a_type_requires_must_be_there() {
    for (kind, missing) in [
        ("lua_script", vec!["script"]),
        ("llm_call", vec!["prompt", "model"]),
        ("mcp_call", vec!["tool_name", "instance_id"]),
        ("human_task", vec!["task_type"]),
        ("for_each", vec!["for_each_items", "for_each_body_steps"]),
        ("while", vec!["while_mode", "while_max_iterations", "while_body_steps", "while_condition"]),
        ("workflow_call", vec!["workflow_id"]),
        ("agent_call", vec!["agent_id", "prompt"]),
    ] {
        let expected: Vec<_> = missing
            .iter()
            .map(|field| format!("error required_field_missing $.steps[0].{field} (s)"))
            .collect();
        finds_in_steps(
            json!([step(kind, json!({}))]),
            &expected.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
}

#[test]
fn either_of_two_fields_will_do() {
    for good in [
        step("llm_call", json!({ "prompt": "p", "model_ref": "direct.openai.gpt-4.1" })),
        step("mcp_call", json!({ "tool_name": "t", "server_url": "https://x" })),
        step("agent_call", json!({ "agent_id": "a", "input": {} })),
        agent(json!({ "input": {} })),
        step(
            "while",
            json!({ "while_mode": "while", "while_max_iterations": 1, "while_body_steps": body(),
                              "while_eval_script": "return { pass = true }" }),
        ),
    ] {
        finds_in_steps(json!([good]), &[]);
    }
}

#[test]
fn two_fields_of_which_only_one_counts_are_pointed_out() {
    finds_in_steps(
        json!([mcp(json!({ "server_url": "https://x" }))]),
        &["warning ambiguous_fields $.steps[0].server_url (s)"],
    );
    finds_in_steps(
        json!([llm("s", "p", json!({ "model_ref": "r" }))]),
        &["warning ambiguous_fields $.steps[0].model_ref (s)"],
    );
    finds_in_steps(
        json!([while_loop("s", body(), json!({ "while_eval_script": "return {}" }))]),
        &["warning ambiguous_fields $.steps[0].while_eval_script (s)"],
    );
}

#[test]
fn blank_fields_are_as_good_as_missing() {
    finds_in_steps(
        json!([step("llm_call", json!({ "prompt": " ", "model": "" }))]),
        &["error empty_field $.steps[0].prompt (s)", "error empty_field $.steps[0].model (s)"],
    );
    finds_in_steps(
        json!([lua("s", json!({ "script": "\n" }))]),
        &["error empty_field $.steps[0].script (s)"],
    );
}

#[test]
fn retries_are_at_most_10_and_wait_at_most_300_seconds_at_first() {
    finds_in_steps(json!([lua("s", json!({ "retry_count": 10, "retry_backoff_s": 300 }))]), &[]);
    finds_in_steps(json!([lua("s", json!({ "retry_count": 0, "retry_backoff_s": 0 }))]), &[]);
    out_of_range(lua("s", json!({ "retry_count": 11 })), "retry_count");
    out_of_range(lua("s", json!({ "retry_backoff_s": 300.1 })), "retry_backoff_s");
    out_of_range(lua("s", json!({ "retry_backoff_s": -1 })), "retry_backoff_s");
}

#[test]
fn timeouts_are_capped_by_type() {
    let day = 86_400;
    for (step, cap) in [
        (lua("s", json!({})), 30),
        (llm("s", "p", json!({})), 600),
        (mcp(json!({})), 600),
        (human(json!({})), 30 * day),
        (for_each("s", body(), json!({})), day),
        (while_loop("s", body(), json!({})), day),
        (calls(json!({})), 30 * day),
        (agent(json!({})), 900),
    ] {
        finds_in_steps(json!([with(step.clone(), json!({ "timeout_s": cap }))]), &[]);
        finds_in_steps(json!([with(step.clone(), json!({ "timeout_s": 0.001 }))]), &[]);
        out_of_range(with(step.clone(), json!({ "timeout_s": cap + 1 })), "timeout_s");
        out_of_range(with(step.clone(), json!({ "timeout_s": 0 })), "timeout_s");
        out_of_range(with(step, json!({ "timeout_s": -5 })), "timeout_s");
    }
}

#[test]
fn scripts_have_at_most_64_kib() {
    let script = |bytes: usize| format!("return {{}}{}", " ".repeat(bytes - "return {}".len()));
    finds_in_steps(json!([lua("s", json!({ "script": script(65_536) }))]), &[]);
    finds_in_steps(
        json!([lua("s", json!({ "script": script(65_537) }))]),
        &["error script_too_large $.steps[0].script (s)"],
    );
    let eval = |bytes| json!({ "while_eval_script": script(bytes), "while_condition": null });
    finds_in_steps(json!([while_loop("s", body(), eval(65_536))]), &[]);
    finds_in_steps(
        json!([while_loop("s", body(), eval(65_537))]),
        &["error script_too_large $.steps[0].while_eval_script (s)"],
    );
}

#[test]
fn a_for_each_keeps_its_limits() {
    let step = |more| for_each("s", body(), more);
    for good in [
        json!({ "for_each_max_parallel": 1 }),
        json!({ "for_each_max_parallel": 100 }),
        json!({ "for_each_items": vec![0; 500] }),
        json!({ "for_each_items": [] }),
        json!({ "for_each_item_timeout_s": 86_400 }),
        json!({ "for_each_items": "{{ input.x | [] }}" }),
    ] {
        finds_in_steps(json!([step(good)]), &[]);
    }
    out_of_range(step(json!({ "for_each_max_parallel": 0 })), "for_each_max_parallel");
    out_of_range(step(json!({ "for_each_max_parallel": 101 })), "for_each_max_parallel");
    out_of_range(step(json!({ "for_each_item_timeout_s": 86_401 })), "for_each_item_timeout_s");
    out_of_range(step(json!({ "for_each_item_timeout_s": 0 })), "for_each_item_timeout_s");
    for (more, expected) in [
        (json!({ "for_each_items": vec![0; 501] }), "error too_many_items $.steps[0].for_each_items (s)"),
        (json!({ "for_each_items": "x {{ input.x }}" }), "error not_a_list $.steps[0].for_each_items (s)"),
        (json!({ "for_each_items": "a,b" }), "error invalid_type $.steps[0].for_each_items (s)"),
        (json!({ "for_each_body_steps": [] }), "error empty_body $.steps[0].for_each_body_steps (s)"),
        (
            json!({ "for_each_error_policy": "retry" }),
            "error invalid_value $.steps[0].for_each_error_policy (s)",
        ),
    ] {
        finds_in_steps(json!([step(more)]), &[expected]);
    }
}

#[test]
fn a_while_keeps_its_limits() {
    let step = |more| while_loop("s", body(), more);
    for rounds in [1, 1000] {
        finds_in_steps(json!([step(json!({ "while_max_iterations": rounds }))]), &[]);
    }
    for rounds in [0, 1001] {
        out_of_range(step(json!({ "while_max_iterations": rounds })), "while_max_iterations");
    }
    finds_in_steps(json!([step(json!({ "while_iteration_timeout_s": 86_400 }))]), &[]);
    out_of_range(step(json!({ "while_iteration_timeout_s": 86_401 })), "while_iteration_timeout_s");
    finds_in_steps(
        json!([step(json!({ "while_body_steps": [] }))]),
        &["error empty_body $.steps[0].while_body_steps (s)"],
    );
    finds_in_steps(
        json!([step(json!({ "while_mode": "for" }))]),
        &["error invalid_value $.steps[0].while_mode (s)"],
    );
}

#[test]
fn bodies_hold_no_loops_no_people_and_no_entries() {
    let inner = json!([
        for_each("f", body(), json!({})),
        while_loop("w", json!([lua("j", json!({}))]), json!({})),
        with(human(json!({})), json!({ "id": "h" })),
        lua("l", json!({ "no_auto_start": true, "terminal": true })),
        with(calls(json!({})), json!({ "id": "c" })),
        with(agent(json!({})), json!({ "id": "g" })),
        with(mcp(json!({})), json!({ "id": "m" })),
        llm("q", "p", json!({})),
    ]);
    finds_in_steps(
        json!([for_each("loop", inner, json!({}))]),
        &[
            "error type_not_allowed_in_body $.steps[0].for_each_body_steps[0].type (f)",
            "error type_not_allowed_in_body $.steps[0].for_each_body_steps[1].type (w)",
            "error type_not_allowed_in_body $.steps[0].for_each_body_steps[2].type (h)",
            "error field_not_allowed_in_body $.steps[0].for_each_body_steps[3].no_auto_start (l)",
            "error field_not_allowed_in_body $.steps[0].for_each_body_steps[3].terminal (l)",
        ],
    );
}

#[test]
fn inner_steps_keep_the_limits_of_their_types() {
    finds_in_steps(
        json!([while_loop("w", json!([lua("i", json!({ "timeout_s": 31, "retry_count": 11 }))]), json!({}))]),
        &[
            "error out_of_range $.steps[0].while_body_steps[0].retry_count (i)",
            "error out_of_range $.steps[0].while_body_steps[0].timeout_s (i)",
        ],
    );
}

#[test]
fn sampling_parameters_are_sensible() {
    let step = |params: Value| llm("s", "p", json!({ "llm_params": params }));
    finds_in_steps(json!([step(json!({ "temperature": 0, "top_p": 1, "max_tokens": 1 }))]), &[]);
    finds_in_steps(json!([step(json!({ "temperature": "{{ input.t }}", "top_p": "{{ input.p }}" }))]), &[]);
    out_of_range(step(json!({ "temperature": -0.1 })), "llm_params.temperature");
    out_of_range(step(json!({ "top_p": 1.1 })), "llm_params.top_p");
    out_of_range(step(json!({ "max_tokens": 0 })), "llm_params.max_tokens");
}

#[test]
fn an_output_schema_is_a_schema() {
    let step = |schema: Value| llm("s", "p", json!({ "output_schema": schema }));
    finds_in_steps(json!([step(json!({ "type": "object" }))]), &[]);
    finds_in_steps(json!([step(json!({ "type": "{{ input.type }}" }))]), &[]);
    finds_in_steps(
        json!([step(json!({ "properties": { "a": { "type": "objekt" } } }))]),
        &["error invalid_schema $.steps[0].output_schema.properties.a.type (s)"],
    );
}

#[test]
fn what_has_no_effect_is_pointed_out() {
    finds_in_steps(
        json!([human(json!({ "on_timeout": "approve" }))]),
        &["warning on_timeout_without_timeout $.steps[0].on_timeout (s)"],
    );
    finds_in_steps(json!([human(json!({ "on_timeout": "approve", "timeout_s": 60 }))]), &[]);
    finds_in_steps(
        json!([calls(json!({ "wait": false, "output_from": "x" }))]),
        &["warning output_from_without_wait $.steps[0].output_from (s)"],
    );
}

#[test]
fn counts_begin_at_one() {
    out_of_range(calls(json!({ "version": 0 })), "version");
    out_of_range(agent(json!({ "max_tool_rounds": 0 })), "max_tool_rounds");
    finds_in_steps(json!([calls(json!({ "version": "{{ input.v }}" }))]), &[]);
}

#[test]
fn types_that_cannot_be_executed_here_are_refused() {
    let graph = graph(json!([
        lua("a", json!({})),
        llm("b", "p", json!({})),
        for_each("f", json!([llm("i", "p", json!({}))]), json!({}))
    ]));
    let only_scripts = |kind: &str| kind == "lua_script";
    let report = validate(&Request::new(&graph, &only_scripts));
    assert_eq!(
        found(&report),
        [
            "error step_type_unavailable $.steps[1].type (b)",
            "error step_type_unavailable $.steps[2].type (f)",
            "error step_type_unavailable $.steps[2].for_each_body_steps[0].type (i)",
        ]
    );
    assert_eq!(StepKind::TYPES.len(), 8);
}
