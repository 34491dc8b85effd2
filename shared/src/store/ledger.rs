//! The ledger: entries in order of time, a row for each cause of a change, and a partition with the account and the
//! rows that count what is used. Those are spread when they are busy, as counters are.

use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::{self, Item, n, s};
use super::keys::{self, Key, PK, SK};
use super::runs::Listed;
use super::tenants::with_key;
use super::walk::{Rows, Walk};
use super::{Store, StoreError};
use crate::billing::{Account, LedgerEntry, Microcredits, Used, What};
use crate::ids::TenantId;

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
        let mut walk = Walk::new(limit, cursor, keep);
        let pk = keys::ledger(tenant);
        loop {
            let start = walk.place().map(|sk: &String| Key { pk: pk.clone(), sk: sk.clone() }.into_map());
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression(format!("{PK} = :pk"))
                .expression_attribute_values(":pk", s(&*pk))
                .set_exclusive_start_key(start)
                .scan_index_forward(false)
                .limit(walk.page_size());
            let page = query.send().await?;
            let is_last = page.last_evaluated_key.is_none();
            let rows = page.items.unwrap_or_default().into_iter();
            let rows = rows.map(|item| Ok((item::text(&item, SK)?.to_owned(), entry(item)?)));
            if let Some(listed) = walk.take(Rows { rows: rows.collect::<Result<_, StoreError>>()?, is_last })
            {
                return Ok(listed);
            }
        }
    }
}

fn account_of(rows: Vec<Item>) -> Result<(Account, Used), StoreError> {
    let (mut account, mut used) = (Account::default(), Used::default());
    for row in rows {
        if item::text(&row, SK)? == keys::ACCOUNT {
            account = from_item(row).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            continue;
        }
        used.total += Microcredits(item::number(&row, "used")?);
        used.free += Microcredits(item::number(&row, "free")?);
    }
    Ok((account, used))
}

fn entry(item: Item) -> Result<LedgerEntry, StoreError> {
    from_item(item).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// An entry's place in the list: its time, then what tells it from others of that time.
fn entry_key(tenant: &TenantId, entry: &LedgerEntry) -> Key {
    let which = match &entry.what {
        What::Grant { change, .. } | What::Lapse { change, .. } => format!("{:012}", change.nth),
        What::Debit { .. } => entry.cause.trim_start_matches("run/").replace('/', "."),
    };
    keys::ledger_entry(tenant, entry.at, &which)
}
