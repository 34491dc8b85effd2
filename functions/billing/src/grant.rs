//! `POST /v1/billing/grants`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use shared::api::{Body, CommonErrors, Operator};
use shared::billing::{Bucket, Microcredits};
use shared::services::billing::{self, Grant, GrantView};
use shared::types::clock::Timestamp;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// Credits to give to a workspace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGrant {
    /// The workspace.
    #[schema(example = "acme")]
    tenant_id: String,
    /// For what.
    bucket: Bucket,
    /// How many millionths of a credit.
    #[schema(minimum = 1, example = 5_000_000)]
    microcredits: u64,
    /// What it is given for, 1–200 characters: the same cause again gives nothing more.
    #[schema(min_length = 1, max_length = 200, example = "invoice-2026-11")]
    cause: String,
    /// When what is left of it lapses; never when absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// For people, at most 500 characters.
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// Give credits to a workspace.
///
/// The bearer is the operator token. The same `cause` again is answered as the first time, and gives nothing more.
#[utoipa::path(post, path = "/v1/billing/grants", tag = "operators", request_body = NewGrant,
               responses((status = 201, body = GrantView), CommonErrors))]
pub async fn grant(
    State(state): State<AppState>,
    _: Operator,
    Body(new): Body<NewGrant>,
) -> Result<(StatusCode, Json<GrantView>)> {
    let NewGrant { tenant_id, bucket, microcredits, cause, expires_at, note } = new;
    let grant = Grant { bucket, amount: Microcredits(microcredits), cause, expires_at, note };
    Ok((StatusCode::CREATED, Json(billing::give(&state, &tenant_id, &grant).await?)))
}
