//! The executor of `llm_call`: resolves provider, model and key, asks, and where a schema stands in the step sees to
//! it that the answer satisfies it. An answer that does not is sent back once, with what is wrong with it; what both
//! attempts cost is counted.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::audit::{self, Sender};
use crate::connection::hosts::host_of;
use crate::llm::{Asked, resolve};
use crate::state::AppState;
use clients::llm::chat::{Call, Chat, Completion, CompletionError, FinishReason, World, ask};
use clients::llm::json_text::{candidates, json_in};
use clients::llm::{Credential, Resolved};
use engine::{FailureCode, Outcome, StepFailure};
use json_schema::{self, Rejected};
use platform::outbound_http::Url;
use platform::secrets::Mask;
use store::CredentialUse;
use types::error::{Error, ErrorCode, Kind};
use types::json_cost::{MAX_COST, cost};
use types::json_numbers;
use types::json_text::JsonText;
use types::tokens::Tokens;
use workflow::limits::RESULT_MAX_BYTES;
use workflow::model::{ResponseFormat, problems, response_format};
use workflow::steps::LlmCall;

use super::attempt::{Attempt, Performed};

/// What of an attempt's time is left to say that it was not enough.
const TIME_TO_TELL: Duration = Duration::from_millis(50);
/// How many violations a model is told of.
const VIOLATIONS_TOLD: usize = 10;
/// How long candidates in an answer are checked, but for the first: a schema may be one that takes long with each.
const LONGEST_CHECK: Duration = Duration::from_secs(5);
/// How many bytes of its own wrong answer a model is shown again.
const SHOWN_AGAIN: usize = 64 * 1024;

/// A call of a model.
#[derive(Debug)]
pub struct ModelCall {
    call: LlmCall,
    response_format: ResponseFormat,
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
        let response_format = response_format(call).map_err(|problem| {
            refused(format!("{}: {}; {}.", problem.field, problem.message, problem.suggestion))
        })?;
        if call.prompt.trim().is_empty() {
            return Err(refused("prompt: is empty.".to_owned()));
        }
        Ok(Self { call: call.clone(), response_format })
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
    ) -> Result<JsonText, StepFailure> {
        let until = Instant::now() + attempt.timeout.saturating_sub(TIME_TO_TELL);
        let (resolved, credential) = self.resolve(state, attempt).await?;
        credential.note(mask);
        if let Some(params) = &self.call.llm_params
            && let Some(problem) = problems(resolved.provider, params).into_iter().next()
        {
            return Err(failed(format!("{}: {}; {}.", problem.field, problem.message, problem.suggestion)));
        }
        if let ResponseFormat::Schema(schema) = &self.response_format {
            usable(state, attempt, schema).await?;
        }
        note_sending(state, attempt, &resolved, &credential).await?;
        let mut chat = Chat::of(&self.call, &resolved.model, self.response_format.clone());
        let to = (&resolved, &credential);
        let mut completion = self.complete(state, attempt, to, &chat, until, spent).await?;
        // What is read out of its text, and the result that it is put into.
        let _room = state.memory.answer(self.readable(&resolved, &completion)?.saturating_mul(3)).await;
        let json = match &self.response_format {
            ResponseFormat::Text => None,
            ResponseFormat::Json => json_of(state, attempt, &completion.text).await,
            ResponseFormat::Schema(schema) => {
                Some(match satisfying(state, attempt, schema, &completion).await {
                    Ok(json) => json,
                    Err(_) if completion.finish == FinishReason::Length => {
                        return Err(cut_off(&resolved, &self.call, &completion));
                    }
                    Err(wrong) => {
                        chat.push_turn(shown_again(&completion.text), correction(&wrong));
                        completion = self.complete(state, attempt, to, &chat, until, spent).await?;
                        self.readable(&resolved, &completion)?;
                        satisfying(state, attempt, schema, &completion).await.map_err(|wrong| match completion.finish {
                        FinishReason::Length => cut_off(&resolved, &self.call, &completion),
                        _ => failed(format!(
                            "{} ({}): the answer does not satisfy output_schema, also when asked again: {}.",
                            resolved.provider.title(),
                            resolved.model,
                            wrong.join("; ")
                        )),
                    })?
                    }
                })
            }
        };
        Ok(result(&resolved, completion, json, spent).into())
    }

    /// One question and its answer, counted. An answer without text is a failure.
    async fn complete(
        &self,
        state: &AppState,
        attempt: &Attempt,
        (resolved, credential): (&Resolved, &Credential),
        chat: &Chat,
        until: Instant,
        spent: &mut Spent,
    ) -> Result<Completion, StepFailure> {
        let is_repair = chat.turns.len() > 1;
        let key = if is_repair { format!("{}/repair", attempt.key) } else { attempt.key.clone() };
        let began = Instant::now();
        let time = until.saturating_duration_since(began);
        let world = World { outbound: &state.outbound, clock: &state.clock };
        let completion = ask(Call { world, resolved, credential, chat, key: &key, time }).await;
        spent.latency += began.elapsed();
        let completion = completion.map_err(|unanswered| not_answered(unanswered, attempt))?;
        spent.tokens.tokens_in += completion.tokens.tokens_in;
        spent.tokens.tokens_out += completion.tokens.tokens_out;
        let whose = format!("{} ({})", resolved.provider.title(), resolved.model);
        match &completion.finish {
            FinishReason::Refused(why) => {
                Err(failed(format!("{whose} gave no answer: {}.", why.trim_end_matches('.'))))
            }
            FinishReason::Error { reason, may_pass, retry_after } => Err(StepFailure {
                may_pass: *may_pass,
                retry_after: *retry_after,
                ..failed(format!("{whose} failed while it answered: {}.", reason.trim_end_matches('.')))
            }),
            _ if !completion.text.trim().is_empty() => Ok(completion),
            FinishReason::Length => Err(cut_off(resolved, &self.call, &completion)),
            FinishReason::Stop => {
                // Paid, and whole: no code says that another attempt would come to something else.
                let came = completion.other.join("; ");
                Err(failed(format!("{whose} answered without text. What came: {came}.")))
            }
        }
    }

    /// What the values take that may be read out of an answer's text.
    ///
    /// # Errors
    /// The failure of a step whose answer is more than a result may be, or takes too much memory.
    fn readable(&self, resolved: &Resolved, completion: &Completion) -> Result<usize, StepFailure> {
        let whose = format!("{} ({})", resolved.provider.title(), resolved.model);
        let bytes = completion.text.len();
        if bytes > RESULT_MAX_BYTES {
            let error = format!(
                "{whose} answered with {bytes} bytes; a result is at most 1 MiB of JSON. Ask for less."
            );
            return Err(StepFailure::new(FailureCode::ResultTooLarge, error));
        }
        if matches!(self.response_format, ResponseFormat::Text) {
            return Ok(0);
        }
        match cost(completion.text.as_bytes()) {
            cost if cost > MAX_COST => Err(failed(format!(
                "{whose}: the answer takes more than {} MiB of memory once it is read, because it consists of very many small \
                 values. Ask for less.",
                MAX_COST / 1024 / 1024
            ))),
            cost => Ok(cost),
        }
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
            if let Some(credential) = resolved.key.credential(&state.secrets).await.map_err(unresolved)? {
                return Ok((resolved, credential));
            }
            // Rotated or deleted since the rows were read.
            state.llm_keys.forget(&attempt.place);
        }
        let message = "The key was changed while the step began; another attempt reads it anew.";
        Err(StepFailure { may_pass: true, ..StepFailure::new(FailureCode::ConnectionUnavailable, message) })
    }
}

/// Notes that a key is sent to its provider.
async fn note_sending(
    state: &AppState,
    attempt: &Attempt,
    resolved: &Resolved,
    credential: &Credential,
) -> Result<(), StepFailure> {
    // What cannot be called is refused where it would be.
    let host = Url::parse(&resolved.base_url()).ok().and_then(|url| host_of(&url));
    let Some(host) = host.filter(|_| !matches!(credential, Credential::None)) else { return Ok(()) };
    let sent = CredentialUse { connection_id: None, provider_key_id: Some(resolved.key.id.clone()), host };
    let sender = Sender::Step(&attempt.key);
    audit::note_sending(state, &attempt.place, &sender, sent, 200).await.map_err(unresolved)
}

fn result(resolved: &Resolved, completion: Completion, json: Option<Value>, spent: &Spent) -> Value {
    let mut result = json!({
        "model": completion.model.unwrap_or_else(|| resolved.model.clone()),
        "text": completion.text,
        "tokens_in": spent.tokens.tokens_in,
        "tokens_out": spent.tokens.tokens_out,
        "latency_ms": u64::try_from(spent.latency.as_millis()).unwrap_or(u64::MAX),
    });
    if let Some(json) = json {
        result["json"] = json;
    }
    if completion.finish == FinishReason::Length {
        result["truncated"] = true.into();
    }
    result
}

/// Whether the schema is one; it may have come out of a template.
async fn usable(state: &AppState, attempt: &Attempt, schema: &Arc<Value>) -> Result<(), StepFailure> {
    let schema = Arc::clone(schema);
    let problems = state.threads.run(attempt.holder(), move || json_schema::problems(&schema)).await;
    match problems.unwrap_or_default().first() {
        Some(problem) => {
            Err(failed(format!("output_schema: this is no usable JSON Schema (2020-12): {problem}.")))
        }
        None => Ok(()),
    }
}

/// The JSON of an answer that satisfies a schema, or what is wrong with the most likely one.
async fn satisfying(
    state: &AppState,
    attempt: &Attempt,
    schema: &Arc<Value>,
    completion: &Completion,
) -> Result<Value, Vec<String>> {
    let (schema, text) = (Arc::clone(schema), completion.text.clone());
    let checked = state.threads.run(attempt.holder(), move || {
        let mut wrong = None;
        let began = std::time::Instant::now();
        for candidate in candidates(&text) {
            if wrong.is_some() && began.elapsed() > LONGEST_CHECK {
                break;
            }
            // One that nests too deep.
            let Ok(value) = json_numbers::from_str(candidate) else { continue };
            let problems = match json_schema::check(&schema, &value) {
                Ok(()) => return Ok(value),
                Err(Rejected::Violations(problems)) => {
                    problems.iter().take(VIOLATIONS_TOLD).map(ToString::to_string).collect()
                }
                Err(Rejected::TooComplex) => {
                    return Err(vec!["the schema is too complex to check it".to_owned()]);
                }
                Err(Rejected::BadSchema(_)) => return Err(vec!["the schema cannot be used".to_owned()]),
            };
            wrong.get_or_insert(problems);
        }
        Err(wrong.unwrap_or_else(|| vec!["it is not JSON".to_owned()]))
    });
    checked.await.unwrap_or_else(|_| Err(vec!["it could not be checked".to_owned()]))
}

/// The JSON of an answer of which no more is asked.
async fn json_of(state: &AppState, attempt: &Attempt, text: &str) -> Option<Value> {
    let text = text.to_owned();
    state.threads.run(attempt.holder(), move || json_in(&text)).await.ok().flatten()
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

fn cut_off(resolved: &Resolved, call: &LlmCall, completion: &Completion) -> StepFailure {
    let max_tokens = call.llm_params.as_ref().and_then(|params| params.max_tokens.as_ref()?.value());
    let mend = match max_tokens {
        Some(max_tokens) => format!("raise llm_params.max_tokens, which is {max_tokens}"),
        None => "set llm_params.max_tokens higher".to_owned(),
    };
    // A model may think until it has nothing left to answer with.
    let came = match completion.text.trim().is_empty() {
        true => format!(" What came: {}.", completion.other.join("; ")),
        false => String::new(),
    };
    failed(format!(
        "{} ({}): the answer was cut off before its end; {mend}, or ask for less.{came}",
        resolved.provider.title(),
        resolved.model
    ))
}

fn failed(message: String) -> StepFailure {
    StepFailure::new(FailureCode::LlmRequestFailed, message)
}

fn not_answered(unanswered: CompletionError, attempt: &Attempt) -> StepFailure {
    let CompletionError { message, may_pass, retry_after, timed_out } = unanswered;
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
        _ if error.code == ErrorCode::LlmModelUnknown => failed(error.message),
        _ => StepFailure::new(FailureCode::ConnectionUnavailable, error.message),
    }
}
