//! The names of tenants' secrets, in one place: `<prefix>/<tenant>/<project>/<kind>/<id>/<version>`. The rights of
//! functions in `template.yaml` go by them.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use types::ids::{InvalidId, Place, SecretVersion};

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretKind {
    /// The credentials of a connection.
    Connection,
    /// What the senders of a webhook sign with.
    Webhook,
    /// A key of a provider of models.
    LlmKey,
}

impl SecretKind {
    const ALL: [Self; 3] = [Self::Connection, Self::Webhook, Self::LlmKey];

    /// The kind as names have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Webhook => "webhook",
            Self::LlmKey => "llm-key",
        }
    }
}

impl fmt::Display for SecretKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SecretKind {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(InvalidId("is no kind of secret"))
    }
}

/// A tenant's secret: all that finds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretRef {
    /// Tenant and project.
    pub place: Place,
    /// What it is for.
    pub kind: SecretKind,
    /// The connection, subscription or key that it belongs to.
    pub owner: Uuid,
    /// Which of the owner's secrets it is.
    pub version: SecretVersion,
}

impl SecretRef {
    /// Its name in the secret store.
    pub fn name(&self, prefix: &str) -> String {
        let Self { place, kind, owner, version } = self;
        format!("{prefix}/{}/{}/{kind}/{owner}/{version}", place.tenant_id, place.project_id)
    }
}
