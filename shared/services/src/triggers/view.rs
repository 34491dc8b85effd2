//! Triggers as callers see them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use engine::trigger::{self, TriggerError};
use store::TriggerRecord;
use types::clock::Timestamp;
use types::ids::{RunId, TriggerId, WorkflowId};
use types::{Error, Result};

/// What kind of trigger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerKind {
    /// By a cron expression.
    #[default]
    Cron,
}

/// What becomes of due times that were missed: older than five minutes when they could be acted on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are passed over.
    #[default]
    None,
    /// The newest of them starts a run, once.
    Latest,
}

impl From<CatchUp> for trigger::CatchUp {
    fn from(asked: CatchUp) -> Self {
        match asked {
            CatchUp::None => Self::None,
            CatchUp::Latest => Self::Latest,
        }
    }
}

impl From<trigger::CatchUp> for CatchUp {
    fn from(kept: trigger::CatchUp) -> Self {
        match kept {
            trigger::CatchUp::None => Self::None,
            trigger::CatchUp::Latest => Self::Latest,
        }
    }
}

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
            params: params.map_err(|error| Error::internal("a trigger's params").with_source(error))?,
            id: record.id,
            workflow_id: record.workflow_id,
            name: record.name,
            kind: TriggerKind::Cron,
            cron: record.cron,
            timezone: record.timezone,
            enabled: record.enabled,
            catch_up: record.catch_up.into(),
            next_run_at: record.next_run_at,
            last_run_at: record.last_run_at,
            last_run_id: record.last_run_id,
            last_error: record.last_error,
            created_at: record.created_at,
            updated_at: record.updated_at,
        })
    }
}
