//! Anthropic's messages. A schema is the input of a tool that the model has to use: every model can, with any schema
//! of an object.

use http::HeaderName;
use serde_json::{Map, Value, json};

use super::body::{Parts, Unexpected, blank, count, finish, list_in, model_in};
use super::text::text_in;
use super::written::{Written, list, messages, put};
use crate::llm::answer::{Completion, FinishReason};
use crate::llm::question::Chat;
use types::tokens::Tokens;
use workflow::model::Provider;
use workflow::model::catalog;

/// The tool that an answer with a schema comes through.
pub(super) const ANSWER: &str = "answer";
/// What is written at most when nobody says and the catalog does not know better: Anthropic wants a number.
const USUAL_MAX_TOKENS: u64 = 4096;
/// Not more by itself than what comes back without streaming in a step's usual time.
const MOST_BY_ITSELF: u64 = 8192;

pub(super) fn write(chat: &Chat) -> Written {
    let known = catalog::model(Provider::Anthropic, &chat.model);
    let usual = known.map_or(USUAL_MAX_TOKENS, |model| model.max_output_tokens.min(MOST_BY_ITSELF));
    let schema = chat.object_schema();
    let system = if schema.is_some() { chat.system.clone() } else { chat.system_with_form() };
    let messages = messages(chat, |text| text.into());
    let mut body = Map::new();
    put(&mut body, "model", Some(chat.model.as_str()));
    put(&mut body, "max_tokens", Some(chat.max_tokens.unwrap_or(usual)));
    put(&mut body, "system", system);
    put(&mut body, "messages", Some(messages));
    put(&mut body, "temperature", chat.temperature);
    put(&mut body, "top_p", chat.top_p);
    put(&mut body, "stop_sequences", list(&chat.stop));
    if let Some(schema) = schema {
        let tool = json!({ "name": ANSWER, "description": "Gives the answer.", "input_schema": schema });
        put(&mut body, "tools", Some(vec![tool]));
        put(&mut body, "tool_choice", Some(json!({ "type": "tool", "name": ANSWER })));
    }
    Written {
        path: "/v1/messages".to_owned(),
        headers: vec![(HeaderName::from_static("anthropic-version"), "2023-06-01".to_owned())],
        body: Value::Object(body),
    }
}

pub(super) fn read(body: &Value) -> Result<Completion, Unexpected> {
    let ended = finish(text_in(body, "stop_reason"));
    let mut parts = Parts::default();
    match body.get("content") {
        Some(text @ Value::String(_)) => parts.push("content", Some(text))?,
        _ => blocks(list_in(body, "", "content")?, &ended, &mut parts)?,
    }
    let (text, other) = parts.finish(&blank("content", body.get("content")));
    let usage = body.get("usage").unwrap_or(&Value::Null);
    Ok(Completion {
        text,
        other,
        model: model_in(body, "model"),
        tokens: Tokens {
            // What was read from or written to the cache was sent, too.
            tokens_in: count(
                usage,
                &["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"],
            ),
            tokens_out: count(usage, &["output_tokens"]),
        },
        finish: ended,
    })
}

fn blocks(blocks: &[Value], ended: &FinishReason, parts: &mut Parts) -> Result<(), Unexpected> {
    let is_answer = |block: &&Value| {
        block.get("type") == Some(&"tool_use".into()) && block.get("name") == Some(&ANSWER.into())
    };
    if let Some(input) = blocks.iter().find(is_answer).and_then(|block| block.get("input")) {
        push_input(input, ended, parts);
        return Ok(());
    }
    for (at, block) in blocks.iter().enumerate() {
        match block.get("type").and_then(Value::as_str) {
            Some("text") => parts.push(format!("content[{at}].text"), block.get("text"))?,
            other => parts.note_type(other.unwrap_or_default(), &format!("content[{at}]")),
        }
    }
    Ok(())
}

/// The input of the tool that an answer comes through. One that was cut off is none: providers give what there was of it,
/// or nothing, as a whole object.
pub(super) fn push_input(input: &Value, ended: &FinishReason, parts: &mut Parts) {
    match (input, ended) {
        (_, FinishReason::Length) => parts.note("an answer that was cut off", "the tool's input"),
        (Value::String(text), _) => parts.text.push_str(text),
        (input, _) => parts.text.push_str(&input.to_string()),
    }
}
