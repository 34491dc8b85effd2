//! `POST /v1/llm/resolve`.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use shared::api::{Body, CanReadLlmKeys, CommonErrors};
use shared::services::llm::Asked;
use shared::services::llm::manage::resolved;
use shared::services::llm::view::ResolvedView;
use shared::workflow::steps::CredentialScope;
use shared::{AppState, Result};
use utoipa::ToSchema;

/// A model as a step names it, with the step's credential.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResolveModel)]
pub struct Resolve {
    /// `direct.<provider>.<model>`.
    #[schema(example = "direct.openai.gpt-4.1")]
    model_ref: Option<String>,
    /// A bare name, which wins when both are given.
    model: Option<String>,
    /// A key of the project by its id; with the scope `system` one of the deployment by its name.
    llm_credential_id: Option<String>,
    /// Whose keys to look in.
    #[schema(value_type = Option<String>)]
    llm_credential_scope: Option<CredentialScope>,
}

/// What a model's name comes to: provider, the name on the wire, and whose key is used. Nothing is called.
#[utoipa::path(post, path = "/v1/llm/resolve", tag = "llm", request_body = Resolve,
               responses((status = 200, body = ResolvedView), CommonErrors))]
pub async fn resolve_model(
    State(state): State<AppState>,
    CanReadLlmKeys(caller): CanReadLlmKeys,
    Body(body): Body<Resolve>,
) -> Result<Json<ResolvedView>> {
    let asked = Asked {
        model_ref: body.model_ref.as_deref(),
        model: body.model.as_deref(),
        credential_id: body.llm_credential_id.as_deref(),
        scope: body.llm_credential_scope,
    };
    resolved(&state, &caller.place, &asked).await.map(Json)
}
