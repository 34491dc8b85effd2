//! What the contract says that a run has come to, given what was done: read off the whole of it each time,
//! over the graph from its roots down. It knows nothing of commands' order but what time gives: which failure
//! was first, what had begun when the run was halted.

use std::collections::{BTreeMap, BTreeSet};

use super::graphs::{Common, Kind, LoopOf, LoopSpec, Spec};
use super::places::{Begun, End, Pending, Place, Stand};
use super::rounds::Round;
use super::rounds::{LoopStand, Rounds};
use crate::slot::{Inner, Slot};
use crate::status::SkipReason;
use crate::{FailureCode, RunStatus};
use types::ids::RunId;
use workflow::{ErrorPolicy, StepIx};

/// What has become of a step.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// Something it depends on is not settled.
    Waits,
    /// Its turn has come.
    Open(Stand),
    Completed {
        attempt: u32,
        rejected: bool,
    },
    Failed {
        attempt: u32,
        code: FailureCode,
    },
    Skipped(SkipReason),
    Cancelled {
        attempt: u32,
    },
}

impl Fate {
    pub(super) fn is_settled(&self) -> bool {
        !matches!(self, Self::Waits | Self::Open(_))
    }
}

/// A run as the contract sees it.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub specs: Vec<Spec>,
    pub places: Vec<Place>,
    /// Loops under way.
    pub loops: BTreeMap<usize, Rounds>,
    pub status: RunStatus,
    pub failure: Option<(FailureCode, Option<usize>)>,
    pub paused_at: Option<i64>,
    pub drain_until: Option<i64>,
    /// When it last went on, in seconds.
    pub progress_at: i64,
    pub orphans: BTreeSet<RunId>,
    /// Terminal steps that have closed the episode, and what that left out.
    pub closing: BTreeSet<usize>,
    pub closed: BTreeSet<usize>,
    /// Roots that were left out, and that a retry named.
    pub revived: BTreeSet<usize>,
    /// What a halted run has made of its steps that were not settled.
    pub halted: BTreeMap<usize, Fate>,
}

impl Model {
    pub(super) fn new(specs: Vec<Spec>) -> Self {
        let mut model = Self {
            places: vec![Place::default(); specs.len()],
            specs,
            loops: BTreeMap::new(),
            status: RunStatus::Running,
            failure: None,
            paused_at: None,
            drain_until: None,
            progress_at: 0,
            orphans: BTreeSet::new(),
            closing: BTreeSet::new(),
            closed: BTreeSet::new(),
            revived: BTreeSet::new(),
            halted: BTreeMap::new(),
        };
        model.conclude(0);
        model
    }

    /// What has become of each step.
    pub(super) fn fates(&self) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(self.specs.len());
        for at in 0..self.specs.len() {
            fates.push(self.fate(at, &fates));
        }
        fates
    }

    fn fate(&self, at: usize, before: &[Fate]) -> Fate {
        let spec = &self.specs[at];
        if let Some(fate) = self.halted.get(&at) {
            return fate.clone();
        }
        if self.closed.contains(&at) || (spec.left_out && !self.revived.contains(&at)) {
            return Fate::Skipped(SkipReason::OutOfScope);
        }
        let lets_go = |dep: &usize| match &before[*dep] {
            Fate::Completed { .. } | Fate::Skipped(_) => true,
            Fate::Failed { .. } => self.specs[*dep].common.keeps_errors,
            Fate::Waits | Fate::Open(_) | Fate::Cancelled { .. } => false,
        };
        if !spec.deps.iter().all(lets_go) {
            return Fate::Waits;
        }
        let is_rejected = |dep: &usize| {
            matches!(
                before[*dep],
                Fate::Completed { rejected: true, .. } | Fate::Skipped(SkipReason::Rejected)
            )
        };
        let is_left_out = |dep: &usize| matches!(before[*dep], Fate::Skipped(SkipReason::OutOfScope));
        if spec.common.condition.is_none() && spec.deps.iter().any(is_rejected) {
            return Fate::Skipped(SkipReason::Rejected);
        }
        if !spec.common.enabled {
            return Fate::Skipped(SkipReason::StepDisabled);
        }
        if !spec.deps.is_empty() && spec.deps.iter().all(is_left_out) {
            return Fate::Skipped(SkipReason::OutOfScope);
        }
        match self.places[at].stand(spec.common.retries) {
            Stand::Over { end: End::Skipped, .. } => {
                Fate::Skipped(spec.common.gate().expect("a closed gate"))
            }
            Stand::Over { attempt, end: End::Success { yes, .. } } => {
                Fate::Completed { attempt, rejected: matches!(spec.kind, Kind::Person(_)) && !yes }
            }
            Stand::Over { attempt, end: End::Failed(code) } => Fate::Failed { attempt, code },
            Stand::Over { end: End::Cut, .. } => panic!("only rounds are cut"),
            stand => Fate::Open(stand),
        }
    }

    pub(super) fn loop_spec(&self, at: usize) -> &LoopSpec {
        match &self.specs[at].kind {
            Kind::Loop(spec) => spec,
            kind => panic!("{kind:?} is no loop"),
        }
    }

    pub(super) fn policy(&self, at: usize) -> Option<ErrorPolicy> {
        match self.loop_spec(at).of {
            LoopOf::Items { policy, .. } => Some(policy),
            LoopOf::Iterations { .. } => None,
        }
    }

    /// The loops under way, and what their rounds have come to.
    pub(super) fn loop_stands(&self) -> BTreeMap<usize, LoopStand> {
        self.loops.iter().map(|(at, rounds)| (*at, self.loop_spec(*at).stand(rounds))).collect()
    }

    /// What can begin now.
    pub(super) fn ready(&self, now: i64) -> Vec<Slot> {
        if self.status != RunStatus::Running {
            return Vec::new();
        }
        self.stands().into_iter().filter(|(_, stand)| is_due(stand, now)).map(|(slot, _)| slot).collect()
    }

    /// Every place whose turn has come, and where it stands.
    pub(super) fn stands(&self) -> Vec<(Slot, Stand)> {
        let mut all = Vec::new();
        for (at, fate) in self.fates().into_iter().enumerate() {
            if let Fate::Open(stand) = fate {
                all.push((top(at), stand));
            }
        }
        for (at, stand) in self.loop_stands() {
            let attempt = self.attempt(at);
            for (round, (place, stand)) in stand.open {
                all.push((slot(at, attempt, round, place), stand));
            }
        }
        all
    }

    /// The attempt of a loop under way.
    pub(super) fn attempt(&self, at: usize) -> u32 {
        self.places[at].made(self.specs[at].common.retries)
    }

    /// Everything under way.
    pub(super) fn under_way(&self) -> Vec<Pending> {
        let mut all = Vec::new();
        for (slot, stand) in self.stands() {
            let Stand::UnderWay { begun, .. } = stand else { continue };
            let at = slot.step.index();
            match (&self.specs[at].kind, begun.child) {
                (_, Some(child)) => all.push(Pending::Child { slot, child }),
                (Kind::Person(_), _) => all.push(Pending::Person { slot }),
                (Kind::Loop(_), _) if slot.inner.is_none() => {}
                _ => all.push(Pending::Script { slot, begun }),
            }
        }
        for (at, stand) in self.loop_stands() {
            let rounds = &self.loops[&at];
            if let Some(round) = rounds.review {
                let slot = slot(at, self.attempt(at), round, stand.held[&round]);
                all.push(Pending::Review { slot });
            }
            if stand.is_over(rounds.total) {
                all.push(Pending::Close { step: at });
            }
        }
        all
    }

    /// What every step has, also an inner one; none for a `while`'s condition.
    pub(super) fn common(&self, slot: Slot) -> Option<&Common> {
        let at = slot.step.index();
        match slot.inner {
            None => Some(&self.specs[at].common),
            Some(inner) => self.loop_spec(at).inner(inner.place).map(|(common, _)| common),
        }
    }

    pub(super) fn is_call(&self, slot: Slot) -> bool {
        let at = slot.step.index();
        match slot.inner {
            None => matches!(self.specs[at].kind, Kind::Call { .. }),
            Some(inner) => self.loop_spec(at).inner(inner.place).is_some_and(|(_, calls)| *calls),
        }
    }

    pub(super) fn place_mut(&mut self, slot: Slot) -> &mut Place {
        match slot.inner {
            None => &mut self.places[slot.step.index()],
            Some(inner) => self.round_mut(slot).places.entry(inner.place).or_default(),
        }
    }

    pub(super) fn round_mut(&mut self, slot: Slot) -> &mut Round {
        let rounds = self.loops.get_mut(&slot.step.index()).expect("a loop under way");
        rounds.rounds.entry(slot.inner.expect("a round").round).or_default()
    }

    /// The runs that steps wait for, of one step or of all.
    pub(super) fn children(&self, of: Option<usize>) -> BTreeMap<Slot, RunId> {
        let child = |stand: &Stand| match stand {
            Stand::UnderWay { begun: Begun { child, .. }, .. } => *child,
            _ => None,
        };
        let stands =
            self.stands().into_iter().filter(|(slot, _)| of.is_none_or(|at| slot.step.index() == at));
        stands.filter_map(|(slot, stand)| Some((slot, child(&stand)?))).collect()
    }
}

impl Common {
    /// Why its gates do not let it.
    pub(super) fn gate(&self) -> Option<SkipReason> {
        match (self.condition, self.skip_when) {
            (Some(false), _) => Some(SkipReason::ConditionFalse),
            (_, Some(true)) => Some(SkipReason::SkipWhen),
            _ => None,
        }
    }
}

/// Whether it may begin now.
pub(super) fn is_due(stand: &Stand, now: i64) -> bool {
    matches!(stand, Stand::Ready(ready) if ready.from.is_none_or(|from| from <= now))
}

pub(super) fn top(at: usize) -> Slot {
    StepIx(u16::try_from(at).expect("a small graph")).into()
}

pub(super) fn slot(at: usize, attempt: u32, round: u32, place: u16) -> Slot {
    Slot { inner: Some(Inner { attempt, round, place }), ..top(at) }
}
