//! What a worker holds of the run that it moves, and what every part of the drive does with it: to apply a command, to
//! see what is next, to commit.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::hands::{Hand, Hands, Wants, hand};
use super::prepare::Call;
use super::scope::Scopes;
use engine::{Command, Slot, Work};
use platform::fair_semaphore::{FairPermit, Holder};
use platform::patience::Patience;
use services::run::{Commit, Session};
use services::state::AppState;
use services::step::{Effect, Performed, Scripts};
use services::under_way::Turn;
use types::clock::Timestamp;
use types::ids::RunId;
use types::{Error, Result};

/// What happened is written at the latest after this time (engine.md, *Budget*).
pub(super) const LONGEST_UNWRITTEN: Duration = Duration::from_millis(200);
/// … or after this many events: a step makes two.
const MOST_EVENTS: u64 = 200;
/// … or after this many bytes.
const MOST_BYTES: usize = 256 * 1024;
/// What an invocation keeps to write down what it has done.
const TIME_TO_COMMIT: Duration = Duration::from_secs(5);
/// Human tasks are written in one transaction with their run; it takes no more than a hundred items.
const MOST_TASKS: usize = 40;

/// A run, and what this worker has under way for it.
pub(super) struct Drive {
    pub(super) state: AppState,
    pub(super) session: Session,
    pub(super) scopes: Scopes,
    pub(super) owner: String,
    pub(super) claim_first: bool,
    pub(super) asked_for_help: bool,
    /// When this worker began, and how many scripts have ended since.
    pub(super) since: Instant,
    pub(super) settled: usize,
    pub(super) until: Instant,
    pub(super) out_of_time: bool,
    pub(super) tasks: JoinSet<(Slot, Performed)>,
    /// Where scripts are executed.
    pub(super) scripts: Scripts,
    pub(super) hands: Hands,
    /// Begun in memory, to be performed once that is written.
    pub(super) begun: Vec<BegunCall>,
    /// The same for scripts.
    pub(super) begun_scripts: Vec<(Slot, Option<FairPermit>)>,
    /// What calls brought is not written yet.
    pub(super) owes_results: bool,
    pub(super) patience: Patience,
    /// Whether the graph has steps that call the outside.
    pub(super) has_calls: bool,
    /// Child runs to start once it is written that steps wait for them.
    pub(super) to_call: Vec<(Slot, RunId)>,
    /// The change that time would have brought when the run was loaded: somebody was told of it.
    pub(super) known_change: Option<Timestamp>,
    /// When the oldest unwritten event came about.
    pub(super) unwritten_since: Option<Instant>,
    /// For the script that is begun next.
    pub(super) script_permit: Option<FairPermit>,
    /// By which permits are counted.
    pub(super) holder: Holder,
    /// Lets the run be moved beside others.
    pub(super) permit: Option<FairPermit>,
    /// The run's turn in this process.
    pub(super) turn: Option<Turn>,
    /// Until when it keeps others from beginning, while it is alone.
    pub(super) alone_until: Option<Instant>,
}

/// A call that was begun.
pub(super) struct BegunCall {
    pub(super) slot: Slot,
    pub(super) call: Call,
    pub(super) permit: Option<FairPermit>,
}

impl Drive {
    /// Takes up a run. `again` says that its message has been delivered before.
    pub(super) async fn new(
        state: &AppState,
        session: Session,
        again: bool,
        until: Instant,
        patience: &Patience,
    ) -> Result<Self> {
        Ok(Self {
            has_calls: session.machine().plan().any_step(|step| Effect::is_of(&step.kind)),
            state: state.clone(),
            scopes: Scopes::new(&session, state.clock.clone()).await?,
            known_change: session.machine().next_change(),
            holder: (&session.machine().run().key).into(),
            hands: Hands::new(&state.watch, &session.machine().run().key),
            session,
            owner: Uuid::new_v4().to_string(),
            claim_first: again,
            asked_for_help: false,
            since: Instant::now(),
            settled: 0,
            until,
            out_of_time: false,
            tasks: JoinSet::new(),
            scripts: Scripts::default(),
            begun: Vec::new(),
            begun_scripts: Vec::new(),
            owes_results: false,
            patience: patience.clone(),
            to_call: Vec::new(),
            unwritten_since: None,
            script_permit: None,
            permit: None,
            turn: None,
            alone_until: None,
        })
    }

    /// What to do next among what is wanted, if there is time for it.
    pub(super) fn next_work(&mut self, wants: &Wants) -> Option<Work> {
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

    pub(super) fn apply(&mut self, command: Command) -> Result<()> {
        self.session.apply(command).map_err(|refusal| Error::internal(format!("a ready step: {refusal:?}")))
    }

    pub(super) fn note_news(&mut self) {
        if self.session.has_news() {
            self.unwritten_since.get_or_insert_with(Instant::now);
        }
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
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

    pub(super) async fn commit_if_much(&mut self) -> Result<()> {
        if self.holds_much() {
            self.commit().await?;
        }
        Ok(())
    }

    /// Whether what is not written yet is as much as one commit may hold.
    pub(super) fn holds_much(&self) -> bool {
        let (events, bytes) = self.session.unwritten();
        events >= MOST_EVENTS || bytes >= MOST_BYTES || self.session.machine().tasks().len() >= MOST_TASKS
    }

    /// What is no longer ours to do is dropped.
    pub(super) fn drop_what_is_not_ours(&mut self) {
        let machine = self.session.machine();
        self.hands.keep(|slot| machine.is_held_by(slot, &self.owner));
    }

    pub(super) fn is_over(&self) -> bool {
        self.session.machine().run().status.is_terminal()
    }
}

/// The last moment at which something that may take this long can begin in an invocation that ends at `until`.
pub(super) fn latest_begin(until: Instant, timeout: Duration) -> Instant {
    until.checked_sub(timeout + TIME_TO_COMMIT).unwrap_or_else(Instant::now)
}
