//! The deployment's own keys, which every workspace may use: one secret of the operator, a JSON object of names and
//! entries (`{ "openai": { "api_key": "…" } }`; `provider` is the name unless it says otherwise), and for Bedrock
//! the environment's role where the deployment grants it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::credential::Credential;
use platform::cache::{Cache, Stay};
use platform::secrets::Secrets;
use types::{Error, Result};
use workflow::model::Provider;

/// How long a change of the operator's may go unnoticed.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// What Bedrock through the role is called.
pub(super) const ROLE: &str = "bedrock";

/// A key of the deployment.
#[derive(Debug, Clone)]
pub struct SystemKey {
    /// Its name, by which a step may ask for it.
    pub name: String,
    /// Whose models it is for.
    pub provider: Provider,
    /// Where the provider answers, when that is not its usual place.
    pub base_url: Option<String>,
    /// Bedrock's region.
    pub region: Option<String>,
    /// OpenAI's organization.
    pub organization: Option<String>,
    pub(super) credential: Credential,
}

/// An entry as the operator writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    provider: Option<String>,
    base_url: Option<String>,
    region: Option<String>,
    organization: Option<String>,
    api_key: Option<SecretString>,
    access_key_id: Option<SecretString>,
    secret_access_key: Option<SecretString>,
    session_token: Option<SecretString>,
}

type Known = Arc<BTreeMap<String, SystemKey>>;

/// Reads the deployment's keys and keeps them for a minute.
#[derive(Debug)]
pub struct SystemKeys {
    /// The name of the secret with the keys; empty for none.
    secret: String,
    /// The region in which the environment's role may call models of Bedrock; empty when it may not.
    bedrock_region: String,
    known: Cache<(), Known>,
}

impl SystemKeys {
    /// Those in this secret, and Bedrock's in this region; empty texts for none.
    pub fn new(secret: impl Into<String>, bedrock_region: impl Into<String>) -> Self {
        let known = Cache::new(1, Stay::Since(KEPT_FOR));
        Self { secret: secret.into(), bedrock_region: bedrock_region.into(), known }
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// Unavailable when the secret store does not answer.
    pub async fn all(&self, secrets: &Secrets) -> Result<Known> {
        if let Some(known) = self.known.get(&()) {
            return Ok(known);
        }
        let mut keys = BTreeMap::new();
        if !self.bedrock_region.is_empty() {
            let key = SystemKey {
                name: ROLE.to_owned(),
                provider: Provider::Bedrock,
                base_url: None,
                region: Some(self.bedrock_region.clone()),
                organization: None,
                credential: Credential::Role,
            };
            keys.insert(ROLE.to_owned(), key);
        }
        if !self.secret.is_empty()
            && let Some(secret) = secrets.get(&self.secret).await?
        {
            keys.extend(read(&secret)?);
        }
        let keys = Arc::new(keys);
        self.known.insert((), Arc::clone(&keys));
        Ok(keys)
    }
}

fn read(secret: &SecretString) -> Result<BTreeMap<String, SystemKey>> {
    // Without serde's reason, which could quote a part of a value.
    let damaged =
        || Error::internal("the secret with the deployment's keys of model providers cannot be read");
    let entries: BTreeMap<String, Entry> =
        serde_json::from_str(secret.expose_secret()).map_err(|_| damaged())?;
    let mut keys = BTreeMap::new();
    for (name, entry) in entries {
        let provider = Provider::parse(entry.provider.as_deref().unwrap_or(&name)).ok_or_else(damaged)?;
        let credential =
            Credential::of(entry.api_key, entry.access_key_id, entry.secret_access_key, entry.session_token)
                .ok_or_else(damaged)?;
        let key = SystemKey {
            name: name.clone(),
            provider,
            base_url: entry.base_url,
            region: entry.region,
            organization: entry.organization,
            credential,
        };
        keys.insert(name, key);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_named_and_say_whose_they_are_when_the_name_does_not() {
        let text = r#"{ "openai": { "api_key": "k" },
                        "house": { "provider": "openai_compatible", "base_url": "https://llm.example.com/v1" } }"#;
        let keys = read(&text.into()).unwrap();
        assert_eq!(keys["openai"].provider, Provider::Openai);
        assert_eq!(keys["house"].provider, Provider::OpenaiCompatible);
        assert!(matches!(keys["house"].credential, Credential::None));
    }

    #[test]
    fn a_secret_that_cannot_be_read_is_not_quoted() {
        for text in
            [r#"{ "openai": { "api_kee": "sk-123" } }"#, r#"{ "x": { "api_key": "sk-123" } }"#, "sk-123"]
        {
            let error = read(&text.into()).unwrap_err();
            assert!(!format!("{error:?}").contains("sk-123"), "{error:?}");
        }
    }
}
