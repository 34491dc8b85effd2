//! Ending a plan.

use super::changed::Changed;
use super::checkout::{begin, no_subscription};
use crate::billing::provider::provider;
use crate::billing::subscription::{ask_provider, change, read};
use crate::state::AppState;
use billing::subscription::Standing;
use platform::boxed;
use types::ids::TenantId;
use types::{Error, Result};

/// Cancels the plan at the end of the period that is paid; one that costs nothing at once.
///
/// # Errors
/// Conflict `NO_SUBSCRIPTION` when there is none; when a store or the provider does not answer.
#[boxed]
pub async fn cancel(state: &AppState, tenant: &TenantId) -> Result<Changed> {
    let standing = read(state, tenant).await?;
    if standing.live().is_none() {
        if standing.free().is_none() {
            return Err(no_subscription());
        }
        let end = |standing: &mut Standing, _: &_, _| {
            standing.end_free();
            Ok(())
        };
        let (standing, ()) = change(state, tenant, end).await?;
        return Changed::done(state, &standing).await;
    }
    let provider = provider(state).await?;
    let (_, key) = begin(state, tenant).await?;
    let standing = ask_provider(state, &provider, tenant, None).await?;
    let Some(paid) = standing.live() else { return Changed::done(state, &standing).await };
    let found = provider.subscription(&paid.id).await?;
    let subscription = found.ok_or_else(|| Error::internal("the subscription is gone"))?;
    // Nothing follows any more.
    let forget = |standing: &mut Standing, _: &_, _| {
        if let Some(paid) = &mut standing.paid {
            paid.next_plan = None;
        }
        Ok(())
    };
    change(state, tenant, forget).await?;
    if let Some(schedule) = subscription.schedule() {
        provider.release(schedule, &key).await?;
    }
    provider.cancel_at_period_end(&paid.id, true, &key).await?;
    let standing = ask_provider(state, &provider, tenant, None).await?;
    Changed::done(state, &standing).await
}
