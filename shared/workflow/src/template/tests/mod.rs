//! Templates, by what an author may write and what comes of it.

mod conditions;
mod expansion;
mod grammar;
mod properties;

use serde_json::{Value, json};

use super::ValueScope;

/// A run in the middle: some input, one settled step.
fn scope() -> ValueScope {
    ValueScope(json!({
        "input": {
            "name": "Ada", "empty": "", "nothing": null, "count": 3, "flag": false, "zero": 0,
            "list": [{ "id": "a" }, { "id": "b" }], "object": { "k": [1, 2.5] }, "none": [], "bare": {},
            "0": "zero key",
        },
        "steps": { "fetch-pr": { "result": { "title": "Fix", "labels": ["x", "y"] }, "status": "completed" } },
    }))
}

fn expand(value: &Value) -> Result<Value, super::Unresolved> {
    super::expand(value, &scope())
}
