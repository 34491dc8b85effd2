//! The types that parse a graph, and from which its JSON Schema is generated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::steps::Step;
use super::{input_fields, limits};

/// A workflow graph: steps, their order, and what input it wants.
///
/// Exported graphs carry more beside `steps`: `name`, `description`, `tenant_id`, `workflow_id`, `params`, `nodes`,
/// `edges`, `example_trigger_payload` and `canonical_schema_ref` are accepted, kept and ignored.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Graph {
    /// The steps. Those with no path between them over `depends_on` run in parallel.
    #[schemars(length(min = 1, max = limits::STEPS_MAX))]
    pub steps: Vec<Step>,
    /// A JSON Schema (2020-12) of the run's input, also when it was written as a list of fields. Top-level `default`s
    /// fill missing keys at start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "input_fields::both_forms")]
    pub input_schema: Option<Value>,
}
