//! The payment provider, with this deployment's keys.

use crate::state::AppState;
use clients::stripe::Provider;
use platform::boxed;
use types::Result;

/// The provider.
///
/// # Errors
/// Unavailable when this deployment has none, or the secret store does not answer.
#[boxed]
pub async fn provider<'a>(state: &'a AppState) -> Result<Provider<'a>> {
    let keys = state.provider_keys.read(&state.secrets).await?;
    Ok(Provider::new(keys, &state.config.plans, &state.outbound, &state.clock))
}
