//! `GET /v1/llm-provider-keys`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadLlmKeys, CommonErrors, Cursor, Page, Query};
use shared::services::llm::manage::list;
use shared::services::llm::view::KeyView;
use shared::workflow::steps::CredentialScope;
use shared::{AppState, Result};
use utoipa::{IntoParams, ToSchema};

/// Which, and where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KeysQuery {
    /// Only the project's (`tenant`) or the deployment's (`system`); both when absent.
    #[param(value_type = Option<String>)]
    scope: Option<CredentialScope>,
    /// How many, 1 to 100; 20 when absent.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Keys of model providers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Keys {
    /// The project's, newest first, and then the deployment's.
    llm_provider_keys: Vec<KeyView>,
    /// Where to go on, when there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List keys of model providers: the project's, newest first, and then those of the deployment. No value is shown.
#[utoipa::path(get, path = "/v1/llm-provider-keys", tag = "llm", params(KeysQuery),
               responses((status = 200, body = Keys), CommonErrors))]
pub async fn list_keys(
    State(state): State<AppState>,
    CanReadLlmKeys(caller): CanReadLlmKeys,
    Query(query): Query<KeysQuery>,
) -> Result<Json<Keys>> {
    let page = Page::asked(query.limit, query.cursor.as_deref())?;
    let listed = list(&state, &caller.place, query.scope, page.limit, page.after.as_deref()).await?;
    let next_cursor = listed.next.as_deref().map(Cursor::write);
    Ok(Json(Keys { llm_provider_keys: listed.rows, next_cursor }))
}
