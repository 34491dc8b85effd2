//! MCP servers and their instances: a small row each, in the order of creation, with rows beside them for what is
//! large or many. The slug of a server has a row of its own, which keeps it unique. The tools of a version are never
//! changed; those of the active one also stand, with short descriptions, in one partition for the whole project, which
//! is what searching looks at.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::{self, Item, n};
use super::keys::{self, Key, PK, SK};
use super::runs::Listed;
use super::tenants::with_key;
use super::{ConnectionRecord, ConnectionUse, ConnectionUser, Store, StoreError, blob};
use crate::clock::Timestamp;
use crate::ids::{ConnectionId, InstanceId, McpServerId, Place, ProfileId, WorkflowId};
use crate::mcp::{AuthMode, Mode, Overrides, ServerStatus, SourceSpec, ToolSpec, ToolSummary};

/// The most servers of a project that are looked through for an address.
const MOST_LOOKED_THROUGH: usize = 500;

/// The rows of a value that is replaced: tools take at most 2 MiB.
const MOST_CHUNKS: usize = 8;

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

/// An instance's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// The instance.
    pub id: InstanceId,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// The server.
    pub server_id: McpServerId,
    /// Its name.
    pub name: String,
    /// Whether it may be called.
    pub enabled: bool,
    /// The profile that counts.
    pub active_profile: Option<ProfileId>,
    /// What that one says, as JSON text: whoever calls needs no other row.
    pub source: Option<String>,
    /// Counts the writes of this row.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody changed it.
    pub updated_at: Timestamp,
}

impl InstanceRecord {
    /// What the active profile says.
    ///
    /// # Errors
    /// When the row is damaged.
    pub fn source(&self) -> Result<SourceSpec, StoreError> {
        let text = self.source.as_deref().unwrap_or("{}");
        serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.to_string()))
    }
}

/// The row of a profile of an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// The profile.
    pub id: ProfileId,
    /// Its name.
    pub name: String,
    /// What it says, as JSON text.
    pub source_spec: String,
    /// Counts the writes of this row.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody changed it.
    pub updated_at: Timestamp,
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
    /// Keeps a new server.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its slug is in use.
    pub async fn create_mcp_server(&self, record: &McpServerRecord) -> Result<(), StoreError> {
        let writes = vec![self.new_row(server_row(record)?)?, self.slug_row(record)?];
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
    ) -> Result<(), StoreError> {
        let rows = vec![
            self.new_row(server_row(record)?)?,
            self.slug_row(record)?,
            self.new_row(instance_row(instance)?)?,
        ];
        self.transact(rows).await
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
            writes.push(self.gone(keys::mcp_slug(&record.place, before))?);
        }
        self.transact(writes).await
    }

    fn next_server(&self, record: &mut McpServerRecord) -> Result<TransactWriteItem, StoreError> {
        let expected = record.revision;
        record.revision += 1;
        self.put_if(server_row(record)?, Some("revision = :revision"), [(":revision", n(expected))])
    }

    fn gone(&self, key: Key) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(key.into_map())).build();
        let delete = delete.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Deletes a server; the rows of its versions go with the next transactions, a hundred at a time.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read.
    pub async fn delete_mcp_server(&self, record: &McpServerRecord) -> Result<(), StoreError> {
        let place = &record.place;
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(keys::mcp_server(place, record.id).into_map()))
            .condition_expression("revision = :revision")
            .expression_attribute_values(":revision", n(record.revision))
            .build()
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let delete = TransactWriteItem::builder().delete(delete).build();
        self.transact(vec![delete, self.gone(keys::mcp_slug(place, &record.service))?]).await?;
        // What is left when this breaks off is never read again: ids are not used twice.
        self.delete_all(&keys::mcp_server_rows(place, record.id), "").await?;
        self.delete_all(&keys::mcp_tools_of(place), &format!("{}#", record.id)).await
    }

    async fn delete_all(&self, pk: &str, prefix: &str) -> Result<(), StoreError> {
        let items = self.get_all(pk, prefix).await?;
        let sks: Vec<&str> = items.iter().map(|item| item::text(item, SK)).collect::<Result<_, _>>()?;
        for some in sks.chunks(100) {
            let gone = |sk: &&str| self.gone(Key { pk: pk.to_owned(), sk: (*sk).to_owned() });
            self.transact(some.iter().map(gone).collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }

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
            writes.push(self.gone(Key { pk: pk.to_owned(), sk: keys::chunk(prefix, number) })?);
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
            let server = server.ok_or_else(|| StoreError::Corrupt("tools of no server".to_owned()))?;
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

    /// Keeps a new instance of a server that is there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn create_instance(&self, record: &InstanceRecord) -> Result<(), StoreError> {
        self.transact(vec![self.new_row(instance_row(record)?)?]).await
    }

    /// An instance; none when there is none of this id.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn instance(
        &self,
        place: &Place,
        id: InstanceId,
    ) -> Result<Option<InstanceRecord>, StoreError> {
        self.get(keys::instance(place, id)).await?.map(read).transpose()
    }

    /// A project's instances, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_instances(
        &self,
        place: &Place,
        limit: usize,
        cursor: Option<InstanceId>,
    ) -> Result<Listed<InstanceRecord>, StoreError> {
        let start = cursor.map(|id| keys::instance(place, id));
        let at = |row: &InstanceRecord| row.id.to_string();
        self.list_newest(&keys::instances_of(place), "", limit, start, at).await
    }

    /// Instances of these ids, as far as they are there.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn instances_of(
        &self,
        place: &Place,
        ids: impl IntoIterator<Item = InstanceId>,
    ) -> Result<BTreeMap<InstanceId, InstanceRecord>, StoreError> {
        let keys = ids.into_iter().map(|id| keys::instance(place, id).into_map()).collect();
        let rows = self.get_batch(keys).await?.into_iter().map(read::<InstanceRecord>);
        rows.map(|row| row.map(|row| (row.id, row))).collect()
    }

    /// Servers of these ids, as far as they are there.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn mcp_servers_of(
        &self,
        place: &Place,
        ids: impl IntoIterator<Item = McpServerId>,
    ) -> Result<BTreeMap<McpServerId, McpServerRecord>, StoreError> {
        let keys = ids.into_iter().map(|id| keys::mcp_server(place, id).into_map()).collect();
        let rows = self.get_batch(keys).await?.into_iter().map(read::<McpServerRecord>);
        rows.map(|row| row.map(|row| (row.id, row))).collect()
    }

    /// Whose systems these connections are for, as far as they are there.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn connection_providers(
        &self,
        place: &Place,
        ids: impl IntoIterator<Item = ConnectionId>,
    ) -> Result<BTreeMap<ConnectionId, String>, StoreError> {
        let keys = ids.into_iter().map(|id| keys::connection(place, id).into_map()).collect();
        let rows = self.get_batch(keys).await?.into_iter().map(read::<ConnectionRecord>);
        rows.map(|row| row.map(|row| (row.id, row.provider))).collect()
    }

    /// Replaces an instance's row, with a profile's when there is one, and says which connection it uses from now on
    /// instead of which. The revisions are advanced here.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a row is not the one that was read, or the connection is not there.
    pub async fn save_instance(
        &self,
        record: &mut InstanceRecord,
        profile: Option<&mut ProfileRecord>,
        (before, after): (Option<ConnectionId>, Option<ConnectionId>),
    ) -> Result<(), StoreError> {
        let expected = record.revision;
        record.revision += 1;
        let condition = Some("revision = :revision");
        let mut writes = vec![self.put_if(instance_row(record)?, condition, [(":revision", n(expected))])?];
        if let Some(profile) = profile {
            writes.push(self.next_profile(&record.place, record.id, profile)?);
        }
        let user = ConnectionUser::Instance(record.id);
        let uses = |id: Option<ConnectionId>| {
            id.into_iter().map(|connection| ConnectionUse { connection, user }).collect::<BTreeSet<_>>()
        };
        if before != after {
            writes.extend(self.connection_uses(&record.place, &uses(after), &uses(before))?);
        }
        self.transact(writes).await
    }

    fn next_profile(
        &self,
        place: &Place,
        instance: InstanceId,
        profile: &mut ProfileRecord,
    ) -> Result<TransactWriteItem, StoreError> {
        let expected = profile.revision;
        profile.revision += 1;
        let row = with_key(keys::profile(place, instance, profile.id), profile)?;
        match expected {
            0 => self.new_row(row),
            _ => self.put_if(row, Some("revision = :revision"), [(":revision", n(expected))]),
        }
    }

    /// Keeps a profile that is new, or replaces one that is not active.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read.
    pub async fn save_profile(
        &self,
        place: &Place,
        instance: InstanceId,
        profile: &mut ProfileRecord,
    ) -> Result<(), StoreError> {
        let write = self.next_profile(place, instance, profile)?;
        self.transact(vec![write]).await
    }

    /// Deletes an instance with its profiles; it uses no connection any more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read.
    pub async fn delete_instance(
        &self,
        record: &InstanceRecord,
        connection: Option<ConnectionId>,
    ) -> Result<(), StoreError> {
        let place = &record.place;
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(keys::instance(place, record.id).into_map()))
            .condition_expression("revision = :revision")
            .expression_attribute_values(":revision", n(record.revision))
            .build()
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let mut writes = vec![TransactWriteItem::builder().delete(delete).build()];
        let user = ConnectionUser::Instance(record.id);
        let used = connection.into_iter().map(|connection| ConnectionUse { connection, user }).collect();
        writes.extend(self.connection_uses(place, &BTreeSet::new(), &used)?);
        self.transact(writes).await?;
        self.delete_all(&keys::profiles_of(place, record.id), "").await
    }

    /// A profile; none when there is none of this id.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn profile(
        &self,
        place: &Place,
        instance: InstanceId,
        id: ProfileId,
    ) -> Result<Option<ProfileRecord>, StoreError> {
        self.get(keys::profile(place, instance, id)).await?.map(read).transpose()
    }

    /// An instance's profiles, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_profiles(
        &self,
        place: &Place,
        instance: InstanceId,
        limit: usize,
        cursor: Option<ProfileId>,
    ) -> Result<Listed<ProfileRecord>, StoreError> {
        let start = cursor.map(|id| keys::profile(place, instance, id));
        let at = |row: &ProfileRecord| row.id.to_string();
        self.list_newest(&keys::profiles_of(place, instance), "", limit, start, at).await
    }

    /// A workflow's overrides; none are the same as an empty list.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn overrides(&self, place: &Place, id: WorkflowId) -> Result<Overrides, StoreError> {
        match self.get(keys::overrides(place, id)).await? {
            Some(item) => blob::decode(item::bytes(&item, item::BODY)?),
            None => Ok(Overrides::default()),
        }
    }

    /// Replaces a workflow's overrides.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else replaces them at the same moment, or a connection is not there.
    pub async fn save_overrides(
        &self,
        place: &Place,
        id: WorkflowId,
        before: &Overrides,
        after: &Overrides,
    ) -> Result<(), StoreError> {
        let mut row = keys::overrides(place, id).into_map();
        row.insert(item::BODY.to_owned(), item::b(blob::encode(after)?));
        row.insert("revision".to_owned(), n(before.revision + 1));
        let put = match before.revision {
            0 => self.new_row(row)?,
            revision => self.put_if(row, Some("revision = :revision"), [(":revision", n(revision))])?,
        };
        let uses = |overrides: &Overrides| {
            let each = overrides.by_instance.iter();
            each.map(|(instance, connection)| ConnectionUse {
                connection: *connection,
                user: ConnectionUser::Override(id, *instance),
            })
            .collect::<BTreeSet<_>>()
        };
        let (before, after) = (uses(before), uses(after));
        let added = after.difference(&before).cloned().collect();
        let removed = before.difference(&after).cloned().collect();
        let mut writes = vec![put];
        writes.extend(self.connection_uses(place, &added, &removed)?);
        self.transact(writes).await
    }
}

fn server_row(record: &McpServerRecord) -> Result<Item, StoreError> {
    with_key(keys::mcp_server(&record.place, record.id), record)
}

fn instance_row(record: &InstanceRecord) -> Result<Item, StoreError> {
    with_key(keys::instance(&record.place, record.id), record)
}

fn read<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.to_string()))
}
