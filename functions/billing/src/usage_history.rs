//! `GET /v1/billing/usage-history`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadBilling, CommonErrors, Cursor, Page, Query};
use shared::services::billing::history::{EntryView, Kind, history};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// Only entries of this kind.
    #[param(inline)]
    kind: Option<Kind>,
    /// How many, 1–100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The ledger of a workspace, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryView {
    /// The entries.
    entries: Vec<EntryView>,
    /// Where more of them are.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What was given to the workspace, what lapsed, and what its runs have used.
///
/// A run is debited at its end, and a long one after 50 steps or a minute. With `kind` a page may be short and
/// still have a `next_cursor`.
#[utoipa::path(get, path = "/v1/billing/usage-history", tag = "billing", params(HistoryQuery),
               responses((status = 200, body = HistoryView), CommonErrors))]
pub async fn usage_history(
    State(state): State<AppState>,
    CanReadBilling(caller): CanReadBilling,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryView>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let tenant = &caller.place.tenant_id;
    let listed = history(&state, tenant, query.kind, page.limit, page.after).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(HistoryView { entries: listed.rows, next_cursor }))
}
