//! The numbers of the workflow language, each met at its edge, and one past it. What only a run can meet (results,
//! items that a template gives, the depth of calls) is tested with runs, in `run_reads`, `loops` and `calls`.

use it::{TestApp, Workspace, for_each, graph, human, lua, noise, repeat, with};
use serde_json::{Value, json};
use shared::types::clock::Clock;

/// The codes of a graph's issues.
async fn codes(acme: &Workspace, graph: &Value) -> Vec<String> {
    let report = acme.client.post("/v1/workflows/validate", &json!({ "graph": graph })).await.expect(200);
    let issues = report["issues"].as_array().unwrap();
    for issue in issues {
        let told =
            ["message", "suggestion", "json_path"].iter().all(|key| !issue[key].as_str().unwrap().is_empty());
        assert!(told, "what is wrong, where, and what mends it: {issue:#}");
    }
    issues.iter().map(|issue| issue["code"].as_str().unwrap().to_owned()).collect()
}

fn of(kind: &str, more: &Value) -> Value {
    let required = match kind {
        "llm_call" => json!({ "prompt": "p", "model": "m" }),
        "mcp_call" => json!({ "tool_name": "t", "instance_id": "i" }),
        "agent_call" => json!({ "agent_id": "a", "prompt": "p" }),
        "workflow_call" => json!({ "workflow_id": "w" }),
        other => panic!("{other}"),
    };
    with(with(json!({ "id": "s", "type": kind }), &required), more)
}

fn body() -> [Value; 1] {
    [lua("inner", "return {}")]
}

fn each(more: &Value) -> Value {
    with(for_each("s", &json!([1]), &body()), more)
}

fn repeated(more: &Value) -> Value {
    with(repeat("s", 1, "{{ body.inner.x }}", &body()), more)
}

/// A script of so many bytes.
fn script(bytes: usize) -> String {
    let script = "return {} -- ";
    format!("{script}{}", "x".repeat(bytes - script.len()))
}

/// What is limited, by which code, a graph that meets the limit and one past it.
type Limit = (&'static str, &'static str, Value, Value);

const DAY: u32 = 86_400;

fn number(what: &'static str, step: &dyn Fn(Value) -> Value, edge: Value, past: Value) -> Limit {
    (what, "out_of_range", graph([step(edge)]), graph([step(past)]))
}

fn of_graphs() -> Vec<Limit> {
    let one = |id: &str, more: &Value| graph([with(lua(id, "return {}"), more)]);
    let steps = |count: usize| graph((0..count).map(|at| lua(&format!("s{at}"), "return {}")));
    let id = |length: usize| one(&"i".repeat(length), &json!({}));
    let name = |length: usize| one("s", &json!({ "name": "n".repeat(length) }));
    let lua_script = |bytes: usize| one("s", &json!({ "script": script(bytes) }));
    let eval_script = |bytes: usize| graph([repeated(&json!({ "while_eval_script": script(bytes) }))]);
    let items = |count: usize| graph([each(&json!({ "for_each_items": vec![1; count] }))]);
    let (kib, most) = (1024, 512 * 1024);
    vec![
        ("a graph", "graph_too_large", graph_of(most), graph_of(most + 1)),
        ("steps", "too_many_steps", steps(500), steps(501)),
        ("an id", "invalid_id", id(128), id(129)),
        ("a name", "invalid_name", name(200), name(201)),
        ("a script", "script_too_large", lua_script(64 * kib), lua_script(64 * kib + 1)),
        ("a while's script", "script_too_large", eval_script(64 * kib), eval_script(64 * kib + 1)),
        ("items", "too_many_items", items(500), items(501)),
    ]
}

fn of_steps() -> Vec<Limit> {
    let of_script = |field: &'static str| move |n: Value| with(lua("s", "return {}"), &json!({ field: n }));
    let timeout = |kind: &'static str| move |seconds: Value| of(kind, &json!({ "timeout_s": seconds }));
    let of_person = |seconds: Value| with(human("s", &[]), &json!({ "timeout_s": seconds }));
    vec![
        number("retry_count", &of_script("retry_count"), json!(10), json!(11)),
        number("retry_backoff_s", &of_script("retry_backoff_s"), json!(300), json!(300.5)),
        number("a script's timeout", &of_script("timeout_s"), json!(30), json!(30.1)),
        number("a model's timeout", &timeout("llm_call"), json!(600), json!(601)),
        number("a tool's timeout", &timeout("mcp_call"), json!(600), json!(601)),
        number("an agent's timeout", &timeout("agent_call"), json!(900), json!(901)),
        number("a call's timeout", &timeout("workflow_call"), json!(30 * DAY), json!(30 * DAY + 1)),
        number("a person's time", &of_person, json!(30 * DAY), json!(30 * DAY + 1)),
    ]
}

fn of_loops() -> Vec<Limit> {
    let each = |field: &'static str| move |n: Value| each(&json!({ field: n }));
    let repeated = |field: &'static str| move |n: Value| repeated(&json!({ field: n }));
    let past = || json!(DAY + 1);
    vec![
        number("most in parallel", &each("for_each_max_parallel"), json!(100), json!(101)),
        number("least in parallel", &each("for_each_max_parallel"), json!(1), json!(0)),
        number("a for_each's timeout", &each("timeout_s"), json!(DAY), past()),
        number("an item's timeout", &each("for_each_item_timeout_s"), json!(DAY), past()),
        number("most iterations", &repeated("while_max_iterations"), json!(1000), json!(1001)),
        number("least iterations", &repeated("while_max_iterations"), json!(1), json!(0)),
        number("a while's timeout", &repeated("timeout_s"), json!(DAY), past()),
        number("an iteration's timeout", &repeated("while_iteration_timeout_s"), json!(DAY), past()),
    ]
}

/// A graph of so many bytes of JSON.
fn graph_of(bytes: usize) -> Value {
    let with_note =
        |note: &str| graph([with(lua("s", "return {}"), &json!({ "metadata": { "note": note } }))]);
    let frame = with_note("").to_string().len();
    let filled = with_note(&noise(bytes - frame, 1));
    assert_eq!(filled.to_string().len(), bytes);
    filled
}

#[tokio::test]
async fn each_limit_of_a_graph_is_met_at_its_edge_and_one_past_it_is_refused() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    for (what, code, edge, past) in [of_graphs(), of_steps(), of_loops()].concat() {
        let at_edge = codes(&acme, &edge).await;
        assert!(!at_edge.iter().any(|found| found == code), "{what} at its edge: {at_edge:?}");
        let past = codes(&acme, &past).await;
        assert!(past.iter().any(|found| found == code), "{what}, one past its edge: {past:?}");
    }
}

#[tokio::test]
async fn the_largest_loops_run() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let widest = each(&json!({ "for_each_items": vec![1; 500], "for_each_max_parallel": 100 }));
    let longest = with(repeated(&json!({ "while_max_iterations": 1000 })), &json!({ "id": "longest" }));
    let longest = with(
        longest,
        &json!({ "while_body_steps": [lua("other", "return {}")],
                                         "while_condition": "{{ body.other.x }}" }),
    );
    let run = acme.begin(&graph([widest, longest]), json!({})).await;
    app.work().await;
    assert_eq!(run.result("s").await["succeeded_count"], 500);
    assert_eq!(run.result("longest").await["iteration_count"], 1000);
}
