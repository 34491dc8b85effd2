//! Workspaces as operators name them.

use crate::state::AppState;
use types::error::{ErrorCode, Kind};
use types::ids::TenantId;
use types::{Error, Result};

/// The workspace that an operator names.
pub(super) async fn workspace(state: &AppState, slug: &str) -> Result<TenantId> {
    let tenant: TenantId = slug.parse().map_err(|why| Error::invalid(format!("tenant_id: {why}.")))?;
    if state.store.has_tenant(&tenant).await? {
        return Ok(tenant);
    }
    let message = format!("tenant_id: there is no workspace {tenant}.");
    Err(Error::new(Kind::NotFound, ErrorCode::NotFound, message))
}
