//! Keys as callers see them, never a value, and what a model's name comes to.

use serde::Serialize;
use utoipa::ToSchema;

use super::keys::default_of;
use crate::connection::CredentialWarning;
use clients::llm::{KeySource, Resolved, SystemKey};
use store::LlmKeyRecord;
use types::clock::Timestamp;
use workflow::model::catalog::{Model, model};
use workflow::model::{ModelRef, Provider};

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// The project's.
    Tenant,
    /// The deployment's, for every workspace.
    System,
}

/// A key of a model provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// What a step names as `llm_credential_id`: a UUID; of the deployment's keys the name.
    pub(super) id: String,
    /// Whose it is: what a step says as `llm_credential_scope`.
    scope: KeyScope,
    /// Whose models it is for.
    provider: Provider,
    /// What people call it.
    name: String,
    /// Whether steps that name no key use it.
    is_default: bool,
    /// Where the provider answers, when that is not its usual place.
    base_url: Option<String>,
    /// Bedrock's region.
    region: Option<String>,
    /// The organization that OpenAI bills.
    organization: Option<String>,
    /// The last four characters of a value that is longer than 12; null without a value, and for the deployment's.
    #[schema(example = "…9f3c")]
    key_hint: Option<String>,
    /// When it was made; null for the deployment's.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// When somebody changed it last.
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    /// When it got other values.
    #[schema(value_type = Option<String>, format = DateTime)]
    rotated_at: Option<Timestamp>,
    /// What is to be known of the values, where they were just set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<CredentialWarning>,
}

impl KeyView {
    /// The same, with what is to be known of its values.
    pub(super) fn warning(self, warnings: Vec<CredentialWarning>) -> Self {
        Self { warnings, ..self }
    }

    /// A project's key, among all of them.
    pub(super) fn new(record: LlmKeyRecord, all: &[LlmKeyRecord]) -> Self {
        let is_default = default_of(all, record.provider).is_some_and(|key| key.id == record.id);
        Self {
            id: record.id.to_string(),
            scope: KeyScope::Tenant,
            provider: record.provider,
            name: record.name,
            is_default,
            base_url: record.base_url,
            region: record.region,
            organization: record.organization,
            key_hint: record.hint,
            created_at: Some(record.created_at),
            updated_at: Some(record.updated_at),
            rotated_at: record.rotated_at,
            warnings: Vec::new(),
        }
    }

    /// A key of the deployment. Where it leads is the operator's business.
    pub(super) fn of_system(key: &SystemKey) -> Self {
        Self {
            id: key.name.clone(),
            scope: KeyScope::System,
            provider: key.provider,
            name: key.name.clone(),
            is_default: key.name == key.provider.as_str(),
            base_url: None,
            region: None,
            organization: None,
            key_hint: None,
            created_at: None,
            updated_at: None,
            rotated_at: None,
            warnings: Vec::new(),
        }
    }
}

/// What a step with these fields calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResolvedView {
    /// The whole name.
    model_ref: String,
    /// Who serves the model.
    provider: Provider,
    /// The provider's own name for it, as it goes over the wire.
    model: String,
    /// Whose key it is called with.
    key_source: KeySource,
    /// That key's id; of the deployment's, its name.
    credential_id: String,
    /// What people call it.
    credential_name: String,
    /// What the catalog knows of the model.
    #[schema(value_type = Option<Model>)]
    known: Option<&'static Model>,
}

impl From<Resolved> for ResolvedView {
    fn from(found: Resolved) -> Self {
        let name = ModelRef { provider: found.provider, model: found.model };
        Self {
            model_ref: name.to_string(),
            known: model(name.provider, &name.model),
            provider: name.provider,
            model: name.model,
            key_source: found.source,
            credential_id: found.key.id,
            credential_name: found.key.name,
        }
    }
}
