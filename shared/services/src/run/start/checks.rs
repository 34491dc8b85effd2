//! What a start is refused for before anything is made of it.

use super::params::StartParams;
use crate::mcp::bind::calls;
use store::WorkflowRecord;
use types::error::{ErrorCode, Kind};
use types::issue::{Check, Issue};
use types::{Error, Result};
use workflow::Plan;

/// The version that a run executes.
pub(super) fn version_to_run(record: &WorkflowRecord, asked: Option<u32>) -> Result<u32> {
    if record.archived {
        return Err(Error::conflict(
            ErrorCode::WorkflowArchived,
            "The workflow is archived; restore it to start runs.",
        ));
    }
    match (asked, record.latest_version) {
        (_, 0) => Err(Error::conflict(
            ErrorCode::NotPublished,
            "The workflow has no published version; publish one with POST /v1/workflows/{id}/versions.",
        )),
        (None, latest) => Ok(latest),
        (Some(version), latest) if (1..=latest).contains(&version) => Ok(version),
        (Some(version), latest) => Err(Error::invalid(format!(
            "params.version: there is no version {version}; the latest is {latest}."
        ))),
    }
}

/// Whether a graph may be executed for somebody who may not have tools called.
///
/// # Errors
/// Forbidden when it calls some.
pub(in crate::run) fn check_tools(plan: &Plan, without_mcp: bool) -> Result<()> {
    if without_mcp && calls(plan).next().is_some() {
        let message = "The graph has mcp_call steps; executing them needs the scope mcp:execute, which the token \
                       does not have.";
        return Err(Error::new(Kind::Forbidden, ErrorCode::ScopeMissing, message));
    }
    Ok(())
}

/// Whether a published version has the steps that parameters name.
///
/// # Errors
/// Invalid, naming those that it has not, and those that cannot be left out.
pub fn check_steps(plan: &Plan, params: &StartParams) -> Result<()> {
    let mut issues = Vec::new();
    for id in params.trigger_steps.keys() {
        if plan.find(id).is_none() {
            issues.push(unknown_step("trigger_steps", id));
        }
    }
    for id in &params.excluded_step_ids {
        match plan.find(id) {
            None => issues.push(unknown_step("excluded_step_ids", id)),
            Some(step) if !plan.step(step).depends_on.is_empty() => issues.push(Issue::error(
                Check::InputSchema,
                "not_a_root",
                format!("$.excluded_step_ids.{id}"),
                format!("excluded_step_ids: step {id:?} depends on other steps; only roots can be left out."),
            )),
            Some(_) => {}
        }
    }
    match issues.first() {
        None => Ok(()),
        Some(first) => Err(Error::invalid(first.message.clone()).with_issues(issues)),
    }
}

fn unknown_step(field: &str, id: &str) -> Issue {
    let message = format!("{field}: the version has no step {id:?}.");
    Issue::error(Check::InputSchema, "unknown_step", format!("$.{field}.{id}"), message)
}
