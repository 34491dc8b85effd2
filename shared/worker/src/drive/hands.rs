//! What this worker has under way for one run: scripts on threads, calls of the outside as tasks. It knows how many
//! of each there may be, ends those that are no longer wanted, and knows when to look whether somebody has stopped
//! the run while calls are under way.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{AbortHandle, Id};
use tokio::time::{Instant, sleep_until};

use engine::{Machine, Slot};
use services::run::{RunWatch, Waiter};
use services::step::{CancelHandle, Effect};
use types::ids::RunRef;
use workflow::StepKind;

/// Scripts of one run that a worker executes at a time.
pub(crate) const SCRIPTS_SIDE_BY_SIDE: usize = 4;
/// Calls of the outside that a worker has under way at a time for one run: as many as a `for_each` may have rounds.
const CALLS_SIDE_BY_SIDE: usize = 100;
/// While calls are under way and nothing is committed, the run is read after this time to see whether it was
/// stopped, and then after twice that, and so on: a call of ten seconds costs no read for it.
const FIRST_LOOK: Duration = Duration::from_secs(10);
const MAX_LOOK: Duration = Duration::from_secs(60);
/// The same while scripts run, each time: they take a thread from others, which costs more than the read.
const LOOK_AT_SCRIPTS: Duration = Duration::from_secs(1);

/// What a step keeps busy while it is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    /// Nothing.
    None,
    /// A thread.
    Script,
    /// A task, and a connection.
    Call,
}

/// What a step keeps busy while it is executed: a `while`'s condition is a script or looked at here; who waits, or
/// opens rounds that begin on their own, keeps nobody busy.
pub(crate) fn hand(machine: &Machine, slot: Slot) -> Hand {
    match machine.kind(slot) {
        None | Some(StepKind::LuaScript(_)) => Hand::Script,
        Some(kind) if Effect::is_of(kind) => Hand::Call,
        Some(_) => Hand::None,
    }
}

/// For what there is room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wants {
    none: bool,
    script: bool,
    call: bool,
}

impl Wants {
    pub(crate) const ALL: Self = Self { none: true, script: true, call: true };
    pub(crate) const CALLS: Self = Self { none: false, script: false, call: true };
    pub(crate) const SCRIPTS: Self = Self { none: false, script: true, call: false };
    pub(crate) const BUT_CALLS: Self = Self { none: true, script: true, call: false };

    /// What keeps nobody busy is begun with the rest, so that a commit holds all of it.
    pub(crate) fn these(script: bool, call: bool) -> Self {
        Self { none: true, script, call }
    }

    pub(crate) fn has(self, hand: Hand) -> bool {
        match hand {
            Hand::None => self.none,
            Hand::Script => self.script,
            Hand::Call => self.call,
        }
    }
}

#[derive(Debug)]
enum UnderWay {
    Script(CancelHandle),
    Call(AbortHandle),
}

/// What is under way.
#[derive(Debug)]
pub(crate) struct Hands {
    under_way: HashMap<Slot, UnderWay>,
    scripts: usize,
    calls: usize,
    watch: RunWatch,
    run: RunRef,
    /// Hears of commits of this process, while something is under way or waited for.
    waiter: Option<Waiter>,
    last_look: Instant,
    look_after: Duration,
}

impl Hands {
    pub(crate) fn new(watch: &RunWatch, run: &RunRef) -> Self {
        Self {
            under_way: HashMap::new(),
            scripts: 0,
            calls: 0,
            watch: watch.clone(),
            run: run.clone(),
            waiter: None,
            last_look: Instant::now(),
            look_after: FIRST_LOOK,
        }
    }

    pub(crate) fn has_room_for_script(&self, begun: usize) -> bool {
        self.scripts + begun < SCRIPTS_SIDE_BY_SIDE
    }

    pub(crate) fn has_room_for_call(&self, begun: usize) -> bool {
        self.calls + begun < CALLS_SIDE_BY_SIDE
    }

    /// Hears of commits from now on, until nothing is under way any more.
    pub(crate) fn listen(&mut self) {
        if self.waiter.is_none() {
            self.waiter = Some(self.watch.subscribe(&self.run));
            self.looked();
        }
    }

    pub(crate) fn takes_script(&mut self, slot: Slot, cancel: CancelHandle) {
        self.listen();
        self.scripts += 1;
        self.under_way.insert(slot, UnderWay::Script(cancel));
    }

    pub(crate) fn takes_call(&mut self, slot: Slot, call: AbortHandle) {
        self.listen();
        self.calls += 1;
        self.under_way.insert(slot, UnderWay::Call(call));
    }

    /// It has ended, or is dropped.
    pub(crate) fn lets_go(&mut self, slot: Slot) {
        match self.under_way.remove(&slot) {
            Some(UnderWay::Script(_)) => self.scripts -= 1,
            Some(UnderWay::Call(_)) => self.calls -= 1,
            None => {}
        }
        if self.under_way.is_empty() {
            self.waiter = None;
        }
    }

    /// The step that this task is a call of.
    pub(crate) fn call_of(&self, task: Id) -> Option<Slot> {
        let is_it = |way: &UnderWay| matches!(way, UnderWay::Call(call) if call.id() == task);
        self.under_way.iter().find(|(_, way)| is_it(way)).map(|(slot, _)| *slot)
    }

    /// Ends what is not to be kept: a call is dropped where it stands; a script notices at its next interrupt, and
    /// keeps its thread until then.
    pub(crate) fn keep(&mut self, is_kept: impl Fn(Slot) -> bool) {
        let dropped: Vec<Slot> = self.under_way.keys().copied().filter(|slot| !is_kept(*slot)).collect();
        for slot in dropped {
            match self.under_way.get(&slot) {
                Some(UnderWay::Script(cancel)) => cancel.cancel(),
                Some(UnderWay::Call(call)) => {
                    call.abort();
                    self.lets_go(slot);
                }
                None => {}
            }
        }
    }

    pub(crate) fn drop_all(&mut self) {
        self.keep(|_| false);
    }

    /// Whether calls are all that is under way.
    pub(crate) fn is_only_calling(&self) -> bool {
        self.calls > 0 && self.scripts == 0
    }

    /// The run was read or written just now.
    pub(crate) fn looked(&mut self) {
        self.look_after = FIRST_LOOK;
        self.last_look = Instant::now();
    }

    /// Ends when the run should be read: another commit of this process was heard of, or it is time to.
    pub(crate) async fn time_to_look(&mut self, machine: &Machine) {
        let seen = machine.page().next_seq();
        let look_after = if self.scripts > 0 { LOOK_AT_SCRIPTS } else { self.look_after };
        let heard = async {
            match &mut self.waiter {
                Some(waiter) => loop {
                    // Our own commits are heard of, too.
                    if waiter.changed().await.is_some_and(|change| change.seq >= seen) {
                        return;
                    }
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = heard => {}
            () = sleep_until(self.last_look + look_after) => {
                self.last_look = Instant::now();
                self.look_after = (look_after * 2).clamp(FIRST_LOOK, MAX_LOOK);
            }
        }
    }
}
