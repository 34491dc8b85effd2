//! `POST /v1/billing/codes`, `POST /v1/billing/codes/apply`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanChangeBilling, CommonErrors, Operator};
use shared::billing::Code;
use shared::billing::Microcredits;
use shared::services::billing::codes::{apply, spelled};
use shared::store::StoreError;
use shared::types::clock::Timestamp;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

/// The most that a code grants: a million credits.
const MOST: u64 = 1_000_000_000_000;

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

/// A code.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeView {
    /// What people enter.
    code: String,
    /// What it grants to a workspace, in microcredits.
    microcredits: Microcredits,
    /// How many workspaces may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_uses: Option<u64>,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
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
    let now = state.clock.now();
    if new.microcredits == 0 || new.microcredits > MOST {
        return Err(Error::invalid(format!("microcredits: must be 1 to {MOST}.")));
    }
    if new.max_uses == Some(0) {
        return Err(Error::invalid("max_uses: must be 1 or more."));
    }
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("expires_at: must be in the future."));
    }
    let code = Code {
        code: spelled(&new.code)?,
        microcredits: Microcredits(new.microcredits),
        most_uses: new.max_uses,
        ends_at: new.expires_at,
        created_at: now,
    };
    match state.store.create_code(&code).await {
        Err(StoreError::Conflict) => {
            // Whoever makes it again after a crash has made it.
            let there = state.store.code(&code.code).await?;
            if there.is_none_or(|there| (Code { created_at: now, ..there }) != code) {
                let message = format!("code: {} is in use; choose another.", code.code);
                return Err(Error::conflict("CODE_EXISTS", message));
            }
        }
        kept => kept?,
    }
    let Code { code, microcredits, most_uses: max_uses, ends_at: expires_at, .. } = code;
    Ok((StatusCode::CREATED, Json(CodeView { code, microcredits, max_uses, expires_at })))
}

/// A code to use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyCode {
    /// As people enter it.
    #[schema(min_length = 1, max_length = 64, example = "WELCOME-2026")]
    code: String,
}

/// A code that was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct Applied {
    /// The code.
    code: String,
    /// What it has granted, in microcredits; they stay, as those that are bought do.
    microcredits: Microcredits,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    applied_at: Timestamp,
}

/// Use a code that grants credits. It grants once: applying it again is answered as the first time.
#[utoipa::path(post, path = "/v1/billing/codes/apply", tag = "billing", request_body = ApplyCode,
               responses((status = 200, body = Applied), CommonErrors))]
pub async fn apply_code(
    State(state): State<AppState>,
    CanChangeBilling(caller): CanChangeBilling,
    Body(asked): Body<ApplyCode>,
) -> Result<Json<Applied>> {
    let used = apply(&state, &caller.place.tenant_id, &asked.code).await?;
    Ok(Json(Applied { code: spelled(&asked.code)?, microcredits: used.microcredits, applied_at: used.at }))
}
