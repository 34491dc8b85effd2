//! Google's `generateContent` of the Gemini API.

use serde_json::{Map, Value, json};

use super::body::{Parts, Unexpected, blank, count, finish, list_in, model_in};
use super::text::{shown, text_in};
use super::written::{Written, list, put, segment};
use crate::llm::answer::{Completion, FinishReason};
use crate::llm::question::{Chat, ChatRole};
use types::tokens::Tokens;
use workflow::model::ResponseFormat;

pub(super) fn write(chat: &Chat) -> Written {
    let mut config = Map::new();
    put(&mut config, "temperature", chat.temperature);
    put(&mut config, "topP", chat.top_p);
    put(&mut config, "maxOutputTokens", chat.max_tokens);
    put(&mut config, "stopSequences", list(&chat.stop));
    put(&mut config, "seed", chat.seed);
    match &chat.response_format {
        ResponseFormat::Text => {}
        ResponseFormat::Json => put(&mut config, "responseMimeType", Some("application/json")),
        ResponseFormat::Schema(schema) => {
            put(&mut config, "responseMimeType", Some("application/json"));
            put(&mut config, "responseJsonSchema", Some(Value::clone(schema)));
        }
    }
    let contents: Vec<Value> = chat
        .turns
        .iter()
        .map(|(speaker, text)| {
            let role = if *speaker == ChatRole::User { "user" } else { "model" };
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

pub(super) fn read(body: &Value) -> Result<Completion, Unexpected> {
    let usage = body.get("usageMetadata").unwrap_or(&Value::Null);
    let completion = Completion {
        text: String::new(),
        other: vec!["candidates is empty".to_owned()],
        model: model_in(body, "modelVersion"),
        tokens: Tokens {
            tokens_in: count(usage, &["promptTokenCount", "toolUsePromptTokenCount"]),
            // Thoughts are not shown, and paid like the rest.
            tokens_out: count(usage, &["candidatesTokenCount", "thoughtsTokenCount"]),
        },
        finish: FinishReason::Stop,
    };
    let feedback = body.get("promptFeedback").unwrap_or(&Value::Null);
    if let Some(blocked) = text_in(feedback, "blockReason") {
        let why =
            with_message(&format!("the prompt was blocked ({blocked})"), feedback, "blockReasonMessage");
        return Ok(Completion { finish: FinishReason::Refused(why), ..completion });
    }
    // What has nothing to say leaves the list out.
    let is_google = body.get("usageMetadata").or_else(|| body.get("promptFeedback")).is_some();
    let candidates: &[Value] = match body.get("candidates") {
        None if is_google => &[],
        _ => list_in(body, "", "candidates")?,
    };
    let Some(candidate) = candidates.first() else { return Ok(completion) };
    let (text, other) = parts(candidate)?.finish(&blank(
        "candidates[0].content.parts",
        candidate.get("content").and_then(|content| content.get("parts")),
    ));
    Ok(Completion { text, other, finish: ended(candidate), ..completion })
}

fn parts(candidate: &Value) -> Result<Parts, Unexpected> {
    let mut parts = Parts::default();
    let listed = match candidate.get("content").and_then(|content| content.get("parts")) {
        None | Some(Value::Null) => return Ok(parts),
        Some(Value::Array(listed)) => listed,
        other => return Err(Unexpected::new("candidates[0].content.parts", "a list", other)),
    };
    for (at, part) in listed.iter().enumerate() {
        let field = format!("candidates[0].content.parts[{at}]");
        let is_thought = part.get("thought").and_then(Value::as_bool) == Some(true);
        match part.get("text") {
            Some(_) if is_thought => parts.note("reasoning", &field),
            Some(text) => parts.push(format!("{field}.text"), Some(text))?,
            None => {
                let mut names = part.as_object().into_iter().flat_map(|part| part.keys());
                let name = names.find(|name| *name != "thoughtSignature" && *name != "thought");
                parts.note_type(name.map_or("", String::as_str), &field);
            }
        }
    }
    Ok(parts)
}

/// Google ends an answer that is whole with one word; all others are failures, also those that are yet to come.
fn ended(candidate: &Value) -> FinishReason {
    let Some(reason) = text_in(candidate, "finishReason") else { return FinishReason::Stop };
    let with = |why: &str| with_message(why, candidate, "finishMessage");
    match finish(Some(reason)) {
        FinishReason::Stop if !matches!(reason, "STOP" | "FINISH_REASON_UNSPECIFIED") => {
            FinishReason::Error {
                reason: with(&format!("the answer ended with {:?}", shown(reason))),
                may_pass: false,
                retry_after: None,
            }
        }
        FinishReason::Refused(why) => FinishReason::Refused(with(&why)),
        FinishReason::Error { reason, may_pass, retry_after } => {
            FinishReason::Error { reason: with(&reason), may_pass, retry_after }
        }
        ended => ended,
    }
}

fn with_message(why: &str, value: &Value, field: &str) -> String {
    match text_in(value, field) {
        Some(message) => format!("{why}: {}", shown(message)),
        None => shown(why),
    }
}
