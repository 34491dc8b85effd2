//! Google's `generateContent` of the Gemini API.

use serde_json::{Map, Value, json};

use super::{Chat, End, Said, Tokens, Written, count, list, put, segment};
use crate::llm::chat::{Shape, Speaker};

pub(super) fn write(chat: &Chat) -> Written {
    let mut config = Map::new();
    put(&mut config, "temperature", chat.temperature);
    put(&mut config, "topP", chat.top_p);
    put(&mut config, "maxOutputTokens", chat.max_tokens);
    put(&mut config, "stopSequences", list(&chat.stop));
    put(&mut config, "seed", chat.seed);
    match &chat.shape {
        Shape::Text => {}
        Shape::Json => put(&mut config, "responseMimeType", Some("application/json")),
        Shape::Schema(schema) => {
            put(&mut config, "responseMimeType", Some("application/json"));
            put(&mut config, "responseJsonSchema", Some(Value::clone(schema)));
        }
    }
    let contents: Vec<Value> = chat
        .turns
        .iter()
        .map(|(speaker, text)| {
            let role = if *speaker == Speaker::User { "user" } else { "model" };
            json!({ "role": role, "parts": [{ "text": text }] })
        })
        .collect();
    let mut body = Map::new();
    put(&mut body, "contents", Some(contents));
    let system = chat.system.as_ref().map(|text| json!({ "parts": [{ "text": text }] }));
    put(&mut body, "systemInstruction", system);
    put(&mut body, "generationConfig", (!config.is_empty()).then_some(config));
    let model = chat.model.strip_prefix("models/").unwrap_or(&chat.model);
    Written {
        path: format!("/models/{}:generateContent", segment(model)),
        headers: Vec::new(),
        body: Value::Object(body),
    }
}

pub(super) fn read(body: &Value) -> Option<Said> {
    let usage = body.get("usageMetadata").unwrap_or(&Value::Null);
    let tokens = Tokens {
        tokens_in: count(usage, &["promptTokenCount", "toolUsePromptTokenCount"]),
        // Thoughts are not shown, and paid like the rest.
        tokens_out: count(usage, &["candidatesTokenCount", "thoughtsTokenCount"]),
    };
    let model = body.get("modelVersion").and_then(Value::as_str).map(str::to_owned);
    if let Some(blocked) =
        body.get("promptFeedback").and_then(|feedback| feedback.get("blockReason")?.as_str())
    {
        let end = End::Refused(format!("the prompt was blocked ({blocked})"));
        return Some(Said { text: String::new(), model, tokens, end });
    }
    let candidate = body.get("candidates")?.as_array()?.first()?;
    let parts = candidate.get("content").and_then(|content| content.get("parts")?.as_array());
    let is_thought = |part: &&Value| part.get("thought").and_then(Value::as_bool) == Some(true);
    let shown = parts.into_iter().flatten().filter(|part| !is_thought(part));
    let text = shown.filter_map(|part| part.get("text")?.as_str()).collect();
    let end = match candidate.get("finishReason").and_then(Value::as_str) {
        None | Some("STOP" | "FINISH_REASON_UNSPECIFIED") => End::Whole,
        Some("MAX_TOKENS") => End::CutOff,
        Some(other) => End::Refused(format!("the answer was stopped ({other})")),
    };
    Some(Said { text, model, tokens, end })
}
