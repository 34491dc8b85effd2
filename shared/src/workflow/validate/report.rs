//! The answer of a dry run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::issue::{Check, Issue};

/// What a dry run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether there is no error.
    pub valid: bool,
    /// Whether the graph can be published.
    pub readiness: Readiness,
    /// `sha256:<hex>` of the graph that was checked.
    pub graph_hash: String,
    /// Every check, in order; those that had nothing to go by are `skipped` in the results.
    pub checks_performed: Vec<Check>,
    /// What became of each check.
    pub check_results: BTreeMap<Check, CheckResult>,
    /// Everything that was found, by check and then in the graph's order.
    pub issues: Vec<Issue>,
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
