//! The dry run: everything that can be known about a graph without calling tools, models or people.
//!
//! Every check reports all that it finds, and goes on with whatever could be read, so that an author mends
//! a graph in one round. The work is bounded: 512 KiB and 500 steps are the most that is looked at, each
//! check is close to linear in that, and scripts that are run share one allowance of time.
//!
//! Paths are relative to the graph, except `$.params…` and `$.mock_step_outputs…`, which are the other
//! parts of the request.
//!
//! # Codes
//!
//! They are stable; clients may match on them. Those in *italics* are warnings.
//!
//! | check | codes |
//! |---|---|
//! | `graph` | `graph_too_large`, `missing_steps`, `no_steps`, `too_many_steps`, `missing_id`, `missing_type`, `unknown_type`, `invalid_type`, `invalid_value`, `invalid_id`, `invalid_name`, `unknown_field`, `legacy_field`, `unknown_step_id`, *`unknown_request_field`*, *`too_many_issues`* |
//! | `dependencies` | `duplicate_step_id`, `inner_id_clash`, `unknown_dependency`, `dependency_cycle`, `allowlist_unknown_step`, `no_auto_start_not_root`, *`duplicate_dependency`*, *`allowlist_not_ancestor`*, *`episode_never_closes`* |
//! | `step_config` | `required_field_missing`, `empty_field`, `out_of_range`, `script_too_large`, `too_many_items`, `not_a_list`, `empty_body`, `type_not_allowed_in_body`, `field_not_allowed_in_body`, `invalid_schema`, `step_type_unavailable`, `called_workflow_not_found`, `workflow_calls_itself`, `llm_model_ref_invalid`, `llm_provider_unknown`, `llm_model_unknown`, `llm_param_not_supported`, `llm_response_format_unknown`, `llm_credential_not_found`, `llm_credential_mismatch`, *`called_workflow_not_published`*, *`llm_key_missing`*, *`ambiguous_fields`*, *`on_timeout_without_timeout`*, *`output_from_without_wait`* |
//! | `templates` | `template_syntax`, `template_not_allowed`, `template_in_key`, `condition_syntax`, `condition_unordered`, `unknown_root`, `root_not_available`, `unknown_reference`, `step_not_found`, `step_not_ancestor`, `step_not_allowed`, `body_step_not_found`, `body_step_not_earlier`, `input_unresolvable`, *`input_may_be_unset`*, *`constant_condition`*, *`lua_step_not_found`*, *`lua_step_not_ancestor`*, *`lua_step_not_allowed`* |
//! | `lua_syntax` | `lua_syntax` |
//! | `mcp_bindings` | `mcp_server_not_found`, `mcp_tool_not_found`, `mcp_args_invalid`, *`mcp_instance_will_be_made`* |
//! | `disabled_steps` | *`step_disabled`* |
//! | `input_schema` | `invalid_schema`, `default_violates_schema`, `input_invalid`, `schema_too_complex`, `start_refused`, `trigger_step_unknown`, `excluded_step_unknown`, *`start_key_in_input`* |
//! | `lua_fixture` | `lua_fixture_failed` (a warning when the script ran without a known input), *`lua_fixture_incomplete`*, *`lua_fixture_out_of_time`*, *`mock_step_unknown`* |

mod bindings;
mod calls;
mod config;
mod findings;
mod fixture;
mod inputs;
mod models;
mod narrow;
mod params;
mod references;
mod report;
mod required;
mod scripts;
mod structure;
mod templates;
#[cfg(test)]
mod tests;
mod view;
mod wiring;

use serde_json::{Map, Value};

pub use bindings::{Bindings, Called, ModelKeys, NoBindings, Server, Tool, Tools};
pub use report::{CheckResult, Readiness, Report, ignored_field};

use super::{graph_hash, read};
use findings::Findings;
use types::issue::Check;
use view::View;

/// What to check, and what to check it against.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The graph, as the author wrote it.
    pub graph: &'a Value,
    /// The input that a run would get. Without it, references to the input are judged by `input_schema`;
    /// without that they are not judged.
    pub params: Option<&'a Value>,
    /// What is laid over that input for single steps, by id; a key lets a `no_auto_start` step begin.
    pub trigger_steps: Option<&'a Map<String, Value>>,
    /// Roots that a run would leave out.
    pub excluded_step_ids: &'a [String],
    /// Results by step id. When they are given, scripts whose steps all have one are run.
    pub mock_step_outputs: Option<&'a Map<String, Value>>,
    /// Whether steps of a type can be executed.
    pub available: &'a dyn Fn(&str) -> bool,
    /// The checks that are asked for. What stands in the way of all others is told whatever is asked for.
    pub checks: &'a [Check],
    /// The steps whose issues are asked for, by their ids or as `parent#body#inner`; all of them when it is empty. What
    /// concerns the graph as a whole is told in any case.
    pub step_ids: &'a [String],
}

impl<'a> Request<'a> {
    /// Every check of all of the graph, with nothing else given.
    pub fn new(graph: &'a Value, available: &'a dyn Fn(&str) -> bool) -> Self {
        Self {
            graph,
            params: None,
            trigger_steps: None,
            excluded_step_ids: &[],
            mock_step_outputs: None,
            available,
            checks: &Check::ALL,
            step_ids: &[],
        }
    }
}

/// Checks a graph; MCP servers are not looked at (`mcp_bindings` is skipped when there are MCP steps).
/// Runs scripts when mock outputs are given, so it belongs on a thread that may block.
pub fn validate(request: &Request<'_>) -> Report {
    validate_with(request, &NoBindings)
}

/// Checks a graph, MCP servers and called workflows included, as far as `bindings` knows them.
pub fn validate_with(request: &Request<'_>, bindings: &dyn Bindings) -> Report {
    let mut findings = Findings::of(request.checks);
    let order = check(request, bindings, &mut findings);
    findings.report(graph_hash(request.graph), order)
}

/// Checks a graph; answers the ids of its steps in an order in which they could run, empty when there is none.
fn check(request: &Request<'_>, bindings: &dyn Bindings, findings: &mut Findings) -> Vec<String> {
    if let Some(issue) = read::too_large(request.graph) {
        findings.push(issue);
        findings.skip_all_but(Check::Graph);
        return Vec::new();
    }
    let mut reading = read::lenient(request.graph);
    narrow::to_steps(&reading, request.step_ids, findings);
    if !structure::check(request.graph, &mut reading, findings) {
        findings.skip_all_but(Check::Graph);
        return Vec::new();
    }
    let (view, issues) = View::new(&reading);
    findings.extend(issues);
    wiring::check(&view, findings);
    config::check(&view, request.available, findings);
    inputs::named_steps(&view, request.trigger_steps, request.excluded_step_ids, findings);
    let known = inputs::check(&view, request.params, request.trigger_steps, findings);
    templates::check(&view, &known, findings);
    scripts::check(&view, findings);
    bindings::check(&view, bindings, findings);
    calls::check(&view, bindings, findings);
    models::check(&view, bindings, findings);
    structure::disabled(&view, findings);
    fixture::check(&view, &known, request.mock_step_outputs, findings);
    view.order()
}
