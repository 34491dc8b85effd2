//! `GET /v1/llm-provider-keys/catalog`.

use axum::Json;
use serde::Serialize;
use shared::api::{CanReadLlmKeys, CommonErrors};
use shared::workflow::model::Provider;
use shared::workflow::model::catalog::{Entry, Model, catalog};
use utoipa::ToSchema;

/// Providers and their models.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogView {
    /// The day as of which the list was made. Newer models are called all the same, by `model_ref`.
    #[schema(example = "2025-11-24")]
    version: &'static str,
    /// Every provider.
    providers: Vec<ProviderView>,
}

/// A provider.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderView {
    /// As `model_ref` has it.
    provider: Provider,
    /// What people call it.
    name: &'static str,
    /// Where it answers when a key does not say; null when a key has to, or its region tells.
    base_url: Option<&'static str>,
    /// How its models are called in `model_ref`.
    #[schema(example = "direct.openai.<model>")]
    model_ref: String,
    /// Models known by name.
    #[schema(value_type = Vec<Model>)]
    models: &'static [Model],
}

impl From<&'static Entry> for ProviderView {
    fn from(entry: &'static Entry) -> Self {
        let provider = entry.provider;
        Self {
            provider,
            name: provider.title(),
            base_url: provider.base_url(),
            model_ref: format!("direct.{provider}.<model>"),
            models: &entry.models,
        }
    }
}

/// The providers that can be called, and the models that are known by name.
#[utoipa::path(get, path = "/v1/llm-provider-keys/catalog", tag = "llm",
               responses((status = 200, body = CatalogView), CommonErrors))]
pub async fn get_catalog(CanReadLlmKeys(_caller): CanReadLlmKeys) -> Json<CatalogView> {
    let catalog = catalog();
    let providers = catalog.providers.iter().map(ProviderView::from).collect();
    Json(CatalogView { version: &catalog.version, providers })
}
