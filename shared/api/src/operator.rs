//! The operator's permission: whoever has the deployment's operator token.

use axum::extract::FromRequestParts;
use http::request::Parts;
use secrecy::ExposeSecret;

use super::permit::{Access, Granted, Needs, Permit};
use services::state::AppState;
use types::error::{ErrorCode, Kind};
use types::{Error, Result};

/// The caller has the operator token.
#[derive(Debug)]
pub struct Operator;

impl Access for Operator {
    const NEEDS: Option<Needs> = Some(Needs::Operator);
}

impl Permit for Operator {}

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        Granted::take(parts, Needs::Operator).map(|_| Self)
    }
}

pub(super) async fn check_operator(state: &AppState, bearer: &str) -> Result<()> {
    let secret = state.secrets.get(&state.config.operator_secret).await?;
    let secret =
        secret.ok_or_else(|| Error::internal("the operator secret is missing in the secret store"))?;
    // An empty secret would let an empty bearer in; none is read, and this refuses it too.
    let same = state.auth.key().await?.same(bearer, secret.expose_secret());
    if same && !secret.expose_secret().is_empty() {
        return Ok(());
    }
    let message = "The operator token is not valid; the deployment's secret store has it.";
    Err(Error::new(Kind::Unauthenticated, ErrorCode::Unauthenticated, message))
}
