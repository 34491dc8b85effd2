//! What the history of a run has to be, whatever failed and whoever interfered: the promises of the engine, as far
//! as they can be read off the events. `Err` says which of them is broken, and where.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Whether a promise was kept.
pub type Kept = Result<(), String>;

/// Says what is broken, unless it holds.
pub fn ensure(holds: bool, what: impl FnOnce() -> String) -> Kept {
    if holds { Ok(()) } else { Err(what()) }
}

/// A whole history, from the first event to the last.
pub fn history(events: &[Value]) -> Kept {
    let mut so_far = SoFar { status: "pending".to_owned(), ..SoFar::default() };
    for (at, event) in events.iter().enumerate() {
        let seq = event["seq"].as_u64();
        ensure(seq == Some(at as u64 + 1), || format!("seq has a gap or a double: {event:#}"))?;
        so_far.take(event).map_err(|why| format!("{why}: {event:#}"))?;
    }
    Ok(())
}

/// What is known after some events.
#[derive(Debug, Default)]
struct SoFar {
    status: String,
    /// Steps, and inner steps of one round, that are settled since the run began or was retried.
    settled: BTreeSet<String>,
    /// Rounds that are over since then.
    rounds: BTreeSet<String>,
    /// Attempts that failed since then.
    failed: BTreeSet<(String, u64)>,
    /// Questions that people have not answered.
    asked: BTreeSet<String>,
    /// The newest attempt at a step.
    attempts: BTreeMap<String, u64>,
    /// The newest attempt at a step that was over when the run was retried.
    over: BTreeMap<String, u64>,
}

impl SoFar {
    fn take(&mut self, event: &Value) -> Kept {
        let data = &event["data"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = place(event);
        let attempt = data["attempt"].as_u64().unwrap_or(0);
        let kind = text(&event["event_type"]);
        if kind == "state_changed" {
            return self.change(&text(&data["from"]), &text(&data["to"]), &text(&data["reason"]));
        }
        ensure(!is_terminal(&self.status), || format!("something happened in a {} run", self.status))?;
        let begins = ["step_started", "human_task_created"].contains(&kind.as_str());
        ensure(!begins || self.status == "running", || format!("a {} run begins something", self.status))?;
        match kind.as_str() {
            "run_started" => ensure(event["seq"] == 1, || "a run starts twice".to_owned()),
            "step_started" => self.started(event, place, attempt),
            "step_completed" | "step_cancelled" => {
                ensure(self.settled.insert(place), || "a step is settled twice".to_owned())
            }
            "step_failed" => {
                ensure(self.failed.insert((place.clone(), attempt)), || "an attempt fails twice".to_owned())?;
                ensure(!self.settled.contains(&place), || "a settled step fails".to_owned())
            }
            "iteration_completed" => ensure(self.rounds.insert(place), || "a round is over twice".to_owned()),
            "human_task_created" => {
                ensure(self.asked.insert(text(&data["task_id"])), || "a question is asked twice".to_owned())
            }
            "human_task_completed" => {
                let was_asked = self.asked.remove(data["task_id"].as_str().unwrap_or_default());
                ensure(was_asked, || "a question is answered that is not open".to_owned())
            }
            "step_log" => Ok(()),
            other => Err(format!("an event of an unknown type {other}")),
        }
    }

    fn started(&mut self, event: &Value, place: String, attempt: u64) -> Kept {
        ensure(!self.settled.contains(&place), || "a settled step starts".to_owned())?;
        let newest = self.attempts.get(&place).copied().unwrap_or(0);
        let is_inner = !event["data"]["loop_step_id"].is_null();
        if !is_inner {
            ensure(attempt >= newest, || format!("attempt {attempt} after attempt {newest}"))?;
            let over = self.over.get(&place).copied().unwrap_or(0);
            ensure(attempt > over, || format!("attempt {attempt} was over before the retry"))?;
        }
        self.attempts.insert(place, attempt);
        Ok(())
    }

    fn change(&mut self, from: &str, to: &str, reason: &str) -> Kept {
        ensure(from == self.status, || format!("the run was {}", self.status))?;
        let allowed = match (from, to) {
            ("pending" | "paused", "running")
            | ("running", "paused" | "draining" | "completed" | "failed" | "stopped")
            | ("paused", "draining" | "stopped")
            | ("draining", "stopped") => true,
            ("failed" | "stopped", "running") => reason == "retried",
            _ => false,
        };
        ensure(allowed, || format!("a {from} run becomes {to}"))?;
        if reason == "retried" {
            self.settled.clear();
            self.rounds.clear();
            self.failed.clear();
            self.over.clone_from(&self.attempts);
        }
        if is_terminal(to) {
            self.asked.clear();
        }
        to.clone_into(&mut self.status);
        Ok(())
    }
}

fn is_terminal(status: &str) -> bool {
    ["completed", "failed", "stopped"].contains(&status)
}

/// The step, or the inner step and its round, that an event is about.
fn place(event: &Value) -> String {
    let data = &event["data"];
    let round = data.get("index").or(data.get("iteration")).unwrap_or(&Value::Null);
    format!("{} of {} in round {round}", event["step_id"], data["loop_step_id"])
}
