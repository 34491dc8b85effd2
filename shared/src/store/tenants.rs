//! Tenants and their projects.

use serde::Serialize;
use serde_dynamo::aws_sdk_dynamodb_1::to_item;

use super::item::{Item, s};
use super::keys::{self, PK};
use super::pats::PatRecord;
use super::{Store, StoreError};
use crate::clock::Timestamp;

/// What a new tenant is made from.
#[derive(Debug)]
pub struct NewTenant<'a> {
    /// Its name for people.
    pub name: &'a str,
    /// Its first token, whose place names the tenant and its first project.
    pub pat: &'a PatRecord,
    /// When.
    pub created_at: Timestamp,
}

impl Store {
    /// Keeps a tenant with its first project and token, or nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the slug is taken.
    pub async fn create_tenant(&self, new: &NewTenant<'_>) -> Result<(), StoreError> {
        let place = &new.pat.place;
        let condition = format!("attribute_not_exists({PK})");
        let created_at = s(new.created_at.to_string());
        let mut tenant = keys::tenant(&place.tenant_id).into_map();
        tenant.insert("name".to_owned(), s(new.name));
        tenant.insert("created_at".to_owned(), created_at.clone());
        let mut project = keys::project(&place.tenant_id, &place.project_id).into_map();
        project.insert("created_at".to_owned(), created_at);
        let writes = vec![
            self.put_if(tenant, Some(&condition), [])?,
            self.put_of(project)?,
            self.put_if(with_key(keys::pat(new.pat.id), new.pat)?, Some(&condition), [])?,
        ];
        self.transact(writes).await
    }
}

/// A row with this key and the fields of `value`.
pub(super) fn with_key(key: keys::Key, value: &impl Serialize) -> Result<Item, StoreError> {
    let mut item: Item = to_item(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    item.extend(key.into_map());
    Ok(item)
}
