//! What a web page needs to collect payments.

use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;
use platform::boxed;
use types::Result;

/// What a web page needs to collect payments.
#[derive(Debug, Serialize, ToSchema)]
pub struct StripeConfig {
    /// Whether this deployment takes payments.
    enabled: bool,
    /// The payment provider's key for web pages; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "pk_…")]
    publishable_key: Option<String>,
}

/// With which key web pages collect payments.
///
/// # Errors
/// When the secret store does not answer.
#[boxed]
pub async fn stripe_config(state: &AppState) -> Result<StripeConfig> {
    let enabled = state.provider_keys.are_there(&state.secrets).await?;
    let key = &state.config.plans.publishable_key;
    let publishable_key = Some(key.clone()).filter(|key| enabled && !key.is_empty());
    Ok(StripeConfig { enabled, publishable_key })
}
