//! One worker's (or one request's) work on one run: load it, apply commands in memory, commit them with one
//! conditional write. When the write finds that somebody else was faster, the run is loaded again and the
//! journal of commands since the last commit is applied to what is there now; commands that no longer fit
//! fall away. So the transition function is the only place that decides what is allowed.

mod values;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::watch::Watched;
use crate::billing::{balance, enter_expiry};
use crate::state::AppState;
use billing::{Balance, LedgerEntry, Metering, Microcredits};
use engine::Machine;
use engine::Page;
use engine::RunInput;
use engine::Slot;
use engine::analytics::Counts;
use engine::{Command, Refusal};
use platform::boxed;
use platform::memory::{Kept, Memory};
use platform::metrics::Metric;
use platform::patience::Trouble;
use store::{Beside, RunChange, RunRecord, Spread, StoreError, StoredInput};
use types::clock::Timestamp;
use types::ids::{RunId, RunRef};
use types::json_text::JsonText;
use types::retry::Backoff;
use types::{Error, Result};

/// A page that has grown beyond this is closed with the next commit: the run's row is written with every
/// commit, so it is kept to a few kilobytes once compressed.
const FULL_PAGE: usize = 16 * 1024;
/// A deadline that is still this far away stays where it is in the index, though one up to this much later would do:
/// moving it costs two writes of the index with each commit, and the sweep that comes too early a message, a look and
/// these two writes. So a run that waits for long has its own.
const FAR: Duration = Duration::from_secs(60);
/// How often a commit tries again at once after a conflict; then it is patient.
const MAX_QUICK_CONFLICTS: u32 = 12;
const PAUSES: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(320));

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// There was nothing to write.
    Unchanged,
    /// The state in memory is what the store holds.
    Written,
    /// Somebody else was faster: the state in memory is theirs with what still fitted of ours, all of it
    /// written. With the first command that did not fit any more.
    Rebased(Option<Refusal>),
}

/// What a tenant had left when it was looked at.
#[derive(Debug)]
struct Purse {
    left: Microcredits,
    /// What of this run that knew.
    debited: Microcredits,
    /// The run was debited since then.
    is_old: bool,
}

/// Work on one run.
#[derive(Debug)]
pub struct Session {
    state: AppState,
    rev: u64,
    machine: Machine,
    beside: Beside,
    /// Closed in memory, not yet written.
    closed: Option<Page>,
    /// Takes the place of the run's input, not yet written.
    new_input: Option<RunInput>,
    /// Taken from the run in memory, not yet added to the counters.
    counts: Option<Counts>,
    /// Taken from the run in memory, not yet in the ledger.
    debit: Option<LedgerEntry>,
    /// What the tenant has left, when that matters.
    purse: Option<Purse>,
    /// Which rows of the counters this session adds to.
    spread: Spread,
    /// Commands applied since the last commit.
    journal: Vec<(Command, Timestamp)>,
    /// The next `seq` as of the last commit: events since then are not written.
    committed_seq: u64,
    /// The deadline in the store.
    deadline: Option<Timestamp>,
    /// It is the sweep's, and not the run's own.
    is_postponed: bool,
    /// Results of closed pages.
    kept: HashMap<Slot, JsonText>,
    room: Kept,
}

impl Session {
    /// Loads a run; none when there is none.
    ///
    /// # Errors
    /// When a store does not answer.
    #[boxed]
    pub async fn load(state: &AppState, key: &RunRef) -> Result<Option<Self>> {
        let Some(record) = state.store.run(key).await? else { return Ok(None) };
        Self::of(state, record).await.map(Some)
    }

    /// Work on a run that was just read.
    ///
    /// # Errors
    /// When a store does not answer.
    #[boxed]
    pub async fn of(state: &AppState, record: RunRecord) -> Result<Self> {
        let place = &record.run.key.place;
        let plan = state.plans.get(&state.store, place, record.run.workflow_id, record.run.version).await?;
        let machine = Machine::resume(plan, record.run, record.page);
        Ok(Self {
            state: state.clone(),
            rev: record.rev,
            committed_seq: machine.page().next_seq(),
            machine,
            beside: record.beside,
            deadline: record.deadline,
            closed: None,
            new_input: None,
            counts: None,
            debit: None,
            purse: None,
            spread: Spread::default(),
            journal: Vec::new(),
            is_postponed: false,
            kept: HashMap::new(),
            room: state.memory.keeper(),
        })
    }

    /// Loads a run to begin steps of it; none when there is none. When metering is enforced the same read tells what
    /// the tenant has left.
    ///
    /// # Errors
    /// When a store does not answer.
    #[boxed]
    pub async fn load_to_work(state: &AppState, key: &RunRef) -> Result<Option<Self>> {
        if state.config.metering == Metering::Unlimited {
            return Self::load(state, key).await;
        }
        let (record, account, used) = state.store.run_and_account(key).await?;
        let Some(record) = record else { return Ok(None) };
        // What has ended must not pay for what comes now.
        enter_expiry(state, &key.place.tenant_id, &account, used).await;
        let mut session = Self::of(state, record).await?;
        session.purse = Some(session.purse_of(account.balance(used, state.clock.now())));
        Ok(Some(session))
    }

    /// Whether there are credits for another step. After this run was debited the balance is read again, because
    /// others use it too.
    ///
    /// # Errors
    /// When the store does not answer.
    #[boxed]
    pub async fn can_pay(&mut self) -> Result<bool> {
        if self.purse.as_ref().is_some_and(|purse| purse.is_old) {
            let tenant = &self.machine.run().key.place.tenant_id;
            let balance = balance(&self.state, tenant).await?;
            self.purse = Some(self.purse_of(balance));
        }
        let spent = Microcredits(self.machine.run().usage.credits_used_microcredits);
        Ok(self.purse.as_ref().is_none_or(|purse| purse.left > spent.less(purse.debited)))
    }

    fn purse_of(&self, balance: Balance) -> Purse {
        Purse { left: balance.total(), debited: self.machine.run().bill.debited(), is_old: false }
    }

    /// The process's memory for large values.
    pub fn memory(&self) -> &Memory {
        &self.state.memory
    }

    /// The run in memory.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Applies a command in memory.
    ///
    /// # Errors
    /// When the state does not allow it.
    pub fn apply(&mut self, command: Command) -> Result<(), Refusal> {
        let now = self.state.clock.now();
        self.machine.apply(command.clone(), now)?;
        self.journal.push((command, now));
        Ok(())
    }

    /// Applies a command and writes it: all or nothing, also when somebody else was faster.
    ///
    /// # Errors
    /// When a store does not answer; the inner error when the state does not allow the command.
    #[boxed]
    pub async fn perform(&mut self, command: Command) -> Result<std::result::Result<(), Refusal>> {
        self.perform_with(command, None).await
    }

    /// The same with the input that the run has from then on: [`Refusal::Overtaken`] when somebody else was faster,
    /// because it was made from the input as it is in memory.
    ///
    /// # Errors
    /// When a store does not answer; the inner error when the state does not allow the command.
    #[boxed]
    pub async fn perform_with(
        &mut self,
        command: Command,
        input: Option<RunInput>,
    ) -> Result<std::result::Result<(), Refusal>> {
        if let Err(refusal) = self.apply(command) {
            return Ok(Err(refusal));
        }
        if let Some(input) = &input {
            self.beside.input = StoredInput::of(input, Some(self.machine.run().retries))?;
        }
        self.new_input = input;
        match self.commit().await? {
            Commit::Rebased(Some(refusal)) => Ok(Err(refusal)),
            Commit::Rebased(None) | Commit::Written | Commit::Unchanged => Ok(Ok(())),
        }
    }

    /// The sweep has moved the run's deadline to send somebody here. The next commit puts it where it belongs, also
    /// if nothing else has to be written: else the sweep would come again every minute.
    pub fn was_overdue(&mut self) {
        self.is_postponed = true;
    }

    /// Whether something happened that is not written yet.
    pub fn has_news(&self) -> bool {
        self.is_postponed
            || self.machine.page().next_seq() > self.committed_seq
            || self.machine.has_changed_silently()
    }

    /// How much is not written yet: events, and about how many bytes.
    pub fn unwritten(&self) -> (u64, usize) {
        (self.machine.page().next_seq() - self.committed_seq, self.machine.page().weight)
    }

    /// Writes what happened since the last commit.
    ///
    /// # Errors
    /// When the store does not answer, or conflicts do not end. Nothing is lost by that: the run stands where
    /// it stood, and its deadline brings somebody to it again.
    #[boxed]
    pub async fn commit(&mut self) -> Result<Commit> {
        if !self.has_news() {
            return Ok(Commit::Unchanged);
        }
        let mut outcome = Commit::Written;
        let mut trouble = Trouble::new(&self.state.clock);
        for conflicts in 0_u32.. {
            if conflicts >= MAX_QUICK_CONFLICTS && !trouble.pause().await {
                break;
            }
            match self.write().await {
                Ok(()) => {
                    self.written();
                    return Ok(outcome);
                }
                Err(StoreError::Conflict) => {
                    if conflicts > 0 {
                        platform::pause(&self.state.clock, PAUSES.wait(conflicts, rand::random())).await;
                    }
                    // Who was faster has put the deadline right.
                    self.is_postponed = false;
                    let refused = self.rebase().await?;
                    outcome = Commit::Rebased(refused);
                    if !self.has_news() {
                        return Ok(outcome);
                    }
                }
                Err(StoreError::Busy) => {
                    self.spread = self.spread.other();
                    platform::pause(&self.state.clock, PAUSES.wait(conflicts, rand::random())).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::unavailable("The run", "a commit met a conflict every time"))
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        // What the rounds of a loop made is wanted until its result is put together.
        let machine = &self.machine;
        self.beside.at.loops.retain(|step, _| machine.rounds(*step).is_some());
        if self.closed.is_none() && self.machine.page().weight > FULL_PAGE {
            let page = self.machine.close_page();
            self.beside.at.note(&page);
            self.closed = Some(page);
        }
        if self.counts.is_none() {
            self.counts = self.machine.take_counts();
        }
        let now = self.state.clock.now();
        if self.debit.is_none() {
            self.debit = self.machine.take_debit(self.state.config.metering, now);
        }
        let children: Vec<RunId> = self.machine.children().map(|(_, child)| child).collect();
        let deadline = self.next_deadline(now);
        let change = RunChange {
            rev: self.rev,
            run: self.machine.run(),
            page: self.machine.page(),
            beside: &self.beside,
            closed: self.closed.as_ref(),
            input: self.new_input.as_ref(),
            deadline,
            tasks: self.machine.tasks(),
            children: &children,
            counts: self.counts.as_ref().map(|counts| (counts, self.spread)),
            debit: self.debit.as_ref().map(|debit| (debit, self.spread)),
        };
        self.state.store.save_run(&change).await?;
        self.deadline = deadline;
        Ok(())
    }

    /// The run's own deadline, or the one that stands in the store when that comes before it and is far enough away.
    fn next_deadline(&self, now: Timestamp) -> Option<Timestamp> {
        let own = self.machine.deadline(now)?;
        let is_near_own = |at: Timestamp| at <= own && own <= at.plus(FAR);
        let stays = |at: &Timestamp| !self.is_postponed && *at >= now.plus(FAR) && is_near_own(*at);
        Some(self.deadline.filter(stays).unwrap_or(own))
    }

    fn written(&mut self) {
        if self.counts.as_ref().is_some_and(Counts::has_ended) {
            let outcome = self.machine.run().status.as_str();
            self.state.metrics.count(Metric::RunsEnded, &[("outcome", outcome)]);
        }
        self.rev += 1;
        self.is_postponed = false;
        self.journal.clear();
        self.counts = None;
        self.new_input = None;
        if self.debit.take().is_some()
            && let Some(purse) = &mut self.purse
        {
            purse.is_old = true;
        }
        self.machine.written();
        self.committed_seq = self.machine.page().next_seq();
        if let Some(page) = self.closed.take() {
            self.keep(page);
        }
        let run = self.machine.run();
        if self.state.watch.is_awaited(&run.key) {
            let ended = run.status.is_terminal().then(|| Arc::new(self.record()));
            self.state
                .watch
                .publish(&run.key, Watched { status: run.status, seq: self.committed_seq - 1, ended });
        }
    }

    fn record(&self) -> RunRecord {
        RunRecord {
            rev: self.rev,
            run: self.machine.run().clone(),
            page: self.machine.page().clone(),
            beside: self.beside.clone(),
            deadline: self.deadline,
        }
    }

    /// Reads the run again, to see what others have done to it meanwhile; what is not written yet stays so.
    ///
    /// # Errors
    /// When the store does not answer.
    #[boxed]
    pub async fn look(&mut self) -> Result<()> {
        self.rebase().await.map(|_| ())
    }

    /// Reads the run again and applies the journal to it; the commands that no longer fit leave it. Returns why
    /// the first of them does not fit.
    async fn rebase(&mut self) -> Result<Option<Refusal>> {
        let key = self.machine.run().key.clone();
        let record = self.state.store.run(&key).await?;
        let record = record.ok_or_else(|| Error::internal("a run vanished while a worker was on it"))?;
        let plan = Arc::clone(self.machine.plan());
        self.rev = record.rev;
        self.machine = Machine::resume(plan, record.run, record.page);
        self.beside = record.beside;
        self.deadline = record.deadline;
        self.closed = None;
        self.counts = None;
        self.debit = None;
        self.committed_seq = self.machine.page().next_seq();
        let mut first = self.new_input.take().map(|_| Refusal::Overtaken);
        if first.is_some() {
            self.journal.clear();
        }
        let machine = &mut self.machine;
        self.journal.retain(|(command, at)| match machine.apply(command.clone(), *at) {
            Ok(()) => true,
            Err(refusal) => {
                tracing::debug!(?refusal, run_id = %key.run_id, "a command no longer fits after a conflict");
                first.get_or_insert(refusal);
                false
            }
        });
        Ok(first)
    }
}
