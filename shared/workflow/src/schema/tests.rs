use serde_json::{Value, json};

use super::super::step_types::COMMON_FIELDS;
use super::super::steps::StepKind;
use super::super::{graph_hash, graph_schema};
use super::KNOWN_FIELDS;

fn accepts(step: &Value) -> bool {
    match json_schema::check(&graph_schema(), &json!({ "steps": [step] })) {
        Ok(()) => true,
        Err(json_schema::Rejected::Violations(_)) => false,
        Err(other) => panic!("{other:?}"),
    }
}

fn with(mut step: Value, key: &str, value: Value) -> Value {
    step[key] = value;
    step
}

fn minimal() -> [Value; 8] {
    let inner = json!([{ "id": "i", "type": "lua_script", "script": "return {}" }]);
    [
        json!({ "id": "s", "type": "lua_script", "script": "return {}" }),
        json!({ "id": "s", "type": "llm_call", "prompt": "p", "model": "m" }),
        json!({ "id": "s", "type": "mcp_call", "tool_name": "t", "server_url": "https://x" }),
        json!({ "id": "s", "type": "human_task", "task_type": "t" }),
        json!({ "id": "s", "type": "for_each", "for_each_items": "{{ input.x }}", "for_each_body_steps": inner }),
        json!({
            "id": "s", "type": "while", "while_mode": "until", "while_max_iterations": 3,
            "while_condition": "{{ body.i.x }}", "while_body_steps": inner,
        }),
        json!({ "id": "s", "type": "workflow_call", "workflow_id": "w" }),
        json!({ "id": "s", "type": "agent_call", "agent_id": "a", "input": {} }),
    ]
}

#[test]
fn common_fields_are_listed() {
    assert_eq!(KNOWN_FIELDS.common, COMMON_FIELDS.map(str::to_owned).into());
}

#[test]
fn the_schema_is_a_schema() {
    assert_eq!(json_schema::problems(&graph_schema()), []);
    assert_eq!(graph_schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
}

#[test]
fn it_accepts_every_type_and_refuses_fields_that_the_type_does_not_have() {
    for step in minimal() {
        assert!(accepts(&step), "{step}");
        assert!(!accepts(&with(step.clone(), "scirpt", json!("x"))), "{step}");
        assert!(accepts(&with(step.clone(), "metadata", json!({ "scirpt": 1 }))), "{step}");
    }
    assert!(!accepts(&with(minimal()[0].clone(), "prompt", json!("p"))));
}

#[test]
fn it_demands_what_the_types_require() {
    for (type_index, missing) in [
        (0, "script"),
        (1, "prompt"),
        (1, "model"),
        (2, "tool_name"),
        (2, "server_url"),
        (3, "task_type"),
        (4, "for_each_items"),
        (4, "for_each_body_steps"),
        (5, "while_mode"),
        (5, "while_max_iterations"),
        (5, "while_condition"),
        (5, "while_body_steps"),
        (6, "workflow_id"),
        (7, "agent_id"),
        (7, "input"),
        (0, "id"),
        (0, "type"),
    ] {
        let mut step = minimal()[type_index].clone();
        step.as_object_mut().unwrap().remove(missing);
        assert!(!accepts(&step), "without {missing}");
    }
}

#[test]
fn it_holds_the_limits() {
    let [lua, llm, ..] = minimal();
    for (key, good, bad) in [
        ("id", json!("a".repeat(128)), json!("a".repeat(129))),
        ("name", json!("n".repeat(200)), json!("n".repeat(201))),
        ("retry_count", json!(10), json!(11)),
        ("retry_backoff_s", json!(300), json!(300.5)),
        ("timeout_s", json!(0.5), json!(-1)),
    ] {
        assert!(accepts(&with(lua.clone(), key, good)), "{key}");
        assert!(!accepts(&with(lua.clone(), key, bad)), "{key}");
    }
    assert!(accepts(&with(llm.clone(), "llm_params", json!({ "temperature": "{{ input.t }}" }))));
    assert!(!accepts(&with(llm.clone(), "llm_params", json!({ "temperature": "hot" }))));
    assert!(!accepts(&with(llm, "llm_params", json!({ "temprature": 1 }))));
}

#[test]
fn the_known_fields_come_from_the_types() {
    for kind in StepKind::TYPES {
        let fields = KNOWN_FIELDS.of_step(kind).unwrap();
        for common in ["id", "type", "name", "depends_on", "metadata", "input_allowlist"] {
            assert!(fields.contains(common), "{kind} {common}");
        }
    }
    assert!(KNOWN_FIELDS.of_step("llm_call").unwrap().contains("output_schema"));
    assert!(KNOWN_FIELDS.graph.contains("edges") && KNOWN_FIELDS.llm_params.contains("seed"));
    assert_eq!(KNOWN_FIELDS.types_with("prompt"), ["llm_call", "agent_call"]);
    assert!(KNOWN_FIELDS.of_step("nope").is_none());
}

#[test]
fn the_hash_does_not_depend_on_the_order_of_keys_or_on_white_space() {
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let hash = graph_hash(&read(r#"{ "steps": [ { "id": "a", "type": "x" } ], "b": 1 }"#));
    assert_eq!(hash, graph_hash(&read(r#"{"b":1,"steps":[{"type":"x","id":"a"}]}"#)));
    assert_ne!(hash, graph_hash(&read(r#"{"b":2,"steps":[{"type":"x","id":"a"}]}"#)));
    assert_eq!(
        graph_hash(&json!({})),
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    );
}
