//! Steps with an effect outside their run: what is called, and what every call has in common.
//!
//! The worker claims such a step and writes the claim before anything leaves; then it performs the [`Effect`] as an
//! asynchronous task, many at a time. A worker that dies leaves a claim whose lease ends, and the same attempt is
//! made again, under the same key ([`Attempt::key`]), so that a server that remembers keys does it once.
//!
//! # To add a kind of effect
//!
//! 1. An arm of [`Effect`], holding the step's fields after expansion and nothing that blocks.
//! 2. Its name in [`Effect::of`], which makes it of a step, and in [`is_available`](super::is_available).
//! 3. Its executor, called by the `match` in [`Effect::perform`]: `async fn(&self, &AppState, &Attempt, &mut Mask)
//!    -> Performed`. It may be dropped at each `await`: when the time is up, when the run is stopped. It notes every
//!    secret that it reads in the mask, and says of its failures whether they may pass (`StepFailure::may_pass`) and
//!    how long the other side asks to wait (`retry_after`).
//!
//! What is common to all is here: the time of an attempt, the size of a result, jitter, and that no secret stays in
//! what is left behind.

use serde_json::Value;

use crate::state::AppState;
use engine::{FailureCode, Outcome, RunInput, StepFailure};
use platform::boxed;
use platform::secrets::Mask;
use types::tokens::Tokens;
use workflow::StepKind;
use workflow::limits::RESULT_MAX_BYTES;

use super::attempt::{Attempt, Performed};
use super::script::Scripted;

/// A call of something outside.
#[derive(Debug)]
pub enum Effect {
    /// A tool of an MCP server.
    Mcp(super::mcp::ToolCall),
    /// A model.
    Llm(Box<super::llm::ModelCall>),
}

impl From<Outcome> for Performed {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, log: Vec::new(), tokens: Tokens::default() }
    }
}

impl From<Scripted> for Performed {
    fn from(Scripted { outcome, log }: Scripted) -> Self {
        Self { outcome, log, tokens: Tokens::default() }
    }
}

impl Effect {
    /// Whether steps of this kind are executed by an effect.
    pub const fn is_of(kind: &StepKind) -> bool {
        matches!(kind, StepKind::McpCall(_) | StepKind::LlmCall(_))
    }

    /// The effect of a step whose fields are expanded; none when steps of its kind have none. `run` is what the run
    /// was started with, and with it what was fixed then.
    ///
    /// # Errors
    /// The failure that the step has before anything is called.
    pub fn of(kind: &StepKind, run: &RunInput) -> Option<Result<Self, Outcome>> {
        match kind {
            StepKind::McpCall(call) => Some(super::mcp::ToolCall::of(call, run).map(Self::Mcp)),
            StepKind::LlmCall(call) => Some(super::llm::ModelCall::of(call).map(Box::new).map(Self::Llm)),
            _ => None,
        }
    }

    /// Performs it, in its time.
    #[boxed]
    pub async fn perform(self, state: &AppState, attempt: &Attempt) -> Performed {
        let mut mask = Mask::default();
        let call = async {
            match &self {
                Self::Mcp(call) => call.perform(state, attempt, &mut mask).await,
                Self::Llm(call) => call.perform(state, attempt, &mut mask).await,
            }
        };
        let performed = tokio::time::timeout(attempt.timeout, call).await.unwrap_or_else(|_| {
            let error =
                format!("The call did not end within {} s (timeout_s).", attempt.timeout.as_secs_f64());
            Outcome::failure(FailureCode::StepTimeout, error).into()
        });
        let cost = match &performed.outcome {
            Outcome::Success { result, .. } => result.cost(),
            Outcome::Failure(_) => 0,
        };
        // As it is, and masked.
        let _room = state.memory.answer(cost.saturating_mul(2)).await;
        masked(performed, &mask)
    }
}

/// What may be kept of it.
fn masked(performed: Performed, mask: &Mask) -> Performed {
    let Performed { outcome, log, tokens } = performed;
    let outcome = match outcome {
        Outcome::Success { result, .. } => within_size(mask.value(result.to_value())),
        Outcome::Failure(failure) => Outcome::Failure(StepFailure {
            error: mask.text(&failure.error).into_owned(),
            jitter: rand::random(),
            ..failure
        }),
    };
    let log = log.iter().map(|line| mask.text(line).into_owned()).collect();
    Performed { outcome, log, tokens }
}

fn within_size(result: Value) -> Outcome {
    match Outcome::success(result) {
        Outcome::Success { bytes, .. } if bytes > RESULT_MAX_BYTES => Outcome::too_large(
            &format!("The result takes {bytes} bytes of JSON"),
            "Ask for less: a page, a filter or fewer fields.",
        ),
        outcome => outcome,
    }
}
