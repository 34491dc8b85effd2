//! Connections: a row each, which refers to the secret that holds the credentials, and a row per user of one.
//!
//! **Users.** An instance of an MCP server whose active profile names a connection, and a workflow's override that
//! does, say so with a row each ([`ConnectionUse`]), written and deleted in the transactions that make it so
//! (`Store::connection_uses`). Naming a connection holds only while it is there, and deleting one that is in use is
//! refused: both change the connection's `revision`, so that of a use and a deletion at the same moment one fails.

use std::collections::BTreeSet;
use std::fmt;

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::with_key;
use super::item::{self, Item, n, s};
use super::keys::{self, Key, PK, SK};
use super::walk::Listed;
use super::{QuotaGuard, Store, StoreError};
use crate::service::Service;
use platform::secrets::{SecretKind, SecretRef};
use types::clock::Timestamp;
use types::ids::{ConnectionId, InstanceId, PatId, Place, SecretVersion, WorkflowId};

/// The most users of one connection that are looked at.
const MOST_USERS: i32 = 1_000;

/// A connection's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectionRecord {
    /// The connection.
    pub id: ConnectionId,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// Its name.
    pub name: String,
    /// Whose system it is for.
    pub provider: String,
    /// What kind of credentials it holds.
    pub service: Service,
    /// The names of its credentials, in their order.
    pub credential_keys: Vec<String>,
    /// Which of its secrets holds the credentials.
    pub secret: SecretVersion,
    /// The hosts that its credentials may be sent to. A row of an older version has none until they are settled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allowed_hosts: Option<Vec<String>>,
    /// With which token all its values were entered, while it takes the hosts of servers that it is bound to with that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entered: Option<Entered>,
    /// Counts the changes of this row and of who uses it.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody changed it.
    pub updated_at: Timestamp,
}

/// That the values of a connection were entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entered {
    /// With this token.
    pub pat_id: PatId,
    /// When.
    pub at: Timestamp,
}

impl ConnectionRecord {
    /// The secret that holds the credentials.
    pub fn secret_ref(&self) -> SecretRef {
        secret_ref(&self.place, self.id, self.secret)
    }
}

fn secret_ref(place: &Place, id: ConnectionId, version: SecretVersion) -> SecretRef {
    SecretRef { place: place.clone(), kind: SecretKind::Connection, owner: id.into(), version }
}

/// Who uses a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionUser {
    /// An instance whose active profile names the connection.
    Instance(InstanceId),
    /// A workflow that overrides an instance's connection with this one.
    Override(WorkflowId, InstanceId),
}

impl ConnectionUser {
    /// The instance that the connection is used for.
    pub fn instance(self) -> InstanceId {
        match self {
            Self::Instance(instance) | Self::Override(_, instance) => instance,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split('#').collect::<Vec<_>>()[..] {
            ["INSTANCE", instance] => Some(Self::Instance(instance.parse().ok()?)),
            ["WORKFLOW", workflow, instance] => {
                Some(Self::Override(workflow.parse().ok()?, instance.parse().ok()?))
            }
            _ => None,
        }
    }
}

impl fmt::Display for ConnectionUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(instance) => write!(f, "INSTANCE#{instance}"),
            Self::Override(workflow, instance) => write!(f, "WORKFLOW#{workflow}#{instance}"),
        }
    }
}

/// That somebody uses a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionUse {
    /// The connection.
    pub connection: ConnectionId,
    /// By whom.
    pub user: ConnectionUser,
}

impl Store {
    /// Keeps a new connection, which from now on owns its secret.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the secret is being destroyed.
    pub async fn create_connection(
        &self,
        record: &ConnectionRecord,
        guard: QuotaGuard,
    ) -> Result<(), StoreError> {
        let not_there = format!("attribute_not_exists({PK})");
        let mut writes =
            vec![self.put_if(row(record)?, Some(&not_there), [])?, self.owned(&record.secret_ref())?];
        writes.extend(guard.writes());
        self.transact(writes).await
    }

    /// A connection; none when there is none of this id.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn connection(
        &self,
        place: &Place,
        id: ConnectionId,
    ) -> Result<Option<ConnectionRecord>, StoreError> {
        self.get(keys::connection(place, id)).await?.map(record).transpose()
    }

    /// A project's connections, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_connections(
        &self,
        place: &Place,
        limit: usize,
        cursor: Option<ConnectionId>,
    ) -> Result<Listed<ConnectionRecord>, StoreError> {
        let start = cursor.map(|id| keys::connection(place, id));
        self.list_newest(&keys::connections_of(place), "", limit, start, |row: &ConnectionRecord| {
            row.id.to_string()
        })
        .await
    }

    /// Replaces a connection's row, and with `before` the secret that it refers to: the one of that version is
    /// destroyed from now on. The revision is advanced here.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or is gone.
    pub async fn save_connection(
        &self,
        record: &mut ConnectionRecord,
        before: Option<SecretVersion>,
    ) -> Result<(), StoreError> {
        let expected = (":revision", n(record.revision));
        record.revision += 1;
        let mut writes = vec![self.put_if(row(record)?, Some("revision = :revision"), [expected])?];
        if let Some(before) = before {
            writes.push(self.owned(&record.secret_ref())?);
            let before = secret_ref(&record.place, record.id, before);
            writes.push(self.disowned(&before, record.updated_at)?);
        }
        self.transact(writes).await
    }

    /// Deletes a connection; its secret is destroyed from now on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or is gone, or somebody uses it since.
    pub async fn delete_connection(
        &self,
        record: &ConnectionRecord,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let delete = self.delete_at(keys::connection(&record.place, record.id), record.revision)?;
        self.transact(vec![delete, self.disowned(&record.secret_ref(), now)?]).await
    }

    /// Who uses a connection, up to a thousand.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn connection_users(
        &self,
        place: &Place,
        id: ConnectionId,
    ) -> Result<Vec<ConnectionUser>, StoreError> {
        let found = self.uses_between(place, &format!("{id}#"), &format!("{id}$")).await?;
        Ok(found.into_iter().map(|found| found.user).collect())
    }

    /// Who uses these connections, which follow one another in the list of connections.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn uses_of_listed(
        &self,
        place: &Place,
        listed: &[ConnectionRecord],
    ) -> Result<Vec<ConnectionUse>, StoreError> {
        let ids = || listed.iter().map(|record| record.id);
        match (ids().min(), ids().max()) {
            (Some(first), Some(last)) => {
                self.uses_between(place, &format!("{first}#"), &format!("{last}$")).await
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn uses_between(
        &self,
        place: &Place,
        low: &str,
        high: &str,
    ) -> Result<Vec<ConnectionUse>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression(format!("{PK} = :pk AND {SK} BETWEEN :low AND :high"))
            .expression_attribute_values(":pk", s(keys::connection_users(place)))
            .expression_attribute_values(":low", s(low))
            .expression_attribute_values(":high", s(high))
            .consistent_read(true)
            .limit(MOST_USERS);
        let items = self.send(query).await?.items.unwrap_or_default();
        items.iter().map(|item| use_at(item::text(item, SK)?)).collect()
    }

    /// Who begins and who ceases to use connections of a project, as part of the transaction that makes it so. Each
    /// use that is added takes a write, and so does each connection that it names; each that is removed takes one.
    /// One that is in both stays. The transaction is a conflict when a connection is not there: look before, to tell
    /// the caller which. It must not write the same rows otherwise, and a transaction takes 100 writes.
    ///
    /// # Errors
    /// Corrupt, when a write cannot be built.
    pub(super) fn connection_uses(
        &self,
        place: &Place,
        added: &BTreeSet<ConnectionUse>,
        removed: &BTreeSet<ConnectionUse>,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut writes = Vec::new();
        let connections: BTreeSet<ConnectionId> = added.iter().map(|each| each.connection).collect();
        for id in connections {
            let update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(keys::connection(place, id).into_map()))
                .update_expression("ADD revision :one")
                .condition_expression(format!("attribute_exists({PK})"))
                .expression_attribute_values(":one", n(1))
                .build()
                .map_err(|error| StoreError::Corrupt(error.into()))?;
            writes.push(TransactWriteItem::builder().update(update).build());
        }
        for each in added {
            writes.push(self.put_of(use_key(place, each).into_map())?);
        }
        for each in removed.difference(added) {
            let delete = Delete::builder()
                .table_name(&self.table)
                .set_key(Some(use_key(place, each).into_map()))
                .build()
                .map_err(|error| StoreError::Corrupt(error.into()))?;
            writes.push(TransactWriteItem::builder().delete(delete).build());
        }
        Ok(writes)
    }

    /// Changes who uses connections of a project, by itself: see `connection_uses`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a connection is not there.
    pub async fn change_connection_uses(
        &self,
        place: &Place,
        added: &BTreeSet<ConnectionUse>,
        removed: &BTreeSet<ConnectionUse>,
    ) -> Result<(), StoreError> {
        let writes = self.connection_uses(place, added, removed)?;
        if writes.is_empty() { Ok(()) } else { self.transact(writes).await }
    }
}

fn use_key(place: &Place, each: &ConnectionUse) -> Key {
    Key { pk: keys::connection_users(place), sk: format!("{}#{}", each.connection, each.user) }
}

fn use_at(sk: &str) -> Result<ConnectionUse, StoreError> {
    let read = || {
        let (connection, user) = sk.split_once('#')?;
        Some(ConnectionUse { connection: connection.parse().ok()?, user: ConnectionUser::parse(user)? })
    };
    read().ok_or_else(|| StoreError::Corrupt(format!("a user of a connection at {sk:?}").into()))
}

fn row(record: &ConnectionRecord) -> Result<Item, StoreError> {
    with_key(keys::connection(&record.place, record.id), record)
}

fn record(item: Item) -> Result<ConnectionRecord, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_reads_back_from_its_key() {
        let at = Timestamp::from_millis(1_790_000_000_000);
        let place = Place { tenant_id: "acme".parse().unwrap(), project_id: "prod".parse().unwrap() };
        let connection = ConnectionId::new(at);
        for user in [
            ConnectionUser::Instance(InstanceId::new(at)),
            ConnectionUser::Override(WorkflowId::new(at), InstanceId::new(at)),
        ] {
            let each = ConnectionUse { connection, user };
            assert_eq!(use_at(&use_key(&place, &each).sk).unwrap(), each);
        }
        assert!(use_at("x#INSTANCE#y").is_err());
    }
}
