//! `PATCH /v1/workflows/{id}`.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::api::{Body, CanWrite, CommonErrors, ErrorBody, Path, given};
use shared::services::run::StartRequest;
use shared::store::{Draft, StoreError, ToolChange, WorkflowRecord, WorkflowToolRecord};
use shared::types::error::Kind;
use shared::types::ids::WorkflowId;
use shared::types::text;
use shared::workflow::tool::{ExposedTool, input_schema_of};
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use crate::create::read_draft;
use crate::tools::{ensure_free, exposed, row};
use crate::view::{WorkflowView, etag, find, find_with_draft};

/// The most bytes of saved start defaults: they stand in the row that every start reads.
const LARGEST_RUN_SETUP: usize = 64 * 1024;

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowPatch {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it is for, up to 2,000 characters.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// The draft graph, whole.
    #[schema(value_type = Option<Object>)]
    graph: Option<Value>,
    /// The defaults of a start: the keys of `params`; an empty object removes them.
    #[schema(value_type = Option<Object>)]
    run_setup: Option<Map<String, Value>>,
    /// The tool of the MCP server (`POST /mcp`) that it is offered as once it is published; null takes it back.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<ExposedTool>)]
    expose_as_tool: Option<Option<ExposedTool>>,
}

/// Change a workflow's name, description, draft or start defaults.
#[utoipa::path(patch, path = "/v1/workflows/{id}", tag = "workflows", request_body = WorkflowPatch,
               params(("id" = uuid::Uuid, Path), ("If-Match" = Option<String>, Header, description = "an etag")),
               responses((status = 200, body = WorkflowView),
                         (status = 412, body = ErrorBody, description = "If-Match names an older state"),
                         CommonErrors))]
pub async fn patch_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Path(id): Path<WorkflowId>,
    headers: HeaderMap,
    Body(patch): Body<WorkflowPatch>,
) -> Result<Response> {
    // What is answered is read before it is written: the write holds only if nothing has changed since.
    let (mut record, kept) = match &patch.graph {
        Some(_) => (find(&state, &caller.place, id).await?, None),
        None => {
            let (record, graph) = find_with_draft(&state, &caller.place, id).await?;
            (record, Some(graph))
        }
    };
    check_if_match(&headers, &record)?;
    if let Some(name) = &patch.name {
        record.name = text::name("name", name)?;
    }
    if let Some(description) = &patch.description {
        record.description = text::text("description", description)?;
    }
    if let Some(setup) = patch.run_setup {
        record.run_setup = if setup.is_empty() { None } else { Some(check_run_setup(setup)?) };
    }
    record.updated_at = state.clock.now();
    let draft = match &patch.graph {
        None => Draft::Kept,
        Some(graph) => {
            read_draft(graph)?;
            Draft::Replaced(graph)
        }
    };
    let tool = match patch.expose_as_tool {
        None => None,
        Some(wanted) => Some(exposure(&state, &record, wanted).await?),
    };
    let before = record.tool.clone();
    let change = match &tool {
        None => ToolChange::Kept,
        Some(Some((_, row))) => ToolChange::Put(row, before.as_deref()),
        Some(None) => before.as_deref().map_or(ToolChange::Kept, ToolChange::Removed),
    };
    if let Some(tool) = &tool {
        record.tool = tool.as_ref().map(|(tool, _)| tool.name.clone());
    }
    if let Err(error) = state.store.save_workflow(&mut record, draft, change).await {
        if let ToolChange::Put(row, _) = change {
            ensure_free(&state, &record.place, id, &row.name).await?;
        }
        return Err(match error {
            StoreError::Conflict if headers.contains_key(header::IF_MATCH) => stale(),
            other => other.into(),
        });
    }
    let tool = match tool {
        None => exposed(&state, &record).await?,
        Some(tool) => tool.map(|(tool, _)| tool),
    };
    Ok(WorkflowView::new(record, patch.graph.or(kept), tool).answer(StatusCode::OK))
}

/// The tool that a workflow is to be offered as, with its row; none to take it back.
async fn exposure(
    state: &AppState,
    record: &WorkflowRecord,
    wanted: Option<ExposedTool>,
) -> Result<Option<(ExposedTool, WorkflowToolRecord)>> {
    let Some(tool) = wanted.map(ExposedTool::checked).transpose()? else { return Ok(None) };
    let published = match record.latest_version {
        0 => None,
        number => state.store.version_graph(&record.place, record.id, number).await?,
    };
    let schema = published.as_ref().and_then(input_schema_of);
    let row = row(state, &record.place, record.id, &tool, schema).await?;
    Ok(Some((tool, row)))
}

/// The saved defaults are read as a start reads its `params`, so that a start cannot trip over them.
fn check_run_setup(mut setup: Map<String, Value>) -> Result<String> {
    StartRequest::drop_unused(&mut setup);
    let of_one_start = [
        "run_id",
        "trigger_type",
        "use_run_setup_defaults",
        "version",
        "resume_from_run_id",
        "from_step_id",
        "reuse_completed_steps",
    ];
    if let Some(key) = of_one_start.iter().find(|key| setup.contains_key(**key)) {
        return Err(Error::invalid(format!("run_setup.{key}: belongs to one start and has no default.")));
    }
    StartRequest::from_params(setup.clone())
        .map_err(|error| Error::invalid(error.message.replacen("params.", "run_setup.", 1)))?;
    let text = Value::Object(setup).to_string();
    if text.len() > LARGEST_RUN_SETUP {
        return Err(Error::invalid("run_setup: must be at most 64 KiB of JSON."));
    }
    Ok(text)
}

fn check_if_match(headers: &HeaderMap, record: &WorkflowRecord) -> Result<()> {
    let Some(asked) = headers.get(header::IF_MATCH) else { return Ok(()) };
    let own = etag(record);
    let matches = asked.to_str().is_ok_and(|tags| {
        tags.split(',').map(str::trim).any(|tag| tag == "*" || tag == own || tag == own.trim_matches('"'))
    });
    if matches { Ok(()) } else { Err(stale()) }
}

fn stale() -> Error {
    let message = "The workflow has changed since the state that If-Match names; read it again.";
    Error::new(Kind::PreconditionFailed, "STALE", message)
}
