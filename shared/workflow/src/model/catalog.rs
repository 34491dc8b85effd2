//! The models that this version knows by name, from `catalog.json`. It is for choosing and for telling whose a bare
//! model name is; a provider's newer models are called all the same, by `model_ref`.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Provider;

/// What this version knows.
#[derive(Debug, Deserialize)]
pub struct Catalog {
    /// The day as of which it was made.
    pub version: String,
    /// By provider.
    pub providers: Vec<Entry>,
}

/// What this version knows of a provider.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// The provider.
    pub provider: Provider,
    /// What its models' names begin with, and no other provider's do.
    pub prefixes: Vec<String>,
    /// Its models.
    pub models: Vec<Model>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Model {
    /// The provider's name for it.
    #[schema(example = "gpt-4.1")]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How many tokens a question and its answer may have together.
    pub context_tokens: u64,
    /// How many tokens an answer may have.
    pub max_output_tokens: u64,
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    // A test reads the file; one that could not be read would be an empty catalog, not the end of a process.
    serde_json::from_str(include_str!("catalog.json"))
        .unwrap_or_else(|_| Catalog { version: String::new(), providers: Vec::new() })
});

/// The catalog.
pub fn catalog() -> &'static Catalog {
    &CATALOG
}

/// What is known of a model.
pub fn model(provider: Provider, id: &str) -> Option<&'static Model> {
    let entry = catalog().providers.iter().find(|entry| entry.provider == provider)?;
    entry.models.iter().find(|model| model.id == id)
}

/// Whose model a bare name is: the one provider that has it in the catalog, or whose names begin like this.
pub fn provider_of(model: &str) -> Option<Provider> {
    let entries = &catalog().providers;
    let listed = entries.iter().find(|entry| entry.models.iter().any(|known| known.id == model));
    let begins = |entry: &&Entry| entry.prefixes.iter().any(|prefix| model.starts_with(prefix.as_str()));
    listed.or_else(|| entries.iter().find(begins)).map(|entry| entry.provider)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_file_is_read_and_names_every_provider_and_model_once() {
        let catalog: Catalog = serde_json::from_str(include_str!("catalog.json")).expect("a catalog");
        assert!(!catalog.version.is_empty());
        let providers: Vec<Provider> = catalog.providers.iter().map(|entry| entry.provider).collect();
        assert_eq!(providers, Provider::ALL);
        let ids: Vec<&str> =
            catalog.providers.iter().flat_map(|entry| &entry.models).map(|model| model.id.as_str()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "a model stands there twice");
        for entry in &catalog.providers {
            for model in &entry.models {
                assert_eq!(provider_of(&model.id), Some(entry.provider), "{}", model.id);
            }
        }
    }

    #[test]
    fn a_bare_name_is_told_by_the_catalog_or_by_how_it_begins() {
        for (model, provider) in [
            ("o3", Some(Provider::Openai)),
            ("gpt-9", Some(Provider::Openai)),
            ("claude-next", Some(Provider::Anthropic)),
            ("gemini-9-pro", Some(Provider::Google)),
            ("eu.anthropic.claude-next-v1:0", Some(Provider::Bedrock)),
            ("llama3.2", None),
        ] {
            assert_eq!(provider_of(model), provider, "{model}");
        }
    }
}
