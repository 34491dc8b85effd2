//! The Lambda function `sweep`, once a minute.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use shared::AppState;
use shared::worker::sweep;

fn main() -> Result<(), Error> {
    shared::api::run(|state| {
        lambda_runtime::run(service_fn(move |_: LambdaEvent<Value>| tick(state.clone())))
    })
}

async fn tick(state: AppState) -> Result<(), Error> {
    let moved = sweep(&state, state.clock.now()).await?;
    tracing::info!(moved, "swept");
    Ok(())
}
