//! What the rounds of a loop make of it, read from the contract.

use std::collections::{BTreeMap, BTreeSet};

use super::graphs::{Common, LoopOf, LoopSpec};
use super::places::{End, Place, Ready, Stand};
use crate::FailureCode;
use workflow::ErrorPolicy;
use workflow::limits::RESULT_MAX_BYTES;

/// What was done in one attempt of a loop.
#[derive(Debug, Clone, Default)]
pub(super) struct Rounds {
    /// When all of it must be over, in seconds.
    pub until: i64,
    pub total: u32,
    pub rounds: BTreeMap<u32, Round>,
    /// The failed item that a person is asked about.
    pub review: Option<u32>,
}

/// What was done in one round.
#[derive(Debug, Clone, Default)]
pub(super) struct Round {
    pub places: BTreeMap<u16, Place>,
    /// When it began, or was let go on.
    pub since: Option<i64>,
    /// A person wants no further try.
    pub left_out: bool,
}

/// What that makes of the loop.
#[derive(Debug, Clone, Default)]
pub(super) struct LoopStand {
    pub next: u32,
    /// Rounds under way, where they stand.
    pub open: BTreeMap<u32, (u16, Stand)>,
    /// Rounds that failed and wait for a decision, and where.
    pub held: BTreeMap<u32, u16>,
    pub succeeded: u32,
    pub failed: BTreeSet<u32>,
    pub met: bool,
    /// Why the whole attempt has failed.
    pub error: Option<FailureCode>,
}

impl LoopStand {
    pub(super) fn is_over(&self, total: u32) -> bool {
        self.open.is_empty() && self.held.is_empty() && (self.met || self.next >= total)
    }
}

/// Where one round stands.
enum RoundStand {
    At(u16, Stand),
    Failed(u16, FailureCode),
    /// At its end; of a `while`, whether its condition holds.
    Done(bool),
}

impl LoopSpec {
    /// What stands at a place; none for a `while`'s condition.
    pub(super) fn inner(&self, place: u16) -> Option<&(Common, bool)> {
        self.body.get(usize::from(place))
    }

    fn is_while(&self) -> bool {
        matches!(self.of, LoopOf::Iterations { .. })
    }

    fn round(&self, round: &Round, bytes: &mut usize) -> RoundStand {
        let nothing = Place::default();
        for (place, (common, _)) in (0..).zip(&self.body) {
            if !common.enabled {
                continue;
            }
            let stand = round.places.get(&place).unwrap_or(&nothing).stand(common.retries);
            match stand {
                Stand::Over { end: End::Skipped, .. } => {}
                Stand::Over { end: End::Success { bytes: made, .. }, .. } => *bytes += made,
                Stand::Over { end: End::Failed(_), .. } if common.keeps_errors => {}
                Stand::Over { end: End::Failed(code), .. } => return RoundStand::Failed(place, code),
                Stand::Over { end: End::Cut, .. } => {
                    return RoundStand::Failed(place, FailureCode::StepTimeout);
                }
                stand => return RoundStand::At(place, stand),
            }
        }
        if !self.is_while() {
            return RoundStand::Done(false);
        }
        let place = self.condition();
        match round.places.get(&place).unwrap_or(&nothing).stand(0) {
            Stand::Over { end: End::Success { yes, .. }, .. } => RoundStand::Done(yes),
            Stand::Over { end: End::Failed(code), .. } => RoundStand::Failed(place, code),
            Stand::Over { end: End::Cut, .. } => RoundStand::Failed(place, FailureCode::StepTimeout),
            stand => RoundStand::At(place, stand),
        }
    }

    /// The place of a `while`'s condition.
    pub(super) fn condition(&self) -> u16 {
        u16::try_from(self.body.len()).expect("a short body")
    }

    /// What the rounds make of the loop.
    pub(super) fn stand(&self, rounds: &Rounds) -> LoopStand {
        let mut stand = LoopStand::default();
        let (mut bytes, mut over) = (0, 0);
        let untouched = Round::default();
        for index in 0..rounds.total {
            let round = rounds.rounds.get(&index).unwrap_or(&untouched);
            match (self.round(round, &mut bytes), &self.of) {
                (RoundStand::At(place, at), _) => {
                    stand.open.insert(index, (place, at));
                }
                (RoundStand::Failed(..), _) if round.left_out => {
                    stand.failed.insert(index);
                }
                (RoundStand::Failed(place, _), LoopOf::Items { policy, .. }) => match policy {
                    ErrorPolicy::FailFast => stand.error = Some(FailureCode::ForEachFailed),
                    ErrorPolicy::ContinueOnError => {
                        stand.failed.insert(index);
                    }
                    ErrorPolicy::Pause | ErrorPolicy::HumanReview => {
                        stand.held.insert(index, place);
                    }
                },
                (RoundStand::Failed(_, code), LoopOf::Iterations { .. }) => stand.error = Some(code),
                (RoundStand::Done(holds), LoopOf::Iterations { until }) => {
                    stand.met |= holds == *until;
                    stand.succeeded += 1;
                }
                (RoundStand::Done(_), LoopOf::Items { .. }) => stand.succeeded += 1,
            }
        }
        over += stand.succeeded + u32::try_from(stand.failed.len()).expect("few");
        stand.next = match self.of {
            LoopOf::Items { parallel, .. } => rounds.total.min(over + parallel),
            LoopOf::Iterations { .. } => rounds.total.min(over + u32::from(!stand.met)),
        };
        // Further rounds are not open yet; nothing was done in them.
        let later = stand.open.split_off(&stand.next);
        assert!(later.values().all(|(_, at)| is_untouched(at)), "{later:?}");
        if bytes > RESULT_MAX_BYTES {
            stand.error = Some(FailureCode::ResultTooLarge);
        }
        stand
    }
}

fn is_untouched(stand: &Stand) -> bool {
    matches!(stand, Stand::Ready(Ready { attempt: 1, from: None, lost: 0 }))
}
