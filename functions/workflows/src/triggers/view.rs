//! Triggers as callers see them, and what creating and changing them have in common.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::engine::trigger::{CatchUp, TriggerError, TriggerKind};
use shared::services::run::StartRequest;
use shared::store::TriggerRecord;
use shared::types::clock::Timestamp;
use shared::types::ids::{RunId, TriggerId, WorkflowId};
use shared::{Error, Result};
use utoipa::ToSchema;

/// The most bytes of a trigger's `params`: a list of a hundred must fit into an answer.
const LARGEST_PARAMS: usize = 32 * 1024;

/// The keys of a start's `params` that belong to one start.
const OF_ONE_START: [&str; 4] = ["run_id", "trigger_type", "resume_from_run_id", "from_step_id"];

/// A trigger.
#[derive(Debug, Serialize, ToSchema)]
pub struct TriggerView {
    /// The trigger.
    #[schema(value_type = uuid::Uuid)]
    id: TriggerId,
    /// The workflow it starts.
    #[schema(value_type = uuid::Uuid)]
    workflow_id: WorkflowId,
    /// Its name.
    name: String,
    /// What kind.
    #[serde(rename = "type")]
    kind: TriggerKind,
    /// When it fires: minute, hour, day of month, month, day of week.
    cron: String,
    /// The time zone that `cron` is read in.
    timezone: String,
    /// Whether it fires.
    enabled: bool,
    /// What becomes of due times that were missed.
    catch_up: CatchUp,
    /// What its runs are started with: the `params` of a start.
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    /// The due time that is next; null while it is not enabled.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_run_at: Option<Timestamp>,
    /// When its latest run was accepted.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_run_at: Option<Timestamp>,
    /// That run.
    #[schema(value_type = Option<uuid::Uuid>)]
    last_run_id: Option<RunId>,
    /// Why the latest due time that started no run did not; it stays when later ones do, so compare its time with
    /// `last_run_at`.
    last_error: Option<TriggerError>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When somebody changed it last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl TriggerView {
    /// A trigger as callers see it.
    ///
    /// # Errors
    /// Internal, when its row is damaged.
    pub fn new(record: TriggerRecord) -> Result<Self> {
        let params = serde_json::from_str(&record.params);
        Ok(Self {
            params: params.map_err(|error| Error::internal(format!("a trigger's params: {error}")))?,
            id: record.id,
            workflow_id: record.workflow_id,
            name: record.name,
            kind: TriggerKind::Cron,
            cron: record.cron,
            timezone: record.timezone,
            enabled: record.enabled,
            catch_up: record.catch_up,
            next_run_at: record.next_run_at,
            last_run_at: record.last_run_at,
            last_run_id: record.last_run_id,
            last_error: record.last_error,
            created_at: record.created_at,
            updated_at: record.updated_at,
        })
    }
}

/// Reads `params` as a start does, so that a due time cannot trip over them, and gives them as text to keep.
///
/// # Errors
/// Invalid, naming the key that is wrong.
pub fn check_params(mut params: Map<String, Value>) -> Result<String> {
    StartRequest::drop_unused(&mut params);
    if let Some(key) = OF_ONE_START.iter().find(|key| params.contains_key(**key)) {
        return Err(Error::invalid(format!(
            "params.{key}: belongs to one start; a trigger starts many runs, each with trigger_type \"schedule\" \
             and an id of its own."
        )));
    }
    let text = Value::Object(params.clone()).to_string();
    if text.len() > LARGEST_PARAMS {
        return Err(Error::invalid(format!(
            "params: must be at most 32 KiB of JSON, these are {} bytes.",
            text.len()
        )));
    }
    StartRequest::from_params(params)?;
    Ok(text)
}
