//! `GET /v1/pats`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanListPats, CommonErrors, Cursor, Page, Query};
use shared::services::pats::{self, PatView};
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PatsQuery {
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Tokens, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pats {
    /// The tokens.
    pats: Vec<PatView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List the project's tokens, newest first, without the tokens themselves.
#[utoipa::path(get, path = "/v1/pats", tag = "access", params(PatsQuery),
               responses((status = 200, body = Pats), CommonErrors))]
pub async fn list_pats(
    State(state): State<AppState>,
    CanListPats(caller): CanListPats,
    Query(query): Query<PatsQuery>,
) -> Result<Json<Pats>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = pats::list(&state, &caller.place, page.limit, page.after.as_deref()).await?;
    Ok(Json(Pats { pats: listed.rows, next_cursor: listed.next.as_deref().map(Cursor::write) }))
}
