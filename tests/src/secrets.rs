//! A secret store that forgets.

use std::collections::HashMap;

use async_trait::async_trait;
use secrecy::SecretString;
use shared::Result;
use shared::secrets::SecretStore;

/// Secrets in memory.
#[derive(Debug, Default)]
pub struct MemorySecrets(HashMap<String, SecretString>);

impl MemorySecrets {
    /// With these secrets.
    pub fn with(secrets: &[(&str, &str)]) -> Self {
        Self(secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into())).collect())
    }
}

#[async_trait]
impl SecretStore for MemorySecrets {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        Ok(self.0.get(name).cloned())
    }
}
