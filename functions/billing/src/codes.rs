//! `POST /v1/billing/codes`, `POST /v1/billing/codes/apply`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CanChangeBilling, CommonErrors, Operator};
use shared::services::billing::codes::{self, Applied, CodeView};
use shared::types::clock::Timestamp;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A code to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCode {
    /// What people enter: 1–64 letters, digits, `-` and `_`; capitals and small letters are the same.
    #[schema(min_length = 1, max_length = 64, example = "WELCOME-2026")]
    code: String,
    /// What it grants to a workspace, in microcredits.
    #[schema(minimum = 1, example = 5_000_000)]
    microcredits: u64,
    /// How many workspaces may use it; any number when absent.
    #[schema(minimum = 1)]
    max_uses: Option<u64>,
    /// Until when; for ever when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Make a code that grants credits, once to each workspace.
///
/// The bearer is the operator token.
#[utoipa::path(post, path = "/v1/billing/codes", tag = "operators", request_body = NewCode,
               responses((status = 201, body = CodeView), CommonErrors))]
pub async fn create_code(
    State(state): State<AppState>,
    _: Operator,
    Body(new): Body<NewCode>,
) -> Result<(StatusCode, Json<CodeView>)> {
    let NewCode { code, microcredits, max_uses, expires_at } = new;
    let new = codes::NewCode { code, microcredits, max_uses, expires_at };
    Ok((StatusCode::CREATED, Json(codes::create(&state, &new).await?)))
}

/// A code to use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyCode {
    /// As people enter it.
    #[schema(min_length = 1, max_length = 64, example = "WELCOME-2026")]
    code: String,
}

/// Use a code that grants credits. It grants once: applying it again is answered as the first time.
#[utoipa::path(post, path = "/v1/billing/codes/apply", tag = "billing", request_body = ApplyCode,
               responses((status = 200, body = Applied), CommonErrors))]
pub async fn apply_code(
    State(state): State<AppState>,
    CanChangeBilling(caller): CanChangeBilling,
    Body(asked): Body<ApplyCode>,
) -> Result<Json<Applied>> {
    codes::apply(&state, &caller.place.tenant_id, &asked.code).await.map(Json)
}
