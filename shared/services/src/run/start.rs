//! Starting a run: from a caller's parameters to a row that no crash can lose, and a message to a worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::recover::{Resume, recover};
use crate::billing::no_credits;
use crate::mcp::bind::{bind, calls};
use crate::state::AppState;
use billing::{Action, Metering};
use engine::Machine;
use engine::Page;
use engine::binding::Bindings;
use engine::{NewRun, Parent, RunInput, RunStatus, TriggerType};
use platform::metrics::Metric;
use platform::queue::Wake;
use store::AuditRecord;
use store::{FirstRun, Receipt, Spread, StoreError, WorkflowRecord};
use types::clock::Timestamp;
use types::error::Kind;
use types::ids::{Place, RunId, RunRef, WorkflowId};
use types::issue::{Check, Issue};
use types::strict::Strict;
use types::suggest::quote;
use types::text::{in_json_words, shown_path};
use types::{Error, Result};
use workflow::Plan;
use workflow::input::fill_defaults_and_check;

/// The most characters of an `external_user_id`.
const EXTERNAL_USER_ID_MAX_CHARS: usize = 256;

/// Keys of `params` that are no input and mean nothing yet, and what to do instead. Inside `trigger_payload` and in
/// the body of a webhook they are keys like any other.
const RESERVED: [(&str, &str); 6] = [
    (
        "segment_id",
        "starts a run for each member of a segment, which the command execute does; this deployment has none",
    ),
    (
        "team_id",
        "is not a parameter of a start: a run belongs to the project of the token; name the end user with external_user_id",
    ),
    ("user_id", "is not a parameter of a start; name the end user with external_user_id"),
    (
        "principal_id",
        "names an end user who has connections of their own, which this deployment does not have yet; name the end user with external_user_id",
    ),
    (
        "budget_microcredits",
        "bounds what a run may spend, which this deployment cannot hold a run to yet; leave it out",
    ),
    (
        "on_budget",
        "says what happens when a budget is spent, which this deployment does not know yet; leave it out",
    ),
];

/// How often a start tries again when it meets another.
const MOST_BUSY: u32 = 8;

/// What a caller asks for.
#[derive(Debug, Clone, Default)]
pub struct StartRequest {
    /// `{{input.*}}`.
    pub input: Map<String, Value>,
    /// Laid over the input for one step; a key lets a `no_auto_start` step begin.
    pub trigger_steps: Map<String, Value>,
    /// Roots to leave out.
    pub excluded_step_ids: Vec<String>,
    /// What started it.
    pub trigger_type: TriggerType,
    /// Merge the version's saved defaults below this request.
    pub use_run_setup_defaults: bool,
    /// A published version; the latest when absent.
    pub version: Option<u32>,
    /// The client's own id.
    pub run_id: Option<RunId>,
    /// The caller's own name for whoever it is for.
    pub external_user_id: Option<String>,
    /// The run whose settled steps are taken over.
    pub resume: Option<Resume>,
    /// The step that calls; never from outside.
    pub parent: Option<Parent>,
    /// Who asks, for the audit trail: kept with the run, or not at all.
    pub trace: Option<Box<AuditRecord>>,
    /// The delivery of a webhook that asks for it; never from outside.
    pub receipt: Option<Receipt>,
    /// What the calling run's servers were resolved to.
    pub inherited: Bindings,
    /// The caller's token lacks `mcp:execute`: a graph that calls tools is refused, and so are those of the run's
    /// children.
    pub without_mcp: bool,
}

/// The keys of `params` that a start takes for its own.
const OWN_KEYS: [&str; 11] = [
    "trigger_payload",
    "trigger_steps",
    "excluded_step_ids",
    "trigger_type",
    "use_run_setup_defaults",
    "version",
    "run_id",
    "external_user_id",
    "resume_from_run_id",
    "from_step_id",
    "reuse_completed_steps",
];

/// The keys of `params` that are not input.
#[derive(Debug, Default, Deserialize)]
struct Params {
    trigger_payload: Option<Map<String, Value>>,
    #[serde(default)]
    trigger_steps: Map<String, Value>,
    #[serde(default)]
    excluded_step_ids: Vec<String>,
    #[serde(default)]
    trigger_type: TriggerType,
    #[serde(default)]
    use_run_setup_defaults: bool,
    version: Option<u32>,
    run_id: Option<String>,
    external_user_id: Option<String>,
    resume_from_run_id: Option<String>,
    from_step_id: Option<String>,
    reuse_completed_steps: Option<bool>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Reads a command's `params`.
///
/// # Errors
/// Invalid, naming the key that is wrong.
pub(super) fn read_params<T: DeserializeOwned>(params: Map<String, Value>) -> Result<T> {
    serde_path_to_error::deserialize(Strict(Value::Object(params))).map_err(|error| {
        let field = match shown_path(error.path()) {
            Some(path) => format!("params.{path}"),
            None => "params".to_owned(),
        };
        Error::invalid(format!("{field}: {}.", in_json_words(&error.inner().to_string())))
    })
}

impl StartRequest {
    /// Reads the `params` of a start.
    ///
    /// # Errors
    /// Invalid, naming the key that is wrong, also one that is reserved.
    pub fn from_params(mut params: Map<String, Value>) -> Result<Self> {
        for (key, meaning) in RESERVED {
            // Clients write null for what they do not use.
            if params.remove(key).is_some_and(|value| !value.is_null()) {
                return Err(Error::invalid(format!(
                    "params.{key}: is reserved and never taken as input: it {meaning}. If it is a key of the \
                     workflow's input, put the input into trigger_payload."
                )));
            }
        }
        Self::from_saved_params(params)
    }

    /// Reads `params` that were saved before some of their keys were reserved: those are input, as they were then.
    ///
    /// # Errors
    /// Invalid, naming the key that is wrong.
    pub fn from_saved_params(params: Map<String, Value>) -> Result<Self> {
        let params: Params = read_params(params)?;
        if let Some((step, _)) = params.trigger_steps.iter().find(|(_, value)| !value.is_object()) {
            return Err(Error::invalid(format!("params.trigger_steps.{}: must be an object.", quote(step))));
        }
        let user = params.external_user_id.as_deref();
        if user.is_some_and(|id| id.chars().count() > EXTERNAL_USER_ID_MAX_CHARS) {
            return Err(Error::invalid(format!(
                "params.external_user_id: must have at most {EXTERNAL_USER_ID_MAX_CHARS} characters."
            )));
        }
        if params.from_step_id.is_some() && params.resume_from_run_id.is_none() {
            return Err(Error::invalid("params.from_step_id: needs params.resume_from_run_id beside it."));
        }
        // The hosted product's name for what going on from a run does in any case.
        if params.reuse_completed_steps.is_some_and(|reuse| !reuse || params.resume_from_run_id.is_none()) {
            return Err(Error::invalid(
                "params.reuse_completed_steps: stands beside params.resume_from_run_id and is true; to execute all \
                 steps anew start a run without either.",
            ));
        }
        let resume = params.resume_from_run_id.map(|id| {
            let run_id =
                id.parse().map_err(|why| Error::invalid(format!("params.resume_from_run_id: {why}.")));
            run_id.map(|run_id| Resume { run_id, from_step_id: params.from_step_id })
        });
        let run_id = params
            .run_id
            .map(|id| id.parse().map_err(|why| Error::invalid(format!("params.run_id: {why}."))));
        let input = match (params.trigger_payload, params.rest) {
            (Some(payload), rest) => match rest.keys().next() {
                None => payload,
                Some(key) => {
                    return Err(Error::invalid(format!(
                        "params.{}: unknown beside trigger_payload, which is the whole input; move it in there.",
                        quote(key)
                    )));
                }
            },
            (None, rest) => rest.into_iter().collect(),
        };
        Ok(Self {
            input,
            trigger_steps: params.trigger_steps,
            excluded_step_ids: params.excluded_step_ids,
            trigger_type: params.trigger_type,
            use_run_setup_defaults: params.use_run_setup_defaults,
            version: params.version,
            run_id: run_id.transpose()?,
            external_user_id: params.external_user_id,
            resume: resume.transpose()?,
            parent: None,
            trace: None,
            receipt: None,
            inherited: Bindings::new(),
            without_mcp: false,
        })
    }

    /// Whether a start's `params` never give this key to the workflow as input.
    pub fn is_own_key(key: &str) -> bool {
        OWN_KEYS.contains(&key) || RESERVED.iter().any(|(reserved, _)| *reserved == key)
    }

    /// Takes out a start's own keys that are null: clients write that for what they do not use, and kept it would be input.
    pub fn drop_unused(params: &mut Map<String, Value>) {
        params.retain(|key, value| !(value.is_null() && Self::is_own_key(key)));
    }

    /// Lays this request over the defaults that a workflow or version has saved, as JSON text.
    ///
    /// # Errors
    /// Internal, when they cannot be read.
    pub fn over_saved(self, setup: &str) -> Result<Self> {
        let setup = serde_json::from_str(setup).map_err(|error| Error::internal(error.to_string()))?;
        Ok(self.over_defaults(Self::from_saved_params(setup)?))
    }

    /// Lays this request over saved defaults: the request wins key by key.
    fn over_defaults(mut self, defaults: Self) -> Self {
        let beneath = |above: &mut Map<String, Value>, below: Map<String, Value>| {
            for (key, value) in below {
                above.entry(key).or_insert(value);
            }
        };
        beneath(&mut self.input, defaults.input);
        beneath(&mut self.trigger_steps, defaults.trigger_steps);
        if self.excluded_step_ids.is_empty() {
            self.excluded_step_ids = defaults.excluded_step_ids;
        }
        self.external_user_id = self.external_user_id.or(defaults.external_user_id);
        self
    }
}

/// A run that was started, now or by an earlier request with the same id.
#[derive(Debug, Clone)]
pub struct Started {
    /// The run.
    pub run_id: RunId,
    /// Where it stands.
    pub status: RunStatus,
    /// The version it executes.
    pub version: u32,
    /// When it was accepted.
    pub started_at: Timestamp,
}

/// Starts a run of a workflow. When this returns a run, the run will be carried out whatever crashes.
///
/// # Errors
/// Not found; conflict when nothing is published, the workflow is archived, or the id belongs to another
/// workflow's run; payment required when no credits are left; invalid when the input does not satisfy the graph's schema or a step id is unknown. Conflict
/// `CONFLICT` when the request's receipt is known already, or is just being kept.
pub async fn start(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    request: StartRequest,
) -> Result<Started> {
    let enforced = state.config.metering == Metering::Enforced;
    let (record, account, used) = state.store.workflow_and_account(place, id, enforced).await?;
    let record = record.ok_or_else(|| Error::not_found("workflow"))?;
    let version = match version_to_run(&record, request.version) {
        Ok(version) => version,
        Err(refusal) => return started_before(state, place, id, request.run_id, refusal).await,
    };
    let mut request = with_defaults(state, &record, version, request).await?;
    let plan = state.plans.get(&state.store, place, id, version).await?;
    check_steps(&plan, &request)?;
    check_tools(&plan, request.without_mcp)?;
    let recovery = match request.resume.take() {
        Some(resume) => Some(recover(state, place, id, &plan, resume, &mut request).await?),
        None => None,
    };
    let input = fill_defaults_and_check(plan.input_schema.as_ref(), Value::Object(request.input)).map_err(
        |issues| {
            let first = issues.first().map(|issue| issue.message.clone()).unwrap_or_default();
            Error::invalid(format!("The input does not satisfy the workflow's input_schema: {first}"))
                .with_issues(issues)
        },
    )?;
    let mcp = match Box::pin(bind(state, place, id, &plan, &request.inherited)).await {
        Ok(mcp) => mcp,
        Err(refusal) => return started_before(state, place, id, request.run_id, refusal).await,
    };
    let now = state.clock.now();
    if enforced && account.balance(used, now).total().is_zero() {
        return started_before(state, place, id, request.run_id, no_credits()).await;
    }
    let new = NewRun {
        key: RunRef { place: place.clone(), run_id: request.run_id.unwrap_or_else(|| RunId::new(now)) },
        workflow_id: id,
        version,
        trigger_type: request.trigger_type,
        external_user_id: request.external_user_id,
        granted: request.trigger_steps.keys().cloned().collect(),
        excluded: request.excluded_step_ids,
        parent: request.parent,
        without_mcp: request.without_mcp,
        price: account.price(Action::StepExecute),
        recovery,
    };
    let (machine, mut pages) = Machine::start(plan, new, now);
    pages.push(machine.page().clone());
    let input = RunInput { input, trigger_steps: request.trigger_steps, mcp };
    let beside = (request.receipt.as_ref(), request.trace.as_deref());
    keep(state, machine, &pages, &input, beside).await
}

/// Whether a graph may be executed for somebody who may not have tools called.
///
/// # Errors
/// Forbidden when it calls some.
pub(super) fn check_tools(plan: &Plan, without_mcp: bool) -> Result<()> {
    if without_mcp && calls(plan).next().is_some() {
        let message = "The graph has mcp_call steps; executing them needs the scope mcp:execute, which the token \
                       does not have.";
        return Err(Error::new(Kind::Forbidden, "SCOPE_MISSING", message));
    }
    Ok(())
}

async fn keep(
    state: &AppState,
    mut machine: Machine,
    pages: &[Page],
    input: &RunInput,
    (receipt, trace): (Option<&Receipt>, Option<&AuditRecord>),
) -> Result<Started> {
    let counts = machine.take_counts();
    let run = machine.run();
    let deadline = machine.deadline(run.started_at);
    let mut spread = Spread::default();
    for busy in 0_u32.. {
        let counts = counts.as_ref().map(|counts| (counts, spread));
        let first = FirstRun { run, pages, input, deadline, counts, receipt, trace };
        // In a box: a transaction's future is large, and whoever starts runs holds this one.
        match Box::pin(state.store.create_run(first)).await {
            Ok(()) => break,
            // Whoever gave the receipt finds the run of the delivery that was first.
            Err(StoreError::Conflict) if receipt.is_none() => {
                match existing(state, &run.key, run.workflow_id).await {
                    // Another start with this id is just about to be kept; or not, and then this one is.
                    Err(error)
                        if error.kind == Kind::Overtaken && run.parent.is_none() && busy < MOST_BUSY =>
                    {
                        tokio::time::sleep(pause(busy)).await;
                    }
                    existing => return existing,
                }
            }
            Err(StoreError::Busy) if busy < MOST_BUSY => {
                spread = spread.other();
                tokio::time::sleep(pause(busy)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    state.metrics.count(Metric::RunsStarted, &[("trigger", run.trigger_type.as_str())]);
    if run.status.is_terminal() {
        state.metrics.count(Metric::RunsEnded, &[("outcome", run.status.as_str())]);
    }
    // The row is there, so the run is accepted; without the message the sweep finds it by its deadline.
    if !run.status.is_terminal()
        && let Err(error) = state.queue.send(&Wake::ready(run.key.clone()), Duration::ZERO).await
    {
        tracing::warn!(%error, run_id = %run.key.run_id, "started without a message; the sweep will send one");
    }
    Ok(Started {
        run_id: run.key.run_id,
        status: run.status,
        version: run.version,
        started_at: run.started_at,
    })
}

fn pause(tried: u32) -> Duration {
    Duration::from_millis(rand::random_range(0..=5_u64 << tried.min(MOST_BUSY)))
}

/// A start that is refused today may have been accepted before, under the client's own id.
async fn started_before(
    state: &AppState,
    place: &Place,
    id: WorkflowId,
    run_id: Option<RunId>,
    refusal: Error,
) -> Result<Started> {
    let Some(run_id) = run_id else { return Err(refusal) };
    let key = RunRef { place: place.clone(), run_id };
    match state.store.run(&key).await? {
        Some(record) if record.run.workflow_id == id => existing(state, &key, id).await,
        _ => Err(refusal),
    }
}

async fn existing(state: &AppState, key: &RunRef, workflow_id: WorkflowId) -> Result<Started> {
    let run = state.store.run(key).await?.ok_or(StoreError::Conflict)?.run;
    if run.workflow_id != workflow_id {
        return Err(Error::conflict(
            "RUN_ID_IN_USE",
            "params.run_id: this id belongs to a run of another workflow.",
        ));
    }
    Ok(Started { run_id: key.run_id, status: run.status, version: run.version, started_at: run.started_at })
}

fn version_to_run(record: &WorkflowRecord, asked: Option<u32>) -> Result<u32> {
    if record.archived {
        return Err(Error::conflict(
            "WORKFLOW_ARCHIVED",
            "The workflow is archived; restore it to start runs.",
        ));
    }
    match (asked, record.latest_version) {
        (_, 0) => Err(Error::conflict(
            "NOT_PUBLISHED",
            "The workflow has no published version; publish one with POST /v1/workflows/{id}/versions.",
        )),
        (None, latest) => Ok(latest),
        (Some(version), latest) if (1..=latest).contains(&version) => Ok(version),
        (Some(version), latest) => Err(Error::invalid(format!(
            "params.version: there is no version {version}; the latest is {latest}."
        ))),
    }
}

async fn with_defaults(
    state: &AppState,
    record: &WorkflowRecord,
    version: u32,
    request: StartRequest,
) -> Result<StartRequest> {
    if !request.use_run_setup_defaults {
        return Ok(request);
    }
    let version = state.store.version(&record.place, record.id, version).await?;
    match version.and_then(|version| version.run_setup) {
        Some(setup) => request.over_saved(&setup),
        None => Ok(request),
    }
}

/// Whether a published version has the steps that a request names.
///
/// # Errors
/// Invalid, naming those that it has not, and those that cannot be left out.
pub fn check_steps(plan: &Arc<Plan>, request: &StartRequest) -> Result<()> {
    let mut issues = Vec::new();
    for id in request.trigger_steps.keys() {
        if plan.find(id).is_none() {
            issues.push(unknown_step("trigger_steps", id));
        }
    }
    for id in &request.excluded_step_ids {
        match plan.find(id) {
            None => issues.push(unknown_step("excluded_step_ids", id)),
            Some(step) if !plan.step(step).depends_on.is_empty() => issues.push(Issue::error(
                Check::InputSchema,
                "not_a_root",
                format!("$.excluded_step_ids.{id}"),
                format!("excluded_step_ids: step {id:?} depends on other steps; only roots can be left out."),
            )),
            Some(_) => {}
        }
    }
    match issues.first() {
        None => Ok(()),
        Some(first) => Err(Error::invalid(first.message.clone()).with_issues(issues)),
    }
}

fn unknown_step(field: &str, id: &str) -> Issue {
    let message = format!("{field}: the version has no step {id:?}.");
    Issue::error(Check::InputSchema, "unknown_step", format!("$.{field}.{id}"), message)
}
