//! Standings: what each tenant has of a product's plans, a row each, in the deadline index with the time at which
//! something is to be done. Beside them: whose a customer of the payment provider is, payments as they were last seen,
//! and codes that grant credits.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::answer::OnContention;
use super::item::with_key;
use super::item::{Item, n, s};
use super::keys::{self, DEADLINE_PK, DEADLINE_SK, Key, PK};
use super::walk::Listed;
use super::{Store, StoreError};
use billing::payments::Payment;
use billing::subscription::Standing;
use billing::{Code, Redemption};
use types::clock::Timestamp;
use types::ids::TenantId;

/// Counts who has used a code.
const USED: &str = "used_count";

/// Whose a customer is.
#[derive(Serialize, Deserialize)]
struct Customer {
    tenant_id: TenantId,
}

impl Store {
    /// A tenant's standing; none when it never had any.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn standing(&self, tenant: &TenantId) -> Result<Option<Standing>, StoreError> {
        self.get(keys::standing(tenant)).await?.map(read).transpose()
    }

    /// Writes a standing, and the time at which something is to be done. The revision is advanced here.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read.
    pub async fn save_standing(
        &self,
        standing: &mut Standing,
        look_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let expected = standing.revision;
        let mut next = standing.clone();
        next.revision += 1;
        let mut row = with_key(keys::standing(&next.tenant_id), &next)?;
        if let Some(at) = look_at {
            row.insert(DEADLINE_PK.to_owned(), s(keys::standing_shard_of(&next.tenant_id)));
            row.insert(DEADLINE_SK.to_owned(), s(keys::standing_position(at, &next.tenant_id)));
        }
        match expected {
            0 => self.put_new(row).await?,
            _ => self.replace_at(row, expected).await?,
        }
        standing.revision = next.revision;
        Ok(())
    }

    /// Notes whose a customer of the payment provider is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is another tenant's.
    pub async fn link_customer(&self, customer: &str, tenant: &TenantId) -> Result<(), StoreError> {
        let row = with_key(keys::customer(customer), &Customer { tenant_id: tenant.clone() })?;
        self.put_where(row, OnContention::SendAgain, |put| {
            put.condition_expression(format!("attribute_not_exists({PK}) OR tenant_id = :tenant"))
                .expression_attribute_values(":tenant", s(tenant.as_str()))
        })
        .await
    }

    /// Whose a customer is.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn tenant_of_customer(&self, customer: &str) -> Result<Option<TenantId>, StoreError> {
        let found: Option<Customer> = self.get(keys::customer(customer)).await?.map(read).transpose()?;
        Ok(found.map(|customer| customer.tenant_id))
    }

    /// Keeps a payment as it was seen. One that is made stays made.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_payment(&self, tenant: &TenantId, payment: &Payment) -> Result<(), StoreError> {
        let row = with_key(keys::payment(tenant, payment.at, &payment.id), payment)?;
        // `status` is one of DynamoDB's own words.
        let kept = self.put_where(row, OnContention::SendAgain, |put| {
            put.condition_expression(format!("attribute_not_exists({PK}) OR #status <> :made"))
                .expression_attribute_names("#status", "status")
                .expression_attribute_values(":made", s("paid"))
        });
        match kept.await {
            Ok(()) | Err(StoreError::Conflict) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A tenant's payments, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_payments(
        &self,
        tenant: &TenantId,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Listed<Payment>, StoreError> {
        let pk = keys::payments_of(tenant);
        let start = cursor.map(|sk| Key { pk: pk.clone(), sk });
        let place = |row: &Payment| keys::payment(tenant, row.at, &row.id).sk;
        self.list_newest(&pk, "", limit, start, place).await
    }

    /// Keeps a code that grants credits.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is one of this name.
    pub async fn create_code(&self, code: &Code) -> Result<(), StoreError> {
        self.put_new(with_key(keys::code(&code.code), code)?).await
    }

    /// A code; none when there is none of this name.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn code(&self, code: &str) -> Result<Option<Code>, StoreError> {
        self.get(keys::code(code)).await?.map(read).transpose()
    }

    /// A tenant's use of a code.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn redemption(&self, tenant: &TenantId, code: &str) -> Result<Option<Redemption>, StoreError> {
        self.get(keys::redemption(tenant, code)).await?.map(read).transpose()
    }

    /// Keeps a tenant's use of a code, if it has not used it and it is not used up.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it has, or it is.
    pub async fn redeem(&self, tenant: &TenantId, code: &Code, used: &Redemption) -> Result<(), StoreError> {
        let row = with_key(keys::redemption(tenant, &code.code), used)?;
        let not_there = format!("attribute_not_exists({PK})");
        let mut count = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::code(&code.code).into_map()))
            .update_expression(format!("ADD {USED} :one"))
            .expression_attribute_values(":one", n(1));
        count = match code.most_uses {
            None => count.condition_expression(format!("attribute_exists({PK})")),
            Some(most) => count
                .condition_expression(format!(
                    "attribute_exists({PK}) AND (attribute_not_exists({USED}) OR {USED} < :most)"
                ))
                .expression_attribute_values(":most", n(most)),
        };
        let count = count.build().map_err(|error| StoreError::Corrupt(error.into()))?;
        let count = TransactWriteItem::builder().update(count).build();
        self.transact(vec![self.put_if(row, Some(&not_there), [])?, count]).await
    }
}

fn read<T: serde::de::DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}
