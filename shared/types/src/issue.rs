//! What is wrong with a graph or an input, in the shape that the API answers with.

use serde::Serialize;

use super::suggest::cut;

/// The most characters of a step id that are shown; longer ones are none.
const ID_MAX_CHARS: usize = 128;

/// Whether an issue stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The graph cannot be published or the input not be accepted.
    Error,
    /// Likely a mistake, but nothing that a run could not live with.
    Warning,
}

/// The check that found an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Shape, types and unknown fields.
    Graph,
    /// Ids, edges and what closes an episode.
    Dependencies,
    /// Required fields and limits of each step.
    StepConfig,
    /// Template syntax and references.
    Templates,
    /// Scripts that do not compile.
    LuaSyntax,
    /// MCP servers, tools and their arguments.
    McpBindings,
    /// Steps that are switched off.
    DisabledSteps,
    /// The input schema, and inputs against it.
    InputSchema,
    /// Scripts run against given step outputs.
    LuaFixture,
}

impl Check {
    /// Every check, in the order in which reports list them.
    pub const ALL: [Self; 9] = [
        Self::Graph,
        Self::Dependencies,
        Self::StepConfig,
        Self::Templates,
        Self::LuaSyntax,
        Self::McpBindings,
        Self::DisabledSteps,
        Self::InputSchema,
        Self::LuaFixture,
    ];

    /// The check of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.name() == name)
    }

    /// The name of the check in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Dependencies => "dependencies",
            Self::StepConfig => "step_config",
            Self::Templates => "templates",
            Self::LuaSyntax => "lua_syntax",
            Self::McpBindings => "mcp_bindings",
            Self::DisabledSteps => "disabled_steps",
            Self::InputSchema => "input_schema",
            Self::LuaFixture => "lua_fixture",
        }
    }
}

/// One thing that is wrong, where it is, and what would mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// Whether it stands in the way.
    pub severity: Severity,
    /// The check that found it.
    pub check: Check,
    /// The machine-readable kind, such as `dependency_cycle`.
    pub code: &'static str,
    /// The step that it is about, when it is about one; for a step of a loop body, the inner id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_id: Option<String>,
    /// Where it is, such as `$.steps[1].depends_on[0]`; `$` is the graph (or the input).
    pub json_path: String,
    /// What is wrong, as a sentence for a person.
    pub message: String,
    /// What would mend it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub suggestion: String,
}

impl Issue {
    /// An error found by `check` at `json_path`.
    pub fn error(
        check: Check,
        code: &'static str,
        json_path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            check,
            code,
            step_id: None,
            json_path: json_path.into(),
            message: message.into(),
            suggestion: String::new(),
        }
    }

    /// A warning found by `check` at `json_path`.
    pub fn warning(
        check: Check,
        code: &'static str,
        json_path: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(check, code, json_path, message) }
    }

    /// The same issue, about the step `id` (cut when it is longer than an id may be).
    #[must_use]
    pub fn at_step(mut self, id: impl AsRef<str>) -> Self {
        self.step_id = Some(cut(id.as_ref(), ID_MAX_CHARS).into_owned());
        self
    }

    /// The same issue with what would mend it.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = suggestion.into();
        self
    }

    /// Whether it stands in the way.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
