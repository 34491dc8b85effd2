//! Loops: opening rounds, moving them through the body, and what a failed one leads to.

use std::sync::Arc;

use serde_json::{Value, json};

use super::attempts::shortened;
use super::{MOST_OPEN, millis};
use super::{Machine, OpenTask, Outcome, Refusal, RunStatus, SkipReason, Slot, StepState, TaskChange, Wait};
use crate::FailureCode;
use crate::command::StepFailure;
use crate::event::EventKind;
use crate::failure::{LOOP_TOO_LARGE, too_large};
use crate::slot::Inner;
use crate::step_state::{Held, Loop, Round};
use types::clock::Timestamp;
use types::json_text::JsonText;
use workflow::limits::RESULT_MAX_BYTES;
use workflow::{ErrorPolicy, StepIx, StepKind, WhileMode};

/// The type of the human task that decides on a failed item.
pub const REVIEW: &str = "item_review";

impl Machine {
    /// The attempt and the rounds of a loop that is under way.
    pub fn rounds(&self, step: StepIx) -> Option<(u32, &Loop)> {
        match &self.run.steps[step.index()] {
            StepState::Looping { attempt, rounds, .. } => Some((*attempt, rounds)),
            _ => None,
        }
    }

    fn rounds_mut(&mut self, step: StepIx) -> Option<&mut Loop> {
        match &mut self.run.steps[step.index()] {
            StepState::Looping { rounds, .. } => Some(rounds),
            _ => None,
        }
    }

    pub(super) fn round_mut(&mut self, step: StepIx, round: u32) -> Option<&mut Round> {
        self.rounds_mut(step)?.open.get_mut(&round)
    }

    pub(super) fn is_held(&self, slot: Slot) -> bool {
        let of_round = |inner: Inner| self.rounds(slot.step)?.1.open.get(&inner.round);
        slot.inner.and_then(of_round).is_some_and(|round| round.held.is_some())
    }

    fn body_len(&self, step: StepIx) -> u16 {
        let len = self.plan.step(step).body.as_ref().map_or(0, |body| body.steps.len());
        u16::try_from(len).unwrap_or(u16::MAX)
    }

    fn is_while(&self, step: StepIx) -> bool {
        matches!(self.plan.step(step).step.kind, StepKind::While(_))
    }

    /// Whether this is the condition of a `while`, which is not a step of its own for readers.
    pub fn is_condition(&self, slot: Slot) -> bool {
        slot.inner.is_some_and(|inner| inner.place == self.body_len(slot.step))
    }

    pub(super) fn open_loop(
        &mut self,
        step: StepIx,
        total: u32,
        input: JsonText,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (attempt, _) = self.to_begin(step.into(), now)?;
        self.note_begin(step.into(), attempt, Some(input), now);
        let until = now.plus(self.timeout(step.into()).unwrap_or_default());
        let rounds = Box::new(Loop::of(total));
        self.set(step.into(), StepState::Looping { attempt, started_at: now, until, rounds });
        self.looping.insert(step);
        self.open_rounds(step, now);
        Ok(())
    }

    /// Opens rounds as far as there is room.
    fn open_rounds(&mut self, step: StepIx, now: Timestamp) {
        let room = match &self.plan.step(step).step.kind {
            StepKind::ForEach(each) => each.for_each_max_parallel.max(1) as usize,
            _ => 1,
        };
        while let Some(rounds) = self.rounds_mut(step)
            && rounds.open.len() < room
            && rounds.next < rounds.total
            && !rounds.condition_met
        {
            let round = rounds.next;
            rounds.next += 1;
            rounds.open.insert(round, Round::default());
            self.come_to(step, round, 0, now);
        }
    }

    /// A round has come to this place of the body, or past it when what stands there is disabled.
    fn come_to(&mut self, step: StepIx, round: u32, mut place: u16, now: Timestamp) {
        let plan = Arc::clone(&self.plan);
        let body = plan.step(step).body.as_ref().map_or(&[][..], |body| &body.steps);
        while body.get(usize::from(place)).is_some_and(|inner| !inner.step.enabled) {
            place += 1;
        }
        if place < self.body_len(step) || self.is_while(step) {
            if let Some(round) = self.round_mut(step, round) {
                round.place = place;
                round.state = StepState::Pending;
                round.attempts_before = 0;
            }
        } else {
            self.end_round(step, round, false, now);
        }
    }

    pub(super) fn skip_inner(&mut self, slot: Slot, reason: SkipReason, now: Timestamp) {
        let Some(inner) = slot.inner else { return };
        self.page.push(now, Some(slot), EventKind::StepSkipped { reason });
        self.come_to(slot.step, inner.round, inner.place + 1, now);
    }

    pub(super) fn inner_succeeded(
        &mut self,
        slot: Slot,
        started_at: Timestamp,
        result: JsonText,
        bytes: usize,
        now: Timestamp,
    ) {
        let Some(inner) = slot.inner else { return };
        if self.is_condition(slot) {
            self.decide(
                slot.step,
                inner.round,
                result.at(&["pass"]).is_some_and(|pass| pass.get() == "true"),
                now,
            );
            return;
        }
        self.note_executed(slot, started_at, now);
        let duration_ms = millis(now.since(started_at));
        if self.keep_output(slot, result, bytes, now) {
            self.page.push(now, Some(slot), EventKind::StepCompleted { duration_ms });
            self.come_to(slot.step, inner.round, inner.place + 1, now);
        }
    }

    /// Keeps what an inner step made; false when the loop has become too large by it and has failed.
    fn keep_output(&mut self, slot: Slot, output: JsonText, bytes: usize, now: Timestamp) -> bool {
        let (Some(inner), Some(rounds)) = (slot.inner, self.rounds_mut(slot.step)) else { return false };
        rounds.bytes += bytes;
        let total = rounds.bytes;
        if let Some(round) = rounds.open.get_mut(&inner.round)
            && inner.place != Inner::FAILURE
        {
            round.made.push(inner.place);
        }
        self.page.put_result(slot, output, bytes);
        if total <= RESULT_MAX_BYTES {
            return true;
        }
        let step = self.step_of(slot).map_or("while_condition", |step| step.id.as_str());
        let what = format!(
            "With step {step:?} of iteration {}, the outputs of the loop's inner steps take {total} bytes of JSON together",
            inner.round
        );
        let error = too_large(&what, LOOP_TOO_LARGE);
        self.fail_loop(slot.step, FailureCode::ResultTooLarge, error, now);
        false
    }

    /// The condition of a `while` was looked at.
    fn decide(&mut self, step: StepIx, round: u32, holds: bool, now: Timestamp) {
        let StepKind::While(kind) = &self.plan.step(step).step.kind else { return };
        let enough = match kind.while_mode {
            Some(WhileMode::While) => !holds,
            Some(WhileMode::Until) | None => holds,
        };
        if let Some(rounds) = self.rounds_mut(step) {
            rounds.condition_met = enough;
        }
        self.end_round(step, round, false, now);
    }

    fn end_round(&mut self, step: StepIx, index: u32, failed: bool, now: Timestamp) {
        let Some((attempt, _)) = self.rounds(step) else { return };
        let Some(rounds) = self.rounds_mut(step) else { return };
        let Some(round) = rounds.open.remove(&index) else { return };
        if failed {
            rounds.failed.insert(index);
        } else {
            rounds.succeeded += 1;
        }
        rounds.made_before = round.made;
        let slot = Slot { step, inner: Some(Inner { attempt, round: index, place: Inner::FAILURE }) };
        self.page.push(now, Some(slot), EventKind::IterationCompleted { index, failed });
        self.open_rounds(step, now);
    }

    /// An inner step has failed for good.
    pub(super) fn inner_failed(&mut self, slot: Slot, code: FailureCode, error: &str, now: Timestamp) {
        let Some(inner) = slot.inner else { return };
        let id = self.step_of(slot).map_or("while_condition", |step| step.id.as_str()).to_owned();
        let failure = json!({ "code": code, "message": error, "step_id": id });
        if self.step_of(slot).is_some_and(|step| step.continue_on_error) {
            let output = JsonText::from(json!({ "error": failure }));
            let bytes = output.bytes();
            if let Some(round) = self.round_mut(slot.step, inner.round) {
                round.failed.push(inner.place);
            }
            if self.keep_output(slot, output, bytes, now) {
                self.come_to(slot.step, inner.round, inner.place + 1, now);
            }
            return;
        }
        self.fail_round(slot, (code, &failure), now);
    }

    /// A round has failed: what the loop's policy says of that.
    pub(super) fn fail_round(&mut self, slot: Slot, (code, failure): (FailureCode, &Value), now: Timestamp) {
        let Some(inner) = slot.inner else { return };
        let text = |key: &str| failure[key].as_str().unwrap_or_default();
        let told =
            |what: &str| format!("{what} {}, step {}: {}", inner.round, text("step_id"), text("message"));
        let StepKind::ForEach(each) = &self.plan.step(slot.step).step.kind else {
            let error = told("iteration");
            self.fail_loop(slot.step, code, error, now);
            return;
        };
        match each.for_each_error_policy {
            ErrorPolicy::FailFast => {
                let error = told("item");
                self.fail_loop(slot.step, FailureCode::ForEachFailed, error, now);
            }
            ErrorPolicy::ContinueOnError => {
                let failure = JsonText::from(failure);
                let bytes = failure.bytes();
                if self.keep_output(slot.at_place(Inner::FAILURE), failure, bytes, now) {
                    self.end_round(slot.step, inner.round, true, now);
                }
            }
            ErrorPolicy::Pause => {
                self.hold(slot, code, failure);
                if self.run.status == RunStatus::Running {
                    self.pause("for_each_item_failed", now);
                }
            }
            ErrorPolicy::HumanReview => self.hold(slot, code, failure),
        }
    }

    /// A failed round stays open, at the step that failed, until it is decided on.
    fn hold(&mut self, slot: Slot, code: FailureCode, failure: &Value) {
        let Some(inner) = slot.inner else { return };
        let attempts = self.attempts_made(slot);
        let held = Held { code, error: shortened(failure["message"].as_str().unwrap_or_default()) };
        let failure = JsonText::from(failure);
        let bytes = failure.bytes();
        self.page.put_result(slot.at_place(Inner::FAILURE), failure, bytes);
        if let Some(round) = self.round_mut(slot.step, inner.round) {
            round.held = Some(held);
            round.state = StepState::Pending;
            round.attempts_before = attempts;
            round.started_at = None;
        }
    }

    /// Puts the next review of each loop whose failed items wait for one: one at a time for a loop.
    pub(super) fn open_reviews(&mut self, now: Timestamp) {
        // While a run is paused or drains nothing new starts, and a question to a person would be that.
        if self.run.status != RunStatus::Running {
            return;
        }
        for step in self.looping.clone() {
            let StepKind::ForEach(each) = &self.plan.step(step).step.kind else { continue };
            let reviews = each.for_each_error_policy == ErrorPolicy::HumanReview;
            let Some((attempt, rounds)) = self.rounds(step).filter(|_| reviews) else { continue };
            let is_put =
                |round: &Round| round.held.is_some() && matches!(round.state, StepState::Waiting { .. });
            let next = rounds.open.iter().find(|(_, round)| round.held.is_some());
            let Some((&index, round)) = next.filter(|_| !rounds.open.values().any(is_put)) else { continue };
            if !self.has_room(MOST_OPEN) {
                return;
            }
            let inner = Inner { attempt, round: index, place: round.place };
            let slot = Slot { step, inner: Some(inner) };
            let step_id = self.step_of(slot).map_or("", |step| step.id.as_str()).to_owned();
            let attempt = round.attempts_before;
            let error = round.held.as_ref().map(|held| json!({ "code": held.code, "message": held.error }));
            let payload = json!({ "index": index, "step_id": step_id, "attempt": attempt, "error": error });
            self.set(slot, StepState::Waiting { attempt, started_at: now, until: None, on: Wait::Person });
            self.put_task(slot, REVIEW, payload, None, now);
        }
    }

    pub(super) fn put_task(
        &mut self,
        slot: Slot,
        task_type: &str,
        payload: Value,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        self.page.push(now, Some(slot), EventKind::HumanTaskCreated { expires_at });
        let task = OpenTask {
            task_id: slot.task_id(&self.plan),
            step_id: self.plan.step(slot.step).step.id.clone(),
            task_type: task_type.to_owned(),
            payload,
            created_at: now,
            expires_at,
        };
        self.tasks.insert(slot, TaskChange::Opened(task));
        self.open_tasks += 1;
    }

    /// A failed item was decided on: it is tried again where it failed, or left out.
    pub(super) fn decide_on_held(&mut self, slot: Slot, again: bool, now: Timestamp) {
        let Some(inner) = slot.inner else { return };
        let Some(round) = self.round_mut(slot.step, inner.round) else { return };
        round.held = None;
        round.state = StepState::Pending;
        if again {
            return;
        }
        // Why it failed was kept when the item was held.
        self.end_round(slot.step, inner.round, true, now);
    }

    /// Items that failed under the policy `pause` are tried again where they failed.
    pub(super) fn let_held_go(&mut self) {
        for step in self.looping.clone() {
            let StepKind::ForEach(each) = &self.plan.step(step).step.kind else { continue };
            if each.for_each_error_policy == ErrorPolicy::Pause
                && let Some(rounds) = self.rounds_mut(step)
            {
                rounds.open.values_mut().for_each(|round| round.held = None);
            }
        }
    }

    pub(super) fn fail_loop(&mut self, step: StepIx, code: FailureCode, error: String, now: Timestamp) {
        let StepState::Looping { attempt, started_at, .. } = self.run.steps[step.index()] else { return };
        self.abandon(step.into());
        let failure = StepFailure::new(code, error);
        self.fail_attempt(step.into(), attempt, started_at, failure, now);
    }

    pub(super) fn close_loop(
        &mut self,
        step: StepIx,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match &self.run.steps[step.index()] {
            StepState::Looping { attempt, started_at, rounds, .. } if rounds.is_over() => {
                let (attempt, started_at) = (*attempt, *started_at);
                self.conclude(step.into(), attempt, started_at, outcome, now);
                Ok(())
            }
            _ => Err(Refusal::NotYours),
        }
    }
}
