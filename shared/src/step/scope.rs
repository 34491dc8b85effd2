//! What a step may read: the roots of templates and the globals of scripts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::run::{Run, StepState};
use crate::workflow::template::{Path, Scope, walk};

/// The values behind `input`, `steps`, `run` and `connection` for one step.
#[derive(Debug, Clone)]
pub struct StepScope {
    /// The run's input with this step's overlay.
    pub input: Arc<Value>,
    /// Settled steps by id: those that this step reads.
    pub steps: BTreeMap<String, Value>,
    /// The run.
    pub run: Arc<Value>,
    /// The connections, by identity.
    pub connection: Arc<Value>,
}

impl Scope for StepScope {
    fn resolve(&self, path: &Path) -> Option<Cow<'_, Value>> {
        let (root, rest) = path.keys.split_first()?;
        let value = match root.as_str() {
            "input" => walk(&self.input, rest),
            "run" => walk(&self.run, rest),
            "connection" => walk(&self.connection, rest),
            "steps" => {
                let (id, rest) = rest.split_first()?;
                self.steps.get(id).and_then(|view| walk(view, rest))
            }
            _ => None,
        };
        value.map(Cow::Borrowed)
    }
}

/// What `steps.<id>` is: `status`, `result`, `error`, `input`.
pub fn step_view(state: &StepState, result: Option<&Value>, input: Option<&Value>) -> Value {
    let mut view = Map::new();
    view.insert("status".to_owned(), json!(state.as_str()));
    view.insert("input".to_owned(), input.cloned().unwrap_or_else(|| json!({})));
    if let Some(result) = result {
        view.insert("result".to_owned(), result.clone());
    }
    if let StepState::Failed { code, error, .. } = state {
        view.insert("error".to_owned(), json!({ "code": code, "message": error }));
    }
    Value::Object(view)
}

/// What `run` is.
pub fn run_view(run: &Run) -> Value {
    json!({
        "run_id": run.key.run_id,
        "workflow_id": run.workflow_id,
        "version": run.version,
        "started_at": run.started_at,
        "trigger_type": run.trigger_type,
        "external_user_id": run.external_user_id,
        "tenant_id": run.key.place.tenant_id,
        "project_id": run.key.place.project_id,
    })
}
