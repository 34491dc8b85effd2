//! The deadline index: what has to be done at a time, in shards, the most overdue first. Runs stand in it with the
//! time at which somebody must look at them again, triggers with their next due time, secrets that nothing owns with the
//! time at which they are destroyed, and tenants' standings with the end of what they have.

use std::collections::HashMap;

use super::item::{self, s};
use super::keys::{self, AtDeadline, DEADLINE_PK, DEADLINE_SK};
use super::{DueSecret, Store, StoreError};
use crate::aws::Call;
use crate::clock::Timestamp;
use crate::ids::{RunRef, TenantId, TriggerRef};

/// What stands in the index with a time that has passed.
#[derive(Debug, Clone)]
pub enum Due {
    /// A run that somebody must look at.
    Run(DueRun),
    /// A trigger; whether it really is due is for its row to say.
    Trigger(TriggerRef),
    /// A secret that nothing owns.
    Secret(DueSecret),
    /// A tenant's standing with its plan; what is to be done is for its row to say.
    Standing(TenantId),
}

/// A run whose deadline has passed.
#[derive(Debug, Clone)]
pub struct DueRun {
    /// The run.
    pub run: RunRef,
    position: String,
}

/// A page of the index.
#[derive(Debug)]
pub struct DuePage {
    /// The most overdue first.
    pub due: Vec<Due>,
    /// The last place looked at, when there may be more behind it.
    pub next: Option<String>,
}

impl Store {
    /// What of one shard has a time before `before`, behind the place `after`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due(
        &self,
        shard: u8,
        before: Timestamp,
        after: Option<&str>,
        limit: i32,
    ) -> Result<DuePage, StoreError> {
        // Places end in a UUID or a tenant, so nothing lies between one and the same with a space behind it.
        let low = after.map_or_else(|| "0".to_owned(), |after| format!("{after} "));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::DEADLINES)
            .key_condition_expression(format!(
                "{DEADLINE_PK} = :shard AND {DEADLINE_SK} BETWEEN :low AND :high"
            ))
            .expression_attribute_values(":shard", s(keys::deadline_shard(shard)))
            .expression_attribute_values(":low", s(low))
            .expression_attribute_values(":high", s(keys::deadline_before(before)))
            .limit(limit);
        let items = query.call().await?.items.unwrap_or_default();
        let full = items.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let mut page = DuePage { due: Vec::with_capacity(items.len()), next: None };
        for item in &items {
            let position = item::text(item, DEADLINE_SK)?.to_owned();
            match keys::at_deadline(&position) {
                Some(AtDeadline::Run(run)) => {
                    page.due.push(Due::Run(DueRun { run, position: position.clone() }));
                }
                Some(AtDeadline::Trigger(trigger)) => page.due.push(Due::Trigger(trigger)),
                Some(AtDeadline::Secret(secret)) => {
                    let at = keys::deadline_of(&position).unwrap_or_default();
                    page.due.push(Due::Secret(DueSecret { secret, at }));
                }
                Some(AtDeadline::Standing(tenant)) => page.due.push(Due::Standing(tenant)),
                None => tracing::error!(position, "a place in the deadline index that cannot be read"),
            }
            page.next = Some(position).filter(|_| full);
        }
        Ok(page)
    }

    /// Moves a due run's deadline, so that of several sweeps one acts on it; false when another has, or the
    /// run has moved on by itself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn postpone(&self, due: &DueRun, until: Timestamp) -> Result<bool, StoreError> {
        let moved = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::run(&due.run).into_map()))
            .update_expression(format!("SET {DEADLINE_SK} = :new"))
            .condition_expression(format!("{DEADLINE_SK} = :old"))
            .set_expression_attribute_values(Some(HashMap::from([
                (":new".to_owned(), s(keys::deadline_position(until, &due.run))),
                (":old".to_owned(), s(&due.position)),
            ])))
            .call()
            .await;
        match moved.map_err(StoreError::from) {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
