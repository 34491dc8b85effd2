//! What a validation answers, and `GET /v1/workflows/{id}/graph-dry-runs`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::api::{CanRead, CommonErrors, Path, Query};
use shared::types::clock::Timestamp;
use shared::types::ids::WorkflowId;
use shared::types::issue::{Check, Issue};
use shared::workflow::validate::{CheckResult, Readiness, Report};
use shared::workflow::{graph_hash, graph_schema_hash};
use shared::{AppState, Error, Result};
use utoipa::{IntoParams, ToSchema};

use crate::view::{find, find_with_draft};

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
        serde_json::to_value(self).map_err(|error| Error::internal(error.to_string()))
    }
}

/// Which graph.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    /// `graph_hash` of a validation or a version; the saved draft's when absent.
    graph_hash: Option<String>,
}

/// Read the last validation of a graph of this workflow.
///
/// It is kept for a month, whichever graph the workflow has by then.
#[utoipa::path(get, path = "/v1/workflows/{id}/graph-dry-runs", tag = "workflows",
               params(("id" = uuid::Uuid, Path), DryRunQuery),
               responses((status = 200, body = Validation), CommonErrors))]
pub async fn graph_dry_run(
    State(state): State<AppState>,
    CanRead(caller): CanRead,
    Path(id): Path<WorkflowId>,
    Query(query): Query<DryRunQuery>,
) -> Result<Json<Value>> {
    let hash = match query.graph_hash {
        Some(hash) => {
            check_hash(&hash)?;
            find(&state, &caller.place, id).await?;
            hash
        }
        None => graph_hash(&find_with_draft(&state, &caller.place, id).await?.1),
    };
    let kept = state.store.validation(&caller.place, id, &hash, state.clock.now()).await?;
    kept.map(Json).ok_or_else(|| Error::not_found("validation of this graph"))
}

fn check_hash(hash: &str) -> Result<()> {
    let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    match hash.strip_prefix("sha256:") {
        Some(digits) if digits.len() == 64 && digits.bytes().all(is_hex) => Ok(()),
        _ => Err(Error::invalid(
            "graph_hash: must be sha256: and 64 hexadecimal digits, as validations answer it.",
        )),
    }
}
