//! MCP: servers that workflows call tools of.
//!
//! A **server** is an address; a **version** of it is a catalog of tools that was published; an **instance** is what
//! steps call, with a **profile** that says with which credentials. rmcp is the client, through the guarded way out
//! ([`transport`]); sessions are kept per environment ([`session`]). What a graph's steps resolve to is worked out once,
//! at the start of a run ([`bind`]), and made into a target with credentials only when a call is made ([`target`]).

mod address;
pub mod bind;
pub mod catalog;
pub mod instance;
pub mod overrides;
pub mod resolution;
pub mod server;
pub mod target;
pub mod tools;
pub mod validate;
pub mod versions;
pub mod view;

use std::sync::Arc;

use clients::mcp::Sessions;
use platform::boxed;
use platform::cache::{Cache, Stay};
use store::Store;
use types::ids::{McpServerId, Place};
use types::mcp::ToolSpec;
use types::text::LONGEST_NAME;
use types::{Error, Result};

/// Tools of about this many bytes of JSON are kept in memory.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// What an environment keeps: sessions, and the tools of versions, which never change.
#[derive(Debug)]
pub struct Mcp {
    /// The sessions.
    pub sessions: Sessions,
    tools: Cache<(Place, McpServerId, u32), Arc<Vec<ToolSpec>>>,
}

impl Default for Mcp {
    fn default() -> Self {
        Self { sessions: Sessions::default(), tools: Cache::new(MOST_BYTES, Stay::Unlimited) }
    }
}

impl Mcp {
    /// The tools of a version.
    ///
    /// # Errors
    /// When the database does not answer.
    #[boxed]
    pub async fn tools(
        &self,
        store: &Store,
        place: &Place,
        server: McpServerId,
        version: u32,
    ) -> Result<Arc<Vec<ToolSpec>>> {
        let key = (place.clone(), server, version);
        if let Some(tools) = self.tools.get(&key) {
            return Ok(tools);
        }
        let tools = Arc::new(store.mcp_tools(place, server, version).await?);
        let bytes = serde_json::to_vec(&*tools).map_or(usize::MAX, |json| json.len());
        self.tools.insert_weighing(key, Arc::clone(&tools), u32::try_from(bytes).unwrap_or(u32::MAX));
        Ok(tools)
    }
}

/// A name as a slug: `Back office` is `back_office`.
///
/// # Errors
/// Invalid when nothing of the name can stand in a slug.
pub fn slug(name: &str) -> Result<String> {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase).take(LONGEST_NAME) {
        match c.is_ascii_alphanumeric() {
            true => slug.push(c),
            false if !slug.is_empty() && !slug.ends_with('_') => slug.push('_'),
            false => {}
        }
    }
    let slug = slug.trim_end_matches('_').to_owned();
    match slug.is_empty() {
        true => Err(Error::invalid("name: must have a letter of a-z or a digit, for the service's slug.")),
        false => Ok(slug),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_slug() {
        for (name, expected) in [
            ("Back office", "back_office"),
            ("  A--b  C! ", "a_b_c"),
            ("GitHub", "github"),
            ("Über 9", "ber_9"),
        ] {
            assert_eq!(slug(name).unwrap(), expected, "{name}");
        }
        assert!(slug("日本").is_err());
    }
}
