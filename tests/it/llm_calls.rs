//! `llm_call` steps in runs: retries, repair, refusals, limits, secrets, loops, the key that is used.

use std::time::Duration;

use it::{Models, Run, TestApp, Workspace, for_each, graph, openai_says};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::platform::secrets::SecretStore;
use shared::types::clock::{Clock, Timestamp};
use wiremock::ResponseTemplate;

use crate::llm_wire::ask;

const KEY: &str = "sk-test-0123456789abcdef";

fn gpt(fields: &Value) -> Value {
    ask("direct.openai.gpt-4.1", fields)
}

fn error(status: u16, message: &str) -> ResponseTemplate {
    let error = json!({ "error": { "message": message, "type": "x", "param": null, "code": null } });
    ResponseTemplate::new(status).set_body_json(error)
}

/// A workspace with a key of OpenAI that leads to these answers.
async fn with_answers(app: &TestApp, answers: Vec<ResponseTemplate>) -> (Workspace, Models) {
    let acme = app.workspace("acme").await;
    let models = Models::answering(answers).await;
    acme.openai_key(&models, KEY).await;
    (acme, models)
}

async fn failed(run: &Run) -> (String, String) {
    let view = run.finished().await;
    assert_eq!(view["status"], "failed", "{view:#}");
    let text = |key: &str| view[key].as_str().unwrap_or_default().to_owned();
    (text("failure_code"), text("error"))
}

#[tokio::test]
async fn what_may_pass_is_tried_again_when_the_provider_says() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock).await;
    for status in [408, 409, 425, 429, 500, 503, 529] {
        let slug = format!("status-{status}");
        let acme = app.workspace(&slug).await;
        let busy = error(status, "Busy.").insert_header("retry-after", "120");
        let models = Models::answering([busy, openai_says("Yes.", 3, 1)]).await;
        acme.openai_key(&models, KEY).await;
        let step = gpt(&json!({ "retry_count": 1, "retry_backoff_s": 1 }));
        let run = acme.begin(&graph([step]), json!({})).await;
        app.work().await;
        let events = run.events().await;
        let first = &events.iter().find(|event| event["event_type"] == "step_failed").unwrap()["data"];
        assert_eq!(first["code"], "LLM_REQUEST_FAILED");
        assert_eq!(first["error"], format!("OpenAI (gpt-4.1) answered {status}: Busy."));
        assert_eq!((&first["will_retry"], &first["retry_in_s"]), (&json!(true), &json!(120.0)), "{first}");
        app.pass(Duration::from_secs(119)).await;
        assert_eq!(run.status().await, "running");
        // The sweep leaves messages some time before it sends them again.
        app.pass(Duration::from_secs(60)).await;
        assert_eq!(run.status().await, "completed", "{status}");
        let keys: Vec<String> = models
            .requests()
            .await
            .iter()
            .map(|request| request.headers["idempotency-key"].to_str().unwrap().to_owned())
            .collect();
        assert_eq!(keys, [format!("{}/ask/1", run.id), format!("{}/ask/2", run.id)]);
    }
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_kept_up_to_five_minutes() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock).await;
    let busy = error(429, "Slow down.").insert_header("retry-after", "86400");
    let (acme, _models) = with_answers(&app, vec![busy, openai_says("Yes.", 3, 1)]).await;
    let run = acme.begin(&graph([gpt(&json!({ "retry_count": 1 }))]), json!({})).await;
    app.work().await;
    app.pass(Duration::from_secs(360)).await;
    assert_eq!(run.status().await, "completed");
}

#[tokio::test]
async fn other_refusals_fail_at_once_and_name_provider_model_reason_and_key_but_no_value() {
    let app = TestApp::start().await;
    for (status, hint) in [(400, false), (401, true), (403, true), (404, false), (422, false), (424, false)] {
        let acme = app.workspace(&format!("status-{status}")).await;
        let models = Models::answering([error(status, &format!("Incorrect API key provided: {KEY}."))]).await;
        let id = acme.openai_key(&models, KEY).await;
        let run =
            acme.begin(&graph([gpt(&json!({ "retry_count": 3, "retry_backoff_s": 0 }))]), json!({})).await;
        let (code, error) = failed(&run).await;
        let why = "Incorrect API key provided: •••";
        let key = if hint { format!(" The key is \"OpenAI\" ({id}).") } else { String::new() };
        assert_eq!(code, "LLM_REQUEST_FAILED");
        assert_eq!(error, format!("OpenAI (gpt-4.1) answered {status}: {why}.{key}"));
        assert_eq!(models.requests().await.len(), 1);
    }
}

#[tokio::test]
async fn a_key_is_seen_nowhere() {
    let app = TestApp::start().await;
    let (acme, _models) = with_answers(&app, vec![openai_says(&format!("Your key is {KEY}."), 3, 1)]).await;
    let run = acme.begin(&graph([gpt(&json!({}))]), json!({})).await;
    let view = run.finished().await;
    assert_eq!(view["outputs"]["ask"]["text"], "Your key is •••.");
    let context = acme.client.get(&run.path("/context")).await.expect(200);
    let listed = acme.client.get("/v1/llm-provider-keys").await.expect(200);
    for seen in [view, json!(run.events().await), context, listed] {
        assert!(!seen.to_string().contains(KEY), "{seen:#}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_and_then_fails_the_run() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    // A port that was free a moment ago.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let key = json!({ "provider": "openai", "api_key": KEY, "base_url": format!("http://{gone}") });
    acme.llm_key(&key).await;
    let run = acme.begin(&graph([gpt(&json!({ "retry_count": 1, "retry_backoff_s": 0 }))]), json!({})).await;
    let (code, error) = failed(&run).await;
    assert_eq!(code, "LLM_REQUEST_FAILED");
    assert!(error.starts_with("OpenAI (gpt-4.1): no connection"), "{error}");
    assert_eq!(run.step("ask").await["attempt"], 2);
}

#[tokio::test]
async fn a_model_that_takes_too_long_is_a_timeout() {
    let app = TestApp::start().await;
    let slow = openai_says("Late.", 3, 1).set_delay(Duration::from_secs(30));
    let (acme, _models) = with_answers(&app, vec![slow]).await;
    let run = acme.begin(&graph([gpt(&json!({ "timeout_s": 0.3 }))]), json!({})).await;
    let (code, error) = failed(&run).await;
    assert_eq!(code, "STEP_TIMEOUT");
    assert!(error.contains("timeout_s"), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_satisfy_the_schema_is_sent_back_once() {
    let app = TestApp::start().await;
    let wrong = openai_says(r#"{"n": "one"}"#, 10, 4);
    let (acme, models) = with_answers(&app, vec![wrong, openai_says(r#"{"n": 1}"#, 25, 3)]).await;
    let schema = json!({ "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"] });
    let run = acme.begin(&graph([gpt(&json!({ "output_schema": schema }))]), json!({})).await;
    let view = run.finished().await;
    let result = &view["outputs"]["ask"];
    assert_eq!((&result["json"], &result["text"]), (&json!({ "n": 1 }), &json!(r#"{"n": 1}"#)), "{view:#}");
    assert_eq!((&result["tokens_in"], &result["tokens_out"]), (&json!(35), &json!(7)));
    let summary = run.summary().await;
    assert_eq!((&summary["tokens_in"], &summary["tokens_out"]), (&json!(35), &json!(7)));
    let bodies = models.bodies().await;
    let turns = bodies[1]["messages"].as_array().unwrap();
    assert_eq!(turns[1], json!({ "role": "assistant", "content": r#"{"n": "one"}"# }));
    assert!(turns[2]["content"].as_str().unwrap().contains("$.n"), "{turns:?}");
    assert_eq!(bodies[0]["response_format"]["json_schema"]["strict"], false, "the schema is open");
}

#[tokio::test]
async fn an_answer_that_is_wrong_twice_fails_the_step_and_what_it_cost_is_counted() {
    let app = TestApp::start().await;
    let (acme, models) = with_answers(&app, vec![openai_says("I would rather not.", 10, 4)]).await;
    let schema = json!({ "type": "object" });
    let step = gpt(&json!({ "output_schema": schema, "retry_count": 3 }));
    let run = acme.begin(&graph([step]), json!({})).await;
    let (code, error) = failed(&run).await;
    assert_eq!(code, "LLM_REQUEST_FAILED");
    assert_eq!(
        error,
        "OpenAI (gpt-4.1): the answer does not satisfy output_schema, also when asked again: it is not JSON."
    );
    assert_eq!(models.requests().await.len(), 2);
    let summary = run.summary().await;
    assert_eq!((&summary["tokens_in"], &summary["tokens_out"]), (&json!(20), &json!(8)));
}

/// An answer of OpenAI that ended for this reason.
fn ended(finish_reason: &str, content: &Value, refusal: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "model": "gpt-4.1-2025-04-14",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": content, "refusal": refusal },
                      "finish_reason": finish_reason }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7 }
    }))
}

#[tokio::test]
async fn refusals_and_answers_that_were_cut_off_are_told_apart() {
    let app = TestApp::start().await;
    let schema = json!({ "output_schema": { "type": "object" } });
    for (slug, answer, fields, expected) in [
        (
            "refusal",
            ended("stop", &Value::Null, &json!("I can't help with that.")),
            json!({}),
            "OpenAI (gpt-4.1) gave no answer: I can't help with that.",
        ),
        (
            "filter",
            ended("content_filter", &json!(""), &Value::Null),
            json!({}),
            "OpenAI (gpt-4.1) gave no answer: its content filter held the answer back.",
        ),
        (
            "empty",
            ended("length", &Value::Null, &Value::Null),
            json!({}),
            "OpenAI (gpt-4.1): the answer was cut off before its end; set llm_params.max_tokens higher, or ask for less. \
             What came: choices[0].message.content is null.",
        ),
        (
            "json",
            ended("length", &json!("{ \"a\":"), &Value::Null),
            schema,
            "OpenAI (gpt-4.1): the answer was cut off before its end; set llm_params.max_tokens higher, or ask for less.",
        ),
    ] {
        let acme = app.workspace(slug).await;
        let models = Models::answering([answer]).await;
        acme.openai_key(&models, KEY).await;
        let run = acme.begin(&graph([gpt(&fields)]), json!({})).await;
        assert_eq!(failed(&run).await, ("LLM_REQUEST_FAILED".to_owned(), expected.to_owned()));
        assert_eq!(models.requests().await.len(), 1, "no second try");
        assert_eq!(run.summary().await["tokens_in"], 5);
    }
    let acme = app.workspace("text").await;
    let models = Models::answering([ended("length", &json!("Once upon"), &Value::Null)]).await;
    acme.openai_key(&models, KEY).await;
    let run = acme.begin(&graph([gpt(&json!({}))]), json!({})).await;
    let result = &run.finished().await["outputs"]["ask"];
    assert_eq!((&result["text"], &result["truncated"]), (&json!("Once upon"), &json!(true)));
}

#[tokio::test]
async fn answers_are_bounded() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let huge = ResponseTemplate::new(200).set_body_bytes(vec![b' '; 5 * 1024 * 1024]);
    let long = openai_says(&"x".repeat(1024 * 1024), 5, 5);
    let models = Models::answering([huge, long]).await;
    acme.openai_key(&models, KEY).await;
    let run = acme.begin(&graph([gpt(&json!({}))]), json!({})).await;
    let (code, error) = failed(&run).await;
    assert_eq!(code, "LLM_REQUEST_FAILED");
    assert!(error.contains("larger than 4194304 bytes"), "{error}");
    let run = acme.begin(&graph([gpt(&json!({}))]), json!({})).await;
    assert_eq!(failed(&run).await.0, "RESULT_TOO_LARGE");
}

#[tokio::test]
async fn an_answer_of_something_else_is_told_as_such() {
    let app = TestApp::start().await;
    for (slug, answer, expected) in [
        ("html", ResponseTemplate::new(200).set_body_string("<html>"), "look at the key's base_url"),
        (
            "gateway",
            ResponseTemplate::new(200).set_body_json(json!({ "error": { "message": "No." } })),
            "No.",
        ),
        (
            "redirect",
            ResponseTemplate::new(302).insert_header("location", "http://169.254.169.254/latest"),
            "redirects to http://169.254.169.254",
        ),
    ] {
        let acme = app.workspace(slug).await;
        let models = Models::answering([answer]).await;
        acme.openai_key(&models, KEY).await;
        let run = acme.begin(&graph([gpt(&json!({}))]), json!({})).await;
        let (code, error) = failed(&run).await;
        assert_eq!(code, "LLM_REQUEST_FAILED");
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_loop_asks_for_each_item_under_a_key_of_its_own() {
    let app = TestApp::start().await;
    let (acme, models) = with_answers(&app, vec![openai_says("Positive.", 7, 2)]).await;
    let step = it::with(gpt(&json!({})), &json!({ "prompt": "Sentiment of: {{ item }}" }));
    let run =
        acme.begin(&graph([for_each("each", &json!(["good", "bad", "fine"]), &[step])]), json!({})).await;
    let view = run.finished().await;
    assert_eq!(view["status"], "completed", "{view:#}");
    assert_eq!(view["outputs"]["each"]["results"][2]["result"]["text"], "Positive.");
    let summary = run.summary().await;
    assert_eq!((&summary["tokens_in"], &summary["tokens_out"]), (&json!(21), &json!(6)));
    let mut prompts: Vec<String> = models
        .bodies()
        .await
        .iter()
        .map(|body| body["messages"][0]["content"].as_str().unwrap().to_owned())
        .collect();
    prompts.sort();
    assert_eq!(prompts, ["Sentiment of: bad", "Sentiment of: fine", "Sentiment of: good"]);
    let mut keys: Vec<String> = models
        .requests()
        .await
        .iter()
        .map(|request| request.headers["idempotency-key"].to_str().unwrap().to_owned())
        .collect();
    keys.sort();
    assert_eq!(keys, [0, 1, 2].map(|index| format!("{}/ask/{index}/1", run.id)));
}

/// Which key each of these steps goes out with.
async fn keys_used(workspace: &Workspace, models: &Models, steps: &[Value]) -> Vec<String> {
    let before = models.requests().await.len();
    for step in steps {
        let run = workspace.begin(&graph([step.clone()]), json!({})).await;
        let view = run.finished().await;
        assert_eq!(view["status"], "completed", "{view:#}");
    }
    let value =
        |request: &wiremock::Request| request.headers["authorization"].to_str().unwrap()[7..].to_owned();
    models.requests().await[before..].iter().map(value).collect()
}

#[tokio::test]
async fn the_steps_own_key_goes_before_the_projects_and_that_before_the_deployments() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let models = Models::answering([openai_says("Yes.", 1, 1)]).await;
    let system = json!({ "openai": { "api_key": "of-the-system", "base_url": models.url() },
                         "spare": { "provider": "openai", "api_key": "of-the-spare", "base_url": models.url() } });
    app.stores.secrets.put("llm-system-keys", SecretString::from(system.to_string())).await.unwrap();
    assert_eq!(keys_used(&acme, &models, &[gpt(&json!({}))]).await, ["of-the-system"]);
    acme.openai_key(&models, "of-the-project").await;
    let own = acme.openai_key(&models, "of-the-step").await;
    let steps = [
        gpt(&json!({})),
        gpt(&json!({ "llm_credential_id": own })),
        gpt(&json!({ "llm_credential_scope": "system" })),
        gpt(&json!({ "llm_credential_scope": "system", "llm_credential_id": "spare" })),
        gpt(&json!({ "llm_credential_scope": "tenant" })),
    ];
    let used = keys_used(&acme, &models, &steps).await;
    assert_eq!(used, ["of-the-project", "of-the-step", "of-the-system", "of-the-spare", "of-the-project"]);
    let path = format!("/v1/llm-provider-keys/{own}");
    acme.client.patch(&path, &json!({ "is_default": true })).await.expect(200);
    assert_eq!(keys_used(&acme, &models, &steps[..1]).await, ["of-the-step"]);
    acme.client.post(&format!("{path}/rotate"), &json!({ "api_key": "rotated" })).await.expect(200);
    assert_eq!(keys_used(&acme, &models, &steps[..2]).await, ["rotated", "rotated"]);
    acme.client.delete(&path).await.expect(204);
    assert_eq!(keys_used(&acme, &models, &steps[..1]).await, ["of-the-project"]);
}

#[tokio::test]
async fn a_worker_that_knows_a_key_as_it_was_before_its_rotation_reads_it_anew() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let models = Models::answering([openai_says("Yes.", 1, 1)]).await;
    let rotated = acme.openai_key(&models, "before-rotation").await;
    let other = acme.openai_key(&models, "of-the-other").await;
    let worker = app.stores.state(Clock::System, &[]);
    for step in [gpt(&json!({ "llm_credential_id": other })), gpt(&json!({ "llm_credential_id": rotated }))] {
        let run = acme.begin(&graph([step]), json!({})).await;
        app.stores.deliver(&worker).await;
        assert_eq!(run.status().await, "completed");
        // After the first step the worker knows the rows of both keys, and the value of one.
        let body = json!({ "api_key": "after-rotation" });
        acme.client.post(&format!("/v1/llm-provider-keys/{rotated}/rotate"), &body).await.expect(200);
    }
    let requests = models.requests().await;
    let used: Vec<&str> =
        requests.iter().map(|each| each.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(used, ["Bearer of-the-other", "Bearer after-rotation"]);
}

#[tokio::test]
async fn without_a_key_the_step_says_what_to_do() {
    let app = TestApp::start().await;
    let acme = app.workspace("acme").await;
    let run = acme.begin(&graph([gpt(&json!({ "retry_count": 2 }))]), json!({})).await;
    let (code, error) = failed(&run).await;
    assert_eq!(code, "CONNECTION_UNAVAILABLE");
    assert_eq!(
        error,
        "There is no key for OpenAI: neither this project nor the deployment has one. Add one with POST \
         /v1/llm-provider-keys and provider openai."
    );
}

#[tokio::test]
async fn a_secret_store_that_is_down_is_waited_for() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock).await;
    let (acme, _models) = with_answers(&app, vec![openai_says("Yes.", 1, 1)]).await;
    let step = gpt(&json!({ "retry_count": 1, "retry_backoff_s": 1 }));
    let run = acme.begin(&graph([step]), json!({})).await;
    app.stores.secrets.set_down(true);
    app.work().await;
    app.stores.secrets.set_down(false);
    let told = run.events().await;
    let first = told.iter().find(|event| event["event_type"] == "step_failed").unwrap();
    assert_eq!(first["data"]["code"], "DEPENDENCY_UNAVAILABLE", "{first:#}");
    app.pass(Duration::from_secs(60)).await;
    assert_eq!(run.status().await, "completed");
}

#[tokio::test]
async fn what_a_template_makes_of_the_fields_is_checked_before_anything_is_asked() {
    let app = TestApp::start().await;
    let (acme, models) = with_answers(&app, vec![openai_says("Yes.", 1, 1)]).await;
    for (fields, expected) in [
        (json!({ "model_ref": "{{ input.model }}" }), "model_ref: there is no provider \"opnai\""),
        (json!({ "llm_params": { "temperature": "{{ input.hot }}" } }), "llm_params.temperature"),
        (json!({ "output_schema": "{{ input.schema }}" }), "output_schema: this is no usable JSON Schema"),
        (json!({ "prompt": "{{ input.blank }}" }), "prompt: is empty"),
    ] {
        let input = json!({ "model": "direct.opnai.x", "hot": 3, "schema": { "type": 5 }, "blank": " " });
        let run = acme.begin(&graph([gpt(&fields)]), input).await;
        let (code, error) = failed(&run).await;
        assert_eq!(code, "LLM_REQUEST_FAILED");
        assert!(error.contains(expected), "{error}");
    }
    assert!(models.requests().await.is_empty());
}
