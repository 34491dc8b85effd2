//! What commands and time do to a run as the contract sees it.

use std::collections::BTreeSet;

use super::graphs::{Kind, Spec, lacks_grant};
use super::places::{Begun, Did, Place, Stand};
use super::reference::{Fate, Model, slot, top};
use super::rounds::Rounds;
use crate::slot::Slot;
use crate::status::SkipReason;
use crate::{FailureCode, RunStatus};
use workflow::{ErrorPolicy, OnTimeout};

/// Seconds that a lease outlives the timeout of its step.
const LEASE_MARGIN: i64 = 10;
/// Seconds that a graceful stop waits.
const LONGEST_DRAIN: i64 = 15 * 60;
/// Seconds that a run may stand still beyond its longest timeout and backoff.
const STALL_MARGIN: i64 = 15 * 60 + 300;
const LONGEST_OUTAGE: i64 = 24 * 3600;

impl Model {
    /// Something was done at a place.
    pub(super) fn did(&mut self, slot: Slot, did: Did, now: i64) {
        self.progress_at = now;
        self.note(slot, did, now);
        self.conclude(now);
    }

    fn note(&mut self, slot: Slot, did: Did, now: i64) {
        if matches!(did, Did::Begin(_)) && slot.inner.is_some() {
            self.round_mut(slot).since.get_or_insert(now);
        }
        self.place_mut(slot).did.push(did);
        self.follow(now);
    }

    pub(super) fn opened(&mut self, at: usize, now: i64) {
        let until = now + self.specs[at].common.timeout.expect("loops have one");
        let total = self.loop_spec(at).total;
        self.loops.insert(at, Rounds { until, total, ..Rounds::default() });
        self.did(top(at), Did::Begin(Begun { at: now, ..Begun::default() }), now);
    }

    /// A loop's result was put together.
    pub(super) fn closed(&mut self, at: usize, did: Did, now: i64) {
        self.loops.remove(&at);
        self.did(top(at), did, now);
    }

    /// A person has decided on a failed item.
    pub(super) fn reviewed(&mut self, slot: Slot, again: bool, now: i64) {
        self.progress_at = now;
        self.loops.get_mut(&slot.step.index()).expect("a loop").review = None;
        if again {
            self.try_again(slot);
        } else {
            self.round_mut(slot).left_out = true;
        }
        self.conclude(now);
    }

    fn try_again(&mut self, slot: Slot) {
        self.round_mut(slot).since = None;
        self.place_mut(slot).did.push(Did::Again);
    }

    /// What follows at once from what was done: loops fail, episodes close, runs fail or pause.
    fn follow(&mut self, now: i64) {
        while !self.status.is_terminal() && self.follow_once(now) {}
    }

    fn follow_once(&mut self, now: i64) -> bool {
        for (at, stand) in self.loop_stands() {
            if let Some(code) = stand.error {
                self.end_loop(at, code, now);
                return true;
            }
            let pauses = self.policy(at) == Some(ErrorPolicy::Pause) && !stand.held.is_empty();
            if pauses && self.status == RunStatus::Running {
                self.pause(now);
                return true;
            }
        }
        let fates = self.fates();
        for (at, fate) in fates.iter().enumerate() {
            match fate {
                Fate::Completed { .. } if self.closes(at) && self.closing.insert(at) => {
                    let untouched =
                        |other: &usize| !fates[*other].is_settled() && self.places[*other].did.is_empty();
                    self.closed.extend((0..fates.len()).filter(untouched));
                    return true;
                }
                Fate::Failed { code, .. } if !self.specs[at].common.keeps_errors => match self.status {
                    RunStatus::Running => {
                        self.halt((*code, Some(at)), RunStatus::Failed, now);
                        return true;
                    }
                    RunStatus::Paused if self.failure.is_none() => {
                        self.failure = Some((*code, Some(at)));
                        return true;
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        false
    }

    /// Whether completing this step closes the episode; without a step that waits for a grant there is none.
    fn closes(&self, at: usize) -> bool {
        let is_gated = |(at, spec): (usize, &Spec)| lacks_grant(at, spec);
        self.specs[at].terminal && self.specs.iter().enumerate().any(is_gated)
    }

    /// An attempt of a loop has failed.
    fn end_loop(&mut self, at: usize, code: FailureCode, now: i64) {
        self.orphans.extend(self.children(Some(at)).into_values());
        self.loops.remove(&at);
        self.place_mut(top(at)).did.push(Did::Failure { code, at: now, retry_after: 0 });
    }

    /// What follows when a command is done.
    pub(super) fn conclude(&mut self, now: i64) {
        self.follow(now);
        match self.status {
            RunStatus::Running => {
                self.ask_for_reviews();
                if self.fates().iter().all(Fate::is_settled) {
                    self.status = RunStatus::Completed;
                }
            }
            RunStatus::Draining if !self.is_under_way() => {
                self.halt((FailureCode::RunStopped, None), RunStatus::Stopped, now);
            }
            _ => {}
        }
    }

    fn ask_for_reviews(&mut self) {
        for (at, stand) in self.loop_stands() {
            let reviews = self.policy(at) == Some(ErrorPolicy::HumanReview);
            let rounds = self.loops.get_mut(&at).expect("a loop");
            if reviews && rounds.review.is_none() {
                rounds.review = stand.held.keys().next().copied();
            }
        }
    }

    /// Whether a graceful stop waits for something; a failed item that nobody has decided on is no such thing.
    fn is_under_way(&self) -> bool {
        use super::places::Pending;
        self.under_way().iter().any(|pending| !matches!(pending, Pending::Review { .. }))
    }

    /// The run ends before its steps do: what is under way is cancelled, what has not started is blocked.
    fn halt(&mut self, failure: (FailureCode, Option<usize>), status: RunStatus, now: i64) {
        self.orphans.extend(self.children(None).into_values());
        for (at, fate) in self.fates().into_iter().enumerate() {
            let ended = match fate {
                Fate::Open(Stand::UnderWay { attempt, .. }) => Fate::Cancelled { attempt },
                Fate::Waits | Fate::Open(_) => Fate::Skipped(SkipReason::Blocked),
                _ => continue,
            };
            self.halted.insert(at, ended);
        }
        self.loops.clear();
        self.failure = Some(failure);
        (self.paused_at, self.drain_until) = (None, None);
        self.progress_at = now;
        self.status = status;
    }

    pub(super) fn pause(&mut self, now: i64) {
        self.status = RunStatus::Paused;
        self.paused_at = Some(now);
        self.progress_at = now;
    }

    pub(super) fn resume(&mut self, now: i64) {
        self.postpone(now);
        self.progress_at = now;
        self.status = RunStatus::Running;
        if let Some(failure) = self.failure.take() {
            self.halt(failure, RunStatus::Failed, now);
            return;
        }
        for (at, stand) in self.loop_stands() {
            if self.policy(at) == Some(ErrorPolicy::Pause) {
                let attempt = self.attempt(at);
                stand
                    .held
                    .iter()
                    .for_each(|(round, place)| self.try_again(slot(at, attempt, *round, *place)));
            }
        }
        self.conclude(now);
    }

    /// A pause does not use up the time of waits.
    fn postpone(&mut self, now: i64) {
        let by = now - self.paused_at.take().expect("a pause");
        let later = |place: &mut Place| {
            if let Some(until) = place.begun_mut().and_then(|begun| begun.until.as_mut()) {
                *until += by;
            }
        };
        self.places.iter_mut().for_each(later);
        for rounds in self.loops.values_mut() {
            rounds.until += by;
            for round in rounds.rounds.values_mut() {
                round.since = round.since.map(|since| since + by);
                round.places.values_mut().for_each(later);
            }
        }
    }

    pub(super) fn stop(&mut self, graceful: bool, now: i64) {
        self.progress_at = now;
        if !graceful {
            self.halt((FailureCode::RunStopped, None), RunStatus::Stopped, now);
        } else if self.status != RunStatus::Draining {
            if self.paused_at.is_some() {
                self.postpone(now);
            }
            self.drain_until = Some(now + LONGEST_DRAIN);
            self.status = RunStatus::Draining;
            self.conclude(now);
        }
    }

    /// What a retry does again; none when what comes before `from` was not reached.
    pub(super) fn again(&self, from: Option<usize>) -> Option<BTreeSet<usize>> {
        let is_again = |(at, fate): (usize, &Fate)| match fate {
            Fate::Failed { .. } => !self.specs[at].common.keeps_errors,
            Fate::Cancelled { .. } | Fate::Skipped(SkipReason::Blocked) => true,
            _ => false,
        };
        let fates = self.fates();
        let mut again: BTreeSet<usize> =
            fates.iter().enumerate().filter(|one| is_again(*one)).map(|(at, _)| at).collect();
        let Some(from) = from else { return Some(again) };
        if again.iter().any(|other| self.after(*other).contains(&from)) {
            return None;
        }
        again.extend(self.after(from));
        again.insert(from);
        Some(again)
    }

    /// Every step that waits for this one, directly or not.
    fn after(&self, at: usize) -> BTreeSet<usize> {
        let mut after = BTreeSet::new();
        for (other, spec) in self.specs.iter().enumerate() {
            if spec.deps.iter().any(|dep| *dep == at || after.contains(dep)) {
                after.insert(other);
            }
        }
        after
    }

    pub(super) fn retry(&mut self, again: &BTreeSet<usize>, from: Option<usize>, now: i64) {
        for at in again {
            let before = self.places[*at].made(self.specs[*at].common.retries);
            self.places[*at] = Place { before, did: Vec::new() };
            self.halted.remove(at);
            self.closed.remove(at);
            self.closing.remove(at);
        }
        self.revived.extend(from.filter(|at| self.specs[*at].deps.is_empty()));
        self.failure = None;
        self.status = RunStatus::Running;
        self.progress_at = now;
        self.conclude(now);
    }

    /// Time has passed, and everything whose time is up ends: in the order of the graph, a loop before its
    /// rounds.
    pub(super) fn reap(&mut self, dead_before: Option<i64>, now: i64) {
        for at in 0..self.specs.len() {
            let mut rounds: Vec<Slot> = Vec::new();
            if let Some(stand) = self.loop_stands().remove(&at) {
                let attempt = self.attempt(at);
                let place = |(round, (place, _)): (&u32, &(u16, Stand))| slot(at, attempt, *round, *place);
                rounds = stand.open.iter().map(place).collect();
            }
            self.reap_top(at, dead_before, now);
            for slot in rounds {
                self.reap_round(slot, dead_before, now);
            }
        }
        if self.drain_until.is_some_and(|until| until <= now) {
            self.halt((FailureCode::DrainTimeout, None), RunStatus::Stopped, now);
        } else if self.is_stalled(dead_before, now) {
            self.halt((FailureCode::RunStalledOrTimedOut, None), RunStatus::Failed, now);
        }
        self.conclude(now);
    }

    fn time_runs(&self) -> bool {
        self.status != RunStatus::Paused
    }

    fn reap_top(&mut self, at: usize, dead_before: Option<i64>, now: i64) {
        if self.status.is_terminal() {
            return;
        }
        if let Some(rounds) = self.loops.get(&at) {
            if self.time_runs() && rounds.until <= now {
                self.progress_at = now;
                self.end_loop(at, FailureCode::StepTimeout, now);
                self.follow(now);
            }
            return;
        }
        let Fate::Open(Stand::UnderWay { begun, .. }) = &self.fates()[at] else { return };
        self.reap_place(top(at), begun, dead_before, now);
    }

    fn reap_round(&mut self, slot: Slot, dead_before: Option<i64>, now: i64) {
        let inner = slot.inner.expect("a round");
        let at = slot.step.index();
        let stands = self.loop_stands();
        let stand = stands.get(&at).filter(|_| self.attempt(at) == inner.attempt);
        let Some((place, stand)) = stand.and_then(|stand| stand.open.get(&inner.round)) else { return };
        assert_eq!(*place, inner.place, "nothing but time has moved it");
        let longest = self.loop_spec(at).round_timeout;
        let since = self.round_mut(slot).since;
        if self.time_runs() && since.zip(longest).is_some_and(|(since, longest)| since + longest <= now) {
            self.progress_at = now;
            if let Stand::UnderWay { begun, .. } = stand {
                self.orphans.extend(begun.child);
            }
            self.note(slot, Did::Cut, now);
        } else if let Stand::UnderWay { begun, .. } = stand {
            self.reap_place(slot, begun, dead_before, now);
        }
    }

    fn reap_place(&mut self, slot: Slot, begun: &Begun, dead_before: Option<i64>, now: i64) {
        let late = self.time_runs() && begun.until.is_some_and(|until| until <= now);
        let failure = |code| Did::Failure { code, at: now, retry_after: 0 };
        let did = match (&self.specs[slot.step.index()].kind, begun.child) {
            (_, Some(child)) if late => {
                self.orphans.insert(child);
                failure(FailureCode::StepTimeout)
            }
            (Kind::Person(on_timeout), _) if late => match on_timeout {
                None | Some(OnTimeout::Fail) => failure(FailureCode::HumanTaskFailed),
                Some(OnTimeout::Approve) => Did::Success { bytes: 2, yes: true },
                Some(OnTimeout::Reject) => Did::Success { bytes: 2, yes: false },
            },
            (_, Some(_)) | (Kind::Person(_), _) => return,
            _ => {
                let until = begun.at + self.script_timeout(slot) + LEASE_MARGIN;
                if until > now && dead_before.is_none_or(|dead| begun.at >= dead) {
                    return;
                }
                Did::Dead { at: now }
            }
        };
        self.progress_at = now;
        self.note(slot, did, now);
    }

    /// How long a script may take; a condition may take five seconds.
    pub(super) fn script_timeout(&self, slot: Slot) -> i64 {
        self.common(slot).map_or(5, |common| common.timeout.expect("scripts have one"))
    }

    /// What there is to begin is begun by whoever looks, so it may wait for a day longer.
    fn is_stalled(&self, process_start: Option<i64>, now: i64) -> bool {
        let waits = self.stands().iter().any(|(slot, stand)| match stand {
            Stand::Ready(ready) => ready.from.is_some(),
            Stand::UnderWay { begun, .. } => {
                begun.child.is_some() || matches!(self.specs[slot.step.index()].kind, Kind::Person(_))
            }
            Stand::Over { .. } => false,
        });
        let reviews = self.loops.values().any(|rounds| rounds.review.is_some());
        let longest = self.specs.iter().filter_map(|spec| spec.common.timeout).max().unwrap_or(0);
        let closes =
            self.under_way().iter().any(|pending| matches!(pending, super::places::Pending::Close { .. }));
        let outage = if closes || !self.ready(now).is_empty() { LONGEST_OUTAGE } else { 0 };
        let since = process_start.unwrap_or(self.progress_at).max(self.progress_at);
        let still = now - since > longest + STALL_MARGIN + outage;
        self.status == RunStatus::Running && !waits && !reviews && still
    }
}
