//! What a validation answers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use types::clock::Timestamp;
use types::issue::{Check, Issue};
use types::{Error, Result};
use workflow::graph_schema_hash;
use workflow::validate::{CheckResult, Readiness, Report};

/// What a validation found.
#[derive(Debug, Serialize, ToSchema)]
pub struct Validation {
    /// Whether there is no error.
    valid: bool,
    /// `ready` or `blocked`.
    #[schema(value_type = String)]
    readiness: Readiness,
    /// `sha256:<hex>` of the graph.
    graph_hash: String,
    /// The checks that were made.
    #[schema(value_type = Vec<String>)]
    checks_performed: Vec<Check>,
    /// By check: `passed`, `warning`, `failed`, or `skipped`.
    #[schema(value_type = Object)]
    check_results: BTreeMap<Check, CheckResult>,
    /// Everything that was found: each with `severity`, `check`, `code`, `step_id`, `json_path`, `message` and
    /// `suggestion`.
    #[schema(value_type = Vec<Object>)]
    issues: Vec<Issue>,
    /// The first hundred of the issues that are errors.
    #[schema(value_type = Vec<Object>)]
    blockers: Vec<Issue>,
    /// The ids of the steps in an order in which they could run one after the other; empty when there is none.
    topological_order: Vec<String>,
    /// What was checked against what, and when.
    validation_evidence: Evidence,
}

/// What was checked against what, and when.
#[derive(Debug, Serialize, ToSchema)]
pub struct Evidence {
    /// The hash of the graph.
    graph_hash: String,
    /// The hash of the schema of graphs, which `GET /v1/workflows/schema` has.
    workflow_graph_schema_hash: &'static str,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    validated_at: Timestamp,
    /// Whether the checks that were made found no error.
    #[schema(value_type = String)]
    readiness: Readiness,
    /// The checks that were made.
    #[schema(value_type = Vec<String>)]
    checks_performed: Vec<Check>,
}

impl Validation {
    /// What was found, with its evidence.
    pub fn new(report: Report, validated_at: Timestamp) -> Self {
        Self {
            validation_evidence: Evidence {
                graph_hash: report.graph_hash.clone(),
                workflow_graph_schema_hash: graph_schema_hash(),
                validated_at,
                readiness: report.readiness,
                checks_performed: report.checks_performed.clone(),
            },
            valid: report.valid,
            readiness: report.readiness,
            graph_hash: report.graph_hash,
            checks_performed: report.checks_performed,
            check_results: report.check_results,
            issues: report.issues,
            blockers: report.blockers,
            topological_order: report.topological_order,
        }
    }

    /// As it is answered and kept.
    ///
    /// # Errors
    /// Internal; a report is JSON.
    pub fn write(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(Error::internal_from)
    }
}
