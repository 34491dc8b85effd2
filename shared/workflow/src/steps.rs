//! The step types and their fields.
//!
//! A draft may still lack what its type requires, so required strings read as empty and required
//! choices as `None`; validation refuses both, and a published graph has them. Fields whose value may
//! come from a template are [`Templated`].

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::limits;

pub use super::values::{OneOrMany, Seconds, Templated, TextOrObject};

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

impl Step {
    /// How long one attempt may take; `None` for a human task that waits without end.
    pub fn timeout(&self) -> Option<Duration> {
        match self.timeout_s {
            Some(seconds) => Some(seconds.duration()),
            None => self.kind.timeout_default_and_cap().0,
        }
    }
}

/// The type of a step, with its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StepKind {
    /// A Lua script in the sandbox.
    LuaScript(LuaScript),
    /// A call of a language model.
    LlmCall(Box<LlmCall>),
    /// A call of a tool of an MCP server.
    McpCall(McpCall),
    /// A question to a person.
    HumanTask(HumanTask),
    /// A body run once per item of a list.
    ForEach(ForEach),
    /// A body run until a condition says so.
    While(While),
    /// A run of another workflow.
    WorkflowCall(WorkflowCall),
    /// A call of an agent.
    AgentCall(AgentCall),
}

/// A Lua script in the sandbox.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LuaScript {
    /// The script; it must return a table.
    #[serde(default)]
    #[schemars(!default, length(min = 1, max = limits::SCRIPT_MAX_BYTES))]
    pub script: String,
}

/// A call of a language model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [{ "required": ["model"] }, { "required": ["model_ref"] }]))]
pub struct LlmCall {
    /// What the model is asked.
    #[serde(default)]
    #[schemars(!default, length(min = 1))]
    pub prompt: String,
    /// The model, by the provider's name for it; the provider is that of `llm_credential_id`, else the one that has
    /// it in the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model with its provider: `direct.<provider>.<model>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_ref: Option<String>,
    /// The system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// How the model is sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_params: Option<LlmParams>,
    /// The key of a model provider to call with, instead of the default one: its id, or with the scope `system` its
    /// name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_credential_id: Option<String>,
    /// Whose credentials to look in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub llm_credential_scope: Option<CredentialScope>,
    /// A JSON Schema that the answer must satisfy; the parsed answer is then `result.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Templated<Map<String, Value>>>,
}

/// How a model is sampled.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct LlmParams {
    /// The sampling temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Templated<f64>>,
    /// The most tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<Templated<u64>>,
    /// Nucleus sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<Templated<f64>>,
    /// Texts at which the answer ends: one, or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<OneOrMany>,
    /// The provider's response format: its name, or an object such as `{ "type": "json_object" }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_format: Option<TextOrObject>,
    /// The seed of the sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Templated<i64>>,
}

/// Whose credentials an `llm_call` looks in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialScope {
    /// The workspace's own.
    Tenant,
    /// The operator's.
    System,
}

/// A call of a tool of an MCP server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [{ "required": ["instance_id"] }, { "required": ["server_url"] }]))]
pub struct McpCall {
    /// The tool's name.
    #[serde(default)]
    #[schemars(!default, length(min = 1))]
    pub tool_name: String,
    /// The registered server instance that has the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The address of a server that has the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_url: Option<String>,
    /// What the catalog calls the server, for readers; which server is called follows from the other two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// The tool's arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_args: Option<Templated<Map<String, Value>>>,
    /// Whose connection the call goes out with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_resolution: Option<ConnectionResolution>,
}

/// Whose connection an `mcp_call` goes out with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionResolution {
    /// The workspace's.
    Workspace,
    /// That of the person the run is for.
    Principal,
    /// What the run was started with.
    Inherit,
}

/// A question to a person.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct HumanTask {
    /// What kind of task it is, for inboxes and filters.
    #[serde(default)]
    #[schemars(!default, length(min = 1))]
    pub task_type: String,
    /// What the person sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_payload: Option<Templated<Map<String, Value>>>,
    /// What happens when nobody answers within `timeout_s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
}

/// What happens to a human task that nobody answers in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// The step fails.
    Fail,
    /// It completes as approved.
    Approve,
    /// It completes as rejected.
    Reject,
}

/// A body run once per item of a list.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("required" = ["for_each_items", "for_each_body_steps"]))]
pub struct ForEach {
    /// The items: a list, or a template that gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each_items: Option<Templated<Vec<Value>>>,
    /// The steps run for each item. Without `depends_on` their order is the order of the array.
    #[serde(default)]
    #[schemars(!default, length(min = 1, max = limits::STEPS_MAX))]
    pub for_each_body_steps: Vec<Step>,
    /// How many items run at the same time.
    #[serde(default = "parallel", skip_serializing_if = "is_parallel_default")]
    #[schemars(range(min = 1, max = limits::FOR_EACH_PARALLEL_MAX), extend("default" = parallel()))]
    pub for_each_max_parallel: u32,
    /// What happens when an item fails.
    #[serde(default, skip_serializing_if = "is_fail_fast")]
    #[schemars(extend("default" = "fail_fast"))]
    pub for_each_error_policy: ErrorPolicy,
    /// How long one item may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each_item_timeout_s: Option<Seconds>,
}

/// What happens when an item of a `for_each` fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorPolicy {
    /// The step fails at once.
    #[default]
    FailFast,
    /// The other items go on, and the result says which failed.
    ContinueOnError,
    /// The run pauses.
    Pause,
    /// A person decides.
    HumanReview,
}

/// A body run until a condition says so.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(extend(
    "required" = ["while_mode", "while_max_iterations", "while_body_steps"],
    "anyOf" = [{ "required": ["while_condition"] }, { "required": ["while_eval_script"] }]
))]
pub struct While {
    /// Whether the condition ends the loop or keeps it going.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub while_mode: Option<WhileMode>,
    /// The most rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = limits::WHILE_ITERATIONS_MAX))]
    pub while_max_iterations: Option<u32>,
    /// The steps of one round. Without `depends_on` their order is the order of the array.
    #[serde(default)]
    #[schemars(!default, length(min = 1, max = limits::STEPS_MAX))]
    pub while_body_steps: Vec<Step>,
    /// The condition, as a template; looked at after each round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub while_condition: Option<String>,
    /// The condition, as a Lua script that returns `{ pass = boolean }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = limits::SCRIPT_MAX_BYTES))]
    pub while_eval_script: Option<String>,
    /// How long one round may take, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub while_iteration_timeout_s: Option<Seconds>,
}

/// Whether a `while`'s condition ends the loop or keeps it going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhileMode {
    /// Rounds run until the condition holds.
    Until,
    /// Rounds run while the condition holds.
    While,
}

/// A run of another workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowCall {
    /// The child workflow.
    #[serde(default)]
    #[schemars(!default, length(min = 1))]
    pub workflow_id: String,
    /// Its published version; the latest when it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Templated<u32>>,
    /// The child's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Templated<Map<String, Value>>>,
    /// Whether the step waits until the child is over.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    #[schemars(extend("default" = true))]
    pub wait: bool,
    /// The child's step whose result is the output, instead of all its outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_from: Option<String>,
}

impl Default for WorkflowCall {
    fn default() -> Self {
        Self { workflow_id: String::new(), version: None, input: None, wait: true, output_from: None }
    }
}

/// A call of an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [{ "required": ["prompt"] }, { "required": ["input"] }]))]
pub struct AgentCall {
    /// The agent.
    #[serde(default)]
    #[schemars(!default, length(min = 1))]
    pub agent_id: String,
    /// What the agent is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What the agent is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Templated<Map<String, Value>>>,
    /// How many rounds of tool calls it may make.
    #[serde(default = "tool_rounds", skip_serializing_if = "is_tool_rounds_default")]
    #[schemars(range(min = 1), extend("default" = tool_rounds()))]
    pub max_tool_rounds: u32,
}

impl Default for AgentCall {
    fn default() -> Self {
        Self { agent_id: String::new(), prompt: None, input: None, max_tool_rounds: tool_rounds() }
    }
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl StepKind {
    /// Every type, as graphs write it.
    pub const TYPES: [&'static str; 8] = [
        "lua_script",
        "llm_call",
        "mcp_call",
        "human_task",
        "for_each",
        "while",
        "workflow_call",
        "agent_call",
    ];

    /// The type, as graphs write it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::LuaScript(_) => "lua_script",
            Self::LlmCall(_) => "llm_call",
            Self::McpCall(_) => "mcp_call",
            Self::HumanTask(_) => "human_task",
            Self::ForEach(_) => "for_each",
            Self::While(_) => "while",
            Self::WorkflowCall(_) => "workflow_call",
            Self::AgentCall(_) => "agent_call",
        }
    }

    /// How long an attempt may take when the step does not say (`None`: without end), and the most
    /// that a step may say.
    pub const fn timeout_default_and_cap(&self) -> (Option<Duration>, Duration) {
        let (default, cap) = match self {
            Self::LuaScript(_) => (Some(5), 30),
            Self::LlmCall(_) => (Some(60), 600),
            Self::McpCall(_) => (Some(30), 600),
            Self::HumanTask(_) => (None, 30 * DAY),
            Self::ForEach(_) | Self::While(_) => (Some(600), DAY),
            Self::WorkflowCall(_) => (Some(HOUR), 30 * DAY),
            Self::AgentCall(_) => (Some(300), 900),
        };
        let default = match default {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => None,
        };
        (default, Duration::from_secs(cap))
    }

    /// Whether running the step can be seen outside its run. A script cannot, nor a loop of scripts.
    pub fn has_outside_effect(&self) -> bool {
        match self {
            Self::LuaScript(_) => false,
            Self::ForEach(_) | Self::While(_) => {
                self.body().iter().any(|step| step.kind.has_outside_effect())
            }
            Self::LlmCall(_)
            | Self::McpCall(_)
            | Self::HumanTask(_)
            | Self::WorkflowCall(_)
            | Self::AgentCall(_) => true,
        }
    }

    /// The inner steps of a loop, in the order of the array; empty for other types.
    pub fn body(&self) -> &[Step] {
        match self {
            Self::ForEach(step) => &step.for_each_body_steps,
            Self::While(step) => &step.while_body_steps,
            _ => &[],
        }
    }
}

fn yes() -> bool {
    true
}

fn parallel() -> u32 {
    limits::FOR_EACH_PARALLEL_DEFAULT
}

fn tool_rounds() -> u32 {
    limits::TOOL_ROUNDS_DEFAULT
}

fn is_true(flag: &bool) -> bool {
    *flag
}

fn is_parallel_default(count: &u32) -> bool {
    *count == limits::FOR_EACH_PARALLEL_DEFAULT
}

fn is_tool_rounds_default(count: &u32) -> bool {
    *count == limits::TOOL_ROUNDS_DEFAULT
}

fn is_fail_fast(policy: &ErrorPolicy) -> bool {
    *policy == ErrorPolicy::FailFast
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
