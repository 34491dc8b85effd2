//! Subscriptions of inbound webhooks: a row each, and a row without a tenant that tells the place of an id, because
//! a sender names nothing else. Beside them, per subscription, what was delivered and which keys have been seen.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::with_key;
use super::item::{self, Item, n, s};
use super::keys::{self, EXPIRES_AT, Key, PK};
use super::walk::Listed;
use super::{QuotaGuard, Store, StoreError};
use crate::delivery::{DELIVERIES_KEPT_FOR, Outcome};
use crate::sender::Sender;
use platform::secrets::{SecretKind, SecretRef};
use types::clock::Timestamp;
use types::ids::{PatId, Place, RunId, SecretVersion, SubscriptionId, WorkflowId};

/// Before the attributes that count refusals by their reason.
const REFUSED: &str = "n_";

/// A subscription's row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SubscriptionRecord {
    /// The subscription.
    pub id: SubscriptionId,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// The workflow it starts.
    pub workflow_id: WorkflowId,
    /// Its name.
    pub name: String,
    /// Whether it takes deliveries.
    pub enabled: bool,
    /// What its runs are started with, as JSON text.
    pub extras: String,
    /// The token with which its deliveries start runs, and which they carry where that is required.
    pub automation_pat_id: PatId,
    /// Who sends.
    #[serde(default)]
    pub sender: Sender,
    /// Whether deliveries carry the token.
    #[serde(default = "requires_bearer")]
    pub require_bearer: bool,
    /// What its senders sign with, the newest first; the others are valid for a while after a rotation.
    pub signing: Vec<SigningKey>,
    /// Counts the writes of this row.
    pub revision: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody changed it.
    pub updated_at: Timestamp,
}

/// Rows of before there were senders that cannot carry a token.
fn requires_bearer() -> bool {
    true
}

/// Which secret senders may sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Which of the subscription's secrets.
    pub version: SecretVersion,
    /// Until when; no end when absent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub valid_until: Option<Timestamp>,
}

impl SigningKey {
    /// Whether senders may sign with it at this time.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|end| now < end)
    }
}

impl SubscriptionRecord {
    /// One of its secrets.
    pub fn secret_ref(&self, version: SecretVersion) -> SecretRef {
        let place = self.place.clone();
        SecretRef { place, kind: SecretKind::Webhook, owner: self.id.into(), version }
    }
}

/// What is kept in one transaction with the run that a delivery starts.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Tenant and project.
    pub place: Place,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Under which keys the delivery is known, hashed and each once: a second one of any of them starts nothing.
    pub keys: Vec<String>,
    /// For how long.
    pub known_for: Duration,
    /// When it came.
    pub at: Timestamp,
}

/// An entry of the deliveries log.
#[derive(Debug, Clone)]
pub struct DeliveryRecord {
    /// When it came; of several refusals, the last.
    pub time: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// The run that it started, or that its first delivery had.
    pub run_id: Option<RunId>,
    /// How often senders were refused in this minute, by reason.
    pub refused: BTreeMap<String, u64>,
}

impl Store {
    /// Keeps a new subscription, which from now on owns its secret.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the secret is being destroyed.
    pub async fn create_subscription(
        &self,
        record: &SubscriptionRecord,
        guard: QuotaGuard,
    ) -> Result<(), StoreError> {
        let not_there = format!("attribute_not_exists({PK})");
        let mut pointer: Item = serde_dynamo::aws_sdk_dynamodb_1::to_item(&record.place).map_err(corrupt)?;
        pointer.extend(keys::subscription_place(record.id).into_map());
        let mut writes = vec![
            self.put_if(row(record)?, Some(&not_there), [])?,
            self.put_if(pointer, Some(&not_there), [])?,
        ];
        for key in &record.signing {
            writes.push(self.owned(&record.secret_ref(key.version))?);
        }
        writes.extend(guard.writes());
        self.transact(writes).await
    }

    /// Where a subscription is; none when there is none of this id.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn subscription_place(&self, id: SubscriptionId) -> Result<Option<Place>, StoreError> {
        self.get(keys::subscription_place(id)).await?.map(from_item).transpose().map_err(corrupt)
    }

    /// A subscription; none when there is none of this id in this place.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn subscription(
        &self,
        place: &Place,
        id: SubscriptionId,
    ) -> Result<Option<SubscriptionRecord>, StoreError> {
        self.get(keys::subscription(place, id)).await?.map(from_item).transpose().map_err(corrupt)
    }

    /// A project's subscriptions, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_subscriptions(
        &self,
        place: &Place,
        limit: usize,
        cursor: Option<SubscriptionId>,
    ) -> Result<Listed<SubscriptionRecord>, StoreError> {
        let start = cursor.map(|id| keys::subscription(place, id));
        let position = |row: &SubscriptionRecord| row.id.to_string();
        self.list_newest(&keys::subscriptions_of(place), "", limit, start, position).await
    }

    /// Replaces a subscription's row. Its newest secret is `put` when that has just been put; those `ended` are
    /// destroyed at these times. The revision is advanced here.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or is gone.
    pub async fn save_subscription(
        &self,
        record: &mut SubscriptionRecord,
        put: Option<SecretVersion>,
        ended: &[(SecretVersion, Timestamp)],
    ) -> Result<(), StoreError> {
        let expected = (":revision", n(record.revision));
        record.revision += 1;
        let mut writes = vec![self.put_if(row(record)?, Some("revision = :revision"), [expected])?];
        if let Some(version) = put {
            writes.push(self.owned(&record.secret_ref(version))?);
        }
        for (version, at) in ended {
            writes.push(self.disowned(&record.secret_ref(*version), *at)?);
        }
        self.transact(writes).await
    }

    /// Deletes a subscription; its secrets are destroyed from now on.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not the one that was read, or is gone.
    pub async fn delete_subscription(
        &self,
        record: &SubscriptionRecord,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let delete = |key: Key| Delete::builder().table_name(&self.table).set_key(Some(key.into_map()));
        let own = delete(keys::subscription(&record.place, record.id))
            .condition_expression("revision = :revision")
            .expression_attribute_values(":revision", n(record.revision));
        let mut writes = Vec::new();
        for delete in [own, delete(keys::subscription_place(record.id))] {
            writes.push(TransactWriteItem::builder().delete(delete.build().map_err(corrupt)?).build());
        }
        for key in &record.signing {
            writes.push(self.disowned(&record.secret_ref(key.version), now)?);
        }
        self.transact(writes).await
    }

    /// The rows that tell of a delivery which starts this run, as part of the transaction that keeps the run.
    pub(super) fn receipt_writes(
        &self,
        receipt: &Receipt,
        run_id: RunId,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let unseen = format!("attribute_not_exists({PK}) OR {EXPIRES_AT} <= :now");
        let mut writes = Vec::new();
        for key in &receipt.keys {
            let mut row = keys::seen(&receipt.place, receipt.subscription, key).into_map();
            row.insert("run_id".to_owned(), s(run_id.to_string()));
            row.insert(EXPIRES_AT.to_owned(), n(receipt.at.plus(receipt.known_for).as_seconds()));
            writes.push(self.put_if(row, Some(&unseen), [(":now", n(receipt.at.as_seconds()))])?);
        }
        writes.push(self.put_of(delivery_row(receipt, Outcome::Accepted, run_id))?);
        Ok(writes)
    }

    /// The run that an earlier delivery of one of these keys started, if one did in the time that keys are kept.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn run_of_receipt(&self, receipt: &Receipt) -> Result<Option<RunId>, StoreError> {
        for key in &receipt.keys {
            let Some(row) = self.get(keys::seen(&receipt.place, receipt.subscription, key)).await? else {
                continue;
            };
            if item::number(&row, EXPIRES_AT)? > u64::try_from(receipt.at.as_seconds()).unwrap_or(0) {
                return item::text(&row, "run_id")?.parse().map(Some).map_err(corrupt);
            }
        }
        Ok(None)
    }

    /// Notes a delivery that was known already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_duplicate(&self, receipt: &Receipt, run_id: RunId) -> Result<(), StoreError> {
        let row = delivery_row(receipt, Outcome::Duplicate, run_id);
        self.put(row).await
    }

    /// Adds refusals to their minute's entry of the log.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_refusals(
        &self,
        place: &Place,
        id: SubscriptionId,
        refused: &BTreeMap<&'static str, u64>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let minute = Timestamp::from_millis(now.as_millis() - now.as_millis().rem_euclid(60_000));
        let (mut names, mut values, mut adds) = (HashMap::new(), HashMap::new(), Vec::new());
        for (number, (reason, count)) in refused.iter().enumerate() {
            names.insert(format!("#r{number}"), format!("{REFUSED}{reason}"));
            values.insert(format!(":r{number}"), n(count));
            adds.push(format!("#r{number} :r{number}"));
        }
        values.insert(":at".to_owned(), s(now.to_string()));
        values.insert(":end".to_owned(), n(now.plus(DELIVERIES_KEPT_FOR).as_seconds()));
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::refusals(place, id, minute).into_map()))
            .update_expression(format!("SET last_at = :at, {EXPIRES_AT} = :end ADD {}", adds.join(", ")))
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values));
        // Counted twice would be more than there were.
        self.send_once(update).await.map(|_| ())
    }

    /// What was delivered to a subscription in the last days, newest first, from before `cursor`.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_deliveries(
        &self,
        place: &Place,
        id: SubscriptionId,
        limit: usize,
        cursor: Option<String>,
        now: Timestamp,
    ) -> Result<Listed<DeliveryRecord>, StoreError> {
        let pk = keys::deliveries_of(place, id);
        let start = cursor.map(|sk| Key { pk: pk.clone(), sk: format!("{}{sk}", keys::DELIVERY) });
        let listed: Listed<DeliveryRow> = self
            .list_newest(&pk, keys::DELIVERY, limit, start, |row: &DeliveryRow| row.position().to_owned())
            .await?;
        // What has expired and was not removed yet is at the end.
        let kept = listed.rows.into_iter().take_while(|row| row.expires_at > now.as_seconds());
        let rows: Vec<DeliveryRecord> = kept.map(DeliveryRow::read).collect();
        let next = listed.next.filter(|_| rows.len() == limit);
        Ok(Listed { rows, next })
    }
}

/// A row of the log: one delivery that started a run or was known already, or the refusals of a minute.
#[derive(Debug, Deserialize)]
struct DeliveryRow {
    sk: String,
    last_at: Timestamp,
    expires_at: i64,
    run_id: Option<RunId>,
    outcome: Option<Outcome>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

impl DeliveryRow {
    fn position(&self) -> &str {
        self.sk.strip_prefix(keys::DELIVERY).unwrap_or(&self.sk)
    }

    fn read(self) -> DeliveryRecord {
        let counts = self
            .rest
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(REFUSED)?.to_owned(), value.as_u64()?)));
        DeliveryRecord {
            time: self.last_at,
            outcome: self.outcome.unwrap_or(Outcome::Refused),
            run_id: self.run_id,
            refused: counts.collect(),
        }
    }
}

fn delivery_row(receipt: &Receipt, outcome: Outcome, run_id: RunId) -> Item {
    let Receipt { place, subscription, at, .. } = receipt;
    let mut row = keys::delivery(place, *subscription, *at, outcome, run_id).into_map();
    row.insert("last_at".to_owned(), s(at.to_string()));
    row.insert("outcome".to_owned(), s(outcome.as_str()));
    row.insert("run_id".to_owned(), s(run_id.to_string()));
    row.insert(EXPIRES_AT.to_owned(), n(at.plus(DELIVERIES_KEPT_FOR).as_seconds()));
    row
}

fn row(record: &SubscriptionRecord) -> Result<Item, StoreError> {
    with_key(keys::subscription(&record.place, record.id), record)
}

fn corrupt(error: impl Into<crate::Cause>) -> StoreError {
    StoreError::Corrupt(error.into())
}
