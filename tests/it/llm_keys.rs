//! Keys of model providers: made, listed, rotated, deleted, and never seen; the catalog; what a model's name comes
//! to.

use it::{Fault, Faults, TestApp, Workspace, graph};
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::platform::secrets::SecretStore;
use shared::types::clock::{Clock, Timestamp};

use crate::llm_wire::ask;

const KEYS: &str = "/v1/llm-provider-keys";
const VALUE: &str = "sk-test-0123456789abcdef";

fn openai() -> Value {
    json!({ "provider": "openai", "api_key": VALUE })
}

async fn listed(workspace: &Workspace, query: &str) -> Vec<Value> {
    let answer = workspace.client.get(&format!("{KEYS}{query}")).await.expect(200);
    answer["llm_provider_keys"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_key_is_made_listed_rotated_and_deleted_and_never_seen() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    let app = TestApp::without_worker(clock).await;
    let acme = app.workspace("acme").await;
    let made = acme.client.post(KEYS, &openai()).await;
    let made = made.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let at = "2026-09-21T14:13:20.000Z";
    assert_eq!(
        made,
        json!({ "id": id, "scope": "tenant", "provider": "openai", "name": "OpenAI", "is_default": true,
                "base_url": null, "region": null, "organization": null, "key_hint": "…cdef",
                "created_at": at, "updated_at": at, "rotated_at": null })
    );
    assert_eq!(listed(&acme, "").await, [made]);
    let kept = app.stores.secrets.under("test/");
    assert_eq!(kept.len(), 1);
    assert!(kept[0].0.starts_with(&format!("test/acme/default/llm-key/{id}/")), "{}", kept[0].0);
    assert!(kept[0].1.contains(VALUE));

    let path = format!("{KEYS}/{id}");
    let rotated =
        acme.client.post(&format!("{path}/rotate"), &json!({ "api_key": "sk-new-99999999wxyz" })).await;
    let rotated = rotated.expect(200);
    assert_eq!((&rotated["key_hint"], &rotated["rotated_at"]), (&json!("…wxyz"), &json!(at)));
    let kept = app.stores.secrets.under("test/");
    assert_eq!(kept.len(), 1, "the old value is destroyed");
    assert!(kept[0].1.contains("sk-new-99999999wxyz"));

    let named = acme.client.patch(&path, &json!({ "name": " Ours " })).await.expect(200);
    assert_eq!(named["name"], "Ours");
    acme.client.delete(&path).await.expect(204);
    assert!(listed(&acme, "").await.is_empty());
    assert!(app.stores.secrets.under("test/").is_empty());
    acme.client.delete(&path).await.refused(404, "NOT_FOUND");
    acme.client.patch(&path, &json!({})).await.refused(404, "NOT_FOUND");
    acme.client.post(&format!("{path}/rotate"), &openai_rotation()).await.refused(404, "NOT_FOUND");
}

fn openai_rotation() -> Value {
    json!({ "api_key": VALUE })
}

/// None of these is kept, and each is refused by a name and without its value.
async fn are_refused(cases: &[(Value, &str)]) {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    for (fields, named) in cases {
        let answer = acme.client.post(KEYS, fields).await;
        assert_eq!(answer.status, 422, "{fields}: {:#}", answer.body);
        let said = answer.body["error"].as_str().unwrap();
        assert!(said.to_lowercase().contains(named), "{fields}: {said}");
        assert!(!said.contains(VALUE) && !said.contains("12345678"), "{said}");
    }
    assert!(listed(&acme, "").await.is_empty());
    assert!(app.stores.secrets.under("test/").is_empty());
}

#[tokio::test]
async fn what_a_provider_could_not_be_called_with_is_refused_and_no_value_is_quoted() {
    let pair = json!({ "access_key_id": "AKIDEXAMPLE", "secret_access_key": VALUE });
    are_refused(&[
        (json!({}), "provider"),
        (json!({ "provider": "opnai", "api_key": VALUE }), "provider"),
        (json!({ "provider": "openai" }), "api_key"),
        (json!({ "provider": "openai", "api_key": "" }), "api_key"),
        (json!({ "provider": "openai", "api_key": " \n\u{feff}" }), "api_key"),
        (json!({ "provider": "openai", "api_key": format!("{VALUE} {VALUE}") }), "api_key"),
        (json!({ "provider": "openai", "api_key": format!("{VALUE}\u{200b}{VALUE}") }), "api_key"),
        (json!({ "provider": "openai", "api_key": format!("{VALUE}ü") }), "api_key"),
        (json!({ "provider": "openai", "api_key": format!("{VALUE}\r\nx: y") }), "api_key"),
        (json!({ "provider": "openai", "api_key": "x".repeat(8193) }), "api_key"),
        (json!({ "provider": "openai", "api_key": 12_345_678 }), "api_key"),
        (json!({ "provider": "openai", "api_key": [VALUE] }), "api_key"),
        (json!({ "provider": "openai", "api_kee": VALUE }), "api_kee"),
        (json!({ "provider": "openai", "api_key": VALUE, "region": "eu-central-1" }), "region"),
        (json!({ "provider": "google", "api_key": VALUE, "organization": "org" }), "organization"),
        (json!({ "provider": "openai", "api_key": VALUE, "organization": "a b" }), "organization"),
        (
            json!({ "provider": "anthropic", "access_key_id": "A", "secret_access_key": VALUE }),
            "access_key_id",
        ),
        (json!({ "provider": "bedrock", "region": "us-east-1" }), "api_key"),
        (json!({ "provider": "bedrock", "api_key": VALUE }), "region"),
        (json!({ "provider": "bedrock", "api_key": VALUE, "region": "a/b" }), "region"),
        (json!({ "provider": "bedrock", "api_key": VALUE, "region": "EU-central-1" }), "region"),
        (json!({ "provider": "bedrock", "api_key": VALUE, "region": " " }), "region"),
        (json!({ "provider": "openai", "api_key": VALUE, "organization": " " }), "organization"),
        (json!({ "provider": "bedrock", "region": "us-east-1", "access_key_id": "A" }), "secret_access_key"),
        (
            it::with(json!({ "provider": "bedrock", "region": "us-east-1", "api_key": VALUE }), &pair),
            "either",
        ),
        (json!({ "provider": "openai", "api_key": VALUE, "name": "" }), "name"),
        (json!({ "provider": "openai", "api_key": VALUE, "name": "x".repeat(201) }), "name"),
    ])
    .await;
}

#[tokio::test]
async fn addresses_that_could_not_be_called_are_refused() {
    are_refused(&[
        (json!({ "provider": "openai_compatible" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": "no url" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": "" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": " \t\n" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": "https://" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": "https://llm.exa mple.com/v1" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": "https://llm.exa\nmple.com/v1" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": "https://llm.example.com/v1 /x" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": "https://llm.example.com/v1#x" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": "https://llm.example.com/v1?" }), "base_url"),
        (
            json!({ "provider": "openai_compatible", "base_url": "https://llm.example.com/v1/chat/completions/" }),
            "base_url: leave out /chat/completions",
        ),
        (json!({ "provider": "openai_compatible", "base_url": "ftp://llm.example.com" }), "base_url"),
        (json!({ "provider": "openai_compatible", "base_url": "https://u:p@llm.example.com" }), "base_url"),
        (
            json!({ "provider": "openai_compatible", "base_url": "https://llm.example.com/v1?x=1" }),
            "base_url",
        ),
        (json!({ "provider": "openai_compatible", "base_url": "http://169.254.169.254/v1" }), "base_url"),
    ])
    .await;
}

/// Blanks, line breaks and marks that nobody sees, as they come with what is pasted or read from a file.
const AROUND: [(&str, &str); 4] =
    [(" ", " "), ("", "\n"), ("\u{feff}", "\r\n"), ("\u{a0}\t", "\u{200b}\n\n")];

#[tokio::test]
async fn blanks_around_a_key_and_its_address_are_left_out() {
    let app = TestApp::start().await;
    for (at, (before, after)) in AROUND.into_iter().enumerate() {
        let acme = app.workspace(&format!("w{at}")).await;
        let models = it::Models::answering([it::openai_says("Yes.", 1, 1)]).await;
        let around = |text: &str| format!("{before}{text}{after}");
        let key = json!({ "provider": "openai", "api_key": around(VALUE), "base_url": around(&models.url()),
                          "organization": around("org-acme"), "name": " Ours " });
        let made = acme.client.post(KEYS, &key).await.expect(201);
        assert_eq!((&made["base_url"], &made["organization"]), (&json!(models.url()), &json!("org-acme")));
        assert_eq!(made["key_hint"], "…cdef");
        let path = format!("{KEYS}/{}/rotate", made["id"].as_str().unwrap());
        let call = async || {
            let run = acme.begin(&graph([ask("direct.openai.gpt-4.1", &json!({}))]), json!({})).await;
            let view = run.finished().await;
            assert_eq!(view["status"], "completed", "{view:#}");
            let request = models.requests().await.pop().unwrap();
            request.headers["authorization"].to_str().unwrap().to_owned()
        };
        assert_eq!(call().await, format!("Bearer {VALUE}"));
        let other = json!({ "api_key": around("sk-other-0123456789"), "base_url": around(&format!("{}/", models.url())) });
        acme.client.post(&path, &other).await.expect(200);
        assert_eq!(call().await, "Bearer sk-other-0123456789");
    }
}

#[tokio::test]
async fn blanks_around_access_keys_are_left_out() {
    let app = TestApp::without_worker(Clock::System).await;
    for (at, (before, after)) in AROUND.into_iter().enumerate() {
        let acme = app.workspace(&format!("w{at}")).await;
        let around = |text: &str| format!("{before}{text}{after}");
        let key = json!({ "provider": "bedrock", "region": around("eu-central-1"), "session_token": around("token"),
                          "access_key_id": around("AKIDEXAMPLE"), "secret_access_key": around(VALUE) });
        let made = acme.client.post(KEYS, &key).await.expect(201);
        assert_eq!(made["region"], "eu-central-1");
        let kept = app.stores.secrets.under(&format!("test/w{at}/"));
        let kept: Value = serde_json::from_str(&kept[0].1).unwrap();
        assert_eq!(
            kept,
            json!({ "access_key_id": "AKIDEXAMPLE", "secret_access_key": VALUE, "session_token": "token" })
        );
        let path = format!("{KEYS}/{}/rotate", made["id"].as_str().unwrap());
        for field in ["access_key_id", "secret_access_key", "session_token"] {
            let blank = it::with(key.clone(), &json!({ field: around("") }));
            let mut blank = blank;
            blank.as_object_mut().unwrap().remove("provider");
            let refused = acme.client.post(&path, &blank).await.refused(422, "INVALID_REQUEST");
            assert!(refused["error"].as_str().unwrap().starts_with(&format!("{field}: ")), "{refused}");
        }
    }
}

#[tokio::test]
async fn while_the_secret_store_is_down_nothing_is_made_or_changed() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let made = acme.client.post(KEYS, &openai()).await.expect(201);
    let path = format!("{KEYS}/{}/rotate", made["id"].as_str().unwrap());
    app.stores.secrets.set_down(true);
    let refused = acme.client.post(KEYS, &openai()).await;
    assert!(refused.header("retry-after").is_some());
    refused.refused(503, "DEPENDENCY_UNAVAILABLE");
    acme.client.post(&path, &json!({ "api_key": "other" })).await.refused(503, "DEPENDENCY_UNAVAILABLE");
    app.stores.secrets.set_down(false);
    assert_eq!(listed(&acme, "").await, [made]);
    assert!(app.stores.secrets.under("test/")[0].1.contains(VALUE));
}

#[tokio::test]
async fn whatever_fails_while_a_key_is_made_its_row_and_its_value_are_both_there_or_neither_is() {
    let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
    for fault in Fault::ways() {
        for call in 0.. {
            let app = TestApp::without_worker(clock.clone()).await;
            let acme = app.workspace("acme").await;
            let faults = Faults::at(call, fault);
            let state = app.stores.faulty_state(clock.clone(), &faults);
            let place = shared::types::ids::Place {
                tenant_id: "acme".parse().unwrap(),
                project_id: "default".parse().unwrap(),
            };
            let new = shared::services::llm::keys::NewKey {
                provider: shared::workflow::model::Provider::Openai,
                name: "OpenAI".to_owned(),
                is_default: false,
                access: shared::services::llm::keys::Access {
                    base_url: None,
                    region: None,
                    organization: None,
                    credential: shared::clients::llm::Credential::ApiKey(VALUE.into()),
                },
            };
            let made = shared::services::llm::keys::create(&state, &place, new).await;
            // Long enough for the sweep to destroy what nothing owns.
            app.pass(std::time::Duration::from_secs(20 * 60)).await;
            app.pass(std::time::Duration::from_secs(20 * 60)).await;
            let keys = listed(&acme, "").await;
            let values = app.stores.secrets.under("test/");
            assert_eq!(keys.len(), values.len(), "{fault:?} at {call}: {made:?}");
            if made.is_ok() {
                assert_eq!(keys.len(), 1, "{fault:?} at {call}");
            }
            if faults.calls() <= call {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_project_has_at_most_fifty_keys() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let server = json!({ "provider": "openai_compatible", "base_url": "https://llm.example.com/v1" });
    for _ in 0..50 {
        acme.llm_key(&server).await;
    }
    let refused = acme.client.post(KEYS, &openai()).await.refused(422, "INVALID_REQUEST");
    assert!(refused["error"].as_str().unwrap().contains("at most 50"), "{refused}");
    assert!(app.stores.secrets.under("test/").is_empty(), "the value of the refused one is not kept");
    let first = acme.client.get(&format!("{KEYS}?limit=30")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = acme.client.get(&format!("{KEYS}?limit=30&cursor={cursor}")).await.expect(200);
    let ids = |page: &Value| -> Vec<String> {
        let keys = page["llm_provider_keys"].as_array().unwrap();
        keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = [ids(&first), ids(&rest)].concat();
    assert_eq!((all.len(), &rest["next_cursor"]), (50, &Value::Null));
    assert!(all.is_sorted_by(|a, b| a > b), "newest first");
    acme.client.delete(&format!("{KEYS}/{}", all[0])).await.expect(204);
    acme.client.post(KEYS, &openai()).await.expect(201);
}

#[tokio::test]
async fn the_deployments_keys_are_listed_by_name_without_where_they_lead() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let system = json!({ "house": { "provider": "openai_compatible", "base_url": "https://llm.internal/v1",
                                    "api_key": "of-the-house-0123" } });
    app.stores.secrets.put("llm-system-keys", SecretString::from(system.to_string())).await.unwrap();
    let own = acme.llm_key(&openai()).await;
    let ids = async |query| -> Vec<Value> {
        listed(&acme, query).await.iter().map(|key| key["id"].clone()).collect()
    };
    assert_eq!(ids("").await, [json!(own), json!("house")]);
    assert_eq!(ids("?scope=tenant").await, [json!(own)]);
    assert_eq!(ids("?scope=system").await, [json!("house")]);
    let all = json!(listed(&acme, "").await).to_string();
    assert!(!all.contains("0123") && !all.contains("llm.internal"), "{all}");
    acme.client.get(&format!("{KEYS}?scope=other")).await.refused(422, "INVALID_REQUEST");
    acme.client.delete(&format!("{KEYS}/house")).await.refused(404, "NOT_FOUND");
}

#[tokio::test]
async fn the_catalog_names_every_provider_with_its_models() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let catalog = acme.client.get(&format!("{KEYS}/catalog")).await.expect(200);
    let providers = catalog["providers"].as_array().unwrap();
    let names: Vec<&str> = providers.iter().map(|each| each["provider"].as_str().unwrap()).collect();
    assert_eq!(names, ["openai", "anthropic", "google", "bedrock", "openai_compatible"]);
    assert_eq!(providers[0]["model_ref"], "direct.openai.<model>");
    assert!(providers[0]["models"].as_array().unwrap().iter().any(|model| model["id"] == "gpt-4.1"));
    assert!(catalog["version"].as_str().is_some_and(|version| !version.is_empty()));
}

#[tokio::test]
async fn a_models_name_comes_to_a_provider_a_wire_name_and_a_key() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let resolve = async |body: Value| acme.client.post("/v1/llm/resolve", &body).await;
    let none =
        resolve(json!({ "model_ref": "direct.openai.gpt-4.1" })).await.refused(422, "LLM_KEY_NOT_FOUND");
    assert!(none["error"].as_str().unwrap().contains("POST /v1/llm-provider-keys"), "{none}");
    let id = acme.llm_key(&openai()).await;
    let found = resolve(json!({ "model": "gpt-4.1" })).await.expect(200);
    assert_eq!(
        found,
        json!({ "model_ref": "direct.openai.gpt-4.1", "provider": "openai", "model": "gpt-4.1",
                "key_source": "tenant", "credential_id": id, "credential_name": "OpenAI",
                "known": { "id": "gpt-4.1", "name": "GPT-4.1", "context_tokens": 1_047_576,
                           "max_output_tokens": 32_768 } })
    );
    let own = resolve(json!({ "model": "my-finetune", "llm_credential_id": id })).await.expect(200);
    assert_eq!((&own["key_source"], &own["known"]), (&json!("step"), &Value::Null));
    let other = "0199c000-0000-7000-8000-000000000001";
    for (body, code) in [
        (json!({}), "LLM_MODEL_UNKNOWN"),
        (json!({ "model": "my-finetune" }), "LLM_MODEL_UNKNOWN"),
        (json!({ "model_ref": "gpt-4.1" }), "LLM_MODEL_UNKNOWN"),
        (json!({ "model_ref": "direct.opnai.gpt-4.1" }), "LLM_MODEL_UNKNOWN"),
        (json!({ "model": "gpt-4.1", "llm_credential_id": other }), "LLM_CREDENTIAL_NOT_FOUND"),
        (json!({ "model": "gpt-4.1", "llm_credential_id": "x" }), "LLM_CREDENTIAL_NOT_FOUND"),
        (
            json!({ "model_ref": "direct.google.gemini-2.5-pro", "llm_credential_id": id }),
            "LLM_CREDENTIAL_MISMATCH",
        ),
        (json!({ "model": "gpt-4.1", "llm_credential_scope": "system" }), "LLM_KEY_NOT_FOUND"),
        (json!({ "modell": "gpt-4.1" }), "INVALID_REQUEST"),
    ] {
        resolve(body.clone()).await.refused(422, code);
    }
}

#[tokio::test]
async fn publishing_says_what_is_wrong_with_a_call_of_a_model() {
    let app = TestApp::without_worker(Clock::System).await;
    let acme = app.workspace("acme").await;
    let id = acme.llm_key(&openai()).await;
    let codes = async |step: Value| -> Vec<String> {
        let body = json!({ "graph": graph([step]) });
        let report = acme.client.post("/v1/workflows/validate", &body).await.expect(200);
        let issues = report["issues"].as_array().unwrap();
        issues.iter().map(|issue| issue["code"].as_str().unwrap().to_owned()).collect()
    };
    let own = json!({ "llm_credential_id": id });
    assert_eq!(codes(ask("direct.openai.gpt-4.1", &own)).await, [""; 0]);
    assert_eq!(codes(ask("direct.opnai.gpt-4.1", &json!({}))).await, ["llm_provider_unknown"]);
    let other = json!({ "llm_credential_id": "0199c000-0000-7000-8000-000000000001" });
    assert_eq!(codes(ask("direct.openai.gpt-4.1", &other)).await, ["llm_credential_not_found"]);
    assert_eq!(codes(ask("direct.google.gemini-2.5-pro", &own)).await, ["llm_credential_mismatch"]);
    let workflow = acme.create(&graph([ask("direct.opnai.gpt-4.1", &json!({}))])).await;
    let path = format!("/v1/workflows/{workflow}/versions");
    let refused = acme.client.post(&path, &json!({})).await.refused(422, "GRAPH_INVALID");
    assert_eq!(refused["issues"][0]["code"], "llm_provider_unknown");
}
