//! `POST /v1/llm/resolve`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use shared::api::{Body, CanReadLlmKeys, CommonErrors};
use shared::clients::llm::KeySource;
use shared::services::llm::{Asked, resolve};
use shared::workflow::model::catalog::{Model, model};
use shared::workflow::model::{ModelRef, Provider};
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

/// What a step with these fields calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResolvedView {
    /// The whole name.
    model_ref: String,
    /// Who serves the model.
    provider: Provider,
    /// The provider's own name for it, as it goes over the wire.
    model: String,
    /// Whose key it is called with.
    key_source: KeySource,
    /// That key's id; of the deployment's, its name.
    credential_id: String,
    /// What people call it.
    credential_name: String,
    /// What the catalog knows of the model.
    #[schema(value_type = Option<Model>)]
    known: Option<&'static Model>,
}

/// What a model's name comes to: provider, the name on the wire, and whose key is used. Nothing is called.
#[utoipa::path(post, path = "/v1/llm/resolve", tag = "llm", request_body = Resolve,
               responses((status = 200, body = ResolvedView), CommonErrors))]
pub async fn resolve_model(
    State(state): State<AppState>,
    CanReadLlmKeys(caller): CanReadLlmKeys,
    Body(body): Body<Resolve>,
) -> Result<Json<ResolvedView>> {
    // What another environment has changed since is to be seen.
    state.llm_keys.forget(&caller.place);
    let asked = Asked {
        model_ref: body.model_ref.as_deref(),
        model: body.model.as_deref(),
        credential_id: body.llm_credential_id.as_deref(),
        scope: body.llm_credential_scope,
    };
    let found = resolve(&state, &caller.place, &asked).await?;
    let name = ModelRef { provider: found.provider, model: found.model };
    Ok(Json(ResolvedView {
        model_ref: name.to_string(),
        known: model(name.provider, &name.model),
        provider: name.provider,
        model: name.model,
        key_source: found.source,
        credential_id: found.key.id,
        credential_name: found.key.name,
    }))
}
