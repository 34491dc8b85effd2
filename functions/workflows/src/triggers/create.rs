//! `POST /v1/workflows/{id}/triggers`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::api::{Body, CanWrite, CommonErrors, Path};
use shared::engine::trigger::{CatchUp, Schedule, TriggerKind};
use shared::store::{MOST_TRIGGERS, StoreError, TriggerRecord};
use shared::types::ids::{TriggerId, WorkflowId, seed};
use shared::types::scope::Permission;
use shared::types::text;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use super::MOST_TRIES;
use super::view::{TriggerView, check_params};
use crate::view::find;

const USUAL_NAME: &str = "Schedule";
const USUAL_TIMEZONE: &str = "UTC";

/// A trigger to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrigger {
    /// Its name, 1–200 characters; `Schedule` when absent.
    #[schema(min_length = 1, max_length = 200, example = "Every weekday morning")]
    name: Option<String>,
    /// What kind; `cron` is the only one.
    #[serde(default, rename = "type")]
    _kind: TriggerKind,
    /// When it fires, in five fields: minute, hour, day of month, month, day of week. Names (`MON`, `JAN`), lists,
    /// ranges and steps are allowed; when both day fields are restricted, either suffices.
    #[schema(example = "30 8 * * MON-FRI")]
    cron: String,
    /// The IANA time zone that `cron` is read in; `UTC` when absent.
    #[schema(example = "Europe/Berlin")]
    timezone: Option<String>,
    /// Whether it fires; true when absent.
    enabled: Option<bool>,
    /// What becomes of due times that could not be acted on within five minutes: `none` (when absent) passes them
    /// over, `latest` starts a run for the newest of them.
    #[serde(default)]
    catch_up: CatchUp,
    /// What its runs are started with: the `params` of a start, without `run_id`, `trigger_type` and recovery.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    params: Map<String, Value>,
}

/// Create a trigger, which starts a run of the workflow at each due time.
#[utoipa::path(post, path = "/v1/workflows/{id}/triggers", tag = "workflows", request_body = NewTrigger,
               params(("id" = uuid::Uuid, Path)),
               responses((status = 201, body = TriggerView), CommonErrors))]
pub async fn create_trigger(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(workflow_id): Path<WorkflowId>,
    Body(new): Body<NewTrigger>,
) -> Result<(StatusCode, Json<TriggerView>)> {
    let name = text::name("name", new.name.as_deref().unwrap_or(USUAL_NAME))?;
    let schedule = Schedule::parse(&new.cron, new.timezone.as_deref().unwrap_or(USUAL_TIMEZONE))?;
    let params = check_params(new.params)?;
    find(&state, &caller.place, workflow_id).await?;
    let now = state.clock.now();
    let enabled = new.enabled.unwrap_or(true);
    let record = TriggerRecord {
        id: TriggerId::new(now),
        without_mcp: !caller.may(Permission::McpExecute),
        place: caller.place,
        workflow_id,
        name,
        cron: schedule.cron().to_owned(),
        timezone: schedule.timezone().to_owned(),
        enabled,
        catch_up: new.catch_up,
        params,
        next_run_at: if enabled { schedule.next_after(now) } else { None },
        catching_up: false,
        last_run_at: None,
        last_run_id: None,
        last_error: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    keep(&state, &record).await?;
    Ok((StatusCode::CREATED, Json(TriggerView::new(record)?)))
}

/// Two that are made at the same moment meet in the count of their workflow's triggers: one of them tries again.
async fn keep(state: &AppState, record: &TriggerRecord) -> Result<()> {
    for _ in 0..MOST_TRIES {
        match state.store.create_trigger(record).await {
            Err(StoreError::Conflict) => {}
            kept => return Ok(kept?),
        }
        // A request that is carried out again under its idempotency key finds its own.
        if seed::request().is_some() && state.store.trigger(&record.key()).await?.is_some() {
            return Ok(());
        }
        if state.store.count_triggers(&record.place, record.workflow_id).await? >= MOST_TRIGGERS {
            return Err(Error::invalid(format!(
                "A workflow has at most {MOST_TRIGGERS} triggers, and this one has them; delete one first."
            )));
        }
    }
    Err(StoreError::Conflict.into())
}
