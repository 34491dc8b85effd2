//! What answers of models come to: JSON among words and reasoning, errors in answers, answers without text, bodies that
//! are none. Each call is paid, so each test counts them.

use it::{Models, Run, TestApp, Workspace, graph, openai_says};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::llm_wire::ask;

const KEY: &str = "sk-live-9f8e7d6c5b4a39281706";

/// Every adapter: the fields of its key, and how its models are named.
const ADAPTERS: [(&str, &str); 5] = [
    ("openai", "direct.openai.gpt-4.1"),
    ("anthropic", "direct.anthropic.claude-sonnet-4-5"),
    ("google", "direct.google.gemini-2.5-flash"),
    ("bedrock", "direct.bedrock.meta.llama3-3-70b-instruct-v1:0"),
    ("openai_compatible", "direct.openai_compatible.llama3.2"),
];

fn schema() -> Value {
    json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] })
}

fn json_body(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// An answer of OpenAI that is this choice.
fn choice(choice: &Value) -> ResponseTemplate {
    json_body(
        &json!({ "model": "m", "choices": [choice], "usage": { "prompt_tokens": 5, "completion_tokens": 2 } }),
    )
}

/// A text as each provider gives it.
fn says(provider: &str, text: &str) -> ResponseTemplate {
    let parts = json!([{ "text": text, "type": "text" }]);
    json_body(&match provider {
        "anthropic" => json!({ "content": parts, "stop_reason": "end_turn" }),
        "google" => json!({ "candidates": [{ "content": { "parts": parts }, "finishReason": "STOP" }] }),
        "bedrock" => json!({ "output": { "message": { "content": parts } }, "stopReason": "end_turn" }),
        _ => json!({ "choices": [{ "message": { "content": text }, "finish_reason": "stop" }] }),
    })
}

/// A workspace with a key of a provider that leads to these answers.
async fn with(
    app: &TestApp,
    slug: &str,
    provider: &str,
    answers: Vec<ResponseTemplate>,
) -> (Workspace, Models) {
    let workspace = app.workspace(slug).await;
    let models = Models::answering(answers).await;
    let key = json!({ "provider": provider, "api_key": KEY, "base_url": models.url() });
    let region = if provider == "bedrock" { json!({ "region": "eu-central-1" }) } else { json!({}) };
    workspace.llm_key(&it::with(key, &region)).await;
    (workspace, models)
}

async fn run(workspace: &Workspace, step: Value) -> (Run, Value) {
    let run = workspace.begin(&graph([step]), json!({})).await;
    let view = run.finished().await;
    (run, view)
}

#[tokio::test]
async fn json_among_words_and_reasoning_costs_one_call() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    for (at, text) in [
        r#"<think>{}</think>{"n":1}"#,
        r#"I use {x}. {"n":1}"#,
        "```json\n{\"n\": 1}\n```",
        "Sure:\n```\n{\"n\": 1}\n```\nAsk me for more.",
        "<thinking>\nMaybe {\"n\": 2}?\n</thinking>\n\n{\"n\": 1}",
        r#"<reasoning>{"n":2}</reasoning>The answer is {"n":1}."#,
        r#"{"n":2}, no, wait.</think>{"n":1}"#,
        "<think>\n{\"n\": 1}",
        r#"{"m":{"n":2}} is the old form, {"n":1} the new one, and [1] cites it."#,
        r#"[THINK]Hm.[/THINK] {"n":2} or rather {"n":1}"#,
        r#"{"n":1} (with {} as default and {"m":"} {"} for others)"#,
        "{\"n\":1}\n\nSources: [1] [2] [3] [4] [5] [6] [7] [8] [9]",
    ]
    .into_iter()
    .enumerate()
    {
        let models = Models::answering([openai_says(text, 3, 1)]).await;
        let id = acme.openai_key(&models, KEY).await;
        for fields in [
            json!({ "output_schema": schema() }),
            json!({ "llm_params": { "response_format": { "type": "json_schema", "schema": schema() } } }),
        ] {
            let step = ask("direct.openai.gpt-4.1", &it::with(fields, &json!({ "llm_credential_id": id })));
            let (_, view) = run(&acme, step).await;
            assert_eq!(view["outputs"]["ask"]["json"], json!({ "n": 1 }), "{at}: {text}: {view:#}");
            let shown = view["outputs"]["ask"]["text"].as_str().unwrap();
            assert!(!shown.contains("think") && !shown.contains("reasoning"), "{shown}");
        }
        assert_eq!(models.requests().await.len(), 2, "one call each: {text}");
    }
}

#[tokio::test]
async fn every_adapter_leaves_reasoning_out_of_text_and_json() {
    let app = TestApp::start().await;
    for (provider, model) in ADAPTERS {
        let plain = says(provider, "<think>\nHm.\n</think>\n\nYes.");
        let object = || says(provider, r#"<think>{}</think>I use {x}. {"n":1}"#);
        let (acme, models) =
            with(&app, &provider.replace('_', "-"), provider, vec![plain, object(), object()]).await;
        let (_, view) = run(&acme, ask(model, &json!({}))).await;
        assert_eq!(view["outputs"]["ask"]["text"], "Yes.", "{provider}: {view:#}");
        assert_eq!(view["outputs"]["ask"]["tokens_in"], 0, "{provider} gave no counts");
        for fields in [
            json!({ "output_schema": schema() }),
            json!({ "llm_params": { "response_format": "json_object" } }),
        ] {
            let (_, view) = run(&acme, ask(model, &fields)).await;
            assert_eq!(view["outputs"]["ask"]["json"], json!({ "n": 1 }), "{provider}: {view:#}");
        }
        assert_eq!(models.requests().await.len(), 3, "{provider}");
    }
}

#[tokio::test]
async fn json_in_closed_reasoning_or_in_broken_json_is_no_answer() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let any_object = json!({ "type": "object" });
    for (text, schema) in [
        (r#"<think>{"n":1}</think>I cannot tell."#, schema()),
        (r#"{"items":[{"n":1},{"n":2}"#, any_object.clone()),
        (r#"{"items":[{"n":1},]}"#, any_object),
    ] {
        let models = Models::answering([openai_says(text, 3, 1), openai_says(r#"{"n":5}"#, 3, 1)]).await;
        let id = acme.openai_key(&models, KEY).await;
        let fields = json!({ "output_schema": schema, "llm_credential_id": id });
        let (_, view) = run(&acme, ask("direct.openai.gpt-4.1", &fields)).await;
        assert_eq!(view["outputs"]["ask"]["json"], json!({ "n": 5 }), "{text}: {view:#}");
        assert_eq!(models.requests().await.len(), 2, "{text}");
    }
}

#[tokio::test]
async fn tags_that_the_prompt_asks_for_stay_in_the_text() {
    let app = TestApp::start().await;
    let text = "<reasoning>Because.</reasoning><verdict>Yes.</verdict>";
    let (acme, _models) = with(&app, "acme", "openai", vec![openai_says(text, 3, 1)]).await;
    let asks = json!({ "prompt": "Give your reasons in <reasoning> and then a <verdict>." });
    let (_, view) = run(&acme, ask("direct.openai.gpt-4.1", &asks)).await;
    assert_eq!(view["outputs"]["ask"]["text"], text);
    let (_, view) = run(&acme, ask("direct.openai.gpt-4.1", &json!({}))).await;
    assert_eq!(view["outputs"]["ask"]["text"], "<verdict>Yes.</verdict>");
}

#[tokio::test]
async fn an_error_in_an_answer_is_retried_by_its_code() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let partial = json!({ "role": "assistant", "content": "The sky is" });
    let ended =
        |error: Value| choice(&json!({ "finish_reason": "error", "message": partial, "error": error }));
    let failed = "OpenAI (gpt-4.1) failed while it answered: ";
    for (answer, retried, message) in [
        (ended(json!({ "code": 502, "message": "Upstream died." })), true, "Upstream died (code 502)."),
        (ended(json!({ "code": 429, "message": "Slow down." })), true, "Slow down (code 429)."),
        (ended(json!({ "code": "overloaded", "message": "Busy." })), true, "Busy (code overloaded)."),
        (ended(json!({ "code": 400, "message": "Bad prompt." })), false, "Bad prompt (code 400)."),
        (ended(json!({ "code": 403, "message": "Moderated." })), false, "Moderated (code 403)."),
        (ended(json!({ "message": "Who knows." })), false, "Who knows."),
        (ended(Value::Null), false, "the answer ended with \"error\"."),
    ] {
        let models = Models::answering([answer, openai_says("Yes.", 3, 1)]).await;
        let id = acme.openai_key(&models, KEY).await;
        let fields = json!({ "llm_credential_id": id, "retry_count": 1, "retry_backoff_s": 0 });
        let (run, view) = run(&acme, ask("direct.openai.gpt-4.1", &fields)).await;
        assert_eq!(view["status"], if retried { "completed" } else { "failed" }, "{message}: {view:#}");
        assert_eq!(models.requests().await.len(), 1 + usize::from(retried), "{message}");
        let events = run.events().await;
        let first = &events.iter().find(|event| event["event_type"] == "step_failed").unwrap()["data"];
        assert_eq!(
            (&first["code"], &first["error"]),
            (&json!("LLM_REQUEST_FAILED"), &json!(format!("{failed}{message}")))
        );
        assert_eq!(run.summary().await["tokens_in"], 5 + if retried { 3 } else { 0 }, "both are counted");
    }
}

#[tokio::test]
async fn an_error_as_the_whole_answer_is_retried_by_its_code() {
    let app = TestApp::start().await;
    for (provider, model) in ADAPTERS {
        for (error, calls) in [
            (json!({ "code": 503, "message": "Busy." }), 2),
            (json!({ "type": "rate_limit_error", "message": "Busy." }), 2),
            (json!({ "type": "invalid_request_error", "message": "Busy." }), 1),
            (json!("Busy."), 1),
        ] {
            let slug = format!("{}-{calls}-{}", provider.replace('_', "-"), error.to_string().len());
            let answer = json_body(&json!({ "error": error }));
            let (acme, models) = with(&app, &slug, provider, vec![answer]).await;
            let step = ask(model, &json!({ "retry_count": 1, "retry_backoff_s": 0 }));
            let (_, view) = run(&acme, step).await;
            let message = view["error"].as_str().unwrap();
            assert!(message.contains("the answer holds an error: Busy"), "{message}");
            assert_eq!(models.requests().await.len(), calls, "{provider}: {error}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_text_fails_after_one_call_and_says_what_came() {
    let app = TestApp::start().await;
    let call =
        json!([{ "id": "c", "type": "function", "function": { "name": "search", "arguments": "{}" } }]);
    let openai = |message: Value| choice(&json!({ "message": message, "finish_reason": "stop" }));
    for (at, (provider, answer, came)) in [
        (
            "openai",
            openai(json!({ "content": null, "tool_calls": call })),
            "tool calls (choices[0].message.tool_calls)",
        ),
        (
            "openai",
            openai(json!({ "content": "", "reasoning": "Hm." })),
            "reasoning (choices[0].message.reasoning)",
        ),
        ("openai", openai(json!({ "content": " \n" })), "choices[0].message.content has no text"),
        ("openai", openai(json!({ "content": "<think>Hm.</think>" })), "reasoning between tags"),
        ("openai", openai(json!({ "content": "<think>Hm" })), "reasoning between tags"),
        ("openai_compatible", json_body(&json!({ "choices": [] })), "choices is an empty list"),
        (
            "anthropic",
            json_body(&json!({ "content": [{ "type": "tool_use", "name": "search", "input": {} }] })),
            "tool calls (content[0])",
        ),
        ("anthropic", json_body(&json!({ "content": [] })), "content has no text"),
        (
            "google",
            json_body(
                &json!({ "candidates": [{ "content": { "parts": [{ "text": "Hm.", "thought": true }] } }] }),
            ),
            "reasoning (candidates[0].content.parts[0])",
        ),
        ("google", json_body(&json!({ "candidates": [{ "finishReason": "STOP" }] })), "parts is missing"),
        (
            "bedrock",
            json_body(&json!({ "output": { "message": { "content": [{ "reasoningContent": {} }] } } })),
            "reasoning (output.message.content[0])",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let (acme, models) = with(&app, &format!("w{at}"), provider, vec![answer]).await;
        let model = ADAPTERS.iter().find(|(name, _)| *name == provider).unwrap().1;
        for fields in [json!({}), json!({ "output_schema": schema() })] {
            let (_, view) = run(&acme, ask(model, &fields)).await;
            assert_eq!(
                (&view["status"], &view["failure_code"]),
                (&json!("failed"), &json!("LLM_REQUEST_FAILED"))
            );
            let message = view["error"].as_str().unwrap();
            assert!(
                message.contains("answered without text. What came: ") && message.contains(came),
                "{message}"
            );
        }
        assert_eq!(models.requests().await.len(), 2, "one call each: {came}");
        let (_, _) = run(&acme, ask(model, &json!({ "retry_count": 2, "retry_backoff_s": 0 }))).await;
        assert_eq!(models.requests().await.len(), 3, "no code says that another may pass: {came}");
    }
}

#[tokio::test]
async fn an_answer_that_max_tokens_cut_says_so() {
    let app = TestApp::start().await;
    let cut = |message: Value| choice(&json!({ "message": message, "finish_reason": "length" }));
    let answers = vec![
        cut(json!({ "content": "{\"n\": {\"n\": 1}, " })),
        cut(json!({ "content": "<think>Hm, {\"n\":1}" })),
        cut(json!({ "content": null, "reasoning_content": "Hm." })),
    ];
    let (acme, models) = with(&app, "acme", "openai", answers).await;
    for came in ["", "reasoning between tags", "reasoning (choices[0].message.reasoning_content)"] {
        let fields = json!({ "output_schema": schema(), "llm_params": { "max_tokens": 7 } });
        let (_, view) = run(&acme, ask("direct.openai.gpt-4.1", &fields)).await;
        let message = view["error"].as_str().unwrap();
        assert!(
            message.contains("was cut off before its end; raise llm_params.max_tokens, which is 7"),
            "{message}"
        );
        assert!(message.contains(came), "{message}");
    }
    assert_eq!(models.requests().await.len(), 3, "no second call");
}

#[tokio::test]
async fn bodies_that_are_no_answer_are_described_by_every_adapter() {
    let app = TestApp::start().await;
    let raw =
        |media: &str, body: &str| ResponseTemplate::new(200).set_body_raw(body.as_bytes().to_vec(), media);
    for (provider, model) in ADAPTERS {
        let cases = [
            (
                raw("text/html", "<html><title>Sign in</title>"),
                "a page with the title \"Sign in\" and no JSON",
            ),
            (raw("text/event-stream", "data: {\"choices\":[]}\n\n"), "a stream of events"),
            (raw("application/json", ""), "the answer is empty"),
            (raw("application/json", "{\"choices\":[{\"n\":1e999"), "broken JSON"),
            (raw("text/plain", "no healthy upstream"), "It begins: no healthy upstream"),
            (raw("application/json", "[]"), "expected an object, found a list"),
            (raw("application/json", "{}"), "found nothing"),
            (raw("application/json", "\"ok\""), "expected an object, found a string"),
            (raw("application/json", "{\"message\":\"Unknown operation.\"}"), "Unknown operation."),
        ];
        let (answers, said): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let calls = answers.len();
        let (acme, models) = with(&app, &provider.replace('_', "-"), provider, answers).await;
        for words in said {
            let (_, view) = run(&acme, ask(model, &json!({}))).await;
            let message = view["error"].as_str().unwrap();
            assert!(
                message.contains(words) && message.contains(&model[model.rfind('.').unwrap()..][1..]),
                "{message}"
            );
        }
        assert_eq!(models.requests().await.len(), calls, "{provider}");
    }
}

#[tokio::test]
async fn counts_of_other_types_and_names_that_are_none_do_not_fail_an_answer() {
    let app = TestApp::start().await;
    for (at, (usage, tokens)) in [
        (json!({ "prompt_tokens": 5.0, "completion_tokens": "2" }), (5, 2)),
        (json!({ "prompt_tokens": -5, "completion_tokens": null }), (0, 0)),
        (json!({ "prompt_tokens": u64::MAX, "completion_tokens": 1e300 }), (1_000_000_000, 1_000_000_000)),
        (json!([1, 2]), (0, 0)),
        (json!("none"), (0, 0)),
        (Value::Null, (0, 0)),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({ "model": ["m"], "usage": usage,
                           "choices": [{ "message": { "content": [{ "type": "text", "text": "Yes." }] } }] });
        let (acme, _models) = with(&app, &format!("w{at}"), "openai", vec![json_body(&body)]).await;
        let (run, view) = run(&acme, ask("direct.openai.gpt-4.1", &json!({}))).await;
        let result = &view["outputs"]["ask"];
        assert_eq!((&result["text"], &result["model"]), (&json!("Yes."), &json!("gpt-4.1")), "{view:#}");
        assert_eq!(
            (&result["tokens_in"], &result["tokens_out"]),
            (&json!(tokens.0), &json!(tokens.1)),
            "{body}"
        );
        assert_eq!(run.summary().await["tokens_in"], tokens.0);
    }
}

#[tokio::test]
async fn reasons_of_refusals_are_shown_masked_and_cut() {
    let app = TestApp::start().await;
    let half = "x".repeat(480);
    for (at, (body, shown)) in [
        (json!({ "error": "No." }).to_string(), "No"),
        (json!({ "error": { "message": "No." } }).to_string(), "No"),
        (json!({ "error": { "message": { "reason": "No." } } }).to_string(), "No"),
        (json!({ "message": "No." }).to_string(), "No"),
        (json!({ "detail": "No." }).to_string(), "No"),
        (json!({ "detail": [{ "loc": ["body", "stop"], "msg": "No." }] }).to_string(), "body.stop: No"),
        (
            json!([{ "error": { "code": 400, "message": "No.", "status": "INVALID_ARGUMENT" } }]).to_string(),
            "No",
        ),
        (json!({ "errors": [{ "message": "No" }, { "message": "never" }] }).to_string(), "No; never"),
        ("No.".to_owned(), "No"),
        ("<html><title>Bad gateway</title></html>".to_owned(), "Bad gateway"),
        (String::new(), "without a reason"),
        (format!("Key {KEY}\r\nis wrong"), "Key •••  is wrong"),
        (
            json!({ "error": { "message": format!("{half} {KEY} is wrong") } }).to_string(),
            &*format!("{half} ••• is wrong"),
        ),
        (json!({ "detail": "y".repeat(5000) }).to_string(), &*format!("{}…", "y".repeat(500))),
    ]
    .into_iter()
    .enumerate()
    {
        for (provider, model) in ADAPTERS {
            let slug = format!("{}-{at}", provider.replace('_', "-"));
            let answer =
                ResponseTemplate::new(400).set_body_raw(body.clone().into_bytes(), "application/json");
            let (acme, _models) = with(&app, &slug, provider, vec![answer]).await;
            let (_, view) = run(&acme, ask(model, &json!({}))).await;
            let message = view["error"].as_str().unwrap();
            assert!(message.ends_with(&format!(" answered 400: {shown}.")), "{provider}: {message}");
        }
    }
}
