//! The ledger: entries in order of time, a row for each cause of a change, and a partition with the account and the
//! rows that count what is used. Those are spread when they are busy, as counters are.

use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use aws_sdk_dynamodb::types::TransactWriteItem;

use super::counters::{SPREAD, live_in};
use super::item::with_key;
use super::item::{self, Item, n, s};
use super::keys::{self, Key, PK, SK};
use super::runs::RunRecord;
use super::walk::{Listed, Walk};
use super::{Spread, Store, StoreError, WorkflowRecord};
use billing::{Account, LedgerEntry, Microcredits, Used, What};
use types::ids::{Place, RunRef, TenantId, WorkflowId};

/// Over how many rows what a tenant uses is counted at most.
const USED_ROWS: u8 = 9;

/// What a start reads of others' rows.
#[derive(Debug)]
pub struct BeforeStart {
    /// The workflow, if there is one.
    pub workflow: Option<WorkflowRecord>,
    /// What the tenant has.
    pub account: Account,
    /// What it has used of that, where that was asked for.
    pub used: Used,
    /// The live runs of the project, where that was asked for.
    pub live_runs: Option<u64>,
}

impl Store {
    /// Whether there is such a workspace.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn has_tenant(&self, tenant: &TenantId) -> Result<bool, StoreError> {
        Ok(self.get(keys::tenant(tenant)).await?.is_some())
    }

    /// A tenant's account, and what it has used.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn account(&self, tenant: &TenantId) -> Result<(Account, Used), StoreError> {
        let rows = self.get_all(&keys::balance(tenant), "").await?;
        account_of(rows)
    }

    /// What a start of a workflow reads, in one request; what the tenant has used, and how many live runs the project has,
    /// only where that is asked for.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn before_start(
        &self,
        place: &Place,
        id: WorkflowId,
        (with_used, with_live): (bool, bool),
    ) -> Result<BeforeStart, StoreError> {
        let live = (0..=SPREAD).filter(|_| with_live).map(|spread| keys::live_runs(place, spread));
        let (row, account, used, live) =
            self.with_account(keys::workflow(place, id), place, with_used, live).await?;
        let workflow = row.map(super::workflows::record).transpose()?;
        let live_runs = with_live.then(|| live_in(live)).transpose()?;
        Ok(BeforeStart { workflow, account, used, live_runs })
    }

    /// A run, with what its tenant has left in the same read.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn run_and_account(
        &self,
        key: &RunRef,
    ) -> Result<(Option<RunRecord>, Account, Used), StoreError> {
        let (row, account, used, _) = self.with_account(keys::run(key), &key.place, true, []).await?;
        Ok((row.as_ref().map(super::runs::record).transpose()?, account, used))
    }

    /// Another row, with a tenant's account: one read of a few keys is one request.
    async fn with_account(
        &self,
        other: Key,
        place: &Place,
        with_used: bool,
        more: impl IntoIterator<Item = Key>,
    ) -> Result<(Option<Item>, Account, Used, Vec<Item>), StoreError> {
        let tenant = &place.tenant_id;
        let used = (0..USED_ROWS).filter(|_| with_used).map(|spread| keys::used(tenant, spread));
        let wanted = [other.clone(), keys::account(tenant)].into_iter().chain(used).chain(more);
        let rows = self.get_batch(wanted.map(Key::into_map).collect()).await?;
        let is_in = |row: &Item, of: &str| item::text(row, PK).is_ok_and(|pk| pk == of);
        let (mut others, rows): (Vec<Item>, Vec<Item>) =
            rows.into_iter().partition(|row| is_in(row, &other.pk));
        let balance = keys::balance(tenant);
        let (rows, more): (Vec<Item>, Vec<Item>) = rows.into_iter().partition(|row| is_in(row, &balance));
        let (account, used) = account_of(rows)?;
        Ok((others.pop(), account, used, more))
    }

    /// A debit as parts of a transaction: its entry, and the row that counts what is used.
    pub(super) fn debit_writes(
        &self,
        tenant: &TenantId,
        debit: &LedgerEntry,
        spread: Spread,
    ) -> Result<(TransactWriteItem, TransactWriteItem), StoreError> {
        let amount = i64::try_from(debit.microcredits.0).unwrap_or(i64::MAX);
        let free = if matches!(debit.what, What::Debit { free: true, .. }) { amount } else { 0 };
        let entry = self.put_of(with_key(entry_key(tenant, debit), debit)?)?;
        let row = keys::used(tenant, spread.among(USED_ROWS));
        Ok((entry, self.add_to(row, &[("used", amount), ("free", free)])?))
    }

    /// Every tenant.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut tenants = Vec::new();
        let mut start = None;
        loop {
            let scan = self.client.scan().table_name(&self.table).filter_expression(format!("{SK} = :sk"));
            let scan = scan.expression_attribute_values(":sk", s("TENANT")).projection_expression(PK);
            let page = self.send(scan.set_exclusive_start_key(start)).await?;
            for row in page.items.unwrap_or_default() {
                let slug = item::text(&row, PK)?.trim_start_matches("T#").to_owned();
                tenants.push(slug.try_into().map_err(|_| StoreError::Corrupt("a tenant's key".into()))?);
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                tenants.sort();
                return Ok(tenants);
            }
        }
    }

    /// The entry of a grant or lapse with this cause.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn entry_of_cause(
        &self,
        tenant: &TenantId,
        cause: &str,
    ) -> Result<Option<LedgerEntry>, StoreError> {
        self.get(keys::ledger_cause(tenant, cause)).await?.map(entry).transpose()
    }

    /// Replaces a tenant's account if it still is the one that was read, together with the entries that change it;
    /// of `keyed` no other entry may have the cause.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else was faster, or the cause has its entry.
    pub async fn change_account(
        &self,
        tenant: &TenantId,
        rev: u64,
        account: &Account,
        entries: &[LedgerEntry],
        keyed: Option<&LedgerEntry>,
    ) -> Result<(), StoreError> {
        let account = Account { rev: rev + 1, ..account.clone() };
        let row = with_key(keys::account(tenant), &account)?;
        let mut writes = match rev {
            0 => vec![self.put_if(row, Some(&format!("attribute_not_exists({PK})")), [])?],
            _ => vec![self.put_if(row, Some("rev = :rev"), [(":rev", n(rev))])?],
        };
        if let Some(entry) = keyed {
            let row = with_key(keys::ledger_cause(tenant, &entry.cause), entry)?;
            writes.push(self.put_if(row, Some(&format!("attribute_not_exists({PK})")), [])?);
        }
        for entry in entries {
            writes.push(self.put_of(with_key(entry_key(tenant, entry), entry)?)?);
        }
        self.transact(writes).await
    }

    /// A tenant's entries, newest first, after `cursor`; with a rare filter there may be fewer than `limit` and still
    /// more to come.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_ledger(
        &self,
        tenant: &TenantId,
        limit: usize,
        cursor: Option<String>,
        keep: impl Fn(&LedgerEntry) -> bool,
    ) -> Result<Listed<LedgerEntry>, StoreError> {
        let pk = keys::ledger(tenant);
        let rows = self
            .client
            .query()
            .key_condition_expression(format!("{PK} = :pk"))
            .expression_attribute_values(":pk", s(&*pk))
            .consistent_read(true);
        let key = |sk: &String| Key { pk: pk.clone(), sk: sk.clone() };
        let read = |item: Item| Ok((item::text(&item, SK)?.to_owned(), entry(item)?));
        self.walk(rows, Walk::new(limit, cursor, keep), key, read).await
    }
}

fn account_of(rows: Vec<Item>) -> Result<(Account, Used), StoreError> {
    let (mut account, mut used) = (Account::default(), Used::default());
    for row in rows {
        if item::text(&row, SK)? == keys::ACCOUNT {
            account = from_item(row).map_err(|error| StoreError::Corrupt(error.into()))?;
            continue;
        }
        used.total += Microcredits(item::number(&row, "used")?);
        used.free += Microcredits(item::number(&row, "free")?);
    }
    Ok((account, used))
}

fn entry(item: Item) -> Result<LedgerEntry, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}

/// An entry's place in the list: its time, then what tells it from others of that time.
fn entry_key(tenant: &TenantId, entry: &LedgerEntry) -> Key {
    let which = match &entry.what {
        What::Grant { change, .. } | What::Lapse { change, .. } => format!("{:012}", change.nth),
        What::Debit { .. } => entry.cause.trim_start_matches("run/").replace('/', "."),
    };
    keys::ledger_entry(tenant, entry.at, &which)
}
