//! Scopes: the names that a token may carry, and what each of them grants. A route asks for a [`Permission`]; the names
//! of this product and those of the hosted one are two ways to grant it.

use serde::{Deserialize, Serialize};

macro_rules! scopes {
    ($($(#[$doc:meta])* $scope:ident = $name:tt => [$($granted:ident),*],)*) => {
        /// What a token may be used for. A token keeps the names that it was made with, and each grants its own routes.
        ///
        /// - `workflow:read`: workflows, runs, events, tasks, analytics; `workflow:run`: commands, task completion, webhook
        ///   automation; `workflow:write` (or `workflow:edit`): create, edit, publish, validate, triggers
        /// - `mcp:execute`: start runs whose graph calls MCP tools, and try tools
        /// - `integration:read`, `integration:write`: connections, MCP, webhooks, LLM keys; of these `mcp:read` and
        ///   `mcp:write` MCP and connections, `vault:read` and `vault:write` connections, `llm:read` and `llm:write` keys of
        ///   model providers, `webhook:manage` inbound webhooks, reading and changing
        /// - `analytics:read`: analytics
        /// - `pat:write`: tokens, projects, members; `pat:read`: list tokens
        /// - `billing:read`, `billing:write`
        /// - `agent:read`, `agent:write`, `chat:read`, `chat:write`: for routes that are to come
        /// - `memory:read`, `memory:write`, `work:read`, `work:write`: nothing yet
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum Scope {
            $($(#[$doc])* #[serde(rename = $name)] $scope,)*
        }

        impl Scope {
            /// Every scope.
            pub const ALL: &[Self] = &[$(Self::$scope),*];

            /// The scope as it is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$scope => $name,)* }
            }

            /// What it grants, which is nothing where the routes it is for do not exist.
            pub const fn grants(self) -> &'static [Permission] {
                match self { $(Self::$scope => &[$(Permission::$granted),*],)* }
            }
        }
    };
}

scopes! {
    /// Workflows, runs, events, tasks, analytics: read.
    WorkflowRead = "workflow:read" => [WorkflowRead, AnalyticsRead],
    /// Commands, task completion, webhook automation.
    WorkflowRun = "workflow:run" => [WorkflowRun],
    /// Create, edit, publish, validate, triggers.
    WorkflowWrite = "workflow:write" => [WorkflowWrite],
    /// Start runs whose graph calls MCP tools, and try tools.
    McpExecute = "mcp:execute" => [McpExecute],
    /// Connections, MCP, webhooks, LLM keys: read.
    IntegrationRead = "integration:read" => [ConnectionRead, McpRead, WebhookRead, LlmKeyRead],
    /// Connections, MCP, webhooks, LLM keys: change.
    IntegrationWrite = "integration:write" => [ConnectionWrite, McpWrite, WebhookWrite, LlmKeyWrite],
    /// Agents: read.
    AgentRead = "agent:read" => [AgentRead],
    /// Agents: change.
    AgentWrite = "agent:write" => [AgentWrite],
    /// Create, list and revoke tokens; projects and members.
    PatWrite = "pat:write" => [PatRead, PatWrite],
    /// Balances, plans, usage: read.
    BillingRead = "billing:read" => [BillingRead],
    /// Subscriptions and purchases.
    BillingWrite = "billing:write" => [BillingWrite],
    /// The same as `workflow:write`.
    WorkflowEdit = "workflow:edit" => [WorkflowWrite],
    /// MCP and connections: read.
    McpRead = "mcp:read" => [McpRead, ConnectionRead],
    /// MCP and connections: change.
    McpWrite = "mcp:write" => [McpWrite, ConnectionWrite],
    /// Keys of model providers: read.
    LlmRead = "llm:read" => [LlmKeyRead],
    /// Keys of model providers: change.
    LlmWrite = "llm:write" => [LlmKeyWrite],
    /// Inbound webhooks: read and change.
    WebhookManage = "webhook:manage" => [WebhookRead, WebhookWrite],
    /// Connections: read.
    VaultRead = "vault:read" => [ConnectionRead],
    /// Connections: change.
    VaultWrite = "vault:write" => [ConnectionWrite],
    /// Analytics: read.
    AnalyticsRead = "analytics:read" => [AnalyticsRead],
    /// List tokens.
    PatRead = "pat:read" => [PatRead],
    /// Chat sessions: read.
    ChatRead = "chat:read" => [ChatRead],
    /// Messages of chat sessions.
    ChatWrite = "chat:write" => [ChatWrite],
    /// Nothing yet.
    MemoryRead = "memory:read" => [],
    /// Nothing yet.
    MemoryWrite = "memory:write" => [],
    /// Nothing yet.
    WorkRead = "work:read" => [],
    /// Nothing yet.
    WorkWrite = "work:write" => [],
}

/// What a route asks of a token's scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Workflows, runs, events, tasks: read.
    WorkflowRead,
    /// Commands, task completion, webhook automation.
    WorkflowRun,
    /// Workflows: create, edit, publish, validate, triggers.
    WorkflowWrite,
    /// Analytics.
    AnalyticsRead,
    /// Have tools called.
    McpExecute,
    /// MCP servers, instances, profiles, overrides: read.
    McpRead,
    /// MCP servers, instances, profiles, overrides: change.
    McpWrite,
    /// Connections: read.
    ConnectionRead,
    /// Connections: change.
    ConnectionWrite,
    /// Keys of model providers: read.
    LlmKeyRead,
    /// Keys of model providers: change.
    LlmKeyWrite,
    /// Inbound webhooks: read.
    WebhookRead,
    /// Inbound webhooks: change.
    WebhookWrite,
    /// Agents: read. No route asks for it yet; it is granted so that nobody gives it away who does not have it.
    AgentRead,
    /// Agents: change. No route asks for it yet.
    AgentWrite,
    /// Chat sessions: read. No route asks for it yet.
    ChatRead,
    /// Messages of chat sessions. No route asks for it yet.
    ChatWrite,
    /// List tokens.
    PatRead,
    /// Create and revoke tokens; projects and members.
    PatWrite,
    /// Balances, plans, usage: read.
    BillingRead,
    /// Subscriptions and purchases.
    BillingWrite,
}

impl Permission {
    /// Whether a token with these scopes has it: an empty list narrows nothing, a list whose names grant nothing grants
    /// nothing.
    pub fn is_granted_by(self, scopes: &[Scope]) -> bool {
        scopes.is_empty() || scopes.iter().any(|scope| scope.grants().contains(&self))
    }

    /// The scopes that grant it, as the end of a sentence.
    pub fn granting_scopes(self) -> String {
        let granting = Scope::ALL.iter().filter(|scope| scope.grants().contains(&self));
        granting.map(|scope| scope.as_str()).collect::<Vec<_>>().join(" or ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_names_read_back_and_are_distinct() {
        for scope in Scope::ALL {
            let written = serde_json::to_string(scope).unwrap();
            assert_eq!(written, format!("\"{}\"", scope.as_str()));
            assert_eq!(serde_json::from_str::<Scope>(&written).unwrap(), *scope);
        }
    }

    #[test]
    fn names_that_grant_nothing_are_not_an_empty_list() {
        let all = [Permission::WorkflowRead, Permission::McpRead, Permission::PatWrite];
        for permission in all {
            assert!(permission.is_granted_by(&[]));
            assert!(!permission.is_granted_by(&[Scope::MemoryRead, Scope::WorkWrite]));
        }
    }

    #[test]
    fn every_permission_has_a_scope_that_grants_it() {
        let edit = "workflow:write or workflow:edit";
        assert_eq!(Permission::WorkflowWrite.granting_scopes(), edit);
        assert_eq!(Permission::PatRead.granting_scopes(), "pat:write or pat:read");
    }
}
