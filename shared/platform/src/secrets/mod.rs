//! Secrets: where they live is one trait with two implementations, Secrets Manager here and an encrypted file in the
//! local process. Values are types that do not print.
//!
//! A tenant's secret is never changed: it is put under a name of its own ([`SecretRef`]), rows refer to it by its
//! version, and a change puts another one and lets the row refer to that. So a row and its secret cannot disagree,
//! and what was read once stays right as long as a row refers to it. [`deposit`] and what comes with it see to it
//! that no secret outlives the row that owns it, whatever crashes: see [`custody`](self::custody).

#[cfg(feature = "lambda")]
mod manager;
mod mask;
mod reference;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::cache::{Cache, Stay};
use types::Result;

#[cfg(feature = "lambda")]
pub use manager::SecretsManager;
pub use mask::{MASK, MIN_LENGTH, Mask, is_short};
pub use reference::{SecretKind, SecretRef};

/// The most bytes of a secret: Secrets Manager's limit.
pub const LARGEST_SECRET: usize = 65_536;

/// How long a tenant's secret is kept in memory. Its value cannot have changed meanwhile; this only bounds how long
/// one that nobody uses lies around.
pub const KEPT_FOR: Duration = Duration::from_secs(60);
const MAX_KEPT: u64 = 1_000;

/// A place that keeps secrets by name.
#[async_trait]
pub trait SecretStore: Debug + Send + Sync {
    /// The secret of this name; none when there is none.
    ///
    /// # Errors
    /// Unavailable when the place does not answer.
    async fn get(&self, name: &str) -> Result<Option<SecretString>>;

    /// Keeps a secret of at most [`LARGEST_SECRET`] bytes under this name, in place of one that is there. Doing it
    /// again changes nothing.
    ///
    /// # Errors
    /// Unavailable when the place does not answer; the secret may have been kept all the same.
    async fn put(&self, name: &str, value: SecretString) -> Result<()>;

    /// Destroys the secret of this name at once and for good; well done, too, when there is none.
    ///
    /// # Errors
    /// Unavailable when the place does not answer; the secret may have been destroyed all the same.
    async fn delete(&self, name: &str) -> Result<()>;
}

/// The secret store as functions use it: tenants' secrets by reference, those that were read kept in memory for a
/// while.
#[derive(Debug, Clone)]
pub struct Secrets {
    store: Arc<dyn SecretStore>,
    prefix: String,
    read: Arc<Cache<SecretRef, SecretString>>,
}

impl Secrets {
    /// On this store; `prefix` begins the name of each tenant's secret.
    pub fn new(store: Arc<dyn SecretStore>, prefix: impl Into<String>) -> Self {
        Self { store, prefix: prefix.into(), read: Arc::new(Cache::new(MAX_KEPT, Stay::Since(KEPT_FOR))) }
    }

    /// A secret of the deployment itself, such as the operator token, asked for anew each time: its owner may change
    /// it where it lies.
    ///
    /// # Errors
    /// Unavailable when the secret store does not answer.
    pub async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        self.store.get(name).await
    }

    /// A tenant's secret; none when it was destroyed.
    ///
    /// # Errors
    /// Unavailable when the secret store does not answer.
    pub async fn read(&self, secret: &SecretRef) -> Result<Option<SecretString>> {
        if let Some(known) = self.read.get(secret) {
            return Ok(Some(known));
        }
        let found = self.store.get(&secret.name(&self.prefix)).await?;
        if let Some(value) = &found {
            self.read.insert(secret.clone(), value.clone());
        }
        Ok(found)
    }

    /// Keeps a secret.
    ///
    /// # Errors
    /// Unavailable when the store does not answer.
    pub async fn put(&self, secret: &SecretRef, value: SecretString) -> Result<()> {
        self.store.put(&secret.name(&self.prefix), value).await
    }

    /// Destroys a secret.
    ///
    /// # Errors
    /// Unavailable when the store does not answer.
    pub async fn delete(&self, secret: &SecretRef) -> Result<()> {
        self.read.remove(secret);
        self.store.delete(&secret.name(&self.prefix)).await
    }
}
