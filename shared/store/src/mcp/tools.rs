//! The tools of servers. Those of a version are never changed; those of the active one also stand, with short
//! descriptions, in one partition for the whole project, which is what searching looks at.

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};

use super::super::item;
use super::super::item::with_key;
use super::super::keys::{self, Key, SK};
use super::super::walk::Listed;
use super::super::{Store, StoreError, blob};
use super::{McpServerRecord, read};
use types::clock::Timestamp;
use types::ids::{McpServerId, Place};
use types::mcp::{ToolSpec, ToolSummary};

/// The rows of a value that is replaced: tools take at most 2 MiB.
const MOST_CHUNKS: usize = 8;

/// The row of a published catalog of tools.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct McpVersionRecord {
    /// Counted from 1.
    pub number: u32,
    /// What its publisher calls it.
    pub version: String,
    /// How many tools it has.
    pub tool_count: u32,
    /// The JSON Schema of an instance's `config`, as text.
    pub config_schema: Option<String>,
    /// When it was published.
    pub published_at: Timestamp,
}

/// Tools that become a version of a server.
#[derive(Debug)]
pub struct NewMcpVersion<'a> {
    /// Its row.
    pub version: &'a McpVersionRecord,
    /// Its tools.
    pub tools: &'a [ToolSpec],
    /// Whether they are the ones used from now on.
    pub activate: bool,
}

impl Store {
    /// Keeps the tools that were discovered, until they are published or others are discovered.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the server is not the one that was read.
    pub async fn keep_discovered(
        &self,
        record: &mut McpServerRecord,
        tools: &[ToolSpec],
    ) -> Result<(), StoreError> {
        let pk = keys::mcp_server_rows(&record.place, record.id);
        let mut writes = vec![self.next_server(record)?];
        writes.extend(self.replace_chunks(&pk, keys::DISCOVERED, &blob::encode(&tools)?)?);
        self.transact(writes).await
    }

    /// The tools that were discovered last.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn discovered(
        &self,
        place: &Place,
        id: McpServerId,
    ) -> Result<Option<Vec<ToolSpec>>, StoreError> {
        self.get_chunked(&keys::mcp_server_rows(place, id), keys::DISCOVERED).await
    }

    /// Keeps a version of a server's tools, or makes another one active: `record` says which is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the server is not the one that was read.
    pub async fn publish_tools(
        &self,
        record: &mut McpServerRecord,
        new: &NewMcpVersion<'_>,
    ) -> Result<(), StoreError> {
        let pk = keys::mcp_server_rows(&record.place, record.id);
        let number = new.version.number;
        let mut writes = vec![self.next_server(record)?];
        let key = Key { pk: pk.clone(), sk: keys::version(number) };
        writes.push(self.new_row(with_key(key, new.version)?)?);
        for chunk in item::chunks(&pk, &keys::version_graph(number), &blob::encode(&new.tools)?) {
            writes.push(self.put_of(chunk)?);
        }
        if new.activate {
            writes.extend(self.tool_index(record, new.tools)?);
        }
        self.transact(writes).await
    }

    /// Makes a version that is there the active one, as `record` says.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the server is not the one that was read.
    pub async fn activate_tools(
        &self,
        record: &mut McpServerRecord,
        tools: &[ToolSpec],
    ) -> Result<(), StoreError> {
        let mut writes = vec![self.next_server(record)?];
        writes.extend(self.tool_index(record, tools)?);
        self.transact(writes).await
    }

    fn tool_index(
        &self,
        record: &McpServerRecord,
        tools: &[ToolSpec],
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let summaries: Vec<ToolSummary> = tools.iter().map(ToolSummary::of).collect();
        let pk = keys::mcp_tools_of(&record.place);
        self.replace_chunks(&pk, &record.id.to_string(), &blob::encode(&summaries)?)
    }

    /// Writes a value's rows, and removes those of a longer one that was there.
    fn replace_chunks(
        &self,
        pk: &str,
        prefix: &str,
        bytes: &[u8],
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let chunks = item::chunks(pk, prefix, bytes);
        let beyond = chunks.len()..MOST_CHUNKS;
        let mut writes: Vec<_> =
            chunks.into_iter().map(|chunk| self.put_of(chunk)).collect::<Result<_, _>>()?;
        for number in beyond {
            writes.push(self.delete_of(Key { pk: pk.to_owned(), sk: keys::chunk(prefix, number) })?);
        }
        Ok(writes)
    }

    /// A server's versions, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_mcp_versions(
        &self,
        place: &Place,
        id: McpServerId,
        limit: usize,
        cursor: Option<u32>,
    ) -> Result<Listed<McpVersionRecord>, StoreError> {
        let pk = keys::mcp_server_rows(place, id);
        let start = cursor.map(|number| Key { pk: pk.clone(), sk: keys::version(number) });
        let at = |row: &McpVersionRecord| row.number.to_string();
        self.list_newest(&pk, keys::VERSION, limit, start, at).await
    }

    /// A version of a server; none when there is none of this number.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn mcp_version(
        &self,
        place: &Place,
        id: McpServerId,
        number: u32,
    ) -> Result<Option<McpVersionRecord>, StoreError> {
        let key = Key { pk: keys::mcp_server_rows(place, id), sk: keys::version(number) };
        self.get(key).await?.map(read).transpose()
    }

    /// The tools of a version.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn mcp_tools(
        &self,
        place: &Place,
        id: McpServerId,
        number: u32,
    ) -> Result<Vec<ToolSpec>, StoreError> {
        let pk = keys::mcp_server_rows(place, id);
        Ok(self.get_chunked(&pk, &keys::version_graph(number)).await?.unwrap_or_default())
    }

    /// What the active versions of all of a project's servers have, by server.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn all_tools(&self, place: &Place) -> Result<Vec<(McpServerId, ToolSummary)>, StoreError> {
        let mut parts: Vec<(McpServerId, Vec<u8>)> = Vec::new();
        for item in self.get_all(&keys::mcp_tools_of(place), "").await? {
            let server = item::text(&item, SK)?.split('#').next().and_then(|id| id.parse().ok());
            let server = server.ok_or_else(|| StoreError::Corrupt("tools of no server".into()))?;
            let bytes = item::bytes(&item, item::BODY)?;
            match parts.last_mut().filter(|(last, _)| *last == server) {
                Some((_, whole)) => whole.extend_from_slice(bytes),
                None => parts.push((server, bytes.to_vec())),
            }
        }
        let mut all = Vec::new();
        for (server, whole) in parts {
            let tools: Vec<ToolSummary> = blob::decode(&whole)?;
            all.extend(tools.into_iter().map(|tool| (server, tool)));
        }
        Ok(all)
    }
}
