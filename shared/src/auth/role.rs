//! Roles, which are ordered, and scopes, which narrow them.

use serde::{Deserialize, Serialize};

/// What a person may do; each includes the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    ProjectViewer,
    /// Changes and runs.
    ProjectContributor,
    /// Administers the project.
    ProjectAdmin,
    /// Administers the workspace.
    TenantAdmin,
}

impl Role {
    /// The role as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProjectViewer => "project_viewer",
            Self::ProjectContributor => "project_contributor",
            Self::ProjectAdmin => "project_admin",
            Self::TenantAdmin => "tenant_admin",
        }
    }
}

/// What a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Scope {
    /// Workflows, runs, events, tasks, analytics: read.
    #[serde(rename = "workflow:read")]
    WorkflowRead,
    /// Commands, task completion, webhook automation.
    #[serde(rename = "workflow:run")]
    WorkflowRun,
    /// Create, edit, publish, validate, triggers.
    #[serde(rename = "workflow:write")]
    WorkflowWrite,
    /// Start runs whose graph calls MCP tools, and try tools.
    #[serde(rename = "mcp:execute")]
    McpExecute,
    /// Connections, MCP, webhooks, LLM keys: read.
    #[serde(rename = "integration:read")]
    IntegrationRead,
    /// Connections, MCP, webhooks, LLM keys: change.
    #[serde(rename = "integration:write")]
    IntegrationWrite,
    /// Create, list and revoke tokens.
    #[serde(rename = "pat:write")]
    PatWrite,
    /// Balances, plans, usage: read.
    #[serde(rename = "billing:read")]
    BillingRead,
    /// Subscriptions and purchases.
    #[serde(rename = "billing:write")]
    BillingWrite,
}

impl Scope {
    /// The scope as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WorkflowRead => "workflow:read",
            Self::WorkflowRun => "workflow:run",
            Self::WorkflowWrite => "workflow:write",
            Self::McpExecute => "mcp:execute",
            Self::IntegrationRead => "integration:read",
            Self::IntegrationWrite => "integration:write",
            Self::PatWrite => "pat:write",
            Self::BillingRead => "billing:read",
            Self::BillingWrite => "billing:write",
        }
    }
}
