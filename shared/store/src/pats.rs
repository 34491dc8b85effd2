//! Personal access tokens: what is known of one, which is everything but its secret. Its row is found by its id
//! alone and says all that a request needs, so that a caller is known after one read. Each change of a token goes
//! with one of its owner's row, which names it.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{ConditionCheck, Delete, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_attribute_value};

use super::item::{Item, n, s};
use super::item::{unless_of_another, with_key};
use super::keys::{self, FEED_SK, PK, TENANT_PK};
use super::members::MemberRecord;
use super::walk::Listed;
use super::{Store, StoreError};
use types::clock::Timestamp;
use types::ids::{MemberId, PatId, Place};
use types::role::Role;
use types::scope::Scope;

/// A token's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PatRecord {
    /// The public part of the token.
    pub id: PatId,
    /// Where it is valid.
    #[serde(flatten)]
    pub place: Place,
    /// Whose it is.
    pub member_id: MemberId,
    /// The role it was made with.
    pub granted: Role,
    /// The role it has: never more than its owner's.
    pub role: Role,
    /// What narrows the role; empty means nothing does.
    pub scopes: Vec<Scope>,
    /// Its name for people.
    pub display_name: String,
    /// The keyed hash of the secret part, in hexadecimal.
    pub secret_hash: String,
    /// How its owner knows it again.
    pub token_hint: String,
    /// The request that made it.
    #[serde(rename = "made_by", skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// The day on which it was last used, in days since the epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_used_day: Option<i64>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at_time: Option<Timestamp>,
}

/// A token that comes or goes, with its owner's row as it was read.
#[derive(Debug)]
pub struct PatChange<'a> {
    /// The token.
    pub pat: &'a PatRecord,
    /// Its owner.
    pub owner: &'a MemberRecord,
}

impl Store {
    /// A member's tokens, those whose time is over too.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn pats_of_member(&self, record: &MemberRecord) -> Result<Vec<PatRecord>, StoreError> {
        if record.pats.is_empty() {
            return Ok(Vec::new());
        }
        let keys = record.pats.iter().map(|id| keys::pat(*id).into_map()).collect();
        self.pats_at(keys).await
    }

    /// Keeps a new token, in the place of `over` when one is named. A request that is carried out again replaces the
    /// token that it made before, which nobody has seen.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its owner is not as it was read, the project is not there or archived, there
    /// is another token of this id, or `over` is gone.
    pub async fn create_pat(&self, new: &PatChange<'_>, over: Option<PatId>) -> Result<(), StoreError> {
        let mut owner = new.owner.clone();
        owner.pats.insert(new.pat.id);
        if let Some(over) = over {
            owner.pats.remove(&over);
        }
        let mut writes = vec![
            self.new_pat_write(new.pat)?,
            self.member_write(new.owner, &mut owner)?,
            self.active_project_check(&new.pat.place)?,
        ];
        writes.extend(over.map(|over| self.pat_delete(over)).transpose()?);
        self.transact(writes).await
    }

    /// That a project is there and not archived, as part of a transaction.
    pub(super) fn active_project_check(&self, place: &Place) -> Result<TransactWriteItem, StoreError> {
        let project = keys::project(&place.tenant_id, &place.project_id);
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(project.into_map()))
            .condition_expression(format!("attribute_exists({PK}) AND attribute_not_exists(archived_at)"))
            .build()
            .map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// A new token's row, as part of a transaction.
    pub(super) fn new_pat_write(&self, pat: &PatRecord) -> Result<TransactWriteItem, StoreError> {
        let mut item = with_key(keys::pat(pat.id), pat)?;
        item.insert(TENANT_PK.to_owned(), s(keys::pats_of(&pat.place)));
        item.insert(FEED_SK.to_owned(), s(keys::pat_position(pat.created_at, pat.id)));
        let (condition, values) = unless_of_another(pat.request.as_deref());
        self.put_if(item, Some(&condition), values)
    }

    /// A token's row.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn pat(&self, id: PatId) -> Result<Option<PatRecord>, StoreError> {
        self.get(keys::pat(id)).await?.map(record).transpose()
    }

    /// Notes the day on which a token is used.
    ///
    /// # Errors
    /// When the database does not answer. That it is noted already, or that the token is gone, is none.
    pub async fn touch_pat(&self, id: PatId, day: i64) -> Result<(), StoreError> {
        let update =
            self.client.update_item().table_name(&self.table).set_key(Some(keys::pat(id).into_map()));
        let unless = format!(
            "attribute_exists({PK}) AND (attribute_not_exists(last_used_day) OR last_used_day < :day)"
        );
        let update = update
            .update_expression("SET last_used_day = :day")
            .condition_expression(unless)
            .expression_attribute_values(":day", n(day));
        self.update_if(update).await.map(|_| ())
    }

    /// A project's tokens, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_pats(
        &self,
        place: &Place,
        limit: usize,
        cursor: Option<(Timestamp, PatId)>,
    ) -> Result<Listed<PatRecord>, StoreError> {
        let start = cursor.map(|(created_at, id)| {
            let mut start = keys::pat(id).into_map();
            start.insert(TENANT_PK.to_owned(), s(keys::pats_of(place)));
            start.insert(FEED_SK.to_owned(), s(keys::pat_position(created_at, id)));
            start
        });
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::TENANT_RUNS)
            .key_condition_expression(format!("{TENANT_PK} = :pk"))
            .expression_attribute_values(":pk", s(keys::pats_of(place)))
            .set_exclusive_start_key(start)
            .scan_index_forward(false)
            .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX));
        let mut items = self.send(query).await?.items.unwrap_or_default();
        let more = items.len() > limit;
        items.truncate(limit);
        let place_of = |item: &Item| super::item::text(item, FEED_SK).map(str::to_owned);
        let next = items.last().filter(|_| more).map(place_of).transpose()?;
        let key =
            |item: Item| item.into_iter().filter(|(name, _)| [PK, keys::SK].contains(&&**name)).collect();
        let keys: Vec<Item> = items.into_iter().map(key).collect();
        let mut rows = if keys.is_empty() { Vec::new() } else { self.pats_at(keys).await? };
        rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
        Ok(Listed { rows, next })
    }

    /// Deletes a token.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is gone or its owner is not as it was read.
    pub async fn delete_pat(&self, old: &PatChange<'_>) -> Result<(), StoreError> {
        let mut owner = old.owner.clone();
        owner.pats.remove(&old.pat.id);
        self.transact(vec![self.pat_delete(old.pat.id)?, self.member_write(old.owner, &mut owner)?]).await
    }

    pub(super) async fn pats_at(&self, keys: Vec<Item>) -> Result<Vec<PatRecord>, StoreError> {
        self.get_batch(keys).await?.into_iter().map(record).collect()
    }

    pub(super) fn pat_delete(&self, id: PatId) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(keys::pat(id).into_map()))
            .condition_expression(format!("attribute_exists({PK})"))
            .build()
            .map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    pub(super) fn pat_role(&self, id: PatId, role: Role) -> Result<TransactWriteItem, StoreError> {
        let role = to_attribute_value(role).map_err(|error| StoreError::Corrupt(error.into()))?;
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::pat(id).into_map()))
            .update_expression("SET #role = :role")
            .condition_expression(format!("attribute_exists({PK})"))
            .set_expression_attribute_names(Some(HashMap::from([("#role".to_owned(), "role".to_owned())])))
            .expression_attribute_values(":role", role)
            .build()
            .map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

fn record(item: Item) -> Result<PatRecord, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
