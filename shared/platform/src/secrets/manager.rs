//! AWS Secrets Manager.

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use secrecy::{ExposeSecret, SecretString};

use super::{LARGEST_SECRET, SecretStore};
use types::{Error, Result};

/// AWS Secrets Manager.
#[derive(Debug)]
pub struct SecretsManager {
    client: Client,
    kms_key: Option<String>,
}

impl SecretsManager {
    /// Behind this client; new secrets are encrypted with this key of KMS, or when it is empty with the account's own.
    pub fn new(client: Client, kms_key: &str) -> Self {
        Self { client, kms_key: (!kms_key.is_empty()).then(|| kms_key.to_owned()) }
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
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The SDK sends the same `ClientRequestToken` with each of its attempts, so that one whose answer was lost is
    /// not taken for another secret of the same name.
    async fn put(&self, name: &str, value: SecretString) -> Result<()> {
        let value = value.expose_secret();
        if value.len() > LARGEST_SECRET {
            return Err(Error::internal(format!("a secret of {} bytes", value.len())));
        }
        let create = self.client.create_secret().name(name).secret_string(value);
        match create.set_kms_key_id(self.kms_key.clone()).send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_exists_exception()) => {
                let replaced = self.client.put_secret_value().secret_id(name).secret_string(value).send();
                replaced.await.map(|_| ()).map_err(|error| unavailable(&error))
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Without the days of grace that Secrets Manager gives otherwise: whoever deletes a credential wants it gone.
    async fn delete(&self, name: &str) -> Result<()> {
        let request = self.client.delete_secret().secret_id(name).force_delete_without_recovery(true);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                Ok(())
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}

/// The error's text could quote the request; its code cannot hold a secret.
fn unavailable<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Error {
    let code = error.code().unwrap_or("no answer");
    Error::unavailable("The secret store", format!("Secrets Manager: {code}"))
}
