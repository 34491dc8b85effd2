//! The answer of a dry run.

use std::collections::BTreeMap;

use serde::Serialize;

use types::issue::{Check, Issue};
use types::json_path;
use types::suggest::quote;

/// What a dry run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether there is no error.
    pub valid: bool,
    /// Whether the graph can be published.
    pub readiness: Readiness,
    /// `sha256:<hex>` of the graph that was checked.
    pub graph_hash: String,
    /// The checks that were asked for, in order; those that had nothing to go by are `skipped` in the results.
    pub checks_performed: Vec<Check>,
    /// What became of each check; those that were not asked for are `skipped`.
    pub check_results: BTreeMap<Check, CheckResult>,
    /// Everything that was found, by check and then in the graph's order.
    pub issues: Vec<Issue>,
    /// The first hundred of the issues that are errors.
    pub blockers: Vec<Issue>,
    /// The ids of the steps in an order in which they could run one after the other; empty when there is none.
    pub topological_order: Vec<String>,
}

impl Report {
    /// Adds what was found beside the graph, such as in the request that asked.
    pub fn add(&mut self, issues: impl IntoIterator<Item = Issue>) {
        for issue in issues {
            let result = match issue.is_error() {
                true => CheckResult::Failed,
                false => CheckResult::Warning,
            };
            let so_far = self.check_results.entry(issue.check).or_insert(CheckResult::Passed);
            if *so_far != CheckResult::Failed {
                *so_far = result;
            }
            if issue.is_error() {
                self.valid = false;
                self.readiness = Readiness::Blocked;
                self.blockers.push(issue.clone());
            }
            self.issues.push(issue);
        }
        self.issues.sort_by_key(|issue| issue.check);
    }
}

/// The issue of a field of the request that means nothing.
pub fn ignored_field(key: &str, why: &str) -> Issue {
    let message = format!("the field {:?} is ignored: {why}", quote(key));
    let path = json_path::key("$", &quote(key));
    Issue::warning(Check::Graph, "unknown_request_field", path, message).suggest(
        "the fields are graph, params (or payload), mock_step_outputs, checks, skip_checks and step_ids",
    )
}

/// Whether a graph can be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// It can; there may be warnings.
    Ready,
    /// It cannot.
    Blocked,
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// It found nothing.
    Passed,
    /// It found nothing worse than warnings.
    Warning,
    /// It found an error.
    Failed,
    /// It had nothing to go by: the graph could not be read, or what it checks against was not given.
    Skipped,
}
