//! `GET /v1/billing/payment-history`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadBilling, CommonErrors, Cursor, Page, Query};
use shared::billing::payments::Payment;
use shared::types::clock::Timestamp;
use shared::{AppState, Error, Result};
use utoipa::{IntoParams, ToSchema};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PaymentsQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Payments, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payments {
    /// The payments.
    payments: Vec<Payment>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What the workspace has paid, for plans and for credits, and what it tried to.
#[utoipa::path(get, path = "/v1/billing/payment-history", tag = "billing", params(PaymentsQuery),
               responses((status = 200, body = Payments), CommonErrors))]
pub async fn list_payments(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
    Query(query): Query<PaymentsQuery>,
) -> Result<Json<Payments>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let tenant = caller.place.tenant_id;
    let listed = state.store.list_payments(&tenant, page.limit, place(&page)?).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(Payments { payments: listed.rows, next_cursor }))
}

/// A place in the list: a time, and a payment's id.
fn place(page: &Page) -> Result<Option<String>> {
    let Some(place) = &page.after else { return Ok(None) };
    let is_one =
        place.split_once('#').is_some_and(|(at, id)| at.parse::<Timestamp>().is_ok() && !id.is_empty());
    match is_one {
        true => Ok(Some(place.clone())),
        false => Err(Error::invalid("cursor: is not one of this list's.")),
    }
}
