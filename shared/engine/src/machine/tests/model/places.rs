//! What was done at a place (a step, or an inner step in one round), and what that makes of it, read from the
//! contract: retries only for what may pass, a fresh budget after somebody had it tried again, at most five
//! workers lost on an attempt.

use crate::FailureCode;
use crate::slot::Slot;
use types::ids::RunId;

/// Something that was done, as the driver of the run knows it. Times are in seconds.
#[derive(Debug, Clone)]
pub(super) enum Did {
    /// Its gates did not let it.
    Skip,
    Begin(Begun),
    Success {
        bytes: usize,
        /// Of a person: approved. Of a `while`'s condition: it holds.
        yes: bool,
    },
    Failure {
        code: FailureCode,
        at: i64,
        retry_after: i64,
    },
    /// The worker's lease was over.
    Dead {
        at: i64,
    },
    /// The round had taken too long.
    Cut,
    /// Somebody had it tried again.
    Again,
}

/// An attempt that has begun.
#[derive(Debug, Clone, Default)]
pub(super) struct Begun {
    pub at: i64,
    pub owner: String,
    /// When a wait has lasted long enough.
    pub until: Option<i64>,
    pub child: Option<RunId>,
}

/// All that was done at a place.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    /// Attempts before the latest retry of the run.
    pub before: u32,
    pub did: Vec<Did>,
}

/// Where a place stands.
#[derive(Debug, Clone)]
pub(super) enum Stand {
    Ready(Ready),
    UnderWay { attempt: u32, begun: Begun },
    Over { attempt: u32, end: End },
}

/// An attempt that may begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    pub attempt: u32,
    /// Not before this time; none when it does not wait for a further attempt.
    pub from: Option<i64>,
    pub lost: u32,
}

/// How a place has ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Skipped,
    Success { bytes: usize, yes: bool },
    Failed(FailureCode),
    Cut,
}

impl Place {
    /// What all of that makes of it.
    pub(super) fn stand(&self, retries: u32) -> Stand {
        self.read(retries).0
    }

    fn read(&self, retries: u32) -> (Stand, u32) {
        let (mut attempt, mut used, mut lost) = (self.before, 0, 0);
        let ready = |attempt, from, lost| Stand::Ready(Ready { attempt, from, lost });
        let mut stand = ready(attempt + 1, None, 0);
        for did in &self.did {
            let mut failed = |code: FailureCode, at: i64, retry_after: i64, attempt: u32| {
                used += 1;
                if !code.is_transient() || used > retries {
                    return Stand::Over { attempt, end: End::Failed(code) };
                }
                let backoff = (1 << (used - 1)).max(retry_after).min(300);
                ready(attempt + 1, Some(at + backoff), 0)
            };
            stand = match (did, stand) {
                (Did::Skip, Stand::Ready(_)) => Stand::Over { attempt, end: End::Skipped },
                (Did::Begin(begun), Stand::Ready(next)) => {
                    attempt = next.attempt;
                    lost = next.lost;
                    Stand::UnderWay { attempt, begun: begun.clone() }
                }
                (Did::Success { bytes, yes }, Stand::UnderWay { .. }) => {
                    Stand::Over { attempt, end: End::Success { bytes: *bytes, yes: *yes } }
                }
                (Did::Failure { code, at, retry_after }, Stand::UnderWay { .. }) => {
                    failed(*code, *at, *retry_after, attempt)
                }
                (Did::Dead { at }, Stand::UnderWay { .. }) => ready(attempt, Some(*at), lost + 1),
                (Did::Cut, Stand::Ready(_) | Stand::UnderWay { .. }) => {
                    Stand::Over { attempt, end: End::Cut }
                }
                (Did::Again, Stand::Over { end: End::Failed(_) | End::Cut, .. }) => {
                    used = 0;
                    ready(attempt + 1, None, 0)
                }
                (did, stand) => panic!("{did:?} at a place that is {stand:?}"),
            };
        }
        (stand, attempt)
    }

    /// How many attempts have begun.
    pub(super) fn made(&self, retries: u32) -> u32 {
        self.read(retries).1
    }

    pub(super) fn begun_mut(&mut self) -> Option<&mut Begun> {
        match self.did.last_mut() {
            Some(Did::Begin(begun)) => Some(begun),
            _ => None,
        }
    }
}

/// Something under way, and what kind of thing.
#[derive(Debug, Clone)]
pub(super) enum Pending {
    Script { slot: Slot, begun: Begun },
    Person { slot: Slot },
    Child { slot: Slot, child: RunId },
    Review { slot: Slot },
    Close { step: usize },
}
