//! Permission as an extractor: a handler says in its signature what its caller needs, and cannot see the
//! caller without it.

use std::pin::Pin;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::exchange::Exchange;
use services::auth::Caller;
use services::idempotency::Admitted;
use services::state::AppState;
use types::error::Kind;
use types::role::Role;
use types::scope::Permission;
use types::{Error, Result};

macro_rules! permit {
    ($(#[$doc:meta])* $name:ident, $role:expr, $permission:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(pub Caller);

        impl $name {
            /// Whether this caller has it, wherever it is.
            pub fn allows(caller: &Caller) -> bool {
                is_allowed(caller, $role, $permission.into())
            }
        }

        impl FromRequestParts<AppState> for $name {
            type Rejection = Error;

            async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
                caller(parts, state, $role, $permission.into()).await.map(Self)
            }
        }
    };
}

permit!(
    /// A caller with any valid token: what it may do is asked again behind.
    CanConnect,
    Role::ProjectViewer,
    None
);
permit!(
    /// A caller that may read workflows and runs.
    CanRead,
    Role::ProjectViewer,
    Permission::WorkflowRead
);
permit!(
    /// A caller that may see how runs go.
    CanReadAnalytics,
    Role::ProjectViewer,
    Permission::AnalyticsRead
);
permit!(
    /// A caller that may see what a run asks people.
    CanReadTasks,
    Role::ProjectContributor,
    Permission::WorkflowRead
);
permit!(
    /// A caller that may run workflows.
    CanRun,
    Role::ProjectContributor,
    Permission::WorkflowRun
);
permit!(
    /// A caller that may change workflows.
    CanWrite,
    Role::ProjectContributor,
    Permission::WorkflowWrite
);
permit!(
    /// A caller that may try a tool.
    CanExecuteMcp,
    Role::ProjectContributor,
    Permission::McpExecute
);
permit!(
    /// A caller that may see connections.
    CanReadConnections,
    Role::ProjectContributor,
    Permission::ConnectionRead
);
permit!(
    /// A caller that may change connections.
    CanWriteConnections,
    Role::ProjectContributor,
    Permission::ConnectionWrite
);
permit!(
    /// A caller that may see MCP servers, their instances and profiles.
    CanReadMcp,
    Role::ProjectContributor,
    Permission::McpRead
);
permit!(
    /// A caller that may change MCP servers, their instances and profiles.
    CanWriteMcp,
    Role::ProjectContributor,
    Permission::McpWrite
);
permit!(
    /// A caller that may see provider keys.
    CanReadLlmKeys,
    Role::ProjectContributor,
    Permission::LlmKeyRead
);
permit!(
    /// A caller that may change provider keys.
    CanWriteLlmKeys,
    Role::ProjectContributor,
    Permission::LlmKeyWrite
);
permit!(
    /// A caller that may see inbound webhooks.
    CanReadWebhooks,
    Role::ProjectContributor,
    Permission::WebhookRead
);
permit!(
    /// A caller that may change inbound webhooks.
    CanWriteWebhooks,
    Role::ProjectContributor,
    Permission::WebhookWrite
);
permit!(
    /// A caller that may list tokens.
    CanListPats,
    Role::ProjectContributor,
    Permission::PatRead
);
permit!(
    /// A caller that may create and revoke tokens.
    CanManagePats,
    Role::ProjectContributor,
    Permission::PatWrite
);
permit!(
    /// A caller that may manage the workspace's projects and members.
    CanManageMembers,
    Role::TenantAdmin,
    Permission::PatWrite
);
permit!(
    /// A caller that may read the audit trail.
    CanAudit,
    Role::ProjectAdmin,
    Permission::WorkflowRead
);
permit!(
    /// A caller that may see what is spent on what.
    CanReadUsage,
    Role::ProjectViewer,
    Permission::BillingRead
);
permit!(
    /// A caller that may see balances, plans and payments.
    CanReadBilling,
    Role::ProjectContributor,
    Permission::BillingRead
);
permit!(
    /// A caller that may change what the workspace pays.
    CanChangeBilling,
    Role::TenantAdmin,
    Permission::BillingWrite
);

fn is_allowed(caller: &Caller, role: Role, permission: Option<Permission>) -> bool {
    caller.role >= role && permission.is_none_or(|permission| caller.may(permission))
}

/// The caller of a request, if it has at least this role and this permission. In a box: what comes before the work of every
/// route is compiled here, and not again for each.
fn caller<'a>(
    parts: &'a mut Parts,
    state: &'a AppState,
    role: Role,
    permission: Option<Permission>,
) -> Pin<Box<dyn Future<Output = Result<Caller>> + Send + 'a>> {
    Box::pin(admitted(parts, state, role, permission))
}

async fn admitted(
    parts: &mut Parts,
    state: &AppState,
    role: Role,
    permission: Option<Permission>,
) -> Result<Caller> {
    let Bearer(token) = Bearer::from_request_parts(parts, state).await?;
    let now = state.clock.now();
    let caller = state.auth.authenticate(&state.store, &token, now).await?;
    let exchange = Exchange::of(parts);
    let allowance = state.limits.tokens.take(caller.pat_id);
    if let Some(exchange) = &exchange {
        exchange.note(allowance);
    }
    allowance.check("The token")?;
    check_place(parts, "x-tenant-id", caller.place.tenant_id.as_str())?;
    check_place(parts, "x-project-id", caller.place.project_id.as_str())?;
    if caller.role < role {
        let message = format!(
            "This needs the role {} or higher; the token has {}.",
            role.as_str(),
            caller.role.as_str()
        );
        return Err(Error::new(Kind::Forbidden, "ROLE_TOO_LOW", message));
    }
    if let Some(missing) = permission.filter(|permission| !caller.may(*permission)) {
        let scopes = missing.granting_scopes();
        let message = format!("This needs the scope {scopes}, which the token does not have.");
        return Err(Error::new(Kind::Forbidden, "SCOPE_MISSING", message));
    }
    tracing::Span::current().record("tenant_id", caller.place.tenant_id.as_str());
    state.auth.touch(&state.store, &caller, now).await;
    if let Some(exchange) = exchange {
        exchange.admit(state, Admitted::Token(&caller)).await?;
    }
    Ok(caller)
}

fn check_place(parts: &Parts, header: &str, own: &str) -> Result<()> {
    match parts.headers.get(header) {
        Some(asked) if asked.as_bytes() != own.as_bytes() => {
            let message = format!("The token belongs to another place than the header {header} names.");
            Err(Error::new(Kind::Forbidden, "WRONG_PLACE", message))
        }
        _ => Ok(()),
    }
}

/// The bearer token of a request, whatever it may be worth.
#[derive(Debug)]
pub struct Bearer(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        token.filter(|token| !token.is_empty()).map(Self).ok_or_else(|| {
            Error::new(
                Kind::Unauthenticated,
                "UNAUTHENTICATED",
                "Send a token as 'Authorization: Bearer pat_…'.",
            )
        })
    }
}
