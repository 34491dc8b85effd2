//! Bedrock's Converse, which asks all models alike. A schema is the input of a tool where the model can be made to
//! use one; the others are asked in words.

use serde_json::{Map, Value, json};

use super::anthropic::ANSWER;
use super::{Chat, End, Said, Tokens, Written, count, list, put, segment};
use crate::llm::chat::Speaker;

/// Families that can be made to use a tool.
const WITH_TOOL_CHOICE: [&str; 2] = ["anthropic.", "amazon.nova"];

pub(super) fn base_url(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://bedrock-runtime.{region}.{domain}")
}

pub(super) fn write(chat: &Chat) -> Written {
    let can_choose = WITH_TOOL_CHOICE.iter().any(|family| chat.model.contains(family));
    let schema = chat.object_schema().filter(|_| can_choose);
    let system = if schema.is_some() { chat.system.clone() } else { chat.system_with_form() };
    let messages: Vec<Value> = chat
        .turns
        .iter()
        .map(|(speaker, text)| {
            let role = if *speaker == Speaker::User { "user" } else { "assistant" };
            json!({ "role": role, "content": [{ "text": text }] })
        })
        .collect();
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

pub(super) fn read(body: &Value) -> Option<Said> {
    let blocks = body.get("output")?.get("message")?.get("content")?.as_array()?;
    let tool = blocks.iter().filter_map(|block| block.get("toolUse")).find(|tool| tool["name"] == ANSWER);
    let text = match tool.and_then(|tool| tool.get("input")) {
        Some(input) => input.to_string(),
        None => blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect(),
    };
    let end = match body.get("stopReason").and_then(Value::as_str) {
        Some("guardrail_intervened") => End::Refused("a guardrail intervened".to_owned()),
        Some("content_filtered") => End::Refused("its content filter held the answer back".to_owned()),
        Some("max_tokens" | "model_context_window_exceeded") => End::CutOff,
        _ => End::Whole,
    };
    let usage = body.get("usage").unwrap_or(&Value::Null);
    Some(Said {
        text,
        model: None,
        tokens: Tokens {
            // What was read from or written to the cache was sent, too.
            tokens_in: count(usage, &["inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"]),
            tokens_out: count(usage, &["outputTokens"]),
        },
        end,
    })
}
