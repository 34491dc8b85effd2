//! Graphs for tests, and what fills them.

use serde_json::{Value, json};

/// A Lua step that depends on nothing.
pub fn lua(id: &str, script: &str) -> Value {
    lua_after(id, &[], script)
}

/// A Lua step.
pub fn lua_after(id: &str, depends_on: &[&str], script: &str) -> Value {
    json!({ "id": id, "type": "lua_script", "depends_on": depends_on, "script": script })
}

/// A graph of these steps.
pub fn graph(steps: impl IntoIterator<Item = Value>) -> Value {
    json!({ "steps": steps.into_iter().collect::<Vec<_>>() })
}

/// A request to create a workflow of this name.
pub fn workflow(name: &str) -> Value {
    json!({ "name": name, "graph": graph([lua("a", "return {}")]) })
}

/// Steps `s0` … `s<n-1>`, each counting on from the one before.
pub fn chain(length: usize) -> Value {
    graph((0..length).map(|at| match at.checked_sub(1) {
        None => lua("s0", "return { n = 1 }"),
        Some(before) => lua_after(
            &format!("s{at}"),
            &[&format!("s{before}")],
            &format!("return {{ n = steps.s{before}.result.n + 1 }}"),
        ),
    }))
}

/// The step with these fields besides.
///
/// # Panics
/// When they are no object.
#[must_use]
pub fn with(mut step: Value, fields: &Value) -> Value {
    for (key, value) in fields.as_object().expect("an object") {
        step[key] = value.clone();
    }
    step
}

/// A question to a person, after these steps.
pub fn human(id: &str, depends_on: &[&str]) -> Value {
    json!({ "id": id, "type": "human_task", "task_type": "approval", "depends_on": depends_on,
            "task_payload": { "title": "May I?" } })
}

/// A loop over the items that this template gives, with this body.
pub fn for_each(id: &str, items: &Value, body: &[Value]) -> Value {
    json!({ "id": id, "type": "for_each", "for_each_items": items, "for_each_body_steps": body })
}

/// A loop until this template is truthy, with this body.
pub fn repeat(id: &str, most: u32, until: &str, body: &[Value]) -> Value {
    json!({ "id": id, "type": "while", "while_mode": "until", "while_max_iterations": most,
            "while_condition": until, "while_body_steps": body })
}

/// A call of another workflow with this input, after these steps.
pub fn call(id: &str, depends_on: &[&str], workflow: &str, input: &Value) -> Value {
    json!({ "id": id, "type": "workflow_call", "workflow_id": workflow, "depends_on": depends_on,
            "input": input })
}

/// A call of a tool of this instance, after these steps.
pub fn tool_call(id: &str, depends_on: &[&str], instance: &str, tool: &str, args: &Value) -> Value {
    json!({ "id": id, "type": "mcp_call", "depends_on": depends_on, "instance_id": instance,
            "tool_name": tool, "tool_args": args })
}

/// Letters that do not compress well, others for another seed.
pub fn noise(length: usize, seed: u64) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(LETTERS[(state >> 58) as usize])
    };
    (0..length).map(letter).collect()
}
