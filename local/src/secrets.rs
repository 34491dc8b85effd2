//! The secret store of the local process: an encrypted file behind the trait that Secrets Manager stands
//! behind elsewhere.

use async_trait::async_trait;
use secrecy::SecretString;
use shared::platform::secrets::SecretStore;
use shared::{Error, Result};

pub use file::{FileSecrets, SecretsError};

mod file;

/// Secrets in the data directory.
#[derive(Debug, Clone)]
pub struct LocalSecrets(pub FileSecrets);

#[async_trait]
impl SecretStore for LocalSecrets {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        self.0.get(name).await.map_err(|error| unavailable(&error))
    }

    async fn put(&self, name: &str, value: SecretString) -> Result<()> {
        self.0.put(name, value).await.map_err(|error| unavailable(&error))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.0.delete(name).await.map(|_| ()).map_err(|error| unavailable(&error))
    }
}

fn unavailable(error: &SecretsError) -> Error {
    Error::unavailable("The secret store", error.to_string())
}
