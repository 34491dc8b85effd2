//! The platform's catalog: well-known remote MCP servers, in a file that ships with the deployment.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::address::is_same_url;
use types::mcp::AuthMode;

/// How a server of the catalog wants to be authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// Not at all.
    None,
    /// By a token or key as bearer.
    Token,
    /// By keys in headers.
    Headers,
    /// By a token that its sign-in (OAuth) hands out; it goes as bearer.
    Oauth2,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogEntry {
    /// What to name it by.
    #[schema(example = "github")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its address.
    pub url: String,
    /// How it wants to be authenticated.
    pub auth: AuthKind,
    /// Where its maker describes it.
    pub documentation_url: String,
}

impl CatalogEntry {
    /// How calls authenticate.
    pub fn auth_mode(&self) -> AuthMode {
        match self.auth {
            AuthKind::None => AuthMode::None,
            AuthKind::Token | AuthKind::Oauth2 => AuthMode::Token,
            AuthKind::Headers => AuthMode::Headers,
        }
    }
}

static ENTRIES: LazyLock<Vec<CatalogEntry>> =
    LazyLock::new(|| serde_json::from_str(include_str!("catalog.json")).unwrap_or_default());

/// All entries.
pub fn entries() -> &'static [CatalogEntry] {
    &ENTRIES
}

/// The entry of this id.
pub fn find(id: &str) -> Option<&'static CatalogEntry> {
    entries().iter().find(|entry| entry.id == id)
}

/// The entry with this address.
pub fn of_url(url: &str) -> Option<&'static CatalogEntry> {
    entries().iter().find(|entry| is_same_url(&entry.url, url))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use platform::outbound_http::OutboundPolicy;

    #[test]
    fn the_file_reads_and_its_addresses_may_be_called() {
        let entries: Vec<CatalogEntry> = serde_json::from_str(include_str!("catalog.json")).unwrap();
        assert!(entries.len() >= 10);
        let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(ids.len(), entries.len());
        for entry in &entries {
            OutboundPolicy::default().url(&entry.url).unwrap();
            assert!(entry.documentation_url.starts_with("https://"), "{}", entry.id);
        }
    }
}
