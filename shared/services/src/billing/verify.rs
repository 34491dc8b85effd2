//! The account worked out again from the entries of the ledger, and held against the one that is kept.

use std::collections::HashSet;

use billing::Microcredits;
use billing::{Account, Balance, Used};
use billing::{Change, LedgerEntry, What};
use platform::boxed;
use store::{Store, StoreError};
use types::clock::Timestamp;
use types::ids::TenantId;

/// How many entries are read at a time.
const PAGE: usize = 1000;
/// How often a ledger is read that changes meanwhile.
const MOST_TRIES: u32 = 5;

/// What came of it.
#[derive(Debug, Clone)]
pub struct Verified {
    /// How many entries there are.
    pub entries: usize,
    /// The sum of all debits.
    pub used: Microcredits,
    /// What the entries leave.
    pub balance: Balance,
    /// Where they and the account differ.
    pub differences: Vec<String>,
}

/// Works a tenant's account out again from its ledger.
///
/// # Errors
/// When the database does not answer, a row is damaged, or the account changes all the time.
#[boxed]
pub async fn verify(store: &Store, tenant: &TenantId, now: Timestamp) -> Result<Verified, StoreError> {
    for _ in 0..MOST_TRIES {
        let kept = store.account(tenant).await?;
        let mut ledger = Ledger::default();
        let mut cursor = None;
        loop {
            let page = store.list_ledger(tenant, PAGE, cursor, |_| true).await?;
            page.rows.into_iter().for_each(|entry| ledger.take(entry));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        // Only what stood still can be compared.
        if store.account(tenant).await? == kept {
            return Ok(ledger.against(kept, now));
        }
    }
    Err(StoreError::Unavailable("the account changes all the time".into()))
}

/// What the entries say, in any order.
#[derive(Default)]
struct Ledger {
    entries: usize,
    causes: HashSet<String>,
    used: Used,
    changes: Vec<(Change, LedgerEntry)>,
    differences: Vec<String>,
}

impl Ledger {
    fn take(&mut self, entry: LedgerEntry) {
        self.entries += 1;
        if !self.causes.insert(entry.cause.clone()) {
            self.differences.push(format!("two entries have the cause {}", entry.cause));
        }
        match entry.what {
            What::Debit { free, .. } => {
                self.used.total += entry.microcredits;
                if free {
                    self.used.free += entry.microcredits;
                }
            }
            What::Grant { change, .. } | What::Lapse { change, .. } => self.changes.push((change, entry)),
        }
    }

    fn against(mut self, (mut kept, used): (Account, Used), now: Timestamp) -> Verified {
        let mut account = Account::default();
        self.changes.sort_by_key(|(change, _)| change.nth);
        for (change, entry) in &self.changes {
            if change.nth != account.changes + 1 {
                let after = account.changes;
                self.differences.push(format!("after change {after} comes {}: {}", change.nth, entry.cause));
            }
            if change.used.total < account.settled.total || change.used.total > self.used.total {
                self.differences.push(format!("{} knows of another use than the debits", entry.cause));
            }
            account.changes = change.nth;
            account.settle(change.used);
            let lapsed = match &entry.what {
                What::Grant { bucket, expires_at, .. } => {
                    account.add(*bucket, entry.microcredits, *expires_at);
                    continue;
                }
                What::Lapse { bucket, expired: Some(at), .. } => account.lapse(*bucket, *at),
                What::Lapse { bucket, expired: None, .. } => account.withdraw(*bucket),
                What::Debit { .. } => continue,
            };
            if lapsed != entry.microcredits {
                let said = entry.microcredits;
                self.differences.push(format!("{}: {said} lapsed, but {lapsed} were left", entry.cause));
            }
        }
        account.settle(self.used);
        kept.settle(used);
        let mut compare = |what: &str, computed: String, kept: String| {
            if computed != kept {
                self.differences.push(format!("{what}: the entries come to {computed}, kept is {kept}"));
            }
        };
        compare("used", self.used.total.to_string(), used.total.to_string());
        compare("used while unlimited", self.used.free.to_string(), used.free.to_string());
        compare("changes", account.changes.to_string(), kept.changes.to_string());
        compare("owed", account.owed.to_string(), kept.owed.to_string());
        compare("left", format!("{:?}", account.lots), format!("{:?}", kept.lots));
        Verified {
            entries: self.entries,
            used: self.used.total,
            balance: account.balance(self.used, now),
            differences: self.differences,
        }
    }
}
