//! The types that parse a graph, and from which its JSON Schema is generated.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::steps::StepKind;
use super::{input_fields, limits, read, schema};
use types::issue::Issue;

pub use super::values::Seconds;

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

/// One step: what every step has, and what its type adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Names the step in the graph, in templates and in events.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,128}$"))]
    pub id: String,
    /// What people read; the id when it is missing.
    #[serde(default)]
    #[schemars(!default, length(min = 1, max = limits::NAME_MAX_CHARS))]
    #[schemars(with = "Option<String>")]
    pub name: String,
    /// What the step is for, for readers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The ids of the steps that must be settled first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// `false`: the step settles at once as skipped, and its dependants go on.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    #[schemars(extend("default" = true))]
    pub enabled: bool,
    /// A template; when it is falsy the step is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// A template; when it is truthy the step is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_when: Option<String>,
    /// Further attempts after a failure that may pass.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(max = limits::RETRY_COUNT_MAX), extend("default" = 0))]
    pub retry_count: u32,
    /// The first wait between attempts in seconds; it doubles, with jitter.
    #[serde(default = "Seconds::one", skip_serializing_if = "Seconds::is_one")]
    #[schemars(range(max = limits::RETRY_BACKOFF_MAX_S), extend("default" = 1))]
    pub retry_backoff_s: Seconds,
    /// How long one attempt may take, in seconds; default and cap depend on the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<Seconds>,
    /// Keep a failure in `steps.<id>.error` and let the dependants go on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continue_on_error: bool,
    /// A root that waits for an entry grant: a key in `trigger_steps`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_auto_start: bool,
    /// Completing this step closes the run's episode; in a graph without a `no_auto_start` step it means nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub terminal: bool,
    /// If not empty, only these step ids (and `human`) may be read by or hand off to this step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input_allowlist: Vec<String>,
    /// Anything the author wants to keep beside the step; it has no meaning here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
    /// The type of the step and its fields.
    #[serde(flatten)]
    pub kind: StepKind,
}

/// The fields that every step has, whatever its type.
pub(super) const COMMON_FIELDS: [&str; 16] = [
    "id",
    "type",
    "name",
    "description",
    "depends_on",
    "enabled",
    "condition",
    "skip_when",
    "retry_count",
    "retry_backoff_s",
    "timeout_s",
    "continue_on_error",
    "no_auto_start",
    "terminal",
    "input_allowlist",
    "metadata",
];

impl Graph {
    /// Reads a graph. It must have the right shapes (an object with `steps`, each an object with a
    /// string `id`, a known `type` and fields of the right types); it need not be valid.
    ///
    /// # Errors
    /// Every misshapen part, and a graph larger than 512 KiB.
    pub fn read(value: &Value) -> Result<Self, Vec<Issue>> {
        read::graph(value)
    }
}

impl Step {
    /// How long one attempt may take; `None` for a human task that waits without end.
    pub fn timeout(&self) -> Option<Duration> {
        match self.timeout_s {
            Some(seconds) => Some(seconds.duration()),
            None => self.kind.timeout_default_and_cap().0,
        }
    }
}

/// The JSON Schema (2020-12) of a graph, generated from the types that parse it.
pub fn graph_schema() -> Value {
    schema::graph()
}

/// The hash of [`graph_schema`], made like [`graph_hash`].
pub fn graph_schema_hash() -> &'static str {
    &schema::GRAPH_SCHEMA_HASH
}

/// `sha256:<hex>` over the graph's canonical JSON: compact, object keys sorted.
pub fn graph_hash(graph: &Value) -> String {
    schema::hash(graph)
}

fn yes() -> bool {
    true
}

fn is_true(flag: &bool) -> bool {
    *flag
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
