use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::report;
use crate::steps::StepKind;
use crate::{Graph, Plan, graph_schema};
use types::issue::Severity;

/// Values such as authors write into fields, good and bad.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-1i64..1200).prop_map(Value::from),
        Just(json!(0.5)),
        Just(json!("{{ input.x }}")),
        Just(json!("{{ steps.s0.result.y | 1 }}")),
        Just(json!("{{ body.b0.y }} == 1")),
        Just(json!("{{")),
        Just(json!("return {}")),
        Just(json!("while")),
        Just(json!("fail_fast")),
        Just(json!("s0")),
        Just(json!("")),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("temperature|stop|type|id|x y", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Fields of every type, so that most steps are a little wrong and some are right.
const FIELDS: [&str; 32] = [
    "name",
    "depends_on",
    "enabled",
    "condition",
    "skip_when",
    "retry_count",
    "retry_backoff_s",
    "timeout_s",
    "no_auto_start",
    "terminal",
    "input_allowlist",
    "metadata",
    "script",
    "prompt",
    "model",
    "llm_params",
    "output_schema",
    "tool_name",
    "instance_id",
    "tool_args",
    "task_type",
    "on_timeout",
    "for_each_items",
    "for_each_max_parallel",
    "while_mode",
    "while_condition",
    "while_max_iterations",
    "workflow_id",
    "version",
    "agent_id",
    "input",
    "typo",
];

fn step(prefix: &'static str, body: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let fields = proptest::collection::vec((proptest::sample::select(&FIELDS[..]), value()), 0..3);
    (proptest::sample::select(&StepKind::TYPES[..]), fields, body, 0..4u8).prop_map(
        move |(kind, fields, body, number)| {
            let mut step = minimal(kind, &body);
            step["id"] = json!(format!("{prefix}{number}"));
            for (field, value) in fields {
                step[field] = value;
            }
            step
        },
    )
}

/// The least that makes a step of a type valid.
fn minimal(kind: &str, body: &Value) -> Value {
    match kind {
        "lua_script" => json!({ "type": kind, "script": "return {}" }),
        "llm_call" => json!({ "type": kind, "prompt": "p", "model": "m" }),
        "mcp_call" => json!({ "type": kind, "tool_name": "t", "instance_id": "i" }),
        "human_task" => json!({ "type": kind, "task_type": "t" }),
        "for_each" => json!({ "type": kind, "for_each_items": [], "for_each_body_steps": body }),
        "while" => json!({ "type": kind, "while_mode": "while", "while_condition": "{{ input.x }}",
                           "while_max_iterations": 3, "while_body_steps": body }),
        "workflow_call" => json!({ "type": kind, "workflow_id": "w" }),
        _ => json!({ "type": kind, "agent_id": "a", "prompt": "p" }),
    }
}

fn graph() -> impl Strategy<Value = Value> {
    let inner = proptest::collection::vec(step("b", Just(json!([])).boxed()), 0..3).prop_map(Value::from);
    let steps = proptest::collection::vec(step("s", inner.boxed()), 1..4);
    steps.prop_map(|steps| json!({ "steps": steps }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn what_is_valid_can_be_read_compiled_and_satisfies_the_json_schema(graph in graph()) {
        let report = report(&graph);
        prop_assert_eq!(report.valid, report.issues.iter().all(|issue| issue.severity == Severity::Warning));
        match Graph::read(&graph) {
            Ok(read) => {
                let written = serde_json::to_value(&read).unwrap();
                prop_assert_eq!(Graph::read(&written), Ok(read.clone()), "reading is stable");
                let compiled = Plan::compile(read);
                if report.valid {
                    prop_assert!(compiled.is_ok());
                    // null counts as not given, which a schema cannot say for every field.
                    prop_assert_eq!(json_schema::check(&graph_schema(), &written), Ok(()));
                } else if let Err(issues) = compiled {
                    for issue in issues {
                        let known = report.issues.iter().any(|reported| reported.code == issue.code);
                        prop_assert!(known, "{} was not reported", issue.code);
                    }
                }
            }
            Err(issues) => {
                prop_assert!(!report.valid);
                prop_assert!(issues.iter().all(|issue| report.issues.contains(issue)), "all are in the report");
            }
        }
    }
}
