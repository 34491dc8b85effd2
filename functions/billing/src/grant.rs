//! `POST /v1/billing/grants`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CommonErrors, Operator};
use shared::billing::{Bucket, LedgerEntry, Microcredits, What};
use shared::services::billing::{self, Grant};
use shared::types::clock::Timestamp;
use shared::types::error::Kind;
use shared::types::ids::TenantId;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

/// The most characters of a note.
const LONGEST_NOTE: usize = 500;

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

/// Credits that were given.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantView {
    /// The workspace.
    tenant_id: String,
    /// For what.
    bucket: Bucket,
    /// How many millionths of a credit.
    microcredits: Microcredits,
    /// What it was given for.
    cause: String,
    /// When what is left of it lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// When it was given.
    #[schema(value_type = String, format = DateTime)]
    granted_at: Timestamp,
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
    let tenant = workspace(&state, &new.tenant_id).await?;
    if new.note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(Error::invalid(format!("note: must have at most {LONGEST_NOTE} characters.")));
    }
    let amount = Microcredits(new.microcredits);
    let NewGrant { bucket, cause, expires_at, note, .. } = new;
    let grant = Grant { bucket, amount, cause, expires_at, note };
    let entry = billing::grant(&state, &tenant, &grant).await?;
    Ok((StatusCode::CREATED, Json(view(&tenant, entry)?)))
}

/// The workspace that an operator names.
pub(crate) async fn workspace(state: &AppState, slug: &str) -> Result<TenantId> {
    let tenant: TenantId = slug.parse().map_err(|why| Error::invalid(format!("tenant_id: {why}.")))?;
    if state.store.has_tenant(&tenant).await? {
        return Ok(tenant);
    }
    let message = format!("tenant_id: there is no workspace {tenant}.");
    Err(Error::new(Kind::NotFound, "NOT_FOUND", message))
}

fn view(tenant: &TenantId, entry: LedgerEntry) -> Result<GrantView> {
    let LedgerEntry { at, cause, microcredits, what } = entry;
    let What::Grant { bucket, expires_at, note, .. } = what else {
        return Err(Error::internal("a grant's entry is none"));
    };
    let tenant_id = tenant.to_string();
    Ok(GrantView { tenant_id, bucket, microcredits, cause, expires_at, note, granted_at: at })
}
