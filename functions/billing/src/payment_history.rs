//! `GET /v1/billing/payment-history`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadBilling, CommonErrors, Cursor, Page, Query};
use shared::billing::payments::Payment;
use shared::services::billing;
use shared::{AppState, Result};
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
    let listed = billing::payments(&state, &caller.place.tenant_id, page.limit, page.after).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(Payments { payments: listed.rows, next_cursor }))
}
