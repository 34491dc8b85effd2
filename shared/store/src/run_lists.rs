//! Lists of runs: indexes over their rows, by workflow and by tenant.

use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item::{self, Item, s};
use super::keys::{self, FEED_SK, TENANT_PK, WF_PK};
use super::walk::{Listed, Rows, Walk};
use super::{Store, StoreError};
use engine::{FailureCode, RunStatus, TriggerType};
use types::clock::Timestamp;
use types::ids::{Place, ProjectId, RunId, TenantId, WorkflowId};

/// A run as lists show it.
#[derive(Debug, Clone, Deserialize)]
pub struct RunRow {
    /// The run.
    pub run_id: RunId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The version it executes.
    pub version: u32,
    /// Where it stands.
    pub status: RunStatus,
    /// What started it.
    pub trigger_type: TriggerType,
    /// When it was accepted.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub failure_code: Option<FailureCode>,
    /// The caller's own name for whoever it is for.
    pub external_user_id: Option<String>,
}

/// Whose runs to list.
#[derive(Debug, Clone, Copy)]
pub enum Feed<'a> {
    /// Of one workflow.
    Workflow(&'a Place, WorkflowId),
    /// Of the whole tenant.
    Tenant(&'a TenantId),
}

impl Store {
    /// Runs, newest first, from after `cursor`; looks at a bounded number of rows, so that with a rare filter
    /// there may be fewer than `limit` and still more to come.
    ///
    /// # Errors
    /// When the database does not answer or a row is damaged.
    pub async fn list_runs(
        &self,
        feed: Feed<'_>,
        limit: usize,
        cursor: Option<String>,
        since: Option<Timestamp>,
        keep: impl Fn(&RunRow) -> bool,
    ) -> Result<Listed<RunRow>, StoreError> {
        let mut walk = Walk::new(limit, cursor, keep);
        loop {
            let page = self.query_feed(feed, walk.page_size(), walk.place(), since).await?;
            if let Some(listed) = walk.take(page) {
                return Ok(listed);
            }
        }
    }

    async fn query_feed(
        &self,
        feed: Feed<'_>,
        limit: i32,
        before: Option<&String>,
        since: Option<Timestamp>,
    ) -> Result<Rows<String, RunRow>, StoreError> {
        let (index, attribute, pk) = match feed {
            Feed::Workflow(place, id) => (keys::WORKFLOW_RUNS, WF_PK, keys::workflow_feed(place, id)),
            Feed::Tenant(tenant) => (keys::TENANT_RUNS, TENANT_PK, keys::tenant_feed(tenant)),
        };
        // '~' sorts after every character of a position, '0' and above make up its beginning.
        let lowest = since.map_or_else(|| "0".to_owned(), |time| time.to_string());
        let highest = before.map_or_else(|| "~".to_owned(), |place| just_before(place));
        if lowest > highest {
            // DynamoDB refuses such a range.
            return Ok(Rows { rows: Vec::new(), is_last: true });
        }
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(index)
            .key_condition_expression(format!("{attribute} = :pk AND {FEED_SK} BETWEEN :low AND :high"))
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":low", s(lowest))
            .expression_attribute_values(":high", s(highest))
            .scan_index_forward(false)
            .limit(limit);
        let page = self.send(query).await?;
        let is_last = page.last_evaluated_key.is_none();
        let rows = page.items.unwrap_or_default().into_iter();
        let rows = rows.map(|item| {
            let position = item::text(&item, FEED_SK)?.to_owned();
            Ok((position.clone(), row(item, &position)?))
        });
        Ok(Rows { rows: rows.collect::<Result<_, StoreError>>()?, is_last })
    }
}

/// The greatest text below `position`, for an inclusive upper bound: positions end in a lower-case
/// hexadecimal digit, so the one before with `~` appended lies between it and everything smaller.
pub(super) fn just_before(position: &str) -> String {
    let mut bytes = position.as_bytes().to_vec();
    match bytes.pop() {
        Some(last) if last > b' ' => {
            bytes.push(last - 1);
            bytes.push(b'~');
        }
        _ => {}
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// A run, as the list has it at this position, which says when it started and which it is.
fn row(mut item: Item, position: &str) -> Result<RunRow, StoreError> {
    let (started_at, run_id) = keys::at_feed_position(position)?;
    item.insert("started_at".to_owned(), s(started_at));
    item.insert("run_id".to_owned(), s(run_id));
    from_item(item).map_err(|error| StoreError::Corrupt(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn just_before_lies_between_a_position_and_the_next_smaller_one() {
        let position = "2026-01-01T00:00:00.000Z#0190-a";
        assert!(just_before(position).as_str() < position);
        assert!(just_before(position).as_str() > "2026-01-01T00:00:00.000Z#0190-9");
        assert!(just_before(position).as_str() > "2026-01-01T00:00:00.000Z#0190-9~");
    }
}
