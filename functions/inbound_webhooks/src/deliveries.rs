//! `GET /v1/inbound-webhooks/{id}/deliveries`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadWebhooks, CommonErrors, Cursor, Page, Path, Query};
use shared::services::webhook::find;
use shared::store::DeliveryRecord;
use shared::store::delivery::Outcome;
use shared::types::clock::Timestamp;
use shared::types::ids::{RunId, SubscriptionId};
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

/// A delivery; those that were refused in one minute are one entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// When it came; of several refusals, the last.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// What became of it.
    outcome: Outcome,
    /// The run that it started, or that its first delivery did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<uuid::Uuid>)]
    run_id: Option<RunId>,
    /// Why it was refused: of several refusals, the most frequent reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "SIGNATURE_WRONG")]
    reason: Option<String>,
    /// How many were refused in this minute, by reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(example = json!({ "SIGNATURE_WRONG": 2 }))]
    refused: BTreeMap<String, u64>,
}

impl DeliveryView {
    fn new(record: DeliveryRecord) -> Self {
        let most = record.refused.iter().max_by_key(|(_, count)| **count);
        Self {
            time: record.time,
            outcome: record.outcome,
            run_id: record.run_id,
            reason: most.map(|(reason, _)| reason.clone()),
            refused: record.refused,
        }
    }
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
    find(&state, &caller.place, id).await?;
    let now = state.clock.now();
    let listed = state.store.list_deliveries(&caller.place, id, page.limit, page.after()?, now).await?;
    let deliveries = listed.rows.into_iter().map(DeliveryView::new).collect();
    Ok(Json(Deliveries { deliveries, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
