//! Which provider, model and key a step's fields come to.
//!
//! The key is the step's own (`llm_credential_id`), else the project's for that provider, else the deployment's;
//! `llm_credential_scope` narrows that to one of the two. The provider is the one that `model_ref` names; a bare
//! `model` goes to the provider of the step's own key, else to the one whose model it is by the catalog.

use super::keys;
use crate::state::AppState;
use clients::llm::{KeySource, KeyValues, Resolved, UsedKey};
use platform::boxed;
use store::LlmKeyRecord;
use types::error::{ErrorCode, Kind};
use types::ids::{LlmKeyId, Place};
use types::{Error, Result};
use workflow::model::catalog::provider_of;
use workflow::model::{ModelRef, Provider, check_model};
use workflow::steps::{CredentialScope, LlmCall};

/// The fields that say it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// `direct.<provider>.<model>`.
    pub model_ref: Option<&'a str>,
    /// A bare name; wins when both are given.
    pub model: Option<&'a str>,
    /// A key of the project by its id, or with the scope `system` one of the deployment by its name.
    pub credential_id: Option<&'a str>,
    /// Whose keys to look in.
    pub scope: Option<CredentialScope>,
}

impl<'a> From<&'a LlmCall> for Asked<'a> {
    fn from(call: &'a LlmCall) -> Self {
        Self {
            model_ref: call.model_ref.as_deref(),
            model: call.model.as_deref(),
            credential_id: call.llm_credential_id.as_deref(),
            scope: call.llm_credential_scope,
        }
    }
}

/// Provider and model, as far as the fields and the provider of the step's own key tell.
///
/// # Errors
/// Invalid `LLM_MODEL_UNKNOWN`, saying what to write.
pub fn find_model(asked: &Asked<'_>, own: Option<Provider>) -> Result<ModelRef> {
    let unknown = |message: String| Error::new(Kind::Invalid, ErrorCode::LlmModelUnknown, message);
    match (asked.model, asked.model_ref) {
        (Some(model), _) => {
            check_model(model).map_err(|bad| unknown(format!("model: {bad}.")))?;
            let provider = own.or_else(|| provider_of(model)).ok_or_else(|| {
                unknown(format!(
                    "model: {model:?} is no provider's model by the catalog; write model_ref: \
                     direct.<provider>.{model} with one of {}.",
                    Provider::names()
                ))
            })?;
            Ok(ModelRef { provider, model: model.to_owned() })
        }
        (None, Some(text)) => text.parse().map_err(|bad: workflow::model::BadModelRef| {
            unknown(format!("model_ref: {bad}; {}.", bad.suggestion()))
        }),
        (None, None) => Err(unknown("Give model_ref or model.".to_owned())),
    }
}

/// What a step's fields come to in this project.
///
/// # Errors
/// Invalid `LLM_MODEL_UNKNOWN`, `LLM_CREDENTIAL_NOT_FOUND`, `LLM_CREDENTIAL_MISMATCH` or `LLM_KEY_NOT_FOUND`, saying
/// what to do; unavailable when a store does not answer.
#[boxed]
pub async fn resolve(state: &AppState, place: &Place, asked: &Asked<'_>) -> Result<Resolved> {
    if let Some(id) = asked.credential_id {
        let (provider, key) = own_key(state, place, id, asked.scope).await?;
        let found = find_model(asked, Some(provider))?;
        if found.provider != provider {
            let message = format!(
                "llm_credential_id: the key {:?} is one of {provider}, and the model is one of {}; name a key of {}.",
                key.name, found.provider, found.provider
            );
            return Err(Error::new(Kind::Invalid, ErrorCode::LlmCredentialMismatch, message));
        }
        return Ok(Resolved { provider, model: found.model, key, source: KeySource::Step });
    }
    let ModelRef { provider, model } = find_model(asked, None)?;
    if asked.scope != Some(CredentialScope::System)
        && let Some(key) = keys::default_of(&state.llm_keys.of(&state.store, place).await?, provider)
    {
        return Ok(Resolved { provider, model, key: kept_key(key), source: KeySource::Tenant });
    }
    if asked.scope != Some(CredentialScope::Tenant) {
        let system = state.system_keys.all(&state.secrets).await?;
        let by_name = system.get(provider.as_str()).filter(|key| key.provider == provider);
        let key = by_name.or_else(|| system.values().find(|key| key.provider == provider));
        if let Some(key) = key {
            return Ok(Resolved { provider, model, key: key.into(), source: KeySource::System });
        }
    }
    let whose = match asked.scope {
        None => "neither this project nor the deployment has",
        Some(CredentialScope::Tenant) => "this project does not have",
        Some(CredentialScope::System) => "the deployment does not have",
    };
    let message = format!(
        "There is no key for {}: {whose} one. Add one with POST /v1/llm-provider-keys and provider {provider}.",
        provider.title()
    );
    Err(Error::new(Kind::Invalid, ErrorCode::LlmKeyNotFound, message))
}

async fn own_key(
    state: &AppState,
    place: &Place,
    id: &str,
    scope: Option<CredentialScope>,
) -> Result<(Provider, UsedKey)> {
    if scope == Some(CredentialScope::System) {
        let system = state.system_keys.all(&state.secrets).await?;
        if let Some(key) = system.get(id) {
            return Ok((key.provider, key.into()));
        }
    } else if let Ok(id) = id.parse::<LlmKeyId>() {
        let keys = state.llm_keys.of(&state.store, place).await?;
        if let Some(key) = keys.iter().find(|key| key.id == id) {
            return Ok((key.provider, kept_key(key)));
        }
    }
    let shown: String = id.chars().take(64).collect();
    let whose = if scope == Some(CredentialScope::System) { "The deployment" } else { "This project" };
    let message = format!(
        "llm_credential_id: {whose} has no key {shown:?}; GET /v1/llm-provider-keys lists those that there are."
    );
    Err(Error::new(Kind::Invalid, ErrorCode::LlmCredentialNotFound, message))
}

/// A key of a project.
fn kept_key(record: &LlmKeyRecord) -> UsedKey {
    UsedKey {
        id: record.id.to_string(),
        name: record.name.clone(),
        base_url: record.base_url.clone(),
        region: record.region.clone(),
        organization: record.organization.clone(),
        values: KeyValues::Kept(record.secret_ref()),
    }
}
