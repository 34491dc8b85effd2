//! The operator's permission: whoever has the deployment's operator token.

use axum::extract::FromRequestParts;
use http::request::Parts;
use secrecy::ExposeSecret;

use super::exchange::Exchange;
use super::permit::Bearer;
use services::idempotency::Admitted;
use services::state::AppState;
use types::error::Kind;
use types::{Error, Result};

/// The caller has the operator token. An extractor, so that nobody else learns anything about a body.
#[derive(Debug)]
pub struct Operator;

impl FromRequestParts<AppState> for Operator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let Bearer(bearer) = Bearer::from_request_parts(parts, state).await?;
        check_operator(state, &bearer).await?;
        if let Some(exchange) = Exchange::of(parts) {
            exchange.admit(state, Admitted::Operator).await?;
        }
        Ok(Self)
    }
}

async fn check_operator(state: &AppState, bearer: &str) -> Result<()> {
    let secret = state.secrets.get(&state.config.operator_secret).await?;
    let secret =
        secret.ok_or_else(|| Error::internal("the operator secret is missing in the secret store"))?;
    // An empty secret would let an empty bearer in; extractors refuse that too.
    let same = state.auth.key().await?.same(bearer, secret.expose_secret());
    if same && !secret.expose_secret().is_empty() {
        return Ok(());
    }
    let message = "The operator token is not valid; the deployment's secret store has it.";
    Err(Error::new(Kind::Unauthenticated, "UNAUTHENTICATED", message))
}
