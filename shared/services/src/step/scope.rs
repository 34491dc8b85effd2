//! What a step may read: the roots of templates and the globals of scripts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use engine::{Run, StepState};
use workflow::template::{Path, Scope, walk};

/// The values behind `input`, `steps`, `run` and `connection` for one step, and in a loop's body those of its
/// round.
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
    /// The round, in a loop's body.
    pub round: Option<RoundScope>,
}

/// What the inner steps of a loop see of their round.
#[derive(Debug, Clone)]
pub struct RoundScope {
    /// Which round, from 0.
    pub index: u32,
    /// The item of a `for_each`; none in a `while`.
    pub item: Option<Value>,
    /// What the inner steps of this round have made, by id.
    pub body: Value,
    /// What those of the round before made, by id; an empty object in the first.
    pub prev: Value,
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
            _ => return self.round.as_ref()?.resolve(root, rest),
        };
        value.map(Cow::Borrowed)
    }
}

impl RoundScope {
    fn resolve(&self, root: &str, rest: &[String]) -> Option<Cow<'_, Value>> {
        match (root, rest.split_first()) {
            ("item", _) => walk(self.item.as_ref()?, rest).map(Cow::Borrowed),
            ("index", None) => Some(Cow::Owned(json!(self.index))),
            ("foreach", Some((key, rest))) if key == "item" => {
                walk(self.item.as_ref()?, rest).map(Cow::Borrowed)
            }
            ("foreach", Some((key, []))) if key == "index" => Some(Cow::Owned(json!(self.index))),
            ("while", Some((key, []))) if key == "iteration" => Some(Cow::Owned(json!(self.index))),
            ("while", Some((key, rest))) if key == "prev" => output(&self.prev, rest),
            ("body", Some(_)) => output(&self.body, rest),
            _ => None,
        }
    }

    /// The globals of scripts in a body, beside `body` and `loop`.
    pub fn globals(&self) -> Vec<(&'static str, Value)> {
        let Some(item) = &self.item else { return Vec::new() };
        vec![
            ("item", item.clone()),
            ("index", json!(self.index)),
            ("foreach", json!({ "item": item, "index": self.index })),
        ]
    }
}

/// `<inner id>.…` in outputs by id. Outputs have no `.result` between, but authors are used to write one.
fn output<'a>(outputs: &'a Value, path: &[String]) -> Option<Cow<'a, Value>> {
    let tolerated = || match path {
        [id, result, rest @ ..] if result == "result" => walk(outputs.get(id)?, rest),
        _ => None,
    };
    walk(outputs, path).or_else(tolerated).map(Cow::Borrowed)
}

/// What `steps.<id>` is: `status`, `result`, `error`, `input`.
pub fn step_view(state: &StepState, result: Option<&Value>, input: Option<&Value>) -> Value {
    let mut view = Map::new();
    view.insert("status".to_owned(), json!(state.as_str()));
    view.insert("input".to_owned(), input.cloned().unwrap_or_else(|| json!({})));
    if let Some(result) = result.filter(|_| matches!(state, StepState::Completed { .. })) {
        view.insert("result".to_owned(), result.clone());
    }
    if let StepState::Failed { code, error, .. } = state {
        view.insert("error".to_owned(), json!({ "code": code, "message": error }));
    }
    Value::Object(view)
}

/// What `run` is. Runs are not for principals or segments yet; scripts and templates that ask find null.
pub fn run_view(run: &Run) -> Value {
    json!({
        "run_id": run.key.run_id,
        "workflow_id": run.workflow_id,
        "version": run.version,
        "started_at": run.started_at,
        "trigger_type": run.trigger_type,
        "external_user_id": run.external_user_id,
        "external_id": run.external_user_id,
        "principal_id": null,
        "segment_id": null,
        "tenant_id": run.key.place.tenant_id,
        "project_id": run.key.place.project_id,
    })
}
