//! What a step may read: the roots of templates and the globals of scripts, as texts that nobody copies.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use engine::{Run, StepState};
use lua::Lent;
use types::json_cost::cost;
use types::json_text::JsonText;
use workflow::limits::VALUES_MAX_COST;
use workflow::template::{Path, Scope};

/// What an object is made of: its members, each with its text.
pub type View = Vec<(&'static str, JsonText)>;

/// The values behind `input`, `steps`, `run` and `connection` for one step, and in a loop's body those of its
/// round.
#[derive(Debug, Clone)]
pub struct StepScope {
    /// The run's input with this step's overlay.
    pub input: JsonText,
    /// Settled steps by id: those that this step reads.
    pub steps: BTreeMap<String, View>,
    /// The run.
    pub run: JsonText,
    /// The connections, by identity.
    pub connection: JsonText,
    /// The round, in a loop's body.
    pub round: Option<RoundScope>,
}

/// What the inner steps of a loop see of their round.
#[derive(Debug, Clone)]
pub struct RoundScope {
    /// Which round, from 0.
    pub index: u32,
    /// The item of a `for_each`; none in a `while`.
    pub item: Option<JsonText>,
    /// What the inner steps of this round have made, by id.
    pub body: BTreeMap<String, JsonText>,
    /// What those of the round before made, by id; none in the first.
    pub prev: BTreeMap<String, JsonText>,
}

/// The values that the templates of a step name, and nothing else of what it may read. They are read where they are used, as
/// long as they do not take too much memory together.
#[derive(Debug, Default)]
pub struct Found {
    texts: HashMap<Path, JsonText>,
    left: Cell<usize>,
    is_spent: Cell<bool>,
}

impl Found {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { left: Cell::new(VALUES_MAX_COST), ..Self::default() }
    }

    /// Takes what these paths name below an object: `at` tells where it stands in them.
    pub fn take(&mut self, view: &[(&str, &JsonText)], paths: &[&Path], at: usize) {
        for (member, text) in view {
            let below: Vec<&Path> = paths
                .iter()
                .copied()
                .filter(|path| path.keys.get(at).is_some_and(|key| key == member))
                .collect();
            self.take_of(text, &below, at + 1);
        }
        for path in paths.iter().filter(|path| path.keys.len() == at) {
            self.texts.insert((*path).clone(), JsonText::object(view.iter().copied()));
        }
    }

    /// The same below a value.
    pub fn take_of(&mut self, text: &JsonText, paths: &[&Path], at: usize) {
        let keys: Vec<Vec<&str>> = paths
            .iter()
            .map(|path| path.keys.get(at..).unwrap_or_default().iter().map(String::as_str).collect())
            .collect();
        let keys: Vec<&[&str]> = keys.iter().map(Vec::as_slice).collect();
        for ((path, keys), found) in paths.iter().zip(&keys).zip(text.find(&keys)) {
            if let Some(raw) = found {
                let found = if keys.is_empty() { text.clone() } else { JsonText::from(raw) };
                self.texts.entry((*path).clone()).or_insert(found);
            }
        }
    }

    /// The bytes of text that it holds.
    pub fn bytes(&self) -> usize {
        self.texts.values().map(JsonText::bytes).sum()
    }

    /// The bytes of memory that its values take once each is read.
    pub fn cost(&self) -> usize {
        self.texts.values().fold(0, |sum, text| sum.saturating_add(text.cost()))
    }

    /// Whether a value was not read because all of them together would have taken too much.
    pub fn is_spent(&self) -> bool {
        self.is_spent.get()
    }
}

impl Scope for Found {
    fn resolve(&self, path: &Path) -> Option<Cow<'_, Value>> {
        let text = self.texts.get(path)?;
        match self.left.get().checked_sub(cost(text.as_str().as_bytes())) {
            Some(left) => {
                self.left.set(left);
                Some(Cow::Owned(text.to_value()))
            }
            None => {
                self.is_spent.set(true);
                None
            }
        }
    }
}

impl StepScope {
    /// What these paths name, but for what of steps they name.
    pub fn take_into(&self, found: &mut Found, paths: &[&Path]) {
        let of =
            |root: &str| -> Vec<&Path> { paths.iter().copied().filter(|path| path.root() == root).collect() };
        for (root, text) in [("input", &self.input), ("run", &self.run), ("connection", &self.connection)] {
            found.take_of(text, &of(root), 1);
        }
        if let Some(round) = &self.round {
            round.take_into(found, of);
        }
    }
}

impl RoundScope {
    fn take_into<'p>(&self, found: &mut Found, of: impl Fn(&str) -> Vec<&'p Path>) {
        let index = JsonText::from(json!(self.index));
        if let Some(item) = &self.item {
            found.take_of(item, &of("item"), 1);
        }
        // `foreach` and `while` are no objects: they have nothing but these.
        let below = |root: &str, key: &str| -> Vec<&'p Path> {
            of(root).into_iter().filter(|path| path.keys.get(1).is_some_and(|second| second == key)).collect()
        };
        let alone = |paths: Vec<&'p Path>, length: usize| -> Vec<&'p Path> {
            paths.into_iter().filter(|path| path.keys.len() == length).collect()
        };
        found.take_of(&index, &alone(of("index"), 1), 1);
        if let Some(item) = &self.item {
            found.take_of(item, &below("foreach", "item"), 2);
        }
        found.take_of(&index, &alone(below("foreach", "index"), 2), 2);
        found.take_of(&index, &alone(below("while", "iteration"), 2), 2);
        outputs_into(&self.prev, found, &below("while", "prev"), 2);
        let body: Vec<&Path> = of("body").into_iter().filter(|path| path.keys.len() > 1).collect();
        outputs_into(&self.body, found, &body, 1);
    }

    /// The globals of scripts in a body, beside `body` and `loop`.
    pub fn globals(&self) -> Vec<(&'static str, Lent<'_>)> {
        let Some(item) = &self.item else { return Vec::new() };
        let index = || Cow::Owned(self.index.to_string());
        vec![
            ("item", item.as_str().into()),
            ("index", Lent::Text(index())),
            ("foreach", Lent::Members(vec![("item", item.as_str().into()), ("index", index())])),
        ]
    }
}

/// `<inner id>.…` in outputs by id. Outputs have no `.result` between, but authors are used to write one.
fn outputs_into(outputs: &BTreeMap<String, JsonText>, found: &mut Found, paths: &[&Path], at: usize) {
    let members: Vec<(&str, &JsonText)> = outputs.iter().map(|(id, output)| (id.as_str(), output)).collect();
    found.take(&members, paths, at);
    for (id, output) in members {
        let is_tolerated = |path: &&&Path| {
            let rest = path.keys.get(at..).unwrap_or_default();
            rest.first().is_some_and(|key| key == id) && rest.get(1).is_some_and(|key| key == "result")
        };
        let tolerated: Vec<&Path> = paths.iter().filter(is_tolerated).copied().collect();
        found.take_of(output, &tolerated, at + 2);
    }
}

/// What `steps.<id>` is: `status`, `result`, `error`, `input`.
pub fn step_view(state: &StepState, result: Option<JsonText>, input: Option<JsonText>) -> View {
    let mut view = View::new();
    if let StepState::Failed { code, error, .. } = state {
        view.push(("error", json!({ "code": code, "message": error }).into()));
    }
    view.push(("input", input.unwrap_or_else(|| json!({}).into())));
    if let Some(result) = result.filter(|_| matches!(state, StepState::Completed { .. })) {
        view.push(("result", result));
    }
    view.push(("status", json!(state.as_str()).into()));
    view
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

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path { keys: text.split('.').map(str::to_owned).collect() }
    }

    fn scope() -> StepScope {
        let texts = |value: Value| -> BTreeMap<String, JsonText> {
            let members = value.as_object().cloned().unwrap_or_default();
            members.into_iter().map(|(key, value)| (key, value.into())).collect()
        };
        StepScope {
            input: json!({ "a": [{ "b": 1 }] }).into(),
            steps: BTreeMap::new(),
            run: json!({ "version": 3 }).into(),
            connection: json!({}).into(),
            round: Some(RoundScope {
                index: 2,
                item: Some(json!({ "n": null }).into()),
                body: texts(json!({ "go": { "x": 1 }, "own": { "result": { "x": 2 } }, "list": [7] })),
                prev: texts(json!({ "go": { "x": 0 } })),
            }),
        }
    }

    #[test]
    fn paths_lead_into_every_root() {
        let view: View = vec![("result", json!({ "n": 5 }).into()), ("status", json!("completed").into())];
        let cases = [
            ("input.a.0.b", Some(json!(1))),
            ("input", Some(json!({ "a": [{ "b": 1 }] }))),
            ("input.a.1", None),
            ("run.version", Some(json!(3))),
            ("connection.x", None),
            ("index", Some(json!(2))),
            ("index.x", None),
            ("item", Some(json!({ "n": null }))),
            ("item.n", Some(json!(null))),
            ("foreach", None),
            ("foreach.item.n", Some(json!(null))),
            ("foreach.index", Some(json!(2))),
            ("while.iteration", Some(json!(2))),
            ("while.prev", Some(json!({ "go": { "x": 0 } }))),
            ("while.prev.go.result.x", Some(json!(0))),
            ("body", None),
            ("body.go.x", Some(json!(1))),
            ("body.go.result.x", Some(json!(1))),
            ("body.go.result", Some(json!({ "x": 1 }))),
            ("body.own.result.x", Some(json!(2))),
            ("body.own.result", Some(json!({ "x": 2 }))),
            ("body.list.0", Some(json!(7))),
            ("body.nope.x", None),
            ("steps.s", Some(json!({ "result": { "n": 5 }, "status": "completed" }))),
            ("steps.s.result.n", Some(json!(5))),
            ("steps.s.error", None),
        ];
        let paths: Vec<Path> = cases.iter().map(|(text, _)| path(text)).collect();
        let paths: Vec<&Path> = paths.iter().collect();
        let mut found = Found::new();
        scope().take_into(&mut found, &paths);
        let of_step: Vec<&Path> = paths.iter().copied().filter(|path| path.root() == "steps").collect();
        let members: Vec<(&str, &JsonText)> = view.iter().map(|(key, text)| (*key, text)).collect();
        found.take(&members, &of_step, 2);
        for (path, (text, expected)) in paths.iter().zip(cases) {
            assert_eq!(found.resolve(path).map(Cow::into_owned), expected, "{text}");
        }
    }

    #[test]
    fn what_explodes_is_not_read_but_what_stands_in_it_is() {
        let rows = format!(r#"{{"n":1,"t":[{}0]}}"#, r#"{"":0},"#.repeat(145_000));
        let mut found = Found::new();
        let paths = [path("input.n"), path("input.t")];
        let scope = StepScope { input: JsonText::parse(rows).unwrap(), ..scope() };
        scope.take_into(&mut found, &[&paths[0], &paths[1]]);
        assert_eq!(found.resolve(&paths[0]).map(Cow::into_owned), Some(json!(1)));
        assert!(!found.is_spent());
        assert_eq!(found.resolve(&paths[1]), None);
        assert!(found.is_spent());
    }
}
