//! Triggers: what starts a workflow's runs by the clock.
//!
//! [`Schedule`] knows when an expression is due in a time zone. [`next_move`] decides what is to be done with a
//! trigger now: nothing, pass over what was missed, or fire. Both are without I/O; the sweep carries it out.

mod fields;
mod schedule;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use schedule::Schedule;

use types::clock::Timestamp;

/// A due time that nobody acted on for longer than this is missed. It covers a few failed sweeps, or a
/// deployment.
pub const GRACE: Duration = Duration::from_secs(5 * 60);

/// What becomes of due times that were missed: older than five minutes when they could be acted on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are passed over.
    #[default]
    None,
    /// The newest of them starts a run, once.
    Latest,
}

/// Why a due time started no run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TriggerError {
    /// When the start was refused.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The code that the start answered with.
    pub code: String,
    /// What is wrong, for a person.
    pub error: String,
}

/// What is to be done with a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Nothing is due.
    Wait,
    /// What is due was missed. This is due instead: a later time, or, to catch up, the newest that was missed.
    PassOver {
        /// The next due time.
        to: Option<Timestamp>,
        /// Whether it fires however old it is.
        catching_up: bool,
    },
    /// Start the run of this due time.
    Fire(Timestamp),
}

/// What of a trigger decides what is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The due time that is acted on next; none while the trigger is not enabled.
    pub next_run_at: Option<Timestamp>,
    /// Whether that one fires however old it is.
    pub catching_up: bool,
    /// What becomes of missed due times.
    pub catch_up: CatchUp,
}

/// What is to be done with a trigger at this time.
///
/// To catch up takes two moves: which due time is the newest depends on the time, so the choice is kept before the
/// run is started, and a crash between the two does not lead to another choice.
pub fn next_move(pending: &Pending, schedule: &Schedule, now: Timestamp) -> Move {
    let Some(due) = pending.next_run_at.filter(|due| *due <= now) else { return Move::Wait };
    if pending.catching_up || now.since(due) <= GRACE {
        return Move::Fire(due);
    }
    let missed_until = Timestamp::from_millis(now.minus(GRACE).as_millis() - 1);
    let newest = schedule.newest_until(due, missed_until);
    match pending.catch_up {
        CatchUp::None => Move::PassOver { to: schedule.next_after(newest), catching_up: false },
        CatchUp::Latest => Move::PassOver { to: Some(newest), catching_up: true },
    }
}

#[cfg(test)]
mod tests;
