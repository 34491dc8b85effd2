//! The provider's keys: one secret of the operator, a JSON object
//! `{ "secret_key": "sk_…", "webhook_secrets": ["whsec_…"] }`. Two signing secrets are valid while one is replaced.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::cache::LazyCache;
use crate::error::Kind;
use crate::state::AppState;
use crate::{Error, Result};

/// How long a change of the operator's may go unnoticed.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// When a deployment without keys is worth asking again.
const ASK_AGAIN: Duration = Duration::from_secs(3600);

/// The keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    pub(super) secret_key: SecretString,
    #[serde(default)]
    pub(super) webhook_secrets: Vec<SecretString>,
}

/// Reads the provider's keys and keeps them for a minute.
#[derive(Debug)]
pub struct ProviderKeys {
    known: LazyCache<(), Option<Arc<Keys>>>,
}

impl Default for ProviderKeys {
    fn default() -> Self {
        let known = || Cache::builder().max_capacity(1).time_to_live(KEPT_FOR).build();
        Self { known: LazyCache::new(known) }
    }
}

impl ProviderKeys {
    /// Whether there are any.
    ///
    /// # Errors
    /// Unavailable when the secret store does not answer.
    pub async fn are_there(&self, state: &AppState) -> Result<bool> {
        Ok(self.find(state).await?.is_some())
    }

    pub(super) async fn read(&self, state: &AppState) -> Result<Arc<Keys>> {
        self.find(state).await?.ok_or_else(not_configured)
    }

    async fn find(&self, state: &AppState) -> Result<Option<Arc<Keys>>> {
        let name = &state.config.plans.stripe_secret;
        if name.is_empty() {
            return Ok(None);
        }
        if let Some(known) = self.known.get(&()) {
            return Ok(known);
        }
        let found = match state.secrets.get(name).await? {
            Some(secret) => Some(Arc::new(parse(&secret)?)),
            None => None,
        };
        self.known.insert((), found.clone());
        Ok(found)
    }
}

fn parse(secret: &SecretString) -> Result<Keys> {
    // Without serde's reason, which could quote a part of a key.
    serde_json::from_str(secret.expose_secret())
        .map_err(|_| Error::internal("the secret with the payment provider's keys cannot be read"))
}

/// This deployment takes no payments.
pub fn not_configured() -> Error {
    let message = "This deployment takes no payments: its operator has not set up a payment provider.";
    Error::new(Kind::Unavailable { retry_after: ASK_AGAIN }, "BILLING_PROVIDER_NOT_CONFIGURED", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_cannot_be_read_is_not_quoted() {
        let good = r#"{ "secret_key": "sk_test_123", "webhook_secrets": ["whsec_1"] }"#;
        let keys = parse(&good.into()).unwrap();
        assert!(!format!("{keys:?}").contains("sk_test_123") && !format!("{keys:?}").contains("whsec_1"));
        for text in [r#"{ "secret": "sk_test_123" }"#, r#"{ "secret_key": ["sk_test_123"] }"#, "sk_test_123"]
        {
            let error = parse(&text.into()).unwrap_err();
            assert!(!format!("{error:?}").contains("sk_test_123"), "{error:?}");
        }
    }
}
