//! The counters behind analytics: a row per bucket of time, to which the transactions add that write runs, and a row
//! of live runs. A row that is too busy is spread: what meets another transaction on the first row of a bucket goes
//! to one of sixteen others, so that a quiet project has one row per bucket and a busy one no hot row. Readers add
//! them up.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};

use super::item::{self, Item, n, s};
use super::keys::{self, Key, PK, SK};
use super::{Store, StoreError};
use engine::analytics::{Counts, Figures, Granularity, Range};
use types::clock::Timestamp;
use types::ids::Place;

/// Over how many further rows a busy bucket is spread.
pub(super) const SPREAD: u8 = 16;

/// Which of a bucket's rows is added to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread(u8);

impl Spread {
    /// Another row, after this one was busy.
    #[must_use]
    pub fn other(self) -> Self {
        Self(rand::random_range(1..=SPREAD))
    }

    /// Of a counter that has only so many rows.
    pub(super) const fn among(self, rows: u8) -> u8 {
        self.0 % rows
    }
}

impl Store {
    /// As parts of a transaction: adds to the counters.
    pub(super) fn count_writes(
        &self,
        place: &Place,
        counts: &Counts,
        Spread(spread): Spread,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut rows: Vec<(Key, Vec<(&str, i64)>)> = Vec::new();
        let live: Vec<_> = counts.live.iter().map(|(status, change)| (*status, *change)).collect();
        if !live.is_empty() {
            rows.push((keys::live_runs(place, spread), live));
        }
        // Of two times in one bucket, a transaction may name the row only once.
        let mut buckets: BTreeMap<(&str, Timestamp), Figures> = BTreeMap::new();
        for (at, figures) in &counts.figures {
            for granularity in Granularity::ALL {
                *buckets.entry((keys::counters_of(granularity), granularity.bucket(*at))).or_default() +=
                    figures;
            }
        }
        let keyed = buckets.iter().map(|((of, bucket), figures)| {
            let granularity = Granularity::ALL.into_iter().find(|each| keys::counters_of(*each) == *of);
            let key = keys::counters(place, granularity.unwrap_or(Granularity::Day), *bucket, spread);
            (key, figures.counters().filter(|(_, value)| *value != 0).collect::<Vec<_>>())
        });
        rows.extend(keyed.filter(|(_, counters)| !counters.is_empty()));
        rows.into_iter().map(|(key, counters)| self.add_to(key, &counters)).collect()
    }

    /// As part of a transaction: adds to the numbers of a row.
    pub(super) fn add_to(&self, key: Key, counters: &[(&str, i64)]) -> Result<TransactWriteItem, StoreError> {
        let mut update = Update::builder().table_name(&self.table).set_key(Some(key.into_map()));
        let mut terms = Vec::with_capacity(counters.len());
        let mut values: Vec<i64> = counters.iter().map(|(_, value)| *value).collect();
        values.sort_unstable();
        values.dedup();
        for (number, value) in values.iter().enumerate() {
            update = update.expression_attribute_values(format!(":{number}"), n(value));
        }
        for (number, (name, value)) in counters.iter().enumerate() {
            update = update.expression_attribute_names(format!("#{number}"), *name);
            terms.push(format!("#{number} :{}", values.binary_search(value).unwrap_or_default()));
        }
        let update = update.update_expression(format!("ADD {}", terms.join(", "))).build();
        let update = update.map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// The figures of the buckets of a range in which something was counted.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn counters(
        &self,
        place: &Place,
        range: &Range,
    ) -> Result<BTreeMap<Timestamp, Figures>, StoreError> {
        let granularity = range.granularity();
        let low = range.from().map_or_else(|| "0".to_owned(), |from| granularity.name(from));
        // '~' sorts after the '#' that begins the number of a row.
        let high = format!("{}~", granularity.name(range.last()));
        let mut figures: BTreeMap<Timestamp, Figures> = BTreeMap::new();
        for row in self.counter_rows(keys::counters_partition(place, granularity), low, high).await? {
            let name = item::text(&row, SK)?.split('#').next().unwrap_or_default();
            let bucket = granularity.parse(name);
            let bucket =
                bucket.ok_or_else(|| StoreError::Corrupt(format!("a bucket called {name:?}").into()))?;
            *figures.entry(bucket).or_default() += &counters_in(row)?.into_iter().collect();
        }
        Ok(figures)
    }

    /// Live runs by status.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn live_runs(&self, place: &Place) -> Result<BTreeMap<String, i64>, StoreError> {
        let mut live = BTreeMap::new();
        let pk = keys::live_runs(place, 0).pk;
        for row in self.counter_rows(pk, "0".to_owned(), "~".to_owned()).await? {
            for (status, count) in counters_in(row)? {
                *live.entry(status).or_default() += count;
            }
        }
        Ok(live)
    }

    async fn counter_rows(&self, pk: String, low: String, high: String) -> Result<Vec<Item>, StoreError> {
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression(format!("{PK} = :pk AND {SK} BETWEEN :low AND :high"))
                .expression_attribute_values(":pk", s(&pk))
                .expression_attribute_values(":low", s(&low))
                .expression_attribute_values(":high", s(&high))
                .consistent_read(true)
                .set_exclusive_start_key(start);
            let page = self.send(query).await?;
            rows.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                return Ok(rows);
            }
        }
    }
}

/// The live runs that these rows count.
pub(super) fn live_in(rows: Vec<Item>) -> Result<u64, StoreError> {
    let mut live = 0;
    for row in rows {
        live += counters_in(row)?.into_iter().map(|(_, count)| count).sum::<i64>();
    }
    Ok(u64::try_from(live).unwrap_or(0))
}

fn counters_in(row: Item) -> Result<Vec<(String, i64)>, StoreError> {
    let counter = |(name, value): (String, AttributeValue)| match value {
        AttributeValue::N(digits) => match digits.parse() {
            Ok(value) => Some(Ok((name, value))),
            Err(_) => Some(Err(StoreError::Corrupt(format!("the counter {name} is {digits}").into()))),
        },
        _ => None,
    };
    row.into_iter().filter_map(counter).collect()
}
