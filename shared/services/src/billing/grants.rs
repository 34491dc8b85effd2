//! Credits that operators give.

use serde::Serialize;
use utoipa::ToSchema;

use super::ledger::{self, Grant};
use super::workspace::workspace;
use crate::state::AppState;
use billing::{Bucket, LedgerEntry, Microcredits, What};
use platform::boxed;
use types::clock::Timestamp;
use types::ids::TenantId;
use types::{Error, Result};

/// The most characters of a note.
const LONGEST_NOTE: usize = 500;

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

/// Gives credits to the workspace that an operator names, once for a cause.
///
/// # Errors
/// Not found when there is no such workspace; else those of [`ledger::grant`].
#[boxed]
pub async fn give(state: &AppState, slug: &str, grant: &Grant) -> Result<GrantView> {
    let tenant = workspace(state, slug).await?;
    if grant.note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(Error::invalid(format!("note: must have at most {LONGEST_NOTE} characters.")));
    }
    view(&tenant, ledger::grant(state, &tenant, grant).await?)
}

fn view(tenant: &TenantId, entry: LedgerEntry) -> Result<GrantView> {
    let LedgerEntry { at, cause, microcredits, what } = entry;
    let What::Grant { bucket, expires_at, note, .. } = what else {
        return Err(Error::internal("a grant's entry is none"));
    };
    let tenant_id = tenant.to_string();
    Ok(GrantView { tenant_id, bucket, microcredits, cause, expires_at, note, granted_at: at })
}
