//! What the counters see of a run.

use super::{Machine, Slot};
use crate::analytics::{Counted, Counts};
use crate::debit::debit;
use billing::{LedgerEntry, Metering};
use types::clock::Timestamp;
use types::tokens::Tokens;

impl Machine {
    /// An attempt has succeeded. Not of a loop, which executes nothing itself, nor of a `while`'s condition.
    pub(super) fn note_executed(&mut self, slot: Slot, started_at: Timestamp, now: Timestamp) {
        self.run.usage.steps_executed += 1;
        self.run.usage.credits_used_microcredits += self.run.bill.price().0;
        if let Some(step_type) = self.kind(slot).map(workflow::StepKind::type_name) {
            self.run.tally.executed(step_type, now.since(started_at));
        }
    }

    /// An attempt has used tokens, whether it succeeded or not.
    pub(super) fn note_tokens(&mut self, slot: Slot, tokens: Tokens) {
        self.run.usage.count(tokens);
        if tokens != Tokens::default()
            && let Some(step_type) = self.kind(slot).map(workflow::StepKind::type_name)
        {
            self.run.tally.tokens(step_type, tokens);
        }
    }

    /// What is to be added to the counters with the next write of the run, which says that it was. Whoever takes it
    /// writes both or neither.
    pub fn take_counts(&mut self) -> Option<Counts> {
        let run = &mut self.run;
        let (status, usage) = (run.status, run.usage);
        run.tally.count(Counted { status, started_at: run.started_at, ended_at: run.ended_at, usage })
    }

    /// What is to be debited with the next write of the run, which says that it was. Whoever takes it writes both or
    /// neither.
    pub fn take_debit(&mut self, metering: Metering, now: Timestamp) -> Option<LedgerEntry> {
        debit(&mut self.run, metering, now)
    }
}
