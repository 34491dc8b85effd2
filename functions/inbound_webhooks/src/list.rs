//! `GET /v1/inbound-webhooks`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadWebhooks, CommonErrors, Cursor, Page, Query};
use shared::services::webhook::{SubscriptionView, list};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InboundWebhooksQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Subscriptions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct InboundWebhooks {
    /// The subscriptions.
    inbound_webhooks: Vec<SubscriptionView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the project's inbound webhooks, newest first.
#[utoipa::path(get, path = "/v1/inbound-webhooks", tag = "inbound webhooks", params(InboundWebhooksQuery),
               responses((status = 200, body = InboundWebhooks), CommonErrors))]
pub async fn list_inbound_webhooks(
    State(state): State<AppState>,
    CanReadWebhooks(caller): CanReadWebhooks,
    Query(query): Query<InboundWebhooksQuery>,
) -> Result<Json<InboundWebhooks>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = list(&state, &caller.place, page.limit, page.after()?).await?;
    let inbound_webhooks = listed.rows.into_iter().map(SubscriptionView::new).collect::<Result<_>>()?;
    Ok(Json(InboundWebhooks { inbound_webhooks, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
