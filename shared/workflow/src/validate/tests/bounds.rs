use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{finds, graph, llm, lua, report};

/// Unoptimised test builds are some ten times slower than what is deployed.
const PATIENCE: Duration = Duration::from_secs(10);

fn quickly(graph: &Value) -> super::Report {
    assert!(graph.to_string().len() <= 512 * 1024, "{}", graph.to_string().len());
    let started = Instant::now();
    let report = report(graph);
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    report
}

#[test]
fn five_hundred_steps_full_of_templates_are_checked_in_no_time() {
    let steps: Vec<Value> = (0..500)
        .map(|index| {
            let needs: Vec<String> = (0..index).rev().take(5).map(|before| format!("s{before}")).collect();
            let text: String = needs
                .iter()
                .cycle()
                .take(25)
                .map(|id| format!("{{{{ steps.{id}.result.text }}}} "))
                .collect();
            llm(&format!("s{index}"), &format!("- {text}"), json!({ "depends_on": needs }))
        })
        .collect();
    let report = quickly(&graph(json!(steps)));
    assert!(report.valid, "{:?}", report.issues.first());
}

#[test]
fn a_step_may_wait_for_all_before_it() {
    let steps: Vec<Value> = (0..350)
        .map(|index| {
            let needs: Vec<String> = (0..index).map(|before| format!("{before}")).collect();
            lua(&format!("{index}"), json!({ "depends_on": needs }))
        })
        .collect();
    assert!(quickly(&graph(json!(steps))).valid);
}

#[test]
fn a_graph_that_is_wrong_in_every_place_is_answered_with_a_bounded_list() {
    let wrong = "{{ nope }}{{ steps.x.result }}".repeat(30);
    let steps: Vec<Value> = (0..480)
        .map(|index| json!({ "id": "same", "type": "llm_call", "prompt": wrong, "modle": index, "depends_on": ["y"] }))
        .collect();
    let report = quickly(&graph(json!(steps)));
    assert!(!report.valid);
    assert_eq!(report.issues.len(), 2001);
    let last = report.issues.last().unwrap();
    assert_eq!(last.code, "too_many_issues");
    assert!(last.message.ends_with("more issues are not listed"));
}

#[test]
fn tens_of_thousands_of_steps_cost_no_more_than_being_told_so() {
    let steps: Vec<Value> =
        (0..12_000).map(|index| json!({ "id": format!("{index}"), "type": "while" })).collect();
    let report = quickly(&graph(json!(steps)));
    assert_eq!(report.issues[0].code, "too_many_steps");
}

#[test]
fn no_list_however_long_is_gone_through_for_every_entry() {
    let many =
        |prefix: &str, count: usize| (0..count).map(|index| format!("{prefix}{index}")).collect::<Vec<_>>();
    let names: String = many("u", 9000).iter().map(|name| format!("steps.{name},")).collect();
    let texts: String = many("v", 4000).iter().map(|name| format!("{{{{ steps.{name}.result }}}}")).collect();
    let properties: Value = many("p", 3000).into_iter().map(|name| (name, json!({}))).collect();
    let graph = json!({
        "steps": [
            lua("a", json!({ "script": format!("return {{ {} }}", &names[..60_000].rsplit_once(',').unwrap().0) })),
            llm("b", &texts, json!({ "input_allowlist": many("w", 5000), "depends_on": many("x", 5000) })),
            lua("c", many("y", 4000).into_iter().map(|name| (name, json!(1))).collect()),
        ],
        "input_schema": { "properties": properties, "required": many("p", 3000) },
    });
    assert!(!quickly(&graph).valid);
}

#[test]
fn deep_values_are_no_danger() {
    let depth = 100;
    let text = format!(
        r#"{{"steps":[{{"id":"a","type":"mcp_call","tool_name":"t","instance_id":"i","tool_args":{}"{{{{ input.x }}}}"{}}}]}}"#,
        r#"{"a":"#.repeat(depth),
        "}".repeat(depth)
    );
    let graph: Value = serde_json::from_str(&text).unwrap();
    finds(&graph, &[]);
}

#[test]
fn messages_do_not_repeat_half_a_megabyte() {
    let long = "x".repeat(100_000);
    let report = quickly(&graph(json!([
        { "id": long, "type": "lua_script", "script": "return {}", "depends_on": [long], "timeout_s": long },
        { "id": "b", "type": long, "name": long },
    ])));
    assert!(report.issues.len() >= 4);
    for issue in &report.issues {
        assert!(issue.json_path.len() < 1000 && issue.step_id.as_ref().is_none_or(|id| id.len() < 200));
        assert!(issue.message.len() < 500 && issue.suggestion.len() < 500, "{}", issue.code);
    }
}

#[test]
fn long_keys_around_many_strings_are_not_repeated_for_each() {
    let graph = graph(json!([{
        "id": "a", "type": "mcp_call", "tool_name": "t", "instance_id": "i",
        "tool_args": { "k".repeat(200_000): { "l".repeat(100_000): vec!["{{"; 40_000] } },
    }]));
    let report = quickly(&graph);
    assert!(serde_json::to_string(&report).unwrap().len() < 2 * 1024 * 1024);
}
