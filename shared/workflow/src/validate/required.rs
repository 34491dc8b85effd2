//! What each type requires, and which of two fields serves when both are given.

use serde_json::Value;

use super::super::steps::StepKind;
use super::{findings::Findings, view::Site};
use types::issue::Check;

/// What a type requires.
struct Required {
    /// Each of these.
    all: &'static [&'static str],
    /// One of these; the first serves when both are given.
    one_of: &'static [&'static str],
    /// Whether both of `one_of` may be given.
    both: bool,
}

fn required(kind: &StepKind) -> Required {
    let one_of = |all, one_of| Required { all, one_of, both: false };
    match kind {
        StepKind::LuaScript(_) => one_of(&["script"], &[]),
        StepKind::LlmCall(_) => one_of(&["prompt"], &["model", "model_ref"]),
        StepKind::McpCall(_) => one_of(&["tool_name"], &["instance_id", "server_url"]),
        StepKind::HumanTask(_) => one_of(&["task_type"], &[]),
        StepKind::ForEach(_) => one_of(&["for_each_items", "for_each_body_steps"], &[]),
        StepKind::While(_) => one_of(
            &["while_mode", "while_max_iterations", "while_body_steps"],
            &["while_condition", "while_eval_script"],
        ),
        StepKind::WorkflowCall(_) => one_of(&["workflow_id"], &[]),
        StepKind::AgentCall(_) => Required { all: &["agent_id"], one_of: &["prompt", "input"], both: true },
    }
}

/// Checks that what the type requires is there and not blank.
pub(super) fn check(site: &Site<'_>, findings: &mut Findings) {
    let Required { all, one_of, both } = required(&site.step.kind);
    let type_name = site.type_name();
    for field in all.iter().filter(|field| site.given(field).is_none()) {
        let message = format!("a step of type {type_name} needs {field}");
        let issue = site.error(Check::StepConfig, "required_field_missing", field, message);
        findings.push(issue.suggest(format!("add {field}")));
    }
    let given: Vec<&str> = one_of.iter().copied().filter(|field| site.given(field).is_some()).collect();
    if let ([first, ..], []) = (one_of, given.as_slice()) {
        let choice = one_of.join(" or ");
        let message = format!("a step of type {type_name} needs {choice}");
        let issue = site.error(Check::StepConfig, "required_field_missing", first, message);
        findings.push(issue.suggest(format!("add {choice}")));
    }
    if let ([first, second], false) = (given.as_slice(), both) {
        let message = format!("{first} and {second} are both given; {first} is used");
        let issue = site.warning(Check::StepConfig, "ambiguous_fields", second, message);
        findings.push(issue.suggest(format!("remove one of {first} and {second}")));
    }
    for field in all.iter().chain(one_of) {
        if let Some(Value::String(text)) = site.given(field)
            && text.trim().is_empty()
        {
            let issue = site.error(Check::StepConfig, "empty_field", field, format!("{field} is empty"));
            findings.push(issue.suggest(format!("fill in {field}")));
        }
    }
}
