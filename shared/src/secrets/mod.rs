//! Secrets: where they live is one trait with two implementations, Secrets Manager here and an encrypted file
//! in the local process. Values are types that do not print.

mod mask;

use std::fmt::Debug;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use secrecy::SecretString;

use crate::{Error, Result};

pub use mask::{MASK, Mask, SHORTEST};

/// A place that keeps secrets by name.
#[async_trait]
pub trait SecretStore: Debug + Send + Sync {
    /// The secret of this name; none when there is none.
    ///
    /// # Errors
    /// Unavailable when the place does not answer.
    async fn get(&self, name: &str) -> Result<Option<SecretString>>;
}

/// AWS Secrets Manager.
#[derive(Debug)]
pub struct SecretsManager {
    client: Client,
}

impl SecretsManager {
    /// Behind this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl SecretStore for SecretsManager {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        match self.client.get_secret_value().secret_id(name).send().await {
            Ok(found) => Ok(found.secret_string.map(SecretString::from)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                Ok(None)
            }
            // The error's text could quote the request; its code cannot hold a secret.
            Err(error) => {
                let code =
                    aws_sdk_secretsmanager::error::ProvideErrorMetadata::code(&error).unwrap_or("no answer");
                Err(Error::unavailable("The secret store", format!("Secrets Manager: {code}")))
            }
        }
    }
}
