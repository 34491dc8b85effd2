//! A run's state: everything that decides what may happen next, and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::slot::Slot;
use super::status::{RunStatus, TriggerType, Usage};
use super::step_state::StepState;
use crate::Bill;
use crate::analytics::Tally;
use crate::binding::Bindings;
use billing::Microcredits;
use types::clock::{self, Timestamp};
use types::ids::{RunId, RunRef, WorkflowId};
use types::json_text::JsonText;
use workflow::StepIx;
/// The run, and the step in it, that a child run was started by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The parent's run; it is of the same project.
    pub run_id: RunId,
    /// The step that called.
    pub slot: Slot,
    /// Whether the step waits until the child is over.
    pub waits: bool,
    /// The workflows from the outermost one down to the parent's: the way into a cycle.
    pub callers: Vec<WorkflowId>,
    /// The run that all of this came of; runs of before it was noted do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Root>,
}

/// The run that was not called by another, whose descendants are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The run.
    pub run_id: RunId,
    /// How often it had been retried: each retry is a command of somebody's, and may start as many runs again.
    pub retry: u32,
}

/// A run is executed alone in its process the next time: it may be what its process died of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolation {
    /// How often a process died while the run was alone in it.
    #[serde(default)]
    pub lost: u32,
    /// Who is alone with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Isolated>,
}

/// Who is alone with a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Isolated {
    /// The session.
    pub owner: String,
    /// Its process.
    pub process: String,
    /// Since when.
    #[serde(with = "clock::millis")]
    pub since: Timestamp,
    /// Until when others keep off.
    #[serde(with = "clock::millis")]
    pub until: Timestamp,
}

/// What a run was started with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunInput {
    /// `{{input.*}}`.
    pub input: JsonText,
    /// Laid over the input for one step, by step id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub trigger_steps: BTreeMap<String, JsonText>,
    /// What the servers that steps call were resolved to at the start: ids and names, never secrets.
    #[serde(default, skip_serializing_if = "Bindings::is_empty")]
    pub mcp: Bindings,
}

impl RunInput {
    /// The input as one step sees it.
    pub fn for_step(&self, step_id: &str) -> JsonText {
        let overlay = self.trigger_steps.get(step_id).and_then(JsonText::members);
        let (Some(overlay), Some(mut members)) = (overlay, self.input.members()) else {
            return self.input.clone();
        };
        members.extend(overlay);
        JsonText::object(members.iter().map(|(key, value)| (key.as_str(), value)))
    }
}

/// What a run is made from.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its name and place.
    pub key: RunRef,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The published version it executes.
    pub version: u32,
    /// What started it.
    pub trigger_type: TriggerType,
    /// The caller's own name for whoever it is for.
    pub external_user_id: Option<String>,
    /// Steps that begin although they are `no_auto_start`.
    pub granted: Vec<String>,
    /// Roots to leave out.
    pub excluded: Vec<String>,
    /// What called it.
    pub parent: Option<Parent>,
    /// Whoever started it may not have tools called.
    pub without_mcp: bool,
    /// What a step costs.
    pub price: Microcredits,
    /// The run that this one goes on from, and what it takes over.
    pub recovery: Option<Recovery>,
}

/// What a run takes over from another.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The other run.
    pub run_id: RunId,
    /// Its steps that were settled, in an order in which they may be.
    pub reused: Vec<Reused>,
}

/// A settled step that is taken over.
#[derive(Debug, Clone)]
pub struct Reused {
    /// The step.
    pub step: StepIx,
    /// How it was settled.
    pub state: StepState,
    /// The fields it was called with.
    pub input: Option<JsonText>,
    /// Its result.
    pub result: Option<JsonText>,
}
/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its name and place.
    pub key: RunRef,
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The published version it executes.
    pub version: u32,
    /// What started it.
    pub trigger_type: TriggerType,
    /// The caller's own name for whoever it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_user_id: Option<String>,
    /// Where it stands.
    pub status: RunStatus,
    /// When it was accepted.
    #[serde(with = "clock::millis")]
    pub started_at: Timestamp,
    /// When it reached a terminal state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// When something last changed.
    #[serde(with = "clock::millis")]
    pub progress_at: Timestamp,
    /// Why it failed, or why it will when it is resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it was paused, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<Timestamp>,
    /// When a drain ends whatever is still under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_until: Option<Timestamp>,
    /// What called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Whoever started or retried it may not have tools called: neither may its children.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_mcp: bool,
    /// Child runs that nothing waits for any more and that are still to be stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphans: Vec<RunId>,
    /// How often it was retried as a whole.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// Attempts of steps before the latest retry of the whole run: their numbers go on, their counts do not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attempts_before: BTreeMap<StepIx, u32>,
    /// That it is executed alone in its process, after it was under way in one that died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// What it has used.
    #[serde(default)]
    pub usage: Usage,
    /// What of it the counters know.
    #[serde(default)]
    pub tally: Tally,
    /// What it costs, and what of that is in the ledger.
    #[serde(default)]
    pub bill: Bill,
    /// By the step's place in the graph, which never changes for a published version.
    pub steps: Vec<StepState>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
