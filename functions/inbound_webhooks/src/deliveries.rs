//! `GET /v1/inbound-webhooks/{id}/deliveries`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadWebhooks, CommonErrors, Cursor, Page, Path, Query};
use shared::services::webhook::{DeliveryView, deliveries};
use shared::types::ids::SubscriptionId;
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Deliveries of the last 30 days, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deliveries {
    /// The deliveries.
    deliveries: Vec<DeliveryView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List what was delivered to an inbound webhook in the last 30 days, newest first.
#[utoipa::path(get, path = "/v1/inbound-webhooks/{id}/deliveries", tag = "inbound webhooks",
               params(("id" = uuid::Uuid, Path), DeliveriesQuery),
               responses((status = 200, body = Deliveries), CommonErrors))]
pub async fn list_deliveries(
    State(state): State<AppState>,
    CanReadWebhooks(caller): CanReadWebhooks,
    Path(id): Path<SubscriptionId>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<Deliveries>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = deliveries(&state, &caller.place, id, page.limit, page.after).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(Deliveries { deliveries: listed.rows, next_cursor }))
}
