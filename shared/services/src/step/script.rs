//! The executor of `lua_script`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::scope::{StepScope, View};
use engine::{FailureCode, Outcome, StepFailure};
use lua::{Cancel, FailureKind, Globals, Lent, Limits, Pool};
use types::json_text::JsonText;

/// A script with all that it may see.
#[derive(Debug)]
pub struct Script {
    /// For messages about its result.
    step_id: String,
    source: String,
    scope: StepScope,
    timeout: Duration,
    cancel: Cancel,
}

/// Where the scripts of one run are executed, on whatever threads: VMs that they have one after the other.
#[derive(Debug, Clone, Default)]
pub struct Scripts(Arc<Pool>);

/// Ends a script early.
#[derive(Debug, Clone)]
pub struct CancelHandle(Cancel);

impl CancelHandle {
    /// The script ends at its next interrupt, and keeps its thread until then.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// What became of a script.
#[derive(Debug)]
pub struct Scripted {
    /// Its result or failure.
    pub outcome: Outcome,
    /// What it printed.
    pub log: Vec<String>,
}

impl Scripted {
    /// What stands in for a script whose sandbox broke down.
    pub fn crashed() -> Self {
        tracing::error!("the sandbox of a script broke down");
        let error = "The script broke its sandbox; it was ended.";
        Self { outcome: Outcome::failure(FailureCode::LuaError, error), log: Vec::new() }
    }
}

impl Script {
    /// The script of a step, what it may read, and how long it may run.
    pub fn new(step_id: String, source: String, scope: StepScope, timeout: Duration) -> Self {
        Self { step_id, source, scope, timeout, cancel: Cancel::default() }
    }

    /// What ends it early.
    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(self.cancel.clone())
    }

    /// Runs the script on this thread, in a VM of its run's.
    pub fn run(self, scripts: &Scripts) -> Scripted {
        let steps: Vec<(&str, Lent<'_>)> =
            self.scope.steps.iter().map(|(id, view)| (id.as_str(), lent(view))).collect();
        let round = self.scope.round.as_ref();
        let extra = round.map(super::RoundScope::globals).unwrap_or_default();
        let body = round.map(|round| outputs(&round.body));
        let prev =
            round.filter(|round| round.item.is_none()).map(|round| (round.index, outputs(&round.prev)));
        let globals = Globals {
            input: self.scope.input.as_str(),
            steps: &steps,
            run: self.scope.run.as_str(),
            connection: self.scope.connection.as_str(),
            extra: &extra,
            body: body.as_deref(),
            iteration: prev.as_ref().map(|(index, prev)| (*index, prev.as_slice())),
        };
        let limits = Limits { time: self.timeout, ..Limits::default() };
        let ended = scripts.0.run(&self.source, &globals, &limits, &self.cancel);
        let outcome = match ended.result.map(JsonText::parse) {
            Ok(Ok(result)) => Outcome::success(result),
            // The sandbox writes JSON.
            Ok(Err(_)) => return Scripted { log: ended.log, ..Scripted::crashed() },
            Err(failure) => {
                let message = match failure.kind {
                    FailureKind::ReturnType | FailureKind::InputTooLarge => {
                        format!("step {:?}: {}", self.step_id, failure.message)
                    }
                    _ => failure.message,
                };
                Outcome::Failure(StepFailure {
                    jitter: rand::random(),
                    ..StepFailure::new(code(failure.kind), message)
                })
            }
        };
        Scripted { outcome, log: ended.log }
    }
}

fn lent(view: &View) -> Lent<'_> {
    Lent::Members(view.iter().map(|(key, text)| (*key, text.as_str().into())).collect())
}

fn outputs(by_id: &BTreeMap<String, JsonText>) -> Vec<(&str, &str)> {
    by_id.iter().map(|(id, output)| (id.as_str(), output.as_str())).collect()
}

fn code(kind: FailureKind) -> FailureCode {
    match kind {
        FailureKind::Error => FailureCode::LuaError,
        FailureKind::Timeout => FailureCode::LuaTimeout,
        FailureKind::Memory => FailureCode::LuaMemory,
        FailureKind::InputTooLarge => FailureCode::StepInputTooLarge,
        FailureKind::ReturnType => FailureCode::LuaReturnType,
        FailureKind::ResultTooLarge => FailureCode::ResultTooLarge,
        // Only a worker that drops the outcome cancels.
        FailureKind::Cancelled => FailureCode::LuaTimeout,
    }
}
