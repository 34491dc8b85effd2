//! Driving one run as far as this invocation can: begin what is ready, settle what ends, commit in groups,
//! hand over what is left.
//!
//! Scripts touch nothing outside their run, so they are executed before anybody has claimed them: until the
//! commit nobody has seen anything, and a crash runs them again. Three cases claim first: another worker is on
//! the run too, this one has asked for help, or the message has been here before (its worker may have died of
//! the step, and only a written claim counts that).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shared::clock::Timestamp;
use shared::error::Kind;
use shared::ids::{RunId, RunRef};
use shared::queue::{LONGEST_DELAY, Wake};
use shared::run::{Command, Commit, Machine, Outcome, Session, Slot, Wait, Work};
use shared::step::lua::Cancel;
use shared::step::{Script, Scripted};
use shared::workflow::StepKind;
use shared::{AppState, Error, Result};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;
use uuid::Uuid;

use crate::prepare::{self, Start};
use crate::scope::Scopes;
use crate::{calls, loops};

/// What happened is written at the latest after this time (engine.md, *Budget*).
const LONGEST_UNWRITTEN: Duration = Duration::from_millis(200);
/// … or after this many events: a step makes two.
const MOST_EVENTS: u64 = 200;
/// … or after this many bytes.
const MOST_BYTES: usize = 256 * 1024;
/// What an invocation keeps to write down what it has done.
const TIME_TO_COMMIT: Duration = Duration::from_secs(5);
/// Scripts of one run that this worker executes at a time.
const SIDE_BY_SIDE: usize = 4;
/// The most helpers one worker asks for: with them a hundred scripts of one run are executed at a time.
const MOST_HELPERS: usize = 25;
/// What a worker would take for the steps that wait, for each helper that it asks for.
const WORTH_A_HELPER: Duration = Duration::from_secs(2);
/// Human tasks are written in one transaction with their run; it takes no more than a hundred items.
const MOST_TASKS: usize = 40;

struct Drive {
    state: AppState,
    session: Session,
    scopes: Scopes,
    owner: String,
    claim_first: bool,
    asked_for_help: bool,
    /// When this worker began, and how many scripts have ended since.
    since: Instant,
    settled: usize,
    until: Instant,
    out_of_time: bool,
    tasks: JoinSet<(Slot, Scripted)>,
    running: HashMap<Slot, Cancel>,
    /// Child runs to start once it is written that steps wait for them.
    to_call: Vec<(Slot, RunId)>,
    /// The change that time would have brought when the run was loaded: somebody was told of it.
    known_change: Option<Timestamp>,
    /// When the oldest unwritten event came about.
    unwritten_since: Option<Instant>,
    /// For the script that is begun next: its lease runs from then, so it is not to queue for a place first.
    permit: Option<OwnedSemaphorePermit>,
    /// Until when a place is waited for, when there was none for the next script.
    wants_permit: Option<Instant>,
}

/// Moves a run as far as it goes. `again` says that the message has been delivered before.
pub(crate) async fn drive(state: &AppState, wake: &Wake, again: bool, until: Instant) -> Result<()> {
    let run = &wake.run;
    let span = tracing::info_span!("drive", tenant_id = %run.place.tenant_id, run_id = %run.run_id);
    async move {
        let moved = attempt(state, wake, again, until).await;
        if let Err(Error { kind: Kind::Internal, .. }) = &moved {
            give_up(state, run).await?;
        }
        moved
    }
    .instrument(span)
    .await
}

async fn attempt(state: &AppState, wake: &Wake, again: bool, until: Instant) -> Result<()> {
    let Some(mut session) = Session::load(state, &wake.run).await? else {
        tracing::warn!("a message names a run that does not exist");
        return Ok(());
    };
    if session.machine().run().status.is_terminal() {
        return calls::after_the_end(state, &mut session).await;
    }
    let drive = Drive {
        state: state.clone(),
        scopes: Scopes::new(&session, state.clock.clone()).await?,
        known_change: session.machine().next_change(),
        session,
        owner: Uuid::new_v4().to_string(),
        claim_first: again,
        asked_for_help: false,
        since: Instant::now(),
        settled: 0,
        until,
        out_of_time: false,
        tasks: JoinSet::new(),
        running: HashMap::new(),
        to_call: Vec::new(),
        unwritten_since: None,
        permit: None,
        wants_permit: None,
    };
    drive.run(wake, again).await
}

/// What no further attempt will mend, such as a row that cannot be read, ends the run once it has stood still for
/// too long.
async fn give_up(state: &AppState, run: &RunRef) -> Result<()> {
    if let Some(mut session) = Session::load(state, run).await? {
        // Refused when it is over.
        let _ = session.perform(Command::GiveUp).await?;
    }
    Ok(())
}

impl Drive {
    async fn run(mut self, wake: &Wake, again: bool) -> Result<()> {
        // Refused only when the run has ended, and then there is nothing to give up.
        let _ = self.session.apply(Command::Reap { dead_before: self.state.config.dead_before });
        if wake.overdue {
            self.session.was_overdue();
        }
        self.look_at_children(wake, again).await?;
        let ended = self.go_on().await;
        for cancel in self.running.values() {
            cancel.cancel();
        }
        ended?;
        if self.is_over() {
            return calls::after_the_end(&self.state, &mut self.session).await;
        }
        calls::stop_orphans(&self.state, &mut self.session).await?;
        self.hand_over().await
    }

    /// Looks at the child that has ended; at all of them when a message may have been lost.
    async fn look_at_children(&mut self, wake: &Wake, again: bool) -> Result<()> {
        let children: Vec<(Slot, RunId)> = self.session.machine().children().collect();
        for (slot, child) in children {
            if wake.overdue || again || wake.child == Some(child) {
                calls::look(&self.state, &mut self.session, slot, child).await?;
            }
        }
        Ok(())
    }

    async fn go_on(&mut self) -> Result<()> {
        loop {
            self.begin_ready().await?;
            self.note_news();
            if self.tasks.is_empty() {
                if let Some(until) = self.wants_permit {
                    self.wait_for_permit(until).await?;
                    continue;
                }
                self.commit().await?;
                self.call_children().await?;
                // The commit may have met another worker's, which made something else ready.
                if self.next_work().is_none() && !self.session.has_news() {
                    return Ok(());
                }
                continue;
            }
            let flush_at = self.unwritten_since.map(|since| since + LONGEST_UNWRITTEN);
            tokio::select! {
                Some(ended) = self.tasks.join_next() => self.settle(ended)?,
                () = sleep_until(flush_at.unwrap_or(self.until)), if flush_at.is_some() => {
                    self.commit().await?;
                    self.ask_for_help().await;
                }
            }
            if self.is_over() {
                return self.commit().await.map(|_| ());
            }
            self.commit_if_much().await?;
        }
    }

    /// Waits until this process has room for another script, and meanwhile writes what is not written yet.
    async fn wait_for_permit(&mut self, until: Instant) -> Result<()> {
        let permits = Arc::clone(&self.state.scripts);
        let flush_at = self.unwritten_since.map(|since| since + LONGEST_UNWRITTEN);
        tokio::select! {
            permit = permits.acquire_owned() => self.permit = permit.ok(),
            () = sleep_until(flush_at.unwrap_or(until)), if flush_at.is_some() => self.commit().await?,
            // Too late for this script: the next look finds that out.
            () = sleep_until(until) => {}
        }
        Ok(())
    }

    async fn commit_if_much(&mut self) -> Result<()> {
        let (events, bytes) = self.session.unwritten();
        if events >= MOST_EVENTS || bytes >= MOST_BYTES || self.session.machine().tasks().len() >= MOST_TASKS
        {
            self.commit().await?;
        }
        Ok(())
    }

    /// What to do next, if there is time for it.
    fn next_work(&mut self) -> Option<Work> {
        let machine = self.session.machine();
        let work = machine.next_work(self.state.clock.now())?;
        let timeout = match work {
            Work::Begin(slot) if !is_wait(machine, slot) => machine.timeout(slot).unwrap_or_default(),
            Work::Begin(_) | Work::Close(_) => Duration::ZERO,
        };
        if Instant::now() > latest_begin(self.until, timeout) {
            self.out_of_time = true;
            return None;
        }
        Some(work)
    }

    /// Whether the work may begin now: a script needs one of the process's places.
    fn has_room_for(&mut self, work: Work) -> bool {
        let Work::Begin(slot) = work else { return true };
        let machine = self.session.machine();
        if is_wait(machine, slot) {
            return true;
        }
        if self.permit.is_none() {
            self.permit = Arc::clone(&self.state.scripts).try_acquire_owned().ok();
        }
        let timeout = machine.timeout(slot).unwrap_or_default();
        self.wants_permit = self.permit.is_none().then(|| latest_begin(self.until, timeout));
        self.permit.is_some()
    }

    async fn begin_ready(&mut self) -> Result<()> {
        let mut begun = Vec::new();
        self.wants_permit = None;
        while self.running.len() + begun.len() < SIDE_BY_SIDE
            && let Some(work) = self.next_work()
            && self.has_room_for(work)
        {
            match work {
                Work::Close(step) => {
                    let outcome = loops::close(&self.session, step).await?;
                    self.apply(Command::Close { step, outcome })?;
                }
                Work::Begin(slot) => {
                    if self.begin(slot).await? {
                        begun.push((slot, self.permit.take()));
                    }
                }
            }
            self.note_news();
            self.commit_if_much().await?;
        }
        self.permit = None;
        if self.claim_first || self.session.machine().is_shared(&self.owner) {
            self.commit().await?;
        }
        begun.retain(|(slot, _)| self.session.machine().is_held_by(*slot, &self.owner));
        for (slot, permit) in begun {
            let script = prepare::script(&mut self.session, &mut self.scopes, slot).await?;
            self.execute(slot, script, permit);
        }
        Ok(())
    }

    /// Begins a step; true when it is a script that is now to be executed.
    async fn begin(&mut self, slot: Slot) -> Result<bool> {
        let begin = Command::Begin { slot, owner: self.owner.clone(), input: None };
        match prepare::start(&mut self.session, &mut self.scopes, slot).await? {
            Start::Skip(reason) => self.apply(Command::Skip { slot, reason })?,
            Start::Settled(outcome) => {
                self.apply(begin)?;
                let owner = self.owner.clone();
                self.apply(Command::Settle { slot, owner, outcome, log: Vec::new() })?;
            }
            Start::Script => {
                self.apply(begin)?;
                return Ok(true);
            }
            Start::Await(on, input) => {
                if let Wait::Child(child) = on {
                    self.to_call.push((slot, child));
                }
                self.apply(Command::Await { slot, on, input })?;
            }
            Start::Open(rounds, input) => self.apply(Command::Open { step: slot.step, rounds, input })?,
        }
        Ok(false)
    }

    fn apply(&mut self, command: Command) -> Result<()> {
        self.session.apply(command).map_err(|refusal| Error::internal(format!("a ready step: {refusal:?}")))
    }

    /// Starts the child runs that steps wait for, now that this is written.
    async fn call_children(&mut self) -> Result<()> {
        for (slot, child) in std::mem::take(&mut self.to_call) {
            if self.session.machine().waits_for(slot, child) {
                calls::call(&self.state, &mut self.session, slot, child).await?;
            }
        }
        Ok(())
    }

    fn execute(&mut self, slot: Slot, script: Script, permit: Option<OwnedSemaphorePermit>) {
        self.running.insert(slot, script.cancel.clone());
        self.tasks.spawn(async move {
            let ran = tokio::task::spawn_blocking(move || {
                let scripted = script.run();
                drop(permit);
                scripted
            });
            (slot, ran.await.unwrap_or_else(|panic| Scripted::crashed(&panic)))
        });
    }

    fn settle(&mut self, ended: Result<(Slot, Scripted), tokio::task::JoinError>) -> Result<()> {
        let (slot, scripted) = ended.map_err(|error| Error::internal(format!("a step's task: {error}")))?;
        self.running.remove(&slot);
        self.settled += 1;
        let Scripted { mut outcome, log } = scripted;
        if self.session.machine().is_condition(slot) {
            outcome = prepare::decided(outcome);
        }
        if matches!(outcome, Outcome::Failure(_)) && slot.inner.is_some() {
            // It may have failed because the time of its round or its loop is up, and then that is the reason.
            let _ = self.session.apply(Command::Reap { dead_before: None });
        }
        let command = Command::Settle { slot, owner: self.owner.clone(), outcome, log };
        if let Err(refusal) = self.session.apply(command) {
            tracing::debug!(?refusal, "a late result is dropped");
        }
        self.note_news();
        Ok(())
    }

    fn note_news(&mut self) {
        if self.session.has_news() {
            self.unwritten_since.get_or_insert_with(Instant::now);
        }
    }

    async fn commit(&mut self) -> Result<()> {
        self.unwritten_since = None;
        if let Commit::Rebased(_) = self.session.commit().await? {
            // Somebody else moved the run: what is no longer ours to do is dropped.
            let machine = self.session.machine();
            for (slot, cancel) in &self.running {
                if !machine.is_held_by(*slot, &self.owner) {
                    cancel.cancel();
                }
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.session.machine().run().status.is_terminal()
    }

    /// Steps that wait while all hands are full are offered to other workers, once, if this one would be long
    /// at them: workers on one run get in each other's way, and what takes milliseconds is done sooner alone.
    async fn ask_for_help(&mut self) {
        let waiting = self.session.machine().count_ready(self.state.clock.now());
        if self.asked_for_help || waiting < SIDE_BY_SIDE {
            return;
        }
        let per_script = self.since.elapsed() / u32::try_from(self.settled).unwrap_or(u32::MAX).max(1);
        let alone = per_script * u32::try_from(waiting).unwrap_or(u32::MAX);
        let by_time = alone.as_millis() / WORTH_A_HELPER.as_millis();
        let helpers =
            usize::try_from(by_time).unwrap_or(usize::MAX).min(waiting / SIDE_BY_SIDE).min(MOST_HELPERS);
        if helpers == 0 {
            return;
        }
        self.asked_for_help = true;
        self.claim_first = true;
        for _ in 0..helpers {
            self.send(Duration::ZERO).await;
        }
    }

    /// Sees to it that somebody goes on where this invocation ends.
    async fn hand_over(&mut self) -> Result<()> {
        let machine = self.session.machine();
        if self.is_over() {
            return Ok(());
        }
        let now = self.state.clock.now();
        if self.out_of_time || machine.next_work(now).is_some() {
            self.send(Duration::ZERO).await;
        } else if let Some(change) = machine.next_change()
            && Some(change) != self.known_change
            && change.since(now) <= LONGEST_DELAY
        {
            self.send(change.since(now)).await;
        }
        Ok(())
    }

    async fn send(&self, delay: Duration) {
        let wake = Wake::ready(self.session.machine().run().key.clone());
        if let Err(error) = self.state.queue.send(&wake, delay).await {
            tracing::warn!(%error, "no message could be sent; the run's deadline stands in for it");
        }
    }
}

/// The last moment at which something that may take this long can begin in an invocation that ends at `until`.
fn latest_begin(until: Instant, timeout: Duration) -> Instant {
    until.checked_sub(timeout + TIME_TO_COMMIT).unwrap_or_else(Instant::now)
}

/// Whether a step begins by waiting, or by opening rounds that begin on their own: no worker is on it for long.
fn is_wait(machine: &Machine, slot: Slot) -> bool {
    !machine.is_condition(slot)
        && machine.kind(slot).is_some_and(|kind| !matches!(kind, StepKind::LuaScript(_)))
}
