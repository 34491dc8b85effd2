//! `GET` and `PUT /v1/billing/action-pricing`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanReadBilling, CommonErrors, Operator};
use shared::billing::{Account, Action, Microcredits};
use shared::services::billing;
use shared::{AppState, Result};
use utoipa::ToSchema;

use crate::grant::workspace;

/// What actions cost a workspace.
#[derive(Debug, Serialize, ToSchema)]
pub struct PricingView {
    /// Each action that is charged for.
    actions: Vec<ActionView>,
}

/// What an action costs.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionView {
    /// The action.
    action: Action,
    /// What is counted.
    #[schema(example = "step")]
    unit: &'static str,
    /// What one costs; a million of them is a credit.
    microcredits: Microcredits,
}

/// A price to agree on with a workspace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrice {
    /// The workspace.
    #[schema(example = "acme")]
    tenant_id: String,
    /// The action.
    action: Action,
    /// What one costs it from now on; the usual price when null.
    microcredits: Option<u64>,
}

impl From<Account> for PricingView {
    fn from(account: Account) -> Self {
        let view =
            |action: Action| ActionView { action, unit: action.unit(), microcredits: account.price(action) };
        Self { actions: Action::ALL.into_iter().map(view).collect() }
    }
}

/// What actions cost this workspace.
///
/// A run pays the price of its start to its end.
#[utoipa::path(get, path = "/v1/billing/action-pricing", tag = "billing",
               responses((status = 200, body = PricingView), CommonErrors))]
pub async fn pricing(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
) -> Result<Json<PricingView>> {
    let (account, _) = state.store.account(&caller.place.tenant_id).await?;
    Ok(Json(account.into()))
}

/// Agree on a price with a workspace.
///
/// The bearer is the operator token. Runs that have started keep their price.
#[utoipa::path(put, path = "/v1/billing/action-pricing", tag = "operators", request_body = NewPrice,
               responses((status = 200, body = PricingView), CommonErrors))]
pub async fn set_price(
    State(state): State<AppState>,
    _: Operator,
    Body(new): Body<NewPrice>,
) -> Result<Json<PricingView>> {
    let tenant = workspace(&state, &new.tenant_id).await?;
    let price = new.microcredits.map(Microcredits);
    Ok(Json(billing::set_price(&state, &tenant, new.action, price).await?.into()))
}
