//! `POST /v1/workflows/{id}/triggers`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::api::{Body, CanWrite, CommonErrors, Path};
use shared::services::triggers::{self, CatchUp, TriggerKind, TriggerView};
use shared::types::ids::WorkflowId;
use shared::{AppState, Result};
use utoipa::ToSchema;

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
    let new = triggers::NewTrigger {
        name: new.name,
        cron: new.cron,
        timezone: new.timezone,
        enabled: new.enabled,
        catch_up: new.catch_up,
        params: new.params,
    };
    let created = triggers::create(&state, &caller, workflow_id, new).await?;
    Ok((StatusCode::CREATED, Json(created)))
}
