//! Instances of MCP servers, their profiles, and the connections that workflows use instead.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde::{Deserialize, Serialize};

use super::super::item::with_key;
use super::super::item::{self, n};
use super::super::keys;
use super::super::walk::Listed;
use super::super::{ConnectionRecord, ConnectionUse, ConnectionUser, QuotaGuard, Store, StoreError, blob};
use super::{McpServerRecord, instance_row, read};
use types::clock::Timestamp;
use types::ids::{ConnectionId, InstanceId, McpServerId, Place, ProfileId, WorkflowId};
use types::mcp::{Overrides, SourceSpec};

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
        serde_json::from_str(text).map_err(|error| StoreError::Corrupt(error.into()))
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

impl Store {
    /// Keeps a new instance of a server that is there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn create_instance(
        &self,
        record: &InstanceRecord,
        guard: QuotaGuard,
    ) -> Result<(), StoreError> {
        let mut writes = vec![self.new_row(instance_row(record)?)?];
        writes.extend(guard.writes());
        self.transact(writes).await
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
        let mut writes = vec![self.delete_at(keys::instance(place, record.id), record.revision)?];
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
