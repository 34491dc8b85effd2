//! The secret store of the local process: an encrypted file behind the trait that Secrets Manager stands
//! behind elsewhere.

use async_trait::async_trait;
use secrecy::SecretString;
use shared::secrets::SecretStore;
use shared::{Error, Result};

use crate::embedded::FileSecrets;

/// Secrets in the data directory.
#[derive(Debug)]
pub struct LocalSecrets(pub FileSecrets);

#[async_trait]
impl SecretStore for LocalSecrets {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        self.0.get(name).await.map_err(|error| Error::unavailable("The secret store", error.to_string()))
    }
}
