//! Reading and writing items, and lists of them.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use serde::de::DeserializeOwned;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::answer::OnContention;
use super::item::{BODY, Item, bytes, check_form, formed, n, s};
use super::keys::{Key, PK, SK};
use super::walk::Listed;
use super::{Store, StoreError, blob};

impl Store {
    /// A plain write of one item, as part of a transaction.
    pub(super) fn put_of(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        self.put_if(item, None, [])
    }

    /// A conditional write of one item, as part of a transaction.
    pub(super) fn put_if(
        &self,
        item: Item,
        condition: Option<&str>,
        values: impl IntoIterator<Item = (&'static str, AttributeValue)>,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut put = Put::builder().table_name(&self.table).set_item(Some(formed(item)));
        put = put.set_condition_expression(condition.map(str::to_owned));
        for (name, value) in values {
            put = put.expression_attribute_values(name, value);
        }
        let put = put.build().map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// One item, strongly consistent.
    pub(super) async fn get(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let request = self.client.get_item().table_name(&self.table).set_key(Some(key.into_map()));
        let item = self.send(request.consistent_read(true)).await?.item;
        item.as_ref().map(check_form).transpose()?;
        Ok(item)
    }

    /// A query for a partition's rows that begin so. A value of a key must not be empty, so neither may a prefix.
    pub(super) fn rows_of(&self, pk: &str, prefix: &str) -> QueryFluentBuilder {
        let query = self.client.query().table_name(&self.table).expression_attribute_values(":pk", s(pk));
        match prefix {
            "" => query.key_condition_expression(format!("{PK} = :pk")),
            _ => query
                .key_condition_expression(format!("{PK} = :pk AND begins_with({SK}, :prefix)"))
                .expression_attribute_values(":prefix", s(prefix)),
        }
    }

    /// Every item of a partition whose sort key begins with `prefix`, strongly consistent, in order.
    pub(super) async fn get_all(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let query = self.rows_of(pk, prefix).consistent_read(true).set_exclusive_start_key(start);
            let page = self.send(query).await?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                items.iter().try_for_each(check_form)?;
                return Ok(items);
            }
        }
    }

    /// Replaces a row that still has the revision that was read.
    pub(super) async fn replace_at(&self, row: Item, revision: u64) -> Result<(), StoreError> {
        self.put_where(row, OnContention::SendAgain, |put| {
            put.condition_expression("revision = :revision")
                .expression_attribute_values(":revision", n(revision))
        })
        .await
    }

    /// The deletion of a row that still has the revision that was read.
    pub(super) fn delete_at(&self, key: Key, revision: u64) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(key.into_map()))
            .condition_expression("revision = :revision")
            .expression_attribute_values(":revision", n(revision))
            .build()
            .map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// A deletion of a row, whatever it holds.
    pub(super) fn delete_of(&self, key: Key) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(key.into_map())).build();
        let delete = delete.map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// The rows of a partition whose sort keys begin with `prefix`, newest last in their order and first here, from
    /// before the row at `start`; `place` names a row's place in the list.
    pub(super) async fn list_newest<T: DeserializeOwned>(
        &self,
        pk: &str,
        prefix: &str,
        limit: usize,
        start: Option<Key>,
        place: impl Fn(&T) -> String,
    ) -> Result<Listed<T>, StoreError> {
        let mut start = start.map(Key::into_map);
        let mut rows: Vec<T> = Vec::new();
        loop {
            let query = self
                .rows_of(pk, prefix)
                .set_exclusive_start_key(start)
                .scan_index_forward(false)
                .limit(i32::try_from(limit + 1 - rows.len()).unwrap_or(i32::MAX));
            // A page may also be short because its rows are large.
            let page = self.send(query).await?;
            start = page.last_evaluated_key;
            for item in page.items.unwrap_or_default() {
                check_form(&item)?;
                rows.push(from_item(item).map_err(|error| StoreError::Corrupt(error.into()))?);
            }
            if rows.len() > limit {
                rows.truncate(limit);
                let next = rows.last().map(&place);
                return Ok(Listed { rows, next });
            }
            if start.is_none() {
                return Ok(Listed { rows, next: None });
            }
        }
    }

    /// A value that was spread over rows; none when there are no such rows.
    pub(super) async fn get_chunked<T: DeserializeOwned>(
        &self,
        pk: &str,
        prefix: &str,
    ) -> Result<Option<T>, StoreError> {
        let items = self.get_all(pk, &format!("{prefix}#")).await?;
        if items.is_empty() {
            return Ok(None);
        }
        let parts: Vec<&[u8]> = items.iter().map(|item| bytes(item, BODY)).collect::<Result<_, _>>()?;
        blob::decode(&parts.concat()).map(Some)
    }
}
