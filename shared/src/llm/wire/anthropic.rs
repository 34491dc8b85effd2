//! Anthropic's messages. A schema is the input of a tool that the model has to use: every model can, with any schema
//! of an object.

use http::HeaderName;
use serde_json::{Map, Value, json};

use super::{Chat, End, Said, Tokens, Written, count, list, put};
use crate::llm::catalog;
use crate::llm::chat::Speaker;
use crate::llm::provider::Provider;

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
    let messages: Vec<Value> = chat
        .turns
        .iter()
        .map(|(speaker, text)| {
            let role = if *speaker == Speaker::User { "user" } else { "assistant" };
            json!({ "role": role, "content": text })
        })
        .collect();
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

pub(super) fn read(body: &Value) -> Option<Said> {
    let blocks = body.get("content")?.as_array()?;
    let of_type =
        |kind: &'static str| blocks.iter().filter(move |block| block.get("type") == Some(&kind.into()));
    let tool = of_type("tool_use").find(|block| block.get("name") == Some(&ANSWER.into()));
    let text = match tool.and_then(|block| block.get("input")) {
        Some(input) => input.to_string(),
        None => of_type("text").filter_map(|block| block.get("text")?.as_str()).collect(),
    };
    let end = match body.get("stop_reason").and_then(Value::as_str) {
        Some("refusal") => End::Refused("the model declined".to_owned()),
        Some("max_tokens" | "model_context_window_exceeded") => End::CutOff,
        _ => End::Whole,
    };
    let usage = body.get("usage").unwrap_or(&Value::Null);
    Some(Said {
        text,
        model: body.get("model").and_then(Value::as_str).map(str::to_owned),
        tokens: Tokens {
            // What was read from or written to the cache was sent, too.
            tokens_in: count(
                usage,
                &["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"],
            ),
            tokens_out: count(usage, &["output_tokens"]),
        },
        end,
    })
}
