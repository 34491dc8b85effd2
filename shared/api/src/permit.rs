//! Permissions. A route declares the one that it asks for in its registration, `routes!(CanRead: list::list_runs)`, and the
//! layers of [`super::layers`] check it; its handler shows the same one in its signature, and cannot see the caller without
//! it. What is registered and what is shown are one, or the program does not compile.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use http::HeaderMap;
use http::request::Parts;

use super::params::Path;
use services::auth::{Caller, Principal};
use services::state::AppState;
use types::role::Role;
use types::scope::Permission;
use types::{Error, Result};

/// What a caller must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// A token with at least this role, and with this permission if one is named.
    Token {
        /// The lowest role.
        role: Role,
        /// What scopes must grant.
        permission: Option<Permission>,
    },
    /// The operator token.
    Operator,
}

/// What a route is registered as: [`Open`], or a [`Permit`].
pub trait Access {
    /// What its callers need; nothing if it is open.
    const NEEDS: Option<Needs>;
}

/// An [`Access`] that handlers have in their signatures: the proof that it was checked.
pub trait Permit: Access {}

/// A route that anybody may call. If its callers have to prove something, its handler asks for that.
#[derive(Debug)]
pub struct Open;

impl Access for Open {
    const NEEDS: Option<Needs> = None;
}

/// What the layers have checked.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    pub(super) needs: Needs,
    pub(super) principal: Principal,
}

impl Granted {
    /// Whom it was granted to.
    ///
    /// # Errors
    /// Internal when this is not what was checked.
    pub(super) fn take(parts: &mut Parts, needs: Needs) -> Result<Principal> {
        let granted = parts.extensions.remove::<Self>().filter(|granted| granted.needs == needs);
        let granted = granted.ok_or_else(|| Error::internal(format!("no layer has checked {needs:?}")))?;
        Ok(granted.principal)
    }

    fn caller(parts: &mut Parts, needs: Needs) -> Result<Caller> {
        match Self::take(parts, needs)? {
            Principal::Token(caller) => Ok(Arc::unwrap_or_clone(caller)),
            Principal::Operator => Err(Error::internal("the operator is no caller with a token")),
        }
    }
}

/// Arguments of a handler that shows `P` in its signature: as its first, or behind the state.
#[diagnostic::on_unimplemented(
    message = "the route is registered as `{P}`, which its handler does not show",
    note = "a permit is the handler's first argument, or its second behind `State<AppState>`; a route that is `Open` has none"
)]
pub trait Shows<P> {}

/// Arguments of handlers of open routes, which know nothing of the caller.
pub trait Unguarded {}

impl Unguarded for State<AppState> {}
impl Unguarded for HeaderMap {}
impl Unguarded for Request {}
impl<T> Unguarded for Path<T> {}

macro_rules! shows {
    ($($other:ident),*) => {
        impl<M, P: Permit, $($other),*> Shows<P> for (M, P, $($other,)*) {}
        impl<M, P: Permit, $($other),*> Shows<P> for (M, State<AppState>, P, $($other,)*) {}
        impl<M, $($other: Unguarded),*> Shows<Open> for (M, $($other,)*) {}
    };
}

shows!();
shows!(A);
shows!(A, B);
shows!(A, B, C);
shows!(A, B, C, D);
shows!(A, B, C, D, E);

macro_rules! permit {
    ($(#[$doc:meta])* $name:ident, $role:expr, $permission:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(pub Caller);

        impl $name {
            const ASKED: Needs = Needs::Token { role: $role, permission: $permission };

            /// Whether this caller has it, wherever it is.
            pub fn allows(caller: &Caller) -> bool {
                let permission: Option<Permission> = $permission;
                caller.role >= $role && permission.is_none_or(|permission| caller.may(permission))
            }
        }

        impl Access for $name {
            const NEEDS: Option<Needs> = Some(Self::ASKED);
        }

        impl Permit for $name {}

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Error;

            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
                Granted::caller(parts, Self::ASKED).map(Self)
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
    Some(Permission::WorkflowRead)
);
permit!(
    /// A caller that may see how runs go.
    CanReadAnalytics,
    Role::ProjectViewer,
    Some(Permission::AnalyticsRead)
);
permit!(
    /// A caller that may see what a run asks people.
    CanReadTasks,
    Role::ProjectContributor,
    Some(Permission::WorkflowRead)
);
permit!(
    /// A caller that may run workflows.
    CanRun,
    Role::ProjectContributor,
    Some(Permission::WorkflowRun)
);
permit!(
    /// A caller that may change workflows.
    CanWrite,
    Role::ProjectContributor,
    Some(Permission::WorkflowWrite)
);
permit!(
    /// A caller that may try a tool.
    CanExecuteMcp,
    Role::ProjectContributor,
    Some(Permission::McpExecute)
);
permit!(
    /// A caller that may see connections.
    CanReadConnections,
    Role::ProjectContributor,
    Some(Permission::ConnectionRead)
);
permit!(
    /// A caller that may change connections.
    CanWriteConnections,
    Role::ProjectContributor,
    Some(Permission::ConnectionWrite)
);
permit!(
    /// A caller that may see MCP servers, their instances and profiles.
    CanReadMcp,
    Role::ProjectContributor,
    Some(Permission::McpRead)
);
permit!(
    /// A caller that may change MCP servers, their instances and profiles.
    CanWriteMcp,
    Role::ProjectContributor,
    Some(Permission::McpWrite)
);
permit!(
    /// A caller that may see provider keys.
    CanReadLlmKeys,
    Role::ProjectContributor,
    Some(Permission::LlmKeyRead)
);
permit!(
    /// A caller that may change provider keys.
    CanWriteLlmKeys,
    Role::ProjectContributor,
    Some(Permission::LlmKeyWrite)
);
permit!(
    /// A caller that may see inbound webhooks.
    CanReadWebhooks,
    Role::ProjectContributor,
    Some(Permission::WebhookRead)
);
permit!(
    /// A caller that may change inbound webhooks.
    CanWriteWebhooks,
    Role::ProjectContributor,
    Some(Permission::WebhookWrite)
);
permit!(
    /// A caller that may list tokens.
    CanListPats,
    Role::ProjectContributor,
    Some(Permission::PatRead)
);
permit!(
    /// A caller that may create and revoke tokens.
    CanManagePats,
    Role::ProjectContributor,
    Some(Permission::PatWrite)
);
permit!(
    /// A caller that may manage the workspace's projects and members.
    CanManageMembers,
    Role::TenantAdmin,
    Some(Permission::PatWrite)
);
permit!(
    /// A caller that may read the audit trail.
    CanAudit,
    Role::ProjectAdmin,
    Some(Permission::WorkflowRead)
);
permit!(
    /// A caller that may see what is spent on what.
    CanReadUsage,
    Role::ProjectViewer,
    Some(Permission::BillingRead)
);
permit!(
    /// A caller that may see balances, plans and payments.
    CanReadBilling,
    Role::ProjectContributor,
    Some(Permission::BillingRead)
);
permit!(
    /// A caller that may change what the workspace pays.
    CanChangeBilling,
    Role::TenantAdmin,
    Some(Permission::BillingWrite)
);
