//! The transition function, alone: no storage, no clock but the one in the command.

mod control;
mod isolation;
mod limits;
mod loops;
mod model;
mod people;
mod retry;
mod steps;

use serde_json::{Map, Value, json};

use super::*;
use crate::slot::Inner;
use crate::{Answer, FailureCode, StopMode, TriggerType};
use types::ids::{Place, RunId, RunRef, WorkflowId};
use types::json_text::JsonText;
use types::tokens::Tokens;
use workflow::Graph;

const ME: &str = "me";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + seconds * 1000)
}

fn plan(steps: &Value) -> Arc<Plan> {
    let graph = Graph::read(&json!({ "steps": steps })).expect("readable");
    Arc::new(Plan::compile(graph).expect("a plan"))
}

fn step(id: &str, depends_on: &[&str], more: Value) -> Value {
    let mut step = json!({ "id": id, "type": "lua_script", "script": "return {}", "depends_on": depends_on });
    let Value::Object(more) = more else { panic!("an object") };
    step.as_object_mut().expect("an object").extend(more);
    step
}

fn start(plan: &Arc<Plan>, granted: &[&str], excluded: &[&str]) -> Machine {
    let texts = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
    let place =
        Place { tenant_id: "acme".parse().expect("a slug"), project_id: "default".parse().expect("a slug") };
    let new = NewRun {
        key: RunRef { place, run_id: RunId::new(at(0)) },
        workflow_id: WorkflowId::new(at(0)),
        version: 1,
        trigger_type: TriggerType::Api,
        external_user_id: None,
        granted: texts(granted),
        excluded: texts(excluded),
        parent: None,
        without_mcp: false,
        price: billing::DEFAULT_STEP_PRICE,
        recovery: None,
    };
    Machine::start(Arc::clone(plan), new, at(0)).0
}

fn begin(machine: &mut Machine, id: &str, owner: &str, now: Timestamp) -> Result<(), Refusal> {
    let step = machine.plan().find(id).expect("a step");
    machine.apply(Command::Begin { slot: step.into(), owner: owner.to_owned(), input: None }, now)
}

fn settle(
    machine: &mut Machine,
    id: &str,
    owner: &str,
    outcome: Outcome,
    now: Timestamp,
) -> Result<(), Refusal> {
    let step = machine.plan().find(id).expect("a step");
    machine.apply(
        Command::Settle {
            slot: step.into(),
            owner: owner.to_owned(),
            outcome,
            log: Vec::new(),
            tokens: Tokens::default(),
        },
        now,
    )
}

fn success() -> Outcome {
    Outcome::Success { result: json!({}).into(), bytes: 2 }
}

fn failure(code: FailureCode) -> Outcome {
    Outcome::failure(code, "no")
}

fn state<'a>(machine: &'a Machine, id: &str) -> &'a StepState {
    &machine.run().steps[machine.plan().find(id).expect("a step").index()]
}

fn status<'a>(machine: &'a Machine, id: &str) -> &'a str {
    state(machine, id).as_str()
}

fn first_ready(machine: &Machine, now: Timestamp) -> Option<StepIx> {
    match machine.next_work(now) {
        Some(Work::Begin(slot)) => Some(slot.step),
        Some(Work::Close(_)) | None => None,
    }
}

fn skip_reason(machine: &Machine, id: &str) -> Option<SkipReason> {
    match state(machine, id) {
        StepState::Skipped { reason, .. } => Some(*reason),
        _ => None,
    }
}

/// A step of another type than a script.
fn typed(id: &str, depends_on: &[&str], kind: &str, more: Value) -> Value {
    let mut step = json!({ "id": id, "type": kind, "depends_on": depends_on });
    let Value::Object(more) = more else { panic!("an object") };
    step.as_object_mut().expect("an object").extend(more);
    step
}

fn person(id: &str, depends_on: &[&str], more: Value) -> Value {
    let mut step = typed(id, depends_on, "human_task", more);
    step["task_type"] = json!("approval");
    step
}

fn call(id: &str, depends_on: &[&str], more: Value) -> Value {
    let mut step = typed(id, depends_on, "workflow_call", more);
    step["workflow_id"] = json!("0199b2a4-0000-7000-8000-000000000000");
    step
}

fn each(id: &str, policy: &str, body: Value, more: Value) -> Value {
    let mut step = typed(id, &[], "for_each", more);
    step["for_each_items"] = json!([]);
    step["for_each_error_policy"] = json!(policy);
    step["for_each_body_steps"] = body;
    step
}

fn slot(machine: &Machine, id: &str) -> Slot {
    machine.plan().find(id).expect("a step").into()
}

/// The place of an inner step, in the loop's attempt under way.
fn inner(machine: &Machine, id: &str, round: u32, place: u16) -> Slot {
    let slot = slot(machine, id);
    let (attempt, _) = machine.rounds(slot.step).expect("a loop under way");
    Slot { inner: Some(Inner { attempt, round, place }), ..slot }
}

fn begin_at(machine: &mut Machine, slot: Slot, now: Timestamp) -> Result<(), Refusal> {
    machine.apply(Command::Begin { slot, owner: ME.to_owned(), input: None }, now)
}

fn settle_at(machine: &mut Machine, slot: Slot, outcome: Outcome, now: Timestamp) -> Result<(), Refusal> {
    machine.apply(
        Command::Settle { slot, owner: ME.to_owned(), outcome, log: Vec::new(), tokens: Tokens::default() },
        now,
    )
}

fn execute(machine: &mut Machine, slot: Slot, outcome: Outcome, now: Timestamp) {
    begin_at(machine, slot, now).expect("ready");
    settle_at(machine, slot, outcome, now).expect("under way");
}

fn open(machine: &mut Machine, id: &str, rounds: u32, now: Timestamp) {
    let step = slot(machine, id).step;
    let input = json!({}).into();
    machine.apply(Command::Open { step, rounds, input }, now).expect("a loop that is ready");
}

fn close(machine: &mut Machine, id: &str, now: Timestamp) -> Result<(), Refusal> {
    let step = slot(machine, id).step;
    machine.apply(Command::Close { step, outcome: success() }, now)
}

fn ask(machine: &mut Machine, id: &str, now: Timestamp) -> Result<(), Refusal> {
    let (slot, input) = (slot(machine, id), JsonText::from(json!({ "task_type": "approval" })));
    machine.apply(Command::Await { slot, on: Wait::Person, input }, now)
}

fn answer(machine: &mut Machine, slot: Slot, approved: bool, now: Timestamp) -> Result<(), Refusal> {
    let answer = Answer { approved, result: Map::new(), notes: None, completed_by: Some("ada".to_owned()) };
    machine.apply(Command::Answer { slot, answer }, now)
}

fn call_child(machine: &mut Machine, slot: Slot, now: Timestamp) -> RunId {
    let (child, input) = (RunId::new(now), json!({}).into());
    machine.apply(Command::Await { slot, on: Wait::Child(child), input }, now).expect("ready");
    child
}

fn reap(machine: &mut Machine, now: Timestamp) {
    machine.apply(Command::Reap { dead_before: None, in_order: false }, now).expect("a run that goes on");
}

fn failure_code(machine: &Machine) -> Option<FailureCode> {
    machine.run().failure.as_ref().map(|failure| failure.code)
}

fn attempt(machine: &Machine, slot: Slot) -> Option<u32> {
    machine.state(slot).and_then(StepState::attempt)
}

/// Why the run's status changed, from the first change on.
fn reasons(machine: &Machine) -> Vec<&str> {
    let events = &machine.page().events;
    events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StateChanged { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect()
}
