//! Workflows: made, changed, archived, restored.

use serde_json::{Map, Value};

use super::find::{find, find_with_draft};
use super::tools::{ensure_free, exposed, row};
use super::view::{WorkflowView, etag};
use crate::quotas::{check, within};
use crate::run::StartParams;
use crate::state::AppState;
use platform::boxed;
use store::{Counted, Draft, QuotaGuard, StoreError, ToolChange, WorkflowRecord, WorkflowToolRecord};
use types::error::{ErrorCode, Kind};
use types::ids::{Place, WorkflowId, seed};
use types::text;
use types::{Error, Result};
use workflow::Graph;
use workflow::tool::{ExposedTool, input_schema_of};

/// The most bytes of saved start defaults: they stand in the row that every start reads.
const LARGEST_RUN_SETUP: usize = 64 * 1024;

/// The keys of a start's `params` that have no default.
const OF_ONE_START: [&str; 7] = [
    "run_id",
    "trigger_type",
    "use_run_setup_defaults",
    "version",
    "resume_from_run_id",
    "from_step_id",
    "reuse_completed_steps",
];

/// What a workflow is made from.
#[derive(Debug)]
pub struct NewWorkflow {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The draft graph.
    pub graph: Value,
    /// The tool that it is offered as once it is published.
    pub expose_as_tool: Option<ExposedTool>,
}

/// What to change of a workflow; what is absent stays.
#[derive(Debug)]
pub struct WorkflowChange {
    /// Tags of the states that may be changed, separated by commas; any state when absent.
    pub if_match: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The draft graph, whole.
    pub graph: Option<Value>,
    /// The defaults of a start; an empty object removes them.
    pub run_setup: Option<Map<String, Value>>,
    /// The tool that it is offered as; none within takes it back.
    pub expose_as_tool: Option<Option<ExposedTool>>,
}

/// A tool with its row.
type Exposure = (ExposedTool, WorkflowToolRecord);

/// Makes a workflow.
///
/// # Errors
/// Invalid, naming the field; conflict when another workflow is offered as a tool of this name, or the project has as many
/// workflows as it may.
#[boxed]
pub async fn create(state: &AppState, place: &Place, new: NewWorkflow) -> Result<WorkflowView> {
    let name = text::name("name", &new.name)?;
    let description = text::text("description", &new.description)?;
    read_draft(&new.graph)?;
    let now = state.clock.now();
    let id = WorkflowId::new(now);
    let tool = new.expose_as_tool.map(ExposedTool::checked).transpose()?;
    let row = match &tool {
        Some(tool) => Some(row(state, place, id, tool, None).await?),
        None => None,
    };
    let record = WorkflowRecord {
        id,
        place: place.clone(),
        name,
        description,
        archived: false,
        latest_version: 0,
        latest_hash: None,
        revision: 1,
        draft: 1,
        run_setup: None,
        tool: row.as_ref().map(|row| row.name.clone()),
        created_at: now,
        updated_at: now,
    };
    let change = row.as_ref().map_or(ToolChange::Kept, |row| ToolChange::Put(row, None));
    let (kept, graph) = (&record, &new.graph);
    let make = |guard| keep(state, kept, graph, change, guard);
    within(state, Counted::Workflows(place.clone()), make).await?;
    Ok(WorkflowView::new(record, Some(new.graph), tool))
}

async fn keep(
    state: &AppState,
    record: &WorkflowRecord,
    graph: &Value,
    tool: ToolChange<'_>,
    guard: QuotaGuard,
) -> Result<()> {
    match state.store.create_workflow(record, graph, tool, guard).await {
        Err(StoreError::Conflict) => {
            if let Some(name) = &record.tool {
                ensure_free(state, &record.place, record.id, name).await?;
            }
            // A request that is carried out again under its idempotency key finds its own.
            let is_own =
                seed::request().is_some() && state.store.workflow(&record.place, record.id).await?.is_some();
            if is_own { Ok(()) } else { Err(StoreError::Conflict.into()) }
        }
        kept => Ok(kept?),
    }
}

/// Changes a workflow's name, description, draft, start defaults or tool.
///
/// # Errors
/// Not found when there is none; a failed precondition when none of the tags is its state's; invalid, naming the field;
/// conflict when another workflow is offered as a tool of this name; overtaken when somebody else changes it at the same
/// moment.
#[boxed]
pub async fn change(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    change: WorkflowChange,
) -> Result<WorkflowView> {
    // What is answered is read before it is written: the write holds only if nothing has changed since.
    let (mut record, kept) = match &change.graph {
        Some(_) => (find(state, place, id).await?, None),
        None => {
            let (record, graph) = find_with_draft(state, place, id).await?;
            (record, Some(graph))
        }
    };
    if let Some(tags) = &change.if_match {
        check_if_match(tags, &record)?;
    }
    if let Some(name) = &change.name {
        record.name = text::name("name", name)?;
    }
    if let Some(description) = &change.description {
        record.description = text::text("description", description)?;
    }
    if let Some(setup) = change.run_setup {
        record.run_setup = if setup.is_empty() { None } else { Some(check_run_setup(setup)?) };
    }
    record.updated_at = state.clock.now();
    if let Some(graph) = &change.graph {
        read_draft(graph)?;
    }
    let tool = match change.expose_as_tool {
        None => None,
        Some(wanted) => Some(exposure(state, &record, wanted).await?),
    };
    let is_conditional = change.if_match.is_some();
    save(state, &mut record, change.graph.as_ref(), tool.as_ref(), is_conditional).await?;
    let tool = match tool {
        None => exposed(state, &record).await?,
        Some(tool) => tool.map(|(tool, _)| tool),
    };
    Ok(WorkflowView::new(record, change.graph.or(kept), tool))
}

/// Archives a workflow. Runs under way go on; new ones are refused until it is restored.
///
/// # Errors
/// Not found when there is none; overtaken when somebody else changes it at the same moment.
#[boxed]
pub async fn archive(state: &AppState, place: &Place, id: WorkflowId) -> Result<()> {
    let mut record = find(state, place, id).await?;
    if !record.archived {
        record.archived = true;
        record.updated_at = state.clock.now();
        state.store.save_workflow(&mut record, Draft::Kept, ToolChange::Kept).await?;
    }
    Ok(())
}

/// Undoes the archiving of a workflow. One that is not archived stays as it is.
///
/// # Errors
/// Not found when there is none; conflict when the project has as many workflows as it may; overtaken when somebody else
/// changes it at the same moment.
#[boxed]
pub async fn restore(state: &AppState, place: &Place, id: WorkflowId) -> Result<WorkflowView> {
    let (mut record, graph) = find_with_draft(state, place, id).await?;
    if record.archived {
        check(state, &Counted::Workflows(place.clone())).await?;
        record.archived = false;
        record.updated_at = state.clock.now();
        state.store.save_workflow(&mut record, Draft::Kept, ToolChange::Kept).await?;
    }
    let tool = exposed(state, &record).await?;
    Ok(WorkflowView::new(record, Some(graph), tool))
}

/// Writes a changed record with its draft and its tool. Who names a state to change is told when it has passed.
async fn save(
    state: &AppState,
    record: &mut WorkflowRecord,
    graph: Option<&Value>,
    tool: Option<&Option<Exposure>>,
    is_conditional: bool,
) -> Result<()> {
    let draft = graph.map_or(Draft::Kept, Draft::Replaced);
    let before = record.tool.clone();
    let change = match tool {
        None => ToolChange::Kept,
        Some(Some((_, row))) => ToolChange::Put(row, before.as_deref()),
        Some(None) => before.as_deref().map_or(ToolChange::Kept, ToolChange::Removed),
    };
    if let Some(tool) = tool {
        record.tool = tool.as_ref().map(|(tool, _)| tool.name.clone());
    }
    let Err(error) = state.store.save_workflow(record, draft, change).await else { return Ok(()) };
    if let ToolChange::Put(row, _) = change {
        ensure_free(state, &record.place, record.id, &row.name).await?;
    }
    Err(match error {
        StoreError::Conflict if is_conditional => stale(),
        other => other.into(),
    })
}

/// The tool that a workflow is to be offered as, with its row; none to take it back.
async fn exposure(
    state: &AppState,
    record: &WorkflowRecord,
    wanted: Option<ExposedTool>,
) -> Result<Option<Exposure>> {
    let Some(tool) = wanted.map(ExposedTool::checked).transpose()? else { return Ok(None) };
    let published = match record.latest_version {
        0 => None,
        number => state.store.version_graph(&record.place, record.id, number).await?,
    };
    let schema = published.as_ref().and_then(input_schema_of);
    let row = row(state, &record.place, record.id, &tool, schema).await?;
    Ok(Some((tool, row)))
}

/// A draft must be readable as a graph; it need not be valid yet.
fn read_draft(graph: &Value) -> Result<Graph> {
    Graph::read(graph).map_err(|issues| {
        Error::new(Kind::Invalid, ErrorCode::GraphUnreadable, "graph: cannot be read as a graph; see issues.")
            .with_issues(issues)
    })
}

/// The saved defaults are read as a start reads its `params`, so that a start cannot trip over them.
fn check_run_setup(mut setup: Map<String, Value>) -> Result<String> {
    StartParams::drop_unused(&mut setup);
    if let Some(key) = OF_ONE_START.iter().find(|key| setup.contains_key(**key)) {
        return Err(Error::invalid(format!("run_setup.{key}: belongs to one start and has no default.")));
    }
    StartParams::from_params(setup.clone())
        .map_err(|error| Error::invalid(error.message.replacen("params.", "run_setup.", 1)))?;
    let text = Value::Object(setup).to_string();
    if text.len() > LARGEST_RUN_SETUP {
        return Err(Error::invalid("run_setup: must be at most 64 KiB of JSON."));
    }
    Ok(text)
}

fn check_if_match(tags: &str, record: &WorkflowRecord) -> Result<()> {
    let own = etag(record);
    let is_own = |tag: &str| tag == "*" || tag == own || tag == own.trim_matches('"');
    if tags.split(',').map(str::trim).any(is_own) { Ok(()) } else { Err(stale()) }
}

fn stale() -> Error {
    let message = "The workflow has changed since the state that If-Match names; read it again.";
    Error::new(Kind::PreconditionFailed, ErrorCode::Stale, message)
}
