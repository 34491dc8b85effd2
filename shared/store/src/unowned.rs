//! Secrets that nothing owns: a row each, in the deadline index, with the time at which it is destroyed.
//! `secrets::custody` says what they are for.

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};

use super::item::{Item, s};
use super::keys::{self, DEADLINE_PK, DEADLINE_SK, PK};
use super::{Store, StoreError};
use platform::secrets::SecretRef;
use types::clock::Timestamp;

/// Marks a secret that is being destroyed: nothing can own it any more.
const DOOMED: &str = "doomed";

/// A secret that nothing owns.
#[derive(Debug, Clone)]
pub struct DueSecret {
    /// The secret.
    pub secret: SecretRef,
    /// When it is destroyed.
    pub at: Timestamp,
}

impl Store {
    /// Notes that nothing owns a secret, which is destroyed at this time unless something does by then.
    pub async fn note_unowned(&self, secret: &SecretRef, at: Timestamp) -> Result<(), StoreError> {
        self.put(row(secret, at)).await
    }

    /// An owner's row refers to this secret from now on, as part of the transaction that writes it; a conflict when
    /// it is being destroyed.
    pub(super) fn owned(&self, secret: &SecretRef) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(keys::unowned_secret(secret).into_map()))
            .condition_expression(format!("attribute_exists({PK}) AND attribute_not_exists({DOOMED})"))
            .build()
            .map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Nothing refers to this secret any more, as part of the transaction that makes it so; it is destroyed at this
    /// time.
    pub(super) fn disowned(
        &self,
        secret: &SecretRef,
        at: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        self.put_of(row(secret, at))
    }

    /// Marks a secret that nothing owns as being destroyed, and when that is tried again; false when something owns
    /// it or it is gone.
    pub async fn doom(&self, secret: &SecretRef, next_try: Timestamp) -> Result<bool, StoreError> {
        let mark = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::unowned_secret(secret).into_map()))
            .update_expression(format!("SET {DOOMED} = :yes, {DEADLINE_SK} = :next"))
            .condition_expression(format!("attribute_exists({PK})"))
            .expression_attribute_values(":yes", aws_sdk_dynamodb::types::AttributeValue::Bool(true))
            .expression_attribute_values(":next", s(keys::secret_position(next_try, secret)));
        // Not `update_if`, which takes a failed condition after an unclear attempt for its own work: a row that was marked
        // stays where it is, so a failed condition says that its owner took the secret.
        match self.send(mark).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets a secret that was destroyed.
    pub async fn forget_unowned(&self, secret: &SecretRef) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.table);
        self.send(delete.set_key(Some(keys::unowned_secret(secret).into_map()))).await.map(|_| ())
    }
}

fn row(secret: &SecretRef, at: Timestamp) -> Item {
    let mut row = keys::unowned_secret(secret).into_map();
    row.insert(DEADLINE_PK.to_owned(), s(keys::secret_shard_of(secret)));
    row.insert(DEADLINE_SK.to_owned(), s(keys::secret_position(at, secret)));
    row
}
