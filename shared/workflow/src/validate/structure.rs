//! The shape of a graph beyond its types: counts, ids, names, fields that do not exist, and steps that
//! are switched off.

use serde_json::{Map, Value};

use super::super::limits::{ID_MAX_CHARS, NAME_MAX_CHARS, STEPS_MAX};
use super::super::read::{ReadStep, Reading};
use super::super::schema::KNOWN_FIELDS;
use super::{findings::Findings, view::View};
use types::issue::{Check, Issue};
use types::json_path;
use types::suggest::quote;

/// Checks the shape; `false` when there is no list of steps, or too long a one for the other checks.
pub(super) fn check(graph: &Value, reading: &mut Reading<'_>, findings: &mut Findings) -> bool {
    findings.extend(std::mem::take(&mut reading.issues));
    for key in graph.as_object().into_iter().flat_map(Map::keys) {
        if !KNOWN_FIELDS.graph.contains(key) {
            let known = KNOWN_FIELDS.graph.iter().map(String::as_str);
            let suggestion = findings.did_you_mean(key, known, || "remove it".to_owned());
            findings.push(unknown_field("$", key, "a graph").suggest(suggestion));
        }
    }
    let is_list = graph.get("steps").is_some_and(Value::is_array);
    if is_list && reading.steps.is_empty() {
        findings.push(
            Issue::error(Check::Graph, "no_steps", "$.steps", "the graph has no steps")
                .suggest("add at least one step"),
        );
    }
    steps(&reading.steps, "$.steps", findings) && is_list
}

fn steps(steps: &[ReadStep<'_>], path: &str, findings: &mut Findings) -> bool {
    let mut fits = steps.len() <= STEPS_MAX;
    if !fits {
        let message = format!("{} steps; at most {STEPS_MAX} are allowed", steps.len());
        findings.push(
            Issue::error(Check::Graph, "too_many_steps", path, message)
                .suggest("move some of them into a workflow of their own and call it with workflow_call"),
        );
    }
    for read in steps.iter().take(STEPS_MAX) {
        step(read, findings);
        if !read.body.is_empty() {
            fits &= self::steps(&read.body, &super::view::body_path(read), findings);
        }
    }
    fits
}

fn step(read: &ReadStep<'_>, findings: &mut Findings) {
    let Some(raw) = read.raw else { return };
    if raw.get("id").is_some_and(Value::is_string) && !is_id(read.id) {
        let message = format!("{:?} is no step id", quote(read.id));
        let suggestion = format!("use 1 to {ID_MAX_CHARS} letters (A-Z, a-z), digits, _ and -");
        let issue = Issue::error(Check::Graph, "invalid_id", format!("{}.id", read.path), message);
        findings.push(issue.at_step(read.id).suggest(suggestion));
    }
    if let Some(Value::String(name)) = raw.get("name")
        && (name.trim().is_empty() || name.chars().count() > NAME_MAX_CHARS)
    {
        let message = format!("a name has 1 to {NAME_MAX_CHARS} characters");
        let issue = Issue::error(Check::Graph, "invalid_name", format!("{}.name", read.path), message);
        findings.push(issue.at_step(read.id).suggest("shorten it, or leave it out: the id serves then"));
    }
    let Some(step) = &read.step else { return };
    let type_name = step.kind.type_name();
    for key in raw.keys() {
        if KNOWN_FIELDS.of_step(type_name).is_some_and(|known| !known.contains(key)) {
            findings_for_unknown(read, type_name, key, findings);
        }
    }
    if let Some(Value::Object(params)) = raw.get("llm_params").filter(|_| type_name == "llm_call") {
        for key in params.keys().filter(|key| !KNOWN_FIELDS.llm_params.contains(*key)) {
            let known = KNOWN_FIELDS.llm_params.iter().map(String::as_str);
            let suggestion = findings.did_you_mean(key, known, || "remove it".to_owned());
            let base = format!("{}.llm_params", read.path);
            findings.push(unknown_field(&base, key, "llm_params").at_step(read.id).suggest(suggestion));
        }
    }
}

fn findings_for_unknown(read: &ReadStep<'_>, type_name: &str, key: &str, findings: &mut Findings) {
    if key == "for_each_body" {
        let message = "for_each_body is the legacy form of a loop's body and is not accepted";
        let path = json_path::key(&read.path, key);
        let issue = Issue::error(Check::Graph, "legacy_field", path, message);
        return findings.push(
            issue.at_step(read.id).suggest("write the inner steps as a list into for_each_body_steps"),
        );
    }
    let others = KNOWN_FIELDS.types_with(key);
    let suggestion = if others.is_empty() {
        let known = KNOWN_FIELDS.of_step(type_name).into_iter().flatten().map(String::as_str);
        findings.did_you_mean(key, known, || "remove it, or move it under metadata".to_owned())
    } else {
        format!("only steps of type {} have it", others.join(", "))
    };
    let issue = unknown_field(&read.path, key, &format!("a step of type {type_name}"));
    findings.push(issue.at_step(read.id).suggest(suggestion));
}

fn unknown_field(base: &str, key: &str, owner: &str) -> Issue {
    let message = format!("{owner} has no field {:?}", quote(key));
    Issue::error(Check::Graph, "unknown_field", json_path::key(base, &quote(key)), message)
}

fn is_id(id: &str) -> bool {
    (1..=ID_MAX_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// Warns of steps that are switched off.
pub(super) fn disabled(view: &View<'_>, findings: &mut Findings) {
    for site in view.sites().filter(|site| !site.step.enabled) {
        let message = "the step is switched off: it settles as skipped and its dependants go on";
        let issue = site.warning(Check::DisabledSteps, "step_disabled", "enabled", message);
        findings.push(issue.suggest("remove the step, or set enabled to true"));
    }
}
