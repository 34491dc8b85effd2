//! What a validation is asked, and what it comes to.

use serde_json::{Map, Value};

use crate::run::StartParams;
use crate::step::is_available;
use types::issue::{Check, Issue};
use types::{Error, Result};
use workflow::validate::{Request, ignored_field};

/// The most unknown fields that are warned of.
const IGNORED_MAX: usize = 20;

/// What to check.
#[derive(Debug)]
pub struct ValidationRequest {
    /// The graph; the saved draft when absent.
    pub graph: Option<Value>,
    /// What a run would be started with.
    pub params: Option<Value>,
    /// The same.
    pub payload: Option<Value>,
    /// Outputs by step id.
    pub mock_step_outputs: Option<Map<String, Value>>,
    /// The names of the checks to make; all of them when there are none.
    pub checks: Vec<String>,
    /// The names of checks not to make.
    pub skip_checks: Vec<String>,
    /// The steps to tell of; all of them when there are none.
    pub step_ids: Vec<String>,
    /// Fields that are not known.
    pub unknown: Map<String, Value>,
}

/// A graph with what it is checked against.
pub struct Asked {
    /// The graph.
    pub graph: Value,
    /// What is wrong with the request itself.
    pub issues: Vec<Issue>,
    params: Option<Value>,
    trigger_steps: Option<Map<String, Value>>,
    excluded_step_ids: Vec<String>,
    mock_step_outputs: Option<Map<String, Value>>,
    checks: Vec<Check>,
    step_ids: Vec<String>,
}

impl Asked {
    /// Every check of a graph, with nothing else given.
    pub fn all_of(graph: Value) -> Self {
        Self {
            graph,
            issues: Vec::new(),
            params: None,
            trigger_steps: None,
            excluded_step_ids: Vec::new(),
            mock_step_outputs: None,
            checks: Check::ALL.to_vec(),
            step_ids: Vec::new(),
        }
    }

    /// Whether no step is left out.
    pub fn is_of_all_steps(&self) -> bool {
        self.step_ids.is_empty()
    }

    /// What a request asks of a graph, whose workflow has these defaults for starts.
    ///
    /// # Errors
    /// Invalid, naming a check that there is none of.
    pub fn read(wanted: ValidationRequest, graph: Value, run_setup: Option<&str>) -> Result<Self> {
        let mut asked = Self {
            mock_step_outputs: wanted.mock_step_outputs,
            checks: selected(&wanted.checks, &wanted.skip_checks)?,
            step_ids: wanted.step_ids,
            ..Self::all_of(graph)
        };
        let unknown = wanted.unknown.iter().filter(|(_, value)| !value.is_null());
        let unknown =
            unknown.take(IGNORED_MAX).map(|(key, _)| ignored_field(key, "the request has no such field"));
        asked.issues.extend(unknown);
        if wanted.params.is_some() && wanted.payload.is_some() {
            asked.issues.push(ignored_field("payload", "it means the same as params, which is given too"));
        }
        match wanted.params.or(wanted.payload) {
            Some(Value::Object(params)) => asked.take_params(params, run_setup)?,
            other => asked.params = other,
        }
        Ok(asked)
    }

    /// The same for the validator.
    pub fn request(&self) -> Request<'_> {
        Request {
            params: self.params.as_ref(),
            trigger_steps: self.trigger_steps.as_ref(),
            excluded_step_ids: &self.excluded_step_ids,
            mock_step_outputs: self.mock_step_outputs.as_ref(),
            checks: &self.checks,
            step_ids: &self.step_ids,
            ..Request::new(&self.graph, &is_available)
        }
    }

    fn take_params(&mut self, mut params: Map<String, Value>, run_setup: Option<&str>) -> Result<()> {
        StartParams::drop_unused(&mut params);
        if !params.contains_key("trigger_payload") && !params.contains_key("trigger_steps") {
            for key in params.keys().filter(|key| StartParams::is_own_key(key)) {
                self.issues.push(start_key(key));
            }
            self.params = Some(Value::Object(params));
            return Ok(());
        }
        let payload = params.get("trigger_payload").filter(|payload| payload.is_object()).cloned();
        match StartParams::from_params(params) {
            Ok(request) => {
                let request = match run_setup.filter(|_| request.use_run_setup_defaults) {
                    Some(setup) => request.over_saved(setup)?,
                    None => request,
                };
                self.params = Some(Value::Object(request.input));
                self.trigger_steps = Some(request.trigger_steps);
                self.excluded_step_ids = request.excluded_step_ids;
            }
            Err(error) => {
                let issue = Issue::error(Check::InputSchema, "start_refused", "$.params", error.message);
                self.issues.push(issue.suggest("write params as the command start takes them"));
                self.params = payload;
            }
        }
        Ok(())
    }
}

fn start_key(key: &str) -> Issue {
    let message = format!("{key} is taken as input here, and a start takes it for its own beside the input");
    Issue::warning(Check::InputSchema, "start_key_in_input", format!("$.params.{key}"), message)
        .suggest("put the input into trigger_payload, as for a start")
}

/// Checks of the hosted product that are parts of others here, or that nothing here is like.
const HOSTED_CHECKS: [(&str, Option<Check>); 4] = [
    ("graph_schema", Some(Check::Graph)),
    ("mcp_resolve", Some(Check::McpBindings)),
    ("tenantdata_upsert", None),
    ("mapper_fixtures", None),
];

/// The checks to make.
fn selected(checks: &[String], skipped: &[String]) -> Result<Vec<Check>> {
    let wanted = named("checks", checks)?;
    let skipped = named("skip_checks", skipped)?;
    // What is only a part of a check cannot be skipped alone.
    let is_skipped = |check: &Check| skipped.contains(&(check.name(), Some(*check)));
    let is_wanted =
        |check: &Check| wanted.is_empty() || wanted.iter().any(|(_, found)| *found == Some(*check));
    let left: Vec<Check> =
        Check::ALL.into_iter().filter(|check| is_wanted(check) && !is_skipped(check)).collect();
    match left.is_empty() {
        true => Err(Error::invalid(format!(
            "checks: there is none left to make; the checks are {}.",
            known_checks()
        ))),
        false => Ok(left),
    }
}

/// Each name with the check that it names here.
fn named(field: &str, names: &[String]) -> Result<Vec<(&'static str, Option<Check>)>> {
    let check = |(place, name): (usize, &String)| {
        let own = Check::parse(name).map(|check| (check.name(), Some(check)));
        own.or_else(|| HOSTED_CHECKS.into_iter().find(|(hosted, _)| hosted == name)).ok_or_else(|| {
            Error::invalid(format!(
                "{field}[{place}]: there is no such check; the checks are {}.",
                known_checks()
            ))
        })
    };
    names.iter().enumerate().map(check).collect()
}

fn known_checks() -> String {
    Check::ALL.map(Check::name).join(", ")
}
