//! The limits of each step, and what its type allows.

use serde_json::Value;

use super::super::limits;
use super::super::steps::{AgentCall, ForEach, HumanTask, LlmCall, StepKind, Templated, While, WorkflowCall};
use super::super::template::{Template, has_template};
use super::super::values::Seconds;
use super::{
    findings::Findings,
    required,
    view::{Site, View},
};
use types::issue::{Check, Issue};

pub(super) fn check(view: &View<'_>, available: &dyn Fn(&str) -> bool, findings: &mut Findings) {
    for site in view.sites() {
        let allowed = site.inner.is_none() || in_body(&site, findings);
        if allowed && !available(site.type_name()) {
            let message = format!("steps of type {} cannot be executed here yet", site.type_name());
            let issue = site.error(Check::StepConfig, "step_type_unavailable", "type", message);
            findings.push(issue.suggest("use another type, or a newer version of the server"));
        }
        required::check(&site, findings);
        common(&site, findings);
        of_type(&site, findings);
    }
}

/// What a loop's body may not hold. Answers whether the step's type may stand there.
fn in_body(site: &Site<'_>, findings: &mut Findings) -> bool {
    for (field, set) in [("no_auto_start", site.step.no_auto_start), ("terminal", site.step.terminal)] {
        if set {
            let message = format!("{field} has no meaning inside a loop");
            let issue = site.error(Check::StepConfig, "field_not_allowed_in_body", field, message);
            findings.push(issue.suggest(format!("remove it, or set {field} on the loop")));
        }
    }
    let allowed =
        !matches!(site.step.kind, StepKind::ForEach(_) | StepKind::While(_) | StepKind::HumanTask(_));
    if !allowed {
        let message = format!("a step of type {} cannot stand inside a loop", site.type_name());
        let issue = site.error(Check::StepConfig, "type_not_allowed_in_body", "type", message);
        findings.push(issue.suggest(
            "inside a loop use lua_script, llm_call, mcp_call, agent_call or workflow_call; a child \
             workflow may hold the rest",
        ));
    }
    allowed
}

fn common(site: &Site<'_>, findings: &mut Findings) {
    let step = site.step;
    at_most(site, "retry_count", f64::from(step.retry_count), f64::from(limits::RETRY_COUNT_MAX), findings);
    between(site, "retry_backoff_s", step.retry_backoff_s.0, 0.0, limits::RETRY_BACKOFF_MAX_S, findings);
    let cap = step.kind.timeout_default_and_cap().1.as_secs_f64();
    seconds(site, "timeout_s", step.timeout_s, cap, findings);
}

fn of_type(site: &Site<'_>, findings: &mut Findings) {
    match &site.step.kind {
        StepKind::LuaScript(kind) => script_size(site, "script", &kind.script, findings),
        StepKind::LlmCall(kind) => llm_call(site, kind, findings),
        StepKind::McpCall(_) => {}
        StepKind::HumanTask(kind) => human_task(site, kind, findings),
        StepKind::ForEach(kind) => for_each(site, kind, findings),
        StepKind::While(kind) => while_loop(site, kind, findings),
        StepKind::WorkflowCall(kind) => workflow_call(site, kind, findings),
        StepKind::AgentCall(AgentCall { max_tool_rounds, .. }) => {
            at_least_one(site, "max_tool_rounds", *max_tool_rounds, findings);
        }
    }
}

fn llm_call(site: &Site<'_>, kind: &LlmCall, findings: &mut Findings) {
    if let Some(params) = &kind.llm_params {
        if let Some(Templated::Value(temperature)) = params.temperature {
            between(site, "llm_params.temperature", temperature, 0.0, f64::INFINITY, findings);
        }
        if let Some(Templated::Value(top_p)) = params.top_p {
            between(site, "llm_params.top_p", top_p, 0.0, 1.0, findings);
        }
        if params.max_tokens == Some(Templated::Value(0)) {
            at_least_one(site, "llm_params.max_tokens", 0, findings);
        }
    }
    let schema =
        site.given("output_schema").filter(|schema| schema.is_object() && !mentions_template(schema));
    for problem in schema.map(json_schema::problems).unwrap_or_default() {
        let path = site.path("output_schema") + problem.path.trim_start_matches('$');
        let message = format!("this is no usable JSON Schema (2020-12): {}", problem.message);
        let issue = Issue::error(Check::StepConfig, "invalid_schema", path, message).at_step(site.read.id);
        findings.push(issue.suggest("correct the schema"));
    }
}

fn human_task(site: &Site<'_>, kind: &HumanTask, findings: &mut Findings) {
    if kind.on_timeout.is_some() && site.given("timeout_s").is_none() {
        let message = "on_timeout has no effect: without timeout_s the task waits without end";
        let issue = site.warning(Check::StepConfig, "on_timeout_without_timeout", "on_timeout", message);
        findings.push(issue.suggest("add timeout_s"));
    }
}

fn for_each(site: &Site<'_>, kind: &ForEach, findings: &mut Findings) {
    body_not_empty(site, "for_each_body_steps", findings);
    let parallel = f64::from(kind.for_each_max_parallel);
    between(site, "for_each_max_parallel", parallel, 1.0, f64::from(limits::FOR_EACH_PARALLEL_MAX), findings);
    let cap = site.step.kind.timeout_default_and_cap().1.as_secs_f64();
    seconds(site, "for_each_item_timeout_s", kind.for_each_item_timeout_s, cap, findings);
    match &kind.for_each_items {
        Some(Templated::Value(items)) if items.len() > limits::FOR_EACH_ITEMS_MAX => {
            let message =
                format!("{} items; at most {} are allowed", items.len(), limits::FOR_EACH_ITEMS_MAX);
            let issue = site.error(Check::StepConfig, "too_many_items", "for_each_items", message);
            findings.push(issue.suggest("split the list over several steps, or over child workflows"));
        }
        Some(Templated::Template(text))
            if Template::parse(text).is_ok_and(|template| template.sole().is_none()) =>
        {
            let message = "a text around or beside an expression is a text, not a list";
            let issue = site.error(Check::StepConfig, "not_a_list", "for_each_items", message);
            findings.push(issue.suggest("write exactly one expression: \"{{ input.items }}\""));
        }
        _ => {}
    }
}

fn while_loop(site: &Site<'_>, kind: &While, findings: &mut Findings) {
    body_not_empty(site, "while_body_steps", findings);
    if let Some(rounds) = kind.while_max_iterations {
        let most = f64::from(limits::WHILE_ITERATIONS_MAX);
        between(site, "while_max_iterations", f64::from(rounds), 1.0, most, findings);
    }
    let cap = site.step.kind.timeout_default_and_cap().1.as_secs_f64();
    seconds(site, "while_iteration_timeout_s", kind.while_iteration_timeout_s, cap, findings);
    script_size(site, "while_eval_script", kind.while_eval_script.as_deref().unwrap_or(""), findings);
}

fn workflow_call(site: &Site<'_>, kind: &WorkflowCall, findings: &mut Findings) {
    if kind.version == Some(Templated::Value(0)) {
        at_least_one(site, "version", 0, findings);
    }
    if !kind.wait && kind.output_from.is_some() {
        let message =
            "output_from has no effect: with wait: false the step does not wait for the child's output";
        let issue = site.warning(Check::StepConfig, "output_from_without_wait", "output_from", message);
        findings.push(issue.suggest("remove output_from, or wait for the child"));
    }
}

fn body_not_empty(site: &Site<'_>, field: &str, findings: &mut Findings) {
    if site.given(field).and_then(Value::as_array).is_some_and(Vec::is_empty) {
        let issue = site.error(Check::StepConfig, "empty_body", field, "the loop has no inner steps");
        findings.push(issue.suggest("add at least one inner step"));
    }
}

fn script_size(site: &Site<'_>, field: &str, script: &str, findings: &mut Findings) {
    if script.len() > limits::SCRIPT_MAX_BYTES {
        let kib = limits::SCRIPT_MAX_BYTES / 1024;
        let message = format!("the script has {} bytes; at most {kib} KiB are allowed", script.len());
        let issue = site.error(Check::StepConfig, "script_too_large", field, message);
        findings.push(issue.suggest("split it over several steps"));
    }
}

fn seconds(site: &Site<'_>, field: &str, value: Option<Seconds>, cap: f64, findings: &mut Findings) {
    if let Some(Seconds(value)) = value {
        between(site, field, value, limits::TIMEOUT_MIN_S, cap, findings);
    }
}

fn at_most(site: &Site<'_>, field: &str, value: f64, most: f64, findings: &mut Findings) {
    between(site, field, value, 0.0, most, findings);
}

fn at_least_one(site: &Site<'_>, field: &str, value: u32, findings: &mut Findings) {
    between(site, field, f64::from(value), 1.0, f64::INFINITY, findings);
}

fn between(site: &Site<'_>, field: &str, value: f64, least: f64, most: f64, findings: &mut Findings) {
    if (least..=most).contains(&value) {
        return;
    }
    let allowed =
        if most.is_finite() { format!("between {least} and {most}") } else { format!("at least {least}") };
    let message = format!("{field} is {value}; it must be {allowed}");
    let issue = site.error(Check::StepConfig, "out_of_range", field, message);
    findings.push(issue.suggest(format!("write a number {allowed}")));
}

fn mentions_template(value: &Value) -> bool {
    match value {
        Value::String(text) => has_template(text),
        Value::Array(items) => items.iter().any(mentions_template),
        Value::Object(map) => map.values().any(mentions_template),
        _ => false,
    }
}
