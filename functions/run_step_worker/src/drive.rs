//! Driving one run as far as this invocation can: begin what is ready, settle what ends, commit in groups,
//! hand over what is left.
//!
//! Scripts touch nothing outside their run, so they are executed before anybody has claimed them: until the
//! commit nobody has seen anything, and a crash runs them again. Three cases claim first: another worker is on
//! the run too, this one has asked for help, or the message has been here before (its worker may have died of
//! the step, and only a written claim counts that).
//!
//! Steps with an effect outside are always claimed first, and all that happened before is written with the claim:
//! one write begins a call, the next one settles it (and begins what follows).
//!
//! What a call brought has been paid for, and is never paid for again because something else cannot be done just now: a
//! store that does not answer is waited for until the calls' leases end (`shared::platform::patience`), and an error anywhere in a
//! run leaves what is in flight alone until it has ended and is written.

mod others;
mod trouble;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use shared::engine::Work;
use shared::engine::{Command, FailureCode, Machine, Outcome, Slot, Wait};
use shared::lua::Pool;
use shared::platform::patience::Patience;
use shared::platform::queue::Wake;
use shared::services::run::{Commit, Session};
use shared::services::step::{Effect, Performed, Script, Scripted};
use shared::types::clock::Timestamp;
use shared::types::ids::RunId;
use shared::types::tokens::Tokens;
use shared::workflow::StepKind;
use shared::{AppState, Error, Result};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;
use uuid::Uuid;

use crate::hands::{Hand, Hands, Wants};
use crate::prepare::{self, Start};
use crate::scope::Scopes;
use crate::{calls, loops, observe};

/// What happened is written at the latest after this time (engine.md, *Budget*).
const LONGEST_UNWRITTEN: Duration = Duration::from_millis(200);
/// … or after this many events: a step makes two.
const MOST_EVENTS: u64 = 200;
/// … or after this many bytes.
const MOST_BYTES: usize = 256 * 1024;
/// What an invocation keeps to write down what it has done.
const TIME_TO_COMMIT: Duration = Duration::from_secs(5);
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
    tasks: JoinSet<(Slot, Performed)>,
    /// Where scripts are executed.
    pool: Arc<Pool>,
    hands: Hands,
    /// Begun in memory, to be performed once that is written.
    begun: Vec<BegunCall>,
    /// The same for scripts.
    begun_scripts: Vec<(Slot, Option<OwnedSemaphorePermit>)>,
    /// What calls brought is not written yet.
    owes_results: bool,
    patience: Patience,
    /// Whether the graph has steps that call the outside.
    has_calls: bool,
    /// Child runs to start once it is written that steps wait for them.
    to_call: Vec<(Slot, RunId)>,
    /// The change that time would have brought when the run was loaded: somebody was told of it.
    known_change: Option<Timestamp>,
    /// When the oldest unwritten event came about.
    unwritten_since: Option<Instant>,
    /// In this process, for the script that is begun next.
    place: Option<OwnedSemaphorePermit>,
}

/// Moves a run as far as it goes. `again` says that the message has been delivered before.
pub(crate) async fn drive(
    state: &AppState,
    wake: &Wake,
    again: bool,
    until: Instant,
    patience: &Patience,
) -> Result<()> {
    let run = &wake.run;
    let Some(mut session) = Session::load_to_work(state, run).await? else {
        tracing::warn!("a message names a run that does not exist");
        return Ok(());
    };
    if session.machine().run().status.is_terminal() {
        return calls::after_the_end(state, &mut session).await;
    }
    let drive = Drive {
        has_calls: session.machine().plan().any_step(|step| Effect::is_of(&step.kind)),
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
        pool: Arc::default(),
        hands: Hands::new(&state.watch, run),
        begun: Vec::new(),
        begun_scripts: Vec::new(),
        owes_results: false,
        patience: patience.clone(),
        to_call: Vec::new(),
        unwritten_since: None,
        place: None,
    };
    // In a box: it is what all the work of a run is done in.
    Box::pin(drive.run(wake, again)).await
}

impl Drive {
    async fn run(mut self, wake: &Wake, again: bool) -> Result<()> {
        // Refused only when the run has ended, and then there is nothing to give up.
        let _ = self.session.apply(Command::Reap { dead_before: self.state.config.dead_before });
        if wake.overdue {
            self.session.was_overdue();
        }
        // What cannot be seen of a child does not hold up the rest of the run.
        let unseen = self.look_at_children(wake, again).await;
        let ended = match self.go_on().await {
            Ok(()) => Ok(()),
            Err(error) => self.bring_home(error).await,
        };
        self.hands.drop_all();
        ended?;
        if self.is_over() {
            return calls::after_the_end(&self.state, &mut self.session).await;
        }
        calls::stop_orphans(&self.state, &mut self.session).await?;
        self.hand_over().await?;
        unseen
    }

    /// Looks at the child that has ended; at all of them when a message may have been lost.
    async fn look_at_children(&mut self, wake: &Wake, again: bool) -> Result<()> {
        let children: Vec<(Slot, RunId)> = self.session.machine().children().collect();
        let mut looked = Ok(());
        for (slot, child) in children {
            if wake.overdue || again || wake.child == Some(child) {
                looked = looked.and(calls::look(&self.state, &mut self.session, slot, child).await);
            }
        }
        looked
    }

    async fn go_on(&mut self) -> Result<()> {
        while self.takes_turn().await? {}
        Ok(())
    }

    /// Begins what is ready, and waits for the next thing that happens; false when there is nothing to wait for.
    async fn takes_turn(&mut self) -> Result<bool> {
        self.begin_ready().await?;
        self.note_news();
        if self.tasks.is_empty() {
            if let Some(slot) = self.next_script() {
                self.wait_for_place(slot).await?;
                return Ok(true);
            }
            self.commit().await?;
            self.call_children().await?;
            // The commit may have met another worker's, which made something else ready.
            return Ok(self.next_work(&Wants::ALL).is_some() || self.session.has_news());
        }
        let flush_at = self.unwritten_since.map(|since| since + LONGEST_UNWRITTEN);
        tokio::select! {
            Some(ended) = self.tasks.join_next_with_id() => self.settle_all(ended)?,
            () = sleep_until(flush_at.unwrap_or(self.until)), if flush_at.is_some() => {
                self.commit().await?;
                self.ask_for_help().await;
            }
            () = self.hands.time_to_look(self.session.machine()), if self.hands.is_calling() => {
                self.look().await;
            }
        }
        if self.is_over() {
            self.commit().await?;
            return Ok(false);
        }
        self.commit_if_much().await?;
        Ok(true)
    }

    /// A script that may begin now, and is begun as soon as there is a place for it.
    fn next_script(&mut self) -> Option<Slot> {
        match self.next_work(&Wants::SCRIPTS)? {
            Work::Begin(slot) => Some(slot),
            Work::Close(_) => None,
        }
    }

    /// Takes a place for one more script in this process, if there is one. A script's lease runs from when it is
    /// begun, so it has its place before that.
    fn has_place(&mut self, begun: usize) -> bool {
        if !self.hands.has_room_for_script(begun) {
            return false;
        }
        if self.place.is_none() {
            self.place = Arc::clone(&self.state.scripts).try_acquire_owned().ok();
        }
        self.place.is_some()
    }

    /// Waits until this process has a place for the script, and meanwhile writes what is not written yet.
    async fn wait_for_place(&mut self, slot: Slot) -> Result<()> {
        let places = Arc::clone(&self.state.scripts);
        let timeout = self.session.machine().timeout(slot).unwrap_or_default();
        let flush_at = self.unwritten_since.map(|since| since + LONGEST_UNWRITTEN);
        tokio::select! {
            place = places.acquire_owned() => self.place = place.ok(),
            () = sleep_until(flush_at.unwrap_or(self.until)), if flush_at.is_some() => self.commit().await?,
            // Too late for this script, which the next look finds out.
            () = sleep_until(latest_begin(self.until, timeout)) => {}
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

    /// What to do next among what is wanted, if there is time for it.
    fn next_work(&mut self, wants: &Wants) -> Option<Work> {
        let machine = self.session.machine();
        let work = machine.next_work_of(self.state.clock.now(), |slot| wants.has(hand(machine, slot)))?;
        let timeout = match work {
            Work::Begin(slot) if hand(machine, slot) != Hand::None => {
                machine.timeout(slot).unwrap_or_default()
            }
            Work::Begin(_) | Work::Close(_) => Duration::ZERO,
        };
        if Instant::now() > latest_begin(self.until, timeout) {
            self.out_of_time = true;
            return None;
        }
        Some(work)
    }

    async fn begin_ready(&mut self) -> Result<()> {
        // What was begun before an error is gone on with.
        let begun = self.begin_all().await;
        self.place = None;
        if !self.begun.is_empty() || self.claim_first || self.session.machine().is_shared(&self.owner) {
            self.commit().await?;
        }
        self.perform_begun();
        self.execute_begun().await?;
        begun
    }

    /// Executes the scripts that were begun. One whose values cannot be read stays among them.
    async fn execute_begun(&mut self) -> Result<()> {
        while !self.begun_scripts.is_empty() {
            let (slot, place) = self.begun_scripts.remove(0);
            if self.session.machine().is_held_by(slot, &self.owner) {
                match prepare::script(&mut self.session, &mut self.scopes, slot).await {
                    Ok(script) => self.execute(slot, script, place),
                    Err(error) => {
                        self.begun_scripts.insert(0, (slot, place));
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    async fn begin_all(&mut self) -> Result<()> {
        loop {
            // Taken before a call is begun: a claim must not wait for its turn.
            let permit = self.permit_to_call(self.begun.len()).await?;
            let wants = Wants::these(self.has_place(self.begun_scripts.len()), permit.is_some());
            let Some(work) = self.next_work(&wants) else { break };
            match work {
                Work::Close(step) => {
                    let outcome = loops::close(&self.session, step).await?;
                    self.apply(Command::Close { step, outcome })?;
                }
                Work::Begin(_) if !self.session.can_pay().await? => {
                    self.apply(Command::RunDry)?;
                    self.drop_what_is_not_ours();
                }
                Work::Begin(slot) => match self.begin(slot).await? {
                    Begun::Nothing => {}
                    Begun::Script => {
                        let place = self.place.take();
                        self.begun_scripts.push((slot, place));
                    }
                    Begun::Call(effect) => self.begun.push(BegunCall { slot, effect, permit }),
                },
            }
            self.note_news();
            self.commit_if_much().await?;
        }
        Ok(())
    }

    /// Performs the calls whose claims are written.
    fn perform_begun(&mut self) {
        for BegunCall { slot, effect, permit } in std::mem::take(&mut self.begun) {
            self.perform(slot, effect, permit);
        }
    }

    /// The right to make one more call, if one is to be made. While other runs of this process have all of them,
    /// somebody who has nothing else to do waits.
    async fn permit_to_call(&mut self, begun: usize) -> Result<Option<OwnedSemaphorePermit>> {
        if !self.has_calls || !self.hands.has_room_for_call(begun) {
            return Ok(None);
        }
        let Some(Work::Begin(slot)) = self.next_work(&Wants::CALLS) else { return Ok(None) };
        let permits = Arc::clone(&self.state.calls);
        if let Ok(permit) = Arc::clone(&permits).try_acquire_owned() {
            return Ok(Some(permit));
        }
        if begun > 0 || !self.tasks.is_empty() || self.next_work(&Wants::BUT_CALLS).is_some() {
            return Ok(None);
        }
        self.commit().await?;
        let timeout = self.session.machine().timeout(slot).unwrap_or_default();
        tokio::select! {
            permit = permits.acquire_owned() => Ok(permit.ok()),
            () = sleep_until(latest_begin(self.until, timeout)) => Ok(None),
        }
    }

    /// Begins a step, and says what is to be executed now.
    async fn begin(&mut self, slot: Slot) -> Result<Begun> {
        let begin = |owner: &str, input| Command::Begin { slot, owner: owner.to_owned(), input };
        match prepare::start(&mut self.session, &mut self.scopes, slot).await? {
            Start::Skip(reason) => self.apply(Command::Skip { slot, reason })?,
            Start::Settled(outcome) => {
                self.apply(begin(&self.owner, None))?;
                let (owner, log) = (self.owner.clone(), Vec::new());
                let tokens = Tokens::default();
                self.apply(Command::Settle { slot, owner, outcome, log, tokens })?;
            }
            Start::Script => {
                self.apply(begin(&self.owner, None))?;
                return Ok(Begun::Script);
            }
            Start::Call(effect, input) => {
                self.apply(begin(&self.owner, Some(input)))?;
                return Ok(Begun::Call(effect));
            }
            Start::Await(on, input) => {
                if let Wait::Child(child) = on {
                    self.to_call.push((slot, child));
                }
                self.apply(Command::Await { slot, on, input })?;
            }
            Start::Open(rounds, input) => self.apply(Command::Open { step: slot.step, rounds, input })?,
        }
        Ok(Begun::Nothing)
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

    fn execute(&mut self, slot: Slot, script: Script, place: Option<OwnedSemaphorePermit>) {
        self.hands.takes_script(slot, script.cancel.clone());
        let span = observe::step(self.session.machine(), slot);
        let pool = Arc::clone(&self.pool);
        self.tasks.spawn_blocking(move || {
            let _inside = span.entered();
            // Only a defect of ours panics; it must cost this step, not the run.
            let run = catch_unwind(AssertUnwindSafe(|| script.run(&pool)));
            drop(place);
            (slot, run.unwrap_or_else(|_| Scripted::crashed()).into())
        });
    }

    /// Performs a call whose claim is written, unless somebody else moved the run before that.
    fn perform(&mut self, slot: Slot, effect: Box<Effect>, permit: Option<OwnedSemaphorePermit>) {
        let machine = self.session.machine();
        if !machine.is_held_by(slot, &self.owner) {
            return;
        }
        let now = self.state.clock.now();
        let Some(attempt) = prepare::attempt(machine, slot, now) else { return };
        // Its result is wanted, however long the store takes to take it.
        if let Some(lease) = machine.lease_of(slot) {
            self.patience.hold_until(Instant::now() + lease.since(now));
        }
        let state = self.state.clone();
        let work = async move {
            let performed = effect.perform(&state, &attempt).await;
            drop(permit);
            (slot, performed)
        };
        let call = self.tasks.spawn(work.instrument(observe::step(self.session.machine(), slot)));
        self.hands.takes_call(slot, call);
    }

    /// Settles what has ended, all of it at once: so that many short calls make few commits.
    fn settle_all(&mut self, first: Result<(Id, (Slot, Performed)), JoinError>) -> Result<()> {
        let mut next = Some(first);
        while let Some(ended) = next {
            match ended {
                Ok((_, (slot, performed))) => self.settle(slot, performed),
                // Dropped: there is nothing to settle any more.
                Err(error) if error.is_cancelled() => {}
                Err(panic) => {
                    let Some(slot) = self.hands.call_of(panic.id()) else {
                        return Err(Error::internal(format!("a step's task: {panic}")));
                    };
                    tracing::error!(%panic, "the executor of a step broke down");
                    let error = "The step's executor broke down.";
                    self.settle(slot, Outcome::failure(FailureCode::DependencyUnavailable, error).into());
                }
            }
            next = self.tasks.try_join_next_with_id();
        }
        Ok(())
    }

    fn settle(&mut self, slot: Slot, performed: Performed) {
        self.owes_results |= hand(self.session.machine(), slot) == Hand::Call;
        self.hands.lets_go(slot);
        self.settled += 1;
        let Performed { mut outcome, log, tokens } = performed;
        observe::step_ended(&self.state, self.session.machine(), slot, &outcome);
        if self.session.machine().is_condition(slot) {
            outcome = prepare::decided(outcome);
        }
        if matches!(outcome, Outcome::Failure(_)) && slot.inner.is_some() {
            // It may have failed because the time of its round or its loop is up, and then that is the reason.
            let _ = self.session.apply(Command::Reap { dead_before: None });
        }
        let command = Command::Settle { slot, owner: self.owner.clone(), outcome, log, tokens };
        if let Err(refusal) = self.session.apply(command) {
            tracing::debug!(?refusal, "a late result is dropped");
        }
        self.note_news();
        // A failure may have ended what others were on.
        self.drop_what_is_not_ours();
    }

    /// What is no longer ours to do is dropped.
    fn drop_what_is_not_ours(&mut self) {
        let machine = self.session.machine();
        self.hands.keep(|slot| machine.is_held_by(slot, &self.owner));
    }

    fn note_news(&mut self) {
        if self.session.has_news() {
            self.unwritten_since.get_or_insert_with(Instant::now);
        }
    }

    async fn commit(&mut self) -> Result<()> {
        self.unwritten_since = None;
        let commit = self.session.commit().await?;
        self.owes_results = false;
        match commit {
            Commit::Unchanged => {}
            Commit::Written => self.hands.looked(),
            // Somebody else moved the run.
            Commit::Rebased(_) => {
                self.hands.looked();
                self.drop_what_is_not_ours();
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.session.machine().run().status.is_terminal()
    }
}

/// The last moment at which something that may take this long can begin in an invocation that ends at `until`.
fn latest_begin(until: Instant, timeout: Duration) -> Instant {
    until.checked_sub(timeout + TIME_TO_COMMIT).unwrap_or_else(Instant::now)
}

/// A call that was begun.
struct BegunCall {
    slot: Slot,
    effect: Box<Effect>,
    permit: Option<OwnedSemaphorePermit>,
}

/// What a step that was begun needs now.
enum Begun {
    Nothing,
    Script,
    Call(Box<Effect>),
}

/// What a step keeps busy while it is executed: a `while`'s condition is a script or looked at here; who waits, or
/// opens rounds that begin on their own, keeps nobody busy.
fn hand(machine: &Machine, slot: Slot) -> Hand {
    match machine.kind(slot) {
        None | Some(StepKind::LuaScript(_)) => Hand::Script,
        Some(kind) if Effect::is_of(kind) => Hand::Call,
        Some(_) => Hand::None,
    }
}
