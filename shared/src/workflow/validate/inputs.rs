//! The input schema, and `params` against it.

use serde_json::{Map, Value, json};

use super::super::{
    input,
    issue::{Check, Issue},
    json_path, json_schema,
};
use super::{
    findings::Findings,
    params::{Declared, KnownInput},
    view::View,
};

const SCHEMA: &str = "$.input_schema";

/// Checks the schema, its defaults, and `params`; answers what is known of the input.
pub(super) fn check<'a>(view: &View<'a>, params: Option<&Value>, findings: &mut Findings) -> KnownInput<'a> {
    if params.is_none() && view.input_schema.is_none() {
        findings.skip(Check::InputSchema);
        return KnownInput::Unknown;
    }
    let schema = view.input_schema.filter(|schema| usable(schema, findings));
    if let Some(schema) = schema {
        defaults(schema, findings);
    }
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

fn usable(schema: &Value, findings: &mut Findings) -> bool {
    let problems = json_schema::problems(schema);
    findings.extend(problems.iter().map(|problem| input::bad_schema(SCHEMA, problem)));
    problems.is_empty()
}

/// Checks all defaults at once, against the properties alone: what else the schema demands is not theirs
/// to satisfy.
fn defaults(schema: &Value, findings: &mut Findings) {
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
        findings.push(issue.suggest("change the default, or what the schema says of the property"));
    }
}
