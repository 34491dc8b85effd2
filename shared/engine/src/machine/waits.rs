//! Steps that wait for a person or for a child run.

use serde_json::{Map, Value, json};

use super::{MOST_OPEN, MOST_OPEN_TASKS, Machine, Outcome, Refusal, Slot, StepState, TaskChange, Wait};
use crate::command::Answer;
use crate::event::EventKind;
use crate::{FailureCode, StepFailure};
use types::clock::Timestamp;
use types::ids::RunId;
use types::json_text::{JsonText, to_value};
use workflow::{OnTimeout, StepIx, StepKind};

impl Machine {
    /// The open human tasks: steps that wait for a person, and reviews of failed items.
    pub fn waiting_for_people(&self) -> impl Iterator<Item = Slot> {
        self.waiting().filter(|(_, on)| **on == Wait::Person).map(|(slot, _)| slot)
    }

    /// The child runs that steps wait for.
    pub fn children(&self) -> impl Iterator<Item = (Slot, RunId)> {
        self.waiting().filter_map(|(slot, on)| match on {
            Wait::Child(child) => Some((slot, *child)),
            Wait::Person => None,
        })
    }

    fn waiting(&self) -> impl Iterator<Item = (Slot, &Wait)> {
        self.unsettled().filter_map(|(slot, state)| match state {
            StepState::Waiting { on, .. } => Some((slot, on)),
            _ => None,
        })
    }

    pub(super) fn wait(
        &mut self,
        slot: Slot,
        on: Wait,
        input: &JsonText,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (attempt, _) = self.to_begin(slot, now)?;
        if on == Wait::Person && !self.has_room(MOST_OPEN_TASKS) {
            return Err(Refusal::NotYours);
        }
        let until = self.timeout(slot).map(|timeout| now.plus(timeout));
        self.note_begin(slot, attempt, Some(input.clone()), now);
        let person = on == Wait::Person;
        self.set(slot, StepState::Waiting { attempt, started_at: now, until, on });
        if person {
            let task_type = input.text_at(&["task_type"]).unwrap_or_default();
            let payload = input.at(&["task_payload"]).map_or_else(|| json!({}), to_value);
            self.put_task(slot, &task_type, payload, until, now);
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, slot: Slot, answer: Answer, now: Timestamp) -> Result<(), Refusal> {
        match self.state(slot) {
            Some(StepState::Waiting { on: Wait::Person, attempt, started_at, .. }) => {
                let (attempt, started_at) = (*attempt, *started_at);
                self.take_answer(slot, attempt, started_at, answer, now);
                Ok(())
            }
            _ => Err(Refusal::NotYours),
        }
    }

    fn take_answer(
        &mut self,
        slot: Slot,
        attempt: u32,
        started_at: Timestamp,
        answer: Answer,
        now: Timestamp,
    ) {
        let Answer { approved, result, notes, completed_by } = answer;
        self.close_task(slot);
        self.page.push(now, Some(slot), EventKind::HumanTaskCompleted { approved, completed_by, notes });
        if slot.inner.is_some() {
            self.decide_on_held(slot, approved, now);
            return;
        }
        let result = completion(result, approved);
        let result = JsonText::from(result);
        let bytes = result.bytes();
        self.complete(slot.step, attempt, started_at, (result, bytes), !approved, now);
    }

    /// Whether a person may be asked now, if at most this many tasks are open then. What was taken back since the
    /// last commit counts: it is written with it, too.
    pub(super) fn has_room(&self, most: usize) -> bool {
        let closed = self.tasks.values().filter(|change| **change == TaskChange::Closed).count();
        self.open_tasks < most && self.open_tasks + closed < MOST_OPEN
    }

    pub(super) fn postpone_task(&mut self, slot: Slot, until: Timestamp) {
        match self.tasks.entry(slot).or_insert(TaskChange::Postponed(until)) {
            TaskChange::Opened(task) => task.expires_at = Some(until),
            change => *change = TaskChange::Postponed(until),
        }
    }

    pub(super) fn close_task(&mut self, slot: Slot) {
        self.tasks.insert(slot, TaskChange::Closed);
        self.open_tasks = self.open_tasks.saturating_sub(1);
    }

    /// Nobody has answered in time.
    pub(super) fn give_up_on_person(
        &mut self,
        step: StepIx,
        attempt: u32,
        started_at: Timestamp,
        now: Timestamp,
    ) {
        let StepKind::HumanTask(task) = &self.plan.step(step).step.kind else { return };
        let approved = match task.on_timeout.unwrap_or(OnTimeout::Fail) {
            OnTimeout::Approve => true,
            OnTimeout::Reject => false,
            OnTimeout::Fail => {
                self.close_task(step.into());
                let error = "Nobody answered the task in its time (timeout_s).".to_owned();
                let code = FailureCode::HumanTaskFailed;
                let failure = StepFailure::new(code, error);
                self.fail_attempt(step.into(), attempt, started_at, failure, now);
                return;
            }
        };
        let answer = Answer {
            approved,
            result: Map::new(),
            notes: Some("answered by on_timeout".to_owned()),
            completed_by: None,
        };
        self.take_answer(step.into(), attempt, started_at, answer, now);
    }

    pub(super) fn child_ended(
        &mut self,
        slot: Slot,
        child: RunId,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match self.state(slot) {
            Some(StepState::Waiting { on: Wait::Child(id), attempt, started_at, .. }) if *id == child => {
                let (attempt, started_at) = (*attempt, *started_at);
                self.conclude(slot, attempt, started_at, outcome, now);
                // Its end may have ended the loop that it was called in; there is nothing left to stop of it.
                self.run.orphans.retain(|orphan| *orphan != child);
                Ok(())
            }
            _ => Err(Refusal::NotYours),
        }
    }

    /// Nothing waits any more for what this step or its rounds wait for.
    pub(super) fn abandon(&mut self, slot: Slot) {
        let of_step = |at: &Slot| at.step == slot.step && (slot.inner.is_none() || at.inner == slot.inner);
        let children = self.children().filter(|(at, _)| of_step(at)).map(|(_, child)| child);
        // An item whose time is up is abandoned before the loop that fails by it.
        let new: Vec<RunId> = children.filter(|child| !self.run.orphans.contains(child)).collect();
        self.run.orphans.extend(new);
        let tasks: Vec<Slot> = self.waiting_for_people().filter(of_step).collect();
        for task in tasks {
            self.close_task(task);
        }
    }
}

/// The result of a human task: what was said, and above all whether it was approved.
pub fn completion(mut result: Map<String, Value>, approved: bool) -> Value {
    result.insert("approved".to_owned(), json!(approved));
    Value::Object(result)
}
