//! Keys for providers of models: a row each, which refers to the secret that holds the values, and a row that counts
//! a project's.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::with_key;
use super::item::{Item, n};
use super::keys::{self, PK};
use super::{Store, StoreError};
use platform::secrets::{SecretKind, SecretRef};
use types::clock::Timestamp;
use types::ids::{LlmKeyId, Place, SecretVersion};
use workflow::model::Provider;

/// The most keys of a project: all of them are read at once.
pub const MOST_LLM_KEYS: usize = 50;

/// Counts the keys, in a row of its own.
const COUNT: &str = "key_count";

/// A key's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LlmKeyRecord {
    /// The key.
    pub id: LlmKeyId,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// Whose models it is for.
    pub provider: Provider,
    /// Its name.
    pub name: String,
    /// Where the provider answers, when that is not its usual place.
    pub base_url: Option<String>,
    /// Bedrock's region.
    pub region: Option<String>,
    /// OpenAI's organization.
    pub organization: Option<String>,
    /// What may be shown of the value; none when there is none.
    pub hint: Option<String>,
    /// When it was made the one that steps use which name none.
    pub default_since: Option<Timestamp>,
    /// Which of its secrets holds the values; none when there are none.
    pub secret: Option<SecretVersion>,
    /// Counts the changes of this row.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody changed it.
    pub updated_at: Timestamp,
    /// When it got other values.
    pub rotated_at: Option<Timestamp>,
}

impl LlmKeyRecord {
    /// The secret that holds the values.
    pub fn secret_ref(&self) -> Option<SecretRef> {
        let version = self.secret?;
        Some(SecretRef {
            place: self.place.clone(),
            kind: SecretKind::LlmKey,
            owner: self.id.into(),
            version,
        })
    }
}

impl Store {
    /// Keeps a new key, which from now on owns its secret.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the project has [`MOST_LLM_KEYS`], when the secret is being destroyed, or when
    /// another is made or deleted at the same moment.
    pub async fn create_llm_key(&self, record: &LlmKeyRecord) -> Result<(), StoreError> {
        let not_there = format!("attribute_not_exists({PK})");
        let room = format!("attribute_not_exists({COUNT}) OR {COUNT} < :most");
        let mut writes =
            vec![self.put_if(row(record)?, Some(&not_there), [])?, self.count_llm_keys(record, 1, &room)?];
        if let Some(secret) = record.secret_ref() {
            writes.push(self.owned(&secret)?);
        }
        self.transact(writes).await
    }

    /// A key; none when there is none of this id.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn llm_key(&self, place: &Place, id: LlmKeyId) -> Result<Option<LlmKeyRecord>, StoreError> {
        self.get(keys::llm_key(place, id)).await?.map(record).transpose()
    }

    /// All keys of a project, newest first.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn llm_keys(&self, place: &Place) -> Result<Vec<LlmKeyRecord>, StoreError> {
        let rows = self.get_all(&keys::llm_keys_of(place), keys::LLM_KEY).await?;
        let mut keys = rows.into_iter().map(record).collect::<Result<Vec<_>, _>>()?;
        keys.reverse();
        Ok(keys)
    }

    /// Replaces a key's row, and with `before` the secret that it refers to: the one before is destroyed from now
    /// on. The revision is advanced here.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or is gone.
    pub async fn save_llm_key(
        &self,
        record: &mut LlmKeyRecord,
        before: Option<Option<&SecretRef>>,
    ) -> Result<(), StoreError> {
        let expected = (":revision", n(record.revision));
        record.revision += 1;
        let mut writes = vec![self.put_if(row(record)?, Some("revision = :revision"), [expected])?];
        if let Some(before) = before {
            if let Some(secret) = record.secret_ref() {
                writes.push(self.owned(&secret)?);
            }
            if let Some(before) = before {
                writes.push(self.disowned(before, record.updated_at)?);
            }
        }
        self.transact(writes).await
    }

    /// Deletes a key; its secret is destroyed from now on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or is gone, or when another is made or
    /// deleted at the same moment.
    pub async fn delete_llm_key(&self, record: &LlmKeyRecord, now: Timestamp) -> Result<(), StoreError> {
        let delete = self.delete_at(keys::llm_key(&record.place, record.id), record.revision)?;
        let mut writes =
            vec![delete, self.count_llm_keys(record, -1, &format!("attribute_exists({COUNT})"))?];
        if let Some(secret) = record.secret_ref() {
            writes.push(self.disowned(&secret, now)?);
        }
        self.transact(writes).await
    }

    fn count_llm_keys(
        &self,
        record: &LlmKeyRecord,
        by: i8,
        condition: &str,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::llm_key_count(&record.place).into_map()))
            .update_expression(format!("ADD {COUNT} :by"))
            .expression_attribute_values(":by", n(by))
            .condition_expression(condition);
        if by > 0 {
            update = update.expression_attribute_values(":most", n(MOST_LLM_KEYS));
        }
        let update = update.build().map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

fn row(record: &LlmKeyRecord) -> Result<Item, StoreError> {
    with_key(keys::llm_key(&record.place, record.id), record)
}

fn record(item: Item) -> Result<LlmKeyRecord, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
