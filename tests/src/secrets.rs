//! A secret store that forgets, and that fails when it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use shared::platform::secrets::SecretStore;
use shared::{Error, Result};

use crate::faults::{Faults, Operation};

/// Secrets in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct MemorySecrets(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    secrets: BTreeMap<String, SecretString>,
    down: bool,
    calls: usize,
}

impl MemorySecrets {
    /// With these secrets.
    pub fn with(secrets: &[(&str, &str)]) -> Self {
        let secrets =
            secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned().into())).collect();
        Self(Arc::new(Mutex::new(Inner { secrets, ..Inner::default() })))
    }

    /// Answers nobody from now on, or everybody again.
    pub fn set_down(&self, down: bool) {
        self.inner().down = down;
    }

    /// How many calls there were.
    pub fn calls(&self) -> usize {
        self.inner().calls
    }

    /// Names and values of the secrets whose names begin with this.
    pub fn under(&self, prefix: &str) -> Vec<(String, String)> {
        let inner = self.inner();
        let under = inner.secrets.iter().filter(|(name, _)| name.starts_with(prefix));
        under.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
    }

    /// Loses the secrets whose names begin with this.
    pub fn lose(&self, prefix: &str) {
        self.inner().secrets.retain(|name, _| !name.starts_with(prefix));
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(&self, effect: impl FnOnce(&mut BTreeMap<String, SecretString>) -> T) -> Result<T> {
        let mut inner = self.inner();
        inner.calls += 1;
        if inner.down {
            return Err(unavailable("it is down"));
        }
        Ok(effect(&mut inner.secrets))
    }
}

#[async_trait]
impl SecretStore for MemorySecrets {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        self.call(|secrets| secrets.get(name).cloned())
    }

    async fn put(&self, name: &str, value: SecretString) -> Result<()> {
        self.call(|secrets| {
            secrets.insert(name.to_owned(), value);
        })
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.call(|secrets| {
            secrets.remove(name);
        })
    }
}

/// Secrets whose calls are counted and fail together with those of the other stores.
#[derive(Debug, Clone)]
pub struct FaultySecrets {
    /// Where the secrets are.
    pub secrets: MemorySecrets,
    /// What fails.
    pub faults: Faults,
}

impl FaultySecrets {
    async fn call<T: Send>(&self, effect: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.faults.around(Operation::Secret, effect).await.map_err(unavailable)?
    }
}

#[async_trait]
impl SecretStore for FaultySecrets {
    async fn get(&self, name: &str) -> Result<Option<SecretString>> {
        self.call(self.secrets.get(name)).await
    }

    async fn put(&self, name: &str, value: SecretString) -> Result<()> {
        self.call(self.secrets.put(name, value)).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.call(self.secrets.delete(name)).await
    }
}

fn unavailable(why: &'static str) -> Error {
    Error::unavailable("The secret store", why)
}
