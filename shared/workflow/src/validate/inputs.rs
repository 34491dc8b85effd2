//! The input schema, and `params` against it.

use serde_json::{Map, Value, json};

use super::super::{input, input_fields};
use super::{
    findings::Findings,
    params::{Declared, Inputs, KnownInput},
    view::View,
};
use types::issue::{Check, Issue};
use types::json_path;
use types::suggest::quote;

const SCHEMA: &str = "$.input_schema";

/// Checks the schema, its defaults, and `params`; answers what is known of the input.
pub(super) fn check<'a>(
    view: &View<'a>,
    params: Option<&Value>,
    trigger_steps: Option<&'a Map<String, Value>>,
    findings: &mut Findings,
) -> Inputs<'a> {
    Inputs { run: of_run(view, params, findings), steps: trigger_steps }
}

/// The steps that a start names must be there, and those that it leaves out be roots.
pub(super) fn named_steps(
    view: &View<'_>,
    trigger_steps: Option<&Map<String, Value>>,
    excluded: &[String],
    findings: &mut Findings,
) {
    let known = || view.edges.ids.keys().map(String::as_str);
    for id in trigger_steps.into_iter().flat_map(Map::keys).filter(|id| !view.edges.ids.contains_key(*id)) {
        let path = json_path::key("$.params.trigger_steps", &quote(id));
        let message = format!("trigger_steps: the graph has no step {:?}", quote(id));
        let suggestion = findings.did_you_mean(id, known(), || "name a step of the graph".to_owned());
        let issue = Issue::error(Check::InputSchema, "trigger_step_unknown", path, message);
        findings.push(issue.suggest(suggestion));
    }
    for (place, id) in excluded.iter().enumerate() {
        let step = view.edges.ids.get(id).and_then(|ix| view.steps.get(ix.index())?.step.as_ref());
        let (message, suggestion) = match step {
            Some(step) if step.depends_on.is_empty() => continue,
            Some(_) => {
                let message = format!("excluded_step_ids: step {:?} depends on others", quote(id));
                (
                    message,
                    "only roots can be left out; what follows only from them is left out with them"
                        .to_owned(),
                )
            }
            None => {
                let message = format!("excluded_step_ids: the graph has no step {:?}", quote(id));
                (message, findings.did_you_mean(id, known(), || "name a root of the graph".to_owned()))
            }
        };
        let path = format!("$.params.excluded_step_ids[{place}]");
        let issue = Issue::error(Check::InputSchema, "excluded_step_unknown", path, message);
        findings.push(issue.suggest(suggestion));
    }
}

fn of_run<'a>(view: &View<'a>, params: Option<&Value>, findings: &mut Findings) -> KnownInput<'a> {
    if params.is_none() && view.input_schema.is_none() {
        findings.skip(Check::InputSchema);
        return KnownInput::Unknown;
    }
    let mut of_schema = Vec::new();
    let schema = view.input_schema.filter(|schema| usable(schema, &mut of_schema));
    if let Some(schema) = schema {
        defaults(schema, &mut of_schema);
    }
    findings.extend(of_schema.into_iter().map(|issue| as_written(view, issue)));
    match (params, schema) {
        (Some(params), _) if !params.is_object() => {
            let message = "params is the run's input and must be an object";
            let issue = Issue::error(Check::InputSchema, "input_invalid", "$.params", message);
            findings.push(issue.suggest("write an object"));
            KnownInput::Unknown
        }
        (Some(params), Some(schema)) => {
            if let Err(issues) = input::fill_defaults_and_check(Some(schema), params.clone()) {
                findings.extend(issues.into_iter().map(under_params));
            }
            KnownInput::Given(input::fill_defaults(schema, params.clone()))
        }
        (Some(params), None) => KnownInput::Given(params.clone()),
        (None, Some(schema)) => KnownInput::Declared(Declared::by(schema)),
        (None, None) => KnownInput::Unknown,
    }
}

fn under_params(mut issue: Issue) -> Issue {
    issue.json_path =
        json_path::join("$.params", issue.json_path.trim_start_matches('$').trim_start_matches('.'));
    issue
}

/// An issue of the schema, at its place in the form that it was written in.
fn as_written(view: &View<'_>, mut issue: Issue) -> Issue {
    let place = view.input_fields.and_then(|fields| input_fields::place_in_list(fields, &issue.json_path));
    if let Some(place) = place {
        issue.json_path = place;
    }
    issue
}

fn usable(schema: &Value, issues: &mut Vec<Issue>) -> bool {
    let problems = json_schema::problems(schema);
    issues.extend(problems.iter().map(|problem| input::bad_schema(SCHEMA, problem)));
    problems.is_empty()
}

/// Checks all defaults at once, against the properties alone: what else the schema demands is not theirs
/// to satisfy.
fn defaults(schema: &Value, issues: &mut Vec<Issue>) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    let defaults: Map<String, Value> = properties
        .iter()
        .filter_map(|(key, property)| Some((key.clone(), property.get("default")?.clone())))
        .collect();
    if defaults.is_empty() {
        return;
    }
    let mut narrowed = json!({ "properties": properties });
    for definitions in ["$defs", "definitions"] {
        if let Some(value) = schema.get(definitions) {
            narrowed[definitions] = value.clone();
        }
    }
    let Err(json_schema::Rejected::Violations(violations)) =
        json_schema::check(&narrowed, &Value::Object(defaults))
    else {
        return;
    };
    for violation in violations {
        let within = violation.pointer.trim_start_matches('/');
        let (key, below) = within.split_at(within.find('/').unwrap_or(within.len()));
        let path = json_schema::path_at(schema, &format!("/properties/{key}/default{below}"));
        let path = json_path::join(SCHEMA, path.trim_start_matches('$').trim_start_matches('.'));
        let message = format!("the default does not satisfy its own schema: {}", violation.message);
        let issue = Issue::error(Check::InputSchema, "default_violates_schema", path, message);
        issues.push(issue.suggest("change the default, or what the schema says of the property"));
    }
}
