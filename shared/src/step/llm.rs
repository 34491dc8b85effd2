//! The executor of `llm_call`: resolves provider, model and key, asks, and where a schema stands in the step sees to
//! it that the answer satisfies it. An answer that does not is sent back once, with what is wrong with it; what both
//! attempts cost is counted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::error::{Error, Kind};
use crate::llm::chat::{Chat, End, NoAnswer, Said, Shape, ask, json_in};
use crate::llm::keys::Credential;
use crate::llm::{Asked, Resolved, problems, resolve, shape};
use crate::run::{FailureCode, Outcome, StepFailure, Tokens};
use crate::secrets::Mask;
use crate::state::AppState;
use crate::workflow::json_schema::{self, Rejected};
use crate::workflow::steps::LlmCall;

use super::effect::{Attempt, Performed};

/// What of an attempt's time is left to say that it was not enough.
const TIME_TO_TELL: Duration = Duration::from_millis(50);
/// How many violations a model is told of.
const VIOLATIONS_TOLD: usize = 10;
/// How many bytes of its own wrong answer a model is shown again.
const SHOWN_AGAIN: usize = 64 * 1024;

/// A call of a model.
#[derive(Debug)]
pub struct ModelCall {
    call: LlmCall,
    shape: Shape,
}

/// What the attempts of a call have come to so far.
#[derive(Debug, Default)]
struct Spent {
    tokens: Tokens,
    latency: Duration,
}

impl ModelCall {
    /// The call of a step whose fields are expanded.
    pub(super) fn of(call: &LlmCall) -> Result<Self, Outcome> {
        let refused = |message: String| Outcome::failure(FailureCode::LlmRequestFailed, message);
        let shape = shape(call).map_err(|problem| {
            refused(format!("{}: {}; {}.", problem.field, problem.message, problem.suggestion))
        })?;
        if call.prompt.trim().is_empty() {
            return Err(refused("prompt: is empty.".to_owned()));
        }
        Ok(Self { call: call.clone(), shape })
    }

    pub(super) async fn perform(&self, state: &AppState, attempt: &Attempt, mask: &mut Mask) -> Performed {
        let mut spent = Spent::default();
        let outcome = match self.answer(state, attempt, mask, &mut spent).await {
            Ok(result) => Outcome::success(result),
            Err(failure) => Outcome::Failure(failure),
        };
        Performed { outcome, log: Vec::new(), tokens: spent.tokens }
    }

    async fn answer(
        &self,
        state: &AppState,
        attempt: &Attempt,
        mask: &mut Mask,
        spent: &mut Spent,
    ) -> Result<Value, StepFailure> {
        let until = Instant::now() + attempt.timeout.saturating_sub(TIME_TO_TELL);
        let (resolved, credential) = self.resolve(state, attempt).await?;
        credential.note(mask);
        if let Some(params) = &self.call.llm_params
            && let Some(problem) = problems(resolved.provider, params).into_iter().next()
        {
            return Err(failed(format!("{}: {}; {}.", problem.field, problem.message, problem.suggestion)));
        }
        if let Shape::Schema(schema) = &self.shape {
            usable(schema).await?;
        }
        let mut chat = Chat::of(&self.call, &resolved.model, self.shape.clone());
        let mut said = say(state, attempt, (&resolved, &credential), &chat, 0, until, spent).await?;
        let json = match &self.shape {
            Shape::Text => None,
            Shape::Json => json_in(&said.text),
            Shape::Schema(schema) => Some(match satisfying(schema, &said).await {
                Ok(json) => json,
                Err(_) if said.end == End::CutOff => return Err(cut_off(&resolved, &self.call)),
                Err(wrong) => {
                    chat.go_on(shown_again(&said.text), correction(&wrong));
                    said = say(state, attempt, (&resolved, &credential), &chat, 1, until, spent).await?;
                    satisfying(schema, &said).await.map_err(|wrong| match said.end {
                        End::CutOff => cut_off(&resolved, &self.call),
                        End::Whole | End::Refused(_) => failed(format!(
                            "{} ({}): the answer does not satisfy output_schema, also when asked again: {}.",
                            resolved.provider.title(),
                            resolved.model,
                            wrong.join("; ")
                        )),
                    })?
                }
            }),
        };
        if said.text.is_empty() && said.end == End::CutOff {
            return Err(cut_off(&resolved, &self.call));
        }
        Ok(result(&resolved, said, json, spent))
    }

    /// Provider, model, key and its values.
    async fn resolve(
        &self,
        state: &AppState,
        attempt: &Attempt,
    ) -> Result<(Resolved, Credential), StepFailure> {
        let asked = Asked::from(&self.call);
        for _ in 0..2 {
            let resolved = resolve(state, &attempt.place, &asked).await.map_err(unresolved)?;
            if let Some(credential) = resolved.key.credential(state).await.map_err(unresolved)? {
                return Ok((resolved, credential));
            }
            // Rotated or deleted since the rows were read.
            state.llm_keys.forget(&attempt.place);
        }
        let message = "The key was changed while the step began; another attempt reads it anew.";
        Err(StepFailure { may_pass: true, ..StepFailure::new(FailureCode::ConnectionUnavailable, message) })
    }
}

/// One question and its answer, counted.
async fn say(
    state: &AppState,
    attempt: &Attempt,
    (resolved, credential): (&Resolved, &Credential),
    chat: &Chat,
    repair: u32,
    until: Instant,
    spent: &mut Spent,
) -> Result<Said, StepFailure> {
    let key = if repair == 0 { attempt.key.clone() } else { format!("{}/repair", attempt.key) };
    let began = Instant::now();
    let time = until.saturating_duration_since(began);
    let said = ask(state, resolved, credential, chat, &key, time).await;
    spent.latency += began.elapsed();
    let said = said.map_err(|unanswered| not_answered(unanswered, attempt))?;
    spent.tokens.tokens_in += said.tokens.tokens_in;
    spent.tokens.tokens_out += said.tokens.tokens_out;
    match &said.end {
        End::Refused(why) => {
            Err(failed(format!("{} ({}) gave no answer: {why}.", resolved.provider.title(), resolved.model)))
        }
        End::Whole | End::CutOff => Ok(said),
    }
}

fn result(resolved: &Resolved, said: Said, json: Option<Value>, spent: &Spent) -> Value {
    let mut result = json!({
        "model": said.model.unwrap_or_else(|| resolved.model.clone()),
        "text": said.text,
        "tokens_in": spent.tokens.tokens_in,
        "tokens_out": spent.tokens.tokens_out,
        "latency_ms": u64::try_from(spent.latency.as_millis()).unwrap_or(u64::MAX),
    });
    if let Some(json) = json {
        result["json"] = json;
    }
    if said.end == End::CutOff {
        result["truncated"] = true.into();
    }
    result
}

/// Whether the schema is one; it may have come out of a template.
async fn usable(schema: &Arc<Value>) -> Result<(), StepFailure> {
    let schema = Arc::clone(schema);
    let problems =
        tokio::task::spawn_blocking(move || json_schema::problems(&schema)).await.unwrap_or_default();
    match problems.first() {
        Some(problem) => {
            Err(failed(format!("output_schema: this is no usable JSON Schema (2020-12): {problem}.")))
        }
        None => Ok(()),
    }
}

/// The JSON of an answer that satisfies a schema, or what is wrong with it.
async fn satisfying(schema: &Arc<Value>, said: &Said) -> Result<Value, Vec<String>> {
    let Some(value) = json_in(&said.text) else { return Err(vec!["it is not JSON".to_owned()]) };
    let schema = Arc::clone(schema);
    let checked = tokio::task::spawn_blocking(move || match json_schema::check(&schema, &value) {
        Ok(()) => Ok(value),
        Err(Rejected::Violations(wrong)) => {
            Err(wrong.iter().take(VIOLATIONS_TOLD).map(ToString::to_string).collect())
        }
        Err(Rejected::TooComplex) => Err(vec!["the schema is too complex to check it".to_owned()]),
        Err(Rejected::BadSchema(_)) => Err(vec!["the schema cannot be used".to_owned()]),
    });
    checked.await.unwrap_or_else(|_| Err(vec!["it could not be checked".to_owned()]))
}

fn correction(wrong: &[String]) -> String {
    format!(
        "That answer does not satisfy the JSON Schema: {}. Give the whole answer again, corrected, as JSON and \
         nothing else.",
        wrong.join("; ")
    )
}

fn shown_again(text: &str) -> String {
    let end = (0..=SHOWN_AGAIN.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    // Providers refuse an empty turn.
    if end == 0 { "(nothing)".to_owned() } else { text.split_at(end).0.to_owned() }
}

fn cut_off(resolved: &Resolved, call: &LlmCall) -> StepFailure {
    let asked = call.llm_params.as_ref().is_some_and(|params| params.max_tokens.is_some());
    let mend = if asked { "raise llm_params.max_tokens" } else { "set llm_params.max_tokens higher" };
    failed(format!(
        "{} ({}): the answer was cut off before its end; {mend}, or ask for less.",
        resolved.provider.title(),
        resolved.model
    ))
}

fn failed(message: String) -> StepFailure {
    StepFailure::new(FailureCode::LlmRequestFailed, message)
}

fn not_answered(unanswered: NoAnswer, attempt: &Attempt) -> StepFailure {
    let NoAnswer { message, may_pass, retry_after, timed_out } = unanswered;
    if timed_out {
        let seconds = attempt.timeout.as_secs_f64();
        let message = format!("{} The step may take {seconds} s (timeout_s).", message);
        return StepFailure { may_pass, ..StepFailure::new(FailureCode::StepTimeout, message) };
    }
    StepFailure { may_pass, retry_after, ..failed(message) }
}

/// A key that is not there, or a store that does not answer.
fn unresolved(error: Error) -> StepFailure {
    match error.kind {
        Kind::Unavailable { .. } | Kind::Internal => {
            tracing::warn!(%error, "the key of a step cannot be read");
            StepFailure::new(FailureCode::DependencyUnavailable, error.message)
        }
        _ if error.code == "LLM_MODEL_UNKNOWN" => failed(error.message),
        _ => StepFailure::new(FailureCode::ConnectionUnavailable, error.message),
    }
}
