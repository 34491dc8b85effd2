//! Runs: one row each, which holds the whole state and the newest page of history, closed pages and large
//! inputs in rows beside it, and two lists and a deadline index over the rows.
//!
//! Every change of a run is one conditional write of its row (`rev` must be the one that was read), or one
//! transaction when a page is closed with it. That single condition guards all transitions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, TransactWriteItem};
use serde::{Deserialize, Serialize};

use super::answer::OnContention;
use super::item::{self, Item, n, s};
use super::keys::{self, DEADLINE_PK, DEADLINE_SK, FEED_SK, PK, SK, TENANT_PK, WF_PK};
use super::trail::AuditRecord;
use super::{Receipt, Spread, Store, StoreError, blob};
use billing::LedgerEntry;
use engine::analytics::Counts;
use engine::{Page, Run, RunInput, Slot, TaskChange};
use types::clock::Timestamp;
use types::ids::{RunId, RunRef};
use workflow::StepIx;

/// Inputs up to this length stand in the run's row, which every commit writes anew.
const LARGEST_INLINE_INPUT: usize = 2 * 1024;
/// The most rows that are written in one transaction with a new run: it takes 100 items and 4 MB.
const MOST_BESIDE: usize = 9;

/// A run as it is kept.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Counts the writes of the row.
    pub rev: u64,
    /// The state.
    pub run: Run,
    /// The newest page of history.
    pub page: Page,
    /// Where older things stand.
    pub beside: Beside,
    /// Its place in the deadline index, unless the sweep has moved it since.
    pub deadline: Option<Timestamp>,
}

/// What of a run does not stand in its state or its newest page, and where to find it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// Which closed page holds a step's input or result.
    pub at: PageIndex,
    /// What the run was started with, with what retries laid over it.
    pub input: StoredInput,
}

/// A change of a run: all that its row will say.
#[derive(Debug, Clone, Copy)]
pub struct RunChange<'a> {
    /// The revision that was read.
    pub rev: u64,
    /// The new state.
    pub run: &'a Run,
    /// The newest page.
    pub page: &'a Page,
    /// Where older things stand.
    pub beside: &'a Beside,
    /// The page that is closed with this change.
    pub closed: Option<&'a Page>,
    /// The input that takes the place of the run's with this change.
    pub input: Option<&'a RunInput>,
    /// When somebody must look again.
    pub deadline: Option<Timestamp>,
    /// Human tasks that are put or taken back with this change.
    pub tasks: &'a BTreeMap<Slot, TaskChange>,
    /// The child runs that steps wait for: only these may be started.
    pub children: &'a [RunId],
    /// What is added to the counters with this change, and to which of their rows.
    pub counts: Option<(&'a Counts, Spread)>,
    /// What is debited with this change, and which row counts it.
    pub debit: Option<(&'a LedgerEntry, Spread)>,
}

/// A new run, and what is kept with it.
#[derive(Debug)]
pub struct FirstRun<'a> {
    /// The state.
    pub run: &'a Run,
    /// The first pages of its history; the last of them is the newest.
    pub pages: &'a [Page],
    /// What it was started with.
    pub input: &'a RunInput,
    /// When somebody must look at it.
    pub deadline: Option<Timestamp>,
    /// Who started it, for the audit trail.
    pub trace: Option<&'a AuditRecord>,
    /// What is added to the counters with it, and to which of their rows.
    pub counts: Option<(&'a Counts, Spread)>,
    /// The delivery of a webhook that starts it.
    pub receipt: Option<&'a Receipt>,
}

/// Where a run's input stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredInput {
    /// In the run's row.
    Inline(RunInput),
    /// In rows of its own.
    Apart,
    /// In rows of its own, which this retry of the run wrote: never over those of another, because their readers know
    /// them by the run's row, and rows of two inputs must not be taken for one.
    Retried(u32),
}

impl StoredInput {
    /// Where this input of a new run, or of one that is retried for this time, will stand.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is no JSON.
    pub fn of(input: &RunInput, retry: Option<u32>) -> Result<Self, StoreError> {
        let length = serde_json::to_vec(input).map_err(|error| StoreError::Corrupt(error.into()))?.len();
        Ok(match retry {
            _ if length <= LARGEST_INLINE_INPUT => Self::Inline(input.clone()),
            None => Self::Apart,
            Some(retry) => Self::Retried(retry),
        })
    }

    /// What its rows begin with; none when it has none.
    fn prefix(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Inline(_) => None,
            Self::Apart => Some(keys::INPUT.into()),
            Self::Retried(retry) => Some(keys::retried_input(*retry).into()),
        }
    }

    fn rows(&self, key: &RunRef, input: &RunInput) -> Result<Vec<Item>, StoreError> {
        let Some(prefix) = self.prefix() else { return Ok(Vec::new()) };
        Ok(item::chunks(&keys::run_partition(key), &prefix, &blob::encode(input)?))
    }
}

/// Which closed page holds what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PageIndex {
    /// Expanded fields by step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<StepIx, u64>,
    /// Results by step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<StepIx, u64>,
    /// Every page that holds something of a loop's rounds, oldest first, by loop.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub loops: BTreeMap<StepIx, Vec<u64>>,
}

impl PageIndex {
    /// Notes what a page that is being closed holds.
    pub fn note(&mut self, page: &Page) {
        let of_graph = |slot: &&Slot| slot.inner.is_none();
        self.inputs.extend(page.inputs.keys().filter(of_graph).map(|slot| (slot.step, page.first_seq)));
        self.results.extend(page.results.keys().filter(of_graph).map(|slot| (slot.step, page.first_seq)));
        let of_loops = page.inputs.keys().chain(page.results.keys()).filter(|slot| slot.inner.is_some());
        for slot in of_loops {
            let pages = self.loops.entry(slot.step).or_default();
            if pages.last() != Some(&page.first_seq) {
                pages.push(page.first_seq);
            }
        }
    }

    /// Where the closed page stands that holds a step's result; pages of loops are listed by [`Self::loops`].
    pub fn result(&self, slot: Slot) -> Option<u64> {
        self.results.get(&slot.step).copied().filter(|_| slot.inner.is_none())
    }
}

#[derive(Serialize)]
struct BodyRef<'a> {
    run: &'a Run,
    page: &'a Page,
    beside: &'a Beside,
}

#[derive(Deserialize)]
struct Body {
    run: Run,
    page: Page,
    beside: Beside,
}

impl Store {
    /// Keeps a new run. One that was called by a step is kept only while that step waits for it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is a run of this id, nothing waits for it, or its delivery is known already;
    /// [`StoreError::Busy`] when another row of the counters should be tried.
    pub async fn create_run(&self, first: FirstRun<'_>) -> Result<(), StoreError> {
        let FirstRun { run, pages, input, deadline, counts, receipt, trace } = first;
        let pk = keys::run_partition(&run.key);
        let mut at = PageIndex::default();
        let mut beside_rows = Vec::new();
        let Some((newest, closed)) = pages.split_last() else {
            return Err(StoreError::Corrupt("a run without a page".into()));
        };
        for page in closed {
            at.note(page);
            beside_rows.extend(item::chunks(&pk, &keys::page(page.first_seq), &blob::encode(page)?));
        }
        let stored = StoredInput::of(input, None)?;
        beside_rows.extend(stored.rows(&run.key, input)?);
        let beside = Beside { at, input: stored };
        let row = run_item(&RunChange {
            rev: 0,
            run,
            page: newest,
            beside: &beside,
            closed: None,
            input: None,
            deadline,
            tasks: &BTreeMap::new(),
            children: &[],
            counts: None,
            debit: None,
        })?;
        let condition = format!("attribute_not_exists({PK})");
        let stands_alone = run.parent.is_none() && receipt.is_none() && trace.is_none() && counts.is_none();
        if beside_rows.is_empty() && stands_alone {
            return self.put_new(row).await;
        }
        let beside_rows = self.put_ahead(beside_rows).await?;
        let mut writes = vec![self.put_if(row, Some(&condition), [])?];
        for chunk in beside_rows {
            writes.push(self.put_of(chunk)?);
        }
        if let Some(trace) = trace {
            writes.push(self.trace_write(trace)?);
        }
        if let Some(parent) = &run.parent {
            let key = RunRef { place: run.key.place.clone(), run_id: parent.run_id };
            writes.push(self.waits_for(&key, run.key.run_id)?);
        }
        if let Some(receipt) = receipt {
            writes.extend(self.receipt_writes(receipt, run.key.run_id)?);
        }
        let counters = counts.map(|(counts, spread)| self.count_writes(&run.key.place, counts, spread));
        let counters = counters.transpose()?.unwrap_or_default();
        self.transact_and_count(writes, counters, OnContention::SendAgain).await
    }

    /// Of rows that belong to a row that is not there yet, writes those that would not fit into one
    /// transaction with it, and returns the others. Nobody reads them before that row refers to them.
    async fn put_ahead(&self, mut rows: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        while rows.len() > MOST_BESIDE {
            if let Some(row) = rows.pop() {
                self.put(row).await?;
            }
        }
        Ok(rows)
    }

    /// As part of a transaction: that a step of this run waits for this child.
    fn waits_for(&self, parent: &RunRef, child: RunId) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(keys::run(parent).into_map()))
            .condition_expression("contains(children, :child)")
            .expression_attribute_values(":child", s(child.to_string()));
        let check = check.build().map_err(|error| StoreError::Corrupt(error.into()))?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// A run; none when there is none of this id in this place.
    ///
    /// # Errors
    /// When the database does not answer or the row is damaged.
    pub async fn run(&self, key: &RunRef) -> Result<Option<RunRecord>, StoreError> {
        let Some(item) = self.get(keys::run(key)).await? else { return Ok(None) };
        record(&item).map(Some)
    }

    /// Replaces a run's row if it still is the one that was read, and keeps the page and the input that come with this
    /// change.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else was faster; [`StoreError::Busy`] when another row of the counters
    /// should be tried.
    pub async fn save_run(&self, change: &RunChange<'_>) -> Result<(), StoreError> {
        let row = run_item(change)?;
        let expected = (":rev", n(change.rev));
        let stands_alone = change.counts.is_none() && change.debit.is_none();
        let input = change.input.map(|input| change.beside.input.rows(&change.run.key, input));
        let input = input.transpose()?.unwrap_or_default();
        if change.closed.is_none() && change.tasks.is_empty() && input.is_empty() && stands_alone {
            let put = self.put_where(row, OnContention::Conflict, |put| {
                put.condition_expression("rev = :rev").expression_attribute_values(expected.0, expected.1)
            });
            return put.await;
        }
        let mut writes = vec![self.put_if(row, Some("rev = :rev"), [expected])?];
        if let Some(page) = change.closed {
            let pk = keys::run_partition(&change.run.key);
            for chunk in item::chunks(&pk, &keys::page(page.first_seq), &blob::encode(page)?) {
                writes.push(self.put_of(chunk)?);
            }
        }
        for row in input {
            writes.push(self.put_of(row)?);
        }
        for (slot, task) in change.tasks {
            writes.push(self.task_write(change.run, *slot, task)?);
        }
        let place = &change.run.key.place;
        let counters = change.counts.map(|(counts, spread)| self.count_writes(place, counts, spread));
        let mut counters = counters.transpose()?.unwrap_or_default();
        if let Some((debit, spread)) = change.debit {
            let (entry, used) = self.debit_writes(&place.tenant_id, debit, spread)?;
            writes.push(entry);
            counters.push(used);
        }
        self.transact_and_count(writes, counters, OnContention::Conflict).await
    }

    /// What a run was started with, with what retries laid over it.
    ///
    /// # Errors
    /// When the database does not answer or rows are damaged or missing.
    pub async fn run_input(&self, key: &RunRef, input: &StoredInput) -> Result<RunInput, StoreError> {
        if let StoredInput::Inline(input) = input {
            return Ok(input.clone());
        }
        let prefix = input.prefix().unwrap_or_default();
        let input = self.get_chunked(&keys::run_partition(key), &prefix).await?;
        input.ok_or_else(|| StoreError::Corrupt("a run without its input".into()))
    }

    /// A closed page of a run's history.
    ///
    /// # Errors
    /// When the database does not answer or rows are damaged or missing.
    pub async fn page(&self, key: &RunRef, first_seq: u64) -> Result<Page, StoreError> {
        let page = self.get_chunked(&keys::run_partition(key), &keys::page(first_seq)).await?;
        page.ok_or_else(|| StoreError::Corrupt(format!("a run without its page {first_seq}").into()))
    }

    /// The first `seq` of the closed page that holds `seq`, or of the first one after it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn page_holding(&self, key: &RunRef, seq: u64) -> Result<Option<u64>, StoreError> {
        // The page that holds `seq` is the last that begins at or before it.
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression(format!("{PK} = :pk AND {SK} BETWEEN :first AND :last"))
            .expression_attribute_values(":pk", s(keys::run_partition(key)))
            .expression_attribute_values(":first", s(keys::PAGE))
            .expression_attribute_values(":last", s(format!("{}~", keys::page(seq))))
            .projection_expression(SK)
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(1);
        let found = self.send(query).await?.items.unwrap_or_default();
        let Some(first) = found.first() else { return Ok(None) };
        let digits = item::text(first, SK)?.split('#').nth(1).and_then(|digits| digits.parse().ok());
        digits.map(Some).ok_or_else(|| StoreError::Corrupt("a page without a number".into()))
    }
}

pub(super) fn record(item: &Item) -> Result<RunRecord, StoreError> {
    let Body { run, page, beside } = blob::decode(item::bytes(item, item::BODY)?)?;
    let deadline = item.get(DEADLINE_SK).and_then(|position| position.as_s().ok());
    let deadline = deadline.and_then(|position| keys::deadline_of(position));
    Ok(RunRecord { rev: item::number(item, "rev")?, run, page, beside, deadline })
}

fn run_item(change: &RunChange<'_>) -> Result<Item, StoreError> {
    let RunChange { rev, run, page, beside, deadline, children, .. } = *change;
    let place = &run.key.place;
    let mut item = keys::run(&run.key).into_map();
    let mut put = |name: &str, value: AttributeValue| {
        item.insert(name.to_owned(), value);
    };
    put("rev", n(rev + 1));
    put("project_id", s(place.project_id.as_str()));
    put("workflow_id", s(run.workflow_id.to_string()));
    put("version", n(run.version));
    put("status", s(run.status.as_str()));
    put("trigger_type", s(run.trigger_type.as_str()));
    put(WF_PK, s(keys::workflow_feed(place, run.workflow_id)));
    put(TENANT_PK, s(keys::tenant_feed(&place.tenant_id)));
    // It says which run this is and when it started, so that no other attribute does: a row of less than a kilobyte
    // is one unit.
    put(FEED_SK, s(keys::feed_position(run.started_at, run.key.run_id)));
    if let Some(ended_at) = run.ended_at {
        put("ended_at", s(ended_at.to_string()));
    }
    if let Some(failure) = &run.failure {
        put("failure_code", s(failure.code.as_str()));
    }
    if let Some(user) = &run.external_user_id {
        put("external_user_id", s(user));
    }
    if !children.is_empty() {
        put("children", AttributeValue::Ss(children.iter().map(ToString::to_string).collect()));
    }
    if let Some(deadline) = deadline {
        put(DEADLINE_PK, s(keys::deadline_shard_of(&run.key)));
        put(DEADLINE_SK, s(keys::deadline_position(deadline, &run.key)));
    }
    put(item::BODY, item::b(blob::encode(&BodyRef { run, page, beside })?));
    Ok(item)
}
