use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::graph::Graph;
use super::{Plan, StepIx};
use types::issue::Issue;

fn compile(graph: &Value) -> Result<Plan, Vec<Issue>> {
    Plan::compile(Graph::read(graph).expect("readable"))
}

/// A graph of scripts: each id with what it depends on.
fn graph(steps: &[(&str, &[&str])]) -> Value {
    let step = |(id, needs): &(&str, &[&str])| json!({ "id": id, "type": "lua_script", "script": "return {}", "depends_on": needs });
    json!({ "steps": steps.iter().map(step).collect::<Vec<_>>() })
}

fn ids(plan: &Plan, steps: impl IntoIterator<Item = StepIx>) -> Vec<String> {
    steps.into_iter().map(|ix| plan.step(ix).step.id.clone()).collect()
}

fn codes(issues: &[Issue]) -> Vec<String> {
    issues.iter().map(|issue| format!("{} {}", issue.code, issue.json_path)).collect()
}

#[test]
fn a_diamond_is_wired_both_ways() {
    let plan = compile(&graph(&[("d", &["b", "c"]), ("b", &["a"]), ("c", &["a"]), ("a", &[])])).unwrap();
    assert_eq!(ids(&plan, plan.order.clone()), ["a", "b", "c", "d"]);
    assert_eq!(ids(&plan, plan.roots.clone()), ["a"]);
    assert_eq!(ids(&plan, plan.sinks.clone()), ["d"]);
    let at = |id: &str| plan.find(id).unwrap();
    assert_eq!(ids(&plan, plan.ancestors(at("d"))), ["b", "c", "a"]);
    assert_eq!(ids(&plan, plan.descendants(at("a"))), ["d", "b", "c"]);
    assert_eq!(ids(&plan, plan.step(at("a")).dependants.clone()), ["b", "c"]);
    assert_eq!(plan.find("nope"), None);
}

#[test]
fn among_steps_that_could_come_next_the_graphs_order_decides() {
    let plan = compile(&graph(&[("c", &[]), ("a", &["z"]), ("z", &[]), ("b", &[])])).unwrap();
    assert_eq!(ids(&plan, plan.order.clone()), ["c", "z", "a", "b"]);
}

#[test]
fn the_allowlist_narrows_what_may_be_read() {
    let mut graph = graph(&[("a", &[]), ("b", &["a"]), ("c", &["b"]), ("x", &[])]);
    graph["steps"][2]["input_allowlist"] = json!(["a", "human", "x", "nope"]);
    let plan = compile(&graph).unwrap();
    assert_eq!(ids(&plan, plan.readable(plan.find("c").unwrap())), ["a"]);
    assert_eq!(ids(&plan, plan.readable(plan.find("b").unwrap())), ["a"]);
}

#[test]
fn conditions_and_timeouts_are_ready_to_use() {
    let plan = compile(&json!({ "steps": [
        { "id": "a", "type": "human_task", "condition": "{{ input.x }}", "skip_when": "{{ input.y }} == 1" },
        { "id": "b", "type": "human_task", "timeout_s": 1.5 },
        { "id": "c", "type": "workflow_call" },
    ] }))
    .unwrap();
    assert!(plan.steps[0].condition.is_some() && plan.steps[0].skip_when.is_some());
    let millis: Vec<_> =
        plan.steps.iter().map(|step| step.timeout.map(|timeout| timeout.as_millis())).collect();
    assert_eq!(millis, [None, Some(1500), Some(3_600_000)]);
}

#[test]
fn a_body_keeps_the_arrays_order_unless_dependencies_say_otherwise() {
    let body = |first_needs: Value| {
        let plan =
            compile(&json!({ "steps": [{ "id": "loop", "type": "while", "while_condition": "{{ body.a.x }}",
            "while_body_steps": [
                { "id": "c", "type": "lua_script", "depends_on": first_needs },
                { "id": "a", "type": "lua_script" },
                { "id": "b", "type": "lua_script", "condition": "{{ body.a.ok }}", "timeout_s": 2 },
            ] }] }));
        plan.unwrap().steps.remove(0).body.unwrap()
    };
    let order = |body: &super::Body| body.steps.iter().map(|inner| inner.step.id.clone()).collect::<Vec<_>>();
    assert_eq!(order(&body(json!([]))), ["c", "a", "b"]);
    let reordered = body(json!(["b"]));
    assert_eq!(order(&reordered), ["a", "b", "c"]);
    assert_eq!(reordered.steps[2].depends_on, [1]);
    assert_eq!(reordered.find("c"), Some(2));
    assert!(reordered.steps[1].condition.is_some() && reordered.while_condition.is_some());
    assert_eq!(reordered.steps[1].timeout.map(|timeout| timeout.as_secs()), Some(2));
}

#[test]
fn a_cycle_is_printed_and_every_separate_one_is_reported() {
    let issues = compile(&graph(&[
        ("ok", &[]),
        ("a", &["ok", "c"]),
        ("b", &["a"]),
        ("c", &["b", "a"]),
        ("after", &["a"]),
        ("self", &["self"]),
    ]))
    .unwrap_err();
    assert_eq!(
        codes(&issues),
        ["dependency_cycle $.steps[1].depends_on[1]", "dependency_cycle $.steps[5].depends_on[0]"]
    );
    assert!(issues[0].message.starts_with("a → c → a:"), "{}", issues[0].message);
    assert!(issues[1].message.starts_with("self → self:"), "{}", issues[1].message);
    assert_eq!(issues[0].step_id.as_deref(), Some("a"));
}

#[test]
fn what_no_run_could_make_sense_of_is_refused_all_at_once() {
    let mut graph = graph(&[("a", &["nope"]), ("a", &[]), ("fetch-pr", &["fetch_pr"])]);
    graph["steps"][1]["condition"] = json!("{{ x");
    graph["steps"][2] = json!({ "id": "l", "type": "while", "while_condition": "{{ a }} + 1", "while_body_steps": [
        { "id": "i", "type": "lua_script", "depends_on": ["a"], "skip_when": "{{" },
        { "id": "a", "type": "lua_script" }, { "id": "j", "type": "lua_script", "depends_on": ["k"] },
        { "id": "k", "type": "lua_script", "depends_on": ["j"] } ] });
    assert_eq!(
        codes(&compile(&graph).unwrap_err()),
        [
            "duplicate_step_id $.steps[1].id",
            "unknown_dependency $.steps[0].depends_on[0]",
            "condition_syntax $.steps[1].condition",
            "condition_syntax $.steps[2].while_condition",
            "dependency_cycle $.steps[2].while_body_steps[2].depends_on[0]",
            "inner_id_clash $.steps[2].while_body_steps[1].id",
            "condition_syntax $.steps[2].while_body_steps[0].skip_when",
        ]
    );
}

#[test]
fn a_dependency_listed_twice_counts_once() {
    let plan = compile(&graph(&[("a", &[]), ("b", &["a", "a"])])).unwrap();
    assert_eq!(plan.steps[1].depends_on, [StepIx(0)]);
    assert_eq!(plan.steps[0].dependants, [StepIx(1)]);
}

#[test]
fn a_chain_of_500_is_fine_and_501_steps_are_not() {
    let chain = |length: usize| {
        let step = |index: usize| {
            // Backwards, so that the order has to be found.
            let needs = if index + 1 < length { vec![format!("s{}", index + 1)] } else { Vec::new() };
            json!({ "id": format!("s{index}"), "type": "lua_script", "depends_on": needs })
        };
        json!({ "steps": (0..length).map(step).collect::<Vec<_>>() })
    };
    let plan = compile(&chain(500)).unwrap();
    assert_eq!(plan.order.first(), Some(&StepIx(499)));
    assert_eq!(plan.ancestors(StepIx(0)).count(), 499);
    assert_eq!(plan.descendants(StepIx(499)).count(), 499);
    assert_eq!(codes(&compile(&chain(501)).unwrap_err())[0], "too_many_steps $.steps");
}

/// A random list of edges among `n` steps, as `(step, needed)`.
fn edges(n: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
    proptest::collection::vec((0..n, 0..n), 0..n * 3)
}

fn graph_of(n: usize, edges: &[(usize, usize)]) -> Value {
    let needs = |step: usize| -> BTreeSet<String> {
        edges.iter().filter(|(from, _)| *from == step).map(|(_, to)| format!("s{to}")).collect()
    };
    let step =
        |index: usize| json!({ "id": format!("s{index}"), "type": "lua_script", "depends_on": needs(index) });
    json!({ "steps": (0..n).map(step).collect::<Vec<_>>() })
}

/// Whether some step can reach itself, found the slow way.
fn has_cycle(n: usize, edges: &[(usize, usize)]) -> bool {
    (0..n).any(|start| {
        let mut seen = BTreeSet::new();
        let mut ahead = vec![start];
        while let Some(at) = ahead.pop() {
            for (_, to) in edges.iter().filter(|(from, _)| *from == at) {
                if *to == start {
                    return true;
                }
                if seen.insert(*to) {
                    ahead.push(*to);
                }
            }
        }
        false
    })
}

proptest! {
    #[test]
    fn the_order_of_a_dag_respects_every_edge(n in 1usize..40, edges in (1usize..40).prop_flat_map(edges)) {
        let downward: Vec<_> = edges.into_iter().filter(|(from, to)| from > to && *from < n).collect();
        let plan = compile(&graph_of(n, &downward)).unwrap();
        prop_assert_eq!(plan.order.len(), n);
        let place: Vec<_> =
            (0..n).map(|index| plan.order.iter().position(|ix| ix.index() == index).unwrap()).collect();
        for (from, to) in &downward {
            prop_assert!(place[*to] < place[*from]);
            prop_assert!(plan.steps[*from].ancestors.contains(StepIx(*to as u16)));
            for further in plan.ancestors(StepIx(*to as u16)) {
                prop_assert!(plan.steps[*from].ancestors.contains(further), "ancestors are transitive");
            }
        }
        // All edges point down, so the order of the array is the stable one.
        prop_assert!(plan.order.is_sorted());
    }

    #[test]
    fn cycles_are_always_found_and_the_printed_one_is_real(n in 1usize..20, edges in (1usize..20).prop_flat_map(edges)) {
        let edges: Vec<_> = edges.into_iter().filter(|(from, to)| *from < n && *to < n).collect();
        match compile(&graph_of(n, &edges)) {
            Ok(_) => prop_assert!(!has_cycle(n, &edges)),
            Err(issues) => {
                prop_assert!(has_cycle(n, &edges));
                for issue in issues {
                    prop_assert_eq!(issue.code, "dependency_cycle");
                    let (printed, _) = issue.message.split_once(':').unwrap();
                    let cycle: Vec<usize> =
                        printed.split(" → ").map(|id| id[1..].parse().unwrap()).collect();
                    prop_assert!(cycle.len() >= 2 && cycle.first() == cycle.last());
                    for pair in cycle.windows(2) {
                        prop_assert!(edges.contains(&(pair[0], pair[1])), "{} is no edge", printed);
                    }
                }
            }
        }
    }
}
