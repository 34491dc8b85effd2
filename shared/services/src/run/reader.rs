//! Reading a run: its outputs, its events from any point on, its context, and waiting for it to move.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::view::{ContextView, EventView, RunSummary, RunView, StepContext};
use super::watch::{Waiter, Watched};
use crate::state::AppState;
use engine::Page;
use engine::{Run, RunInput, StepState};
use platform::boxed;
use store::RunRecord;
use types::error::{ErrorCode, Kind};
use types::ids::{RunRef, WorkflowId};
use types::json_text::JsonText;
use types::suggest::quote;
use types::{Error, Result};
use workflow::{Plan, StepIx};

/// The results that one context carries at most, but for the last of them: Lambda answers with 6 MB or not at
/// all, and quotes inside count twice.
const LARGEST_CONTEXT: usize = 2 * 1024 * 1024;

/// A run as it was when it was read, with access to its older pages.
#[derive(Debug)]
pub struct Reader {
    state: AppState,
    record: Arc<RunRecord>,
    plan: Arc<Plan>,
}

impl Reader {
    /// Reads a run of this workflow.
    ///
    /// # Errors
    /// Not found when there is none here, or it is another workflow's.
    #[boxed]
    pub async fn load(state: &AppState, key: &RunRef, workflow_id: WorkflowId) -> Result<Self> {
        let record = state.store.run(key).await?.filter(|record| record.run.workflow_id == workflow_id);
        Self::of(state, Arc::new(record.ok_or_else(|| Error::not_found("run"))?)).await
    }

    /// Waits until a run that was just started is over, at most so long. `waiter` must have begun before the
    /// start: then a commit in this process brings the run with it, and nothing is read again.
    ///
    /// # Errors
    /// When the database does not answer.
    #[boxed]
    pub async fn when_started(
        state: &AppState,
        key: &RunRef,
        waiter: &mut Waiter,
        wait: Duration,
    ) -> Result<Self> {
        let first = wait.min(state.config.watch_interval);
        if let Ok(Some(Watched { ended: Some(record), .. })) =
            tokio::time::timeout(first, waiter.changed()).await
        {
            return Self::of(state, record).await;
        }
        let record = state.store.run(key).await?.ok_or_else(|| Error::not_found("run"))?;
        let reader = Self::of(state, Arc::new(record)).await?;
        reader.when_over(waiter, wait.saturating_sub(first)).await
    }

    async fn of(state: &AppState, record: Arc<RunRecord>) -> Result<Self> {
        let run = &record.run;
        let plan = state.plans.get(&state.store, &run.key.place, run.workflow_id, run.version).await?;
        Ok(Self { state: state.clone(), record, plan })
    }

    /// The run's state.
    pub fn run(&self) -> &Run {
        &self.record.run
    }

    /// The newest event's `seq`.
    pub fn newest_seq(&self) -> u64 {
        self.record.page.next_seq() - 1
    }

    /// The graph it executes.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The run in short.
    pub fn summary(&self) -> RunSummary {
        RunSummary::new(self.run())
    }

    /// What the run was started with.
    ///
    /// # Errors
    /// When the database does not answer.
    #[boxed]
    pub async fn input(&self) -> Result<RunInput> {
        Ok(self.state.store.run_input(&self.run().key, &self.record.beside.input).await?)
    }

    /// A step's result, if it has one; and the fields it was called with.
    ///
    /// # Errors
    /// When the database does not answer.
    #[boxed]
    pub async fn values(&self, step: StepIx) -> Result<(Option<JsonText>, Option<JsonText>)> {
        let mut pages = Pages::new(self);
        Ok((pages.result(step).await?, pages.input(step).await?))
    }

    /// The run with its steps and outputs.
    ///
    /// # Errors
    /// When the database does not answer.
    #[boxed]
    pub async fn view(&self) -> Result<RunView> {
        Ok(RunView::whole(self.run(), &self.plan, self.outputs().await?))
    }

    /// The results of the steps that nothing depends on, by id.
    ///
    /// # Errors
    /// When the database does not answer.
    #[boxed]
    pub async fn outputs(&self) -> Result<BTreeMap<String, JsonText>> {
        let mut pages = Pages::new(self);
        let mut outputs = BTreeMap::new();
        let mut weight = 0;
        for &sink in &self.plan.sinks {
            if weight > LARGEST_CONTEXT {
                break;
            }
            // A step that is to be executed again may have had a result before.
            let is_completed = matches!(self.run().steps[sink.index()], StepState::Completed { .. });
            if is_completed && let Some(result) = pages.result(sink).await? {
                weight += result.bytes();
                outputs.insert(self.plan.step(sink).step.id.clone(), result);
            }
        }
        Ok(outputs)
    }

    /// Up to `limit` events after `after`, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    #[boxed]
    pub async fn events(&self, after: u64, limit: usize) -> Result<Vec<EventView>> {
        let mut events = Vec::new();
        let mut next = after.saturating_add(1);
        let newest = &self.record.page;
        while events.len() < limit && next < newest.first_seq {
            let first = self.state.store.page_holding(&self.run().key, next).await?;
            let first = first.ok_or_else(|| Error::internal(format!("no page holds event {next}")))?;
            let page = self.state.store.page(&self.run().key, first).await?;
            self.take_events(&page, next, limit, &mut events);
            next = page.next_seq().max(next + 1);
        }
        self.take_events(newest, next, limit, &mut events);
        Ok(events)
    }

    fn take_events(&self, page: &Page, from: u64, limit: usize, events: &mut Vec<EventView>) {
        let room = limit.saturating_sub(events.len());
        let wanted = page.events.iter().filter(|event| event.seq >= from).take(room);
        events.extend(wanted.map(|event| EventView::new(event, page, self.run(), &self.plan)));
    }

    /// The input and what the steps made of it; of one step only when `only` names it.
    ///
    /// # Errors
    /// Not found when the version has no such step.
    #[boxed]
    pub async fn context(&self, only: Option<&str>) -> Result<ContextView> {
        let only = only.map(|id| self.plan.find_shown(id).ok_or_else(|| no_such_step(id))).transpose()?;
        let input = self.state.store.run_input(&self.run().key, &self.record.beside.input).await?.input;
        let mut pages = Pages::new(self);
        let mut steps = BTreeMap::new();
        let mut weight = 0;
        for (index, state) in self.run().steps.iter().enumerate() {
            let step = StepIx(u16::try_from(index).unwrap_or(u16::MAX));
            if only.is_some_and(|only| only != step) {
                continue;
            }
            let mut view = StepContext {
                status: state.as_str().to_owned(),
                input: pages.input(step).await?.unwrap_or_else(|| json!({}).into()),
                reason: None,
                result: None,
                result_omitted: None,
                error: None,
            };
            match state {
                StepState::Completed { .. } if weight > LARGEST_CONTEXT => view.result_omitted = Some(true),
                StepState::Completed { .. } => {
                    let result = pages.result(step).await?;
                    weight += result.as_ref().map_or(0, JsonText::bytes);
                    view.result = result;
                }
                StepState::Failed { code, error, .. } => {
                    view.error = Some(json!({ "code": code, "message": error }));
                }
                StepState::Skipped { reason, .. } => view.reason = Some(*reason),
                StepState::Pending
                | StepState::Queued { .. }
                | StepState::Running { .. }
                | StepState::Waiting { .. }
                | StepState::Looping { .. }
                | StepState::Cancelled { .. } => {}
            }
            steps.insert(self.plan.step(step).step.id.clone(), view);
        }
        Ok(ContextView { input, steps })
    }

    /// Waits until the run is over, at most so long, and returns it as it is then. `waiter` must have begun
    /// before this reader was loaded, so that no change falls between.
    ///
    /// # Errors
    /// When the database does not answer.
    #[boxed]
    pub async fn when_over(self, waiter: &mut Waiter, wait: Duration) -> Result<Self> {
        self.when(waiter, wait, |_, over| over).await
    }

    /// Waits until there is an event after `after` or the run is over, at most so long.
    ///
    /// # Errors
    /// When the database does not answer.
    #[boxed]
    pub async fn when_beyond(self, after: u64, waiter: &mut Waiter, wait: Duration) -> Result<Self> {
        self.when(waiter, wait, |seq, over| over || seq > after).await
    }

    async fn when(
        mut self,
        waiter: &mut Waiter,
        wait: Duration,
        enough: impl Fn(u64, bool) -> bool,
    ) -> Result<Self> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if enough(self.newest_seq(), self.run().status.is_terminal()) || left.is_zero() {
                return Ok(self);
            }
            let pause = self.state.config.watch_interval.min(left);
            let record = match tokio::time::timeout(pause, waiter.changed()).await {
                Ok(Some(change)) if !enough(change.seq, change.status.is_terminal()) => continue,
                Ok(Some(change)) => change.ended,
                Ok(None) | Err(_) => None,
            };
            let record = match record {
                Some(record) => Some(record),
                None => self.state.store.run(&self.run().key).await?.map(Arc::new),
            };
            self.record = record.ok_or_else(|| Error::not_found("run"))?;
        }
    }
}

fn no_such_step(id: &str) -> Error {
    let message = format!("step_id: the run's version has no step {:?}.", quote(id));
    Error::new(Kind::NotFound, ErrorCode::NotFound, message)
}

/// Access to results and inputs wherever they stand, reading each closed page once.
struct Pages<'a> {
    reader: &'a Reader,
    last: Option<Page>,
}

impl<'a> Pages<'a> {
    fn new(reader: &'a Reader) -> Self {
        Self { reader, last: None }
    }

    async fn result(&mut self, step: StepIx) -> Result<Option<JsonText>> {
        if let Some(result) = self.reader.record.page.results.get(&step.into()) {
            return Ok(Some(result.clone()));
        }
        let Some(&first_seq) = self.reader.record.beside.at.results.get(&step) else { return Ok(None) };
        Ok(self.page(first_seq).await?.results.get(&step.into()).cloned())
    }

    async fn input(&mut self, step: StepIx) -> Result<Option<JsonText>> {
        if let Some(input) = self.reader.record.page.inputs.get(&step.into()) {
            return Ok(Some(input.clone()));
        }
        let Some(&first_seq) = self.reader.record.beside.at.inputs.get(&step) else { return Ok(None) };
        Ok(self.page(first_seq).await?.inputs.get(&step.into()).cloned())
    }

    async fn page(&mut self, first_seq: u64) -> Result<&Page> {
        let page = match self.last.take() {
            Some(page) if page.first_seq == first_seq => page,
            _ => self.reader.state.store.page(&self.reader.run().key, first_seq).await?,
        };
        Ok(self.last.insert(page))
    }
}
