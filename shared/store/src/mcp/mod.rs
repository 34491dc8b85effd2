//! MCP servers and their instances: a small row each, in the order of creation, with rows beside them for what is
//! large or many. The slug of a server has a row of its own, which keeps it unique.

mod instances;
mod tools;

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::with_key;
use super::item::{self, Item, n};
use super::keys::{self, Key, PK, SK};
use super::walk::Listed;
use super::{QuotaGuard, Store, StoreError};
use types::clock::Timestamp;
use types::ids::{McpServerId, Place};
use types::mcp::{AuthMode, Mode, ServerStatus};

pub use instances::{InstanceRecord, ProfileRecord};
pub use tools::{McpVersionRecord, NewMcpVersion};

/// The most servers of a project that are looked through for an address.
const MOST_LOOKED_THROUGH: usize = 500;

/// A server's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct McpServerRecord {
    /// The server.
    pub id: McpServerId,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// Its name.
    pub name: String,
    /// The name as a slug, unique in the project.
    pub service: String,
    /// Its address.
    pub canonical_url: String,
    /// Whose it is.
    pub mode: Mode,
    /// How calls authenticate.
    pub auth_mode: AuthMode,
    /// What it is for.
    pub description: String,
    /// Where it stands.
    pub status: ServerStatus,
    /// How many tools it has, as far as is known.
    pub tool_count: u32,
    /// The version whose tools are used.
    pub active_version: Option<u32>,
    /// The newest version; 0 when there is none.
    pub latest_version: u32,
    /// Whether tools were discovered that are not published.
    pub discovered: bool,
    /// The entry of the platform's catalog that it was made from.
    pub catalog_id: Option<String>,
    /// Counts the writes of this row.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody changed it.
    pub updated_at: Timestamp,
}

impl Store {
    /// Keeps a new server.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its slug is in use.
    pub async fn create_mcp_server(
        &self,
        record: &McpServerRecord,
        guard: QuotaGuard,
    ) -> Result<(), StoreError> {
        let mut writes = vec![self.new_row(server_row(record)?)?, self.slug_row(record)?];
        writes.extend(guard.writes());
        self.transact(writes).await
    }

    /// Keeps a new server with its first instance.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its slug is in use.
    pub async fn create_mcp_server_with(
        &self,
        record: &McpServerRecord,
        instance: &InstanceRecord,
        guard: QuotaGuard,
    ) -> Result<(), StoreError> {
        let mut rows = vec![
            self.new_row(server_row(record)?)?,
            self.slug_row(record)?,
            self.new_row(instance_row(instance)?)?,
        ];
        rows.extend(guard.writes());
        self.transact(rows).await
    }

    /// Whether a server of this project has this slug.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_mcp_slug(&self, place: &Place, service: &str) -> Result<bool, StoreError> {
        Ok(self.get(keys::mcp_slug(place, service)).await?.is_some())
    }

    fn new_row(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        self.put_if(item, Some(&format!("attribute_not_exists({PK})")), [])
    }

    fn slug_row(&self, record: &McpServerRecord) -> Result<TransactWriteItem, StoreError> {
        self.new_row(keys::mcp_slug(&record.place, &record.service).into_map())
    }

    /// A server; none when there is none of this id.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn mcp_server(
        &self,
        place: &Place,
        id: McpServerId,
    ) -> Result<Option<McpServerRecord>, StoreError> {
        self.get(keys::mcp_server(place, id)).await?.map(read).transpose()
    }

    /// A project's servers, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_mcp_servers(
        &self,
        place: &Place,
        limit: usize,
        cursor: Option<McpServerId>,
    ) -> Result<Listed<McpServerRecord>, StoreError> {
        let start = cursor.map(|id| keys::mcp_server(place, id));
        let at = |row: &McpServerRecord| row.id.to_string();
        self.list_newest(&keys::mcp_servers_of(place), "", limit, start, at).await
    }

    /// All servers and instances of a project, as far as anybody looks.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn all_mcp(
        &self,
        place: &Place,
    ) -> Result<(Vec<McpServerRecord>, Vec<InstanceRecord>), StoreError> {
        let servers = self.list_mcp_servers(place, MOST_LOOKED_THROUGH, None).await?;
        let instances = self.list_instances(place, MOST_LOOKED_THROUGH, None).await?;
        Ok((servers.rows, instances.rows))
    }

    /// Replaces a server's row. The revision is advanced here; `slug_before` is the slug that it gives up.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or the new slug is in use.
    pub async fn save_mcp_server(
        &self,
        record: &mut McpServerRecord,
        slug_before: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut writes = vec![self.next_server(record)?];
        if let Some(before) = slug_before.filter(|before| *before != record.service) {
            writes.push(self.slug_row(record)?);
            writes.push(self.delete_of(keys::mcp_slug(&record.place, before))?);
        }
        self.transact(writes).await
    }

    fn next_server(&self, record: &mut McpServerRecord) -> Result<TransactWriteItem, StoreError> {
        let expected = record.revision;
        record.revision += 1;
        self.put_if(server_row(record)?, Some("revision = :revision"), [(":revision", n(expected))])
    }

    /// Deletes a server; the rows of its versions go with the next transactions, a hundred at a time.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read.
    pub async fn delete_mcp_server(&self, record: &McpServerRecord) -> Result<(), StoreError> {
        let place = &record.place;
        let delete = self.delete_at(keys::mcp_server(place, record.id), record.revision)?;
        self.transact(vec![delete, self.delete_of(keys::mcp_slug(place, &record.service))?]).await?;
        // What is left when this breaks off is never read again: ids are not used twice.
        self.delete_all(&keys::mcp_server_rows(place, record.id), "").await?;
        self.delete_all(&keys::mcp_tools_of(place), &format!("{}#", record.id)).await
    }

    async fn delete_all(&self, pk: &str, prefix: &str) -> Result<(), StoreError> {
        let items = self.get_all(pk, prefix).await?;
        let sks: Vec<&str> = items.iter().map(|item| item::text(item, SK)).collect::<Result<_, _>>()?;
        for some in sks.chunks(100) {
            let gone = |sk: &&str| self.delete_of(Key { pk: pk.to_owned(), sk: (*sk).to_owned() });
            self.transact(some.iter().map(gone).collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }
}

fn server_row(record: &McpServerRecord) -> Result<Item, StoreError> {
    with_key(keys::mcp_server(&record.place, record.id), record)
}

fn instance_row(record: &InstanceRecord) -> Result<Item, StoreError> {
    with_key(keys::instance(&record.place, record.id), record)
}

fn read<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
