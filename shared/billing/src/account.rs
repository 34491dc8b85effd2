//! What is left of a tenant's grants. Pure: no I/O, no clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::prices::Action;
use super::{Bucket, Microcredits};
use types::clock::Timestamp;

/// The most lots of an account that are open at a time: they stand in one row.
pub const MOST_LOTS: usize = 100;

/// What was used by a tenant, ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// All of it.
    pub total: Microcredits,
    /// The part that was used while nothing was refused: it takes from grants, and beyond them it is never owed.
    pub free: Microcredits,
}

/// What is left of grants of one bucket that end at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// What they were granted for.
    pub bucket: Bucket,
    /// What is left.
    pub left: Microcredits,
    /// When it lapses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A lot that has lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lapsed {
    /// Of this bucket.
    pub bucket: Bucket,
    /// The time at which it ended.
    pub expired: Timestamp,
    /// What was left of it.
    pub left: Microcredits,
}

/// A tenant's account, as of what was used when it was last changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Counts the writes of its row.
    pub rev: u64,
    /// How many grants and lapses there were.
    pub changes: u64,
    /// What of the tenant's use is taken from the lots.
    pub settled: Used,
    /// What was used beyond all grants, and is taken from the next.
    #[serde(default)]
    pub owed: Microcredits,
    /// What is left, in the order in which it is used.
    #[serde(default)]
    pub lots: Vec<Lot>,
    /// Prices that differ from the usual ones.
    #[serde(default)]
    pub prices: BTreeMap<Action, Microcredits>,
}

/// What a tenant has left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// To try the product.
    pub trial: Microcredits,
    /// Of its plan.
    pub included: Microcredits,
    /// Bought.
    pub payg: Microcredits,
    /// What was used beyond that, and is taken from the next grant.
    pub owed: Microcredits,
}

impl Balance {
    /// All that is left.
    pub fn total(&self) -> Microcredits {
        self.trial + self.included + self.payg
    }

    /// What is left in a bucket.
    pub const fn of(&self, bucket: Bucket) -> Microcredits {
        match bucket {
            Bucket::Trial => self.trial,
            Bucket::Included => self.included,
            Bucket::Payg => self.payg,
        }
    }
}

impl Account {
    /// Takes from the lots what was used since the last time, in their order.
    pub fn settle(&mut self, used: Used) {
        let mut rest = used.total.less(self.settled.total);
        let free = used.free.less(self.settled.free);
        for lot in &mut self.lots {
            let taken = rest.min(lot.left);
            lot.left = lot.left.less(taken);
            rest = rest.less(taken);
        }
        self.lots.retain(|lot| !lot.left.is_zero());
        self.owed += rest.less(free);
        self.settled = used;
    }

    /// Adds to a bucket, less what is owed.
    pub fn add(&mut self, bucket: Bucket, amount: Microcredits, expires_at: Option<Timestamp>) {
        let left = amount.less(self.owed);
        self.owed = self.owed.less(amount);
        if left.is_zero() {
            return;
        }
        let same = |lot: &&mut Lot| lot.bucket == bucket && lot.expires_at == expires_at;
        if let Some(lot) = self.lots.iter_mut().find(same) {
            lot.left += left;
            return;
        }
        self.lots.push(Lot { bucket, left, expires_at });
        // What never ends is used last.
        self.lots.sort_by_key(|lot| (lot.bucket, lot.expires_at.is_none(), lot.expires_at));
    }

    /// Takes away all that is left in a bucket.
    pub fn withdraw(&mut self, bucket: Bucket) -> Microcredits {
        let (gone, kept) = std::mem::take(&mut self.lots).into_iter().partition(|lot| lot.bucket == bucket);
        self.lots = kept;
        let gone: Vec<Lot> = gone;
        gone.iter().map(|lot| lot.left).sum()
    }

    /// Takes away what is left of a lot.
    pub fn lapse(&mut self, bucket: Bucket, expires_at: Timestamp) -> Microcredits {
        let is = |lot: &Lot| lot.bucket == bucket && lot.expires_at == Some(expires_at);
        let place = self.lots.iter().position(is);
        place.map(|place| self.lots.remove(place).left).unwrap_or_default()
    }

    /// Takes away what has ended.
    pub fn lapse_expired(&mut self, now: Timestamp) -> Vec<Lapsed> {
        let ended = |lot: &Lot| Some((lot.bucket, lot.expires_at.filter(|at| *at <= now)?));
        let ended: Vec<_> = self.lots.iter().filter_map(ended).collect();
        let lapse = |(bucket, expired)| Lapsed { bucket, expired, left: self.lapse(bucket, expired) };
        ended.into_iter().map(lapse).collect()
    }

    /// What is left when this was used, at this time.
    pub fn balance(&self, used: Used, now: Timestamp) -> Balance {
        let mut account = self.clone();
        account.settle(used);
        account.lapse_expired(now);
        let of = |bucket| account.lots.iter().filter(|lot| lot.bucket == bucket).map(|lot| lot.left).sum();
        Balance {
            trial: of(Bucket::Trial),
            included: of(Bucket::Included),
            payg: of(Bucket::Payg),
            owed: account.owed,
        }
    }

    /// What an action costs this tenant.
    pub fn price(&self, action: Action) -> Microcredits {
        self.prices.get(&action).copied().unwrap_or(action.usual_price())
    }
}

#[cfg(test)]
mod tests;
