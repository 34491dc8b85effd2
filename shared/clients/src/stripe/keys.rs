//! The provider's keys: one secret of the operator, a JSON object
//! `{ "secret_key": "sk_…", "webhook_secrets": ["whsec_…"] }`. Two signing secrets are valid while one is replaced.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use platform::cache::{Cache, Stay};
use platform::secrets::Secrets;
use types::error::{ErrorCode, Kind};
use types::{Error, Result};

/// How long a change of the operator's may go unnoticed.
const KEPT_FOR: Duration = Duration::from_secs(60);
/// When a deployment without keys is worth asking again.
const ASK_AGAIN: Duration = Duration::from_secs(3600);

/// The keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    pub secret_key: SecretString,
    #[serde(default)]
    pub webhook_secrets: Vec<SecretString>,
}

/// Reads the provider's keys and keeps them for a minute.
#[derive(Debug)]
pub struct ProviderKeys {
    /// The name of the secret with the keys; empty for none.
    secret: String,
    known: Cache<(), Option<Arc<Keys>>>,
}

impl ProviderKeys {
    /// Those in this secret; an empty name for none.
    pub fn new(secret: impl Into<String>) -> Self {
        Self { secret: secret.into(), known: Cache::new(1, Stay::Since(KEPT_FOR)) }
    }

    /// Whether there are any.
    ///
    /// # Errors
    /// Unavailable when the secret store does not answer.
    pub async fn are_there(&self, secrets: &Secrets) -> Result<bool> {
        Ok(self.find(secrets).await?.is_some())
    }

    pub async fn read(&self, secrets: &Secrets) -> Result<Arc<Keys>> {
        self.find(secrets).await?.ok_or_else(not_configured)
    }

    async fn find(&self, secrets: &Secrets) -> Result<Option<Arc<Keys>>> {
        if self.secret.is_empty() {
            return Ok(None);
        }
        if let Some(known) = self.known.get(&()) {
            return Ok(known);
        }
        let found = match secrets.get(&self.secret).await? {
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
    Error::new(Kind::Unavailable { retry_after: ASK_AGAIN }, ErrorCode::BillingProviderNotConfigured, message)
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
