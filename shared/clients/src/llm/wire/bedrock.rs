//! Bedrock's Converse, which asks all models alike. A schema is the input of a tool where the model can be made to
//! use one; the others are asked in words.

use serde_json::{Map, Value, json};

use super::anthropic::{ANSWER, push_input};
use super::body::{Parts, Unexpected, blank, count, finish, list_in, object_in};
use super::text::{shown, text_in};
use super::written::{Written, list, messages, put, segment};
use crate::llm::answer::{Completion, FinishReason};
use crate::llm::question::Chat;
use types::tokens::Tokens;

/// Families that can be made to use a tool.
const WITH_TOOL_CHOICE: [&str; 2] = ["anthropic.", "amazon.nova"];

pub(super) fn write(chat: &Chat) -> Written {
    let can_choose = WITH_TOOL_CHOICE.iter().any(|family| chat.model.contains(family));
    let schema = chat.object_schema().filter(|_| can_choose);
    let system = if schema.is_some() { chat.system.clone() } else { chat.system_with_form() };
    let messages = messages(chat, |text| json!([{ "text": text }]));
    let mut config = Map::new();
    put(&mut config, "maxTokens", chat.max_tokens);
    put(&mut config, "temperature", chat.temperature);
    put(&mut config, "topP", chat.top_p);
    put(&mut config, "stopSequences", list(&chat.stop));
    let mut body = Map::new();
    put(&mut body, "messages", Some(messages));
    put(&mut body, "system", system.map(|text| json!([{ "text": text }])));
    put(&mut body, "inferenceConfig", (!config.is_empty()).then_some(config));
    if let Some(schema) = schema {
        let tool =
            json!({ "name": ANSWER, "description": "Gives the answer.", "inputSchema": { "json": schema } });
        let choice = json!({ "tools": [{ "toolSpec": tool }], "toolChoice": { "tool": { "name": ANSWER } } });
        put(&mut body, "toolConfig", Some(choice));
    }
    Written {
        path: format!("/model/{}/converse", segment(&chat.model)),
        headers: Vec::new(),
        body: Value::Object(body),
    }
}

pub(super) fn read(body: &Value) -> Result<Completion, Unexpected> {
    const FIELD: &str = "output.message.content";
    let message = object_in(object_in(body, "", "output")?, "output.", "message")?;
    let blocks = list_in(message, "output.message.", "content")?;
    let ended = finish(text_in(body, "stopReason"));
    let tool = blocks.iter().filter_map(|block| block.get("toolUse")).find(|tool| tool["name"] == ANSWER);
    let mut parts = Parts::default();
    if let Some(input) = tool.and_then(|tool| tool.get("input")) {
        push_input(input, &ended, &mut parts);
    } else {
        for (at, block) in blocks.iter().enumerate() {
            let field = format!("{FIELD}[{at}]");
            let name = block.as_object().and_then(|block| block.keys().next());
            match block.get("text") {
                Some(text) => parts.push(format!("{field}.text"), Some(text))?,
                None => parts.note_type(name.map_or("", String::as_str), &field),
            }
        }
    }
    let (text, other) = parts.finish(&blank(FIELD, message.get("content")));
    let finish = match ended {
        // In place of the answer stands what the guardrail says.
        FinishReason::Refused(why) if !text.trim().is_empty() => {
            FinishReason::Refused(format!("{why}: {}", shown(&text)))
        }
        ended => ended,
    };
    let usage = body.get("usage").unwrap_or(&Value::Null);
    Ok(Completion {
        text,
        other,
        model: None,
        tokens: Tokens {
            // What was read from or written to the cache was sent, too.
            tokens_in: count(usage, &["inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"]),
            tokens_out: count(usage, &["outputTokens"]),
        },
        finish,
    })
}
