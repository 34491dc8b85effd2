//! `POST /v1/workflows`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use shared::http::{Body, CanWrite, CommonErrors};
use shared::ids::{WorkflowId, seed};
use shared::store::{StoreError, WorkflowRecord};
use shared::text;
use shared::workflow::Graph;
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use crate::view::WorkflowView;

/// A workflow to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkflow {
    /// Its name, 1–200 characters.
    #[schema(min_length = 1, max_length = 200, example = "order-triage")]
    name: String,
    /// What it is for, up to 2,000 characters.
    #[serde(default)]
    #[schema(max_length = 2000, example = "Sorts new orders")]
    description: String,
    /// The draft graph; its schema is at `/v1/workflows/schema`.
    #[schema(value_type = Object)]
    graph: Value,
}

/// Create a workflow.
#[utoipa::path(post, path = "/v1/workflows", tag = "workflows", request_body = NewWorkflow,
               responses((status = 201, body = WorkflowView), CommonErrors))]
pub async fn create_workflow(
    State(state): State<AppState>,
    CanWrite(caller): CanWrite,
    Body(new): Body<NewWorkflow>,
) -> Result<Response> {
    let name = text::name("name", &new.name)?;
    let description = text::text("description", &new.description)?;
    read_draft(&new.graph)?;
    let now = state.clock.now();
    let record = WorkflowRecord {
        id: WorkflowId::new(now),
        place: caller.place,
        name,
        description,
        archived: false,
        latest_version: 0,
        latest_hash: None,
        revision: 1,
        draft: 1,
        run_setup: None,
        created_at: now,
        updated_at: now,
    };
    match state.store.create_workflow(&record, &new.graph).await {
        // A request that is carried out again under its idempotency key finds its own.
        Err(StoreError::Conflict) if seed::request().is_some() => {}
        kept => kept?,
    }
    Ok(WorkflowView::new(record, Some(new.graph)).answer(StatusCode::CREATED))
}

/// A draft must be readable as a graph; it need not be valid yet.
pub fn read_draft(graph: &Value) -> Result<Graph> {
    Graph::read(graph).map_err(|issues| {
        Error::new(
            shared::error::Kind::Invalid,
            "GRAPH_UNREADABLE",
            "graph: cannot be read as a graph; see issues.",
        )
        .with_issues(issues)
    })
}
