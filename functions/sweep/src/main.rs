//! The Lambda function `sweep`, once a minute.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use shared::AppState;
use shared::worker::sweep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    shared::platform::telemetry::init("info");
    let state = AppState::from_env();
    lambda_runtime::run(service_fn(|_: LambdaEvent<Value>| tick(state.clone()))).await
}

async fn tick(state: AppState) -> Result<(), Error> {
    let moved = sweep(&state, state.clock.now()).await?;
    tracing::info!(moved, "swept");
    Ok(())
}
