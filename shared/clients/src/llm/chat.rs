//! A question to a model and its answer, in the words that all providers have in common.

use std::time::Duration;

pub use super::answer::{Completion, CompletionError, FinishReason};
pub use super::question::{Chat, ChatRole, World};

use super::credential::Credential;
use super::reasoning::{Separated, separate};
use super::resolved::Resolved;
use super::wire;

/// Asks a model. `call_key` names the call to providers that do a call once.
///
/// # Errors
/// Why there is no answer.
pub async fn ask(
    world: World<'_>,
    resolved: &Resolved,
    credential: &Credential,
    chat: &Chat,
    call_key: &str,
    time: Duration,
) -> Result<Completion, CompletionError> {
    let mut completion = wire::ask(world, resolved, credential, chat, call_key, time).await?;
    let Separated { answer, had_reasoning } = separate(&completion.text, |tag| chat.asks_for(tag));
    if had_reasoning {
        completion.text = answer.to_owned();
        completion.other.push("reasoning between tags in its text".to_owned());
    }
    Ok(completion)
}
