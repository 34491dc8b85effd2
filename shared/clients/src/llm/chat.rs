//! A question to a model and its answer, in the words that all providers have in common.

pub use super::answer::{Completion, CompletionError, FinishReason};
pub use super::question::{Call, Chat, ChatRole, World};

use super::reasoning::{Separated, separate};
use super::wire;

/// Asks a model.
///
/// # Errors
/// Why there is no answer.
pub async fn ask(call: Call<'_>) -> Result<Completion, CompletionError> {
    let mut completion = wire::ask(call).await?;
    let Separated { answer, had_reasoning } = separate(&completion.text, |tag| call.chat.asks_for(tag));
    if had_reasoning {
        completion.text = answer.to_owned();
        completion.other.push("reasoning between tags in its text".to_owned());
    }
    Ok(completion)
}
