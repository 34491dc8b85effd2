//! `DELETE /v1/workflows/{id}/triggers/{trigger_id}`.

use axum::extract::State;
use http::StatusCode;
use shared::api::{CanWrite, CommonErrors, Path};
use shared::store::StoreError;
use shared::types::ids::{TriggerId, TriggerRef, WorkflowId};
use shared::{AppState, Error, Result};

use super::MOST_TRIES;

/// Delete a trigger. Runs that it started go on.
#[utoipa::path(delete, path = "/v1/workflows/{id}/triggers/{trigger_id}", tag = "workflows",
               params(("id" = uuid::Uuid, Path), ("trigger_id" = uuid::Uuid, Path)),
               responses((status = 204), CommonErrors))]
pub async fn delete_trigger(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path((workflow_id, trigger_id)): Path<(WorkflowId, TriggerId)>,
) -> Result<StatusCode> {
    let key = TriggerRef { place: caller.place, workflow_id, trigger_id };
    for _ in 0..MOST_TRIES {
        match state.store.delete_trigger(&key).await {
            Err(StoreError::Conflict) => {}
            deleted => return deleted.map(|()| StatusCode::NO_CONTENT).map_err(Into::into),
        }
        state.store.trigger(&key).await?.ok_or_else(|| Error::not_found("trigger"))?;
    }
    Err(StoreError::Conflict.into())
}
