//! The audit trail: a row per act, in a partition per project, in order of time. An entry is written once and then
//! once more, with its outcome; after that its condition lets nobody change it.

use aws_sdk_dynamodb::types::TransactWriteItem;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::answer::OnContention;
use super::item::with_key;
use super::item::{Item, n, s};
use super::keys::{self, EXPIRES_AT, PK, SK};
use super::trail::{AUDIT_KEPT_FOR, AuditRecord};
use super::walk::{Listed, Walk};
use super::{Store, StoreError};
use types::clock::Timestamp;
use types::ids::{AuditId, Place};

/// Which entries to list.
#[derive(Debug, Clone, Copy)]
pub struct TrailSpan {
    /// None before this time.
    pub since: Timestamp,
    /// None at or after this time.
    pub until: Timestamp,
}

impl Store {
    /// Writes an entry.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_trace(&self, record: &AuditRecord) -> Result<(), StoreError> {
        self.put(row(record)?).await
    }

    /// Writes an entry, unless it is there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is.
    pub async fn keep_new_trace(&self, record: &AuditRecord) -> Result<(), StoreError> {
        self.put_new(row(record)?).await
    }

    /// An entry as part of the transaction of its act.
    pub(super) fn trace_write(&self, record: &AuditRecord) -> Result<TransactWriteItem, StoreError> {
        self.put_of(row(record)?)
    }

    /// Writes an entry's outcome.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has one.
    pub async fn end_trace(&self, record: &AuditRecord) -> Result<(), StoreError> {
        self.put_where(row(record)?, OnContention::SendAgain, |put| {
            put.condition_expression("outcome = :begun").expression_attribute_values(":begun", s("begun"))
        })
        .await
    }

    /// A project's entries, newest first, after `cursor`; with a rare filter there may be fewer than `limit` and
    /// still more to come.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_trail(
        &self,
        place: &Place,
        span: TrailSpan,
        limit: usize,
        cursor: Option<AuditId>,
        keep: impl Fn(&AuditRecord) -> bool,
    ) -> Result<Listed<AuditRecord>, StoreError> {
        let rows = self
            .client
            .query()
            .key_condition_expression(format!("{PK} = :pk AND {SK} BETWEEN :low AND :high"))
            .expression_attribute_values(":pk", s(keys::trail(place)))
            .expression_attribute_values(":low", s(AuditId::first_of(span.since).to_string()))
            .expression_attribute_values(":high", s(AuditId::first_of(span.until).to_string()));
        let key = |id: &AuditId| keys::trace(place, *id);
        let read = |item| record(item).map(|row| (row.id, row));
        self.walk(rows, Walk::new(limit, cursor, keep), key, read).await
    }
}

fn row(record: &AuditRecord) -> Result<Item, StoreError> {
    let mut item = with_key(keys::trace(&record.place, record.id), record)?;
    item.insert(EXPIRES_AT.to_owned(), n(record.at.plus(AUDIT_KEPT_FOR).as_seconds()));
    Ok(item)
}

fn record(item: Item) -> Result<AuditRecord, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
