//! Whom a question goes to, and with whose key.

use secrecy::SecretString;

use super::SystemKey;
use super::credential::Credential;
use platform::secrets::{SecretRef, Secrets};
use types::Result;
use workflow::model::Provider;

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// The one that the step names.
    Step,
    /// The project's.
    Tenant,
    /// The deployment's.
    System,
}

/// The key that a call is made with.
#[derive(Debug, Clone)]
pub struct UsedKey {
    /// Its id; of the deployment's, its name.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where the provider answers, when that is not its usual place.
    pub base_url: Option<String>,
    /// Bedrock's region.
    pub region: Option<String>,
    /// OpenAI's organization.
    pub organization: Option<String>,
    /// Its values, or where they are.
    pub values: KeyValues,
}

#[derive(Debug, Clone)]
pub enum KeyValues {
    /// They are at hand.
    Known(Credential),
    Kept(Option<SecretRef>),
}

impl UsedKey {
    /// Its values; none when they were destroyed meanwhile.
    ///
    /// # Errors
    /// Unavailable when the secret store does not answer.
    pub async fn credential(&self, secrets: &Secrets) -> Result<Option<Credential>> {
        match &self.values {
            KeyValues::Known(credential) => Ok(Some(credential.clone())),
            KeyValues::Kept(None) => Ok(Some(Credential::None)),
            KeyValues::Kept(Some(secret)) => {
                secrets.read(secret).await?.as_ref().map(Credential::read).transpose()
            }
        }
    }
}

impl From<&SystemKey> for UsedKey {
    fn from(key: &SystemKey) -> Self {
        Self {
            id: key.name.clone(),
            name: key.name.clone(),
            base_url: key.base_url.clone(),
            region: key.region.clone(),
            organization: key.organization.clone(),
            values: KeyValues::Known(key.credential.clone()),
        }
    }
}

/// What a step's fields come to.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Who serves the model.
    pub provider: Provider,
    /// The provider's name for it.
    pub model: String,
    /// With what.
    pub key: UsedKey,
    /// Whose that is.
    pub source: KeySource,
}

impl Resolved {
    /// Where the provider answers.
    pub fn base_url(&self) -> String {
        match (&self.key.base_url, self.provider.base_url()) {
            (Some(base), _) => base.trim().to_owned(),
            (None, Some(base)) => base.to_owned(),
            (None, None) => {
                let region = self.key.region.as_deref().unwrap_or_default();
                let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
                format!("https://bedrock-runtime.{region}.{domain}")
            }
        }
    }
}

/// The value of a key, where it is one.
pub(super) fn api_key(credential: &Credential) -> Option<&SecretString> {
    match credential {
        Credential::ApiKey(key) => Some(key),
        Credential::None | Credential::Aws { .. } | Credential::Role => None,
    }
}
