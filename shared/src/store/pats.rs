//! Personal access tokens: what is known of one, which is everything but its secret.

use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::keys;
use super::tenants::with_key;
use super::{Store, StoreError};
use crate::auth::{Role, Scope};
use crate::clock::Timestamp;
use crate::ids::{PatId, Place};

/// A token's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PatRecord {
    /// The public part of the token.
    pub id: PatId,
    /// Where it is valid.
    #[serde(flatten)]
    pub place: Place,
    /// Its owner's role.
    pub role: Role,
    /// What narrows the role; empty means nothing does.
    pub scopes: Vec<Scope>,
    /// Its name for people.
    pub display_name: String,
    /// The keyed hash of the secret part, in hexadecimal.
    pub secret_hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at_time: Option<Timestamp>,
}

impl Store {
    /// Keeps a new token.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one of this id.
    pub async fn create_pat(&self, pat: &PatRecord) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.table);
        put.set_item(Some(with_key(keys::pat(pat.id), pat)?))
            .condition_expression(format!("attribute_not_exists({})", keys::PK))
            .send()
            .await?;
        Ok(())
    }

    /// A token's row.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn pat(&self, id: PatId) -> Result<Option<PatRecord>, StoreError> {
        let item = self.get(keys::pat(id)).await?;
        item.map(from_item).transpose().map_err(|error| StoreError::Corrupt(error.to_string()))
    }
}
