//! Driving one run as far as this invocation can: begin what is ready, settle what ends, commit in groups,
//! hand over what is left.
//!
//! Scripts touch nothing outside their run, so they are executed before anybody has claimed them: until the
//! commit nobody has seen anything, and a crash runs them again. Three cases claim first: another worker is on
//! the run too, this one has asked for help, or the message has been here before (its worker may have died of
//! the step, and only a written claim counts that).

use std::collections::HashMap;
use std::time::Duration;

use shared::ids::RunRef;
use shared::run::{Command, Commit, Session};
use shared::step::lua::Cancel;
use shared::step::{Script, Scripted};
use shared::workflow::StepIx;
use shared::{AppState, Error, Result};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;
use uuid::Uuid;

use crate::prepare::{Gate, Prepare};

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
/// The most helpers one worker asks for.
const MOST_HELPERS: usize = 8;

struct Drive {
    state: AppState,
    session: Session,
    prepare: Prepare,
    owner: String,
    claim_first: bool,
    asked_for_help: bool,
    until: Instant,
    out_of_time: bool,
    tasks: JoinSet<(StepIx, Scripted)>,
    running: HashMap<StepIx, Cancel>,
    /// When the oldest unwritten event came about.
    unwritten_since: Option<Instant>,
}

/// Moves a run as far as it goes. `again` says that the message has been delivered before.
pub(crate) async fn drive(state: &AppState, run: &RunRef, again: bool, until: Instant) -> Result<()> {
    let span = tracing::info_span!("drive", tenant_id = %run.place.tenant_id, run_id = %run.run_id);
    async move {
        let Some(session) = Session::load(state, run).await? else {
            tracing::warn!("a message names a run that does not exist");
            return Ok(());
        };
        if session.machine().run().status.is_terminal() {
            return Ok(());
        }
        let drive = Drive {
            state: state.clone(),
            prepare: Prepare::new(&session).await?,
            session,
            owner: Uuid::new_v4().to_string(),
            claim_first: again,
            asked_for_help: false,
            until,
            out_of_time: false,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            unwritten_since: None,
        };
        drive.run().await
    }
    .instrument(span)
    .await
}

impl Drive {
    async fn run(mut self) -> Result<()> {
        // Refused only when the run has ended, and then there is nothing to give up.
        let _ = self.session.apply(Command::Reap { dead_before: self.state.config.dead_before });
        let ended = self.go_on().await;
        for cancel in self.running.values() {
            cancel.cancel();
        }
        ended?;
        self.hand_over().await
    }

    async fn go_on(&mut self) -> Result<()> {
        loop {
            self.begin_ready().await?;
            self.note_news();
            if self.tasks.is_empty() {
                self.commit().await?;
                // The commit may have met another worker's, which made something else ready.
                if self.next_ready().is_none() {
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
            let (events, bytes) = self.session.unwritten();
            if events >= MOST_EVENTS || bytes >= MOST_BYTES {
                self.commit().await?;
            }
        }
    }

    /// The next step to begin, if there is time for it.
    fn next_ready(&mut self) -> Option<StepIx> {
        let step = self.session.machine().first_ready(self.state.clock.now())?;
        let timeout = self.session.machine().plan().step(step).timeout.unwrap_or_default();
        if self.until.saturating_duration_since(Instant::now()) < timeout + TIME_TO_COMMIT {
            self.out_of_time = true;
            return None;
        }
        Some(step)
    }

    async fn begin_ready(&mut self) -> Result<()> {
        let mut begun = Vec::new();
        while self.running.len() + begun.len() < SIDE_BY_SIDE
            && let Some(step) = self.next_ready()
        {
            let command = match self.prepare.gate(&mut self.session, step).await? {
                Gate::Skip(reason) => Command::Skip { step, reason },
                Gate::Open => {
                    begun.push(step);
                    Command::Begin { step, owner: self.owner.clone(), input: None }
                }
            };
            self.session
                .apply(command)
                .map_err(|refusal| Error::internal(format!("a ready step: {refusal:?}")))?;
        }
        if self.claim_first || self.session.machine().is_shared(&self.owner) {
            self.commit().await?;
            begun.retain(|step| self.session.machine().is_held_by(*step, &self.owner));
        }
        for step in begun {
            let script = self.prepare.script(&mut self.session, step).await?;
            self.execute(step, script);
        }
        Ok(())
    }

    fn execute(&mut self, step: StepIx, script: Script) {
        self.running.insert(step, script.cancel.clone());
        let permits = std::sync::Arc::clone(&self.state.scripts);
        self.tasks.spawn(async move {
            let permit = permits.acquire_owned().await;
            let ran = tokio::task::spawn_blocking(move || {
                let scripted = script.run();
                drop(permit);
                scripted
            });
            (step, ran.await.unwrap_or_else(|panic| Scripted::crashed(&panic)))
        });
    }

    fn settle(&mut self, ended: Result<(StepIx, Scripted), tokio::task::JoinError>) -> Result<()> {
        let (step, scripted) = ended.map_err(|error| Error::internal(format!("a step's task: {error}")))?;
        self.running.remove(&step);
        let command =
            Command::Settle { step, owner: self.owner.clone(), outcome: scripted.outcome, log: scripted.log };
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
        if self.session.commit().await? == Commit::Rebased {
            // Somebody else moved the run: what is no longer ours to do is dropped.
            let machine = self.session.machine();
            for (step, cancel) in &self.running {
                if !machine.is_held_by(*step, &self.owner) {
                    cancel.cancel();
                }
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.session.machine().run().status.is_terminal()
    }

    /// Steps that wait while all hands are full are offered to other workers, once.
    async fn ask_for_help(&mut self) {
        let waiting = self.session.machine().count_ready();
        if self.asked_for_help || waiting < SIDE_BY_SIDE {
            return;
        }
        self.asked_for_help = true;
        self.claim_first = true;
        for _ in 0..(waiting / SIDE_BY_SIDE).min(MOST_HELPERS) {
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
        if self.out_of_time || machine.first_ready(now).is_some() {
            self.send(Duration::ZERO).await;
        } else if let Some(retry) = machine.next_retry() {
            self.send(retry.since(now)).await;
        }
        Ok(())
    }

    async fn send(&self, delay: Duration) {
        let run = &self.session.machine().run().key;
        if let Err(error) = self.state.queue.send(run, delay).await {
            tracing::warn!(%error, "no message could be sent; the run's deadline stands in for it");
        }
    }
}
