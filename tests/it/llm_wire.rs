//! Each provider against recorded examples of its wire: the request that leaves, and the usage that is counted.

use it::{Models, TestApp, Workspace, graph, openai_says};
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

/// A step that asks a model, with these fields besides.
pub fn ask(model_ref: &str, fields: &Value) -> Value {
    let step =
        json!({ "id": "ask", "type": "llm_call", "model_ref": model_ref, "prompt": "Why is the sky blue?" });
    it::with(step, fields)
}

fn params() -> Value {
    json!({ "system": "Be brief.",
            "llm_params": { "temperature": 0.5, "max_tokens": 300, "top_p": 0.9, "stop": ["END"] } })
}

fn schema() -> Value {
    json!({ "type": "object", "properties": { "why": { "type": "string" } }, "required": ["why"],
            "additionalProperties": false })
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.get(name).and_then(|value| value.to_str().ok())
}

/// Runs one step; the run with its step's result, and its summary.
async fn run(workspace: &Workspace, step: Value) -> (Value, Value) {
    let run = workspace.begin(&graph([step]), json!({})).await;
    let finished = run.finished().await;
    assert_eq!(finished["status"], "completed", "{finished:#}");
    (finished["outputs"]["ask"].clone(), run.summary().await)
}

fn used(summary: &Value) -> (u64, u64) {
    (summary["tokens_in"].as_u64().unwrap(), summary["tokens_out"].as_u64().unwrap())
}

#[tokio::test]
async fn openai_is_asked_by_chat_completions() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let models = Models::answering([openai_says("Rayleigh scattering.", 19, 10)]).await;
    acme.llm_key(&json!({ "provider": "openai", "api_key": "sk-test-0123456789", "base_url": models.url(),
                          "organization": "org-acme" }))
        .await;
    let mut fields = params();
    fields["llm_params"]["seed"] = 7.into();
    let (result, summary) = run(&acme, ask("direct.openai.gpt-4.1", &fields)).await;
    assert!(result["latency_ms"].is_u64(), "{result}");
    assert_eq!(
        result,
        json!({ "model": "gpt-4.1-2025-04-14", "text": "Rayleigh scattering.", "tokens_in": 19, "tokens_out": 10,
                "latency_ms": result["latency_ms"] })
    );
    assert_eq!(used(&summary), (19, 10));
    let request = &models.requests().await[0];
    assert_eq!(request.url.path(), "/chat/completions");
    assert_eq!(header(request, "authorization"), Some("Bearer sk-test-0123456789"));
    assert_eq!(header(request, "openai-organization"), Some("org-acme"));
    assert_eq!(header(request, "content-type"), Some("application/json"));
    let run_id = summary["run_id"].as_str().unwrap();
    assert_eq!(header(request, "idempotency-key"), Some(&*format!("{run_id}/ask/1")));
    assert_eq!(
        models.bodies().await[0],
        json!({ "model": "gpt-4.1",
                "messages": [{ "role": "system", "content": "Be brief." },
                             { "role": "user", "content": "Why is the sky blue?" }],
                "max_completion_tokens": 300, "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "seed": 7 })
    );
}

#[tokio::test]
async fn openai_is_held_to_a_schema() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let models = Models::answering([openai_says(r#"{"why":"scattering"}"#, 30, 8)]).await;
    acme.openai_key(&models, "sk-test-0123456789").await;
    let (result, _) = run(&acme, ask("direct.openai.gpt-4.1", &json!({ "output_schema": schema() }))).await;
    assert_eq!(result["json"], json!({ "why": "scattering" }));
    assert_eq!(
        models.bodies().await[0]["response_format"],
        json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": schema(), "strict": true } })
    );
}

#[tokio::test]
async fn a_compatible_server_needs_no_key_and_gets_the_old_names() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    // As Ollama and vLLM answer.
    let models = Models::answering([ResponseTemplate::new(200).set_body_json(json!({
        "id": "chatcmpl-631", "object": "chat.completion", "created": 1_741_569_952, "model": "llama3.2",
        "system_fingerprint": "fp_ollama",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Here: {\"why\": \"it is\"}" },
                      "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17 }
    }))])
    .await;
    acme.llm_key(&json!({ "provider": "openai_compatible", "base_url": format!("{}/v1/", models.url()) }))
        .await;
    let fields =
        json!({ "llm_params": { "max_tokens": 9, "response_format": "json_object", "stop": "END" } });
    let (result, summary) = run(&acme, ask("direct.openai_compatible.llama3.2", &fields)).await;
    assert_eq!((&result["model"], &result["json"]), (&json!("llama3.2"), &json!({ "why": "it is" })));
    assert_eq!(used(&summary), (12, 5));
    let request = &models.requests().await[0];
    assert_eq!((request.url.path(), header(request, "authorization")), ("/v1/chat/completions", None));
    assert_eq!(
        models.bodies().await[0],
        json!({ "model": "llama3.2", "max_tokens": 9, "stop": ["END"], "response_format": { "type": "json_object" },
                "messages": [{ "role": "system", "content": "Answer with one JSON object and nothing else." },
                             { "role": "user", "content": "Why is the sky blue?" }] })
    );
}

#[tokio::test]
async fn anthropic_is_asked_by_messages_and_cached_tokens_count() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let models = Models::answering([ResponseTemplate::new(200).set_body_json(json!({
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{ "type": "text", "text": "Rayleigh " }, { "type": "text", "text": "scattering." }],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": { "input_tokens": 20, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4,
                   "output_tokens": 11, "service_tier": "standard" }
    }))])
    .await;
    acme.llm_key(
        &json!({ "provider": "anthropic", "api_key": "sk-ant-0123456789", "base_url": models.url() }),
    )
    .await;
    let (result, summary) = run(&acme, ask("direct.anthropic.claude-sonnet-4-5", &params())).await;
    assert_eq!(
        (&result["text"], &result["model"]),
        (&json!("Rayleigh scattering."), &json!("claude-sonnet-4-5-20250929"))
    );
    assert_eq!(used(&summary), (27, 11));
    let request = &models.requests().await[0];
    assert_eq!(request.url.path(), "/v1/messages");
    assert_eq!(header(request, "x-api-key"), Some("sk-ant-0123456789"));
    assert_eq!(header(request, "anthropic-version"), Some("2023-06-01"));
    assert_eq!(header(request, "authorization"), None);
    assert_eq!(
        models.bodies().await[0],
        json!({ "model": "claude-sonnet-4-5", "max_tokens": 300, "system": "Be brief.",
                "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
                "temperature": 0.5, "top_p": 0.9, "stop_sequences": ["END"] })
    );
}

#[tokio::test]
async fn anthropic_gives_an_answer_with_a_schema_through_a_tool() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let models = Models::answering([ResponseTemplate::new(200).set_body_json(json!({
        "id": "msg_01Aq9w938a90dw8q", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
        "content": [{ "type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "answer",
                      "input": { "why": "scattering" } }],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": { "input_tokens": 345, "output_tokens": 21 }
    }))])
    .await;
    acme.llm_key(
        &json!({ "provider": "anthropic", "api_key": "sk-ant-0123456789", "base_url": models.url() }),
    )
    .await;
    let step = ask("direct.anthropic.claude-sonnet-4-5", &json!({ "output_schema": schema() }));
    let (result, summary) = run(&acme, step).await;
    assert_eq!(result["json"], json!({ "why": "scattering" }));
    assert_eq!(used(&summary), (345, 21));
    let body = &models.bodies().await[0];
    assert_eq!(body["max_tokens"], 8192, "Anthropic wants a number");
    assert_eq!(body["tool_choice"], json!({ "type": "tool", "name": "answer" }));
    assert_eq!(body["tools"][0]["input_schema"], schema());
}

#[tokio::test]
async fn google_is_asked_by_generate_content_and_thoughts_count_but_do_not_show() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let models = Models::answering([ResponseTemplate::new(200).set_body_json(json!({
        "candidates": [{ "content": { "role": "model", "parts": [
                           { "text": "Let me think.", "thought": true }, { "text": "{\"why\":\"scattering\"}" }] },
                         "finishReason": "STOP", "index": 0 }],
        "usageMetadata": { "promptTokenCount": 14, "candidatesTokenCount": 6, "thoughtsTokenCount": 50,
                           "totalTokenCount": 70,
                           "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": 14 }] },
        "modelVersion": "gemini-2.5-flash", "responseId": "x"
    }))])
    .await;
    acme.llm_key(&json!({ "provider": "google", "api_key": "AIza-0123456789", "base_url": models.url() }))
        .await;
    let mut fields = params();
    fields["output_schema"] = schema();
    fields["llm_params"]["seed"] = 7.into();
    let (result, summary) = run(&acme, ask("direct.google.gemini-2.5-flash", &fields)).await;
    assert_eq!(
        (&result["text"], &result["json"]),
        (&json!("{\"why\":\"scattering\"}"), &json!({ "why": "scattering" }))
    );
    assert_eq!(used(&summary), (14, 56));
    let request = &models.requests().await[0];
    assert_eq!(request.url.path(), "/models/gemini-2.5-flash:generateContent");
    assert_eq!(request.url.query(), None, "a key does not stand in a URL");
    assert_eq!(header(request, "x-goog-api-key"), Some("AIza-0123456789"));
    assert_eq!(
        models.bodies().await[0],
        json!({ "contents": [{ "role": "user", "parts": [{ "text": "Why is the sky blue?" }] }],
                "systemInstruction": { "parts": [{ "text": "Be brief." }] },
                "generationConfig": { "temperature": 0.5, "maxOutputTokens": 300, "topP": 0.9,
                                      "stopSequences": ["END"], "seed": 7,
                                      "responseMimeType": "application/json", "responseJsonSchema": schema() } })
    );
}

fn bedrock_says(content: &Value, stop_reason: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "metrics": { "latencyMs": 1200 }, "output": { "message": { "content": content, "role": "assistant" } },
        "stopReason": stop_reason,
        "usage": { "inputTokens": 15, "outputTokens": 9, "totalTokens": 24, "cacheReadInputTokens": 5,
                   "cacheWriteInputTokens": 0 }
    }))
}

#[tokio::test]
async fn bedrock_is_asked_by_converse_with_a_signature_of_access_keys() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let models = Models::answering([bedrock_says(&json!([{ "text": "Scattering." }]), "end_turn")]).await;
    acme.llm_key(&json!({ "provider": "bedrock", "region": "eu-central-1", "base_url": models.url(),
                          "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG",
                          "session_token": "token-of-a-session" }))
        .await;
    let model = "meta.llama3-3-70b-instruct-v1:0";
    let (result, summary) = run(&acme, ask(&format!("direct.bedrock.{model}"), &params())).await;
    assert_eq!((&result["text"], &result["model"]), (&json!("Scattering."), &json!(model)));
    assert_eq!(used(&summary), (20, 9));
    let request = &models.requests().await[0];
    assert_eq!(request.url.path(), "/model/meta.llama3-3-70b-instruct-v1%3A0/converse");
    let signature = header(request, "authorization").unwrap();
    let date = &header(request, "x-amz-date").unwrap()[..8];
    let scope = format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{date}/eu-central-1/bedrock/aws4_request, ");
    assert!(signature.starts_with(&scope), "{signature}");
    assert!(
        signature.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"),
        "{signature}"
    );
    assert_eq!(header(request, "x-amz-security-token"), Some("token-of-a-session"));
    assert_eq!(
        models.bodies().await[0],
        json!({ "messages": [{ "role": "user", "content": [{ "text": "Why is the sky blue?" }] }],
                "system": [{ "text": "Be brief." }],
                "inferenceConfig": { "maxTokens": 300, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"] } })
    );
}

#[tokio::test]
async fn bedrock_takes_its_own_api_keys_and_a_schema_as_a_tool_or_in_words() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let tool =
        json!([{ "toolUse": { "toolUseId": "tooluse_x", "name": "answer", "input": { "why": "it is" } } }]);
    let words = json!([{ "text": "```json\n{ \"why\": \"it is\" }\n```" }]);
    let models = Models::answering([bedrock_says(&tool, "tool_use"), bedrock_says(&words, "end_turn")]).await;
    acme.llm_key(&json!({ "provider": "bedrock", "region": "us-east-1", "base_url": models.url(),
                          "api_key": "ABSK-0123456789" }))
        .await;
    for model in ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "meta.llama3-3-70b-instruct-v1:0"] {
        let step = ask(&format!("direct.bedrock.{model}"), &json!({ "output_schema": schema() }));
        assert_eq!(run(&acme, step).await.0["json"], json!({ "why": "it is" }), "{model}");
    }
    assert_eq!(header(&models.requests().await[0], "authorization"), Some("Bearer ABSK-0123456789"));
    let bodies = models.bodies().await;
    assert_eq!(bodies[0]["toolConfig"]["toolChoice"], json!({ "tool": { "name": "answer" } }));
    assert_eq!(bodies[0]["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"], schema());
    assert_eq!(bodies[1]["toolConfig"], Value::Null);
    assert!(bodies[1]["system"][0]["text"].as_str().unwrap().contains("JSON Schema"), "{:#}", bodies[1]);
}
