//! `PATCH /v1/workflows/{id}/triggers/{trigger_id}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::api::{Body, CanWrite, CommonErrors, Path};
use shared::services::triggers::{self, CatchUp, TriggerChange, TriggerView};
use shared::types::ids::{TriggerId, WorkflowId};
use shared::{AppState, Result};
use utoipa::ToSchema;

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerPatch {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// When it fires, in five fields: minute, hour, day of month, month, day of week.
    cron: Option<String>,
    /// The IANA time zone that `cron` is read in.
    timezone: Option<String>,
    /// Whether it fires. Due times while it does not are never made up for.
    enabled: Option<bool>,
    /// What becomes of due times that could not be acted on within five minutes.
    catch_up: Option<CatchUp>,
    /// What its runs are started with, whole.
    #[schema(value_type = Option<Object>)]
    params: Option<Map<String, Value>>,
}

/// Change a trigger. When it fires is reckoned anew from now if `cron`, `timezone` or `enabled` change.
#[utoipa::path(patch, path = "/v1/workflows/{id}/triggers/{trigger_id}", tag = "workflows",
               request_body = TriggerPatch,
               params(("id" = uuid::Uuid, Path), ("trigger_id" = uuid::Uuid, Path)),
               responses((status = 200, body = TriggerView), CommonErrors))]
pub async fn patch_trigger(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path((workflow_id, trigger_id)): Path<(WorkflowId, TriggerId)>,
    Body(patch): Body<TriggerPatch>,
) -> Result<Json<TriggerView>> {
    let change = TriggerChange {
        name: patch.name,
        cron: patch.cron,
        timezone: patch.timezone,
        enabled: patch.enabled,
        catch_up: patch.catch_up,
        params: patch.params,
    };
    Ok(Json(triggers::change(&state, &caller, workflow_id, trigger_id, change).await?))
}
