//! `llm_call`: models, parameters, keys.

use serde_json::{Value, json};

use super::super::{Bindings, Called, ModelKeys, Request, Server, Tools, validate_with};
use crate::model::Provider;

const KEY: &str = "0199c000-0000-7000-8000-000000000001";

struct Known(ModelKeys);

impl Bindings for Known {
    fn tools(&self, _: Server<'_>) -> Tools<'_> {
        Tools::Unknown
    }

    fn workflow(&self, _: &str) -> Called {
        Called::Unknown
    }

    fn model_keys(&self) -> Option<&ModelKeys> {
        Some(&self.0)
    }
}

/// Code and path of each issue of a graph with this step.
fn issues(fields: &Value, keys: ModelKeys) -> Vec<String> {
    let mut step = json!({ "id": "ask", "type": "llm_call", "prompt": "p" });
    for (key, value) in fields.as_object().unwrap() {
        step[key] = value.clone();
    }
    let graph = json!({ "steps": [step] });
    let request = Request::new(&graph, &|_| true);
    let report = validate_with(&request, &Known(keys));
    let told = |issue: &types::issue::Issue| {
        assert!(!issue.suggestion.is_empty(), "{issue:?}");
        format!("{} {}", issue.code, issue.json_path.trim_start_matches("$.steps[0]."))
    };
    report.issues.iter().map(told).collect()
}

fn openai() -> ModelKeys {
    ModelKeys { project: [(KEY.to_owned(), Provider::Openai)].into(), deployment: false }
}

#[test]
fn a_model_that_can_be_told_and_has_a_key_is_fine() {
    for fields in [
        json!({ "model_ref": "direct.openai.gpt-4.1" }),
        json!({ "model": "gpt-4.1" }),
        json!({ "model": "whatever", "llm_credential_id": KEY }),
        json!({ "model_ref": "{{ run.external_user_id | \"direct.openai.gpt-4.1\" }}" }),
        json!({ "model": "gpt-4.1", "llm_params": { "seed": 1, "temperature": 1.5, "stop": ["a"] } }),
        json!({ "model_ref": "direct.google.gemini-2.5-pro", "llm_credential_scope": "system",
                "llm_credential_id": "house" }),
    ] {
        assert_eq!(issues(&fields, openai()), [""; 0], "{fields}");
    }
}

#[test]
fn a_model_that_cannot_be_told_is_an_error() {
    for (fields, expected) in [
        (json!({ "model_ref": "gpt-4.1" }), "llm_model_ref_invalid model_ref"),
        (json!({ "model_ref": "direct.openai.a b" }), "llm_model_ref_invalid model_ref"),
        (json!({ "model_ref": "direct.opnai.gpt-4.1" }), "llm_provider_unknown model_ref"),
        (json!({ "model": "my-finetune" }), "llm_model_unknown model"),
        (json!({ "model": "my model" }), "llm_model_unknown model"),
    ] {
        assert_eq!(issues(&fields, openai()), [expected], "{fields}");
    }
}

#[test]
fn what_a_provider_does_not_take_is_an_error_that_names_the_field() {
    let fields = json!({ "model": "claude-opus-4-5",
                         "llm_params": { "seed": 1, "temperature": 1.5, "response_format": "yaml" } });
    let keys = ModelKeys { project: [(KEY.to_owned(), Provider::Anthropic)].into(), deployment: false };
    let expected = [
        "llm_response_format_unknown llm_params.response_format",
        "llm_param_not_supported llm_params.seed",
        "llm_param_not_supported llm_params.temperature",
    ];
    assert_eq!(issues(&fields, keys), expected);
}

#[test]
fn a_credential_must_be_there_and_of_the_models_provider() {
    let other = "0199c000-0000-7000-8000-000000000002";
    let named = |id: &str| json!({ "model_ref": "direct.google.gemini-2.5-pro", "llm_credential_id": id });
    assert_eq!(issues(&named(other), openai()), ["llm_credential_not_found llm_credential_id"]);
    assert_eq!(issues(&named(KEY), openai()), ["llm_credential_mismatch llm_credential_id"]);
}

#[test]
fn a_provider_without_any_key_is_a_warning() {
    let google = |scope: Option<&str>| {
        let mut fields = json!({ "model_ref": "direct.google.gemini-2.5-pro" });
        if let Some(scope) = scope {
            fields["llm_credential_scope"] = scope.into();
        }
        fields
    };
    let missing = ["llm_key_missing model_ref"];
    assert_eq!(issues(&google(None), openai()), missing);
    assert_eq!(issues(&google(Some("tenant")), openai()), missing);
    assert_eq!(issues(&google(Some("system")), openai()), missing);
    let with_system = ModelKeys { deployment: true, ..openai() };
    assert_eq!(issues(&google(None), with_system.clone()), [""; 0]);
    assert_eq!(issues(&google(Some("system")), with_system.clone()), [""; 0]);
    assert_eq!(issues(&google(Some("tenant")), with_system), missing);
}
