//! OpenAI's chat completions, which OpenAI and all that is compatible with it speak.

use http::HeaderName;
use serde_json::{Map, Value, json};

use super::body::{Parts, Unexpected, blank, count, finish, list_in, model_in, object_in};
use super::failure;
use super::text::{shown, text_in};
use super::written::{Written, list, messages, put};
use crate::llm::answer::{Completion, FinishReason};
use crate::llm::question::Chat;
use types::tokens::Tokens;
use workflow::model::ResponseFormat;

/// OpenAI itself has renamed `max_tokens`, and its reasoning models refuse the old name.
pub(super) fn write(chat: &Chat, is_openai: bool, organization: Option<&str>) -> Written {
    let (system, format) = form(chat);
    let system = system.into_iter().map(|text| json!({ "role": "system", "content": text }));
    let messages: Vec<Value> = system.chain(messages(chat, |text| text.into())).collect();
    let mut body = Map::new();
    put(&mut body, "model", Some(chat.model.as_str()));
    put(&mut body, "messages", Some(messages));
    put(&mut body, if is_openai { "max_completion_tokens" } else { "max_tokens" }, chat.max_tokens);
    put(&mut body, "temperature", chat.temperature);
    put(&mut body, "top_p", chat.top_p);
    put(&mut body, "stop", list(&chat.stop));
    put(&mut body, "seed", chat.seed);
    put(&mut body, "response_format", format);
    let organization =
        organization.map(|name| (HeaderName::from_static("openai-organization"), name.to_owned()));
    Written {
        path: "/chat/completions".to_owned(),
        headers: organization.into_iter().collect(),
        body: Value::Object(body),
    }
}

/// The system's text and the response format.
fn form(chat: &Chat) -> (Option<String>, Option<Value>) {
    match (&chat.response_format, chat.object_schema()) {
        (ResponseFormat::Text, _) => (chat.system.clone(), None),
        (ResponseFormat::Schema(_), Some(schema)) => {
            let named = json!({ "name": "answer", "schema": schema, "strict": is_strict(schema) });
            (chat.system.clone(), Some(json!({ "type": "json_schema", "json_schema": named })))
        }
        (ResponseFormat::Schema(_), None) => (chat.system_with_form(), None),
        (ResponseFormat::Json, _) => {
            // OpenAI refuses this format when nobody speaks of JSON.
            let texts = chat.system.iter().chain(chat.turns.iter().map(|(_, text)| text));
            let speaks = texts.into_iter().any(|text| text.to_lowercase().contains("json"));
            let system = if speaks { chat.system.clone() } else { chat.system_with_form() };
            (system, Some(json!({ "type": "json_object" })))
        }
    }
}

/// Keywords that OpenAI does not take where it holds a model to a schema.
const NOT_ENFORCED: [&str; 6] = ["oneOf", "allOf", "not", "if", "patternProperties", "prefixItems"];

/// Whether OpenAI can hold a model to this schema: each object closed, and each of its properties required.
fn is_strict(schema: &Value) -> bool {
    let Value::Object(fields) = schema else { return true };
    let named =
        |key: &str| fields.get(key).and_then(Value::as_object).into_iter().flat_map(|all| all.values());
    let listed = fields.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let below = named("properties").chain(named("$defs")).chain(named("definitions")).chain(listed);
    let is_object =
        fields.get("type").and_then(Value::as_str) == Some("object") || fields.contains_key("properties");
    let required = fields.get("required").and_then(Value::as_array);
    let requires = |name: &String| required.is_some_and(|all| all.iter().any(|one| one == name));
    let all_required =
        fields.get("properties").and_then(Value::as_object).is_some_and(|all| all.keys().all(requires));
    let is_closed = fields.get("additionalProperties") == Some(&Value::Bool(false));
    (!is_object || (is_closed && all_required))
        && !NOT_ENFORCED.iter().any(|key| fields.contains_key(*key))
        && fields.get("items").is_none_or(is_strict)
        && below.into_iter().all(is_strict)
}

pub(super) fn read(body: &Value) -> Result<Completion, Unexpected> {
    let usage = body.get("usage").unwrap_or(&Value::Null);
    let completion = Completion {
        text: String::new(),
        other: vec!["choices is an empty list".to_owned()],
        model: model_in(body, "model"),
        tokens: Tokens {
            tokens_in: count(usage, &["prompt_tokens"]),
            tokens_out: count(usage, &["completion_tokens"]),
        },
        finish: FinishReason::Stop,
    };
    let Some(choice) = list_in(body, "", "choices")?.first() else { return Ok(completion) };
    let ended = finish(text_in(choice, "finish_reason"));
    let error = choice.get("error").and_then(|error| failure::stated(error, &ended));
    let message = match (object_in(choice, "choices[0].", "message"), error.is_some()) {
        (Ok(message), _) => message,
        // What failed may have none.
        (Err(_), true) => &Value::Null,
        (Err(unexpected), false) => return Err(unexpected),
    };
    let mut parts = Parts::default();
    let refusal = content(message, &mut parts)?;
    for (field, what) in BESIDE_CONTENT {
        let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty) || *value == "";
        if message.get(field).is_some_and(|value| !value.is_null() && !is_empty(value)) {
            parts.note(what, &format!("choices[0].message.{field}"));
        }
    }
    let (text, other) = parts.finish(&blank("choices[0].message.content", message.get("content")));
    let refusal = text_in(message, "refusal").or(refusal).map(|why| FinishReason::Refused(shown(why)));
    Ok(Completion { text, other, finish: error.or(refusal).unwrap_or(ended), ..completion })
}

/// Fields of a message beside its content.
const BESIDE_CONTENT: [(&str, &str); 7] = [
    ("tool_calls", "tool calls"),
    ("function_call", "tool calls"),
    ("reasoning_content", "reasoning"),
    ("reasoning", "reasoning"),
    ("reasoning_details", "reasoning"),
    ("thinking", "reasoning"),
    ("audio", "audio"),
];

/// The text of a message, as a whole or in parts; and the refusal that a part is.
fn content<'a>(message: &'a Value, parts: &mut Parts) -> Result<Option<&'a str>, Unexpected> {
    const FIELD: &str = "choices[0].message.content";
    let mut refusal = None;
    match message.get("content") {
        None | Some(Value::Null) => {}
        Some(text @ Value::String(_)) => parts.push(FIELD, Some(text))?,
        Some(Value::Array(listed)) => {
            for (at, part) in listed.iter().enumerate() {
                let field = format!("{FIELD}[{at}]");
                match part.get("type").and_then(Value::as_str) {
                    _ if part.is_string() => parts.push(field, Some(part))?,
                    Some("text" | "output_text") => parts.push(format!("{field}.text"), part.get("text"))?,
                    None if part.get("text").is_some() => {
                        parts.push(format!("{field}.text"), part.get("text"))?;
                    }
                    Some("refusal") => refusal = text_in(part, "refusal").or(refusal),
                    other => parts.note_type(other.unwrap_or_default(), &field),
                }
            }
        }
        other => return Err(Unexpected::new(FIELD, "a string or a list of parts", other)),
    }
    Ok(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_schemas_that_openai_can_enforce_are_strict() {
        let closed = json!({ "type": "object", "properties": { "a": { "type": "string" } },
                             "required": ["a"], "additionalProperties": false });
        assert!(is_strict(&closed));
        assert!(is_strict(
            &json!({ "type": "object", "properties": { "l": { "type": "array", "items": closed } },
                                   "required": ["l"], "additionalProperties": false })
        ));
        for open in [
            json!({ "type": "object" }),
            json!({ "type": "object", "properties": { "a": {} } }),
            json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false }),
            json!({ "type": "object", "properties": { "l": { "type": "array", "items": { "type": "object" } } },
                    "required": ["l"], "additionalProperties": false }),
            json!({ "type": "object", "properties": { "a": { "oneOf": [] } }, "required": ["a"],
                    "additionalProperties": false }),
        ] {
            assert!(!is_strict(&open), "{open}");
        }
    }
}
