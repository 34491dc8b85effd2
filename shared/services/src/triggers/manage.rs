//! Triggers: made, listed, changed, deleted.

use serde_json::{Map, Value};

use super::params::check_params;
use super::view::{CatchUp, TriggerView};
use crate::auth::Caller;
use crate::lists;
use crate::quotas::within;
use crate::state::AppState;
use crate::workflows::find;
use engine::trigger::Schedule;
use platform::boxed;
use store::{Counted, Listed, MOST_TRIGGERS, QuotaGuard, StoreError, TriggerRecord};
use types::clock::Timestamp;
use types::ids::{Place, TriggerId, TriggerRef, WorkflowId, seed};
use types::scope::Permission;
use types::text;
use types::{Error, Result};

const USUAL_NAME: &str = "Schedule";
const USUAL_TIMEZONE: &str = "UTC";

/// How often a write is tried when the trigger fires, or somebody else makes or changes one, at the same moment.
const MOST_TRIES: usize = 5;

/// What a trigger is made from.
#[derive(Debug)]
pub struct NewTrigger {
    /// Its name.
    pub name: Option<String>,
    /// When it fires, in five fields.
    pub cron: String,
    /// The IANA time zone that `cron` is read in.
    pub timezone: Option<String>,
    /// Whether it fires; true when absent.
    pub enabled: Option<bool>,
    /// What becomes of due times that were missed.
    pub catch_up: CatchUp,
    /// What its runs are started with: the `params` of a start.
    pub params: Map<String, Value>,
}

/// What to change of a trigger; what is absent stays.
#[derive(Debug)]
pub struct TriggerChange {
    /// Its name.
    pub name: Option<String>,
    /// When it fires, in five fields.
    pub cron: Option<String>,
    /// The IANA time zone that `cron` is read in.
    pub timezone: Option<String>,
    /// Whether it fires.
    pub enabled: Option<bool>,
    /// What becomes of due times that were missed.
    pub catch_up: Option<CatchUp>,
    /// What its runs are started with, whole.
    pub params: Option<Map<String, Value>>,
}

/// A change whose texts were checked.
struct Checked {
    name: Option<String>,
    params: Option<String>,
    cron: Option<String>,
    timezone: Option<String>,
    enabled: Option<bool>,
    catch_up: Option<CatchUp>,
}

/// Makes a trigger. Its runs call tools only if the caller may.
///
/// # Errors
/// Invalid, naming the field, and when the workflow has as many as it can; conflict when the project has; not found when there is no such workflow;
/// overtaken when others make and delete triggers of the workflow all the time.
#[boxed]
pub async fn create(
    state: &AppState,
    caller: &Caller,
    workflow_id: WorkflowId,
    new: NewTrigger,
) -> Result<TriggerView> {
    let name = text::name("name", new.name.as_deref().unwrap_or(USUAL_NAME))?;
    let schedule = Schedule::parse(&new.cron, new.timezone.as_deref().unwrap_or(USUAL_TIMEZONE))?;
    let params = check_params(new.params)?;
    find(state, &caller.place, workflow_id).await?;
    let now = state.clock.now();
    let enabled = new.enabled.unwrap_or(true);
    let record = TriggerRecord {
        id: TriggerId::new(now),
        without_mcp: !caller.may(Permission::McpExecute),
        place: caller.place.clone(),
        workflow_id,
        name,
        cron: schedule.cron().to_owned(),
        timezone: schedule.timezone().to_owned(),
        enabled,
        catch_up: new.catch_up.into(),
        params,
        next_run_at: if enabled { schedule.next_after(now) } else { None },
        catching_up: false,
        last_run_at: None,
        last_run_id: None,
        last_error: None,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let make = |guard| keep(state, &record, guard);
    within(state, Counted::Triggers(record.place.clone()), make).await?;
    TriggerView::new(record)
}

/// Two that are made at the same moment meet in the count of their workflow's triggers: one of them tries again.
async fn keep(state: &AppState, record: &TriggerRecord, guard: QuotaGuard) -> Result<()> {
    // A guard that does not hold never will.
    let tries = if guard.is_set() { 1 } else { MOST_TRIES };
    for _ in 0..tries {
        match state.store.create_trigger(record, guard.clone()).await {
            Err(StoreError::Conflict) => {}
            kept => return Ok(kept?),
        }
        // A request that is carried out again under its idempotency key finds its own.
        if seed::request().is_some() && state.store.trigger(&record.key()).await?.is_some() {
            return Ok(());
        }
        if state.store.count_triggers(&record.place, record.workflow_id).await? >= MOST_TRIGGERS {
            return Err(Error::invalid(format!(
                "A workflow has at most {MOST_TRIGGERS} triggers, and this one has them; delete one first."
            )));
        }
    }
    Err(StoreError::Conflict.into())
}

/// A workflow's triggers, newest first, from after this place in the list.
///
/// # Errors
/// Not found when there is no such workflow; invalid when the place is of another list; unavailable when the database
/// does not answer.
#[boxed]
pub async fn list(
    state: &AppState,
    place: &Place,
    workflow_id: WorkflowId,
    limit: usize,
    after: Option<&str>,
) -> Result<Listed<TriggerView>> {
    find(state, place, workflow_id).await?;
    let listed = state.store.list_triggers(place, workflow_id, limit, lists::after(after)?).await?;
    let rows = listed.rows.into_iter().map(TriggerView::new).collect::<Result<_>>()?;
    Ok(Listed { rows, next: listed.next })
}

/// Changes a trigger. When it fires is reckoned anew from now if `cron`, `timezone` or `enabled` change; its runs call
/// tools only if the caller may.
///
/// # Errors
/// Invalid, naming the field; not found when there is no such trigger; overtaken when others change it all the time.
#[boxed]
pub async fn change(
    state: &AppState,
    caller: &Caller,
    workflow_id: WorkflowId,
    trigger_id: TriggerId,
    change: TriggerChange,
) -> Result<TriggerView> {
    let without_mcp = !caller.may(Permission::McpExecute);
    let key = TriggerRef { place: caller.place.clone(), workflow_id, trigger_id };
    let change = Checked {
        name: change.name.map(|name| text::name("name", &name)).transpose()?,
        params: change.params.map(check_params).transpose()?,
        cron: change.cron,
        timezone: change.timezone,
        enabled: change.enabled,
        catch_up: change.catch_up,
    };
    for _ in 0..MOST_TRIES {
        let found = state.store.trigger(&key).await?;
        let mut record = found.ok_or_else(|| Error::not_found("trigger"))?;
        change.apply(&mut record, state.clock.now())?;
        record.without_mcp = without_mcp;
        match state.store.save_trigger(&mut record).await {
            Err(StoreError::Conflict) => {}
            saved => {
                saved?;
                return TriggerView::new(record);
            }
        }
    }
    Err(StoreError::Conflict.into())
}

/// Deletes a trigger. Runs that it started go on.
///
/// # Errors
/// Not found when there is none; overtaken when others change it all the time.
#[boxed]
pub async fn delete(
    state: &AppState,
    place: &Place,
    workflow_id: WorkflowId,
    trigger_id: TriggerId,
) -> Result<()> {
    let key = TriggerRef { place: place.clone(), workflow_id, trigger_id };
    for _ in 0..MOST_TRIES {
        match state.store.delete_trigger(&key).await {
            Err(StoreError::Conflict) => {}
            deleted => return Ok(deleted?),
        }
        state.store.trigger(&key).await?.ok_or_else(|| Error::not_found("trigger"))?;
    }
    Err(StoreError::Conflict.into())
}

impl Checked {
    fn apply(&self, record: &mut TriggerRecord, now: Timestamp) -> Result<()> {
        let cron = self.cron.as_deref().unwrap_or(&record.cron);
        let timezone = self.timezone.as_deref().unwrap_or(&record.timezone);
        let enabled = self.enabled.unwrap_or(record.enabled);
        let schedule = Schedule::parse(cron, timezone)?;
        let before = (record.cron.as_str(), record.timezone.as_str(), record.enabled);
        if before != (schedule.cron(), schedule.timezone(), enabled) {
            record.next_run_at = if enabled { schedule.next_after(now) } else { None };
            record.catching_up = false;
        }
        record.cron = schedule.cron().to_owned();
        record.timezone = schedule.timezone().to_owned();
        record.enabled = enabled;
        record.catch_up = self.catch_up.map_or(record.catch_up, Into::into);
        if let Some(name) = &self.name {
            record.name.clone_from(name);
        }
        if let Some(params) = &self.params {
            record.params.clone_from(params);
        }
        record.updated_at = now;
        Ok(())
    }
}
