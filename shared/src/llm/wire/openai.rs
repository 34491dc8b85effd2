//! OpenAI's chat completions, which OpenAI and all that is compatible with it speak.

use http::HeaderName;
use serde_json::{Map, Value, json};

use super::{Chat, End, Said, Tokens, Written, count, list, put};
use crate::llm::chat::{Shape, Speaker};

/// OpenAI itself has renamed `max_tokens`, and its reasoning models refuse the old name.
pub(super) fn write(chat: &Chat, is_openai: bool, organization: Option<&str>) -> Written {
    let (system, format) = form(chat);
    let mut messages: Vec<Value> =
        system.into_iter().map(|text| json!({ "role": "system", "content": text })).collect();
    messages.extend(chat.turns.iter().map(|(speaker, text)| {
        let role = if *speaker == Speaker::User { "user" } else { "assistant" };
        json!({ "role": role, "content": text })
    }));
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
    match (&chat.shape, chat.object_schema()) {
        (Shape::Text, _) => (chat.system.clone(), None),
        (Shape::Schema(_), Some(schema)) => {
            let named = json!({ "name": "answer", "schema": schema, "strict": is_strict(schema) });
            (chat.system.clone(), Some(json!({ "type": "json_schema", "json_schema": named })))
        }
        (Shape::Schema(_), None) => (chat.system_with_form(), None),
        (Shape::Json, _) => {
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

pub(super) fn read(body: &Value) -> Option<Said> {
    let choice = body.get("choices")?.as_array()?.first()?;
    let message = choice.get("message")?;
    let text = match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => String::new(),
    };
    let end = match (message.get("refusal").and_then(Value::as_str), choice.get("finish_reason")) {
        (Some(refusal), _) => End::Refused(refusal.to_owned()),
        (None, Some(reason)) if reason == "content_filter" => {
            End::Refused("its content filter held the answer back".to_owned())
        }
        (None, Some(reason)) if reason == "length" => End::CutOff,
        _ => End::Whole,
    };
    let usage = body.get("usage").unwrap_or(&Value::Null);
    Some(Said {
        text,
        model: body.get("model").and_then(Value::as_str).map(str::to_owned),
        tokens: Tokens {
            tokens_in: count(usage, &["prompt_tokens"]),
            tokens_out: count(usage, &["completion_tokens"]),
        },
        end,
    })
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
