//! `POST /v1/billing/subscription/cancel`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanChangeBilling, CommonErrors};
use shared::billing::subscription::Standing;
use shared::services::billing::subscription::{ask_provider, change, read};
use shared::{AppState, Error, Result};
use utoipa::ToSchema;

use super::{Changed, begin, no_subscription};

/// Nothing needs to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {}

/// Cancel the plan at the end of the period that is paid.
///
/// Until then it can be used, and taken up again by changing to the same plan. Credits that were bought stay. A plan
/// that costs nothing ends at once.
#[utoipa::path(post, path = "/v1/billing/subscription/cancel", tag = "billing", request_body = Cancel,
               responses((status = 200, body = Changed), CommonErrors))]
pub async fn cancel(
    State(state): State<AppState>,
    CanChangeBilling(caller): CanChangeBilling,
    Body(_nothing): Body<Cancel>,
) -> Result<Json<Changed>> {
    let tenant = caller.place.tenant_id;
    let standing = read(&state, &tenant).await?;
    if standing.live().is_none() {
        if standing.free().is_none() {
            return Err(no_subscription());
        }
        let end = |standing: &mut Standing, _: &_, _| {
            standing.end_free();
            Ok(())
        };
        let (standing, ()) = change(&state, &tenant, end).await?;
        return Ok(Json(Changed::done(&state, &standing).await?));
    }
    let provider = shared::services::billing::provider(&state).await?;
    let (_, key) = begin(&state, &tenant).await?;
    let standing = ask_provider(&state, &provider, &tenant, None).await?;
    let Some(paid) = standing.live() else { return Ok(Json(Changed::done(&state, &standing).await?)) };
    let found = provider.subscription(&paid.id).await?;
    let subscription = found.ok_or_else(|| Error::internal("the subscription is gone"))?;
    // Nothing follows any more.
    let forget = |standing: &mut Standing, _: &_, _| {
        if let Some(paid) = &mut standing.paid {
            paid.next_plan = None;
        }
        Ok(())
    };
    change(&state, &tenant, forget).await?;
    if let Some(schedule) = subscription.schedule() {
        provider.release(schedule, &key).await?;
    }
    provider.cancel_at_period_end(&paid.id, true, &key).await?;
    let standing = ask_provider(&state, &provider, &tenant, None).await?;
    Ok(Json(Changed::done(&state, &standing).await?))
}
