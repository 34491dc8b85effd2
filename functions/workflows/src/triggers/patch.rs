//! `PATCH /v1/workflows/{id}/triggers/{trigger_id}`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::api::{Body, CanWrite, CommonErrors, Path};
use shared::engine::trigger::{CatchUp, Schedule};
use shared::store::{StoreError, TriggerRecord};
use shared::types::clock::Timestamp;
use shared::types::ids::{TriggerId, TriggerRef, WorkflowId};
use shared::types::scope::Permission;
use shared::types::text;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use super::MOST_TRIES;
use super::view::{TriggerView, check_params};

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

/// A patch whose texts were checked.
struct Checked {
    name: Option<String>,
    params: Option<String>,
    cron: Option<String>,
    timezone: Option<String>,
    enabled: Option<bool>,
    catch_up: Option<CatchUp>,
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
    let without_mcp = !caller.may(Permission::McpExecute);
    let key = TriggerRef { place: caller.place, workflow_id, trigger_id };
    let patch = Checked {
        name: patch.name.map(|name| text::name("name", &name)).transpose()?,
        params: patch.params.map(check_params).transpose()?,
        cron: patch.cron,
        timezone: patch.timezone,
        enabled: patch.enabled,
        catch_up: patch.catch_up,
    };
    for _ in 0..MOST_TRIES {
        let found = state.store.trigger(&key).await?;
        let mut record = found.ok_or_else(|| Error::not_found("trigger"))?;
        patch.apply(&mut record, state.clock.now())?;
        record.without_mcp = without_mcp;
        match state.store.save_trigger(&mut record).await {
            Err(StoreError::Conflict) => {}
            saved => {
                saved?;
                return Ok(Json(TriggerView::new(record)?));
            }
        }
    }
    Err(StoreError::Conflict.into())
}

impl Checked {
    fn apply(&self, record: &mut TriggerRecord, now: Timestamp) -> Result<()> {
        let cron = self.cron.as_deref().unwrap_or(&record.cron);
        let timezone = self.timezone.as_deref().unwrap_or(&record.timezone);
        let enabled = self.enabled.unwrap_or(record.enabled);
        let schedule = Schedule::parse(cron, timezone)?;
        let before = (record.cron.as_str(), record.timezone.as_str(), record.enabled);
        if before != (schedule.cron(), schedule.timezone(), enabled) {
            record.next_run_at = if enabled { schedule.next_after(now) } else { None };
            record.catching_up = false;
        }
        record.cron = schedule.cron().to_owned();
        record.timezone = schedule.timezone().to_owned();
        record.enabled = enabled;
        record.catch_up = self.catch_up.unwrap_or(record.catch_up);
        if let Some(name) = &self.name {
            record.name.clone_from(name);
        }
        if let Some(params) = &self.params {
            record.params.clone_from(params);
        }
        record.updated_at = now;
        Ok(())
    }
}
