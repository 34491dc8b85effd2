//! What is laid around the handler of a route that asks for a permission, and in which order.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::{HeaderMap, Method};
use tower_http::catch_panic::CatchPanicLayer;

use super::audit::trace;
use super::body::read_bytes;
use super::context::{Context, Verified, handed};
use super::error::panicked;
use super::idempotency::once;
use super::operator::check_operator;
use super::permit::{Granted, Needs};
use platform::fair_semaphore::FairPermit;
use platform::memory::Covered;
use services::auth::{Caller, Principal, bearer};
use services::limits::too_many_under_way;
use services::memory::room_for;
use services::state::AppState;
use types::error::{ErrorCode, Kind};
use types::role::Role;
use types::scope::Permission;
use types::{Error, Result};

/// Lays them around these handlers. A request goes through them from the first to the last; the first that refuses it
/// answers, and nothing behind that has happened. `tests/it/layers.rs` holds the order.
pub(super) fn guard(handlers: MethodRouter<AppState>, needs: Needs) -> MethodRouter<AppState> {
    handlers.route_layer((
        from_fn_with_state(needs, authenticate),
        from_fn(limit_rate),
        from_fn(check_project),
        from_fn_with_state(needs, check_role_and_scope),
        from_fn(read_body),
        from_fn(once),
        from_fn(trace),
        // A panic of the handler is an outcome like others: it ends what the layers around it have begun.
        CatchPanicLayer::custom(panicked),
    ))
}

async fn authenticate(State(needs): State<Needs>, mut request: Request, next: Next) -> Result<Response> {
    let Context { state, .. } = handed(&request)?;
    let principal = principal(&state, needs, request.headers()).await?;
    if let Principal::Token(caller) = &principal {
        tracing::Span::current().record("tenant_id", caller.place.tenant_id.as_str());
    }
    request.extensions_mut().insert(principal);
    let mut response = next.run(request).await;
    if response.extensions().get::<Verified>().is_none() {
        Verified::note(&mut response, None);
    }
    Ok(response)
}

async fn principal(state: &AppState, needs: Needs, headers: &HeaderMap) -> Result<Principal> {
    let token = bearer(headers).ok_or_else(|| {
        let message = "Send a token as 'Authorization: Bearer pat_…'.";
        Error::new(Kind::Unauthenticated, ErrorCode::Unauthenticated, message)
    })?;
    match needs {
        Needs::Token { .. } => {
            let caller = state.auth.authenticate(&state.store, token, state.clock.now()).await?;
            Ok(Principal::Token(Arc::new(caller)))
        }
        Needs::Operator => check_operator(state, token).await.map(|()| Principal::Operator),
    }
}

/// Of tokens, and of what a tenant has under way: the operator has no limits.
async fn limit_rate(request: Request, next: Next) -> Result<Response> {
    let Principal::Token(caller) = handed(&request)? else { return Ok(next.run(request).await) };
    let Context { state, .. } = handed(&request)?;
    let allowance = state.limits.tokens.take(caller.pat_id);
    let admitted = allowance.check("The token").and_then(|()| admit(&state, &caller, &request));
    let mut response = match admitted {
        Ok(permit) => {
            let response = next.run(request).await;
            drop(permit);
            response
        }
        Err(error) => error.into_response(),
    };
    Verified::note(&mut response, Some(allowance));
    Ok(response)
}

/// The permit to be answered. None is needed for a part of a request that has one.
fn admit(state: &AppState, caller: &Caller, request: &Request) -> Result<Option<FairPermit>> {
    if request.extensions().get::<Covered>().is_some() {
        return Ok(None);
    }
    let permit = state.requests.try_acquire(&(&caller.place.tenant_id).into());
    permit.map(Some).ok_or_else(|| too_many_under_way(state.requests.bounds().of_tenant))
}

async fn check_project(request: Request, next: Next) -> Result<Response> {
    if let Principal::Token(caller) = handed(&request)? {
        check_place(request.headers(), "x-tenant-id", caller.place.tenant_id.as_str())?;
        check_place(request.headers(), "x-project-id", caller.place.project_id.as_str())?;
    }
    Ok(next.run(request).await)
}

fn check_place(headers: &HeaderMap, header: &str, own: &str) -> Result<()> {
    match headers.get(header) {
        Some(asked) if asked.as_bytes() != own.as_bytes() => {
            let message = format!("The token belongs to another place than the header {header} names.");
            Err(Error::new(Kind::Forbidden, ErrorCode::WrongPlace, message))
        }
        _ => Ok(()),
    }
}

/// Grants the permit that the handler shows in its signature.
async fn check_role_and_scope(
    State(needs): State<Needs>,
    mut request: Request,
    next: Next,
) -> Result<Response> {
    let principal: Principal = handed(&request)?;
    if let (Principal::Token(caller), Needs::Token { role, permission }) = (&principal, needs) {
        check(caller, role, permission)?;
        let Context { state, .. } = handed(&request)?;
        state.auth.touch(&state.store, caller, state.clock.now()).await;
    }
    request.extensions_mut().insert(Granted { needs, principal });
    Ok(next.run(request).await)
}

fn check(caller: &Caller, role: Role, permission: Option<Permission>) -> Result<()> {
    if caller.role < role {
        let message = format!(
            "This needs the role {} or higher; the token has {}.",
            role.as_str(),
            caller.role.as_str()
        );
        return Err(Error::new(Kind::Forbidden, ErrorCode::RoleTooLow, message));
    }
    if let Some(missing) = permission.filter(|permission| !caller.may(*permission)) {
        let scopes = missing.granting_scopes();
        let message = format!("This needs the scope {scopes}, which the token does not have.");
        return Err(Error::new(Kind::Forbidden, ErrorCode::ScopeMissing, message));
    }
    Ok(())
}

/// Reads what comes with a request that may do what it asks for; whoever may not, learns nothing about the body, and costs no
/// memory. What it says is the handler's to read.
async fn read_body(request: Request, next: Next) -> Result<Response> {
    if ![Method::POST, Method::PUT, Method::PATCH].contains(request.method()) {
        return Ok(next.run(request).await);
    }
    let Context { state, .. } = handed(&request)?;
    let (parts, body) = request.into_parts();
    let bytes = read_bytes(&parts.headers, body, state.config.body_deadline).await?;
    let is_covered = parts.extensions.get::<Covered>().is_some();
    // Held until the answer.
    let _room = room_for(&state, &bytes, is_covered).await?;
    Ok(next.run(Request::from_parts(parts, bytes.into())).await)
}
