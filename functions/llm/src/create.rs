//! `POST /v1/llm-provider-keys`.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use shared::api::{Body, CanWriteLlmKeys, CommonErrors};
use shared::services::llm::manage::{GivenAccess, GivenKey, create};
use shared::services::llm::view::KeyView;
use shared::types::text;
use shared::types::text::secret;
use shared::workflow::model::Provider;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A key to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    /// Whose models it is for.
    provider: Provider,
    /// What people call it, 1–200 characters; the provider's name when absent.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Whether steps that name no key use it from now on. The project's first key of a provider is used in any case.
    #[serde(default)]
    is_default: bool,
    /// The key: of OpenAI, Anthropic, Google, Bedrock (a Bedrock API key), or of a compatible server that asks for
    /// one.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>, max_length = 8192)]
    api_key: Option<SecretString>,
    /// For Bedrock instead of `api_key`: the id of an access key.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    access_key_id: Option<SecretString>,
    /// The access key.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    secret_access_key: Option<SecretString>,
    /// With temporary access keys.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    session_token: Option<SecretString>,
    /// Where the provider answers: required for `openai_compatible`, such as `https://llm.example.com/v1`; otherwise
    /// instead of its usual address.
    #[schema(max_length = 2048)]
    base_url: Option<String>,
    /// Bedrock's region; required there.
    #[schema(example = "eu-central-1")]
    region: Option<String>,
    /// The organization that OpenAI is to bill.
    organization: Option<String>,
}

/// Keep a key of a model provider. Its value is not shown again.
#[utoipa::path(post, path = "/v1/llm-provider-keys", tag = "llm", request_body = CreateKey,
               responses((status = 201, body = KeyView), CommonErrors))]
pub async fn create_key(
    State(state): State<AppState>,
    CanWriteLlmKeys(caller): CanWriteLlmKeys,
    Body(new): Body<CreateKey>,
) -> Result<(StatusCode, Json<KeyView>)> {
    let name = text::name("name", new.name.as_deref().unwrap_or(new.provider.title()))?;
    let access = GivenAccess {
        api_key: new.api_key,
        access_key_id: new.access_key_id,
        secret_access_key: new.secret_access_key,
        session_token: new.session_token,
        base_url: new.base_url,
        region: new.region,
        organization: new.organization,
    };
    let new = GivenKey { provider: new.provider, name, is_default: new.is_default, access };
    let created = create(&state, &caller.place, new).await?;
    Ok((StatusCode::CREATED, Json(created)))
}
