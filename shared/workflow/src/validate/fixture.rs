//! Scripts run against given step outputs, in the sandbox that runs them in earnest.
//!
//! A script is run when every step it reads has an output: a given one, or that of a script run before it.
//! Only steps of the graph are run; inner steps would need an item or a round to run for.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::{Map, Value, json};

use super::super::limits::RESULT_MAX_BYTES;
use super::super::step_set::StepIx;
use super::super::steps::StepKind;
use super::{
    findings::Findings,
    params::{Inputs, KnownInput},
    scripts,
    view::{Site, View},
};
use lua::{self, Cancel, FailureKind, Globals, Lent, Limits, Pool, StepReferences};
use types::issue::{Check, Issue};
use types::json_path;
use types::suggest::quote;

/// How long all scripts of one dry run may take together: a caller waits for the answer. Tests wait less.
const ALLOWANCE: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

pub(super) fn check(
    view: &View<'_>,
    inputs: &Inputs<'_>,
    mocks: Option<&Map<String, Value>>,
    findings: &mut Findings,
) {
    let Some(mocks) = mocks.filter(|_| findings.wants(Check::LuaFixture)) else {
        return findings.skip(Check::LuaFixture);
    };
    let mut fixture = Fixture::new(view, inputs, mocks, findings);
    let sites: BTreeMap<usize, Site<'_>> =
        view.sites().filter(|site| site.inner.is_none()).map(|site| (site.top, site)).collect();
    for site in view.edges.order.iter().filter_map(|ix| sites.get(&ix.index())) {
        if let (StepKind::LuaScript(_), Some((_, script))) = (&site.step.kind, scripts::script(site))
            && site.step.enabled
            && lua::check(script).is_ok()
            && !fixture.run(site, script, findings)
        {
            break;
        }
    }
}

struct Fixture<'v, 'a> {
    view: &'v View<'a>,
    inputs: &'v Inputs<'a>,
    input: Value,
    input_is_known: bool,
    outputs: BTreeMap<StepIx, String>,
    run: String,
    pool: Pool,
    deadline: Instant,
}

impl<'v, 'a> Fixture<'v, 'a> {
    fn new(
        view: &'v View<'a>,
        inputs: &'v Inputs<'a>,
        mocks: &Map<String, Value>,
        findings: &mut Findings,
    ) -> Self {
        let mut outputs = BTreeMap::new();
        for (id, output) in mocks {
            if let Some(ix) = view.edges.ids.get(id) {
                outputs.insert(*ix, output.to_string());
            } else if view.owner_of(id).is_none() {
                findings.push(unknown_mock(view, id));
            }
        }
        let (input, input_is_known) = match &inputs.run {
            KnownInput::Given(input) => (input.clone(), true),
            KnownInput::Unknown | KnownInput::Declared(_) => (json!({}), false),
        };
        let run = json!({
            "run_id": "00000000-0000-0000-0000-000000000000", "workflow_id": "dry-run", "version": 0,
            "started_at": "1970-01-01T00:00:00Z", "trigger_type": "api", "external_user_id": null,
            "external_id": null, "principal_id": null, "segment_id": null, "tenant_id": "dry-run",
            "project_id": "dry-run",
        })
        .to_string();
        let (pool, deadline) = (Pool::default(), Instant::now() + ALLOWANCE);
        Self { view, inputs, input, input_is_known, outputs, run, pool, deadline }
    }

    /// Runs one script; `false` when the allowance is used up.
    fn run(&mut self, site: &Site<'_>, script: &str, findings: &mut Findings) -> bool {
        let read = self.read_by(site, script);
        let missing: Vec<_> = read.iter().filter(|ix| !self.outputs.contains_key(ix)).copied().collect();
        if !missing.is_empty() {
            findings.push(self.incomplete(site, &missing));
            return true;
        }
        let view = |output: &str| {
            let members = [("status", r#""completed""#), ("result", output), ("input", "{}")];
            Lent::Members(members.map(|(key, text)| (key, text.to_owned().into())).into())
        };
        let steps: Vec<(&str, Lent<'_>)> =
            read.iter().filter_map(|ix| Some((self.view.id(*ix), view(self.outputs.get(ix)?)))).collect();
        let input = self.input_of(site).to_string();
        let globals = Globals {
            input: &input,
            steps: &steps,
            run: &self.run,
            connection: "{}",
            extra: &[],
            body: None,
            iteration: None,
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        let cap = site.step.kind.timeout_default_and_cap().1;
        let own = site.step.timeout().unwrap_or(cap).min(cap);
        let limits = Limits { time: own.min(left), result_bytes: RESULT_MAX_BYTES, ..Limits::default() };
        let ended = self.pool.run(script, &globals, &limits, &Cancel::default());
        match ended.result {
            Ok(result) => {
                self.outputs.entry(StepIx::at(site.top)).or_insert(result);
            }
            Err(failure) if failure.kind == FailureKind::Timeout && left < own => {
                let message = "the scripts up to this one used up the time that a dry run has for them";
                let issue = site.warning(Check::LuaFixture, "lua_fixture_out_of_time", "script", message);
                findings.push(
                    issue.suggest("the scripts after it were not run; try them in a graph of their own"),
                );
                return false;
            }
            Err(failure) => findings.push(self.failed(site, script, &failure)),
        }
        true
    }

    /// The run's input with what is laid over it for this step.
    fn input_of(&self, site: &Site<'_>) -> Value {
        let mut input = self.input.clone();
        if let (Value::Object(input), Some(overlay)) = (&mut input, self.inputs.overlay(site.read.id)) {
            input.extend(overlay.clone());
        }
        input
    }

    /// The steps that a script reads and may read.
    fn read_by(&self, site: &Site<'_>, script: &str) -> Vec<StepIx> {
        let readable = self.view.readable(site);
        match lua::step_references(script) {
            StepReferences::None => Vec::new(),
            StepReferences::All => readable.iter().collect(),
            StepReferences::Some(names) => {
                let mut read: Vec<_> = names.iter().filter_map(|name| self.view.edges.called(name)).collect();
                read.retain(|ix| readable.contains(*ix));
                read.sort_unstable();
                read.dedup();
                read
            }
        }
    }

    fn incomplete(&self, site: &Site<'_>, missing: &[StepIx]) -> Issue {
        let mut ids: Vec<_> =
            missing.iter().take(3).map(|ix| quote(self.view.id(*ix)).into_owned()).collect();
        if missing.len() > ids.len() {
            ids.push(format!("and {} more", missing.len() - ids.len()));
        }
        let ids = ids.join(", ");
        let message = format!("the script was not run: it reads steps without an output ({ids})");
        let issue = site.warning(Check::LuaFixture, "lua_fixture_incomplete", "script", message);
        issue.suggest(format!("add outputs of {ids} to mock_step_outputs"))
    }

    /// A script that fails on an input that nobody gave proves nothing.
    fn failed(&self, site: &Site<'_>, script: &str, failure: &lua::Failure) -> Issue {
        let message = format!("{}: {}", failure.kind.code(), failure.message);
        if self.input_is_known || !script.contains("input") {
            let issue = site.error(Check::LuaFixture, "lua_fixture_failed", "script", message);
            return issue.suggest("correct the script, or the mock_step_outputs it was run with");
        }
        let issue = site.warning(Check::LuaFixture, "lua_fixture_failed", "script", message);
        issue.suggest("the script was run with an empty input; give params to run it with a real one")
    }
}

fn unknown_mock(view: &View<'_>, id: &str) -> Issue {
    let path = json_path::key("$.mock_step_outputs", &quote(id));
    let message = format!("there is no step {:?}, so its output is not used", quote(id));
    let near = types::suggest::closest(id, view.edges.ids.keys().map(String::as_str));
    let suggestion = near.map_or_else(|| "remove it".to_owned(), |near| format!("did you mean {near:?}?"));
    Issue::warning(Check::LuaFixture, "mock_step_unknown", path, message).suggest(suggestion)
}
