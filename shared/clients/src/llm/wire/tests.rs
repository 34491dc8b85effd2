//! What each provider's answers are read as.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use platform::outbound_http::OutboundPolicy;
use types::tokens::Tokens;

fn openai(choice: &Value) -> Value {
    json!({ "model": "m", "choices": [choice], "usage": { "prompt_tokens": 5, "completion_tokens": 2 } })
}

fn openai_message(message: &Value) -> Value {
    openai(&json!({ "message": message, "finish_reason": "stop" }))
}

fn anthropic(content: &Value, stop_reason: &str) -> Value {
    json!({ "model": "m", "content": content, "stop_reason": stop_reason,
            "usage": { "input_tokens": 5, "output_tokens": 2 } })
}

fn google(candidate: &Value) -> Value {
    json!({ "modelVersion": "m", "candidates": [candidate],
            "usageMetadata": { "promptTokenCount": 5, "candidatesTokenCount": 2 } })
}

fn google_parts(parts: &Value) -> Value {
    google(&json!({ "content": { "parts": parts }, "finishReason": "STOP" }))
}

fn bedrock(content: &Value, stop_reason: &str) -> Value {
    json!({ "output": { "message": { "content": content } }, "stopReason": stop_reason,
            "usage": { "inputTokens": 5, "outputTokens": 2 } })
}

fn read(provider: Provider, body: &Value) -> Completion {
    match completion(provider, body) {
        Ok(completion) => completion,
        Err(NoCompletion::Error { reason, .. }) => panic!("{body}: {reason}"),
        Err(NoCompletion::Unexpected(field)) => panic!("{body}: {field}"),
    }
}

fn unexpected(provider: Provider, body: &Value) -> String {
    match completion(provider, body) {
        Err(NoCompletion::Unexpected(field)) => field.to_string(),
        Err(NoCompletion::Error { reason, .. }) => panic!("{body}: {reason}"),
        Ok(completion) => panic!("{body}: {completion:?}"),
    }
}

const TEXT: &str = "Yes.";

#[test]
fn reasoning_and_parts_of_other_types_are_no_text() {
    use Provider::{Anthropic, Bedrock, Google, Openai};
    for (provider, body) in [
        (Openai, openai_message(&json!({ "content": TEXT, "reasoning_content": "Hm.", "refusal": null }))),
        (Openai, openai_message(&json!({ "content": TEXT, "reasoning": "Hm.", "refusal": "" }))),
        (
            Openai,
            openai_message(&json!({ "content": [
                { "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }] },
                { "type": "reasoning", "text": "Hm." },
                { "type": "text", "text": "Y" }, { "type": "output_text", "text": "es" }, { "text": "." },
                { "type": "image_url", "text": "Hm." } ] })),
        ),
        (
            Anthropic,
            anthropic(
                &json!([{ "type": "thinking", "thinking": "Hm.", "signature": "x" },
                        { "type": "redacted_thinking", "data": "x" }, { "type": "text", "text": TEXT },
                        { "type": "new", "text": "Hm." }]),
                "end_turn",
            ),
        ),
        (
            Google,
            google_parts(&json!([{ "text": "Hm.", "thought": true }, { "text": "Y" },
                                 { "inlineData": { "data": "x" } }, { "text": "es.", "thoughtSignature": "x" }])),
        ),
        (
            Bedrock,
            bedrock(
                &json!([{ "reasoningContent": { "reasoningText": { "text": "Hm." } } }, { "text": TEXT },
                        { "image": { "format": "png" } }]),
                "end_turn",
            ),
        ),
    ] {
        let completion = read(provider, &body);
        assert_eq!((&*completion.text, completion.finish), (TEXT, FinishReason::Stop), "{body}");
        assert_eq!(completion.tokens, Tokens { tokens_in: 5, tokens_out: 2 }, "{body}");
        assert!(!completion.other.is_empty(), "{body}");
    }
}

/// Each of these answers is blank, and comes with these.
fn came(cases: Vec<(Provider, Value, Vec<&str>)>) {
    for (provider, body, came) in cases {
        let completion = read(provider, &body);
        assert_eq!((completion.text.trim(), completion.finish), ("", FinishReason::Stop), "{body}");
        assert_eq!(completion.other, came, "{body}");
    }
}

#[test]
fn an_answer_of_openai_without_text_says_what_came() {
    use Provider::Openai;
    let call = json!([{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }]);
    came(vec![
        (
            Openai,
            openai_message(&json!({ "content": null, "tool_calls": call })),
            vec!["tool calls (choices[0].message.tool_calls)", "choices[0].message.content is null"],
        ),
        (
            Openai,
            openai_message(&json!({ "content": "", "function_call": { "name": "f" } })),
            vec!["tool calls (choices[0].message.function_call)", "choices[0].message.content has no text"],
        ),
        (
            Openai,
            openai_message(&json!({ "content": "\n", "reasoning_content": "Hm.", "tool_calls": [] })),
            vec![
                "reasoning (choices[0].message.reasoning_content)",
                "choices[0].message.content has no text",
            ],
        ),
        (Openai, openai_message(&json!({})), vec!["choices[0].message.content is missing"]),
        (Openai, openai_message(&json!({ "content": [] })), vec!["choices[0].message.content has no text"]),
        (Openai, json!({ "choices": [] }), vec!["choices is an empty list"]),
    ]);
}

#[test]
fn an_answer_of_others_without_text_says_what_came() {
    use Provider::{Anthropic, Bedrock, Google};
    came(vec![
        (
            Anthropic,
            anthropic(&json!([{ "type": "tool_use", "name": "search", "input": {} }]), "tool_use"),
            vec!["tool calls (content[0])", "content has no text"],
        ),
        (
            Anthropic,
            anthropic(&json!([{ "type": "thinking", "thinking": "Hm." }]), "end_turn"),
            vec!["reasoning (content[0])", "content has no text"],
        ),
        (Anthropic, anthropic(&json!([]), "end_turn"), vec!["content has no text"]),
        (
            Google,
            google_parts(&json!([{ "functionCall": { "name": "f" } }, { "text": "Hm.", "thought": true }])),
            vec![
                "tool calls (candidates[0].content.parts[0])",
                "reasoning (candidates[0].content.parts[1])",
                "candidates[0].content.parts has no text",
            ],
        ),
        (
            Google,
            google(&json!({ "content": { "role": "model" }, "finishReason": "STOP" })),
            vec!["candidates[0].content.parts is missing"],
        ),
        (Google, google(&json!({ "finishReason": "STOP" })), vec!["candidates[0].content.parts is missing"]),
        (Google, json!({ "candidates": [], "usageMetadata": {} }), vec!["candidates is empty"]),
        (Google, json!({ "usageMetadata": { "promptTokenCount": 5 } }), vec!["candidates is empty"]),
        (
            Bedrock,
            bedrock(&json!([{ "toolUse": { "name": "f", "input": {} } }]), "tool_use"),
            vec!["tool calls (output.message.content[0])", "output.message.content has no text"],
        ),
        (Bedrock, bedrock(&json!([]), "end_turn"), vec!["output.message.content has no text"]),
    ]);
}

fn error(completion: &Completion) -> (&str, bool) {
    match &completion.finish {
        FinishReason::Error { reason, may_pass, .. } => (reason, *may_pass),
        other => panic!("{other:?}"),
    }
}

/// Each of these answers has ended with an error for this reason, which may pass or not.
fn ended_with_error(cases: Vec<(Provider, Value, &str, bool)>) {
    for (provider, body, reason, may_pass) in cases {
        let completion = read(provider, &body);
        assert_eq!(error(&completion), (reason, may_pass), "{body}");
        assert_eq!(completion.tokens.tokens_in, 5, "what it cost is counted: {body}");
    }
}

#[test]
fn an_answer_of_openai_that_ended_with_an_error_is_none() {
    use Provider::OpenaiCompatible;
    let partial = json!({ "role": "assistant", "content": "The sky is" });
    let upstream = json!({ "code": 502, "message": "Upstream died." });
    ended_with_error(vec![
        (
            OpenaiCompatible,
            openai(&json!({ "finish_reason": "error", "message": partial, "error": upstream })),
            "Upstream died (code 502)",
            true,
        ),
        (
            OpenaiCompatible,
            it_with(openai(&json!({ "finish_reason": "error", "message": partial })), "error", &upstream),
            "Upstream died (code 502)",
            true,
        ),
        (
            OpenaiCompatible,
            openai(&json!({ "finish_reason": "stop", "message": partial,
                            "error": { "code": 400, "message": "No." } })),
            "No (code 400)",
            false,
        ),
        (
            OpenaiCompatible,
            openai(&json!({ "finish_reason": "error", "error": { "code": 403, "message": "Moderated." } })),
            "Moderated (code 403)",
            false,
        ),
        (
            OpenaiCompatible,
            openai(&json!({ "finish_reason": "error", "message": partial })),
            "the answer ended with \"error\"",
            false,
        ),
        (
            OpenaiCompatible,
            openai(&json!({ "finish_reason": "provider_error", "message": partial })),
            "the answer ended with \"provider_error\"",
            false,
        ),
        (
            OpenaiCompatible,
            openai(&json!({ "finish_reason": "engine_overloaded", "message": partial })),
            "the answer ended with \"engine_overloaded\"",
            true,
        ),
        (
            OpenaiCompatible,
            openai(&json!({ "finish_reason": "insufficient_system_resource", "message": partial })),
            "the answer ended with \"insufficient_system_resource\"",
            true,
        ),
    ]);
}

#[test]
fn an_answer_of_others_that_ended_with_an_error_is_none() {
    use Provider::{Anthropic, Bedrock, Google};
    let text = json!([{ "type": "text", "text": "The sky is" }]);
    ended_with_error(vec![
        (
            Anthropic,
            it_with(
                anthropic(&text, "end_turn"),
                "error",
                &json!({ "type": "overloaded_error", "message": "m" }),
            ),
            "m (code overloaded_error)",
            true,
        ),
        (
            Google,
            google(&json!({ "content": { "parts": text }, "finishReason": "MALFORMED_FUNCTION_CALL",
                            "finishMessage": "Malformed call: f(" })),
            "the answer ended with \"MALFORMED_FUNCTION_CALL\": Malformed call: f(",
            false,
        ),
        (
            Google,
            google(&json!({ "content": { "parts": text }, "finishReason": "OF_TOMORROW" })),
            "the answer ended with \"OF_TOMORROW\"",
            false,
        ),
        (
            Bedrock,
            bedrock(&text, "malformed_model_output"),
            "the answer ended with \"malformed_model_output\"",
            false,
        ),
    ]);
}

fn it_with(mut body: Value, field: &str, value: &Value) -> Value {
    body[field] = value.clone();
    body
}

#[test]
fn refusals_and_filters_are_told_by_each_provider() {
    use Provider::{Anthropic, Bedrock, Google, Openai};
    let text = json!([{ "type": "text", "text": "Partial." }]);
    let blocked = json!({ "promptFeedback": { "blockReason": "SAFETY", "blockReasonMessage": "Unsafe." } });
    for (provider, body, why) in [
        (Openai, openai_message(&json!({ "content": null, "refusal": "I can't." })), "I can't."),
        (Openai, openai_message(&json!({ "content": [{ "type": "refusal", "refusal": "No." }] })), "No."),
        (
            Openai,
            openai(&json!({ "finish_reason": "content_filter", "message": { "content": "Partial." } })),
            "its content filter held the answer back",
        ),
        (Anthropic, anthropic(&text, "refusal"), "the model declined"),
        (Google, blocked, "the prompt was blocked (SAFETY): Unsafe."),
        (Google, google(&json!({ "finishReason": "SAFETY" })), "the answer was stopped (SAFETY)"),
        (
            Google,
            google(
                &json!({ "finishReason": "RECITATION", "content": { "parts": text }, "finishMessage": "Cited." }),
            ),
            "the answer was stopped (RECITATION): Cited.",
        ),
        (Bedrock, bedrock(&text, "guardrail_intervened"), "a guardrail intervened: Partial."),
        (Bedrock, bedrock(&json!([]), "content_filtered"), "its content filter held the answer back"),
    ] {
        assert_eq!(read(provider, &body).finish, FinishReason::Refused(why.to_owned()), "{body}");
    }
}

#[test]
fn an_answer_at_its_limit_is_told_by_each_provider() {
    use Provider::{Anthropic, Bedrock, Google, Openai};
    let answer = json!([{ "type": "tool_use", "name": "answer", "input": {} }]);
    let tool = json!([{ "toolUse": { "name": "answer", "input": {} } }]);
    for (provider, body) in [
        (Openai, openai(&json!({ "finish_reason": "length", "message": { "content": null } }))),
        (Openai, openai(&json!({ "finish_reason": "MAX_TOKENS", "message": { "content": "" } }))),
        (Anthropic, anthropic(&answer, "max_tokens")),
        (Google, google(&json!({ "finishReason": "MAX_TOKENS", "content": {} }))),
        (Bedrock, bedrock(&tool, "max_tokens")),
    ] {
        let completion = read(provider, &body);
        assert_eq!((&*completion.text, completion.finish), ("", FinishReason::Length), "{body}");
    }
}

#[test]
fn a_field_of_another_type_is_named() {
    use Provider::{Anthropic, Bedrock, Google, Openai};
    for (provider, body, named) in [
        (Openai, json!({ "object": "list" }), "choices: expected a list, found nothing"),
        (Openai, json!({ "choices": { "0": 1 } }), "choices: expected a list, found an object"),
        (Openai, json!({ "choices": ["x"] }), "choices[0].message: expected an object, found nothing"),
        (Openai, openai(&json!({ "delta": {} })), "choices[0].message: expected an object, found nothing"),
        (
            Openai,
            openai(&json!({ "message": "x" })),
            "choices[0].message: expected an object, found a string",
        ),
        (
            Openai,
            openai_message(&json!({ "content": 5 })),
            "choices[0].message.content: expected a string or a list of parts, found a number",
        ),
        (
            Openai,
            openai_message(&json!({ "content": [{ "type": "text", "text": null }] })),
            "choices[0].message.content[0].text: expected a string, found null",
        ),
        (Anthropic, json!({ "completion": "x" }), "content: expected a list, found nothing"),
        (
            Anthropic,
            anthropic(&json!([{ "type": "text", "text": ["x"] }]), "end_turn"),
            "content[0].text: expected a string, found a list",
        ),
        (Google, json!({ "choices": [] }), "candidates: expected a list, found nothing"),
        (Google, google_parts(&json!("x")), "candidates[0].content.parts: expected a list, found a string"),
        (
            Google,
            google_parts(&json!([{ "text": true }])),
            "candidates[0].content.parts[0].text: expected a string, found a boolean",
        ),
        (Bedrock, json!({ "output": {} }), "output.message: expected an object, found nothing"),
        (
            Bedrock,
            bedrock(&json!("x"), "end_turn"),
            "output.message.content: expected a list, found a string",
        ),
    ] {
        assert_eq!(unexpected(provider, &body), named, "{body}");
    }
    for provider in Provider::ALL {
        for body in [json!([]), json!("x"), json!(null), json!(5)] {
            assert!(unexpected(provider, &body).starts_with("expected an object, found "), "{body}");
        }
    }
}

#[test]
fn the_reason_of_an_answer_without_choices_is_told() {
    let body = json!({ "choices": null, "base_resp": { "status_code": 1002, "status_msg": "rate limit" } });
    match completion(Provider::OpenaiCompatible, &body) {
        Err(NoCompletion::Error { reason, may_pass }) => {
            assert_eq!(
                (reason.as_str(), may_pass),
                ("rate limit (choices: expected a list, found null)", false)
            );
        }
        Err(NoCompletion::Unexpected(field)) => panic!("{field}"),
        Ok(completion) => panic!("{completion:?}"),
    }
}

#[test]
fn names_of_models_that_are_none_are_left_out() {
    for model in [json!(null), json!(5), json!(""), json!("a b"), json!("x".repeat(10_000))] {
        let body = it_with(openai_message(&json!({ "content": TEXT })), "model", &model);
        assert_eq!(read(Provider::Openai, &body).model, None, "{model}");
    }
}

#[test]
fn an_address_is_the_base_url_and_a_path() {
    let outbound = Outbound::new(OutboundPolicy::default());
    for (provider, base, path, whole) in [
        (Provider::Openai, "https://x.example/v1/", "/chat", "https://x.example/v1/chat"),
        (Provider::Openai, " https://x.example/v1\n", "/chat", "https://x.example/v1/chat"),
        (Provider::Openai, "https://bücher.example/ü", "/chat", "https://xn--bcher-kva.example/%C3%BC/chat"),
        (Provider::Anthropic, "https://x.example/v1", "/v1/messages", "https://x.example/v1/messages"),
        (Provider::Anthropic, "https://x.example", "/v1/messages", "https://x.example/v1/messages"),
    ] {
        assert_eq!(address(&outbound, provider, base, path).as_deref(), Ok(whole));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop_oneof!["error", "stop", "text", "thinking", "STOP", "answer", "tool_use"].prop_map(Value::from),
    ];
    let names = "(choices|message|content|finish_reason|error|usage|text|type|name|input|candidates|parts|finishReason\
                 |output|toolUse|stopReason|stop_reason|promptFeedback|blockReason|prompt_tokens|code|detail|loc)";
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(names, inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_an_answer_or_says_why_not(body in any_json()) {
        for provider in Provider::ALL {
            match completion(provider, &body) {
                Ok(completion) => prop_assert!(
                    !completion.text.trim().is_empty() || !completion.other.is_empty(), "{:?}", completion
                ),
                Err(NoCompletion::Error { reason, .. }) => prop_assert!(!reason.is_empty()),
                Err(NoCompletion::Unexpected(field)) => prop_assert!(!field.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn a_key_leaves_no_half_where_a_text_is_cut(before in 0_usize..600, provider in 0_usize..5) {
        let key = "sk-live-9f8e7d6c5b4a39281706";
        let mut mask = Mask::default();
        mask.note(&key.into());
        let words = format!("{}{key} and more", "x".repeat(before));
        for body in [
            json!({ "error": { "message": words } }).to_string(),
            json!({ "error": words, "choices": [{}] }).to_string(),
            format!("<html><title>{words}</title></html>"),
            words,
        ] {
            let received = Received::read(body.as_bytes(), &mask);
            let mut seen = vec![received.words(), failure::message(received.json())];
            seen.push(received.describe(&http::HeaderMap::new()).map(|(why, _)| why));
            if let Err(NoCompletion::Error { reason, .. }) = completion(Provider::ALL[provider], received.json()) {
                seen.push(Some(reason));
            }
            for text in seen.into_iter().flatten() {
                prop_assert!(!text.contains("sk-live"), "{}", text);
            }
        }
    }
}
