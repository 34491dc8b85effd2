//! `GET /v1/llm-provider-keys`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{CanReadLlmKeys, CommonErrors, Cursor, Page, Query};
use shared::workflow::steps::CredentialScope;
use shared::{AppState, Error, Result};
use utoipa::{IntoParams, ToSchema};

use crate::view::KeyView;

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
    let mut keys = Vec::new();
    if query.scope != Some(CredentialScope::System) {
        let all = state.store.llm_keys(&caller.place).await?;
        keys.extend(all.iter().map(|record| KeyView::new(record.clone(), &all)));
    }
    if query.scope != Some(CredentialScope::Tenant) {
        keys.extend(state.system_keys.all(&state.secrets).await?.values().map(KeyView::of_system));
    }
    // There are at most fifty, and a handful of the deployment's: the whole list is read for any page.
    let begin = match &page.after {
        None => 0,
        Some(id) => {
            let last = keys.iter().position(|key| key.id == *id);
            last.ok_or_else(|| Error::invalid("cursor: is not one of this list's, or its key is gone."))? + 1
        }
    };
    let mut keys = keys.split_off(begin);
    let more = keys.len() > page.limit;
    keys.truncate(page.limit);
    let next_cursor = keys.last().filter(|_| more).map(|key| Cursor::write(&key.id));
    Ok(Json(Keys { llm_provider_keys: keys, next_cursor }))
}
